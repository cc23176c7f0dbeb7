//! Receipts find their messages: by business and keys, then by the answered file's name. What a receipt teaches finds
//! those that could not be matched before. The outcome is a fold over all receipts, whatever the order of arrival.

use crate::checks::add_key;
use crate::digest::Digest;
use crate::effects::{self, Body, fresh_name, headers_like};
use crate::error::{JournalError, Result};
use crate::intake::stem;
use crate::lifecycle::{Delivery, PartEvent};
use crate::model::{InboundId, MessageId};
use crate::parts::{self, PartRow, change, refold};
use crate::tx::{About, Tx};
use kouan_sdk::business::{Key, Outcome, Receipt};
use kouan_sdk::transport::Header;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::json;

/// A verified receipt on its way to its message.
pub(crate) struct Arrived {
    pub(crate) id: InboundId,
    pub(crate) business: String,
    pub(crate) receipt: Receipt,
    pub(crate) payload_digest: Digest,
    pub(crate) answers_file: Option<String>,
    pub(crate) received_at: i64,
}

/// The message that a receipt answers: among those of its business with one of its keys, the newest that was sent or
/// attempted, else the newest; then by the answered file's name.
pub(crate) fn find(tx: &Tx<'_>, arrived: &Arrived) -> Result<Option<MessageId>> {
    let mut best: Option<(bool, i64)> = None;
    for key in &arrived.receipt.keys {
        let found: Option<(bool, i64)> = tx
            .conn
            .prepare_cached(
                "SELECT m.attempted, m.id FROM keys k INDEXED BY keys_value CROSS JOIN messages m ON m.id = k.message WHERE k.value = ?1 AND k.name = ?2 \
                 AND m.business = ?3 ORDER BY m.attempted DESC, m.id DESC LIMIT 1",
            )?
            .query_row(params![key.value, key.name, arrived.business], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        best = best.max(found);
    }
    if let Some((_, id)) = best {
        return Ok(Some(MessageId(id)));
    }
    let Some(file) = &arrived.answers_file else { return Ok(None) };
    let found: Option<i64> = tx
        .conn
        .prepare_cached(
            "SELECT id FROM messages WHERE stem = ?1 AND delivery <> 0 AND business IN (?2, '') \
             ORDER BY attempted DESC, id DESC LIMIT 1",
        )?
        .query_row(params![stem(file), arrived.business], |row| row.get(0))
        .optional()?;
    Ok(found.map(MessageId))
}

/// Ties a receipt to its message with all that follows; `Some` headers: it is delivered to the message's site. Returns
/// the keys that the message did not have before.
pub(crate) fn attach(tx: &mut Tx<'_>, arrived: &Arrived, message: MessageId, deliver: bool) -> Result<Vec<Key>> {
    let receipt = &arrived.receipt;
    let mut parts = parts::of_message(tx.conn, message)?;
    // The window knows our own earlier attempt: its failure says that the declaration is there.
    let counts_as_yes =
        receipt.is_repeat_of_known && parts.iter().any(|part| part.expects_receipt && part.state.doubted);
    store_match(tx, arrived, message, counts_as_yes)?;
    let data = json!({
        "payload": hex::encode(arrived.payload_digest),
        "kind": receipt.kind,
        "code": receipt.code,
        "counts_as_yes": counts_as_yes,
        "delivered_now": deliver,
    });
    tx.event("receipt", About::message(message).with_inbound(arrived.id), data);
    if !receipt.is_client_failure {
        prove_arrival(tx, arrived, &mut parts)?;
    }
    tx.conn
        .prepare_cached("UPDATE messages SET answered = 1, overdue_at = NULL, updated_at = ?2 WHERE id = ?1")?
        .execute(params![message.0, tx.now.millis()])?;
    let speaks_of_us = !receipt.is_repeat_of_known || counts_as_yes;
    let learned = if speaks_of_us { learn(tx, arrived, message)? } else { Vec::new() };
    fold_outcome(tx, message)?;
    refold(tx, message)?;
    if deliver {
        deliver_to_site(tx, arrived, message, counts_as_yes)?;
    }
    Ok(learned)
}

/// What a receipt says of the outcome is settled when it is matched, so that a later repeat does not change its meaning.
fn store_match(tx: &Tx<'_>, arrived: &Arrived, message: MessageId, counts_as_yes: bool) -> Result<()> {
    let receipt = &arrived.receipt;
    let (outcome, stage, reopens) = if counts_as_yes {
        (Outcome::Accepted, "", false)
    } else {
        (receipt.outcome, receipt.stage.as_str(), receipt.reopens)
    };
    tx.conn
        .prepare_cached(
            "UPDATE inbound SET state = 2, message = ?2, rank = ?3, noticed_at = ?4, outcome = ?5, stage = ?6, reopens = ?7, \
             counts_as_yes = ?8 WHERE id = ?1",
        )?
        .execute(params![
            arrived.id.0,
            message.0,
            receipt.rank,
            receipt.noticed_at.map(kouan_sdk::Timestamp::millis),
            outcome as i64,
            stage,
            reopens,
            counts_as_yes
        ])?;
    tx.conn.prepare_cached("DELETE FROM unmatched_keys WHERE inbound = ?1")?.execute([arrived.id.0])?;
    Ok(())
}

/// Sets the answered part sent, whatever was thought before.
fn prove_arrival(tx: &mut Tx<'_>, arrived: &Arrived, parts: &mut [PartRow]) -> Result<()> {
    let named = arrived.answers_file.as_deref().map(stem);
    let expects = |part: &&mut PartRow| part.expects_receipt;
    let by_name = parts.iter().position(|p| p.expects_receipt && Some(stem(&p.file_name)) == named);
    let part = match by_name {
        Some(index) => parts.get_mut(index),
        None => parts.iter_mut().find(expects),
    };
    let Some(part) = part else { return Ok(()) };
    // A receipt for the number that an update carries may speak of the declaration as it was before.
    if part.state.delivery == Delivery::Ready && part.state.attempts == 0 && is_update(tx, part.message)? {
        return Ok(());
    }
    if part.state.delivery == Delivery::Sent && part.state.unresolved == 0 && !part.state.parked {
        return Ok(());
    }
    let data = json!({"by_inbound": arrived.id, "wire_id": part.wire_id});
    let _ = change(tx, part, PartEvent::Receipt, "proven_sent", data)?;
    Ok(())
}

fn is_update(tx: &Tx<'_>, message: MessageId) -> Result<bool> {
    Ok(tx
        .conn
        .prepare_cached("SELECT is_update FROM messages WHERE id = ?1")?
        .query_row([message.0], |row| row.get(0))?)
}

/// Adds the keys that the message does not have. A second value for a key that was learned before means that the window
/// took one declaration twice.
fn learn(tx: &mut Tx<'_>, arrived: &Arrived, message: MessageId) -> Result<Vec<Key>> {
    let mut learned = Vec::new();
    for key in &arrived.receipt.keys {
        let other: Option<String> = tx
            .conn
            .prepare_cached(
                "SELECT value FROM keys WHERE message = ?1 AND name = ?2 AND learned = 1 AND value <> ?3 LIMIT 1",
            )?
            .query_row(params![message.0, key.name, key.value], |row| row.get(0))
            .optional()?;
        if !add_key(tx, message, key, true)? {
            continue;
        }
        learned.push(key.clone());
        tx.event("learned", About::message(message).with_inbound(arrived.id), json!({"key": key}));
        if let Some(other) = other
            && arrived.receipt.outcome != Outcome::Rejected
        {
            let text = format!("{} was {other} before and is {} now", key.name, key.value);
            tx.alarm("KOUAN-JOURNAL-TOOK-EFFECT-TWICE", &text, Some(message))?;
        }
    }
    Ok(learned)
}

/// The highest receipt by (rank, time, digest) says what became of the message.
pub(crate) fn fold_outcome(tx: &mut Tx<'_>, message: MessageId) -> Result<()> {
    let conn = tx.conn;
    let top: Option<(i64, String, bool)> = conn
        .prepare_cached(
            "SELECT outcome, stage, reopens FROM inbound WHERE message = ?1 AND state = 2 \
             ORDER BY rank DESC, noticed_at DESC, payload_digest DESC, id LIMIT 1",
        )?
        .query_row([message.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((outcome, stage, reopened)) = top else { return Ok(()) };
    let before: (i64, String, bool) = conn
        .prepare_cached("SELECT outcome, stage, reopened FROM messages WHERE id = ?1")?
        .query_row([message.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if before == (outcome, stage.clone(), reopened) {
        return Ok(());
    }
    conn.prepare_cached("UPDATE messages SET outcome = ?2, stage = ?3, reopened = ?4, updated_at = ?5 WHERE id = ?1")?
        .execute(params![message.0, outcome, stage, reopened, tx.now.millis()])?;
    let data = json!({"outcome": outcome_of(outcome), "stage": stage, "reopened": reopened});
    tx.event("outcome", About::message(message), data);
    Ok(())
}

/// From the number in the journal's file.
pub(crate) fn outcome_of(number: i64) -> Outcome {
    match number {
        1 => Outcome::Accepted,
        2 => Outcome::Rejected,
        3 => Outcome::Concluded,
        _ => Outcome::None,
    }
}

fn deliver_to_site(tx: &mut Tx<'_>, arrived: &Arrived, message: MessageId, counts_as_yes: bool) -> Result<()> {
    let (site, own_stem, headers): (String, String, String) = tx
        .conn
        .prepare_cached("SELECT site, stem, headers FROM messages WHERE id = ?1")?
        .query_row([message.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let headers: Vec<Header> = serde_json::from_str(&headers)?;
    let name = &arrived.receipt.name;
    let middle = name.middle.as_deref().unwrap_or(&own_stem);
    let file_name = fresh_name(tx, &name.prefix, middle, &name.extension)?;
    // A failure that answers our own repeat must not look like a failure to the site's bridge.
    let content = if counts_as_yes { "verdict" } else { "receipt" };
    tx.conn
        .prepare_cached("UPDATE inbound SET file_name = ?2 WHERE id = ?1")?
        .execute(params![arrived.id.0, file_name])?;
    let mut headers = headers_like(&headers, file_name, content);
    headers.extend(effects::others(name));
    let body = Body::Inbound(arrived.payload_digest);
    effects::deliver(tx, &site, Some(message), Some(arrived.id), &headers, &body)
}

/// Newly known keys may name the message of receipts that nobody claimed. They are not delivered again, and what they
/// teach is followed up.
pub(crate) fn rematch(tx: &mut Tx<'_>, business: &str, mut known: Vec<Key>) -> Result<()> {
    while let Some(key) = known.pop() {
        let conn = tx.conn;
        let waiting = conn
            .prepare_cached("SELECT inbound FROM unmatched_keys WHERE value = ?1 AND name = ?2 ORDER BY inbound")?
            .query_map(params![key.value, key.name], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        for id in waiting {
            let Some(arrived) = unmatched(tx, InboundId(id), business)? else { continue };
            let Some(message) = find(tx, &arrived)? else { continue };
            if came_after(conn, &arrived, message)? {
                // Without a default site nobody has seen it yet.
                let deliver = !was_delivered(conn, arrived.id)?;
                known.extend(attach(tx, &arrived, message, deliver)?);
            }
        }
    }
    Ok(())
}

/// What came before the message was taken in answers something else. The chain tells the order, for clocks go back; the
/// clock only where both events were dropped with their segment.
fn came_after(conn: &Connection, arrived: &Arrived, message: MessageId) -> Result<bool> {
    let place = |query: &str, id: i64| -> Result<Option<i64>> {
        Ok(conn.prepare_cached(query)?.query_row([id], |row| row.get(0)).optional()?)
    };
    let taken =
        place("SELECT seq FROM events WHERE message = ?1 AND kind = 'received' ORDER BY seq LIMIT 1", message.0)?;
    let came = place(
        "SELECT seq FROM events WHERE inbound = ?1 AND kind = 'inbound_received' ORDER BY seq LIMIT 1",
        arrived.id.0,
    )?;
    Ok(match (taken, came) {
        (Some(taken), Some(came)) => taken < came,
        (None, Some(_)) => true,
        (Some(_), None) => false,
        (None, None) => place("SELECT received_at FROM messages WHERE id = ?1", message.0)?
            .is_some_and(|at| arrived.received_at >= at),
    })
}

fn was_delivered(conn: &Connection, inbound: InboundId) -> Result<bool> {
    let query = "SELECT 1 FROM inbound WHERE id = ?1 AND file_name IS NOT NULL";
    Ok(conn.prepare_cached(query)?.exists([inbound.0])?)
}

/// An unmatched receipt of this business.
fn unmatched(tx: &Tx<'_>, id: InboundId, business: &str) -> Result<Option<Arrived>> {
    let row = tx
        .conn
        .prepare_cached(
            "SELECT receipt, payload_digest, answers_file, received_at FROM inbound \
             WHERE id = ?1 AND state = 1 AND business = ?2 AND receipt IS NOT NULL",
        )?
        .query_row(params![id.0, business], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Digest>(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((receipt, payload_digest, answers_file, received_at)) = row else { return Ok(None) };
    let receipt: Receipt = serde_json::from_str(&receipt)
        .map_err(|e| JournalError::corrupt(format!("receipt {} does not read: {e}", id.0)))?;
    Ok(Some(Arrived { id, business: business.to_owned(), receipt, payload_digest, answers_file, received_at }))
}
