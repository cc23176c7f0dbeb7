//! Questions about messages: lists, details, timelines, counts. They run on read connections and never touch bodies.

use crate::chain::{EVENT_COLUMNS, read_event};
use crate::digest::Digest;
use crate::error::Result;
use crate::intake;
use crate::lifecycle::{Delivery, Hold};
use crate::matching::outcome_of;
use crate::model::{
    Counts, Event, Filter, InboundId, MessageDetail, MessageId, MessageSummary, PartDetail, PartId, ReceiptDetail,
};
use crate::parts::read_state;
use crate::sending;
use crate::store::SqliteJournal;
use crate::tallies::Tallies;
use crate::tx::reason;
use kouan_sdk::Timestamp;
use kouan_sdk::business::Key;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};

const SUMMARY: &str = "m.id, m.site, m.file_name, m.business, m.message_type, m.key_name, m.key_value, m.identity, \
     m.delivery, m.outcome, m.stage, m.hold, m.reason_code, m.reason_text, m.received_at, m.updated_at";

/// Ranges of time with fewer messages than this are found by time; others by walking back from the newest.
const NARROW: i64 = 20_000;

/// Lines of a list, when nothing is said.
const DEFAULT_LIMIT: usize = 100;

impl SqliteJournal {
    /// Messages that fit, newest first: by number; by time of receipt where nothing but a time is asked for.
    pub fn list(&self, filter: &Filter) -> Result<Vec<MessageSummary>> {
        self.read(|conn| {
            let (query, values) = list_query(conn, filter)?;
            let mut statement = conn.prepare_cached(&query)?;
            let lines = statement.query_map(params_from_iter(values), summary)?;
            Ok(lines.collect::<rusqlite::Result<_>>()?)
        })
    }

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

/// The query of a list, driven by the narrowest index that its conditions have.
fn list_query(conn: &Connection, filter: &Filter) -> Result<(String, Vec<Value>)> {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace("{}", &format!("?{}", values.len())));
    };
    if let Some(key) = &filter.key {
        let any = "m.id IN (SELECT message FROM keys WHERE value = {} UNION SELECT id FROM messages WHERE stem = {} \
                   UNION SELECT id FROM messages WHERE file_name = {} \
                   UNION SELECT message FROM parts WHERE wire_id = {})";
        add(any, key.clone().into());
    }
    if let Some(delivery) = filter.delivery {
        add("m.delivery = {}", delivery.number().into());
    }
    if let Some(outcome) = filter.outcome {
        add("m.outcome = {}", (outcome as i64).into());
    }
    match filter.hold {
        Some(Hold::None) => add("m.hold = {}", 0.into()),
        // The literal term lets the partial index serve.
        Some(hold) => add("m.hold <> 0 AND m.hold = {}", (hold as i64).into()),
        None => {}
    }
    if let Some(business) = &filter.business {
        add("m.business = {}", business.clone().into());
    }
    if let Some(since) = filter.since {
        add("m.received_at >= {}", since.millis().into());
    }
    let in_time = asks_time_only(filter);
    if let Some(until) = latest(conn, filter, in_time)? {
        add("m.received_at < {}", until.into());
    }
    if let Some(before) = filter.before {
        // Also where the clock went back, a page goes on where the index stands; the sign keeps this from being its bound.
        let after = "(+m.received_at, m.id) < ((SELECT received_at FROM messages WHERE id = {}), {})";
        add(if in_time { after } else { "m.id < {}" }, before.0.into());
    }
    let by = if in_time || by_time(conn, filter)? { "INDEXED BY messages_received_at" } else { "" };
    let order = if in_time { "m.received_at DESC, m.id DESC" } else { "m.id DESC" };
    let all = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
    let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
    Ok((format!("SELECT {SUMMARY} FROM messages m {by} WHERE {all} ORDER BY {order} LIMIT {limit}"), values))
}

/// Whether time is all that is asked for: then the index on it gives the lines in their order, however many fit.
fn asks_time_only(filter: &Filter) -> bool {
    let Filter { key, delivery, outcome, hold, business, since, until, before: _, limit: _ } = filter;
    let other = key.is_some() || delivery.is_some() || outcome.is_some() || hold.is_some() || business.is_some();
    !other && (since.is_some() || until.is_some())
}

/// Where the times that are wanted end; in a page of a list by time, at the line before it.
fn latest(conn: &Connection, filter: &Filter, in_time: bool) -> Result<Option<i64>> {
    let until = filter.until.map(Timestamp::millis);
    let Some(before) = filter.before.filter(|_| in_time) else { return Ok(until) };
    let mut statement = conn.prepare_cached("SELECT received_at FROM messages WHERE id = ?1")?;
    let line: Option<i64> = statement.query_row([before.0], |row| row.get(0)).optional()?;
    // A number that is not there has nothing after it.
    let through = line.map_or(i64::MIN, |at| at.saturating_add(1));
    Ok(Some(until.map_or(through, |until| until.min(through))))
}

/// Whether the time range is the narrowest of several conditions.
fn by_time(conn: &Connection, filter: &Filter) -> Result<bool> {
    let other = filter.key.is_some() || filter.hold.is_some_and(|hold| hold != Hold::None);
    if other || (filter.since.is_none() && filter.until.is_none()) {
        return Ok(false);
    }
    let since = filter.since.map_or(i64::MIN, Timestamp::millis);
    let until = filter.until.map_or(i64::MAX, Timestamp::millis);
    let within: i64 = conn
        .prepare_cached(
            "SELECT COUNT(*) FROM (SELECT 1 FROM messages INDEXED BY messages_received_at \
             WHERE received_at >= ?1 AND received_at < ?2 LIMIT ?3)",
        )?
        .query_row([since, until, NARROW], |row| row.get(0))?;
    Ok(within < NARROW)
}

fn summary(row: &Row<'_>) -> rusqlite::Result<MessageSummary> {
    let key = match (row.get::<_, Option<String>>(5)?, row.get::<_, Option<String>>(6)?) {
        (Some(name), Some(value)) => Some(Key { name, value }),
        _ => None,
    };
    let number: i64 = row.get(8)?;
    Ok(MessageSummary {
        id: MessageId(row.get(0)?),
        site: row.get(1)?,
        file_name: row.get(2)?,
        business: row.get(3)?,
        message_type: row.get(4)?,
        business_key: key,
        identity: row.get(7)?,
        delivery: Delivery::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(8, number))?,
        outcome: outcome_of(row.get(9)?),
        stage: row.get(10)?,
        hold: match row.get(11)? {
            1 => Hold::Parked,
            2 => Hold::Overdue,
            _ => Hold::None,
        },
        reason: reason(row.get(12)?, row.get(13)?),
        received_at: Timestamp::from_millis(row.get(14)?),
        updated_at: Timestamp::from_millis(row.get(15)?),
    })
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
    let Some((summary, digest, length, supersedes)) = row else { return Ok(None) };
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
    // The lowest number of each waiting state: numbers follow the order of arrival.
    let oldest: Option<i64> = conn
        .prepare_cached(
            "SELECT MIN(received_at) FROM messages WHERE id IN ( \
               SELECT MIN(id) FROM messages WHERE delivery = 0 UNION ALL SELECT MIN(id) FROM messages WHERE delivery = 2 \
               UNION ALL SELECT MIN(id) FROM messages WHERE delivery = 3 UNION ALL SELECT MIN(id) FROM messages WHERE delivery = 4)",
        )?
        .query_row([], |row| row.get(0))?;
    counts.oldest_waiting = oldest.map(Timestamp::from_millis);
    Ok(counts)
}
