//! Sending: which parts are due, attempts begun and ended, inquiries, parts held by the kernel.

use crate::digest::{Digest, sm3};
use crate::error::Result;
use crate::intake;
use crate::lifecycle::{Delivery, Illegal, PartEvent, Repeats};
use crate::model::{AttemptEnd, AttemptId, Begin, DueFilter, DuePart, Ended, MessageId, PartId, Reason, Sealed};
use crate::parts::{self, PartRow, change, read_state, refold};
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::Timestamp;
use kouan_sdk::business::Key;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// The payload is the message's body.
pub(crate) const PAYLOAD_BODY: i64 = 0;
/// The payload has bytes of its own.
pub(crate) const PAYLOAD_OWN: i64 = 1;
/// The payload waits for a key.
pub(crate) const PAYLOAD_WAITS: i64 = 2;

/// Attempts ended in one commit at start.
const ORPHANS: usize = 500;

/// Parts whose turn it may be; the first term of each partial index is repeated, so that the index is used.
pub(crate) const DUE: &str = "SELECT p.id, p.message, p.idx, m.business, m.identity, m.lane, p.wire_id, p.message_type, \
     p.receivers, p.file_name, p.biz_keys, p.payload_kind, p.waits_for, p.payload_digest IS NULL, p.payload_length, \
     p.sealed, p.delivery, p.parked, p.attempts, p.unresolved, p.doubted, m.site \
     FROM parts p INDEXED BY parts_due CROSS JOIN messages m ON m.id = p.message \
     WHERE p.delivery IN (2, 4) AND p.parked = 0 AND p.blocked = 0 AND p.next_at <= ?1 AND (p.delivery = 2 OR ?2) \
     AND NOT EXISTS (SELECT 1 FROM messages e INDEXED BY messages_lane \
       WHERE e.lane = m.lane AND e.delivery IN (2, 3, 4) AND e.id < m.id) \
     ORDER BY p.message, p.idx";

impl SqliteJournal {
    /// Parts whose turn it is, in the order of their messages. A lane shows only its first live message, so a batch holds
    /// one message a lane.
    pub fn due(&self, filter: &DueFilter) -> Result<Vec<DuePart>> {
        let now = self.clock().now().millis();
        self.read(|conn| {
            let mut statement = conn.prepare_cached(DUE)?;
            let mut rows = statement.query(params![now, filter.repeats.may_repeat()])?;
            let (mut due, mut bytes) = (Vec::new(), 0usize);
            let mut unchecked = BTreeMap::new();
            while due.len() < filter.limit {
                let Some(row) = rows.next()? else { break };
                let identity: String = row.get(4)?;
                if filter.blocked_identities.contains(&identity) || waits_for_check(conn, row, &mut unchecked)? {
                    continue;
                }
                bytes = bytes.saturating_add(usize::try_from(row.get::<_, i64>(14)?).unwrap_or(0));
                if bytes > filter.max_bytes && !due.is_empty() {
                    break;
                }
                due.push(due_part(conn, row, identity)?);
            }
            Ok(due)
        })
    }

    /// When the next part becomes due by time alone.
    pub fn next_due_at(&self, repeats: Repeats) -> Result<Option<Timestamp>> {
        let now = self.clock().now().millis();
        self.read(|conn| {
            let next: Option<i64> = conn
                .prepare_cached(
                    "SELECT next_at FROM parts INDEXED BY parts_next WHERE delivery IN (2, 4) AND parked = 0 \
                     AND blocked = 0 AND next_at > ?1 AND (delivery = 2 OR ?2) ORDER BY next_at LIMIT 1",
                )?
                .query_row(params![now, repeats.may_repeat()], |row| row.get(0))
                .optional()?;
            Ok(next.map(Timestamp::from_millis))
        })
    }

    /// One attempt each; `Err(Illegal)` for a part that may not begin now (somebody parked it meanwhile). A part whose
    /// sealed bytes or payload would change while an earlier attempt is unresolved is parked with the reason.
    pub fn begin_attempts(&self, batch: Vec<Begin>) -> Result<Vec<Result<AttemptId, Illegal>>> {
        let bytes =
            batch.iter().map(|begin| begin.sealed.bytes.len() + begin.payload.as_ref().map_or(0, Vec::len)).sum();
        let digests: Vec<Digest> = batch.iter().map(|begin| sm3(&begin.sealed.bytes)).collect();
        self.write(Class::State, bytes, move |tx| {
            batch.iter().zip(&digests).map(|(begin, digest)| begin_one(tx, begin, digest)).collect()
        })
    }

    /// Records how attempts ended. An attempt that is not its part's latest, or was ended before, changes nothing.
    pub fn end_attempts(&self, batch: Vec<Ended>) -> Result<()> {
        self.write(Class::State, 0, move |tx| batch.iter().try_for_each(|ended| end_one(tx, ended)))
    }

    /// Parts held by the kernel itself, with a reason (bad certificate, …). Parts that cannot be held now stay.
    pub fn park_parts(&self, batch: Vec<(PartId, Reason)>) -> Result<()> {
        self.write(Class::State, 0, move |tx| {
            for (id, reason) in &batch {
                let mut part = parts::one(tx.conn, *id)?;
                park(tx, &mut part, reason)?;
            }
            Ok(())
        })
    }

    /// Parts in doubt, for an inquiry: (part, wire id). Each call goes on where the last one stopped, so that many that
    /// cannot be told do not hide the others.
    pub fn in_doubt(&self, limit: usize) -> Result<Vec<(PartId, String)>> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, wire_id FROM parts INDEXED BY parts_in_doubt WHERE delivery = 4 AND id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let mut after = |id: i64| {
                let found = statement.query_map(params![id, limit as i64], |row| Ok((PartId(row.get(0)?), row.get(1)?)))?;
                found.collect::<rusqlite::Result<Vec<(PartId, String)>>>()
            };
            let start = self.inquired().load(Ordering::Relaxed);
            let mut found = after(start)?;
            if found.len() < limit && start > 0 {
                found.extend(after(0)?.into_iter().filter(|(id, _)| id.0 <= start));
                found.truncate(limit);
            }
            self.inquired().store(found.last().map_or(0, |(id, _)| id.0), Ordering::Relaxed);
            Ok(found)
        })
    }

    /// What an inquiry found: true = present, false = absent for good. Parts that are no longer in doubt stay.
    pub fn record_inquiries(&self, batch: Vec<(PartId, bool)>) -> Result<()> {
        self.write(Class::State, 0, move |tx| {
            for &(id, present) in &batch {
                let mut part = parts::one(tx.conn, id)?;
                if part.state.delivery != Delivery::InDoubt {
                    continue;
                }
                part.next_at = 0;
                let (event, kind) = if present {
                    (PartEvent::FoundPresent, "found_present")
                } else {
                    (PartEvent::FoundAbsent, "found_absent")
                };
                let wire_id = part.wire_id.clone();
                if change(tx, &mut part, event, kind, json!({"wire_id": wire_id}))?.is_ok() {
                    refold(tx, part.message)?;
                }
            }
            Ok(())
        })
    }

    /// Attempts that a dead process left open end as Unknown; the window's policy decides what follows.
    pub(crate) fn end_orphaned_attempts(&self) -> Result<()> {
        loop {
            let open = self.read(|conn| {
                let mut statement = conn.prepare_cached(
                    "SELECT id FROM attempts INDEXED BY attempts_open WHERE ended_at IS NULL ORDER BY id LIMIT ?1",
                )?;
                let open = statement.query_map([ORPHANS as i64], |row| row.get(0))?;
                Ok(open.collect::<rusqlite::Result<Vec<i64>>>()?)
            })?;
            if open.is_empty() {
                return Ok(());
            }
            let reason = Reason::new(
                "KOUAN-JOURNAL-PROCESS-ENDED",
                "the process ended between sending and recording the answer",
            );
            let retry_at = self.clock().now();
            let end = AttemptEnd::Unknown { retry_at, reason };
            self.end_attempts(open.into_iter().map(|id| Ended { attempt: AttemptId(id), end: end.clone() }).collect())?;
        }
    }
}

/// Whether an earlier message of the same source is not checked yet.
fn waits_for_check(conn: &Connection, row: &Row<'_>, known: &mut BTreeMap<String, i64>) -> Result<bool> {
    let site: String = row.get(21)?;
    let first = match known.get(&site) {
        Some(&first) => first,
        None => {
            let first: Option<i64> = conn
                .prepare_cached(
                    "SELECT MIN(id) FROM messages INDEXED BY messages_received_site WHERE site = ?1 AND delivery = 0",
                )?
                .query_row([&site], |row| row.get(0))?;
            *known.entry(site).or_insert(first.unwrap_or(i64::MAX))
        }
    };
    Ok(first < row.get::<_, i64>(1)?)
}

fn due_part(conn: &Connection, row: &Row<'_>, identity: String) -> Result<DuePart> {
    let (id, message) = (PartId(row.get(0)?), MessageId(row.get(1)?));
    let unplanned: bool = row.get(13)?;
    let waits_for: Option<String> = row.get::<_, Option<String>>(12)?.filter(|_| unplanned);
    let payload = match (unplanned, row.get::<_, i64>(11)?) {
        (true, _) => Vec::new(),
        (false, PAYLOAD_BODY) => intake::body(conn, message)?,
        (false, _) => {
            conn.prepare_cached("SELECT bytes FROM payloads WHERE part = ?1")?.query_row([id.0], |row| row.get(0))?
        }
    };
    let known_keys = if waits_for.is_some() { keys(conn, message)? } else { Vec::new() };
    Ok(DuePart {
        id,
        message,
        index: usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
        business: row.get(3)?,
        identity,
        lane: row.get(5)?,
        wire_id: row.get(6)?,
        message_type: row.get(7)?,
        receivers: serde_json::from_str(&row.get::<_, String>(8)?)?,
        file_name: row.get(9)?,
        biz_keys: serde_json::from_str(&row.get::<_, String>(10)?)?,
        payload: payload.into(),
        waits_for,
        known_keys,
        sealed: row.get::<_, Option<i64>>(15)?.map(|sealed| read_sealed(conn, sealed)).transpose()?,
        state: read_state(row, 16)?,
    })
}

/// All keys known of a message.
pub(crate) fn keys(conn: &Connection, message: MessageId) -> Result<Vec<Key>> {
    let mut statement =
        conn.prepare_cached("SELECT name, value FROM keys WHERE message = ?1 ORDER BY learned, name, value")?;
    let keys = statement.query_map([message.0], |row| Ok(Key { name: row.get(0)?, value: row.get(1)? }))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

fn read_sealed(conn: &Connection, sealed: i64) -> Result<Sealed> {
    Ok(conn
        .prepare_cached(
            "SELECT b.bytes, s.certificate_serial FROM sealed s JOIN sealed_bytes b ON b.sealed = s.id WHERE s.id = ?1",
        )?
        .query_row([sealed], |row| {
            Ok(Sealed { bytes: row.get::<_, Vec<u8>>(0)?.into(), certificate_serial: row.get(1)? })
        })?)
}

fn begin_one(tx: &mut Tx<'_>, begin: &Begin, digest: &Digest) -> Result<Result<AttemptId, Illegal>> {
    let mut part = parts::one(tx.conn, begin.part)?;
    let event = PartEvent::Begin(begin.repeats);
    let illegal = Err(Illegal { delivery: part.state.delivery, event });
    if let Err(illegal) = crate::lifecycle::step(&part.state, event) {
        return Ok(Err(illegal));
    }
    if !is_first_of_lane(tx.conn, part.message)? || waits_in_vain(&part, begin) {
        return Ok(illegal);
    }
    if let Some(reason) = would_change(tx.conn, &part, begin, digest)? {
        park(tx, &mut part, &reason)?;
        return Ok(illegal);
    }
    if let Some(payload) = &begin.payload {
        store_late_payload(tx, &mut part, payload)?;
    }
    let sealed = store_sealed(tx.conn, &part, &begin.sealed, digest)?;
    let conn = tx.conn;
    conn.prepare_cached("INSERT INTO attempts (message, part, number, sealed, begun_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![part.message.0, part.id.0, part.state.attempts + 1, sealed, tx.now.millis()])?;
    let attempt = conn.last_insert_rowid();
    part.sealed = Some(sealed);
    part.attempt = Some(attempt);
    let data = json!({
        "attempt": attempt,
        "wire_id": part.wire_id,
        "sealed": hex::encode(digest),
        "payload": part.payload_digest.map(hex::encode),
        "certificate": begin.sealed.certificate_serial,
    });
    let moved = change(tx, &mut part, event, "sending", data)?;
    refold(tx, part.message)?;
    Ok(moved.map(|()| AttemptId(attempt)))
}

/// The lane rule holds in the attempt's own commit: an operator may have put an earlier message back meanwhile.
fn is_first_of_lane(conn: &Connection, message: MessageId) -> Result<bool> {
    let earlier = conn
        .prepare_cached(
            "SELECT 1 FROM messages m CROSS JOIN messages e INDEXED BY messages_lane ON e.lane = m.lane \
             WHERE m.id = ?1 AND e.delivery IN (2, 3, 4) AND e.id < m.id",
        )?
        .exists([message.0])?;
    Ok(!earlier)
}

fn waits_in_vain(part: &PartRow, begin: &Begin) -> bool {
    part.blocked || (part.payload_digest.is_none() && begin.payload.is_none())
}

/// A wire id never carries two payloads, and sealed bytes change only while every attempt failed safely.
fn would_change(conn: &Connection, part: &PartRow, begin: &Begin, digest: &Digest) -> Result<Option<Reason>> {
    // Until a first attempt nothing has left: the message's own signature may still be filled in.
    if let (Some(known), Some(payload)) = (part.payload_digest, &begin.payload)
        && part.state.attempts > 0
        && known != sm3(payload)
    {
        let text = format!("wire id {} carries another payload already", part.wire_id);
        return Ok(Some(Reason::new("KOUAN-JOURNAL-WIRE-ID-TWO-PAYLOADS", text)));
    }
    let Some(sealed) = part.sealed.filter(|_| !part.state.may_reseal()) else { return Ok(None) };
    let before: Digest =
        conn.prepare_cached("SELECT digest FROM sealed WHERE id = ?1")?.query_row([sealed], |row| row.get(0))?;
    if before == *digest {
        return Ok(None);
    }
    let text = format!("an attempt with other sealed bytes of {} is unresolved", part.wire_id);
    Ok(Some(Reason::new("KOUAN-JOURNAL-SEALED-CHANGED", text)))
}

fn store_late_payload(tx: &mut Tx<'_>, part: &mut PartRow, payload: &[u8]) -> Result<()> {
    let digest = sm3(payload);
    if part.payload_digest == Some(digest) {
        return Ok(());
    }
    let conn = tx.conn;
    conn.prepare_cached("INSERT OR REPLACE INTO payloads (part, bytes) VALUES (?1, ?2)")?
        .execute(params![part.id.0, payload])?;
    conn.prepare_cached("UPDATE parts SET payload_kind = ?2, payload_digest = ?3, payload_length = ?4 WHERE id = ?1")?
        .execute(params![part.id.0, PAYLOAD_OWN, digest, payload.len() as i64])?;
    part.payload_digest = Some(digest);
    part.payload_kind = PAYLOAD_OWN;
    let about = About::message(part.message).with_part(part.id);
    tx.event("planned_late", about, json!({"payload": hex::encode(digest), "waited_for": part.waits_for}));
    Ok(())
}

/// Stores sealed bytes once; the number of the row.
fn store_sealed(conn: &Connection, part: &PartRow, sealed: &Sealed, digest: &Digest) -> Result<i64> {
    let known: Option<i64> = conn
        .prepare_cached("SELECT id FROM sealed WHERE part = ?1 AND digest = ?2")?
        .query_row(params![part.id.0, digest], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    conn.prepare_cached(
        "INSERT INTO sealed (message, part, digest, length, certificate_serial) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![part.message.0, part.id.0, digest, sealed.bytes.len() as i64, sealed.certificate_serial])?;
    let id = conn.last_insert_rowid();
    conn.prepare_cached("INSERT INTO sealed_bytes (sealed, bytes) VALUES (?1, ?2)")?
        .execute(params![id, &sealed.bytes[..]])?;
    Ok(id)
}

fn end_one(tx: &mut Tx<'_>, ended: &Ended) -> Result<()> {
    let conn = tx.conn;
    let row = conn
        .prepare_cached("SELECT part FROM attempts WHERE id = ?1 AND ended_at IS NULL")?
        .query_row([ended.attempt.0], |row| row.get(0))
        .optional()?;
    let Some(part) = row else { return Ok(()) };
    let mut part = parts::one(conn, PartId(part))?;
    let (event, kind, reason, next_at) = match &ended.end {
        AttemptEnd::Confirmed => (PartEvent::Confirmed, "confirmed", None, 0),
        AttemptEnd::RefusedTransient { retry_at, reason } => {
            let event = PartEvent::RefusedTransient { spent: retry_at.is_none() };
            (event, "refused_transient", Some(reason), retry_at.map_or(0, Timestamp::millis))
        }
        AttemptEnd::RefusedPermanent(reason) => (PartEvent::RefusedPermanent, "refused_permanent", Some(reason), 0),
        AttemptEnd::Unknown { retry_at, reason } => (PartEvent::Unknown, "unknown", Some(reason), retry_at.millis()),
    };
    let (code, text) = parts::columns(reason);
    conn.prepare_cached(
        "UPDATE attempts SET ended_at = ?2, ended = ?3, reason_code = ?4, reason_text = ?5 WHERE id = ?1",
    )?
    .execute(params![ended.attempt.0, tx.now.millis(), kind, code, text])?;
    let data = json!({"attempt": ended.attempt, "wire_id": part.wire_id, "reason": reason});
    // Only the latest attempt speaks for the part; an older one was overtaken by a receipt or an operator.
    if part.attempt != Some(ended.attempt.0) || !matches!(part.state.delivery, Delivery::Sending) {
        tx.event(kind, About::message(part.message).with_part(part.id), data);
        return Ok(());
    }
    part.reason = reason.cloned();
    part.next_at = next_at;
    let _ = change(tx, &mut part, event, kind, data)?;
    refold(tx, part.message)
}

/// Holds a part; nothing happens to one that cannot be held now.
fn park(tx: &mut Tx<'_>, part: &mut PartRow, reason: &Reason) -> Result<()> {
    part.reason = Some(reason.clone());
    if change(tx, part, PartEvent::Park, "parked", json!({"reason": reason}))?.is_ok() {
        refold(tx, part.message)?;
    }
    Ok(())
}
