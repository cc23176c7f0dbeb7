//! Effects at sites: what is to be delivered or shown, in order, until it is done. Names are fixed here, once.

use crate::digest::{Digest, sm3, sm3_fields};
use crate::error::{JournalError, Result};
use crate::intake;
use crate::model::{Effect, EffectDone, EffectId, EffectKind, InboundId, MessageId};
use crate::schema::{meta, set_meta};
use crate::state::Entity;
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::Timestamp;
use kouan_sdk::business::ReceiptName;
use kouan_sdk::transport::{End, Header, header};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

/// Where a delivery's bytes lie.
pub(crate) enum Body<'a> {
    Own(&'a [u8]),
    Inbound(Digest),
}

const OWN: i64 = 0;
const INBOUND: i64 = 1;
const MESSAGE: i64 = 2;

impl SqliteJournal {
    /// Effects of a site whose time has come, in the order of their numbers: at most `limit`, and about `max_bytes` (at
    /// least one). What follows a failed effect of the same message waits with it; other messages go on.
    pub fn effects_due(&self, site: &str, limit: usize, max_bytes: usize) -> Result<Vec<Effect>> {
        let now = self.clock().now().millis();
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT e.id, e.message, e.inbound, e.kind, e.delivery_id, e.headers, e.body, e.ending, e.at, e.verdict, \
                 e.tries FROM effects e INDEXED BY effects_pending \
                 WHERE e.done_at IS NULL AND e.site = ?1 AND e.next_at <= ?2 AND NOT EXISTS ( \
                   SELECT 1 FROM effects b INDEXED BY effects_pending_message WHERE b.done_at IS NULL \
                   AND b.message = e.message AND b.id < e.id AND b.next_at > ?2) ORDER BY e.id LIMIT ?3",
            )?;
            let mut rows = statement.query(params![site, now, limit as i64])?;
            let (mut due, mut bytes) = (Vec::new(), 0usize);
            while let Some(row) = rows.next()? {
                let effect = effect(conn, site, row)?;
                bytes = bytes.saturating_add(length(&effect));
                if bytes > max_bytes && !due.is_empty() {
                    break;
                }
                due.push(effect);
            }
            Ok(due)
        })
    }

    /// Records how effects went. One that is done already stays done.
    pub fn record_effects(&self, batch: Vec<EffectDone>) -> Result<()> {
        self.write(Class::State, 0, move |tx| batch.iter().try_for_each(|done| record(tx, done)))
    }
}

fn length(effect: &Effect) -> usize {
    match &effect.kind {
        EffectKind::Deliver { body, .. } | EffectKind::Dispose { body, .. } => body.len(),
    }
}

fn effect(conn: &Connection, site: &str, row: &Row<'_>) -> Result<Effect> {
    let id: i64 = row.get(0)?;
    let message = row.get::<_, Option<i64>>(1)?.map(MessageId);
    let inbound: Option<i64> = row.get(2)?;
    let kind = if row.get::<_, i64>(3)? == 0 {
        let body = match row.get::<_, i64>(6)? {
            OWN => conn
                .prepare_cached("SELECT bytes FROM effect_bytes WHERE effect = ?1")?
                .query_row([id], |row| row.get::<_, Vec<u8>>(0))?,
            _ => payload(conn, inbound.unwrap_or(0))?,
        };
        EffectKind::Deliver {
            id: row.get(4)?,
            headers: serde_json::from_str(&row.get::<_, String>(5)?)?,
            body: body.into(),
        }
    } else {
        let message = message.ok_or_else(|| JournalError::corrupt(format!("effect {id} has no message")))?;
        let (source_id, headers): (String, String) = conn
            .prepare_cached("SELECT source_id, headers FROM messages WHERE id = ?1")?
            .query_row([message.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        EffectKind::Dispose {
            source_id,
            headers: serde_json::from_str(&headers)?,
            body: intake::body(conn, message)?.into(),
            end: if row.get::<_, Option<i64>>(7)? == Some(0) { End::Sent } else { End::Failed },
            at: Timestamp::from_millis(row.get(8)?),
            verdict: row.get::<_, Option<String>>(9)?.map(String::into_bytes),
        }
    };
    Ok(Effect { id: EffectId(id), site: site.to_owned(), message, kind, tries: row.get(10)? })
}

/// The payload of an inbound; the raw bytes where they are the payload.
pub(crate) fn payload(conn: &Connection, inbound: i64) -> Result<Vec<u8>> {
    let bytes = conn
        .prepare_cached("SELECT COALESCE(payload, raw) FROM inbound_bytes WHERE inbound = ?1")?
        .query_row([inbound], |row| row.get(0))
        .optional()?;
    bytes.ok_or_else(|| JournalError::corrupt(format!("the bytes of inbound {inbound} are missing")))
}

fn record(tx: &mut Tx<'_>, done: &EffectDone) -> Result<()> {
    let conn = tx.conn;
    let row = conn
        .prepare_cached("SELECT message, inbound, kind, body_digest FROM effects WHERE id = ?1 AND done_at IS NULL")?
        .query_row([done.id.0], |row| {
            Ok((
                row.get::<_, Option<i64>>(0)?,
                row.get::<_, Option<i64>>(1)?,
                row.get::<_, i64>(2)?,
                row.get::<_, Digest>(3)?,
            ))
        })
        .optional()?;
    let Some((message, inbound, kind, digest)) = row else { return Ok(()) };
    let about = About::nothing().or_message(message.map(MessageId));
    let about = inbound.map_or(about, |id| about.with_inbound(InboundId(id)));
    match &done.result {
        Ok(()) => {
            conn.prepare_cached(
                "UPDATE effects SET done_at = ?2, next_at = 0, reason_code = NULL, reason_text = NULL WHERE id = ?1",
            )?
            .execute(params![done.id.0, tx.now.millis()])?;
            if let (0, Some(inbound)) = (kind, inbound) {
                conn.prepare_cached("UPDATE inbound SET delivered_at = ?2 WHERE id = ?1")?
                    .execute(params![inbound, tx.now.millis()])?;
            }
            let kind = if kind == 0 { "delivered" } else { "disposed" };
            tx.event(kind, about, json!({"effect": done.id, "body": hex::encode(digest)}));
        }
        Err((reason, at)) => {
            conn.prepare_cached(
                "UPDATE effects SET tries = tries + 1, next_at = ?2, reason_code = ?3, reason_text = ?4 WHERE id = ?1",
            )?
            .execute(params![done.id.0, at.millis(), reason.code, reason.text])?;
            match (message, inbound) {
                (Some(message), _) => tx.touch(Entity::Message(message)),
                (None, Some(inbound)) => tx.touch(Entity::Inbound(inbound)),
                (None, None) => {}
            }
        }
    }
    Ok(())
}

/// Asks for a delivery to a site.
pub(crate) fn deliver(
    tx: &mut Tx<'_>,
    site: &str,
    message: Option<MessageId>,
    inbound: Option<InboundId>,
    headers: &[Header],
    body: &Body<'_>,
) -> Result<()> {
    let conn = tx.conn;
    let (source, digest) = match body {
        Body::Own(bytes) => (OWN, sm3(bytes)),
        Body::Inbound(digest) => (INBOUND, *digest),
    };
    let headers = serde_json::to_string(headers)?;
    // Names are unique and bytes are covered, so an id of an older copy of this journal never means something else.
    let id = hex::encode(&sm3_fields(&[site.as_bytes(), headers.as_bytes(), &digest])[..16]);
    conn.prepare_cached(
        "INSERT INTO effects (site, message, inbound, kind, delivery_id, headers, body, body_digest, at) \
         VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        site,
        message.map(|id| id.0),
        inbound.map(|id| id.0),
        id,
        headers,
        source,
        digest,
        tx.now.millis()
    ])?;
    if let Body::Own(bytes) = body {
        conn.prepare_cached("INSERT INTO effect_bytes (effect, bytes) VALUES (?1, ?2)")?
            .execute(params![conn.last_insert_rowid(), bytes])?;
    }
    if let Some(message) = message {
        tx.touch(Entity::Message(message.0));
    } else if let Some(inbound) = inbound {
        tx.touch(Entity::Inbound(inbound.0));
    }
    Ok(())
}

/// Asks for the end of a message to be shown, where its site shows ends; once a message.
pub(crate) fn dispose(tx: &mut Tx<'_>, message: MessageId, end: End, verdict: Option<String>) -> Result<()> {
    let conn = tx.conn;
    let (site, digest): (String, Digest) = conn
        .prepare_cached("SELECT site, body_digest FROM messages WHERE id = ?1")?
        .query_row([message.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    conn.prepare_cached("UPDATE messages SET disposed = ?2 WHERE id = ?1")?
        .execute(params![message.0, if end == End::Sent { 1 } else { 2 }])?;
    tx.touch(Entity::Message(message.0));
    if !tx.sites.disposing.contains(&site) {
        return Ok(());
    }
    conn.prepare_cached(
        "INSERT INTO effects (site, message, kind, body, body_digest, ending, at, verdict) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        site,
        message.0,
        MESSAGE,
        digest,
        if end == End::Sent { 0 } else { 1 },
        tx.now.millis(),
        verdict
    ])?;
    Ok(())
}

/// `<prefix>_<middle>_<yyyyMMddHHmmssfffffff>.<extension>`; never the same twice, and never following a clock back.
pub(crate) fn fresh_name(tx: &Tx<'_>, prefix: &str, middle: &str, extension: &str) -> Result<String> {
    let last: i64 = meta(tx.conn, "last_name")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    let place = (tx.now.millis() * 10_000).max(last + 1);
    set_meta(tx.conn, "last_name", &place.to_string())?;
    let moment = Timestamp::from_millis(place.div_euclid(10_000));
    let sequence = u16::try_from(place.rem_euclid(10_000)).unwrap_or(0);
    let (prefix, middle, extension) = (plain(prefix), plain(middle), plain(extension));
    let extension = if extension.is_empty() { "xml".to_owned() } else { extension };
    Ok(format!("{prefix}_{middle}_{}.{extension}", moment.compact_fraction(sequence)))
}

/// A piece of a file name that stays one: names come from outside.
pub(crate) fn plain(piece: &str) -> String {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    let mut cleaned: String = piece.chars().filter(|&c| !forbidden(c)).collect();
    // With prefix, time and extension the name stays under the 255 bytes of most file systems.
    let end = cleaned.floor_char_boundary(200);
    cleaned.truncate(end);
    cleaned.trim_matches(['.', ' ']).to_owned()
}

/// Headers of a delivery that goes where a message came from.
pub(crate) fn headers_like(source: &[Header], file_name: String, content: &str) -> Vec<Header> {
    let mut headers = vec![(header::FILE_NAME.to_owned(), file_name)];
    let place = source.iter().filter(|(name, _)| name == header::FORM_ID || name == header::FOLDER);
    headers.extend(place.cloned());
    headers.push((header::CONTENT.to_owned(), content.to_owned()));
    headers
}

/// The header of a receipt that belongs below `Others`; where a site is no folder tree it is no matter.
pub(crate) fn others(name: &ReceiptName) -> Option<Header> {
    let folder = name.others.as_deref().map(plain).filter(|folder| !folder.is_empty());
    folder.map(|folder| (header::OTHERS_FOLDER.to_owned(), folder))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn no_name_from_outside_leaves_its_folder() {
        assert_eq!(plain("../../etc/passwd"), "etcpasswd");
        assert_eq!(plain("a\0b\nc:d"), "abcd");
        assert_eq!(plain("TEST202601120001"), "TEST202601120001");
        assert_eq!(plain(".."), "");
        assert_eq!(plain("报关单 1"), "报关单 1");
        assert_eq!(plain(&"报".repeat(100)).len(), 198);
    }
}
