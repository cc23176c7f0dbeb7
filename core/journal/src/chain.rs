//! The evidence chain (证据链): what an event's hash covers, how events are appended, when a segment closes.

use crate::digest::{Digest, Hasher, ZERO, sm3_fields};
use crate::error::{JournalError, Result};
use crate::model::{Event, MessageId, PartId};
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

/// Where the chain stands: its last event, and the segment that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) seq: i64,
    pub(crate) hash: Digest,
    pub(crate) segment: i64,
    pub(crate) segment_first: i64,
    pub(crate) segment_prev: Digest,
}

impl Chain {
    /// Before the first event.
    pub(crate) const START: Self = Self { seq: 0, hash: ZERO, segment: 1, segment_first: 1, segment_prev: ZERO };

    /// Read anew in each transaction: another process may have written since.
    pub(crate) fn read(conn: &Connection) -> Result<Self> {
        let mut statement =
            conn.prepare_cached("SELECT seq, hash, segment, segment_first, segment_prev FROM chain WHERE id = 1")?;
        let chain = statement
            .query_row([], |row| {
                Ok(Self {
                    seq: row.get(0)?,
                    hash: row.get(1)?,
                    segment: row.get(2)?,
                    segment_first: row.get(3)?,
                    segment_prev: row.get(4)?,
                })
            })
            .optional()?;
        chain.ok_or_else(|| JournalError::corrupt("the chain's head is missing"))
    }

    pub(crate) fn write(&self, conn: &Connection) -> Result<()> {
        let mut statement = conn.prepare_cached(
            "INSERT OR REPLACE INTO chain (id, seq, hash, segment, segment_first, segment_prev) VALUES (1, ?1, ?2, ?3, ?4, ?5)",
        )?;
        statement.execute(params![self.seq, self.hash, self.segment, self.segment_first, self.segment_prev])?;
        Ok(())
    }

    /// Appends one event.
    pub(crate) fn append(&mut self, conn: &Connection, event: &NewEvent) -> Result<()> {
        let seq = self.seq + 1;
        let hash = event_hash(&self.hash, seq, event);
        let mut statement = conn.prepare_cached(
            "INSERT INTO events (seq, at, kind, message, part, inbound, data, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        statement.execute(params![
            seq,
            event.at,
            event.kind,
            event.message,
            event.part,
            event.inbound,
            event.data,
            hash
        ])?;
        self.seq = seq;
        self.hash = hash;
        Ok(())
    }

    /// Closes the open segment at an event inside it; what comes after belongs to the next one.
    pub(crate) fn close_segment(&mut self, conn: &Connection, last_seq: i64, hash: Digest, at: i64) -> Result<()> {
        let segment = Segment {
            id: self.segment,
            first_seq: self.segment_first,
            last_seq,
            prev_hash: self.segment_prev,
            hash,
            closed_at: at,
        };
        segment.write(conn)?;
        self.segment += 1;
        self.segment_first = last_seq + 1;
        self.segment_prev = hash;
        Ok(())
    }
}

/// The header of a closed segment; it outlives the segment's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) id: i64,
    pub(crate) first_seq: i64,
    pub(crate) last_seq: i64,
    pub(crate) prev_hash: Digest,
    pub(crate) hash: Digest,
    pub(crate) closed_at: i64,
}

impl Segment {
    pub(crate) fn sum(&self) -> Digest {
        let numbers = [self.id, self.first_seq, self.last_seq, self.closed_at].map(i64::to_be_bytes);
        sm3_fields(&[&numbers[0], &numbers[1], &numbers[2], &numbers[3], &self.prev_hash, &self.hash])
    }

    fn write(&self, conn: &Connection) -> Result<()> {
        let mut statement = conn.prepare_cached(
            "INSERT INTO segments (id, first_seq, last_seq, prev_hash, hash, closed_at, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        statement.execute(params![
            self.id,
            self.first_seq,
            self.last_seq,
            self.prev_hash,
            self.hash,
            self.closed_at,
            self.sum()
        ])?;
        Ok(())
    }

    pub(crate) const COLUMNS: &'static str = "id, first_seq, last_seq, prev_hash, hash, closed_at, sum";

    /// From [`Self::COLUMNS`]; with the stored sum.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<(Self, Digest)> {
        let segment = Self {
            id: row.get(0)?,
            first_seq: row.get(1)?,
            last_seq: row.get(2)?,
            prev_hash: row.get(3)?,
            hash: row.get(4)?,
            closed_at: row.get(5)?,
        };
        Ok((segment, row.get(6)?))
    }
}

/// A signature over the hash of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) segment: i64,
    pub(crate) hash: Digest,
    pub(crate) signature: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) at: i64,
}

impl Head {
    pub(crate) fn sum(&self) -> Digest {
        let numbers = [self.seq, self.segment, self.at].map(i64::to_be_bytes);
        sm3_fields(&[&numbers[0], &numbers[1], &numbers[2], &self.hash, &self.signature, &self.certificate])
    }

    pub(crate) const COLUMNS: &'static str = "seq, segment, hash, signature, certificate, at, sum";

    /// From [`Self::COLUMNS`]; with the stored sum.
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<(Self, Digest)> {
        let head = Self {
            seq: row.get(0)?,
            segment: row.get(1)?,
            hash: row.get(2)?,
            signature: row.get(3)?,
            certificate: row.get(4)?,
            at: row.get(5)?,
        };
        Ok((head, row.get(6)?))
    }
}

/// An event before it has its place in the chain.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) at: i64,
    pub(crate) kind: String,
    pub(crate) message: Option<i64>,
    pub(crate) part: Option<i64>,
    pub(crate) inbound: Option<i64>,
    pub(crate) data: String,
}

/// SM3(hash before ‖ canonical bytes of the event). Text is preceded by its length, a missing number by a zero byte, so
/// that no two events have the same bytes.
pub(crate) fn event_hash(previous: &Digest, seq: i64, event: &NewEvent) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(b"kouan-event-1");
    hasher.update(previous);
    hasher.update(&seq.to_be_bytes());
    hasher.update(&event.at.to_be_bytes());
    for text in [&event.kind, &event.data] {
        hasher.update(&(text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    for number in [event.message, event.part, event.inbound] {
        match number {
            Some(number) => {
                hasher.update(&[1]);
                hasher.update(&number.to_be_bytes());
            }
            None => hasher.update(&[0]),
        }
    }
    hasher.finish()
}

pub(crate) const EVENT_COLUMNS: &str = "seq, at, kind, message, part, data, hash";

/// From [`EVENT_COLUMNS`].
pub(crate) fn read_event(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        seq: row.get(0)?,
        at: Timestamp::from_millis(row.get(1)?),
        kind: row.get(2)?,
        message: row.get::<_, Option<i64>>(3)?.map(MessageId),
        part: row.get::<_, Option<i64>>(4)?.map(PartId),
        data: row.get(5)?,
        hash: hex::encode(row.get::<_, Digest>(6)?),
    })
}

impl SqliteJournal {
    /// Unsigned head of the chain: (segment, seq, hash). Seq 0 = no event yet.
    pub fn head(&self) -> Result<(i64, i64, String)> {
        self.read(|conn| {
            let chain = Chain::read(conn)?;
            let segment = if chain.seq < chain.segment_first { chain.segment - 1 } else { chain.segment };
            Ok((segment.max(1), chain.seq, hex::encode(chain.hash)))
        })
    }

    /// Records the signature of a head and closes its segment. `signature` is over the hash as [`Self::head`] gave it
    /// (64 hex characters); `certificate` is the signer's, DER. Nothing is recorded if only the recording of an earlier head
    /// has happened since that head. Errors: [`JournalError::Unknown`] if `seq` is not in the chain.
    pub fn record_head(&self, segment: i64, seq: i64, signature: &[u8], certificate: &[u8]) -> Result<()> {
        let (signature, certificate) = (signature.to_vec(), certificate.to_vec());
        let bytes = signature.len() + certificate.len();
        self.write(Class::State, bytes, move |tx| record_head(tx, segment, seq, &signature, &certificate))
    }
}

fn record_head(tx: &mut Tx<'_>, segment: i64, seq: i64, signature: &[u8], certificate: &[u8]) -> Result<()> {
    let conn = tx.conn;
    let find = |seq: i64| {
        conn.query_row("SELECT hash, kind FROM events WHERE seq = ?1", [seq], |row| {
            Ok((row.get::<_, Digest>(0)?, row.get::<_, String>(1)?))
        })
        .optional()
    };
    let Some((hash, kind)) = find(seq)? else { return Err(JournalError::Unknown { what: "event", id: seq }) };
    let signed_before: Option<i64> = conn
        .query_row("SELECT seq FROM heads WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1", [seq], |row| row.get(0))
        .optional()?;
    if signed_before == Some(seq) || (kind == "head_signed" && signed_before == Some(seq - 1)) {
        return Ok(());
    }
    if seq >= tx.chain.segment_first {
        let at = tx.now.millis();
        tx.chain.close_segment(conn, seq, hash, at)?;
    }
    let head = Head {
        seq,
        segment,
        hash,
        signature: signature.to_vec(),
        certificate: certificate.to_vec(),
        at: tx.now.millis(),
    };
    conn.execute(
        "INSERT INTO heads (seq, segment, hash, signature, certificate, at, sum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![head.seq, head.segment, head.hash, head.signature, head.certificate, head.at, head.sum()],
    )?;
    let data = json!({"segment": segment, "seq": seq, "hash": hex::encode(hash), "sum": hex::encode(head.sum())});
    tx.event("head_signed", About::nothing(), data);
    Ok(())
}
