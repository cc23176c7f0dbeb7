//! Check and plan, recorded: the verdict, duplicates, the parts with their wire ids, and what a refusal shows its site.

use crate::digest::{Digest, sm3};
use crate::effects::{self, Body, deliver, fresh_name, headers_like, plain};
use crate::error::{JournalError, Result};
use crate::lifecycle::Delivery;
use crate::matching::rematch;
use crate::model::{
    CheckOutcome, Checked, Deliverable, DuplicatePolicy, MessageId, PartPayload, Plan, PlannedPart, Reason, Verdict,
};
use crate::parts::{columns, refold};
use crate::sending::{PAYLOAD_BODY, PAYLOAD_OWN, PAYLOAD_WAITS};
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::business::{Key, Report};
use kouan_sdk::finding::{Finding, Severity};
use kouan_sdk::transport::{End, Header};
use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};

impl SqliteJournal {
    /// Records verdicts. Record them in the order of their numbers, site by site. A message that is not `Received` any
    /// more stays as it is. Errors: [`JournalError::Unknown`] if there is no such message.
    pub fn record_checks(&self, batch: Vec<Checked>) -> Result<Vec<CheckOutcome>> {
        let bytes = batch.iter().map(size).sum();
        self.write(Class::State, bytes, move |tx| batch.iter().map(|checked| record(tx, checked)).collect())
    }
}

fn size(checked: &Checked) -> usize {
    let Verdict::Ready(plan) = &checked.verdict else { return 4096 };
    let own = |part: &PlannedPart| if let PartPayload::Bytes(bytes) = &part.payload { bytes.len() } else { 0 };
    plan.parts.iter().map(own).sum::<usize>() + 4096
}

/// What recording a verdict needs of the message.
struct Taken {
    id: MessageId,
    site: String,
    stem: String,
    headers: Vec<Header>,
    digest: Digest,
    length: i64,
}

fn record(tx: &mut Tx<'_>, checked: &Checked) -> Result<CheckOutcome> {
    let Some(taken) = taken(tx, checked.id)? else { return Ok(CheckOutcome::AlreadyChecked) };
    match &checked.verdict {
        Verdict::Refused => {
            store(tx, &taken, checked, &checked.report, "")?;
            refuse(tx, &taken, checked, &first_error(&checked.report), checked.shown.clone(), "refused", json!({}))?;
            Ok(CheckOutcome::Refused)
        }
        Verdict::Ready(plan) if plan.parts.is_empty() => {
            let reason = Reason::new("KOUAN-JOURNAL-EMPTY-PLAN", "the plan has no part");
            store(tx, &taken, checked, &checked.report, &plan.identity)?;
            refuse(tx, &taken, checked, &reason, checked.shown.clone(), "refused", json!({}))?;
            Ok(CheckOutcome::Refused)
        }
        Verdict::Ready(plan) => {
            if plan.duplicates == DuplicatePolicy::Refuse
                && let Some(earlier) = duplicate_of(tx, &taken, checked)?
            {
                refuse_duplicate(tx, &taken, checked, plan, earlier)?;
                return Ok(CheckOutcome::Duplicate(earlier));
            }
            ready(tx, &taken, checked, plan)?;
            Ok(CheckOutcome::Ready)
        }
    }
}

/// The message, if it still waits for its check.
fn taken(tx: &Tx<'_>, id: MessageId) -> Result<Option<Taken>> {
    let row = tx
        .conn
        .prepare_cached("SELECT site, stem, headers, body_digest, body_length, delivery FROM messages WHERE id = ?1")?
        .query_row([id.0], |row| {
            let headers: String = row.get(2)?;
            let delivery: i64 = row.get(5)?;
            Ok((row.get(0)?, row.get(1)?, headers, row.get(3)?, row.get(4)?, delivery))
        })
        .optional()?;
    let Some((site, stem, headers, digest, length, delivery)) = row else {
        return Err(JournalError::Unknown { what: "message", id: id.0 });
    };
    if delivery != Delivery::Received.number() {
        return Ok(None);
    }
    Ok(Some(Taken { id, site, stem, headers: serde_json::from_str(&headers)?, digest, length }))
}

/// What every verdict leaves: business, keys, lane, report.
fn store(tx: &mut Tx<'_>, taken: &Taken, checked: &Checked, report: &Report, identity: &str) -> Result<()> {
    let conn = tx.conn;
    let text = serde_json::to_string(report)?;
    let key = report.business_key.as_ref();
    conn.prepare_cached(
        "UPDATE messages SET business = ?2, message_type = ?3, key_name = ?4, key_value = ?5, is_update = ?6, lane = ?7, \
         identity = ?8, report_digest = ?9, updated_at = ?10 WHERE id = ?1",
    )?
    .execute(params![
        taken.id.0,
        checked.business,
        report.message_type,
        key.map(|key| &key.name),
        key.map(|key| &key.value),
        report.is_update,
        lane(&checked.business, report, taken.id),
        identity,
        sm3(text.as_bytes()),
        tx.now.millis()
    ])?;
    conn.prepare_cached("INSERT INTO reports (message, report) VALUES (?1, ?2)")?.execute(params![taken.id.0, text])?;
    for key in report.business_key.iter().chain(&report.keys) {
        add_key(tx, taken.id, key, false)?;
    }
    Ok(())
}

/// Adds a key; whether it is new.
pub(crate) fn add_key(tx: &Tx<'_>, message: MessageId, key: &Key, learned: bool) -> Result<bool> {
    let added = tx
        .conn
        .prepare_cached("INSERT OR IGNORE INTO keys (message, name, value, learned) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![message.0, key.name, key.value, learned])?;
    Ok(added > 0)
}

/// Business and order key; without any key a message is alone in its lane.
fn lane(business: &str, report: &Report, id: MessageId) -> String {
    let key = Some(report.order_key.as_str()).filter(|key| !key.is_empty());
    match key.or(report.business_key.as_ref().map(|key| key.value.as_str())) {
        Some(key) => format!("{business}/{key}"),
        None => format!("{business}/#{}", id.0),
    }
}

/// Messages that a repeat would repeat: on their way, given up while they may still take effect, or taken and not
/// handed back.
const MAY_TAKE_EFFECT: &str = "(m.delivery IN (2, 3, 4) OR (m.delivery = 5 AND m.outcome <> 2 AND m.reopened = 0) \
     OR (m.delivery = 6 AND m.outcome <> 2 AND m.reopened = 0 \
         AND EXISTS (SELECT 1 FROM parts p WHERE p.message = m.id AND p.unresolved > 0)))";

/// The message that this one repeats. An update is a repeat only of the latest state of its key, and only with the same
/// content.
fn duplicate_of(tx: &Tx<'_>, taken: &Taken, checked: &Checked) -> Result<Option<MessageId>> {
    let key = checked.report.business_key.as_ref();
    // Keys first: by itself SQLite walks through all messages of the business, newest first, to spare the sorting of a few.
    if let Some(key) = key {
        let query = format!(
            "SELECT m.id, m.body_digest FROM keys k INDEXED BY keys_value CROSS JOIN messages m ON m.id = k.message \
             WHERE k.value = ?1 AND k.name = ?2 AND m.business = ?3 AND m.id <> ?4 AND m.key_name = ?2 AND m.key_value = ?1 \
             AND {MAY_TAKE_EFFECT} ORDER BY m.id DESC LIMIT 1"
        );
        let found: Option<(i64, Digest)> = tx
            .conn
            .prepare_cached(&query)?
            .query_row(params![key.value, key.name, checked.business, taken.id.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((id, digest)) = found
            && (!checked.report.is_update || digest == taken.digest)
        {
            return Ok(Some(MessageId(id)));
        }
        if checked.report.is_update {
            return Ok(None);
        }
    }
    let query = format!(
        "SELECT m.id FROM messages m INDEXED BY messages_digest WHERE m.body_digest = ?1 AND m.business = ?2 \
         AND m.id <> ?3 AND {MAY_TAKE_EFFECT} ORDER BY m.id DESC LIMIT 1"
    );
    let found: Option<i64> = tx
        .conn
        .prepare_cached(&query)?
        .query_row(params![taken.digest, checked.business, taken.id.0], |row| row.get(0))
        .optional()?;
    Ok(found.map(MessageId))
}

fn ready(tx: &mut Tx<'_>, taken: &Taken, checked: &Checked, plan: &Plan) -> Result<()> {
    store(tx, taken, checked, &checked.report, &plan.identity)?;
    tx.conn
        .prepare_cached("UPDATE messages SET receipt_deadline_s = ?2 WHERE id = ?1")?
        .execute(params![taken.id.0, plan.receipt_deadline_s])?;
    let mut wire_ids = Vec::with_capacity(plan.parts.len());
    for (index, part) in plan.parts.iter().enumerate() {
        wire_ids.push(add_part(tx, taken, &plan.identity, index, part)?);
    }
    let data = json!({
        "business": checked.business,
        "type": checked.report.message_type,
        "identity": plan.identity,
        "keys": checked.report.keys,
        "wire_ids": wire_ids,
        "findings": checked.report.findings.len(),
    });
    tx.event("ready", About::message(taken.id), data);
    if let Some(shown) = checked.shown.as_ref().filter(|_| !checked.report.findings.is_empty()) {
        deliver_verdict(tx, taken, shown)?;
    }
    refold(tx, taken.id)?;
    let known = checked.report.business_key.iter().chain(&checked.report.keys).cloned().collect();
    rematch(tx, &checked.business, known)
}

fn add_part(tx: &mut Tx<'_>, taken: &Taken, identity: &str, index: usize, part: &PlannedPart) -> Result<String> {
    let (conn, now) = (tx.conn, tx.now);
    let wire_ids = tx.wire_ids.as_mut().ok_or(JournalError::ReadOnly)?;
    let wire_id = wire_ids.allocate(conn, identity, now)?;
    let (kind, waits_for, digest, length) = match &part.payload {
        PartPayload::Body => (PAYLOAD_BODY, None, Some(taken.digest), taken.length),
        PartPayload::Bytes(bytes) => (PAYLOAD_OWN, None, Some(sm3(bytes)), bytes.len() as i64),
        PartPayload::WaitsFor(key) => (PAYLOAD_WAITS, Some(key), None, 0),
    };
    // Only earlier parts can be waited for; anything else would wait for ever.
    let preceding: Vec<usize> = part.after.iter().copied().filter(|&before| before < index).collect();
    conn.prepare_cached(
        "INSERT INTO parts (message, idx, name, message_type, receivers, file_name, biz_keys, preceding, expects_receipt, \
         wire_id, payload_kind, waits_for, payload_digest, payload_length, delivery) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 2)",
    )?
    .execute(params![
        taken.id.0,
        index as i64,
        part.name,
        part.message_type,
        serde_json::to_string(&part.receivers)?,
        part.file_name,
        serde_json::to_string(&part.biz_keys)?,
        serde_json::to_string(&preceding)?,
        part.expects_receipt,
        wire_id,
        kind,
        waits_for,
        digest,
        length
    ])?;
    if let PartPayload::Bytes(bytes) = &part.payload {
        let id = conn.last_insert_rowid();
        conn.prepare_cached("INSERT INTO payloads (part, bytes) VALUES (?1, ?2)")?.execute(params![id, bytes])?;
    }
    Ok(wire_id)
}

fn refuse_duplicate(tx: &mut Tx<'_>, taken: &Taken, checked: &Checked, plan: &Plan, earlier: MessageId) -> Result<()> {
    let text = format!("the same as message {}, which is on its way or was taken already", earlier.0);
    let mut report = checked.report.clone();
    let zh = format!("与第 {} 号报文重复，该报文正在发送或已被接收", earlier.0);
    let hint =
        (format!("kouan message trace {} 查看原报文", earlier.0), format!("see kouan message trace {}", earlier.0));
    let finding =
        Finding::whole("KOUAN-JOURNAL-DUPLICATE", Severity::Error, zh, text.clone()).with_hint(hint.0, hint.1);
    report.findings.push(finding.clone());
    store(tx, taken, checked, &report, &plan.identity)?;
    let shown = checked.shown.as_deref().map(|shown| shown_as_duplicate(shown, &finding, earlier));
    let reason = Reason::new("KOUAN-JOURNAL-DUPLICATE", text);
    refuse(tx, taken, checked, &reason, shown, "duplicate", json!({"of": earlier}))
}

/// The verdict was made before the duplicate was found: it is refused now, with one finding more.
fn shown_as_duplicate(shown: &str, finding: &Finding, earlier: MessageId) -> String {
    let Ok(Value::Object(mut verdict)) = serde_json::from_str(shown) else { return shown.to_owned() };
    verdict.insert("verdict".to_owned(), "refused".into());
    verdict.insert("duplicate_of".to_owned(), json!(earlier));
    match verdict.entry("findings").or_insert_with(|| json!([])) {
        Value::Array(findings) => findings.push(json!(finding)),
        other => *other = json!([finding]),
    }
    Value::Object(verdict).to_string()
}

fn first_error(report: &Report) -> Reason {
    let error = report.findings.iter().find(|finding| finding.severity == Severity::Error);
    match error.or(report.findings.first()) {
        Some(finding) => Reason::new(finding.rule.clone(), finding.message_en.clone()),
        None => Reason::new("", "refused without a finding"),
    }
}

/// Terminal, and shown: the refusal in InBox, the verdict in Report, the original in FailBox, in this order.
fn refuse(
    tx: &mut Tx<'_>,
    taken: &Taken,
    checked: &Checked,
    reason: &Reason,
    shown: Option<String>,
    kind: &str,
    mut data: Value,
) -> Result<()> {
    let (code, text) = columns(Some(reason));
    tx.conn
        .prepare_cached("UPDATE messages SET delivery = 1, reason_code = ?2, reason_text = ?3 WHERE id = ?1")?
        .execute(params![taken.id.0, code, text])?;
    data["business"] = json!(checked.business);
    data["reason"] = json!(reason);
    data["keys"] = json!(checked.report.keys);
    tx.event(kind, About::message(taken.id), data);
    if let Some(Deliverable { name, bytes }) = &checked.refusal {
        let middle = name.middle.as_deref().unwrap_or(&taken.stem);
        let file_name = fresh_name(tx, &name.prefix, middle, &name.extension)?;
        let headers = headers_like(&taken.headers, file_name, "receipt");
        deliver(tx, &taken.site, Some(taken.id), None, &headers, &Body::Own(bytes))?;
    }
    if let Some(shown) = shown {
        deliver_verdict(tx, taken, &shown)?;
    }
    effects::dispose(tx, taken.id, End::Failed, None)
}

/// `Report/<stem>.json`; the transport knows the folder by the content's kind.
fn deliver_verdict(tx: &mut Tx<'_>, taken: &Taken, shown: &str) -> Result<()> {
    let headers = headers_like(&taken.headers, format!("{}.json", plain(&taken.stem)), "verdict");
    deliver(tx, &taken.site, Some(taken.id), None, &headers, &Body::Own(shown.as_bytes()))
}
