//! The bytes that the journal holds, as they were: of one message, part or inbound, for whoever must look at them.

use crate::digest::{Digest, sm3};
use crate::error::{JournalError, Result};
use crate::model::{InboundId, MessageId, PartId};
use crate::store::SqliteJournal;
use rusqlite::{Connection, OptionalExtension};

/// Which bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The message as the site handed it over.
    Original(MessageId),
    /// What a part carries, before it was sealed.
    Payload(PartId),
    /// A part's envelope, as it was last sent or is to be sent.
    Sealed(PartId),
    /// An envelope as it came from the window, quarantined or not.
    Received(InboundId),
    /// What was in it.
    Opened(InboundId),
}

impl Kept {
    /// Digest, bytes, and whether retention has dropped them; no row if there is no such thing.
    fn query(self) -> (&'static str, i64, &'static str) {
        match self {
            Self::Original(id) => (
                "SELECT m.body_digest, b.bytes, m.bodies_dropped_at IS NOT NULL FROM messages m \
                 LEFT JOIN bodies b ON b.message = m.id WHERE m.id = ?1",
                id.0,
                "message",
            ),
            Self::Payload(id) => (
                "SELECT p.payload_digest, CASE p.payload_kind WHEN 0 THEN b.bytes ELSE y.bytes END, \
                 m.bodies_dropped_at IS NOT NULL FROM parts p JOIN messages m ON m.id = p.message \
                 LEFT JOIN bodies b ON b.message = p.message LEFT JOIN payloads y ON y.part = p.id WHERE p.id = ?1",
                id.0,
                "part",
            ),
            Self::Sealed(id) => (
                "SELECT s.digest, b.bytes, m.bodies_dropped_at IS NOT NULL FROM parts p \
                 JOIN messages m ON m.id = p.message LEFT JOIN sealed s ON s.id = p.sealed \
                 LEFT JOIN sealed_bytes b ON b.sealed = s.id WHERE p.id = ?1",
                id.0,
                "part",
            ),
            Self::Received(id) => (
                "SELECT i.raw_digest, b.raw, i.bytes_dropped_at IS NOT NULL FROM inbound i \
                 LEFT JOIN inbound_bytes b ON b.inbound = i.id WHERE i.id = ?1",
                id.0,
                "inbound",
            ),
            Self::Opened(id) => (
                "SELECT i.payload_digest, COALESCE(b.payload, b.raw), i.bytes_dropped_at IS NOT NULL FROM inbound i \
                 LEFT JOIN inbound_bytes b ON b.inbound = i.id WHERE i.id = ?1",
                id.0,
                "inbound",
            ),
        }
    }
}

impl SqliteJournal {
    /// These bytes, exactly; `None` while there are none yet: a part that waits for a key or was never sealed, an envelope
    /// that was not opened.
    ///
    /// # Errors
    /// [`JournalError::Unknown`]; [`JournalError::BytesDropped`] by retention; [`JournalError::Corrupt`] if they are missing,
    /// or not those that the journal took in.
    pub fn bytes(&self, kept: Kept) -> Result<Option<Vec<u8>>> {
        self.read(|conn| read(conn, kept))
    }
}

fn read(conn: &Connection, kept: Kept) -> Result<Option<Vec<u8>>> {
    let (query, id, what) = kept.query();
    let row: Option<(Option<Digest>, Option<Vec<u8>>, bool)> =
        conn.prepare_cached(query)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((digest, bytes, dropped)) = row else { return Err(JournalError::Unknown { what, id }) };
    match (digest, bytes) {
        (None, _) => Ok(None),
        (Some(digest), Some(bytes)) if sm3(&bytes) == digest => Ok(Some(bytes)),
        (Some(_), None) if dropped => Err(JournalError::BytesDropped { what, id }),
        (Some(_), None) => Err(JournalError::corrupt(format!("the bytes of {what} {id} are missing"))),
        (Some(_), Some(_)) => Err(JournalError::corrupt(format!("the bytes of {what} {id} are not those taken in"))),
    }
}
