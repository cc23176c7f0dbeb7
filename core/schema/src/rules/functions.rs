//! Functions that rules may call beside CEL's own.

use super::check_digits;
use super::decimal::Dec;
use super::patterns::Patterns;
use super::view::{Item, Node};
use crate::codes::{CodeTable, Lookup};
use cel::common::types::{CelBool, CelInt, CelString};
use cel::common::value::{CowVal, Val};
use cel::extractors::IntoFunction;
use cel::{Context, Env, ExecutionError, FunctionContext};
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Variable that carries the day of the check; no rule can name it.
pub(super) const TODAY: &str = "@today";

type Tables = Arc<BTreeMap<String, CodeTable>>;
type Result<T> = std::result::Result<T, ExecutionError>;

/// What a text may be asked.
pub(super) type TextTest = fn(&str) -> bool;

const TEXT_TESTS: [(&str, TextTest); 6] = [
    ("isDec", |text| Dec::parse(text).is_some()),
    ("isInt", |text| text.parse::<i64>().is_ok()),
    ("date8", crate::value::is_date8),
    ("usci", check_digits::usci),
    ("iso6346", check_digits::iso6346),
    ("imo", check_digits::imo),
];

/// The test of a text called `name`.
pub(super) fn text_test(name: &str) -> Option<TextTest> {
    TEXT_TESTS.iter().find(|(known, _)| *known == name).map(|(_, test)| *test)
}

/// The character number `at`, from 0; empty if there is none.
pub(super) fn digit(text: &str, at: usize) -> &str {
    let mut from = text.char_indices().map(|(offset, _)| offset).chain([text.len()]).skip(at);
    let place = from.next().zip(from.next());
    place.and_then(|(start, end)| text.get(start..end)).unwrap_or_default()
}

/// The context that every rule of a business is evaluated in.
pub(super) fn context(codes: Tables, patterns: Patterns) -> Context<'static, 'static> {
    let mut context = Context::with_env(Arc::new(Env::stdlib()));
    let mut add = |name: &'static str, function: cel_function::Boxed| {
        // No standard function has one of our names; if a later CEL adds one, that one's meaning must not win silently.
        if let Err(error) = context.add_function(name, function) {
            debug_assert!(false, "{error}");
        }
    };
    add("dec", boxed(|c| decimal(c, 0).map(|d| CowVal::owned(Dec(d)))));
    for (name, test) in TEXT_TESTS {
        add(name, boxed(move |c| boolean(test(text(c, 0)?))));
    }
    add("close", boxed(|c| boolean(is_close(decimal(c, 0)?, decimal(c, 1)?, decimal(c, 2)?))));
    add(
        "round",
        boxed(|c| {
            let places = u32::try_from(int(c, 1)?).unwrap_or(0);
            let rounded = decimal(c, 0)?.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
            Ok(CowVal::owned(Dec(rounded)))
        }),
    );
    add("sum", boxed(|c| sum(c).map(|d| CowVal::owned(Dec(d)))));
    add("unique", boxed(|c| boolean(unique(c)?)));
    add("contiguous", boxed(|c| boolean(contiguous(c)?)));
    add("gbLen", boxed(|c| Ok(CowVal::owned(CelInt::from(crate::value::gb_length(text(c, 0)?) as i64)))));
    add(
        "digit",
        boxed(|c| {
            let found = usize::try_from(int(c, 1)?).ok().and_then(|at| Some(digit(text(c, 0).ok()?, at)));
            let digit = found.unwrap_or_default().to_owned();
            Ok(CowVal::owned(CelString::from(digit)))
        }),
    );
    add("matches", boxed(move |c| boolean(matches(c, &patterns)?)));
    let tables = Arc::clone(&codes);
    add("code", boxed(move |c| boolean(matches!(look_up(&tables, c)?, Lookup::Known(_)))));
    add(
        "codeName",
        boxed(move |c| {
            let name = match look_up(&codes, c)? {
                Lookup::Known(code) | Lookup::NotInForce(code) => code.zh.clone(),
                Lookup::Unknown => String::new(),
            };
            Ok(CowVal::owned(CelString::from(name)))
        }),
    );
    context
}

mod cel_function {
    use super::{CowVal, FunctionContext, Result};

    /// A function as CEL keeps it.
    pub(super) type Boxed = Box<
        dyn for<'context, 'call> Fn(&mut FunctionContext<'context, 'call>) -> Result<CowVal<'context, 'call>>
            + Send
            + Sync,
    >;
}

fn boxed<F>(function: F) -> cel_function::Boxed
where
    F: for<'context, 'call> Fn(&mut FunctionContext<'context, 'call>) -> Result<CowVal<'context, 'call>>
        + Send
        + Sync
        + 'static,
{
    let boxed: cel_function::Boxed = Box::new(function);
    boxed.into_function()
}

fn boolean<'b, 'v>(value: bool) -> Result<CowVal<'b, 'v>> {
    Ok(CowVal::owned(CelBool::from(value)))
}

fn argument<'c>(context: &'c FunctionContext<'_, '_>, at: usize) -> Result<&'c (dyn Val + 'c)> {
    let argument =
        context.args.get(at).ok_or_else(|| ExecutionError::invalid_argument_count(at + 1, context.args.len()))?;
    Ok(argument.as_ref())
}

fn text<'c>(context: &'c FunctionContext<'_, '_>, at: usize) -> Result<&'c str> {
    let value = argument(context, at)?;
    value.downcast_ref::<CelString<'_>>().map(|s| s.inner()).ok_or_else(|| context.error("a string is needed"))
}

fn int(context: &FunctionContext<'_, '_>, at: usize) -> Result<i64> {
    let value = argument(context, at)?;
    value.downcast_ref::<CelInt>().map(|i| *i.inner()).ok_or_else(|| context.error("an int is needed"))
}

fn decimal(context: &FunctionContext<'_, '_>, at: usize) -> Result<Decimal> {
    decimal_of(argument(context, at)?).ok_or_else(|| ExecutionError::function_error("dec", "not a decimal"))
}

fn decimal_of(value: &dyn Val) -> Option<Decimal> {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return Dec::parse(text.inner()).map(|d| d.0);
    }
    if let Some(int) = value.downcast_ref::<CelInt>() {
        return Some(Decimal::from(*int.inner()));
    }
    value.downcast_ref::<Dec>().map(|d| d.0)
}

pub(super) fn is_close(a: Decimal, b: Decimal, tolerance: Decimal) -> bool {
    a.checked_sub(b).is_some_and(|difference| difference.abs() <= tolerance)
}

/// Calls `each` with the value of the field named by argument 1 (the element itself without one), absent as `None`.
fn over_list(context: &FunctionContext<'_, '_>, mut each: impl FnMut(Option<&dyn Val>) -> Result<()>) -> Result<()> {
    let list = argument(context, 0)?.as_iterable().ok_or_else(|| context.error("a list is needed"))?;
    let field = if context.args.len() > 1 { Some(text(context, 1)?) } else { None };
    let mut elements = list.iter();
    while let Some(element) = elements.next() {
        match (field, element.downcast_ref::<Node>()) {
            (Some(field), Some(node)) => each(node.field(field).map(Item::as_val))?,
            (Some(_), None) => return Err(context.error("a list of elements is needed")),
            (None, _) => each(Some(element))?,
        }
    }
    Ok(())
}

fn sum(context: &FunctionContext<'_, '_>) -> Result<Decimal> {
    let mut total = Decimal::ZERO;
    over_list(context, |value| {
        let Some(value) = value else { return Ok(()) };
        let number = decimal_of(value).ok_or_else(|| ExecutionError::function_error("dec", "not a decimal"))?;
        total = total.checked_add(number).ok_or_else(|| ExecutionError::function_error("sum", "the sum is too big"))?;
        Ok(())
    })?;
    Ok(total)
}

fn unique(context: &FunctionContext<'_, '_>) -> Result<bool> {
    let mut known = HashSet::new();
    let mut unique = true;
    over_list(context, |value| {
        if let Some(text) = value.and_then(|v| v.downcast_ref::<CelString<'_>>()) {
            unique &= known.insert(text.inner().to_owned());
        }
        Ok(())
    })?;
    Ok(unique)
}

fn contiguous(context: &FunctionContext<'_, '_>) -> Result<bool> {
    let mut next = Decimal::from(int(context, 2)?);
    let mut contiguous = true;
    over_list(context, |value| {
        contiguous &= value.and_then(decimal_of) == Some(next);
        next = next.checked_add(Decimal::ONE).unwrap_or(next);
        Ok(())
    })?;
    Ok(contiguous)
}

/// `text.matches(pattern)` and `matches(text, pattern)`.
fn matches(context: &FunctionContext<'_, '_>, patterns: &Patterns) -> Result<bool> {
    let (text, pattern) = match context.this.as_ref().map(AsRef::as_ref) {
        Some(this) => {
            let this: &dyn Val = this;
            let this = this.downcast_ref::<CelString<'_>>().ok_or_else(|| context.error("a string is needed"))?;
            (this.inner(), text(context, 0)?)
        }
        None => (text(context, 0)?, text(context, 1)?),
    };
    patterns.is_match(pattern, text).map_err(|error| context.error(error))
}

fn look_up<'t>(tables: &'t Tables, context: &FunctionContext<'_, '_>) -> Result<Lookup<'t>> {
    let name = text(context, 0)?;
    let table = tables.get(name).ok_or_else(|| context.error(format!("there is no code table {name}")))?;
    let today = context.ptx.get_variable(TODAY);
    let today =
        today.as_ref().and_then(|day| day.downcast_ref::<CelString<'_>>()).map(|s| s.inner()).filter(|s| !s.is_empty());
    Ok(table.lookup(text(context, 1)?, today))
}
