//! Sends answers when they are due. An answer leaves the outbox only after the transport confirmed it, so that after a
//! crash the same sealed bytes go again.

use crate::records::Records;
use crate::store::{Store, begin};
use crate::{error, failpoint};
use kouan_sdk::transport::{Outgoing, SendOutcome, Sender, header};
use kouan_sdk::{Error, Result, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use std::time::Duration;

/// How long a batch may be on its way.
const DEADLINE: Duration = Duration::from_secs(10);

/// An envelope in the outbox.
struct Due {
    row: i64,
    receipt: i64,
    wire_id: String,
    body: Vec<u8>,
}

/// What came of looking for due answers.
pub(crate) enum Sent {
    /// Nothing is due; the next one is at this moment, if there is one.
    Nothing(Option<Timestamp>),
    /// All that were tried are gone.
    All,
    /// Some have to be tried again, for this reason.
    Some {
        reason: Error,
        /// Whether others are gone.
        progress: bool,
    },
}

/// Sends one batch of due answers.
pub(crate) fn send_due(
    store: &Store,
    sender: &dyn Sender,
    now: Timestamp,
    max: usize,
    max_bytes: usize,
) -> Result<Sent> {
    let due = {
        let conn = store.lock();
        let due = due(&conn, now, max, max_bytes)?;
        if due.is_empty() {
            return next_due(&conn).map(Sent::Nothing);
        }
        due
    };
    let headers: Vec<_> = due.iter().map(|one| vec![(header::WIRE_ID.to_owned(), one.wire_id.clone())]).collect();
    let batch: Vec<_> = due
        .iter()
        .zip(&headers)
        .map(|(one, headers)| Outgoing { id: &one.wire_id, body: &one.body, headers })
        .collect();
    let outcomes = sender.send(&batch, DEADLINE);
    failpoint!("sandbox::sent-before-record");
    record(store, &due, &outcomes, now)
}

fn due(conn: &Connection, now: Timestamp, max: usize, max_bytes: usize) -> Result<Vec<Due>> {
    let failed = error::store("look for due answers");
    let mut statement = conn
        .prepare_cached(
            "SELECT outbox.id, receipt, wire_id, body FROM outbox JOIN receipt ON receipt.id = outbox.receipt
             WHERE outbox.due_at <= ?1 ORDER BY outbox.due_at, outbox.id LIMIT ?2",
        )
        .map_err(&failed)?;
    let mut rows = statement.query((now.millis(), i64::try_from(max).unwrap_or(i64::MAX))).map_err(&failed)?;
    let (mut due, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next().map_err(&failed)? {
        let read = || Ok(Due { row: row.get(0)?, receipt: row.get(1)?, wire_id: row.get(2)?, body: row.get(3)? });
        let one: Due = read().map_err(&failed)?;
        bytes = bytes.saturating_add(one.body.len());
        if !due.is_empty() && bytes > max_bytes {
            break;
        }
        due.push(one);
    }
    Ok(due)
}

fn next_due(conn: &Connection) -> Result<Option<Timestamp>> {
    conn.prepare_cached("SELECT due_at FROM outbox ORDER BY due_at LIMIT 1")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0).map(Timestamp::from_millis)).optional())
        .map_err(error::store("look for due answers"))
}

fn record(store: &Store, due: &[Due], outcomes: &[SendOutcome], now: Timestamp) -> Result<Sent> {
    let conn = store.lock();
    let tx = begin(&conn)?;
    let (mut left, mut progress) = (None, false);
    for (one, outcome) in due.iter().zip(outcomes) {
        match outcome {
            SendOutcome::Confirmed => {
                confirmed(&tx, one, now)?;
                progress = true;
            }
            SendOutcome::Refused { transient: false, reason } => given_up(&tx, one, reason, now)?,
            SendOutcome::Refused { reason, .. } | SendOutcome::Unknown { reason } => {
                left.get_or_insert_with(|| reason.clone());
            }
        }
    }
    failpoint!("sandbox::recorded-before-commit");
    tx.commit().map_err(error::store("record what was sent"))?;
    Ok(left.map_or(Sent::All, |reason| Sent::Some { reason, progress }))
}

fn confirmed(conn: &Connection, one: &Due, now: Timestamp) -> Result<()> {
    conn.prepare_cached(
        "UPDATE receipt SET sent_at = coalesce(sent_at, ?2), times_sent = times_sent + 1 WHERE id = ?1",
    )
    .and_then(|mut statement| statement.execute((one.receipt, now.millis())))
    .map_err(error::store("record what was sent"))?;
    forget(conn, one)
}

fn given_up(conn: &Connection, one: &Due, reason: &Error, now: Timestamp) -> Result<()> {
    conn.prepare_cached("UPDATE receipt SET failure = ?2 WHERE id = ?1")
        .and_then(|mut statement| statement.execute((one.receipt, reason.to_string())))
        .map_err(error::store("record what was not sent"))?;
    Records { conn, at: now }.alarm("KOUAN-SANDBOX-ANSWER-REFUSED", &reason.to_string(), &one.wire_id)?;
    forget(conn, one)
}

fn forget(conn: &Connection, one: &Due) -> Result<()> {
    conn.prepare_cached("DELETE FROM outbox WHERE id = ?1")
        .and_then(|mut statement| statement.execute([one.row]))
        .map(drop)
        .map_err(error::store("empty the outbox"))
}
