//! Decimals as their digits: form, digit counts and order without parsing into a number, so of any size.

use std::cmp::Ordering;

/// A decimal's digits, without leading zeros before and trailing zeros behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digits<'a> {
    negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Digits<'a> {
    /// Reads `xs:decimal`: a sign, digits, a point, digits; at least one digit.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, bytes),
        };
        let point = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let (integer, tail) = rest.split_at(point);
        let fraction = match tail.split_first() {
            None => &[][..],
            Some((b'.', fraction)) if fraction.iter().all(u8::is_ascii_digit) => fraction,
            Some(_) => return None,
        };
        if integer.is_empty() && fraction.is_empty() {
            return None;
        }
        let zeros = integer.iter().take_while(|b| **b == b'0').count();
        let kept = fraction.len() - fraction.iter().rev().take_while(|b| **b == b'0').count();
        let (integer, fraction) = (integer.get(zeros..)?, fraction.get(..kept)?);
        let zero = integer.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !zero, integer, fraction })
    }

    /// Reads `xs:integer`: no point.
    pub(crate) fn parse_integer(text: &'a str) -> Option<Self> {
        if text.as_bytes().contains(&b'.') { None } else { Self::parse(text) }
    }

    /// Significant digits, as `totalDigits` counts them.
    pub(crate) fn total(&self) -> usize {
        self.integer.len() + self.fraction.len()
    }

    /// Significant digits behind the point.
    pub(crate) fn fraction(&self) -> usize {
        self.fraction.len()
    }
}

impl PartialOrd for Digits<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Digits<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = || {
            let integers = self.integer.len().cmp(&other.integer.len()).then_with(|| self.integer.cmp(other.integer));
            // Trailing zeros are gone, so comparing bytes compares fractions.
            integers.then_with(|| self.fraction.cmp(other.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => size(),
            (true, true) => size().reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_what_the_standard_takes() {
        for good in ["0", "1", "-1", "+1", "1.", ".5", "00012.3400", "-0", "123456789012345678901234567890.5"] {
            assert!(Digits::parse(good).is_some(), "{good}");
        }
        for bad in ["", ".", "-", "+.", "1,000", "1e3", "１", "1 ", "1.2.3", "--1", "0x1"] {
            assert!(Digits::parse(bad).is_none(), "{bad}");
        }
        assert!(Digits::parse_integer("1.0").is_none());
    }

    #[test]
    fn counts_significant_digits() {
        let count = |text| Digits::parse(text).map(|d| (d.total(), d.fraction()));
        assert_eq!(count("0012.3400"), Some((4, 2)));
        assert_eq!(count("0.001"), Some((3, 3)));
        assert_eq!(count("100"), Some((3, 0)));
        assert_eq!(count("-0"), Some((0, 0)));
    }

    proptest! {
        #[test]
        fn orders_like_numbers(a in -100_000_i64..100_000, b in -100_000_i64..100_000, zeros in 0_usize..4) {
            let text = |n: i64| {
                let sign = if n < 0 { "-" } else { "" };
                format!("{sign}{}{}.{:03}{}", "0".repeat(zeros), n.abs() / 1000, n.abs() % 1000, "0".repeat(zeros))
            };
            let (x, y) = (text(a), text(b));
            prop_assert_eq!(Digits::parse(&x).unwrap().cmp(&Digits::parse(&y).unwrap()), a.cmp(&b));
        }

        #[test]
        fn never_panics(text in ".{0,12}") {
            let _ = Digits::parse(&text);
        }
    }
}
