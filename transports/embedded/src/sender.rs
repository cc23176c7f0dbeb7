//! The sending end: a batch is one transaction.

use crate::config::Side;
use crate::error::{closed, named};
use crate::file::QueueFile;
use kouan_sdk::transport::{Inquiry, Outgoing, SendOutcome, Sender};
use kouan_sdk::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Largest body: SQLite itself ends at a thousand million bytes.
const MAX_BODY: usize = 256 << 20;

/// How long an inquiry waits for the lock.
const INQUIRY_PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct QueueSender {
    file: Mutex<Option<QueueFile>>,
    closed: AtomicBool,
    direction: i64,
    room: i64,
}

impl QueueSender {
    pub(crate) fn new(file: QueueFile, side: Side, max_messages: u32) -> Self {
        Self {
            file: Mutex::new(Some(file)),
            closed: AtomicBool::new(false),
            direction: side.direction(),
            room: i64::from(max_messages),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// How many from the front of the batch were committed, or why none, and whether that is certain.
    fn enqueue(&self, batch: &[Outgoing<'_>], until: Instant) -> Result<usize, Failure> {
        let mut slot = self.file.lock();
        let file = slot.as_mut().filter(|_| !self.is_closed()).ok_or_else(|| Failure::before(closed()))?;
        let epoch = epoch(file.connection(), self.direction).map_err(Failure::before)?;
        let tx = file.begin(until, &|| self.is_closed()).map_err(Failure::before)?;
        let failed = |e: rusqlite::Error| Failure::before(named("enqueue", &e));
        if self::epoch(&tx, self.direction).map_err(Failure::before)? != epoch {
            let text = "an inquiry came between; this attempt will never take effect";
            return Err(Failure::before(Error::new(ErrorKind::Unavailable, "KOUAN-EMBEDDED-FENCED", text)));
        }
        let depth: i64 = tx
            .query_row("SELECT depth FROM direction WHERE id = ?1", [self.direction], |row| row.get(0))
            .map_err(failed)?;
        let fits = usize::try_from(self.room.saturating_sub(depth)).unwrap_or(0).min(batch.len());
        for message in &batch[..fits] {
            let headers = serde_json::to_string(message.headers).unwrap_or_default();
            tx.prepare_cached("INSERT INTO message (direction, headers, body) VALUES (?1, ?2, ?3)")
                .and_then(|mut s| s.execute((self.direction, headers, message.body)))
                .map_err(failed)?;
            tx.prepare_cached("INSERT OR IGNORE INTO seen VALUES (?1, ?2)")
                .and_then(|mut s| s.execute((self.direction, message.id)))
                .map_err(failed)?;
        }
        tx.execute("UPDATE direction SET depth = depth + ?2 WHERE id = ?1", (self.direction, fits as i64))
            .map_err(failed)?;
        crate::failpoint!("embedded::enqueued-before-commit");
        // A commit that fails may have reached the disk: only doubt is honest.
        tx.commit().map_err(|e| Failure { reason: named("commit", &e), certain: false })?;
        crate::failpoint!("embedded::committed-before-confirm");
        Ok(fits)
    }
}

/// Why nothing was committed; `certain` if it surely was not.
struct Failure {
    reason: Error,
    certain: bool,
}

impl Failure {
    fn before(reason: Error) -> Self {
        Self { reason, certain: true }
    }

    fn outcome(&self) -> SendOutcome {
        match self.certain {
            true => SendOutcome::Refused { transient: self.reason.is_transient(), reason: self.reason.clone() },
            false => SendOutcome::Unknown { reason: self.reason.clone() },
        }
    }
}

impl Sender for QueueSender {
    fn send(&self, batch: &[Outgoing<'_>], deadline: Duration) -> Vec<SendOutcome> {
        let small: Vec<_> = batch.iter().filter(|m| m.body.len() <= MAX_BODY).cloned().collect();
        let result = if small.is_empty() { Ok(0) } else { self.enqueue(&small, Instant::now() + deadline) };
        let mut taken = *result.as_ref().unwrap_or(&0);
        let mut outcome = |message: &Outgoing<'_>| {
            if message.body.len() > MAX_BODY {
                return too_big(message.body.len());
            }
            match &result {
                Err(failure) => failure.outcome(),
                Ok(_) if taken > 0 => {
                    taken -= 1;
                    SendOutcome::Confirmed
                }
                Ok(_) => full(self.room),
            }
        };
        batch.iter().map(&mut outcome).collect()
    }

    /// "Absent" is said under the write lock and with a new epoch: a send that began before and has not committed never
    /// will, so the id cannot appear later unless it is sent anew.
    fn inquire(&self, wire_ids: &[&str]) -> Result<Vec<Inquiry>> {
        let mut slot = self.file.lock();
        let file = slot.as_mut().filter(|_| !self.is_closed()).ok_or_else(closed)?;
        let tx = file.begin(Instant::now() + INQUIRY_PATIENCE, &|| self.is_closed())?;
        let failed = |e: rusqlite::Error| named("inquire", &e);
        tx.execute("UPDATE direction SET epoch = epoch + 1 WHERE id = ?1", [self.direction]).map_err(failed)?;
        let mut answers = Vec::with_capacity(wire_ids.len());
        for id in wire_ids {
            let seen = tx
                .prepare_cached("SELECT 1 FROM seen WHERE direction = ?1 AND id = ?2")
                .and_then(|mut s| s.exists((self.direction, id)))
                .map_err(failed)?;
            answers.push(if seen { Inquiry::Present } else { Inquiry::Absent });
        }
        tx.commit().map_err(failed)?;
        Ok(answers)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.file.lock().take();
    }
}

fn epoch(connection: &rusqlite::Connection, direction: i64) -> Result<i64> {
    connection
        .query_row("SELECT epoch FROM direction WHERE id = ?1", [direction], |row| row.get(0))
        .map_err(|e| named("read the queue", &e))
}

fn full(room: i64) -> SendOutcome {
    let reason = Error::new(ErrorKind::Unavailable, "KOUAN-EMBEDDED-FULL", format!("{room} messages wait already"));
    SendOutcome::Refused { transient: true, reason }
}

fn too_big(bytes: usize) -> SendOutcome {
    let text = format!("{bytes} bytes, at most {MAX_BODY} are carried");
    SendOutcome::Refused { transient: false, reason: Error::new(ErrorKind::Invalid, "KOUAN-EMBEDDED-TOO-BIG", text) }
}
