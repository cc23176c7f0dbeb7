//! The receiving end: rows are handed out in order and deleted when settled.

use crate::config::Side;
use crate::error::{closed, named};
use crate::file::QueueFile;
use kouan_sdk::transport::{Header, Incoming, Receiver, Token};
use kouan_sdk::{Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Shortest and longest nap between two looks at an empty queue.
const NAPS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));

/// How long settling waits for the lock.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct QueueReceiver {
    state: Mutex<State>,
    closed: AtomicBool,
    nap: (Mutex<()>, Condvar),
    direction: i64,
}

struct State {
    file: Option<QueueFile>,
    /// Highest row handed out by this receiver.
    cursor: i64,
    /// Rows up to here may have been handed out by an earlier receiver; set at the first look.
    handed_before: Option<i64>,
}

impl QueueReceiver {
    pub(crate) fn new(file: QueueFile, direction: Side) -> Self {
        Self {
            state: Mutex::new(State { file: Some(file), cursor: 0, handed_before: None }),
            closed: AtomicBool::new(false),
            nap: (Mutex::new(()), Condvar::new()),
            direction: direction.direction(),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn look(&self, max: usize, max_bytes: usize) -> Result<Vec<Incoming>> {
        let mut state = self.state.lock();
        let State { file, cursor, handed_before } = &mut *state;
        let file = file.as_mut().filter(|_| !self.is_closed()).ok_or_else(closed)?;
        let before = match *handed_before {
            Some(row) => row,
            None => *handed_before.insert(handed(file, self.direction)?),
        };
        let rows = read(file, self.direction, *cursor, before, max, max_bytes)?;
        if let Some(last) = rows.last().map(|incoming| incoming.token.0 as i64) {
            // Marked before they are given away, so that a later receiver knows them as redelivered.
            let tx = file.begin(Instant::now() + PATIENCE, &|| self.is_closed())?;
            tx.execute("UPDATE direction SET handed = max(handed, ?2) WHERE id = ?1", (self.direction, last))
                .map_err(|e| named("mark as handed out", &e))?;
            tx.commit().map_err(|e| named("mark as handed out", &e))?;
            *cursor = last;
            crate::failpoint!("embedded::handed-out");
        }
        Ok(rows)
    }

    /// Takes rows out of the queue; with a reason they are put aside in the table `rejected`.
    fn remove(&self, tokens: &[Token], reason: Option<&Error>) -> Result<()> {
        let mut state = self.state.lock();
        let State { file, cursor, .. } = &mut *state;
        let file = file.as_mut().filter(|_| !self.is_closed()).ok_or_else(closed)?;
        let failed = |e: rusqlite::Error| named("settle", &e);
        let tx = file.begin(Instant::now() + PATIENCE, &|| self.is_closed())?;
        let mut gone = 0;
        for token in tokens {
            // Only what this receiver handed out: a token of another life must not delete a message.
            let Some(row) = i64::try_from(token.0).ok().filter(|row| *row <= *cursor) else { continue };
            if let Some(reason) = reason {
                tx.prepare_cached(
                    "INSERT OR IGNORE INTO rejected
                     SELECT id, direction, headers, body, ?3, ?4 FROM message WHERE id = ?1 AND direction = ?2",
                )
                .and_then(|mut s| s.execute((row, self.direction, &*reason.code, &reason.message)))
                .map_err(failed)?;
            }
            gone += tx
                .prepare_cached("DELETE FROM message WHERE id = ?1 AND direction = ?2")
                .and_then(|mut s| s.execute((row, self.direction)))
                .map_err(failed)?;
        }
        tx.execute("UPDATE direction SET depth = depth - ?2 WHERE id = ?1", (self.direction, gone as i64))
            .map_err(failed)?;
        crate::failpoint!("embedded::settled-before-commit");
        tx.commit().map_err(failed)?;
        crate::failpoint!("embedded::settled");
        Ok(())
    }
}

impl Receiver for QueueReceiver {
    fn receive(&self, max: usize, max_bytes: usize, wait: Duration) -> Result<Vec<Incoming>> {
        let until = Instant::now() + wait;
        let mut nap = NAPS.0;
        loop {
            let rows = self.look(max.max(1), max_bytes)?;
            let left = until.saturating_duration_since(Instant::now());
            if !rows.is_empty() || left.is_zero() {
                return Ok(rows);
            }
            let mut guard = self.nap.0.lock();
            if self.is_closed() {
                return Ok(Vec::new());
            }
            self.nap.1.wait_for(&mut guard, nap.min(left));
            nap = (nap * 2).min(NAPS.1);
        }
    }

    fn settle(&self, tokens: &[Token]) -> Result<()> {
        if tokens.is_empty() { Ok(()) } else { self.remove(tokens, None) }
    }

    fn reject(&self, token: Token, reason: &Error) -> Result<()> {
        self.remove(&[token], Some(reason))
    }

    fn close(&self) {
        let guard = self.nap.0.lock();
        self.closed.store(true, Ordering::SeqCst);
        self.nap.1.notify_all();
        drop(guard);
        self.state.lock().file.take();
    }
}

fn handed(file: &QueueFile, direction: i64) -> Result<i64> {
    file.connection()
        .query_row("SELECT handed FROM direction WHERE id = ?1", [direction], |row| row.get(0))
        .map_err(|e| named("read the queue", &e))
}

/// Rows after `cursor`, up to `max` and about `max_bytes`, at least one if there is one.
fn read(
    file: &QueueFile,
    direction: i64,
    cursor: i64,
    handed_before: i64,
    max: usize,
    max_bytes: usize,
) -> Result<Vec<Incoming>> {
    let failed = |e: rusqlite::Error| named("receive", &e);
    let mut statement = file
        .connection()
        .prepare_cached("SELECT id, headers, body FROM message WHERE direction = ?1 AND id > ?2 ORDER BY id LIMIT ?3")
        .map_err(failed)?;
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let mut rows = statement.query((direction, cursor, limit)).map_err(failed)?;
    let (mut taken, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next().map_err(failed)? {
        let id: i64 = row.get(0).map_err(failed)?;
        let body = row.get_ref(2).map_err(failed)?.as_blob().map_err(|e| damaged(id, &e.to_string()))?;
        if !taken.is_empty() && bytes.saturating_add(body.len()) > max_bytes {
            break;
        }
        bytes = bytes.saturating_add(body.len());
        let text: String = row.get(1).map_err(failed)?;
        let headers: Vec<Header> = serde_json::from_str(&text).map_err(|e| damaged(id, &e.to_string()))?;
        taken.push(Incoming {
            token: Token(id as u64),
            source_id: id.to_string(),
            body: body.to_vec(),
            headers,
            redelivered: id <= handed_before,
        });
    }
    Ok(taken)
}

fn damaged(row: i64, why: &str) -> Error {
    Error::new(ErrorKind::Invalid, "KOUAN-EMBEDDED-CORRUPT", format!("message {row}: {why}"))
}
