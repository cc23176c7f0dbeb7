//! Numbers as tables and messages write them; decimal text throughout, so that nothing is lost in a float.

/// How numbers are written in a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// Between thousands; empty = nothing.
    pub thousands: String,
    /// Before decimals; empty = a point.
    pub point: String,
}

/// Why a number cannot be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    NotANumber,
    /// So many decimals that are not zero.
    Decimals(usize),
}

/// Digits with an optional minus and point, whatever the table's marks are.
pub(crate) fn plain(text: &str, marks: &Marks) -> Option<String> {
    let mut text = text.trim().to_owned();
    if !marks.thousands.is_empty() {
        text = text.replace(&marks.thousands, "");
    }
    if !marks.point.is_empty() && marks.point != "." {
        text = text.replace(&marks.point, ".");
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let mut halves = unsigned.split('.');
    let (whole, decimals, more) = (halves.next()?, halves.next(), halves.next());
    let digits = |half: &str| !half.is_empty() && half.bytes().all(|b| b.is_ascii_digit());
    let right = digits(whole) && decimals.is_none_or(digits) && more.is_none();
    right.then(|| text.strip_prefix('+').unwrap_or(&text).to_owned())
}

/// A plain number with exactly so many decimals.
pub(crate) fn with_decimals(plain: &str, decimals: usize, round: bool) -> Result<String, Wrong> {
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let Some(rest) = fraction.get(decimals..).filter(|rest| rest.bytes().any(|b| b != b'0')) else {
        let kept = fraction.get(..decimals).unwrap_or(fraction);
        return Ok(if decimals == 0 { whole.to_owned() } else { format!("{whole}.{kept:0<decimals$}") });
    };
    if !round {
        return Err(Wrong::Decimals(fraction.trim_end_matches('0').len()));
    }
    let kept = fraction.get(..decimals).unwrap_or_default();
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut digits: Vec<u8> = whole.bytes().chain(kept.bytes()).collect();
    if rest.as_bytes().first().is_some_and(|first| *first >= b'5') {
        carry(&mut digits);
    }
    let text: String = digits.into_iter().map(char::from).collect();
    let (whole, kept) = text.split_at_checked(text.len() - decimals).ok_or(Wrong::NotANumber)?;
    let sign = if text.bytes().all(|b| b == b'0') { "" } else { sign };
    Ok(if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{kept}") })
}

/// Adds one to the last of decimal digits.
fn carry(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

/// A sheet's number as the sheet shows it: 15 digits, no exponent, no `.0`.
pub(crate) fn of_sheet(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let text = format!("{number:.14e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Some("0".into());
    }
    // Digits before the point.
    let before = exponent + 1;
    Some(match usize::try_from(before) {
        Ok(before) if before >= digits.len() => format!("{sign}{digits:0<before$}"),
        Ok(before) if before > 0 => format!("{sign}{}.{}", digits.get(..before)?, digits.get(before..)?),
        _ => format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-before).ok()?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sheet_s_number_is_what_was_typed(units in -999_999_999_999_i64..999_999_999_999, decimals in 0_usize..6) {
            let typed = format!("{:.*}", decimals, units as f64 / 10_f64.powi(decimals as i32));
            let shown = of_sheet(typed.parse().unwrap()).unwrap();
            let again = with_decimals(&shown, decimals, false).unwrap();
            prop_assert_eq!(again.trim_start_matches('-'), typed.trim_start_matches('-'));
        }

        #[test]
        fn rounding_is_what_integers_round_to(units in 0_u64..1_000_000_000, decimals in 0_u32..4) {
            let text = format!("{}.{:04}", units / 10_000, units % 10_000);
            let scale = 10_u64.pow(4 - decimals);
            let rounded = (units + scale / 2) / scale;
            let wanted = if decimals == 0 {
                rounded.to_string()
            } else {
                let one = 10_u64.pow(decimals);
                format!("{}.{:0width$}", rounded / one, rounded % one, width = decimals as usize)
            };
            prop_assert_eq!(with_decimals(&text, decimals as usize, true).unwrap(), wanted);
        }
    }

    #[test]
    fn marks_are_taken_away_and_what_is_no_number_is_told() {
        let marks = |thousands: &str, point: &str| Marks { thousands: thousands.into(), point: point.into() };
        assert_eq!(plain("1,234,567.5", &marks(",", "")).as_deref(), Some("1234567.5"));
        assert_eq!(plain("-1.234,50", &marks(".", ",")).as_deref(), Some("-1234.50"));
        assert_eq!(plain("+7", &Marks::default()).as_deref(), Some("7"));
        for wrong in ["", "1,5", "1.2.3", "abc", "1e5", ".5", "5.", "--1"] {
            assert_eq!(plain(wrong, &Marks::default()), None, "{wrong}");
        }
        assert_eq!(with_decimals("1.239", 2, false), Err(Wrong::Decimals(3)));
        assert_eq!(with_decimals("-0.004", 2, true).unwrap(), "0.00");
        assert_eq!(with_decimals("9.995", 2, true).unwrap(), "10.00");
        assert_eq!(with_decimals("5", 0, false).unwrap(), "5");
    }

    #[test]
    fn a_sheet_s_number_has_no_tail_and_no_exponent() {
        for (number, text) in [
            (1.0, "1"),
            (0.1 + 0.2, "0.3"),
            (1250.5, "1250.5"),
            (1e21, "1000000000000000000000"),
            (-2.5e-7, "-0.00000025"),
            (0.0, "0"),
        ] {
            assert_eq!(of_sheet(number).as_deref(), Some(text));
        }
        assert_eq!(of_sheet(f64::NAN), None);
    }
}
