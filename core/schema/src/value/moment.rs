//! Dates and times of XSD: form, calendar, order.

use std::cmp::Ordering;

/// Which of the date and time types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MomentKind {
    DateTime,
    Date,
    Time,
    YearMonth,
    Year,
}

/// A moment: seconds on a proleptic Gregorian line, nanoseconds, and whether a zone was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    seconds: i64,
    nanos: u32,
    pub(crate) zoned: bool,
}

/// Reads a moment; `None` if the form or the calendar is wrong.
pub(crate) fn parse(kind: MomentKind, text: &str) -> Option<Moment> {
    let mut cursor = Cursor(text.as_bytes());
    let (mut days, mut seconds, mut nanos) = (0_i64, 0_i64, 0);
    if kind != MomentKind::Time {
        let year = cursor.year()?;
        let (mut month, mut day) = (1, 1);
        if kind != MomentKind::Year {
            cursor.expect(b'-')?;
            month = cursor.two(1, 12)?;
            if kind != MomentKind::YearMonth {
                cursor.expect(b'-')?;
                day = cursor.two(1, days_in(year, month))?;
            }
        }
        days = days_from_civil(year, month, day);
    }
    if kind == MomentKind::DateTime {
        cursor.expect(b'T')?;
    }
    if matches!(kind, MomentKind::DateTime | MomentKind::Time) {
        (seconds, nanos) = cursor.clock()?;
    }
    let zone = cursor.zone()?;
    if !cursor.0.is_empty() {
        return None;
    }
    Some(Moment { seconds: days * 86_400 + seconds - zone.unwrap_or(0) * 60, nanos, zoned: zone.is_some() })
}

/// Order of two moments. Without a zone a moment is anywhere within 14 hours (XSD part 2 §3.2.7.3), so against one with a
/// zone it may be neither before nor after.
pub(crate) fn order(a: Moment, b: Moment) -> Option<Ordering> {
    const MOST: i64 = 14 * 3600;
    if a.zoned == b.zoned {
        return Some(a.cmp(&b));
    }
    let shifted = |moment: Moment, by: i64| (moment.seconds + by, moment.nanos);
    if shifted(a, MOST) < shifted(b, 0) {
        Some(Ordering::Less)
    } else if shifted(a, -MOST) > shifted(b, 0) {
        Some(Ordering::Greater)
    } else {
        None
    }
}

/// Whether `text` is `yyyyMMdd` of a real day.
pub(crate) fn is_date8(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|t| t.parse::<i64>().ok());
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    match (number(0..4), number(4..6), number(6..8)) {
        (Some(year), Some(month), Some(day)) => {
            year > 0 && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day)
        }
        _ => false,
    }
}

/// Whether `text` has the form of `xs:duration`.
pub(crate) fn is_duration(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let Some(text) = text.strip_prefix('P') else { return false };
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let parts = |mut text: &str, units: &[u8], fraction: bool| -> Option<usize> {
        let mut count = 0;
        for unit in units {
            let end = text.bytes().position(|b| !b.is_ascii_digit() && b != b'.').unwrap_or(text.len());
            if text.as_bytes().get(end) != Some(unit) {
                continue;
            }
            let (number, rest) = (text.get(..end)?, text.get(end + 1..)?);
            let pointed = number.contains('.');
            let well = if pointed {
                fraction
                    && *unit == b'S'
                    && number.split('.').count() == 2
                    && !number.starts_with('.')
                    && !number.ends_with('.')
            } else {
                !number.is_empty()
            };
            if !well {
                return None;
            }
            count += 1;
            text = rest;
        }
        text.is_empty().then_some(count)
    };
    let Some(dates) = parts(date, b"YMD", false) else { return false };
    match time {
        None => dates > 0,
        Some(time) => parts(time, b"HMS", true).is_some_and(|times| times > 0),
    }
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn expect(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == byte).then(|| self.0 = rest)
    }

    fn digits(&mut self) -> &[u8] {
        let end = self.0.iter().position(|b| !b.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits
    }

    fn two(&mut self, low: i64, high: i64) -> Option<i64> {
        let (pair, rest) = self.0.split_at_checked(2)?;
        let number = pair.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))?;
        self.0 = rest;
        (low..=high).contains(&number).then_some(number)
    }

    fn year(&mut self) -> Option<i64> {
        let negative = self.expect(b'-').is_some();
        let digits = self.digits();
        let long = digits.len() > 4;
        if digits.len() < 4 || digits.len() > 9 || (long && digits.first() == Some(&b'0')) {
            return None;
        }
        let year = digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
        // Year 0 does not exist in XSD 1.0.
        (year != 0).then_some(if negative { -year } else { year })
    }

    fn clock(&mut self) -> Option<(i64, u32)> {
        let hour = self.two(0, 24)?;
        self.expect(b':')?;
        let minute = self.two(0, 59)?;
        self.expect(b':')?;
        let second = self.two(0, 59)?;
        let mut nanos = 0;
        if self.expect(b'.').is_some() {
            let digits = self.digits();
            if digits.is_empty() {
                return None;
            }
            let nine = digits.iter().chain(std::iter::repeat(&b'0')).take(9);
            nanos = nine.fold(0_u32, |n, b| n * 10 + u32::from(b - b'0'));
        }
        let midnight = hour == 24 && (minute, second, nanos) != (0, 0, 0);
        (!midnight).then_some((hour * 3600 + minute * 60 + second, nanos))
    }

    /// Minutes east of UTC; the outer `None` = a broken zone.
    #[allow(clippy::option_option)]
    fn zone(&mut self) -> Option<Option<i64>> {
        if self.expect(b'Z').is_some() {
            return Some(Some(0));
        }
        let sign = if self.expect(b'+').is_some() {
            1
        } else if self.expect(b'-').is_some() {
            -1
        } else {
            return Some(None);
        };
        let hours = self.two(0, 14)?;
        self.expect(b':')?;
        let minutes = self.two(0, if hours == 14 { 0 } else { 59 })?;
        Some(Some(sign * (hours * 60 + minutes)))
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    // XSD 1.0 has no year 0, so -1 is a leap year.
    let year = if year < 0 { year + 1 } else { year };
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if year < 0 { year + 1 } else { year } - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn knows_the_calendar() {
        for good in ["2026-01-12", "2024-02-29", "2026-01-12Z", "2026-01-12+08:00", "-0001-02-28", "12026-01-01"] {
            assert!(parse(MomentKind::Date, good).is_some(), "{good}");
        }
        for bad in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-1",
            "20260112",
            "0000-01-01",
            "2026-01-12 ",
            "2026-01-12+15:00",
        ] {
            assert!(parse(MomentKind::Date, bad).is_none(), "{bad}");
        }
        assert!(parse(MomentKind::DateTime, "2026-01-12T24:00:00").is_some());
        assert!(parse(MomentKind::DateTime, "2026-01-12T24:00:01").is_none());
        assert!(parse(MomentKind::DateTime, "2026-01-12T09:35:10.123+08:00").is_some());
        assert!(parse(MomentKind::Time, "09:35").is_none());
        assert!(parse(MomentKind::YearMonth, "2026-12").is_some());
        assert!(parse(MomentKind::Year, "2026").is_some());
    }

    #[test]
    fn puts_zones_on_one_line() {
        let at = |text| parse(MomentKind::DateTime, text).unwrap();
        assert_eq!(at("2026-01-12T08:00:00+08:00"), at("2026-01-12T00:00:00Z"));
        assert!(at("2026-01-12T08:00:00Z") > at("2026-01-12T08:00:00+08:00"));
        assert_eq!(at("1970-01-02T00:00:00Z").seconds, 86_400);
    }

    #[test]
    fn reads_eight_digits_as_a_day() {
        assert!(is_date8("20240229"));
        for bad in ["20230229", "20261301", "2026011", "202601122", "2026-1-1", "２０２６０１１２", "00000101"]
        {
            assert!(!is_date8(bad), "{bad}");
        }
    }

    #[test]
    fn reads_durations() {
        for good in ["P1Y", "-P1Y2M3DT4H5M6.7S", "PT0S", "P0D"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["P", "PT", "1Y", "P1S", "P1YT", "PT1.5H", "P-1Y", "P1M1Y"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[-+0-9TZ:.P ]{0,24}") {
            for kind in [MomentKind::DateTime, MomentKind::Date, MomentKind::Time, MomentKind::YearMonth, MomentKind::Year] {
                let _ = parse(kind, &text);
            }
            let _ = (is_date8(&text), is_duration(&text));
        }
    }
}
