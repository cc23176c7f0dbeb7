//! Exact decimals as CEL values, so that `dec(a) <= dec(b)` reads as it means.

use cel::ExecutionError;
use cel::common::traits::{Adder, Comparer, Divider, Multiplier, Negator, Subtractor};
use cel::common::types::{CelInt, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use rust_decimal::Decimal;
use std::any::Any;
use std::cmp::Ordering;

static DECIMAL: Type = Type::new_unspecified_type("decimal");

/// A decimal in CEL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dec(pub(super) Decimal);

impl Dec {
    /// Reads what `xs:decimal` allows, up to 28 digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = crate::value::trimmed(text);
        crate::value::Digits::parse(text)?;
        let bare = text.trim_start_matches('+');
        let parsed = Decimal::from_str_exact(bare).or_else(|_| {
            // `1.` and `.5` are decimals in XSD.
            let (sign, digits) = bare.strip_prefix('-').map_or(("", bare), |rest| ("-", rest));
            Decimal::from_str_exact(&format!("{sign}0{}", digits.trim_end_matches('.')))
        });
        parsed.ok().map(Self)
    }

    /// A decimal, or an int on the right-hand side.
    fn of(value: &dyn Val) -> Option<Decimal> {
        let decimal = value.downcast_ref::<Dec>().map(|d| d.0);
        decimal.or_else(|| value.downcast_ref::<CelInt>().map(|i| Decimal::from(*i.inner())))
    }
}

fn computed<'b, 'v>(
    name: &'static str,
    rhs: &dyn Val,
    with: impl Fn(Decimal) -> Option<Decimal>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let other =
        Dec::of(rhs).ok_or_else(|| ExecutionError::function_error(name, "a decimal takes a decimal or an int"))?;
    let result = with(other)
        .ok_or_else(|| ExecutionError::function_error(name, "the result is too big, or a division by zero"))?;
    Ok(CowVal::owned(Dec(result)))
}

impl Val for Dec {
    fn get_type(&self) -> &Type {
        &DECIMAL
    }
    fn cel_type() -> &'static Type {
        &DECIMAL
    }
    fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn Adder + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_subtractor<'b, 'v>(&'b self) -> Option<&'b (dyn Subtractor + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_multiplier<'b, 'v>(&'b self) -> Option<&'b (dyn Multiplier + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_divider<'b, 'v>(&'b self) -> Option<&'b (dyn Divider + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_negator<'b, 'v>(&'b self) -> Option<&'b (dyn Negator + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        Dec::of(other) == Some(self.0)
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(*self)
    }
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Dec {}

impl Adder for Dec {
    fn add<'b, 'v>(&'b self, rhs: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        computed("+", rhs, |other| self.0.checked_add(other))
    }
}

impl Subtractor for Dec {
    fn sub<'b, 'v>(&'b self, rhs: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        computed("-", rhs, |other| self.0.checked_sub(other))
    }
}

impl Multiplier for Dec {
    fn mul<'b, 'v>(&'b self, rhs: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        computed("*", rhs, |other| self.0.checked_mul(other))
    }
}

impl Divider for Dec {
    fn div<'b, 'v>(&'b self, rhs: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        computed("/", rhs, |other| self.0.checked_div(other))
    }
}

impl Negator for Dec {
    fn negate<'v>(&self) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        Ok(Box::new(Dec(-self.0)))
    }
}

impl Comparer for Dec {
    fn compare(&self, rhs: &dyn Val) -> Result<Ordering, ExecutionError> {
        let other = Dec::of(rhs)
            .ok_or_else(|| ExecutionError::function_error("compare", "a decimal takes a decimal or an int"))?;
        Ok(self.0.cmp(&other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_xsd_allows() {
        let read = |text| Dec::parse(text).map(|d| d.0.normalize().to_string());
        assert_eq!(read("17800.50"), Some("17800.5".into()));
        assert_eq!(read("+1."), Some("1".into()));
        assert_eq!(read("-.5"), Some("-0.5".into()));
        assert_eq!(read(" 2 "), Some("2".into()));
        for bad in ["", "1,000", "1e3", "abc", "１"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&"9".repeat(40)), None, "too big is no value, never a wrong one");
    }
}
