//! The journal's own health: what it holds, and whether what it holds is consistent.

use crate::error::Result;
use crate::evidence::Fault;
use crate::files::beside;
use crate::lifecycle::{self, Delivery, PartState};
use crate::model::MessageId;
use crate::parts;
use crate::store::SqliteJournal;
use rusqlite::Connection;
use serde::Serialize;

/// What the journal holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the write-ahead log.
    pub log_bytes: u64,
    /// Bytes in the file that are free.
    pub free_bytes: u64,
    /// Bytes kept back for a full disk; 0 when they are given up.
    pub reserve_bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Inbound.
    pub inbound: u64,
    /// Events in the file.
    pub events: u64,
    /// Segments closed.
    pub segments: u64,
    /// Last event that a signed head covers.
    pub signed_through: i64,
    /// Version of the tables.
    pub version: i64,
}

impl SqliteJournal {
    /// The environment that the file is bound to; empty if it does not say.
    pub fn environment(&self) -> Result<String> {
        self.read(|conn| Ok(crate::schema::meta(conn, "environment")?.unwrap_or_default()))
    }

    /// Sizes and counts.
    pub fn stats(&self) -> Result<Stats> {
        let size = |suffix| std::fs::metadata(beside(self.path(), suffix)).map_or(0, |file| file.len());
        let (file_bytes, log_bytes, reserve_bytes) = (size(""), size("-wal"), size(".reserve"));
        self.read(|conn| {
            let number = |query: &str| conn.query_row(query, [], |row| row.get::<_, i64>(0));
            let count = |query: &str| number(query).map(i64::unsigned_abs);
            Ok(Stats {
                file_bytes,
                log_bytes,
                reserve_bytes,
                free_bytes: count("PRAGMA freelist_count")? * count("PRAGMA page_size")?,
                messages: count("SELECT COALESCE(MAX(id), 0) FROM messages")?,
                inbound: count("SELECT COALESCE(MAX(id), 0) FROM inbound")?,
                events: count("SELECT COALESCE(MAX(seq) - MIN(seq) + 1, 0) FROM events")?,
                segments: count("SELECT COUNT(*) FROM segments")?,
                signed_through: number("SELECT COALESCE(MAX(seq), 0) FROM heads")?,
                version: number("PRAGMA user_version")?,
            })
        })
    }

    /// The deep check: the file's structure, and what must hold between its tables. Reads everything; the gateway goes
    /// on meanwhile. An empty answer means that all holds. The chain is [`crate::evidence::verify`]'s.
    pub fn check(&self) -> Result<Vec<Fault>> {
        self.read(|conn| {
            let mut faults = Vec::new();
            let mut statement = conn.prepare("PRAGMA integrity_check(20)")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let text: String = row.get(0)?;
                if text != "ok" {
                    faults.push(Fault { seq: None, message: None, what: text });
                }
            }
            for (what, query) in INVARIANTS {
                collect(conn, what, query, &mut faults)?;
            }
            folds(conn, &mut faults)?;
            let tallies = crate::tallies::faults(conn)?;
            faults.extend(tallies.into_iter().map(|what| Fault { seq: None, message: None, what }));
            Ok(faults)
        })
    }
}

/// What must hold; each query gives the messages that break it.
const INVARIANTS: &[(&str, &str)] = &[
    ("its state is none of the seven", "SELECT id FROM messages WHERE delivery NOT BETWEEN 0 AND 6"),
    (
        "it is on its way without parts",
        "SELECT id FROM messages m WHERE delivery NOT IN (0, 1) AND NOT EXISTS (SELECT 1 FROM parts p WHERE p.message = m.id)",
    ),
    (
        "it has parts, and was never checked or was refused",
        "SELECT id FROM messages m WHERE delivery IN (0, 1) AND EXISTS (SELECT 1 FROM parts p WHERE p.message = m.id)",
    ),
    (
        "its hold is not what its marks say",
        "SELECT id FROM messages WHERE hold <> CASE WHEN parked THEN 1 WHEN overdue THEN 2 ELSE 0 END",
    ),
    ("a wire id stands at two parts", "SELECT MIN(message) FROM parts GROUP BY wire_id HAVING COUNT(*) > 1"),
    (
        "a part was sent whose payload is not known",
        "SELECT message FROM parts WHERE attempts > 0 AND payload_digest IS NULL",
    ),
    (
        "a part is sending without an open attempt",
        "SELECT p.message FROM parts p WHERE p.delivery = 3 AND NOT EXISTS ( \
           SELECT 1 FROM attempts a WHERE a.id = p.attempt AND a.ended_at IS NULL)",
    ),
    (
        "two attempts of a part are open, and it is sending",
        "SELECT p.message FROM parts p JOIN attempts a ON a.part = p.id AND a.message = p.message AND a.ended_at IS NULL \
         WHERE p.delivery = 3 GROUP BY p.id HAVING COUNT(*) > 1",
    ),
    (
        "sealed bytes changed between attempts of which one was unresolved",
        "SELECT a.message FROM attempts a JOIN attempts b ON b.part = a.part AND b.message = a.message AND b.number = a.number + 1 \
         JOIN events u ON u.message = a.message AND u.kind = 'unknown' AND json_extract(u.data, '$.attempt') = a.id \
         JOIN events s ON s.message = a.message AND s.kind = 'sending' AND json_extract(s.data, '$.attempt') = b.id \
         WHERE a.ended = 'unknown' AND a.sealed <> b.sealed AND NOT EXISTS (SELECT 1 FROM events e WHERE e.message = a.message \
           AND e.part = a.part AND e.kind IN ('found_absent', 'resolved_not_sent') AND e.seq BETWEEN u.seq AND s.seq)",
    ),
    ("its end was shown twice", "SELECT message FROM effects WHERE kind = 1 GROUP BY message HAVING COUNT(*) > 1"),
    (
        "an effect of it has no bytes",
        "SELECT e.message FROM effects e WHERE e.done_at IS NULL AND ((e.body = 0 AND NOT EXISTS (SELECT 1 FROM effect_bytes b \
           WHERE b.effect = e.id)) OR (e.body = 1 AND NOT EXISTS (SELECT 1 FROM inbound_bytes b WHERE b.inbound = e.inbound)) \
         OR (e.body = 2 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.message = e.message)))",
    ),
    (
        "its outcome is not the highest of its receipts",
        "SELECT m.id FROM messages m WHERE m.answered = 1 AND m.outcome <> (SELECT i.outcome FROM inbound i \
           WHERE i.message = m.id AND i.state = 2 ORDER BY i.rank DESC, i.noticed_at DESC, i.payload_digest DESC, i.id LIMIT 1)",
    ),
];

fn collect(conn: &Connection, what: &str, query: &str, faults: &mut Vec<Fault>) -> Result<()> {
    let mut statement = conn.prepare(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let message: Option<i64> = row.get(0)?;
        faults.push(Fault { seq: None, message: message.map(MessageId), what: what.to_owned() });
    }
    Ok(())
}

/// The message's columns are the fold of its parts, and parts are blocked exactly when they must wait.
fn folds(conn: &Connection, faults: &mut Vec<Fault>) -> Result<()> {
    let mut statement =
        conn.prepare("SELECT id, delivery, parked FROM messages WHERE delivery NOT IN (0, 1) ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = MessageId(row.get(0)?);
        let parts = parts::of_message(conn, id)?;
        let states: Vec<PartState> = parts.iter().map(|part| part.state).collect();
        let columns = (Delivery::from_number(row.get(1)?), row.get(2)?);
        if lifecycle::fold(&states).map(|(delivery, parked)| (Some(delivery), parked)) != Some(columns) {
            let what = "its state is not the fold of its parts".to_owned();
            faults.push(Fault { seq: None, message: Some(id), what });
        }
        for part in &parts {
            let before = |index: &usize| parts.get(*index).is_none_or(|p| p.state.delivery == Delivery::Sent);
            if !part.blocked && !part.preceding.iter().all(before) {
                let what = format!("part {} does not wait for the parts before it", part.id.0);
                faults.push(Fault { seq: None, message: Some(id), what });
            }
        }
    }
    Ok(())
}
