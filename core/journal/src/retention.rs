//! Retention: bytes are dropped after a time, identities and digests never; whole old segments of the chain are dropped
//! once a later head is signed, and their headers stay.

use crate::error::Result;
use crate::model::{InboundId, MessageId};
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;
use serde_json::json;

/// Messages or inbound whose bytes are dropped in one commit.
const BATCH: i64 = 200;

/// Pages given back to the file system in one step.
const VACUUM_PAGES: i64 = 4096;

/// What a retention did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// Messages whose bytes were dropped.
    pub messages: u64,
    /// Inbound whose bytes were dropped.
    pub inbound: u64,
    /// Segments of the chain whose events were dropped.
    pub segments: u64,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// Bytes of the file before.
    pub bytes_before: u64,
    /// Bytes of the file after.
    pub bytes_after: u64,
}

impl SqliteJournal {
    /// Drops bodies, payloads, sealed bytes and receipts' bytes of messages that were concluded, refused or skipped before
    /// this moment and not changed since, and whole signed segments of events older than it. What is still to be done
    /// at a site keeps its bytes. Small commits, so that others are not held up.
    pub fn retain(&self, before: Timestamp) -> Result<Retained> {
        let mut retained = Retained::default();
        loop {
            let (messages, inbound) = self.write(Class::State, 0, move |tx| drop_bytes(tx, before))?;
            retained.messages += messages;
            retained.inbound += inbound;
            if messages + inbound == 0 {
                break;
            }
        }
        while self.write(Class::State, 0, move |tx| drop_segment(tx, before))? {
            retained.segments += 1;
        }
        Ok(retained)
    }

    /// Gives free pages back to the file system, and empties the write-ahead log.
    pub fn compact(&self) -> Result<Compacted> {
        let size = || std::fs::metadata(self.path()).map_or(0, |file| file.len());
        let bytes_before = size();
        loop {
            let freed = self.write(Class::State, 0, |tx| {
                let free: i64 = tx.conn.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
                let mut statement = tx.conn.prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
                let mut rows = statement.query([])?;
                while rows.next()?.is_some() {}
                let left: i64 = tx.conn.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
                Ok(free - left)
            })?;
            if freed <= 0 {
                break;
            }
        }
        self.checkpoint()?;
        Ok(Compacted { bytes_before, bytes_after: size() })
    }

    /// Moves the write-ahead log into the file, on a connection of its own.
    fn checkpoint(&self) -> Result<()> {
        let conn = rusqlite::Connection::open_with_flags(self.path(), rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        conn.busy_timeout(std::time::Duration::from_secs(5))?;
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

fn drop_bytes(tx: &mut Tx<'_>, before: Timestamp) -> Result<(u64, u64)> {
    let conn = tx.conn;
    let messages = conn
        .prepare_cached(
            "SELECT id FROM messages m INDEXED BY messages_retention WHERE bodies_dropped_at IS NULL AND updated_at < ?1 \
             AND (delivery IN (1, 6) OR (delivery = 5 AND outcome = 3)) \
             AND NOT EXISTS (SELECT 1 FROM effects e WHERE e.message = m.id AND e.done_at IS NULL) \
             ORDER BY updated_at LIMIT ?2",
        )?
        .query_map(params![before.millis(), BATCH], |row| row.get(0).map(MessageId))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for &id in &messages {
        drop_message(tx, id)?;
    }
    // Receipts go with their message; unclaimed and repeated ones by their own age, once they were delivered.
    let inbound = conn
        .prepare_cached(
            "SELECT i.id FROM inbound i INDEXED BY inbound_retention LEFT JOIN messages m ON m.id = i.message \
             WHERE i.bytes_dropped_at IS NULL AND i.received_at < ?1 \
             AND (m.bodies_dropped_at IS NOT NULL OR i.state = 4 OR (i.state = 1 AND i.message IS NULL)) \
             AND NOT EXISTS (SELECT 1 FROM effects e WHERE e.inbound = i.id AND e.done_at IS NULL) \
             ORDER BY i.received_at LIMIT ?2",
        )?
        .query_map(params![before.millis(), BATCH], |row| row.get(0).map(InboundId))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for &id in &inbound {
        conn.prepare_cached("DELETE FROM inbound_bytes WHERE inbound = ?1")?.execute([id.0])?;
        conn.prepare_cached("UPDATE inbound SET bytes_dropped_at = ?2 WHERE id = ?1")?
            .execute(params![id.0, tx.now.millis()])?;
        tx.event("bytes_dropped", About::inbound(id), json!({}));
    }
    Ok((messages.len() as u64, inbound.len() as u64))
}

fn drop_message(tx: &mut Tx<'_>, id: MessageId) -> Result<()> {
    let conn = tx.conn;
    for statement in [
        "DELETE FROM bodies WHERE message = ?1",
        "DELETE FROM payloads WHERE part IN (SELECT id FROM parts WHERE message = ?1)",
        "DELETE FROM sealed_bytes WHERE sealed IN (SELECT id FROM sealed WHERE message = ?1)",
        "DELETE FROM effect_bytes WHERE effect IN (SELECT id FROM effects WHERE message = ?1)",
    ] {
        conn.prepare_cached(statement)?.execute([id.0])?;
    }
    // `updated_at` stays: dropping bytes is no change of the message.
    conn.prepare_cached("UPDATE messages SET bodies_dropped_at = ?2 WHERE id = ?1")?
        .execute(params![id.0, tx.now.millis()])?;
    tx.event("bytes_dropped", About::message(id), json!({}));
    Ok(())
}

/// Drops the events of the oldest segment that still has them, if a later head is signed, all its events are old enough,
/// and no message in it can still move.
fn drop_segment(tx: &mut Tx<'_>, before: Timestamp) -> Result<bool> {
    let conn = tx.conn;
    let first: Option<i64> = conn.query_row("SELECT MIN(seq) FROM events", [], |row| row.get(0))?;
    let Some(first) = first else { return Ok(false) };
    let segment = conn
        .prepare_cached(
            "SELECT id, last_seq, hash FROM segments s WHERE first_seq = ?1 AND closed_at < ?2 \
             AND EXISTS (SELECT 1 FROM heads h WHERE h.seq >= s.last_seq)",
        )?
        .query_map(params![first, before.millis()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, crate::digest::Digest>(2)?))
        })?
        .next()
        .transpose()?;
    let Some((id, last, hash)) = segment else { return Ok(false) };
    let in_use = conn
        .prepare_cached(
            "SELECT 1 FROM events e JOIN messages m ON m.id = e.message WHERE e.seq BETWEEN ?1 AND ?2 \
             AND (m.delivery IN (0, 2, 3, 4) OR m.updated_at >= ?3)",
        )?
        .exists(params![first, last, before.millis()])?;
    if in_use {
        return Ok(false);
    }
    conn.prepare_cached(
        "DELETE FROM kept_states WHERE entity IN (SELECT 'alarm/' || id FROM alarms WHERE acknowledged <= ?1)",
    )?
    .execute([last])?;
    conn.prepare_cached("DELETE FROM alarms WHERE acknowledged <= ?1")?.execute([last])?;
    keep_states(tx, last)?;
    conn.prepare_cached("DELETE FROM events WHERE seq BETWEEN ?1 AND ?2")?.execute([first, last])?;
    tx.event("segment_dropped", About::nothing(), json!({"segment": id, "through": last, "hash": hex::encode(hash)}));
    Ok(true)
}

/// What loses its last event keeps the digest that this event carried, so that a change in its rows is found still.
fn keep_states(tx: &Tx<'_>, last: i64) -> Result<()> {
    let kept = [
        "SELECT 'message/' || e.message, json_extract(e.data, '$.state') FROM events e WHERE e.seq <= ?1 \
         AND e.message IS NOT NULL AND json_extract(e.data, '$.state') IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM events l WHERE l.message = e.message AND l.seq > ?1) ORDER BY e.seq",
        "SELECT 'inbound/' || e.inbound, json_extract(e.data, '$.inbound_state') FROM events e WHERE e.seq <= ?1 \
         AND e.inbound IS NOT NULL AND json_extract(e.data, '$.inbound_state') IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM events l WHERE l.inbound = e.inbound AND l.seq > ?1) ORDER BY e.seq",
        "SELECT 'head/' || json_extract(data, '$.seq'), json_extract(data, '$.sum') FROM events \
         WHERE seq <= ?1 AND kind = 'head_signed' ORDER BY seq",
    ];
    for query in kept {
        let rows = tx
            .conn
            .prepare_cached(query)?
            .query_map([last], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
        rows.iter().try_for_each(|(entity, state)| keep_state(tx.conn, entity, state))?;
    }
    // Alarms that were not taken off by then outlive the event that raised them.
    let open = tx
        .conn
        .prepare_cached(&format!("SELECT id, {} FROM alarms WHERE id <= ?1", crate::evidence::ALARM))?
        .query_map([last], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    open.iter().try_for_each(|(id, alarm)| {
        keep_state(tx.conn, &format!("alarm/{id}"), &hex::encode(crate::digest::sm3(alarm.as_bytes())))
    })
}

fn keep_state(conn: &Connection, entity: &str, state: &str) -> Result<()> {
    conn.prepare_cached("INSERT OR REPLACE INTO kept_states (entity, state, sum) VALUES (?1, ?2, ?3)")?
        .execute(params![entity, state, crate::schema::sum(entity, state)])?;
    Ok(())
}
