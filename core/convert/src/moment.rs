//! Dates and times as tables and messages write them.

/// A moment of the wall clock, without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day, from 1.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
    /// Millisecond.
    pub milli: u16,
}

impl Moment {
    /// What the clock shows in China (UTC+8) `ms` milliseconds after 1970.
    pub fn in_china(ms: i64) -> Self {
        let ms = ms.saturating_add(8 * 3_600_000);
        let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
        // Days of eras of 400 years that begin in March.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        let part = |unit: i64, most: i64| (rest / unit % most) as u8;
        Self {
            year: u16::try_from(year).unwrap_or(9999),
            month: month as u8,
            day: day as u8,
            hour: part(3_600_000, 24),
            minute: part(60_000, 60),
            second: part(1000, 60),
            milli: (rest % 1000) as u16,
        }
    }

    /// Whether the calendar and the clock have it.
    pub fn is_real(&self) -> bool {
        let leap = self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return false,
        };
        (1000..=9999).contains(&self.year)
            && (1..=days).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
    }

    /// Written by a form: `yyyy`, `MM`, `M`, `dd`, `d`, `HH`, `H`, `mm`, `ss`, `fff`; everything else stands for itself.
    pub fn write(&self, form: &str) -> String {
        let mut text = String::new();
        for (letter, length) in runs(form) {
            let value = match letter {
                'y' => u32::from(self.year),
                'M' => self.month.into(),
                'd' => self.day.into(),
                'H' => self.hour.into(),
                'm' => self.minute.into(),
                's' => self.second.into(),
                'f' => self.milli.into(),
                other => {
                    text.extend(std::iter::repeat_n(other, length));
                    continue;
                }
            };
            text.push_str(&format!("{value:0length$}"));
        }
        text
    }

    /// Read by a form; `auto` takes what begins with the year: `2026-1-9`, `2026/01/09 8:05`, `2026年1月9日`, `20260109`,
    /// `20260109080500`, `2026-01-09T08:05:00.123`.
    pub fn read(text: &str, form: &str) -> Option<Self> {
        let text = text.trim();
        if form == "auto" {
            return if text.bytes().all(|b| b.is_ascii_digit()) { digits(text) } else { separated(text) };
        }
        let mut moment = Self { month: 1, day: 1, ..Self::default() };
        let mut rest = text;
        for (letter, length) in runs(form) {
            if !"yMdHmsf".contains(letter) {
                let literal: String = std::iter::repeat_n(letter, length).collect();
                rest = rest.strip_prefix(literal.as_str())?;
                continue;
            }
            // One letter stands for one digit or two.
            let most = if length == 1 { 2 } else { length };
            let taken = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
            if taken < length {
                return None;
            }
            moment.set(letter, rest.get(..taken)?)?;
            rest = rest.get(taken..)?;
        }
        (rest.is_empty() && moment.is_real()).then_some(moment)
    }

    fn set(&mut self, letter: char, digits: &str) -> Option<()> {
        match letter {
            'y' if digits.len() == 2 => self.year = 2000 + digits.parse::<u16>().ok()?,
            'y' => self.year = digits.parse().ok()?,
            'M' => self.month = digits.parse().ok()?,
            'd' => self.day = digits.parse().ok()?,
            'H' => self.hour = digits.parse().ok()?,
            'm' => self.minute = digits.parse().ok()?,
            's' => self.second = digits.parse().ok()?,
            _ => self.milli = digits.parse().ok()?,
        }
        Some(())
    }
}

/// Whether a form says what Moment reads and writes.
pub(crate) fn is_form(form: &str) -> bool {
    form.contains("yy") && form.contains('M') && form.contains('d')
}

/// Runs of one letter.
fn runs(form: &str) -> impl Iterator<Item = (char, usize)> + '_ {
    let mut rest = form;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let length = rest.chars().take_while(|c| *c == first).count();
        rest = rest.get(length * first.len_utf8()..)?;
        Some((first, length))
    })
}

fn digits(text: &str) -> Option<Moment> {
    let form = "yyyyMMddHHmmssfff";
    if ![8, 12, 14, 17].contains(&text.len()) {
        return None;
    }
    Moment::read(text, form.get(..text.len())?)
}

fn separated(text: &str) -> Option<Moment> {
    let is_between = |c: char| !c.is_ascii_digit();
    let allowed = |c: char| c.is_ascii_digit() || "-/. :T年月日时分秒".contains(c);
    if !text.chars().all(allowed) {
        return None;
    }
    let parts: Vec<&str> = text.split(is_between).filter(|part| !part.is_empty()).collect();
    let (Some(year), 3 | 5..=7) = (parts.first(), parts.len()) else { return None };
    if year.len() != 4 || parts.iter().skip(1).take(5).any(|part| part.len() > 2) {
        return None;
    }
    let mut moment = Moment::default();
    for (letter, part) in "yMdHms".chars().zip(&parts) {
        moment.set(letter, part)?;
    }
    if let Some(fraction) = parts.get(6) {
        moment.set('f', &format!("{fraction:0<3}").chars().take(3).collect::<String>())?;
    }
    moment.is_real().then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment() -> impl Strategy<Value = Moment> {
        let parts = (1900_u16..2100, 1_u8..=12, 1_u8..=28, 0_u8..24, 0_u8..60, 0_u8..60, 0_u16..1000);
        parts.prop_map(|(year, month, day, hour, minute, second, milli)| Moment {
            year,
            month,
            day,
            hour,
            minute,
            second,
            milli,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(moment in moment(), form in prop::sample::select(vec![
            "yyyyMMddHHmmssfff", "yyyy-MM-ddTHH:mm:ss.fff", "dd.MM.yyyy HH:mm:ss,fff", "M/d/yyyy H:mm:ss:fff",
        ])) {
            prop_assert_eq!(Moment::read(&moment.write(form), form), Some(moment));
        }

        #[test]
        fn auto_reads_every_form_that_begins_with_the_year(moment in moment(), form in prop::sample::select(vec![
            "yyyyMMddHHmmssfff", "yyyy-MM-ddTHH:mm:ss.fff", "yyyy/M/d H:mm:ss.fff", "yyyy年M月d日 HH时mm分ss秒fff",
        ])) {
            prop_assert_eq!(Moment::read(&moment.write(form), "auto"), Some(moment));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,20}", form in "[yMdHmsf年/-]{0,12}") {
            let _ = (Moment::read(&text, &form), Moment::read(&text, "auto"));
        }
    }

    #[test]
    fn days_that_no_calendar_has_are_no_dates() {
        for (text, form) in [
            ("2026-02-29", "auto"),
            ("2026-13-01", "auto"),
            ("26-01-02", "auto"),
            ("01/02/2026", "auto"),
            ("2026-01-02 25:00", "auto"),
            ("2026012", "auto"),
            ("2026-01-02x", "yyyy-MM-dd"),
            ("31/04/2026", "dd/MM/yyyy"),
            ("", "auto"),
        ] {
            assert_eq!(Moment::read(text, form), None, "{text}");
        }
        assert!(Moment::read("2024-02-29", "auto").is_some());
        assert_eq!(Moment::in_china(0).write("yyyy-MM-dd HH:mm:ss.fff"), "1970-01-01 08:00:00.000");
        assert_eq!(Moment::in_china(1_709_136_000_000).write("yyyyMMddHHmmss"), "20240229000000");
    }
}
