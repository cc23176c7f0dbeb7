//! Types of rule expressions: found before a rule ever runs, and the paths that it mentions collected on the way.

use crate::schema::Schema;
use crate::wants::{WantId, Wants};
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

/// The type of an expression, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ty {
    Any,
    Bool,
    Int,
    Double,
    Text,
    Bytes,
    Null,
    Decimal,
    Node(WantId),
    List(Box<Ty>),
    Map,
    Optional(Box<Ty>),
}

/// What is wrong, and with which part of the expression.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) id: u64,
    pub(super) message: String,
}

type Checked = Result<Ty, Wrong>;

/// Checks one expression.
pub(super) struct Checker<'a> {
    pub(super) schema: &'a Schema,
    pub(super) wants: &'a mut Wants,
    pub(super) tables: &'a dyn Fn(&str) -> bool,
    /// Places that the expression reads are added.
    pub(super) spoken: &'a mut Vec<WantId>,
    /// Innermost last.
    pub(super) variables: Vec<(String, Ty)>,
}

impl Ty {
    fn is(&self, other: &Ty) -> bool {
        *self == Ty::Any || *self == *other
    }

    fn name(&self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::Bool => "a bool".into(),
            Self::Int => "an int".into(),
            Self::Double => "a floating number".into(),
            Self::Text => "a string".into(),
            Self::Bytes => "bytes".into(),
            Self::Null => "null".into(),
            Self::Decimal => "a decimal".into(),
            Self::Node(_) => "an element".into(),
            Self::List(of) => format!("a list of {}", of.name()),
            Self::Map => "a map".into(),
            Self::Optional(of) => format!("an optional {}", of.name()),
        }
    }

    /// One type for both branches of a choice.
    fn joined(self, other: Ty) -> Ty {
        match (self, other) {
            (a, b) if a == b => a,
            (Ty::List(a), Ty::List(b)) if *a == Ty::Any => Ty::List(b),
            (Ty::List(a), Ty::List(b)) if *b == Ty::Any => Ty::List(a),
            _ => Ty::Any,
        }
    }
}

impl Checker<'_> {
    pub(super) fn check(&mut self, expr: &IdedExpr) -> Checked {
        let wrong = |message: String| Err(Wrong { id: expr.id, message });
        match &expr.expr {
            Expr::Literal(literal) => Ok(match literal {
                LiteralValue::Boolean(_) => Ty::Bool,
                LiteralValue::Bytes(_) => Ty::Bytes,
                LiteralValue::Double(_) => Ty::Double,
                LiteralValue::Int(_) | LiteralValue::UInt(_) => Ty::Int,
                LiteralValue::Null => Ty::Null,
                LiteralValue::String(_) => Ty::Text,
            }),
            Expr::Ident(name) => match self.variables.iter().rev().find(|(known, _)| known == name) {
                Some((_, ty)) => Ok(ty.clone()),
                None => wrong(format!("there is no variable {name}; this, root and mode are known")),
            },
            Expr::Select(select) => {
                let operand = self.check(&select.operand)?;
                let field = self.field(expr.id, &operand, &select.field)?;
                Ok(if select.test { Ty::Bool } else { field })
            }
            Expr::List(list) => {
                let mut of = None;
                for element in &list.elements {
                    let ty = self.check(element)?;
                    of = Some(match of {
                        None => ty,
                        Some(known) => Ty::joined(known, ty),
                    });
                }
                Ok(Ty::List(Box::new(of.unwrap_or(Ty::Any))))
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.check(&entry.key)?;
                        self.check(&entry.value)?;
                    }
                }
                Ok(Ty::Map)
            }
            Expr::Call(call) => self.call(expr.id, call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(_) | Expr::Unspecified => wrong("this kind of expression has no meaning in a rule".into()),
        }
    }

    fn field(&mut self, id: u64, operand: &Ty, name: &str) -> Checked {
        match operand {
            Ty::Node(want) => self.child(id, *want, name),
            Ty::Any | Ty::Map => Ok(Ty::Any),
            Ty::List(_) => Err(Wrong {
                id,
                message: format!(".{name} of a list; a repeated element is a list: use all, exists, map or [0]"),
            }),
            other => Err(Wrong { id, message: format!(".{name} of {}", other.name()) }),
        }
    }

    fn child(&mut self, id: u64, parent: WantId, name: &str) -> Checked {
        let Some(want) = self.wants.want_child(self.schema, parent, name) else {
            let near = crate::wording::nearest(name, self.wants.child_names(self.schema, parent).into_iter());
            let hint = near.map(|n| format!("; is {n} meant?")).unwrap_or_default();
            let message = format!("{} has no {name}{hint}", self.wants.get(parent).name);
            return Err(Wrong { id, message });
        };
        self.spoken.push(want);
        Ok(self.wanted(want))
    }

    /// The type of a wanted place.
    fn wanted(&self, id: WantId) -> Ty {
        let want = self.wants.get(id);
        let of = if want.text { Ty::Text } else { Ty::Node(id) };
        if want.list { Ty::List(Box::new(of)) } else { of }
    }

    fn comprehension(&mut self, c: &ComprehensionExpr) -> Checked {
        let range = self.check(&c.iter_range)?;
        let element = match range {
            Ty::List(of) => *of,
            Ty::Any => Ty::Any,
            Ty::Map => Ty::Text,
            other => {
                return Err(Wrong { id: c.iter_range.id, message: format!("{} cannot be gone through", other.name()) });
            }
        };
        let start = self.check(&c.accu_init)?;
        let depth = self.variables.len();
        self.variables.push((c.accu_var.clone(), start.clone()));
        self.variables.push((c.iter_var.clone(), element));
        self.check(&c.loop_cond)?;
        let step = self.check(&c.loop_step)?;
        self.variables.truncate(depth);
        self.variables.push((c.accu_var.clone(), start.joined(step)));
        let result = self.check(&c.result);
        self.variables.truncate(depth);
        result
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> Checked {
        if let Some(target) = &call.target {
            return self.member(id, target, call);
        }
        let mut types = Vec::new();
        for argument in &call.args {
            types.push(self.check(argument)?);
        }
        let name = call.func_name.as_str();
        if let Some(checked) = self.operator(id, name, &types, &call.args) {
            return checked;
        }
        self.function(id, name, &types, &call.args)
    }

    fn operator(&mut self, id: u64, name: &str, types: &[Ty], args: &[IdedExpr]) -> Option<Checked> {
        let wrong = |message: String| Some(Err(Wrong { id, message }));
        let mismatch = |what: &str, a: &Ty, b: &Ty| wrong(format!("{what} between {} and {}", a.name(), b.name()));
        match (name, types) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [a, b]) => {
                match [a, b].into_iter().find(|t| !t.is(&Ty::Bool)) {
                    Some(other) => wrong(format!("{} where true or false is needed", other.name())),
                    None => Some(Ok(Ty::Bool)),
                }
            }
            (operators::LOGICAL_NOT, [a]) if !a.is(&Ty::Bool) => wrong(format!("! of {}", a.name())),
            (operators::LOGICAL_NOT | operators::NOT_STRICTLY_FALSE, [_]) => Some(Ok(Ty::Bool)),
            (operators::CONDITIONAL, [condition, a, b]) => {
                if !condition.is(&Ty::Bool) {
                    return wrong(format!("{} before the ?", condition.name()));
                }
                Some(Ok(a.clone().joined(b.clone())))
            }
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => {
                if comparable(a, b) {
                    Some(Ok(Ty::Bool))
                } else {
                    mismatch("a comparison", a, b)
                }
            }
            (operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS, [a, b]) => {
                let ordered = |t: &Ty| matches!(t, Ty::Any | Ty::Int | Ty::Double | Ty::Text | Ty::Decimal | Ty::Bool);
                if ordered(a) && comparable(a, b) { Some(Ok(Ty::Bool)) } else { mismatch("a comparison", a, b) }
            }
            (
                operators::ADD | operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO,
                [a, b],
            ) => match arithmetic(name, a, b) {
                Some(ty) => Some(Ok(ty)),
                None => mismatch("arithmetic", a, b),
            },
            (operators::NEGATE, [a]) => match a {
                Ty::Int | Ty::Double | Ty::Decimal | Ty::Any => Some(Ok(a.clone())),
                other => wrong(format!("- of {}", other.name())),
            },
            (operators::IN, [a, b]) => match b {
                Ty::List(of) if !comparable(a, of) => mismatch("in", a, b),
                Ty::List(_) | Ty::Map | Ty::Any | Ty::Node(_) => Some(Ok(Ty::Bool)),
                other => wrong(format!("in {}", other.name())),
            },
            (operators::INDEX, [operand, _]) => Some(self.index(id, operand, args)),
            (operators::OPT_INDEX | operators::OPT_SELECT, [operand, _]) => {
                let inner = match operand {
                    Ty::Optional(of) => (**of).clone(),
                    other => other.clone(),
                };
                Some(self.index(id, &inner, args).map(|ty| Ty::Optional(Box::new(ty))))
            }
            _ => None,
        }
    }

    fn index(&mut self, id: u64, operand: &Ty, args: &[IdedExpr]) -> Checked {
        let literal = args.get(1).and_then(literal_text);
        match (operand, literal) {
            (Ty::Node(want), Some(name)) => self.child(id, *want, &name),
            (Ty::Node(_), None) => Err(Wrong { id, message: "an element's child is named by a literal".into() }),
            (Ty::List(of), None) => Ok((**of).clone()),
            (Ty::Map | Ty::Any, _) => Ok(Ty::Any),
            (other, _) => Err(Wrong { id, message: format!("[…] of {}", other.name()) }),
        }
    }

    fn member(&mut self, id: u64, target: &IdedExpr, call: &CallExpr) -> Checked {
        let name = call.func_name.as_str();
        let wrong = |message: String| Err(Wrong { id, message });
        let mut types = Vec::new();
        if matches!(&target.expr, Expr::Ident(ident) if ident == "optional") {
            for argument in &call.args {
                types.push(self.check(argument)?);
            }
            return match (name, &types[..]) {
                ("of" | "ofNonZeroValue", [ty]) => Ok(Ty::Optional(Box::new(ty.clone()))),
                ("none", []) => Ok(Ty::Optional(Box::new(Ty::Any))),
                _ => wrong(format!("there is no function optional.{name} with {} arguments", types.len())),
            };
        }
        let on = self.check(target)?;
        for argument in &call.args {
            types.push(self.check(argument)?);
        }
        match (name, &on, &types[..]) {
            ("startsWith" | "endsWith" | "contains", Ty::Text | Ty::Any, [a]) if a.is(&Ty::Text) => Ok(Ty::Bool),
            ("matches", Ty::Text | Ty::Any, [a]) if a.is(&Ty::Text) => {
                if let Some(pattern) = call.args.first().and_then(literal_text)
                    && let Err(error) = regex::Regex::new(&pattern)
                {
                    let last = error.to_string().lines().last().unwrap_or_default().to_owned();
                    return wrong(format!("the pattern {pattern}: {last}"));
                }
                Ok(Ty::Bool)
            }
            ("size", Ty::Text | Ty::List(_) | Ty::Map | Ty::Node(_) | Ty::Any | Ty::Bytes, []) => Ok(Ty::Int),
            ("orValue", Ty::Optional(of), [or]) => {
                if !comparable(of, or) {
                    return wrong(format!("orValue({}) on {}", or.name(), on.name()));
                }
                Ok((**of).clone().joined(or.clone()))
            }
            ("or", Ty::Optional(of), [Ty::Optional(or)]) => {
                Ok(Ty::Optional(Box::new((**of).clone().joined((**or).clone()))))
            }
            ("hasValue", Ty::Optional(_), []) => Ok(Ty::Bool),
            ("value", Ty::Optional(of), []) => Ok((**of).clone()),
            _ => {
                let listed: Vec<String> = types.iter().map(Ty::name).collect();
                wrong(format!("there is no function .{name}({}) on {}", listed.join(", "), on.name()))
            }
        }
    }

    fn function(&mut self, id: u64, name: &str, types: &[Ty], args: &[IdedExpr]) -> Checked {
        let text = |t: &Ty| t.is(&Ty::Text);
        let number = |t: &Ty| matches!(t, Ty::Any | Ty::Decimal | Ty::Int | Ty::Text);
        let result = match (name, types) {
            ("dec", [a]) if number(a) => Some(Ty::Decimal),
            ("isDec" | "isInt" | "date8" | "usci" | "iso6346" | "imo", [a]) if text(a) => Some(Ty::Bool),
            ("gbLen", [a]) if text(a) => Some(Ty::Int),
            ("close", [a, b, c]) if number(a) && number(b) && number(c) => Some(Ty::Bool),
            ("round", [a, b]) if number(a) && b.is(&Ty::Int) => Some(Ty::Decimal),
            ("digit", [a, b]) if text(a) && b.is(&Ty::Int) => Some(Ty::Text),
            ("sum", [Ty::List(of)]) if number(of) => Some(Ty::Decimal),
            ("unique", [Ty::List(of)]) if text(of) => Some(Ty::Bool),
            ("sum", [list, Ty::Text]) => self.list_field(id, list, args).map(|()| Some(Ty::Decimal))?,
            ("unique", [list, Ty::Text]) => self.list_field(id, list, args).map(|()| Some(Ty::Bool))?,
            ("contiguous", [list, Ty::Text, from]) if from.is(&Ty::Int) => {
                self.list_field(id, list, args).map(|()| Some(Ty::Bool))?
            }
            ("code" | "codeName", [a, b]) if text(a) && text(b) => {
                if let Some(table) = args.first().and_then(literal_text)
                    && !(self.tables)(&table)
                {
                    return Err(Wrong { id, message: format!("there is no code table {table}") });
                }
                Some(if name == "code" { Ty::Bool } else { Ty::Text })
            }
            ("size", [Ty::Text | Ty::List(_) | Ty::Map | Ty::Node(_) | Ty::Any | Ty::Bytes]) => Some(Ty::Int),
            ("matches", [a, b]) if text(a) && text(b) => Some(Ty::Bool),
            ("int", [Ty::Text | Ty::Int | Ty::Double | Ty::Any]) => Some(Ty::Int),
            ("double", [Ty::Text | Ty::Int | Ty::Double | Ty::Any]) => Some(Ty::Double),
            ("string", [Ty::Text | Ty::Int | Ty::Double | Ty::Bool | Ty::Any]) => Some(Ty::Text),
            ("bool", [Ty::Text | Ty::Bool | Ty::Any]) => Some(Ty::Bool),
            _ => None,
        };
        result.ok_or_else(|| {
            let listed: Vec<String> = types.iter().map(Ty::name).collect();
            Wrong { id, message: format!("there is no function {name}({})", listed.join(", ")) }
        })
    }

    /// The field named by a literal second argument must be one of the list's elements.
    fn list_field(&mut self, id: u64, list: &Ty, args: &[IdedExpr]) -> Result<(), Wrong> {
        let Some(field) = args.get(1).and_then(literal_text) else {
            return Err(Wrong { id, message: "the field's name must be a literal".into() });
        };
        match list {
            Ty::List(of) => match **of {
                Ty::Node(want) => match self.child(id, want, &field)? {
                    Ty::Text => Ok(()),
                    other => Err(Wrong { id, message: format!("{field} is {}, not text", other.name()) }),
                },
                _ => Err(Wrong { id, message: format!("a list of elements is needed, not {}", list.name()) }),
            },
            other => Err(Wrong { id, message: format!("a list of elements is needed, not {}", other.name()) }),
        }
    }
}

fn literal_text(expr: &IdedExpr) -> Option<String> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}

/// Whether `a == b` can ever be true as CEL sees it; a decimal stands on the left of an int.
fn comparable(a: &Ty, b: &Ty) -> bool {
    let number = |t: &Ty| matches!(t, Ty::Int | Ty::Double);
    match (a, b) {
        (Ty::Any, _) | (_, Ty::Any) => true,
        (Ty::Decimal, Ty::Int) => true,
        (Ty::List(a), Ty::List(b)) => comparable(a, b),
        (Ty::Optional(a), Ty::Optional(b)) => comparable(a, b),
        (a, b) => a == b || (number(a) && number(b)),
    }
}

/// The result of arithmetic; CEL mixes no types, only our decimals take an int on the right.
fn arithmetic(operator: &str, a: &Ty, b: &Ty) -> Option<Ty> {
    let add = operator == operators::ADD;
    match (a, b) {
        (Ty::Decimal, Ty::Decimal | Ty::Int | Ty::Any) => (operator != operators::MODULO).then_some(Ty::Decimal),
        (Ty::Int, Ty::Int) => Some(Ty::Int),
        (Ty::Double, Ty::Double) => (operator != operators::MODULO).then_some(Ty::Double),
        (Ty::Text, Ty::Text) => add.then_some(Ty::Text),
        (Ty::List(_), Ty::List(_)) => add.then(|| a.clone().joined(b.clone())),
        (Ty::Any, _) | (_, Ty::Any) => Some(Ty::Any),
        _ => None,
    }
}
