//! Takes a batch in: one transaction holds what was delivered, what came of it, and the sealed answers.

use crate::config::{Parts, Repeats, SandboxConfig};
use crate::faults::{Planned, Shipping, Throws, plan};
use crate::ledger::Verdict;
use crate::open::{Content, Message, Opened};
use crate::receipts::{About, Draft, WindowKey, draft, keep};
use crate::records::Records;
use crate::scenario::{Faults, Intake};
use crate::state::BusinessState;
use crate::store::begin;
use crate::wire_ids::WireIds;
use crate::{error, failpoint};
use kouan_sdk::business::Key;
use kouan_sdk::simulator::{Answer, Effect, Script};
use kouan_sdk::{Error, Result, Timestamp};
use rusqlite::Connection;

/// Takes a batch in. After an error nothing of it was taken in.
pub(crate) fn take_in(
    conn: &Connection,
    batch: &[Opened<'_>],
    config: &SandboxConfig,
    parts: &Parts,
    at: Timestamp,
) -> Result<()> {
    let tx = begin(conn)?;
    let mut intake = Taking {
        records: Records { conn: &tx, at },
        config,
        ids: WireIds::load(&tx)?,
        key: WindowKey::choose(&*parts.security, &config.profile)?,
        drafts: Vec::new(),
    };
    for opened in batch {
        intake.delivery(opened)?;
    }
    let Taking { drafts, ids, key, .. } = intake;
    keep(drafts, &key, parts, config, &tx)?;
    ids.save(&tx)?;
    failpoint!("sandbox::before-commit");
    tx.commit().map_err(error::store("commit a batch"))
}

/// Why a message was not taken in.
enum Fault {
    /// Nothing can be taken in now; the batch comes again.
    Batch(Error),
    /// This message's business does not cope with it, and will not.
    Message(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Batch(error)
    }
}

struct Taking<'c> {
    records: Records<'c>,
    config: &'c SandboxConfig,
    ids: WireIds,
    key: WindowKey,
    drafts: Vec<Draft>,
}

/// A message with what the scenario holds ready for it.
struct Case<'m> {
    message: &'m Message<'m>,
    key: Option<&'m Key>,
    throws: Throws,
    intake: Intake,
}

impl Taking<'_> {
    fn delivery(&mut self, opened: &Opened<'_>) -> Result<()> {
        if !self.records.delivery(opened)? {
            tracing::debug!(source_id = opened.incoming.source_id, "delivered before, dropped");
            return Ok(());
        }
        match &opened.content {
            Content::Good(message) => self.message(message),
            Content::Refused { wire_id, sender, code, message } => {
                tracing::warn!(%code, wire_id, sender, "refused: {message}");
                self.records.refusal(opened, wire_id.as_deref(), sender.as_deref(), code, message)
            }
        }
    }

    fn message(&mut self, message: &Message<'_>) -> Result<()> {
        // The gravest thing that a client can do, whatever is made of the message.
        if let Some(other) = self.records.other_payload(message)? {
            let text = format!("wire id {} came with payload {} and with {other}", message.wire_id(), message.digest);
            self.records.alarm("KOUAN-SANDBOX-WIRE-ID-TWO-PAYLOADS", &text, message.wire_id())?;
        }
        let mark = self.drafts.len();
        self.savepoint("SAVEPOINT message")?;
        match self.decide(message) {
            Ok(()) => self.savepoint("RELEASE message"),
            Err(Fault::Batch(error)) => Err(error),
            Err(Fault::Message(error)) => {
                self.savepoint("ROLLBACK TO message; RELEASE message")?;
                self.drafts.truncate(mark);
                let key = message.key.as_ref().ok().and_then(Option::as_ref);
                self.records.arrival(message, key, Verdict::Failed)?;
                let text = format!("{}: {error}", message.side.business);
                self.records.alarm("KOUAN-SANDBOX-SIMULATOR-FAILED", &text, message.wire_id())
            }
        }
    }

    /// What comes of a message.
    fn decide(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let key = message.key.as_ref().map_err(|error| sort(error.clone()))?.as_ref();
        let intake = message.rule.map(|rule| rule.intake.clone()).unwrap_or_default();
        let case = Case { message, key, throws: self.throws(message, key)?, intake };
        if case.throws.happens(case.intake.ignore, "ignore", 0) {
            self.records.arrival(message, key, Verdict::Ignored)?;
            return Ok(());
        }
        match (self.config.repeats, key) {
            (Repeats::WireId, _) if self.records.knows_wire_id(message.wire_id())? => {
                self.records.arrival(message, key, Verdict::RepeatedWireId)?;
                Ok(())
            }
            (Repeats::BusinessKey, Some(key)) if self.is_repeat(message, key)? => self.known_already(&case, key),
            _ => self.take(&case),
        }
    }

    /// Whether the key is known, and the message no change of what stands under it.
    fn is_repeat(&self, message: &Message<'_>, key: &Key) -> Result<bool> {
        let same = message.side.simulator.changes(key).then_some(message.digest.as_str());
        self.records.knows_key(&message.side.business, key, same)
    }

    fn known_already(&mut self, case: &Case<'_>, key: &Key) -> Result<(), Fault> {
        let side = case.message.side;
        let state = BusinessState { conn: self.records.conn, business: &side.business };
        let arrived = case.message.arrived(self.records.at);
        let answers = side.simulator.known_already(&state, &arrived, key).map_err(sort)?;
        let arrival = self.records.arrival(case.message, Some(key), Verdict::RepeatedKey)?;
        self.answer(case, arrival, Some(key), answers)
    }

    fn take(&mut self, case: &Case<'_>) -> Result<(), Fault> {
        let Case { message, key, .. } = case;
        let script = message.rule.map_or_else(Script::default, |rule| rule.script());
        let mut state = BusinessState { conn: self.records.conn, business: &message.side.business };
        let arrived = message.arrived(self.records.at);
        let Effect { effect_key, answers } =
            message.side.simulator.take(&mut state, &arrived, &script).map_err(sort)?;
        let verdict = match (&effect_key, key, answers.is_empty()) {
            (Some(_), ..) => Verdict::Effect,
            (None, None, true) => Verdict::Attachment,
            _ => Verdict::NoEffect,
        };
        let arrival = self.records.arrival(message, key.or(effect_key.as_ref()), verdict)?;
        match &effect_key {
            Some(effect_key) => self.records.effect(message, arrival, effect_key)?,
            None if verdict == Verdict::Attachment => self.records.attachment(message, arrival)?,
            None => {}
        }
        self.answer(case, arrival, effect_key.as_ref().or(*key), answers)
    }

    fn answer(&mut self, case: &Case<'_>, arrival: i64, key: Option<&Key>, answers: Vec<Answer>) -> Result<(), Fault> {
        let usual = Faults::default();
        let faults = case.message.rule.map_or(&usual, |rule| &rule.faults);
        let mut planned = plan(answers, faults, &self.config.scenario, &case.throws);
        if case.throws.happens(case.intake.silent, "silent", 0) {
            for Planned { shipping, faults, .. } in &mut planned {
                *shipping = Shipping::Never;
                faults.push("silent");
            }
        }
        let about = About { arrival, envelope: &case.message.envelope, key: key.cloned(), at: self.records.at };
        // An answer that cannot be put into an envelope is the business's mistake.
        let drafts = draft(planned, &about, &self.key, self.config, &mut self.ids).map_err(sort)?;
        self.drafts.extend(drafts);
        Ok(())
    }

    fn throws(&self, message: &Message<'_>, key: Option<&Key>) -> Result<Throws> {
        let (subject, before) = match key {
            Some(key) => (format!("{}={}", key.name, key.value), self.records.times_key(&message.side.business, key)?),
            None => (message.wire_id().to_owned(), self.records.times_wire_id(message.wire_id())?),
        };
        Ok(Throws::new(self.config.scenario.seed, subject, before + 1))
    }

    fn savepoint(&self, sql: &str) -> Result<()> {
        self.records.conn.execute_batch(sql).map_err(error::store("mark a message"))
    }
}

/// What may pass holds the batch up; what will not is this message's own.
fn sort(error: Error) -> Fault {
    if error.is_transient() { Fault::Batch(error) } else { Fault::Message(error) }
}
