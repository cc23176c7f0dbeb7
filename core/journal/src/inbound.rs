//! Inbound: what came from the window, from its bytes to its match. Quarantined (隔离) is kept and never delivered.

use crate::digest::{Digest, sm3};
use crate::effects::{self, Body, fresh_name};
use crate::error::{JournalError, Result};
use crate::intake::stem;
use crate::matching::{Arrived, attach, find, rematch};
use crate::model::{
    InboundAccepted, InboundId, Matched, MessageId, NewInbound, OpenResult, Opened, OpenedReceipt, Reason, Unopened,
};
use crate::parts::columns;
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::Timestamp;
use kouan_sdk::business::ReceiptName;
use kouan_sdk::transport::header;
use rusqlite::{OptionalExtension, params};
use serde_json::json;

/// FormId of what belongs to nobody (`domain/goods-declaration.md` §3.1).
const OTHERS: &str = "OTHERS";

const RECEIVED: i64 = 0;
const MATCHED: i64 = 2;
const QUARANTINED: i64 = 3;
const REPEATED: i64 = 4;

impl SqliteJournal {
    /// Takes in what the window's transport gave; it may be settled when this returns.
    pub fn accept_inbound(&self, batch: Vec<NewInbound>) -> Result<Vec<InboundAccepted>> {
        let bytes = batch.iter().map(|inbound| inbound.raw.len()).sum();
        self.write(Class::Intake, bytes, move |tx| batch.iter().map(|inbound| accept(tx, inbound)).collect())
    }

    /// Inbound that waits to be opened, in the order of arrival, after `after`.
    pub fn unopened(&self, after: InboundId, limit: usize) -> Result<Vec<Unopened>> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT i.id, i.headers, i.received_at, b.raw FROM inbound i INDEXED BY inbound_unopened \
                 JOIN inbound_bytes b ON b.inbound = i.id WHERE i.state = 0 AND i.id > ?1 ORDER BY i.id LIMIT ?2",
            )?;
            let mut rows = statement.query(params![after.0, limit as i64])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(Unopened {
                    id: InboundId(row.get(0)?),
                    headers: serde_json::from_str(&row.get::<_, String>(1)?)?,
                    received_at: Timestamp::from_millis(row.get(2)?),
                    raw: row.get::<_, Vec<u8>>(3)?.into(),
                });
            }
            Ok(found)
        })
    }

    /// Records what opening led to, and what follows for the messages. One that was opened before keeps its result.
    pub fn record_opened(&self, batch: Vec<Opened>) -> Result<Vec<Matched>> {
        let size = |opened: &Opened| match &opened.result {
            OpenResult::Receipt(receipt) => receipt.payload.len(),
            OpenResult::Unread { payload, .. } => payload.len(),
            OpenResult::Quarantined(_) => 0,
        };
        let bytes = batch.iter().map(size).sum();
        self.write(Class::State, bytes, move |tx| batch.iter().map(|opened| record(tx, opened)).collect())
    }

    /// Puts all quarantined inbound back among those to be opened, say after keys changed; returns how many.
    pub fn retry_quarantine(&self) -> Result<usize> {
        self.write(Class::State, 0, |tx| release_quarantine(tx, &json!({})))
    }
}

fn accept(tx: &mut Tx<'_>, inbound: &NewInbound) -> Result<InboundAccepted> {
    let conn = tx.conn;
    let known: Option<i64> = conn
        .prepare_cached("SELECT id FROM inbound WHERE source_id = ?1")?
        .query_row([&inbound.source_id], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(InboundAccepted::Known(InboundId(id)));
    }
    let digest = sm3(&inbound.raw);
    conn.prepare_cached(
        "INSERT INTO inbound (source_id, headers, received_at, raw_digest, raw_length) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        inbound.source_id,
        serde_json::to_string(&inbound.headers)?,
        tx.now.millis(),
        digest,
        inbound.raw.len() as i64
    ])?;
    let id = InboundId(conn.last_insert_rowid());
    conn.prepare_cached("INSERT INTO inbound_bytes (inbound, raw) VALUES (?1, ?2)")?
        .execute(params![id.0, &inbound.raw[..]])?;
    let data = json!({"source_id": inbound.source_id, "raw": hex::encode(digest), "length": inbound.raw.len()});
    tx.event("inbound_received", About::inbound(id), data);
    Ok(InboundAccepted::New(id))
}

fn record(tx: &mut Tx<'_>, opened: &Opened) -> Result<Matched> {
    let row = tx
        .conn
        .prepare_cached("SELECT state, message, raw_digest, received_at FROM inbound WHERE id = ?1")?
        .query_row([opened.id.0], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, Digest>(2)?, row.get::<_, i64>(3)?))
        })
        .optional()?;
    let Some((state, message, raw_digest, received_at)) = row else {
        return Err(JournalError::Unknown { what: "inbound", id: opened.id.0 });
    };
    match (state, message) {
        (RECEIVED | QUARANTINED, _) => {}
        (MATCHED, Some(message)) => return Ok(Matched::To(MessageId(message))),
        (REPEATED, _) => return Ok(Matched::Repeated),
        _ => return Ok(Matched::Unmatched),
    }
    match &opened.result {
        OpenResult::Quarantined(reason) => quarantine(tx, opened.id, reason),
        OpenResult::Receipt(receipt) => open_receipt(tx, opened.id, receipt, &raw_digest, received_at),
        OpenResult::Unread { wire_id, message_type, payload, file_name, reason } => {
            let digest = sm3(payload);
            store_payload(tx, opened.id, payload, &digest, &raw_digest)?;
            if is_repeated(tx, opened.id, wire_id.as_deref(), &digest)? {
                return Ok(Matched::Repeated);
            }
            let (code, text) = columns(Some(reason));
            tx.conn
                .prepare_cached(
                    "UPDATE inbound SET state = 1, wire_id = ?2, answers_file = ?3, reason_code = ?4, reason_text = ?5 WHERE id = ?1",
                )?
                .execute(params![opened.id.0, wire_id, file_name, code, text])?;
            let data =
                json!({"wire_id": wire_id, "type": message_type, "payload": hex::encode(digest), "reason": reason});
            tx.event("unread", About::inbound(opened.id), data);
            let extension = file_name.rsplit_once('.').map_or("xml", |(_, extension)| extension);
            let name = ReceiptName {
                prefix: "Receipt".to_owned(),
                middle: Some(stem(file_name).to_owned()),
                extension: extension.to_owned(),
                others: None,
            };
            deliver_to_default(tx, opened.id, &digest, &name)?;
            Ok(Matched::Unmatched)
        }
    }
}

fn quarantine(tx: &mut Tx<'_>, id: InboundId, reason: &Reason) -> Result<Matched> {
    let (code, text) = columns(Some(reason));
    tx.conn
        .prepare_cached(
            "UPDATE inbound SET state = 3, opened_at = ?2, reason_code = ?3, reason_text = ?4 WHERE id = ?1",
        )?
        .execute(params![id.0, tx.now.millis(), code, text])?;
    tx.event("quarantined", About::inbound(id), json!({"reason": reason}));
    Ok(Matched::Quarantined)
}

/// Puts quarantined inbound back among those to be opened.
pub(crate) fn release_quarantine(tx: &mut Tx<'_>, data: &serde_json::Value) -> Result<usize> {
    let conn = tx.conn;
    let ids = conn
        .prepare_cached("SELECT id FROM inbound INDEXED BY inbound_quarantined WHERE state = 3 ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for &id in &ids {
        conn.prepare_cached("UPDATE inbound SET state = 0, opened_at = NULL WHERE id = ?1")?.execute([id])?;
        tx.event("quarantine_retried", About::inbound(InboundId(id)), data.clone());
    }
    Ok(ids.len())
}

/// The payload's bytes, once: not beside raw bytes that are the same.
fn store_payload(tx: &Tx<'_>, id: InboundId, payload: &[u8], digest: &Digest, raw: &Digest) -> Result<()> {
    let own = digest != raw;
    if own {
        tx.conn
            .prepare_cached("UPDATE inbound_bytes SET payload = ?2 WHERE inbound = ?1")?
            .execute(params![id.0, payload])?;
    }
    tx.conn
        .prepare_cached(
            "UPDATE inbound SET payload_kind = ?2, payload_digest = ?3, opened_at = ?4, reason_code = NULL, \
             reason_text = NULL WHERE id = ?1",
        )?
        .execute(params![id.0, own, digest, tx.now.millis()])?;
    Ok(())
}

/// The same envelope again: marked, not delivered twice. The same wire id with another payload is an alarm, and kept.
fn is_repeated(tx: &mut Tx<'_>, id: InboundId, wire_id: Option<&str>, digest: &Digest) -> Result<bool> {
    let Some(wire_id) = wire_id else { return Ok(false) };
    let conn = tx.conn;
    let earlier = conn
        .prepare_cached("SELECT id, payload_digest, message FROM inbound WHERE wire_id = ?1 AND id <> ?2 ORDER BY id")?
        .query_map(params![wire_id, id.0], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Digest>>(1)?, row.get::<_, Option<i64>>(2)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if let Some((first, _, message)) = earlier.iter().find(|(_, known, _)| known.as_ref() == Some(digest)) {
        conn.prepare_cached("UPDATE inbound SET state = 4, wire_id = ?2, message = ?3 WHERE id = ?1")?
            .execute(params![id.0, wire_id, message])?;
        tx.event("repeated", About::inbound(id), json!({"wire_id": wire_id, "of": first}));
        return Ok(true);
    }
    if let Some((first, _, message)) = earlier.first() {
        let text = format!("envelope {wire_id} came again with another payload: inbound {first} and {}", id.0);
        tx.alarm("KOUAN-JOURNAL-WIRE-ID-TWO-PAYLOADS", &text, message.map(MessageId))?;
    }
    Ok(false)
}

fn open_receipt(
    tx: &mut Tx<'_>,
    id: InboundId,
    opened: &OpenedReceipt,
    raw_digest: &Digest,
    received_at: i64,
) -> Result<Matched> {
    let digest = sm3(&opened.payload);
    store_payload(tx, id, &opened.payload, &digest, raw_digest)?;
    tx.conn
        .prepare_cached(
            "UPDATE inbound SET sender = ?2, receiver = ?3, business = ?4, receipt = ?5, answers_file = ?6 WHERE id = ?1",
        )?
        .execute(params![
            id.0,
            opened.sender,
            opened.receiver,
            opened.business,
            serde_json::to_string(&opened.receipt)?,
            opened.answers_file
        ])?;
    if is_repeated(tx, id, opened.wire_id.as_deref(), &digest)? {
        return Ok(Matched::Repeated);
    }
    tx.conn
        .prepare_cached("UPDATE inbound SET state = 1, wire_id = ?2 WHERE id = ?1")?
        .execute(params![id.0, opened.wire_id])?;
    let data = json!({
        "wire_id": opened.wire_id,
        "sender": opened.sender,
        "payload": hex::encode(digest),
        "kind": opened.receipt.kind,
    });
    tx.event("opened", About::inbound(id), data);
    let arrived = Arrived {
        id,
        business: opened.business.clone(),
        receipt: opened.receipt.clone(),
        payload_digest: digest,
        answers_file: opened.answers_file.clone(),
        received_at,
    };
    match find(tx, &arrived)? {
        Some(message) => {
            let learned = attach(tx, &arrived, message, true)?;
            rematch(tx, &arrived.business, learned)?;
            Ok(Matched::To(message))
        }
        None => {
            leave_unmatched(tx, &arrived)?;
            Ok(Matched::Unmatched)
        }
    }
}

/// Nobody's yet: the default site gets it, and its keys wait for a message that learns them.
fn leave_unmatched(tx: &mut Tx<'_>, arrived: &Arrived) -> Result<()> {
    for key in &arrived.receipt.keys {
        tx.conn
            .prepare_cached("INSERT OR IGNORE INTO unmatched_keys (value, name, inbound) VALUES (?1, ?2, ?3)")?
            .execute(params![key.value, key.name, arrived.id.0])?;
    }
    tx.event("unmatched", About::inbound(arrived.id), json!({}));
    let name = &arrived.receipt.name;
    let answered = arrived.answers_file.as_deref().map(stem);
    let middle = name.middle.as_deref().or(answered).unwrap_or(&arrived.receipt.kind);
    let name = ReceiptName { prefix: "Receipt".to_owned(), middle: Some(middle.to_owned()), ..name.clone() };
    deliver_to_default(tx, arrived.id, &arrived.payload_digest, &name)
}

fn deliver_to_default(tx: &mut Tx<'_>, id: InboundId, digest: &Digest, name: &ReceiptName) -> Result<()> {
    let site = tx.sites.default_site.clone();
    if site.is_empty() {
        return Ok(());
    }
    let middle = name.middle.as_deref().unwrap_or_default();
    let file_name = fresh_name(tx, &name.prefix, middle, &name.extension)?;
    tx.conn.prepare_cached("UPDATE inbound SET file_name = ?2 WHERE id = ?1")?.execute(params![id.0, file_name])?;
    let mut headers = vec![
        (header::FILE_NAME.to_owned(), file_name),
        (header::FORM_ID.to_owned(), OTHERS.to_owned()),
        (header::CONTENT.to_owned(), "receipt".to_owned()),
    ];
    headers.extend(effects::others(name));
    effects::deliver(tx, &site, None, Some(id), &headers, &Body::Inbound(*digest))
}
