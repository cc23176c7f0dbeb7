//! What can be told without a plugin: the data folder, its disk, the clock, certificates' dates, the journal.

use super::{Check, red, warning};
use crate::{bundled, data};
use kouan_journal::{Delivery, Journal, JournalError, SqliteJournal};
use kouan_kernel::{Config, journal_path};
use kouan_sdk::{Clock, Error, ErrorKind, Health, Timestamp};
use kouan_sm::Certificate;
use std::path::Path;

/// Free bytes below which somebody should look, and below which work will soon stop.
const FREE: (u64, u64) = (1 << 30, 64 << 20);

/// A clock may be behind the last event by so much, in milliseconds, without anybody's fault.
const CLOCK_SLACK_MS: i64 = 60_000;

/// Days before a certificate's end at which it is told, each more pressing than the one before.
const EXPIRY_DAYS: [i64; 5] = [60, 30, 14, 7, 1];

const DAY_MS: i64 = 86_400_000;

/// What the journal says of use.
pub struct Seen {
    pub sent: u64,
    pub inbound: u64,
    last_event: Option<Timestamp>,
}

/// Folder, disk, journal, clock.
pub fn checks(config: &Config, clock: &dyn Clock) -> (Vec<Check>, Option<Seen>) {
    let data = config.base_dir.join(&config.data_dir);
    let mut checks = vec![Check::new("data", data.display().to_string(), folder(&data))];
    let path = journal_path(config);
    let (health, seen) = match path.exists() {
        false => {
            let path = path.display();
            let health = Health::yellow(format!("{path} is not there yet; it is made at the first start"));
            (health.zh(format!("{path} 尚不存在；首次启动时建立")), None)
        }
        true => look(&path, config).unwrap_or_else(|error| (red(error), None)),
    };
    checks.push(Check::new("journal", "", health));
    checks.push(Check::new("clock", "", time(clock.now(), seen.as_ref().and_then(|seen| seen.last_event))));
    (checks, seen)
}

/// The code tables that the site laid over the bundled ones, by business; nothing where there are none.
pub fn codes(config: &Config) -> Vec<Check> {
    let of = |data: &bundled::BusinessData| {
        let health = match data::site_data(data.id, Some(config)) {
            Err(error) => red(error),
            Ok(site) if site.tables.is_empty() => return None,
            Ok(site) => {
                let dated: Vec<_> = site.tables.iter().map(|table| format!("{} {}", table.name, table.date)).collect();
                let text = dated.join(", ");
                Health::green(format!("the site's own tables: {text}")).zh(format!("本单位导入的代码表：{text}"))
            }
        };
        Some(Check::new("codes", data.id, health))
    };
    bundled::DATA.iter().filter_map(of).collect()
}

/// Whether the data folder can be written, and what room is left.
fn folder(path: &Path) -> Health {
    let is_there = path.is_dir();
    let Some(place) = path.ancestors().find(|place| place.is_dir()) else {
        return not_writable(path, &std::io::Error::from(std::io::ErrorKind::NotFound));
    };
    let trial = place.join(format!(".kouan-doctor-{}", std::process::id()));
    if let Err(error) = std::fs::write(&trial, b"trial").and_then(|()| std::fs::remove_file(&trial)) {
        return not_writable(place, &error);
    }
    let free = match rustix::fs::statvfs(place) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize),
        Err(error) => return not_writable(place, &error.into()),
    };
    let text = format!("writable, {} MiB free", free >> 20);
    let zh = format!("可写，剩余 {} MiB", free >> 20);
    match free {
        _ if free < FREE.1 => red(Error::new(ErrorKind::Unavailable, "KOUAN-CLI-DISK-LOW", text)).zh(zh),
        _ if free < FREE.0 => warning("KOUAN-CLI-DISK-LOW", text).zh(zh),
        _ if is_there => Health::green(text).zh(zh),
        _ => Health::yellow(format!("it is made at the first start; {text}")).zh(format!("首次启动时建立；{zh}")),
    }
}

fn not_writable(path: &Path, error: &std::io::Error) -> Health {
    let text = format!("{}: {error}", path.display());
    red(Error::new(ErrorKind::Unavailable, "KOUAN-CLI-FOLDER-NOT-WRITABLE", text))
}

/// The journal as it lies there; a gateway may be writing to it.
fn look(path: &Path, config: &Config) -> Result<(Health, Option<Seen>), JournalError> {
    let journal = SqliteJournal::open_read_only(path)?;
    let (found, wanted) = (journal.environment()?, config.environment.name().to_owned());
    if found != wanted {
        return Err(JournalError::Environment { found, wanted });
    }
    let (counts, stats) = (journal.counts()?, journal.stats()?);
    let alarms = journal.alarms(1000)?;
    let (_, head, _) = Journal::head(&journal).unwrap_or_default();
    let last_event = journal.events_since(head - 1, 1)?.first().map(|event| event.at);
    let sent = usize::try_from(Delivery::Sent.number()).ok().and_then(|n| counts.by_delivery.get(n)).copied();
    let seen = Seen { sent: sent.unwrap_or_default(), inbound: counts.inbound, last_event };
    let (messages, inbound, alarms) = (stats.messages, counts.inbound, alarms.len());
    let (parked, overdue, quarantined) = (counts.parked, counts.overdue, counts.quarantined);
    let size = (stats.file_bytes + stats.log_bytes) >> 20;
    let text = format!(
        "{messages} messages, {inbound} received; parked {parked}, overdue {overdue}, quarantined {quarantined}, \
         alarms {alarms}; {size} MiB",
    );
    let zh = format!(
        "报文 {messages}，收到 {inbound}；挂起 {parked}，超时未回 {overdue}，隔离 {quarantined}，告警 {alarms}；{size} MiB"
    );
    let needs_a_look = parked + overdue + quarantined > 0 || alarms > 0;
    let health = match (needs_a_look, stats.messages > 0) {
        (true, _) => warning("KOUAN-CLI-JOURNAL-NEEDS-A-LOOK", text),
        (false, true) => Health::green(text),
        (false, false) => Health::yellow(text),
    };
    Ok((health.zh(zh), Some(seen)))
}

/// The clock against the last thing that is known to have happened.
fn time(now: Timestamp, last_event: Option<Timestamp>) -> Health {
    let Some(last) = last_event else {
        return Health::yellow(format!("{}; no event yet to hold it against", now.rfc3339()))
            .zh(format!("{}；尚无事件可对照", now.rfc3339()));
    };
    let text = format!("{}, last event {}", now.rfc3339(), last.rfc3339());
    let health = match now.plus_millis(CLOCK_SLACK_MS) < last {
        true => red(Error::new(ErrorKind::Invalid, "KOUAN-CLI-CLOCK-BEHIND", text)),
        false => Health::green(text),
    };
    health.zh(format!("{}，最近的事件 {}", now.rfc3339(), last.rfc3339()))
}

/// A certificate's dates.
pub fn certificate(certificate: &Certificate, clock: &dyn Clock) -> Check {
    let now = clock.now();
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let text = format!("{}, until {}", certificate.subject(), until.date());
    let zh = format!("{}，有效至 {}", certificate.subject(), until.date());
    let health = match certificate.check_time(now) {
        Err(_) if now < from => red(Error::new(
            ErrorKind::Invalid,
            "KOUAN-CLI-CLOCK-BEHIND",
            format!("{text}: it begins on {}", from.date()),
        ))
        .zh(format!("{zh}：自 {} 起有效", from.date())),
        Err(error) => red(error).zh(format!("{zh}：不在有效期内")),
        Ok(()) => {
            let left = (until.millis() - now.millis()) / DAY_MS;
            match EXPIRY_DAYS.into_iter().rev().find(|days| left < *days) {
                Some(days) => warning("KOUAN-CLI-CERT-EXPIRES", format!("{text}: less than {days} days left"))
                    .zh(format!("{zh}：不足 {days} 天")),
                None => Health::green(format!("{text}: {left} days left")).zh(format!("{zh}：还有 {left} 天")),
            }
        }
    };
    Check::new("certificate", certificate.serial(), health)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kouan_sdk::Light;

    #[test]
    fn a_clock_behind_the_last_event_is_red() {
        let last = Timestamp::from_millis(1_768_181_710_000);
        assert_eq!(time(last, Some(last)).light, Light::Green);
        assert_eq!(time(last.plus_millis(-30_000), Some(last)).light, Light::Green);
        let behind = time(last.plus_millis(-DAY_MS), Some(last));
        assert_eq!((behind.light, behind.code.as_deref()), (Light::Red, Some("KOUAN-CLI-CLOCK-BEHIND")));
        assert_eq!(time(last, None).light, Light::Yellow);
    }
}
