//! Parts as rows: read, moved by the lifecycle, written; and the message's own columns, folded from them.

use crate::digest::Digest;
use crate::effects;
use crate::error::{JournalError, Result};
use crate::lifecycle::{self, Delivery, Illegal, PartEvent, PartState};
use crate::model::{MessageId, PartId, Reason};
use crate::tx::{About, Tx, reason};
use kouan_sdk::Timestamp;
use kouan_sdk::transport::End;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::{Value, json};

/// A part as the rules need it.
#[derive(Debug, Clone)]
pub(crate) struct PartRow {
    pub(crate) id: PartId,
    pub(crate) message: MessageId,
    pub(crate) file_name: String,
    pub(crate) preceding: Vec<usize>,
    pub(crate) expects_receipt: bool,
    pub(crate) wire_id: String,
    pub(crate) payload_kind: i64,
    pub(crate) waits_for: Option<String>,
    pub(crate) payload_digest: Option<Digest>,
    pub(crate) state: PartState,
    pub(crate) blocked: bool,
    pub(crate) next_at: i64,
    pub(crate) reason: Option<Reason>,
    pub(crate) sealed: Option<i64>,
    /// The latest attempt; only its end changes the part.
    pub(crate) attempt: Option<i64>,
}

const COLUMNS: &str = "id, message, idx, file_name, preceding, expects_receipt, wire_id, payload_kind, waits_for, \
     payload_digest, delivery, parked, attempts, unresolved, doubted, blocked, next_at, reason_code, reason_text, sealed, attempt";

/// The part's state from five columns that begin at `first`.
pub(crate) fn read_state(row: &Row<'_>, first: usize) -> rusqlite::Result<PartState> {
    let number: i64 = row.get(first)?;
    let delivery = Delivery::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(first, number))?;
    Ok(PartState {
        delivery,
        parked: row.get(first + 1)?,
        attempts: row.get(first + 2)?,
        unresolved: row.get(first + 3)?,
        doubted: row.get(first + 4)?,
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<(PartRow, String)> {
    let part = PartRow {
        id: PartId(row.get(0)?),
        message: MessageId(row.get(1)?),
        file_name: row.get(3)?,
        preceding: Vec::new(),
        expects_receipt: row.get(5)?,
        wire_id: row.get(6)?,
        payload_kind: row.get(7)?,
        waits_for: row.get(8)?,
        payload_digest: row.get(9)?,
        state: read_state(row, 10)?,
        blocked: row.get(15)?,
        next_at: row.get(16)?,
        reason: reason(row.get(17)?, row.get(18)?),
        sealed: row.get(19)?,
        attempt: row.get(20)?,
    };
    Ok((part, row.get(4)?))
}

fn complete((mut part, preceding): (PartRow, String)) -> Result<PartRow> {
    part.preceding = serde_json::from_str(&preceding)?;
    Ok(part)
}

/// All parts of a message, in their order.
pub(crate) fn of_message(conn: &Connection, message: MessageId) -> Result<Vec<PartRow>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM parts WHERE message = ?1 ORDER BY idx"))?;
    let rows = statement.query_map([message.0], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.into_iter().map(complete).collect()
}

/// One part.
pub(crate) fn one(conn: &Connection, id: PartId) -> Result<PartRow> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM parts WHERE id = ?1"))?;
    let row = statement.query_row([id.0], read).optional()?;
    complete(row.ok_or(JournalError::Unknown { what: "part", id: id.0 })?)
}

/// Moves a part by the lifecycle and writes it down. `Err` inside: the lifecycle forbids it, and nothing changed.
pub(crate) fn change(
    tx: &mut Tx<'_>,
    part: &mut PartRow,
    event: PartEvent,
    kind: &str,
    mut data: Value,
) -> Result<Result<(), Illegal>> {
    let next = match lifecycle::step(&part.state, event) {
        Ok(next) => next,
        Err(illegal) => return Ok(Err(illegal)),
    };
    part.state = next;
    if matches!(next.delivery, Delivery::Sent) {
        part.reason = None;
        part.next_at = 0;
    }
    save(tx.conn, part)?;
    if let Value::Object(map) = &mut data {
        map.insert("delivery".to_owned(), json!(next.delivery));
        if let Some(reason) = &part.reason {
            map.entry("reason").or_insert_with(|| json!(reason));
        }
    }
    tx.event(kind, About::message(part.message).with_part(part.id), data);
    Ok(Ok(()))
}

/// Writes a part's changing columns.
pub(crate) fn save(conn: &Connection, part: &PartRow) -> Result<()> {
    let (code, text) = columns(part.reason.as_ref());
    conn.prepare_cached(
        "UPDATE parts SET delivery = ?2, parked = ?3, attempts = ?4, unresolved = ?5, doubted = ?6, blocked = ?7, \
         next_at = ?8, reason_code = ?9, reason_text = ?10, sealed = ?11, attempt = ?12 WHERE id = ?1",
    )?
    .execute(params![
        part.id.0,
        part.state.delivery.number(),
        part.state.parked,
        part.state.attempts,
        part.state.unresolved,
        part.state.doubted,
        part.blocked,
        part.next_at,
        code,
        text,
        part.sealed,
        part.attempt
    ])?;
    Ok(())
}

/// A reason as two columns.
pub(crate) fn columns(reason: Option<&Reason>) -> (Option<&str>, Option<&str>) {
    (reason.map(|r| r.code.as_str()), reason.map(|r| r.text.as_str()))
}

/// What the fold needs of a message.
struct Folded {
    delivery: Delivery,
    disposed: bool,
    answered: bool,
    sent_at: Option<i64>,
    overdue: bool,
    overdue_at: Option<i64>,
    attempted: bool,
    deadline_ms: i64,
}

/// Folds the message's columns from its parts; shows the end at its site when there is one. Call it after every change
/// of a part.
pub(crate) fn refold(tx: &mut Tx<'_>, message: MessageId) -> Result<()> {
    let mut parts = of_message(tx.conn, message)?;
    unblock(tx, message, &mut parts)?;
    let states: Vec<PartState> = parts.iter().map(|part| part.state).collect();
    let Some((delivery, parked)) = lifecycle::fold(&states) else { return Ok(()) };
    let before = before(tx.conn, message)?;
    let now = tx.now.millis();
    let is_sent = delivery == Delivery::Sent;
    let newly_sent = is_sent && before.delivery != Delivery::Sent;
    let sent_at = if newly_sent { Some(now) } else { before.sent_at };
    let waits_for_receipt = is_sent && !before.answered && before.deadline_ms > 0;
    let overdue_at = match (waits_for_receipt, before.overdue) {
        (true, false) if newly_sent => Some(now + before.deadline_ms),
        (true, false) => before.overdue_at,
        _ => None,
    };
    let overdue = before.overdue && waits_for_receipt;
    let attempted = before.attempted || is_sent || states.iter().any(|state| state.attempts > 0);
    let reason = shown_reason(&parts, delivery);
    let (code, text) = columns(reason.as_ref());
    tx.conn
        .prepare_cached(
            "UPDATE messages SET delivery = ?2, parked = ?3, sent_at = ?4, overdue_at = ?5, overdue = ?6, attempted = ?7, \
             reason_code = ?8, reason_text = ?9, updated_at = ?10, \
             hold = CASE WHEN ?3 THEN 1 WHEN ?6 THEN 2 ELSE 0 END WHERE id = ?1",
        )?
        .execute(params![
            message.0,
            delivery.number(),
            parked,
            sent_at,
            overdue_at,
            overdue,
            attempted,
            code,
            text,
            now
        ])?;
    if before.overdue && !overdue {
        tx.acknowledge(message, Some("KOUAN-JOURNAL-OVERDUE"), json!({}))?;
    }
    if !before.disposed {
        show_end(tx, message, delivery, reason.as_ref())?;
    }
    Ok(())
}

/// Recomputes `hold` from the two marks that make it.
pub(crate) fn refresh_hold(conn: &Connection, message: MessageId) -> Result<()> {
    conn.prepare_cached(
        "UPDATE messages SET hold = CASE WHEN parked THEN 1 WHEN overdue THEN 2 ELSE 0 END WHERE id = ?1",
    )?
    .execute([message.0])?;
    Ok(())
}

/// A part is blocked while a part before it is not sent, or its key is not known; blocked parts cost `due` nothing.
fn unblock(tx: &Tx<'_>, message: MessageId, parts: &mut [PartRow]) -> Result<()> {
    let delivered: Vec<bool> = parts.iter().map(|part| part.state.delivery == Delivery::Sent).collect();
    for part in parts.iter_mut() {
        let waits = match &part.waits_for {
            Some(key) if part.payload_digest.is_none() => !knows(tx.conn, message, key)?,
            _ => false,
        };
        let blocked = waits || part.preceding.iter().any(|&index| !delivered.get(index).copied().unwrap_or(true));
        if blocked != part.blocked {
            part.blocked = blocked;
            save(tx.conn, part)?;
        }
    }
    Ok(())
}

fn knows(conn: &Connection, message: MessageId, key: &str) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM keys WHERE message = ?1 AND name = ?2")?.exists(params![message.0, key])?)
}

fn before(conn: &Connection, message: MessageId) -> Result<Folded> {
    let row = conn
        .prepare_cached(
            "SELECT delivery, disposed, answered, sent_at, overdue, overdue_at, attempted, receipt_deadline_s \
             FROM messages WHERE id = ?1",
        )?
        .query_row([message.0], |row| {
            let number: i64 = row.get(0)?;
            Ok(Folded {
                delivery: Delivery::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, number))?,
                disposed: row.get::<_, i64>(1)? != 0,
                answered: row.get(2)?,
                sent_at: row.get(3)?,
                overdue: row.get(4)?,
                overdue_at: row.get(5)?,
                attempted: row.get(6)?,
                deadline_ms: row.get::<_, i64>(7)?.saturating_mul(1000),
            })
        })
        .optional()?;
    row.ok_or(JournalError::Unknown { what: "message", id: message.0 })
}

/// Why the message stands where it stands: the held part's reason, else that of a part that has not arrived.
fn shown_reason(parts: &[PartRow], delivery: Delivery) -> Option<Reason> {
    if delivery == Delivery::Sent {
        return None;
    }
    let held = parts.iter().find(|part| part.state.parked && part.reason.is_some());
    let waiting = || parts.iter().find(|part| part.state.delivery != Delivery::Sent && part.reason.is_some());
    held.or_else(waiting).and_then(|part| part.reason.clone())
}

/// SentBox or FailBox, once.
fn show_end(tx: &mut Tx<'_>, message: MessageId, delivery: Delivery, why: Option<&Reason>) -> Result<()> {
    let (end, verdict) = match delivery {
        Delivery::Sent => (End::Sent, None),
        Delivery::Skipped => (End::Failed, Some(skipped_verdict(tx.conn, message, tx.now, why)?)),
        _ => return Ok(()),
    };
    effects::dispose(tx, message, end, verdict)
}

fn skipped_verdict(conn: &Connection, message: MessageId, at: Timestamp, why: Option<&Reason>) -> Result<String> {
    let file_name: String =
        conn.query_row("SELECT file_name FROM messages WHERE id = ?1", [message.0], |row| row.get(0))?;
    let verdict = json!({
        "message": message,
        "file": file_name,
        "verdict": "skipped",
        "at": at.rfc3339(),
        "reason": why,
        "next": format!("kouan message trace {}", message.0),
    });
    Ok(verdict.to_string())
}
