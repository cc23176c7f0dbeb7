//! The everyday expressions of rules, resolved once at load: whether fields of `this` and `root` are there, what texts they
//! hold, how numbers compare. CEL says the same of them, but looks up every name anew each time, which costs ten times as much.
//! Whatever is not of this kind stays with CEL: a part of an expression as a leaf, and the whole expression where CEL would have an
//! error to tell. So a quick answer is always CEL's answer, and there is no error of its own.

use super::decimal::Dec;
use super::functions::{self, TextTest};
use super::view::Item;
use crate::wants::{WantId, Wants};
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use regex::Regex;
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// A condition.
#[derive(Debug)]
pub(super) enum Quick {
    Both(Box<[Quick; 2]>),
    Either(Box<[Quick; 2]>),
    Not(Box<Quick>),
    Has(Path),
    Test(TextTest, Text),
    Pair(fn(&str, &str) -> bool, Text, Text),
    OneOf(Text, Vec<Text>),
    Matches(Text, Regex),
    Order(fn(Ordering) -> bool, Number, Number),
    Close(Box<[Number; 3]>),
    Cel(IdedExpr),
}

/// A place below `this` or `root`: ordinals of wanted children.
#[derive(Debug)]
pub(super) struct Path {
    from_root: bool,
    steps: Vec<usize>,
}

#[derive(Debug)]
pub(super) enum Text {
    Literal(String),
    Mode,
    At(Path),
    Digit(Box<Text>, usize),
}

#[derive(Debug)]
pub(super) enum Number {
    Literal(Decimal),
    Dec(Text),
    Count(fn(&str) -> usize, Text),
    Computed(fn(Decimal, Decimal) -> Option<Decimal>, Box<[Number; 2]>),
}

/// CEL mixes decimals and ints in one order only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dec,
    Int,
}

/// What a condition is judged on.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub(super) this: &'a Item,
    pub(super) root: Option<&'a Item>,
    pub(super) mode: &'a str,
}

impl Quick {
    /// What CEL would answer; `None`: ask it, it may have an error to tell. `cel` evaluates a leaf.
    pub(super) fn answer(&self, on: Ground<'_>, cel: &dyn Fn(&IdedExpr) -> Option<bool>) -> Option<bool> {
        match self {
            Self::Both(both) => Some(both[0].answer(on, cel)? && both[1].answer(on, cel)?),
            Self::Either(either) => Some(either[0].answer(on, cel)? || either[1].answer(on, cel)?),
            Self::Not(inner) => Some(!inner.answer(on, cel)?),
            Self::Has(path) => path.is_there(on),
            Self::Test(test, text) => Some(test(text.read(on)?)),
            Self::Pair(test, a, b) => Some(test(a.read(on)?, b.read(on)?)),
            Self::OneOf(text, among) => {
                let text = text.read(on)?;
                let among: Option<Vec<&str>> = among.iter().map(|other| other.read(on)).collect();
                Some(among?.contains(&text))
            }
            Self::Matches(text, pattern) => Some(pattern.is_match(text.read(on)?)),
            Self::Order(test, a, b) => Some(test(a.value(on)?.cmp(&b.value(on)?))),
            Self::Close(numbers) => {
                let [a, b, tolerance] = &**numbers;
                Some(functions::is_close(a.value(on)?, b.value(on)?, tolerance.value(on)?))
            }
            Self::Cel(expr) => cel(expr),
        }
    }
}

impl Path {
    /// Where the first `steps` lead, if there is something.
    fn follow<'a>(&self, on: Ground<'a>, steps: &[usize]) -> Option<&'a Item> {
        let start = if self.from_root { on.root? } else { on.this };
        steps.iter().try_fold(start, |item, ordinal| match item {
            Item::Node(node) => node.at(*ordinal),
            Item::Text(_) | Item::List(_) => None,
        })
    }

    /// Whether the last step leads anywhere; `None` if the ones before it do not lead to an element.
    fn is_there(&self, on: Ground<'_>) -> Option<bool> {
        let (last, before) = self.steps.split_last()?;
        match self.follow(on, before)? {
            Item::Node(node) => Some(node.at(*last).is_some()),
            Item::Text(_) | Item::List(_) => None,
        }
    }
}

impl Text {
    fn read<'a>(&'a self, on: Ground<'a>) -> Option<&'a str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Mode => Some(on.mode),
            Self::At(path) => match path.follow(on, &path.steps)? {
                Item::Text(text) => Some(text.inner()),
                Item::Node(_) | Item::List(_) => None,
            },
            Self::Digit(text, at) => Some(functions::digit(text.read(on)?, *at)),
        }
    }
}

impl Number {
    fn value(&self, on: Ground<'_>) -> Option<Decimal> {
        match self {
            Self::Literal(value) => Some(*value),
            Self::Dec(text) => Dec::parse(text.read(on)?).map(|dec| dec.0),
            Self::Count(count, text) => Some(Decimal::from(count(text.read(on)?))),
            Self::Computed(compute, operands) => compute(operands[0].value(on)?, operands[1].value(on)?),
        }
    }
}

/// Resolves conditions of a rule that applies at one wanted place.
pub(super) struct Resolver<'a> {
    pub(super) wants: &'a Wants,
    pub(super) this: WantId,
    pub(super) root: WantId,
}

impl Resolver<'_> {
    pub(super) fn condition(&self, expr: &IdedExpr) -> Quick {
        self.everyday(expr).unwrap_or_else(|| Quick::Cel(expr.clone()))
    }

    fn everyday(&self, expr: &IdedExpr) -> Option<Quick> {
        match &expr.expr {
            Expr::Select(select) if select.test => {
                let (mut path, parent) = self.path(&select.operand)?;
                path.steps.push(self.wants.get(self.wants.child(parent, &select.field)?).ordinal);
                Some(Quick::Has(path))
            }
            Expr::Call(call) => match (&call.target, &call.args[..]) {
                (None, [a]) if call.func_name == operators::LOGICAL_NOT => {
                    Some(Quick::Not(Box::new(self.condition(a))))
                }
                (None, [a]) => Some(Quick::Test(functions::text_test(&call.func_name)?, self.text(a)?)),
                (None, [a, b]) => self.operator(&call.func_name, a, b),
                (None, [a, b, c]) if call.func_name == "close" => {
                    let of = |expr| self.number(expr).map(|(n, _)| n).or_else(|| self.text(expr).map(Number::Dec));
                    Some(Quick::Close(Box::new([of(a)?, of(b)?, of(c)?])))
                }
                (Some(target), [a]) => self.member(target, call, a),
                _ => None,
            },
            _ => None,
        }
    }

    fn operator(&self, name: &str, a: &IdedExpr, b: &IdedExpr) -> Option<Quick> {
        match name {
            operators::LOGICAL_AND => Some(Quick::Both(Box::new([self.condition(a), self.condition(b)]))),
            operators::LOGICAL_OR => Some(Quick::Either(Box::new([self.condition(a), self.condition(b)]))),
            operators::EQUALS => self.texts(|a, b| a == b, a, b).or_else(|| self.order(Ordering::is_eq, a, b)),
            operators::NOT_EQUALS => self.texts(|a, b| a != b, a, b).or_else(|| self.order(Ordering::is_ne, a, b)),
            operators::LESS => self.order(Ordering::is_lt, a, b),
            operators::LESS_EQUALS => self.order(Ordering::is_le, a, b),
            operators::GREATER => self.order(Ordering::is_gt, a, b),
            operators::GREATER_EQUALS => self.order(Ordering::is_ge, a, b),
            operators::IN => {
                let Expr::List(list) = &b.expr else { return None };
                let among: Option<Vec<Text>> = list.elements.iter().map(|element| self.text(element)).collect();
                Some(Quick::OneOf(self.text(a)?, among.filter(|_| list.optional_indices.is_empty())?))
            }
            "matches" => self.matches(a, b),
            _ => None,
        }
    }

    fn member(&self, target: &IdedExpr, call: &CallExpr, argument: &IdedExpr) -> Option<Quick> {
        match call.func_name.as_str() {
            "startsWith" => self.texts(|a, b| a.starts_with(b), target, argument),
            "endsWith" => self.texts(|a, b| a.ends_with(b), target, argument),
            "contains" => self.texts(|a, b| a.contains(b), target, argument),
            "matches" => self.matches(target, argument),
            _ => None,
        }
    }

    fn matches(&self, text: &IdedExpr, pattern: &IdedExpr) -> Option<Quick> {
        let Text::Literal(pattern) = self.text(pattern)? else { return None };
        Some(Quick::Matches(self.text(text)?, Regex::new(&pattern).ok()?))
    }

    fn texts(&self, test: fn(&str, &str) -> bool, a: &IdedExpr, b: &IdedExpr) -> Option<Quick> {
        Some(Quick::Pair(test, self.text(a)?, self.text(b)?))
    }

    fn order(&self, test: fn(Ordering) -> bool, a: &IdedExpr, b: &IdedExpr) -> Option<Quick> {
        let ((a, kind_of_a), (b, kind_of_b)) = (self.number(a)?, self.number(b)?);
        (kind_of_a == Kind::Dec || kind_of_b == Kind::Int).then(|| Quick::Order(test, a, b))
    }

    fn text(&self, expr: &IdedExpr) -> Option<Text> {
        match &expr.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(Text::Literal(text.inner().to_owned())),
            Expr::Ident(name) if name == "mode" => Some(Text::Mode),
            Expr::Ident(_) | Expr::Select(_) => {
                let (path, want) = self.path(expr)?;
                self.wants.get(want).text.then_some(Text::At(path))
            }
            Expr::Call(call) => match (&call.target, call.func_name.as_str(), &call.args[..]) {
                (None, "digit", [text, IdedExpr { expr: Expr::Literal(LiteralValue::Int(at)), .. }]) => {
                    Some(Text::Digit(Box::new(self.text(text)?), usize::try_from(*at.inner()).ok()?))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn number(&self, expr: &IdedExpr) -> Option<(Number, Kind)> {
        let call = match &expr.expr {
            Expr::Literal(LiteralValue::Int(int)) => {
                return Some((Number::Literal(Decimal::from(*int.inner())), Kind::Int));
            }
            Expr::Call(call) if call.target.is_none() => call,
            _ => return None,
        };
        let compute: fn(Decimal, Decimal) -> Option<Decimal> = match (call.func_name.as_str(), &call.args[..]) {
            ("dec", [a]) => {
                let number = match self.text(a)? {
                    Text::Literal(text) => Number::Literal(Dec::parse(&text)?.0),
                    text => Number::Dec(text),
                };
                return Some((number, Kind::Dec));
            }
            ("size", [a]) => return Some((Number::Count(|text| text.chars().count(), self.text(a)?), Kind::Int)),
            ("gbLen", [a]) => return Some((Number::Count(crate::value::gb_length, self.text(a)?), Kind::Int)),
            (operators::ADD, _) => Decimal::checked_add,
            (operators::SUBSTRACT, _) => Decimal::checked_sub,
            (operators::MULTIPLY, _) => Decimal::checked_mul,
            (operators::DIVIDE, _) => Decimal::checked_div,
            _ => return None,
        };
        let [a, b] = &call.args[..] else { return None };
        let ((a, kind), (b, _)) = (self.number(a)?, self.number(b)?);
        (kind == Kind::Dec).then(|| (Number::Computed(compute, Box::new([a, b])), Kind::Dec))
    }

    /// The place that `this.A.B` or `root.A.B` means.
    fn path(&self, expr: &IdedExpr) -> Option<(Path, WantId)> {
        match &expr.expr {
            Expr::Ident(name) if name == "this" => Some((Path { from_root: false, steps: Vec::new() }, self.this)),
            Expr::Ident(name) if name == "root" => Some((Path { from_root: true, steps: Vec::new() }, self.root)),
            Expr::Select(select) if !select.test => {
                let (mut path, parent) = self.path(&select.operand)?;
                let want = self.wants.child(parent, &select.field)?;
                path.steps.push(self.wants.get(want).ordinal);
                Some((path, want))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
