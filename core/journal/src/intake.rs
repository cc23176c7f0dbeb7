//! Intake: a message's bytes become durable, once for each delivery of its source.

use crate::digest::sm3;
use crate::error::{JournalError, Result};
use crate::model::{Accepted, MessageId, NewMessage, Unchecked};
use crate::sources::{self, Found, Source};
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::Timestamp;
use kouan_sdk::business::Report;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

impl SqliteJournal {
    /// Takes messages in; the source may be settled when this returns. The same (site, source id)
    /// again with the same bytes is `Known`, and so is what its site still holds under that id; with other bytes it is
    /// new, with an event and an alarm.
    pub fn accept(&self, batch: Vec<NewMessage>) -> Result<Vec<Accepted>> {
        let bytes = batch.iter().map(|message| message.body.len()).sum();
        self.write(Class::Intake, bytes, move |tx| {
            batch.iter().map(|message| accept(tx, message)).collect::<Result<Vec<_>>>()
        })
    }

    /// Messages that wait for their check, in the order of arrival, after `after`: at most `limit`, and about
    /// `max_bytes` (at least one).
    pub fn unchecked(&self, after: MessageId, limit: usize, max_bytes: usize) -> Result<Vec<Unchecked>> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, site, source_id, file_name, headers, received_at, body_length FROM messages \
                 INDEXED BY messages_received WHERE delivery = 0 AND id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let mut rows = statement.query(params![after.0, limit as i64])?;
            let (mut found, mut bytes) = (Vec::new(), 0usize);
            while let Some(row) = rows.next()? {
                bytes = bytes.saturating_add(usize::try_from(row.get::<_, i64>(6)?).unwrap_or(0));
                if bytes > max_bytes && !found.is_empty() {
                    break;
                }
                found.push(unchecked(conn, row)?);
            }
            Ok(found)
        })
    }

    /// The report and original of a message, for planning a late payload. Errors: [`JournalError::BodyDropped`].
    pub fn original(&self, id: MessageId) -> Result<(Unchecked, Report)> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, site, source_id, file_name, headers, received_at FROM messages WHERE id = ?1",
            )?;
            let mut rows = statement.query([id.0])?;
            let Some(row) = rows.next()? else { return Err(JournalError::Unknown { what: "message", id: id.0 }) };
            let original = unchecked(conn, row)?;
            Ok((original, report(conn, id)?.unwrap_or_default()))
        })
    }
}

fn unchecked(conn: &Connection, row: &Row<'_>) -> Result<Unchecked> {
    let id = MessageId(row.get(0)?);
    let headers: String = row.get(4)?;
    Ok(Unchecked {
        id,
        message: NewMessage {
            site: row.get(1)?,
            source_id: row.get(2)?,
            file_name: row.get(3)?,
            headers: serde_json::from_str(&headers)?,
            body: body(conn, id)?.into(),
        },
        received_at: Timestamp::from_millis(row.get(5)?),
    })
}

/// The original bytes.
pub(crate) fn body(conn: &Connection, id: MessageId) -> Result<Vec<u8>> {
    let bytes = conn
        .prepare_cached("SELECT bytes FROM bodies WHERE message = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    bytes.ok_or(JournalError::BodyDropped { message: id })
}

/// The stored report, if the message was checked.
pub(crate) fn report(conn: &Connection, id: MessageId) -> Result<Option<Report>> {
    let text: Option<String> = conn
        .prepare_cached("SELECT report FROM reports WHERE message = ?1")?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn accept(tx: &mut Tx<'_>, message: &NewMessage) -> Result<Accepted> {
    // A folder keeps what was taken until its end is shown. Should a power cut have torn it there meanwhile, it is the
    // same delivery all the same, and whole in the journal.
    let keeps = tx.sites.disposing.contains(&message.site);
    let mut statement = tx.conn.prepare_cached(
        "SELECT id, body_digest, ?3 AND NOT EXISTS (SELECT 1 FROM effects e WHERE e.message = m.id AND e.kind = 1 \
         AND e.done_at IS NOT NULL) FROM messages m WHERE site = ?1 AND source_id = ?2",
    )?;
    let found = sources::look_up(&message.source_id, &message.body, |source_id| {
        let read = |row: &Row<'_>| Ok(Found { number: row.get(0)?, digest: row.get(1)?, is_held: row.get(2)? });
        Ok(statement.query_row(params![message.site, source_id, keeps], read).optional()?)
    })?;
    match found {
        Source::Known(id) => Ok(Accepted::Known(MessageId(id))),
        Source::New { of: None, .. } => Ok(Accepted::New(insert(tx, message, None)?)),
        Source::New { id, of: Some(of) } => {
            let renamed = NewMessage { source_id: id.into_owned(), ..message.clone() };
            let id = insert(tx, &renamed, None)?;
            let source = format!("site {}", message.site);
            sources::tell_reused(tx, About::message(id), &source, &message.source_id, of)?;
            Ok(Accepted::New(id))
        }
    }
}

/// A new message in state received; `supersedes` names the one that it replaces.
pub(crate) fn insert(tx: &mut Tx<'_>, message: &NewMessage, supersedes: Option<MessageId>) -> Result<MessageId> {
    let conn = tx.conn;
    let digest = sm3(&message.body);
    conn.prepare_cached(
        "INSERT INTO messages (site, source_id, file_name, stem, headers, body_digest, body_length, received_at, \
         updated_at, supersedes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)",
    )?
    .execute(params![
        message.site,
        message.source_id,
        message.file_name,
        stem(&message.file_name),
        serde_json::to_string(&message.headers)?,
        digest,
        message.body.len() as i64,
        tx.now.millis(),
        supersedes.map(|id| id.0)
    ])?;
    let id = MessageId(conn.last_insert_rowid());
    conn.prepare_cached("INSERT INTO bodies (message, bytes) VALUES (?1, ?2)")?
        .execute(params![id.0, &message.body[..]])?;
    let data = json!({
        "site": message.site,
        "source_id": message.source_id,
        "file": message.file_name,
        "body": hex::encode(digest),
        "length": message.body.len(),
        "supersedes": supersedes,
    });
    tx.event("received", About::message(id), data);
    Ok(id)
}

/// The site's own name for a message: the file's name without folders and extension.
pub(crate) fn stem(file_name: &str) -> &str {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or(file_name);
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn a_stem_has_neither_folder_nor_extension() {
        assert_eq!(stem("TEST1.xml"), "TEST1");
        assert_eq!(stem("OutBox\\a.b.zip"), "a.b");
        assert_eq!(stem("../x/申报.XML"), "申报");
        assert_eq!(stem("noext"), "noext");
        assert_eq!(stem(".hidden"), ".hidden");
    }
}
