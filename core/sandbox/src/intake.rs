//! Takes a batch in: one transaction holds what was delivered, what came of it, and the sealed answers.

use crate::config::{Parts, Repeats, SandboxConfig};
use crate::faults::{Planned, Shipping, Throws, plan};
use crate::ledger::Verdict;
use crate::open::{Content, Message, Opened};
use crate::receipts::{About, Draft, WindowKey, draft, keep};
use crate::scenario::{Faults, Intake};
use crate::state::BusinessState;
use crate::store::begin;
use crate::wire_ids::WireIds;
use crate::{error, failpoint};
use kouan_sdk::business::Key;
use kouan_sdk::simulator::{Answer, Effect, Script};
use kouan_sdk::{Error, Result, Timestamp};
use kouan_sm::sm3;
use rusqlite::{Connection, OptionalExtension};

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
        conn: &tx,
        config,
        ids: WireIds::load(&tx)?,
        key: WindowKey::choose(&*parts.security, &config.profile)?,
        at,
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
    conn: &'c Connection,
    config: &'c SandboxConfig,
    ids: WireIds,
    key: WindowKey,
    at: Timestamp,
    drafts: Vec<Draft>,
}

impl Taking<'_> {
    fn delivery(&mut self, opened: &Opened<'_>) -> Result<()> {
        if !self.is_new(opened)? {
            tracing::debug!(source_id = opened.incoming.source_id, "delivered before, dropped");
            return Ok(());
        }
        match &opened.content {
            Content::Good(message) => self.message(message),
            Content::Refused { wire_id, sender, code, message } => {
                tracing::warn!(%code, wire_id, sender, "refused: {message}");
                self.conn
                    .prepare_cached(
                        "INSERT INTO refused (source_id, wire_id, sender, code, message, body_digest, body, at)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )
                    .and_then(|mut statement| {
                        let (digest, body) = (&opened.body_digest, &opened.incoming.body);
                        let source_id = &opened.incoming.source_id;
                        statement.execute((source_id, wire_id, sender, code, message, digest, body, self.at.millis()))
                    })
                    .map(drop)
                    .map_err(error::store("keep a refusal"))
            }
        }
    }

    /// Whether this delivery was not seen before. The digest stands beside the source id, because a transport whose
    /// file was made anew begins to count anew.
    fn is_new(&self, opened: &Opened<'_>) -> Result<bool> {
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO delivery VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| {
                statement.execute((&opened.incoming.source_id, &opened.body_digest, self.at.millis()))
            })
            .map(|rows| rows == 1)
            .map_err(error::store("keep a delivery"))
    }

    fn message(&mut self, message: &Message<'_>) -> Result<()> {
        self.watch_wire_id(message)?;
        let mark = self.drafts.len();
        self.batch("SAVEPOINT message")?;
        match self.decide(message) {
            Ok(()) => self.batch("RELEASE message"),
            Err(Fault::Batch(error)) => Err(error),
            Err(Fault::Message(error)) => {
                self.batch("ROLLBACK TO message; RELEASE message")?;
                self.drafts.truncate(mark);
                let key = message.key.as_ref().ok().and_then(Option::as_ref);
                self.arrival(message, key, Verdict::Failed)?;
                let text = format!("{}: {error}", message.side.business);
                self.alarm("KOUAN-SANDBOX-SIMULATOR-FAILED", &text, message.wire_id())
            }
        }
    }

    /// What comes of a message.
    fn decide(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let key = message.key.as_ref().map_err(|error| sort(error.clone()))?.as_ref();
        let throws = self.throws(message, key)?;
        let intake = message.rule.map(|rule| rule.intake.clone()).unwrap_or_default();
        if throws.happens(intake.ignore, "ignore", 0) {
            self.arrival(message, key, Verdict::Ignored)?;
            return Ok(());
        }
        if self.config.repeats == Repeats::WireId && self.knows_wire_id(message.wire_id())? {
            self.arrival(message, key, Verdict::RepeatedWireId)?;
            return Ok(());
        }
        if let (Repeats::BusinessKey, Some(key)) = (self.config.repeats, key)
            && self.knows_key(&message.side.business, key)?
        {
            return self.known_already(message, key, &throws, &intake);
        }
        self.take(message, key, &throws, &intake)
    }

    fn known_already(
        &mut self,
        message: &Message<'_>,
        key: &Key,
        throws: &Throws,
        intake: &Intake,
    ) -> Result<(), Fault> {
        let state = BusinessState { conn: self.conn, business: &message.side.business };
        let answers = message.side.simulator.known_already(&state, &message.arrived(self.at), key).map_err(sort)?;
        let arrival = self.arrival(message, Some(key), Verdict::RepeatedKey)?;
        self.answer(message, arrival, Some(key), answers, throws, intake)
    }

    fn take(
        &mut self,
        message: &Message<'_>,
        key: Option<&Key>,
        throws: &Throws,
        intake: &Intake,
    ) -> Result<(), Fault> {
        let mut state = BusinessState { conn: self.conn, business: &message.side.business };
        let script = message.rule.map_or_else(Script::default, |rule| rule.script());
        let effect = message.side.simulator.take(&mut state, &message.arrived(self.at), &script).map_err(sort)?;
        let Effect { effect_key, answers } = effect;
        let verdict = match (&effect_key, key, answers.is_empty()) {
            (Some(_), ..) => Verdict::Effect,
            (None, None, true) => Verdict::Attachment,
            _ => Verdict::NoEffect,
        };
        let arrival = self.arrival(message, key.or(effect_key.as_ref()), verdict)?;
        match &effect_key {
            Some(effect_key) => self.effect(message, arrival, effect_key)?,
            None if verdict == Verdict::Attachment => self.attachment(message, arrival)?,
            None => {}
        }
        self.answer(message, arrival, effect_key.as_ref().or(key), answers, throws, intake)
    }

    fn answer(
        &mut self,
        message: &Message<'_>,
        arrival: i64,
        key: Option<&Key>,
        answers: Vec<Answer>,
        throws: &Throws,
        intake: &Intake,
    ) -> Result<(), Fault> {
        let usual = Faults::default();
        let faults = message.rule.map_or(&usual, |rule| &rule.faults);
        let mut planned = plan(answers, faults, &self.config.scenario, throws);
        if throws.happens(intake.silent, "silent", 0) {
            for Planned { shipping, faults, .. } in &mut planned {
                *shipping = Shipping::Never;
                faults.push("silent");
            }
        }
        let about = About { arrival, envelope: &message.envelope, key: key.cloned(), at: self.at };
        // An answer that cannot be put into an envelope is the business's mistake.
        let drafts = draft(planned, &about, &self.key, self.config, &mut self.ids).map_err(sort)?;
        self.drafts.extend(drafts);
        Ok(())
    }

    fn throws(&self, message: &Message<'_>, key: Option<&Key>) -> Result<Throws> {
        let failed = error::store("count arrivals");
        let (subject, before): (String, i64) = match key {
            Some(key) => {
                let count = self
                    .conn
                    .prepare_cached("SELECT count(*) FROM arrival WHERE business = ?1 AND key_name = ?2 AND key = ?3")
                    .and_then(|mut s| s.query_row((&message.side.business, &key.name, &key.value), |row| row.get(0)));
                (format!("{}={}", key.name, key.value), count.map_err(failed)?)
            }
            None => {
                let count = self
                    .conn
                    .prepare_cached("SELECT count(*) FROM arrival WHERE wire_id = ?1")
                    .and_then(|mut s| s.query_row([message.wire_id()], |row| row.get(0)));
                (message.wire_id().to_owned(), count.map_err(failed)?)
            }
        };
        Ok(Throws::new(self.config.scenario.seed, subject, before.unsigned_abs() + 1))
    }

    /// Whether a message with this wire id was taken in; what the window itself lost does not count.
    fn knows_wire_id(&self, wire_id: &str) -> Result<bool> {
        self.conn
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM arrival WHERE wire_id = ?1 AND verdict NOT IN (?2, ?3))")
            .and_then(|mut s| s.query_row((wire_id, Verdict::Ignored.name(), Verdict::Failed.name()), |row| row.get(0)))
            .map_err(error::store("look for a repeat"))
    }

    /// Whether something took effect under this repeat key.
    fn knows_key(&self, business: &str, key: &Key) -> Result<bool> {
        self.conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM arrival
                 WHERE business = ?1 AND key_name = ?2 AND key = ?3 AND verdict = ?4)",
            )
            .and_then(|mut s| s.query_row((business, &key.name, &key.value, Verdict::Effect.name()), |row| row.get(0)))
            .map_err(error::store("look for a repeat"))
    }

    /// One wire id with two payloads is the gravest thing that a client can do.
    fn watch_wire_id(&self, message: &Message<'_>) -> Result<()> {
        let other: Option<String> = self
            .conn
            .prepare_cached("SELECT digest FROM arrival WHERE wire_id = ?1 AND digest <> ?2 LIMIT 1")
            .and_then(|mut s| s.query_row((message.wire_id(), &message.digest), |row| row.get(0)).optional())
            .map_err(error::store("look for another payload"))?;
        let Some(other) = other else { return Ok(()) };
        let text = format!("wire id {} came with payload {} and with {other}", message.wire_id(), message.digest);
        self.alarm("KOUAN-SANDBOX-WIRE-ID-TWO-PAYLOADS", &text, message.wire_id())
    }

    fn arrival(&self, message: &Message<'_>, key: Option<&Key>, verdict: Verdict) -> Result<i64> {
        let (key_name, key) = key.map(|key| (&key.name, &key.value)).unzip();
        let envelope = &message.envelope;
        self.conn
            .prepare_cached(
                "INSERT INTO arrival (wire_id, sender, message_type, file_name, business, key_name, key, digest, at, verdict)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )
            .and_then(|mut statement| {
                statement.insert((
                    &envelope.cop_msg_id,
                    &envelope.sender,
                    &envelope.message_type,
                    &envelope.file_name,
                    &message.side.business,
                    key_name,
                    key,
                    &message.digest,
                    self.at.millis(),
                    verdict.name(),
                ))
            })
            .map_err(error::store("keep an arrival"))
    }

    fn effect(&self, message: &Message<'_>, arrival: i64, key: &Key) -> Result<()> {
        self.conn
            .prepare_cached(
                "INSERT INTO effect (arrival, business, key_name, key, wire_id, digest, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .and_then(|mut statement| {
                let (business, wire_id) = (&message.side.business, message.wire_id());
                statement.execute((
                    arrival,
                    business,
                    &key.name,
                    &key.value,
                    wire_id,
                    &message.digest,
                    self.at.millis(),
                ))
            })
            .map(drop)
            .map_err(error::store("keep an effect"))
    }

    fn attachment(&self, message: &Message<'_>, arrival: i64) -> Result<()> {
        let payload = &message.envelope.payload;
        let content = kouan_dxp::edoc::read(payload).map_or(&payload[..], |(content, _)| content);
        self.conn
            .prepare_cached("INSERT INTO attachment (arrival, name, digest, content_digest) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| {
                let content = hex::encode(sm3(content));
                statement.execute((arrival, &message.envelope.file_name, &message.digest, content))
            })
            .map(drop)
            .map_err(error::store("keep an attachment"))
    }

    fn alarm(&self, code: &str, text: &str, wire_id: &str) -> Result<()> {
        tracing::error!(code, wire_id, "alarm: {text}");
        self.conn
            .prepare_cached("INSERT INTO alarm (code, message, wire_id, at) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut statement| statement.execute((code, text, wire_id, self.at.millis())))
            .map(drop)
            .map_err(error::store("keep an alarm"))
    }

    fn batch(&self, sql: &str) -> Result<()> {
        self.conn.execute_batch(sql).map_err(error::store("mark a message"))
    }
}

/// What may pass holds the batch up; what will not is this message's own.
fn sort(error: Error) -> Fault {
    if error.is_transient() { Fault::Batch(error) } else { Fault::Message(error) }
}
