//! Waits until everything has come to its end, without doing anything for it but what an operator may.

use crate::folders;
use crate::mode::Mode;
use crate::operator::Operator;
use crate::processes::Process;
use anyhow::bail;
use kouan_journal::model::{Filter, InboundId};
use kouan_journal::{Delivery, Journal, SqliteJournal};
use kouan_sandbox::Totals;
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it looks.
const GLANCE: Duration = Duration::from_millis(15);

/// Without any progress for so long, something has got stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// How it stands on both sides, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub messages: u64,
    /// Received, ready, sending.
    pub moving: u64,
    pub in_doubt: u64,
    pub sent: u64,
    /// Concluded or rejected.
    pub answered: u64,
    pub parked: u64,
    pub inbound: u64,
    pub unopened: bool,
    pub effects: u64,
    /// In the queue, to the window and to the client.
    pub queued: (i64, i64),
    pub ledger: Totals,
    pub quiet: bool,
}

impl Standing {
    /// Looks at both sides; nothing yet where a file is not there.
    pub fn of(folder: &Path) -> anyhow::Result<Self> {
        let mut now = Self { quiet: folders::are_quiet(folder)?, ..Self::default() };
        if !journal_path(folder).exists() || !ledger_path(folder).exists() || !queue_path(folder).exists() {
            return Ok(Self { quiet: false, ..now });
        }
        let journal = journal(folder)?;
        let counts = Journal::counts(&journal)?;
        let by = |state: Delivery| counts.by_delivery.get(state.number().unsigned_abs() as usize).copied().unwrap_or(0);
        let [_, _, rejected, concluded] = counts.by_outcome;
        now.messages = counts.by_delivery.iter().sum();
        now.moving = by(Delivery::Received) + by(Delivery::Ready) + by(Delivery::Sending);
        now.in_doubt = by(Delivery::InDoubt);
        now.sent = by(Delivery::Sent);
        now.answered = rejected + concluded;
        now.parked = counts.parked;
        now.inbound = counts.inbound;
        now.unopened = !Journal::unopened(&journal, InboundId(0), 1, 0)?.is_empty();
        now.effects = counts.pending_effects;
        now.ledger = Totals::read(&ledger_path(folder))?;
        now.queued = queued(folder)?;
        Ok(now)
    }

    /// Whether a doubt could only be settled by a person.
    pub fn nothing_on_its_way(&self) -> bool {
        self.queued == (0, 0) && self.ledger.pending == 0 && !self.unopened
    }

    fn is_settled(&self, messages: u64) -> bool {
        self.quiet
            && self.nothing_on_its_way()
            && self.messages == messages
            && self.moving + self.in_doubt + self.effects == 0
            && self.answered == self.sent
    }
}

/// Waits until all is settled, `messages` in the journal.
pub fn wait(
    kouan: &Path,
    folder: &Path,
    mode: Mode,
    messages: u64,
    processes: &mut [&mut Process],
) -> anyhow::Result<u64> {
    let mut operator = Operator::default();
    let (mut last, mut moved) = (Standing::default(), Instant::now());
    loop {
        processes.iter_mut().try_for_each(|process| process.must_run())?;
        let now = match Standing::of(folder) {
            Ok(now) => now,
            // A file that is just being made cannot be read yet.
            Err(error) if moved.elapsed() > PATIENCE => return Err(error.context("look at both sides")),
            Err(_) => {
                std::thread::sleep(GLANCE);
                continue;
            }
        };
        if now.is_settled(messages) {
            return Ok(operator.acts);
        }
        if now.messages > messages {
            bail!("{messages} files were taken in as {} messages", now.messages);
        }
        if mode.needs_operator() {
            operator.look(kouan, folder, &now)?;
        }
        if now != last {
            (last, moved) = (now, Instant::now());
        } else if moved.elapsed() > PATIENCE {
            bail!("nothing moves any more, {messages} messages expected: {last:?}{}", open_ones(folder)?);
        }
        std::thread::sleep(GLANCE);
    }
}

/// Messages that have not come to their end, for the report of a failure.
fn open_ones(folder: &Path) -> anyhow::Result<String> {
    let filter = Filter { limit: usize::MAX >> 1, ..Filter::default() };
    let all = Journal::list(&journal(folder)?, &filter)?;
    let open = all.iter().filter(|m| m.delivery.is_live() || format!("{:?}", m.hold) != "None");
    Ok(open.map(|m| format!("\n  #{} {} {:?} {:?} {:?}", m.id.0, m.file_name, m.delivery, m.hold, m.reason)).collect())
}

/// The journal, for one look: no connection stays open while a process is killed and started again.
pub fn journal(folder: &Path) -> anyhow::Result<SqliteJournal> {
    Ok(SqliteJournal::open_read_only(&journal_path(folder)).map_err(kouan_sdk::Error::from)?)
}

pub fn journal_path(folder: &Path) -> PathBuf {
    folder.join("kouan-data/journal.db")
}

pub fn ledger_path(folder: &Path) -> PathBuf {
    folder.join("sandbox-data/window.db")
}

fn queue_path(folder: &Path) -> PathBuf {
    folder.join("queue/window.db")
}

fn queued(folder: &Path) -> anyhow::Result<(i64, i64)> {
    let conn = Connection::open_with_flags(queue_path(folder), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    let of = |direction: i64| {
        conn.query_row("SELECT count(*) FROM message WHERE direction = ?1", [direction], |row| row.get(0))
    };
    Ok((of(1)?, of(2)?))
}
