//! Time as the field writes it: China Standard Time (UTC+8, no summer time), and the clock seam.

use std::sync::atomic::{AtomicI64, Ordering};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment plus `millis` milliseconds.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// `yyyyMMddHHmmss`, the form inside wire ids (`domain/goods-declaration.md` §4.2).
    pub fn compact(self) -> String {
        self.write(format_description!("[year][month][day][hour][minute][second]"))
    }

    /// `yyyyMMddHHmmssfffffff`, the form in receipt file names (`domain/goods-declaration.md` §3.3).
    /// `sequence` (0..=9999) fills the digits below a millisecond, so that two names never meet.
    pub fn compact_fraction(self, sequence: u16) -> String {
        format!("{}{:03}{:04}", self.compact(), self.0.rem_euclid(1000), sequence % 10_000)
    }

    /// `yyyy-MM-dd`, the name of a day's folder in SentBox and FailBox.
    pub fn date(self) -> String {
        self.write(format_description!("[year]-[month]-[day]"))
    }

    /// `yyyy-MM-ddTHH:mm:ss`, local time of the customs, without offset: `CreatTime`, `NOTICE_DATE`.
    pub fn local(self) -> String {
        self.write(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"))
    }

    /// RFC 3339 with offset and milliseconds, for logs and JSON.
    pub fn rfc3339(self) -> String {
        self.write(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+08:00"))
    }

    /// Reads `yyyyMMddHHmmss` followed by any digits (receipt names carry 19 to 23 digits).
    pub fn parse_compact(text: &str) -> Option<Self> {
        let head = text.get(..14)?;
        let form = format_description!("[year][month][day][hour][minute][second]");
        Self::from_local(time::PrimitiveDateTime::parse(head, form).ok()?)
    }

    /// Reads `yyyy-MM-ddTHH:mm:ss`, also with a space for the `T`, fractions and offset ignored.
    pub fn parse_local(text: &str) -> Option<Self> {
        let head = text.get(..19)?.replace(' ', "T");
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        Self::from_local(time::PrimitiveDateTime::parse(&head, form).ok()?)
    }

    fn from_local(local: time::PrimitiveDateTime) -> Option<Self> {
        let nanos = local.assume_offset(china()).unix_timestamp_nanos();
        i64::try_from(nanos / 1_000_000).ok().map(Self)
    }

    fn write(self, form: &(impl time::formatting::Formattable + ?Sized)) -> String {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(china());
        moment.format(form).unwrap_or_default()
    }
}

/// UTC+8. The constructor cannot fail for these values; UTC is a harmless fallback.
fn china() -> UtcOffset {
    UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC)
}

/// Where "now" comes from; a seam, so that tests can set the clock back.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands where it was put.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.millis()))
    }

    /// Puts the clock to `at`, forward or back.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.millis(), Ordering::SeqCst);
    }

    /// Moves the clock by `millis`.
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_china_standard_time() {
        let moment = Timestamp::from_millis(1_768_181_710_123); // 2026-01-12T01:35:10.123Z
        assert_eq!(moment.compact(), "20260112093510");
        assert_eq!(moment.compact_fraction(42), "202601120935101230042");
        assert_eq!(moment.date(), "2026-01-12");
        assert_eq!(moment.local(), "2026-01-12T09:35:10");
        assert_eq!(moment.rfc3339(), "2026-01-12T09:35:10.123+08:00");
    }

    #[test]
    fn reads_receipt_times_of_any_length() {
        let whole_second = Timestamp::from_millis(1_768_181_710_000);
        for text in ["20260112093510", "2026011209351043834", "202601120935104383412"] {
            assert_eq!(Timestamp::parse_compact(text), Some(whole_second));
        }
        assert_eq!(Timestamp::parse_local("2026-01-12T09:35:10"), Some(whole_second));
        assert_eq!(Timestamp::parse_compact("2026"), None);
        assert_eq!(Timestamp::parse_compact("单一窗口单一窗口"), None);
    }
}
