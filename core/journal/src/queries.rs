//! Questions about messages: details, timelines, counts. They run on read connections and never touch bodies.

use crate::chain::{EVENT_COLUMNS, read_event};
use crate::digest::Digest;
use crate::error::Result;
use crate::identities;
use crate::intake;
use crate::lifecycle::Hold;
use crate::lists::{self, SUMMARY, summary};
use crate::model::{
    Counts, Event, InboundId, MessageDetail, MessageId, MessageSummary, PartDetail, PartId, ReceiptDetail,
};
use crate::parts::read_state;
use crate::sending;
use crate::store::SqliteJournal;
use crate::tallies::Tallies;
use crate::tx::reason;
use kouan_sdk::Timestamp;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

impl SqliteJournal {
    /// All that is known of one message.
    pub fn detail(&self, id: MessageId) -> Result<Option<MessageDetail>> {
        self.read(|conn| detail(conn, id))
    }

    /// The events of one message, oldest first, and those of its receipts.
    pub fn timeline(&self, id: MessageId) -> Result<Vec<Event>> {
        self.read(|conn| {
            let query = format!(
                "SELECT {EVENT_COLUMNS} FROM (SELECT * FROM events WHERE message = ?1 UNION \
                 SELECT e.* FROM inbound i CROSS JOIN events e ON e.inbound = i.id WHERE i.message = ?1) ORDER BY seq"
            );
            let mut statement = conn.prepare_cached(&query)?;
            let events = statement.query_map([id.0], read_event)?;
            Ok(events.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Events of the whole chain after `seq`, oldest first; for live views.
    pub fn events_since(&self, seq: i64, limit: usize) -> Result<Vec<Event>> {
        self.read(|conn| {
            let query = format!("SELECT {EVENT_COLUMNS} FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2");
            let mut statement = conn.prepare_cached(&query)?;
            let events = statement.query_map([seq, limit as i64], read_event)?;
            Ok(events.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Counts for the health page.
    pub fn counts(&self) -> Result<Counts> {
        self.read(counts)
    }
}

fn detail(conn: &Connection, id: MessageId) -> Result<Option<MessageDetail>> {
    let query = format!("SELECT {SUMMARY}, m.body_digest, m.body_length, m.supersedes FROM messages m WHERE m.id = ?1");
    let row = conn
        .prepare_cached(&query)?
        .query_row([id.0], |row| {
            let supersedes: Option<i64> = row.get(18)?;
            Ok((summary(row)?, row.get::<_, Digest>(16)?, row.get::<_, i64>(17)?, supersedes))
        })
        .optional()?;
    let Some((mut summary, digest, length, supersedes)) = row else { return Ok(None) };
    identities::explain(conn, std::slice::from_mut(&mut summary))?;
    let pending: i64 = conn
        .prepare_cached("SELECT COUNT(*) FROM effects WHERE message = ?1 AND done_at IS NULL")?
        .query_row([id.0], |row| row.get(0))?;
    Ok(Some(MessageDetail {
        attempts_of_declaration: same_declaration(conn, &summary)?,
        body_digest: hex::encode(digest),
        body_length: length.unsigned_abs(),
        keys: sending::keys(conn, id)?,
        report: intake::report(conn, id)?,
        parts: part_details(conn, id)?,
        receipts: receipt_details(conn, id)?,
        supersedes: supersedes.map(MessageId),
        pending_effects: pending.unsigned_abs(),
        summary,
    }))
}

/// Other messages of the same business and business key, oldest first.
fn same_declaration(conn: &Connection, summary: &MessageSummary) -> Result<Vec<MessageId>> {
    let Some(key) = &summary.business_key else { return Ok(Vec::new()) };
    let mut statement = conn.prepare_cached(
        "SELECT m.id FROM keys k INDEXED BY keys_value CROSS JOIN messages m ON m.id = k.message \
         WHERE k.value = ?1 AND k.name = ?2 AND m.business = ?3 AND m.id <> ?4 ORDER BY m.id",
    )?;
    let ids = statement.query_map(rusqlite::params![key.value, key.name, summary.business, summary.id.0], |row| {
        row.get(0).map(MessageId)
    })?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn part_details(conn: &Connection, id: MessageId) -> Result<Vec<PartDetail>> {
    let mut statement = conn.prepare_cached(
        "SELECT p.id, p.name, p.message_type, p.wire_id, p.reason_code, p.reason_text, p.payload_digest, s.digest, p.next_at, \
         p.delivery, p.parked, p.attempts, p.unresolved, p.doubted \
         FROM parts p LEFT JOIN sealed s ON s.id = p.sealed WHERE p.message = ?1 ORDER BY p.idx",
    )?;
    let parts = statement.query_map([id.0], |row| {
        let hex_of = |digest: Option<Digest>| digest.map(hex::encode).unwrap_or_default();
        let next_at: i64 = row.get(8)?;
        Ok(PartDetail {
            id: PartId(row.get(0)?),
            name: row.get(1)?,
            message_type: row.get(2)?,
            wire_id: row.get(3)?,
            state: read_state(row, 9)?,
            reason: reason(row.get(4)?, row.get(5)?),
            payload_digest: hex_of(row.get(6)?),
            sealed_digest: hex_of(row.get(7)?),
            next_at: (next_at > 0).then(|| Timestamp::from_millis(next_at)),
        })
    })?;
    Ok(parts.collect::<rusqlite::Result<_>>()?)
}

const STATES: [&str; 5] = ["received", "unmatched", "matched", "quarantined", "repeated"];

const RECEIPT: &str = "id, state, wire_id, receipt, file_name, received_at, delivered_at, reason_code, reason_text";

impl SqliteJournal {
    /// Inbound of one state (`received`, `unmatched`, `matched`, `quarantined`, `repeated`), newest first; for the pages of
    /// what nobody claimed and what was kept back.
    pub fn inbound(&self, state: &str, limit: usize) -> Result<Vec<ReceiptDetail>> {
        let number = STATES.iter().position(|name| *name == state).map_or(-1, |number| number as i64);
        self.read(|conn| {
            let query = format!("SELECT {RECEIPT} FROM inbound WHERE state = ?1 ORDER BY id DESC LIMIT ?2");
            receipts(conn, &query, &[number, limit as i64])
        })
    }
}

fn receipt_details(conn: &Connection, id: MessageId) -> Result<Vec<ReceiptDetail>> {
    receipts(conn, &format!("SELECT {RECEIPT} FROM inbound WHERE message = ?1 ORDER BY id"), &[id.0])
}

fn receipts(conn: &Connection, query: &str, values: &[i64]) -> Result<Vec<ReceiptDetail>> {
    let mut statement = conn.prepare_cached(query)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let receipt: Option<String> = row.get(3)?;
        let state: usize = row.get::<_, i64>(1)?.try_into().unwrap_or(0);
        found.push(ReceiptDetail {
            id: InboundId(row.get(0)?),
            state: STATES.get(state).copied().unwrap_or("unknown").to_owned(),
            wire_id: row.get(2)?,
            receipt: receipt.map(|text| serde_json::from_str(&text)).transpose()?,
            file_name: row.get(4)?,
            received_at: Timestamp::from_millis(row.get(5)?),
            delivered_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
            reason: reason(row.get(7)?, row.get(8)?),
        });
    }
    Ok(found)
}

fn counts(conn: &Connection) -> Result<Counts> {
    let tallies = Tallies::read(conn)?;
    let (mut counts, mut inbound) = (Counts::default(), [0; STATES.len()]);
    tallies.fill("delivery", &mut counts.by_delivery);
    tallies.fill("outcome", &mut counts.by_outcome);
    tallies.fill("inbound", &mut inbound);
    counts.parked = tallies.of("hold", Hold::Parked as i64);
    counts.overdue = tallies.of("hold", Hold::Overdue as i64);
    counts.inbound = inbound.iter().sum();
    counts.unmatched = inbound[1];
    counts.quarantined = inbound[3];
    counts.pending_effects = tallies.of("effects", 0);
    counts.oldest_waiting = lists::oldest_waiting(conn)?;
    Ok(counts)
}
