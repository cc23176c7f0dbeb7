//! Operators' acts. Each is judged by the lifecycle, and is an event with who and why.

use crate::error::Result;
use crate::intake;
use crate::lifecycle::{Delivery, PartEvent, PartState};
use crate::model::{Act, ActDone, MessageId, NewMessage, OperatorAct, PartId, Reason};
use crate::parts::{self, PartRow, change, refold};
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::business::Outcome;
use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};

impl SqliteJournal {
    /// Does what an operator wants, message by message; `Err` inside says why one is refused. `dry_run` answers the same
    /// and changes nothing. `Act::RetryQuarantine` needs no message.
    pub fn act(
        &self,
        ids: &[MessageId],
        act: &OperatorAct,
        dry_run: bool,
    ) -> Result<Vec<std::result::Result<ActDone, Reason>>> {
        let (ids, act) = (ids.to_vec(), act.clone());
        self.write(Class::Operator, 0, move |tx| {
            tx.dry_run = dry_run;
            if act.reason.trim().is_empty() {
                let refused = || Err(Reason::new("KOUAN-JOURNAL-REASON-REQUIRED", "an act needs its reason"));
                return Ok(ids.iter().map(|_| refused()).collect());
            }
            if act.act == Act::RetryQuarantine {
                crate::inbound::release_quarantine(tx, &signed(&act))?;
            }
            ids.iter().map(|&id| one(tx, id, &act)).collect()
        })
    }
}

/// Who and why, as every event of an act carries them.
fn signed(act: &OperatorAct) -> Value {
    json!({"act": act.act, "operator": act.operator, "why": act.reason})
}

/// What an act needs of a message.
struct Subject {
    id: MessageId,
    delivery: Delivery,
    outcome: Outcome,
    reopened: bool,
    bodies_dropped: bool,
}

type Verdict = std::result::Result<Option<MessageId>, Reason>;

fn one(tx: &mut Tx<'_>, id: MessageId, act: &OperatorAct) -> Result<std::result::Result<ActDone, Reason>> {
    let Some(subject) = subject(tx, id)? else {
        return Ok(Err(Reason::new("KOUAN-JOURNAL-UNKNOWN-ID", format!("there is no message {}", id.0))));
    };
    let verdict = match &act.act {
        Act::ResolveSent | Act::ResolveNotSent => move_parts(tx, &subject, act)?,
        _ if act.part.is_some() => {
            Err(Reason::new("KOUAN-JOURNAL-ACT-NOT-ALLOWED", "only a doubt is settled part by part"))
        }
        Act::ResendAsNew => resend_as_new(tx, &subject, act)?,
        Act::Acknowledge => acknowledge(tx, &subject, act)?,
        Act::RetryQuarantine => Ok(None),
        Act::Park | Act::Resend | Act::Skip => move_parts(tx, &subject, act)?,
    };
    let after = self::subject(tx, id)?.map_or(subject.delivery, |after| after.delivery);
    Ok(verdict.map(|new_message| ActDone { message: id, before: subject.delivery, after, new_message }))
}

fn subject(tx: &Tx<'_>, id: MessageId) -> Result<Option<Subject>> {
    Ok(tx
        .conn
        .prepare_cached(
            "SELECT delivery, outcome, reopened, bodies_dropped_at IS NOT NULL FROM messages WHERE id = ?1",
        )?
        .query_row([id.0], |row| {
            let number: i64 = row.get(0)?;
            Ok(Subject {
                id,
                delivery: Delivery::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, number))?,
                outcome: crate::matching::outcome_of(row.get(1)?),
                reopened: row.get(2)?,
                bodies_dropped: row.get(3)?,
            })
        })
        .optional()?)
}

/// Acts that move parts by the lifecycle.
fn move_parts(tx: &mut Tx<'_>, subject: &Subject, act: &OperatorAct) -> Result<Verdict> {
    let (event, kind) = match act.act {
        Act::Park => (PartEvent::Park, "parked"),
        Act::Resend => (PartEvent::Resend(act.repeats), "resend"),
        Act::Skip => (PartEvent::Skip, "skipped"),
        Act::ResolveSent => (PartEvent::ResolveSent, "resolved_sent"),
        _ => (PartEvent::ResolveNotSent, "resolved_not_sent"),
    };
    if subject.bodies_dropped && matches!(act.act, Act::Resend | Act::ResolveNotSent) {
        let text = format!("the bytes of message {} were dropped by retention", subject.id.0);
        return Ok(Err(Reason::new("KOUAN-JOURNAL-BODY-DROPPED", text)));
    }
    let mut parts = parts::of_message(tx.conn, subject.id)?;
    if let Some(name) = &act.part {
        match chosen(tx, subject.id, name)? {
            Ok(id) => parts.retain(|part| part.id == id),
            Err(reason) => return Ok(Err(reason)),
        }
    }
    let meant = meant(&parts, &act.act);
    // A document's receipts say nothing of attachments that are still in doubt.
    let answered = parts.iter().any(|part| part.expects_receipt && meant(&part.state));
    if act.act == Act::ResolveNotSent && answered && is_proven_sent(tx, subject.id)? {
        let text = format!("a receipt proves that message {} arrived", subject.id.0);
        return Ok(Err(Reason::new("KOUAN-JOURNAL-RECEIPT-PROVES", text)));
    }
    let mut moved = false;
    for part in parts.iter_mut().filter(|part| meant(&part.state)) {
        match act.act {
            Act::Resend | Act::ResolveNotSent => (part.next_at, part.reason) = (0, None),
            Act::Park | Act::Skip => part.reason = Some(Reason::new("", act.reason.clone())),
            _ => {}
        }
        moved |= change(tx, part, event, kind, signed(act))?.is_ok();
    }
    if !moved {
        let (what, state) = match (&act.part, parts.first()) {
            (Some(name), Some(part)) => (format!("part {name} of message {}", subject.id.0), part.state.delivery),
            _ => (format!("message {}", subject.id.0), subject.delivery),
        };
        let text = format!("{what} is {}: this act does not fit", state.names().1);
        return Ok(Err(Reason::new("KOUAN-JOURNAL-ACT-NOT-ALLOWED", text)));
    }
    refold(tx, subject.id)?;
    Ok(Ok(None))
}

/// The one part that an operator names by its wire id or its name.
fn chosen(tx: &Tx<'_>, message: MessageId, name: &str) -> Result<std::result::Result<PartId, Reason>> {
    let mut statement = tx
        .conn
        .prepare_cached("SELECT id FROM parts WHERE message = ?1 AND (wire_id = ?2 OR name = ?2) ORDER BY idx")?;
    let found = statement.query_map(params![message.0, name], |row| row.get(0).map(PartId))?;
    let found = found.collect::<rusqlite::Result<Vec<_>>>()?;
    let text = match found[..] {
        [part] => return Ok(Ok(part)),
        [] => format!("message {} has no part {name}", message.0),
        _ => format!("message {} has {} parts {name}", message.0, found.len()),
    };
    Ok(Err(Reason::new("KOUAN-JOURNAL-WHICH-PART", text)))
}

/// Which parts an act means. What is known to have arrived is touched only when nothing else is left, so that an act on
/// a waiting attachment does not send the document again.
fn meant(parts: &[PartRow], act: &Act) -> impl Fn(&PartState) -> bool + use<> {
    let doubted = parts.iter().any(|part| part.state.delivery == Delivery::InDoubt);
    let under_way =
        |part: &PartRow| matches!(part.state.delivery, Delivery::Ready | Delivery::InDoubt | Delivery::Sending);
    let waiting = parts.iter().any(under_way);
    let act = act.clone();
    move |state| match act {
        Act::ResolveSent | Act::ResolveNotSent if doubted => state.delivery == Delivery::InDoubt,
        Act::Resend if waiting => matches!(state.delivery, Delivery::Ready | Delivery::InDoubt),
        Act::Skip => state.delivery != Delivery::Skipped,
        _ => true,
    }
}

fn is_proven_sent(tx: &Tx<'_>, id: MessageId) -> Result<bool> {
    let mut statement = tx
        .conn
        .prepare_cached("SELECT receipt FROM inbound WHERE message = ?1 AND state = 2 AND receipt IS NOT NULL")?;
    let receipts = statement.query_map([id.0], |row| row.get::<_, String>(0))?;
    for receipt in receipts {
        let receipt: kouan_sdk::business::Receipt = serde_json::from_str(&receipt?)?;
        if !receipt.is_client_failure {
            return Ok(true);
        }
    }
    Ok(false)
}

fn acknowledge(tx: &mut Tx<'_>, subject: &Subject, act: &OperatorAct) -> Result<Verdict> {
    let conn = tx.conn;
    let lifted = conn
        .prepare_cached("UPDATE messages SET overdue = 0, updated_at = ?2 WHERE id = ?1 AND overdue = 1")?
        .execute(params![subject.id.0, tx.now.millis()])?;
    parts::refresh_hold(conn, subject.id)?;
    let alarms = tx.acknowledge(subject.id, None, signed(act))?;
    if lifted == 0 && alarms == 0 {
        let text = format!("message {} is neither overdue nor under an alarm", subject.id.0);
        return Ok(Err(Reason::new("KOUAN-JOURNAL-ACT-NOT-ALLOWED", text)));
    }
    tx.event("acknowledged", About::message(subject.id), signed(act));
    Ok(Ok(None))
}

/// The same content as a new message, which is checked and sent under an identity of its own.
fn resend_as_new(tx: &mut Tx<'_>, subject: &Subject, act: &OperatorAct) -> Result<Verdict> {
    let parts = parts::of_message(tx.conn, subject.id)?;
    if may_still_take_effect(subject, &parts) {
        let text = format!("message {} may still take effect", subject.id.0);
        return Ok(Err(Reason::new("KOUAN-JOURNAL-MAY-STILL-TAKE-EFFECT", text)));
    }
    if subject.bodies_dropped {
        let text = format!("the bytes of message {} were dropped by retention", subject.id.0);
        return Ok(Err(Reason::new("KOUAN-JOURNAL-BODY-DROPPED", text)));
    }
    let conn = tx.conn;
    let already: Option<i64> = conn
        .prepare_cached("SELECT id FROM messages WHERE supersedes = ?1 LIMIT 1")?
        .query_row([subject.id.0], |row| row.get(0))
        .optional()?;
    if let Some(already) = already {
        let text = format!("message {} supersedes message {} already", already, subject.id.0);
        return Ok(Err(Reason::new("KOUAN-JOURNAL-SUPERSEDED", text)));
    }
    let (site, source_id, file_name, headers): (String, String, String, String) = conn
        .prepare_cached("SELECT site, source_id, file_name, headers FROM messages WHERE id = ?1")?
        .query_row([subject.id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let message = NewMessage {
        site,
        source_id: format!("{source_id}#as-new-{}", subject.id.0),
        file_name,
        headers: serde_json::from_str(&headers)?,
        body: intake::body(conn, subject.id)?.into(),
    };
    let new = intake::insert(tx, &message, Some(subject.id))?;
    let mut data = signed(act);
    data["new_message"] = json!(new);
    tx.event("superseded", About::message(subject.id), data);
    Ok(Ok(Some(new)))
}

/// Only what was refused by us, or is certainly not at the other side, or was handed back by it, has no effect any more.
fn may_still_take_effect(subject: &Subject, parts: &[PartRow]) -> bool {
    let handed_back = subject.outcome == Outcome::Rejected || subject.reopened;
    match subject.delivery {
        Delivery::Refused => false,
        Delivery::Sent => !handed_back,
        Delivery::Skipped => {
            let arrived = |part: &PartRow| part.state.unresolved > 0 || part.state.delivery == Delivery::Sent;
            !handed_back && parts.iter().any(arrived)
        }
        Delivery::Received | Delivery::Ready | Delivery::Sending | Delivery::InDoubt => true,
    }
}
