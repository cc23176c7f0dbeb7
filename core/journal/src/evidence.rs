//! Evidence, checked by whoever doubts: the whole chain and every row against it, from the file alone; and an export
//! that verifies without the file.

use crate::chain::{Chain, EVENT_COLUMNS, Head, NewEvent, Segment, event_hash, read_event};
use crate::digest::{Digest, ZERO, sm3};
use crate::error::{JournalError, Result};
use crate::model::{Event, MessageId, PartId};
use crate::schema::sum;
use crate::state::{self, Entity};
use crate::store::reader;
use kouan_sdk::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub use crate::export::verify_export;

/// Faults named in one report; the rest is only counted on.
const FAULTS: usize = 100;

/// One thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The event where it shows, if it shows at one.
    pub seq: Option<i64>,
    /// The message it speaks of.
    pub message: Option<MessageId>,
    /// What does not hold.
    pub what: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Events recomputed.
    pub events: u64,
    /// Segments closed, dropped ones included.
    pub segments: u64,
    /// Segments whose events retention has dropped.
    pub dropped_segments: u64,
    /// Signed heads.
    pub heads: u64,
    /// The last event that a signed head covers; what comes after could be cut off unseen.
    pub signed_through: i64,
    /// Messages compared with their last event.
    pub messages: u64,
    /// Inbound compared with their last event.
    pub inbound: u64,
    /// Messages and inbound whose last event was dropped with its segment; compared with the digest it carried.
    pub without_event: u64,
    /// Last event, and its hash in hex: compare it with one that you kept.
    pub head: (i64, String),
    /// What does not hold, the first first; at most a hundred.
    pub faults: Vec<Fault>,
}

impl Verification {
    /// Whether everything holds.
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }

    pub(crate) fn fault(&mut self, seq: Option<i64>, message: Option<i64>, what: impl Into<String>) {
        if self.faults.len() < FAULTS {
            self.faults.push(Fault { seq, message: message.map(MessageId), what: what.into() });
        }
    }
}

/// A head and its signature, for whoever can verify signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// Segment that it closes.
    pub segment: i64,
    /// Its event.
    pub seq: i64,
    /// The event's hash: these 64 hex characters are what was signed.
    pub hash: String,
    /// The signature.
    #[serde(with = "hex_bytes")]
    pub signature: Vec<u8>,
    /// The signer's certificate, DER.
    #[serde(with = "hex_bytes")]
    pub certificate: Vec<u8>,
    /// When it was recorded.
    pub at: Timestamp,
}

impl From<&Head> for SignedHead {
    fn from(head: &Head) -> Self {
        Self {
            segment: head.segment,
            seq: head.seq,
            hash: hex::encode(head.hash),
            signature: head.signature.clone(),
            certificate: head.certificate.clone(),
            at: Timestamp::from_millis(head.at),
        }
    }
}

mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Says whether a head's signature is good; the text says why not.
pub type SignatureCheck<'a> = dyn FnMut(&SignedHead) -> std::result::Result<(), String> + 'a;

/// Verifies a journal's file, read only, in bounded memory. Damage is a fault in the report, not an error; `Err` only if
/// the file cannot be opened at all.
pub fn verify(path: &Path, signature: &mut SignatureCheck<'_>) -> Result<Verification> {
    let mut report = Verification::default();
    let conn = match reader(path) {
        Ok(conn) => conn,
        Err(error @ JournalError::Corrupt { .. }) => {
            report.fault(None, None, error.to_string());
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    conn.execute_batch("BEGIN")?;
    if let Err(error) = verify_all(&conn, signature, &mut report) {
        match error {
            JournalError::Io { .. } | JournalError::Busy => return Err(error),
            error => report.fault(None, None, error.to_string()),
        }
    }
    Ok(report)
}

fn verify_all(conn: &Connection, signature: &mut SignatureCheck<'_>, report: &mut Verification) -> Result<()> {
    settings(conn, report)?;
    let segments = segments(conn, report)?;
    let heads = heads(conn, signature, report)?;
    let seen = events(conn, &segments, &heads, report)?;
    alarms(conn, &seen, report)?;
    entities(conn, &seen, report)?;
    contents(conn, report)?;
    strays(conn, report)?;
    crate::tallies::faults(conn)?.into_iter().for_each(|what| report.fault(None, None, what));
    let sound: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        report.fault(None, None, sound);
    }
    Ok(())
}

/// Settings and wire id marks carry their own sums.
fn settings(conn: &Connection, report: &mut Verification) -> Result<()> {
    for (what, query) in [
        ("setting", "SELECT name, value, sum FROM meta"),
        ("wire id mark of", "SELECT dxp_id, CAST(last AS TEXT), sum FROM wire_ids"),
        ("kept state of", "SELECT entity, state, sum FROM kept_states"),
    ] {
        let mut statement = conn.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
            if row.get::<_, Vec<u8>>(2)? != sum(&name, &value) {
                report.fault(None, None, format!("{what} {name} was changed"));
            }
        }
    }
    for name in ["environment", "journal_id", "default_site", "disposing_sites", "last_name"] {
        if crate::schema::meta(conn, name)?.is_none() {
            report.fault(None, None, format!("setting {name} is missing"));
        }
    }
    let unmarked = "SELECT DISTINCT identity FROM messages m WHERE identity NOT IN (SELECT dxp_id FROM wire_ids) \
                    AND EXISTS (SELECT 1 FROM parts p WHERE p.message = m.id)";
    let mut statement = conn.prepare(unmarked)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        report.fault(None, None, format!("wire id mark of {} is missing", row.get::<_, String>(0)?));
    }
    Ok(())
}

/// Segments follow each other without a gap.
fn segments(conn: &Connection, report: &mut Verification) -> Result<Vec<Segment>> {
    let mut statement = conn.prepare(&format!("SELECT {} FROM segments ORDER BY id", Segment::COLUMNS))?;
    let read = statement.query_map([], Segment::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let (mut id, mut next, mut hash) = (1, 1, ZERO);
    for (segment, stored) in &read {
        if segment.sum() != *stored {
            report.fault(Some(segment.last_seq), None, format!("the header of segment {} was changed", segment.id));
        }
        if (segment.id, segment.first_seq, segment.prev_hash) != (id, next, hash)
            || segment.last_seq < segment.first_seq - 1
        {
            report.fault(
                Some(segment.first_seq),
                None,
                format!("segment {} does not follow the one before", segment.id),
            );
        }
        (id, next, hash) = (segment.id + 1, segment.last_seq + 1, segment.hash);
    }
    report.segments = read.len() as u64;
    Ok(read.into_iter().map(|(segment, _)| segment).collect())
}

fn heads(
    conn: &Connection,
    signature: &mut SignatureCheck<'_>,
    report: &mut Verification,
) -> Result<BTreeMap<i64, Head>> {
    let mut statement = conn.prepare(&format!("SELECT {} FROM heads ORDER BY seq", Head::COLUMNS))?;
    let read = statement.query_map([], Head::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for (head, stored) in &read {
        if head.sum() != *stored {
            report.fault(Some(head.seq), None, format!("the signed head at {} was changed", head.seq));
        }
        if let Err(why) = signature(&SignedHead::from(head)) {
            report.fault(
                Some(head.seq),
                None,
                format!("the signature of the head at {} does not hold: {why}", head.seq),
            );
        }
        report.signed_through = report.signed_through.max(head.seq);
    }
    let mut kept = conn.prepare("SELECT substr(entity, 6), state FROM kept_states WHERE entity LIKE 'head/%'")?;
    let kept = kept
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    for (seq, sum) in kept {
        let agrees = |(head, _): &(Head, Digest)| head.seq.to_string() == seq && hex::encode(head.sum()) == sum;
        if !read.iter().any(agrees) {
            report.fault(None, None, format!("the signed head at {seq} is missing or changed"));
        }
    }
    report.heads = read.len() as u64;
    Ok(read.into_iter().map(|(head, _)| (head.seq, head)).collect())
}

/// What the events said of rows that have no event of their own in mind.
#[derive(Default)]
struct Seen {
    first: i64,
    alarms: BTreeSet<i64>,
    /// Alarm → number of the event that took it off.
    acknowledged: BTreeMap<i64, i64>,
}

/// Recomputes every hash; compares segments, heads, and the chain's own mark on the way.
fn events(
    conn: &Connection,
    segments: &[Segment],
    heads: &BTreeMap<i64, Head>,
    report: &mut Verification,
) -> Result<Seen> {
    let mut statement = conn.prepare(&format!("SELECT {EVENT_COLUMNS}, inbound FROM events ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let mut walk: Option<Walk> = None;
    let mut seen = Seen::default();
    while let Some(row) = rows.next()? {
        let event = read_event(row)?;
        let inbound: Option<i64> = row.get(7)?;
        let walk = match &mut walk {
            Some(walk) => walk,
            None => {
                seen.first = event.seq;
                walk.insert(Walk::from(&event, segments, report))
            }
        };
        walk.step(&event, report);
        if inbound != inbound_of(&event) {
            report.fault(Some(event.seq), None, "the event's inbound number was changed");
        }
        if let Some(segment) = segments.iter().find(|segment| segment.last_seq == event.seq)
            && hex::encode(segment.hash) != event.hash
        {
            report.fault(Some(event.seq), None, format!("segment {} ends in another hash", segment.id));
        }
        if let Some(head) = heads.get(&event.seq)
            && hex::encode(head.hash) != event.hash
        {
            report.fault(Some(event.seq), None, "the signed head says another hash");
        }
        note(&event, heads, &mut seen, report);
        if event.seq == 1 {
            origin(conn, &event, report)?;
        }
        report.events += 1;
    }
    let (seq, hash) = walk.map_or((0, ZERO), |walk| (walk.seq, walk.hash));
    report.head = (seq, hex::encode(hash));
    finish(conn, segments, heads, &seen, (seq, hash), report)?;
    Ok(seen)
}

/// What certain events say is looked up in their tables.
fn note(event: &Event, heads: &BTreeMap<i64, Head>, seen: &mut Seen, report: &mut Verification) {
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
    match event.kind.as_str() {
        "alarm" => {
            seen.alarms.insert(event.seq);
        }
        "alarm_acknowledged" => {
            let alarms = data["alarms"].as_array().cloned().unwrap_or_default();
            seen.acknowledged.extend(alarms.iter().filter_map(|id| Some((id.as_i64()?, event.seq))));
        }
        "head_signed" => {
            let head = data["seq"].as_i64().and_then(|seq| heads.get(&seq));
            if head.is_none_or(|head| data["sum"] != hex::encode(head.sum())) {
                report.fault(Some(event.seq), None, "the head that this event recorded is missing or changed");
            }
        }
        _ => {}
    }
}

fn origin(conn: &Connection, event: &Event, report: &mut Verification) -> Result<()> {
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
    for name in ["environment", "journal_id"] {
        if data[name].as_str() != crate::schema::meta(conn, name)?.as_deref() {
            report.fault(Some(event.seq), None, format!("{name} is not what the first event says"));
        }
    }
    Ok(())
}

fn finish(
    conn: &Connection,
    segments: &[Segment],
    heads: &BTreeMap<i64, Head>,
    seen: &Seen,
    (seq, hash): (i64, Digest),
    report: &mut Verification,
) -> Result<()> {
    let (segment, first, prev) =
        segments.last().map_or((1, 1, ZERO), |last| (last.id + 1, last.last_seq + 1, last.hash));
    let expected = Chain { seq, hash, segment, segment_first: first, segment_prev: prev };
    if Chain::read(conn)? != expected {
        report.fault(Some(seq), None, "the chain's mark does not agree with the last event");
    }
    report.dropped_segments = segments.iter().filter(|segment| segment.last_seq < seen.first).count() as u64;
    for head in heads.values().filter(|head| head.seq < seen.first) {
        let kept = segments.iter().find(|segment| segment.last_seq == head.seq);
        if kept.is_some_and(|segment| segment.hash != head.hash) {
            report.fault(Some(head.seq), None, "the signed head does not agree with its dropped segment");
        }
    }
    if let Some(head) = heads.keys().next_back().filter(|last| **last > seq) {
        report.fault(Some(*head), None, format!("the chain ends at {seq}, before a signed head"));
    }
    Ok(())
}

/// The place in the chain while it is walked.
pub(crate) struct Walk {
    pub(crate) seq: i64,
    pub(crate) hash: Digest,
}

impl Walk {
    /// Begins before the first event, or at the segment that the first event left begins.
    pub(crate) fn from(first: &Event, segments: &[Segment], report: &mut Verification) -> Self {
        if first.seq == 1 {
            return Self { seq: 0, hash: ZERO };
        }
        match segments.iter().find(|segment| segment.last_seq == first.seq - 1) {
            Some(segment) => Self { seq: segment.last_seq, hash: segment.hash },
            None => {
                report.fault(Some(first.seq), None, "events before this one are missing, and no segment ends there");
                Self { seq: first.seq - 1, hash: ZERO }
            }
        }
    }

    pub(crate) fn step(&mut self, event: &Event, report: &mut Verification) {
        if event.seq != self.seq + 1 {
            report.fault(Some(self.seq + 1), None, format!("events {} to {} are missing", self.seq + 1, event.seq - 1));
        }
        let hash = event_hash(
            &self.hash,
            event.seq,
            &NewEvent {
                at: event.at.millis(),
                kind: event.kind.clone(),
                message: event.message.map(|id| id.0),
                part: event.part.map(|PartId(id)| id),
                inbound: inbound_of(event),
                data: event.data.clone(),
            },
        );
        if hex::encode(hash) != event.hash {
            report.fault(Some(event.seq), event.message.map(|id| id.0), "the event or the one before it was changed");
        }
        self.seq = event.seq;
        // The stored hash leads on, so that one change is one fault.
        self.hash = hex::decode(&event.hash).ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or(hash);
    }
}

/// The inbound that an event speaks of stands in its data.
fn inbound_of(event: &Event) -> Option<i64> {
    let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
    data["inbound"].as_i64()
}

fn alarms(conn: &Connection, seen: &Seen, report: &mut Verification) -> Result<()> {
    let mut statement = conn.prepare(
        "SELECT a.id, a.acknowledged, e.seq IS NOT NULL AND e.kind = 'alarm' AND e.at = a.at AND e.message IS a.message \
         AND json_extract(e.data, '$.code') = a.code AND json_extract(e.data, '$.text') = a.text \
         FROM alarms a LEFT JOIN events e ON e.seq = a.id WHERE a.id >= ?1 ORDER BY a.id",
    )?;
    let mut rows = statement.query([seen.first])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let (id, acknowledged, agrees): (i64, Option<i64>, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        found.insert(id);
        if !agrees || acknowledged != seen.acknowledged.get(&id).copied() {
            report.fault(Some(id), None, format!("alarm {id} does not agree with its events"));
        }
    }
    for missing in seen.alarms.difference(&found) {
        report.fault(Some(*missing), None, format!("alarm {missing} is missing"));
    }
    old_alarms(conn, seen, report)
}

/// All that an alarm says, as one text.
pub(crate) const ALARM: &str = "json_array(id, at, code, text, message)";

/// Alarms that outlived their event, against the digest that was kept of them.
fn old_alarms(conn: &Connection, seen: &Seen, report: &mut Verification) -> Result<()> {
    let mut statement = conn.prepare(&format!("SELECT id, {ALARM}, acknowledged FROM alarms WHERE id < ?1"))?;
    let mut rows = statement.query([seen.first])?;
    let mut found = 0;
    while let Some(row) = rows.next()? {
        let (id, alarm): (i64, String) = (row.get(0)?, row.get(1)?);
        let kept = kept_state(conn, &format!("alarm/{id}"))?;
        if kept != Some(hex::encode(sm3(alarm.as_bytes())))
            || row.get::<_, Option<i64>>(2)? != seen.acknowledged.get(&id).copied()
        {
            report.fault(None, None, format!("alarm {id} was changed"));
        }
        found += i64::from(kept.is_some());
    }
    let missing: i64 = conn.query_row(
        "SELECT COUNT(*) FROM kept_states k WHERE k.entity LIKE 'alarm/%' AND NOT EXISTS (SELECT 1 FROM alarms a WHERE k.entity = 'alarm/' || a.id)",
        [],
        |row| row.get(0),
    )?;
    if missing > 0 {
        report.fault(None, None, format!("{missing} alarms are missing, {found} older ones are there"));
    }
    Ok(())
}

fn kept_state(conn: &Connection, entity: &str) -> Result<Option<String>> {
    let mut statement = conn.prepare_cached("SELECT state FROM kept_states WHERE entity = ?1")?;
    Ok(statement.query_row([entity], |row| row.get(0)).optional()?)
}

/// All that the tables say of each message and inbound, against the digest in the last event about it.
fn entities(conn: &Connection, seen: &Seen, report: &mut Verification) -> Result<()> {
    for (list, last, name) in [
        (
            "SELECT id FROM messages ORDER BY id",
            "SELECT seq, data FROM events WHERE message = ?1 ORDER BY seq DESC LIMIT 1",
            "message",
        ),
        (
            "SELECT id FROM inbound ORDER BY id",
            "SELECT seq, data FROM events WHERE inbound = ?1 ORDER BY seq DESC LIMIT 1",
            "inbound",
        ),
    ] {
        let mut statement = conn.prepare(list)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let (entity, field, message) = match name {
                "message" => (Entity::Message(id), "state", Some(id)),
                _ => (Entity::Inbound(id), "inbound_state", None),
            };
            let event: Option<(i64, String)> =
                conn.prepare_cached(last)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match event {
                Some((seq, data)) => {
                    let data: serde_json::Value = serde_json::from_str(&data).unwrap_or_default();
                    if data[field] != hex::encode(state::digest(conn, entity)?) {
                        report.fault(
                            Some(seq),
                            message,
                            format!("the rows of {name} {id} are not what its last event says"),
                        );
                    }
                }
                None => {
                    report.without_event += u64::from(seen.first > 1);
                    let kept = kept_state(conn, &format!("{name}/{id}"))?;
                    if kept != Some(hex::encode(state::digest(conn, entity)?)) {
                        report.fault(None, message, format!("{name} {id} has no event, and no kept state agrees"));
                    }
                }
            }
            match name {
                "message" => report.messages += 1,
                _ => report.inbound += 1,
            }
        }
    }
    Ok(())
}

/// Bytes against the digests in their rows. (What, rows with digest and bytes, whether the bytes may be gone.)
const CONTENTS: &[(&str, &str)] = &[
    (
        "body of message",
        "SELECT m.id, m.body_digest, b.bytes, m.bodies_dropped_at IS NOT NULL FROM messages m \
         LEFT JOIN bodies b ON b.message = m.id",
    ),
    (
        "report of message",
        "SELECT m.id, m.report_digest, CAST(r.report AS BLOB), 0 FROM messages m LEFT JOIN reports r ON r.message = m.id \
         WHERE m.report_digest IS NOT NULL",
    ),
    (
        "payload of part",
        "SELECT p.id, p.payload_digest, b.bytes, m.bodies_dropped_at IS NOT NULL FROM parts p \
         JOIN messages m ON m.id = p.message LEFT JOIN payloads b ON b.part = p.id WHERE p.payload_kind = 1",
    ),
    (
        "sealed bytes",
        "SELECT s.id, s.digest, b.bytes, m.bodies_dropped_at IS NOT NULL FROM sealed s \
         JOIN messages m ON m.id = s.message LEFT JOIN sealed_bytes b ON b.sealed = s.id",
    ),
    (
        "raw bytes of inbound",
        "SELECT i.id, i.raw_digest, b.raw, i.bytes_dropped_at IS NOT NULL FROM inbound i \
         LEFT JOIN inbound_bytes b ON b.inbound = i.id",
    ),
    (
        "payload of inbound",
        "SELECT i.id, i.payload_digest, COALESCE(b.payload, b.raw), i.bytes_dropped_at IS NOT NULL FROM inbound i \
         LEFT JOIN inbound_bytes b ON b.inbound = i.id WHERE i.payload_digest IS NOT NULL",
    ),
    (
        "bytes of effect",
        "SELECT e.id, e.body_digest, b.bytes, e.done_at IS NOT NULL FROM effects e \
         LEFT JOIN effect_bytes b ON b.effect = e.id WHERE e.body = 0",
    ),
];

fn contents(conn: &Connection, report: &mut Verification) -> Result<()> {
    for (what, query) in CONTENTS {
        let mut statement = conn.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let stored = row.get_ref(2)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            let digest: Option<Digest> = row.get(1)?;
            match stored {
                Some(bytes) if Some(sm3(bytes)) != digest => {
                    report.fault(None, None, format!("{what} {id}: the bytes were changed"));
                }
                None if !row.get::<_, bool>(3)? => {
                    report.fault(None, None, format!("{what} {id}: the bytes are missing"))
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Rows that belong to nothing; each query gives their numbers.
const STRAYS: &[(&str, &str)] = &[
    (
        "a message in events",
        "SELECT DISTINCT message FROM events WHERE message IS NOT NULL AND message NOT IN (SELECT id FROM messages)",
    ),
    (
        "an inbound in events",
        "SELECT DISTINCT inbound FROM events WHERE inbound IS NOT NULL AND inbound NOT IN (SELECT id FROM inbound)",
    ),
    (
        "a body",
        "SELECT message FROM bodies WHERE message NOT IN (SELECT id FROM messages WHERE bodies_dropped_at IS NULL)",
    ),
    (
        "a report",
        "SELECT message FROM reports WHERE message NOT IN (SELECT id FROM messages WHERE report_digest IS NOT NULL)",
    ),
    ("a key", "SELECT message FROM keys WHERE message NOT IN (SELECT id FROM messages)"),
    ("a part", "SELECT id FROM parts WHERE message NOT IN (SELECT id FROM messages)"),
    ("a payload", "SELECT part FROM payloads WHERE part NOT IN (SELECT id FROM parts WHERE payload_kind = 1)"),
    ("an attempt", "SELECT id FROM attempts WHERE message NOT IN (SELECT id FROM messages)"),
    ("sealed bytes", "SELECT id FROM sealed WHERE message NOT IN (SELECT id FROM messages)"),
    ("sealed content", "SELECT sealed FROM sealed_bytes WHERE sealed NOT IN (SELECT id FROM sealed)"),
    ("inbound bytes", "SELECT inbound FROM inbound_bytes WHERE inbound NOT IN (SELECT id FROM inbound)"),
    (
        "a payload of an inbound",
        "SELECT b.inbound FROM inbound_bytes b JOIN inbound i ON i.id = b.inbound WHERE b.payload IS NOT NULL AND i.payload_kind = 0",
    ),
    ("an unmatched key", "SELECT inbound FROM unmatched_keys WHERE inbound NOT IN (SELECT id FROM inbound)"),
    (
        "an effect",
        "SELECT id FROM effects WHERE (message IS NULL AND inbound IS NULL) \
         OR (message IS NOT NULL AND message NOT IN (SELECT id FROM messages)) \
         OR (inbound IS NOT NULL AND inbound NOT IN (SELECT id FROM inbound))",
    ),
    (
        "a kept state",
        "SELECT CAST(substr(entity, instr(entity, '/') + 1) AS INTEGER) FROM kept_states WHERE entity NOT LIKE 'alarm/%' AND entity NOT LIKE 'head/%' \
         AND entity NOT IN (SELECT 'message/' || id FROM messages UNION ALL SELECT 'inbound/' || id FROM inbound)",
    ),
    ("effect bytes", "SELECT effect FROM effect_bytes WHERE effect NOT IN (SELECT id FROM effects WHERE body = 0)"),
];

fn strays(conn: &Connection, report: &mut Verification) -> Result<()> {
    for (what, query) in STRAYS {
        let mut statement = conn.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            report.fault(None, None, format!("{what} belongs to nothing: {}", row.get::<_, i64>(0)?));
        }
    }
    Ok(())
}
