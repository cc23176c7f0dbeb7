//! Outbound: what is due is sealed, its attempt and sealed bytes are recorded, it is sent, and the answer is recorded.
//! One thread for the window; batches end to end.

use crate::core::{Core, Phase};
use crate::retry::{Breaker, Passage, backoff_ms};
use crate::seal::{self, Held, Sealing};
use kouan_journal::model::{AttemptEnd, AttemptId, Begin, DueFilter, DuePart, Ended, Reason};
use kouan_sdk::transport::{Outgoing, SendOutcome, Sender, header};
use kouan_sdk::{ErrorKind, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest nap between two looks.
const NAP: Duration = Duration::from_millis(500);

/// An identity that could not sign is asked again after this long; a login or a new certificate may have come.
const IDENTITY_PAUSE_MS: i64 = 2_000;

/// Runs until the gateway stops; while it drains, until nothing is due.
pub fn run(core: &Core) {
    let mut stage = Outbound {
        core,
        sender: None,
        breaker: Breaker::new(&core.config.retry),
        blocked: BTreeMap::new(),
        standing: BTreeMap::new(),
    };
    while core.phase() != Phase::Stopped {
        let seen = core.outbound.count();
        let worked = stage.round().unwrap_or_else(|error| {
            tracing::error!(code = %error.code, "sending stops for a moment: {}", error.message);
            false
        });
        if worked {
            continue;
        }
        if core.phase() == Phase::Draining {
            break;
        }
        core.outbound.wait(seen, stage.nap());
    }
    if let Some(sender) = stage.sender {
        sender.close();
    }
}

struct Outbound<'a> {
    core: &'a Core,
    sender: Option<Box<dyn Sender>>,
    breaker: Breaker,
    /// Identities that cannot sign, and when to ask again.
    blocked: BTreeMap<String, Timestamp>,
    /// What the journal was last told of each identity: that it signs, or the code of what keeps it from signing.
    standing: BTreeMap<String, Option<String>>,
}

impl Outbound<'_> {
    /// One batch; whether there was work.
    fn round(&mut self) -> kouan_sdk::Result<bool> {
        let now = self.core.clock.now();
        let limit = match self.breaker.passage(now) {
            Passage::Free => self.core.config.limits.batch,
            Passage::Probe => 1,
            Passage::ClosedUntil(_) => return Ok(false),
        };
        self.blocked.retain(|_, until| *until > now);
        let due = self.core.journal.due(&self.filter(limit))?;
        if due.is_empty() || !self.ensure_sender(now) {
            return Ok(false);
        }
        let sealing = seal::seal(self.core, due);
        let progressed =
            !sealing.ready.is_empty() || sealing.held.iter().any(|(_, held)| matches!(held, Held::Park(_)));
        self.hold(now, sealing.held)?;
        for (part, _) in &sealing.ready {
            if !self.blocked.contains_key(&part.identity) {
                self.stands(&part.identity, None)?;
            }
        }
        if !sealing.ready.is_empty() {
            self.send(sealing.ready)?;
        }
        Ok(progressed)
    }

    fn filter(&self, limit: usize) -> DueFilter {
        DueFilter {
            repeats: self.core.config.window.repeats,
            blocked_identities: self.blocked.keys().cloned().collect(),
            limit,
            max_bytes: self.core.config.limits.batch_bytes,
        }
    }

    /// Opens the window's sender before any attempt begins, so that a window that is not there costs no attempt.
    fn ensure_sender(&mut self, now: Timestamp) -> bool {
        if self.sender.is_some() {
            return true;
        }
        match self.core.window.open_sender() {
            Ok(sender) => {
                self.sender = Some(sender);
                true
            }
            Err(error) => {
                tracing::warn!(code = %error.code, "the window cannot be reached: {}", error.message);
                self.breaker.failed(now);
                false
            }
        }
    }

    /// Parts that cannot be sealed: parked with the reason, or left ready while their identity is out of order.
    fn hold(&mut self, now: Timestamp, held: Vec<(DuePart, Held)>) -> kouan_sdk::Result<()> {
        let mut park = Vec::new();
        for (part, why) in held {
            match why {
                Held::Park(reason) => park.push((part.id, reason)),
                Held::IdentityBlocked(error) => {
                    self.blocked.insert(part.identity.clone(), now.plus_millis(IDENTITY_PAUSE_MS));
                    self.stands(&part.identity, Some(&error))?;
                }
            }
        }
        if park.is_empty() {
            return Ok(());
        }
        self.core.journal.park_parts(park)
    }

    /// Whether an identity signs: told once for each change. Messages that wait at sign say why, and an alarm stands.
    fn stands(&mut self, identity: &str, error: Option<&kouan_sdk::Error>) -> kouan_sdk::Result<()> {
        let code = error.map(|error| error.code.to_string());
        if self.standing.get(identity) == Some(&code) {
            return Ok(());
        }
        if let Some(error) = error {
            tracing::warn!(identity, code = %error.code, "identity holds: {}", error.message);
        }
        self.core.journal.hold_identity(identity, error.map(Reason::from))?;
        self.standing.insert(identity.to_owned(), code);
        Ok(())
    }

    fn send(&mut self, ready: Vec<(DuePart, Sealing)>) -> kouan_sdk::Result<()> {
        let repeats = self.core.config.window.repeats;
        let begins = ready
            .iter()
            .map(|(part, sealing)| Begin {
                part: part.id,
                sealed: sealing.sealed.clone(),
                payload: sealing.payload.clone(),
                repeats,
            })
            .collect();
        crate::failpoint!("kernel::sealed-before-begin");
        let attempts = self.core.journal.begin_attempts(begins)?;
        crate::failpoint!("kernel::begun-before-send");
        // A part that was parked or resolved meanwhile does not leave.
        let leaving: Vec<_> = ready.iter().zip(attempts).filter_map(|(r, a)| Some((r, a.ok()?))).collect();
        let headers: Vec<_> = leaving
            .iter()
            .map(|((part, _), _)| {
                vec![
                    (header::WIRE_ID.to_owned(), part.wire_id.clone()),
                    (header::ORDER_KEY.to_owned(), part.lane.clone()),
                ]
            })
            .collect();
        let batch: Vec<_> = leaving
            .iter()
            .zip(&headers)
            .map(|(((part, sealing), _), headers)| Outgoing { id: &part.wire_id, body: &sealing.sealed.bytes, headers })
            .collect();
        let deadline = Duration::from_millis(self.core.config.window.send_timeout_ms);
        let outcomes = match &self.sender {
            Some(sender) => sender.send(&batch, deadline),
            None => Vec::new(),
        };
        crate::failpoint!("kernel::sent-before-record");
        let ends = self.judge(&leaving, outcomes);
        self.core.journal.end_attempts(ends)?;
        self.core.ring_effects();
        Ok(())
    }

    /// Turns the transport's answers into ends of attempts, and tells the breaker.
    fn judge(&mut self, leaving: &[(&(DuePart, Sealing), AttemptId)], outcomes: Vec<SendOutcome>) -> Vec<Ended> {
        let now = self.core.clock.now();
        let missing = || SendOutcome::Unknown {
            reason: kouan_sdk::Error::new(
                ErrorKind::Internal,
                "KOUAN-KERNEL-NO-ANSWER",
                "the transport gave no answer for this message",
            ),
        };
        let mut answers = outcomes.into_iter();
        let mut failed = false;
        let mut ends = Vec::with_capacity(leaving.len());
        for ((part, _), attempt) in leaving {
            let outcome = answers.next().unwrap_or_else(missing);
            failed |= !matches!(outcome, SendOutcome::Confirmed | SendOutcome::Refused { transient: false, .. });
            ends.push(Ended { attempt: *attempt, end: self.end(part, outcome, now) });
        }
        if failed {
            if let Some(sender) = self.sender.take() {
                sender.close();
            }
            if self.breaker.failed(now) {
                tracing::warn!("the window fails again and again; the circuit breaker is open");
            }
        } else {
            self.breaker.succeeded();
        }
        ends
    }

    fn end(&self, part: &DuePart, outcome: SendOutcome, now: Timestamp) -> AttemptEnd {
        let tries = part.state.attempts + 1;
        let salt = part.id.0.unsigned_abs();
        let retry_at = now.plus_millis(backoff_ms(&self.core.config.retry, tries, salt));
        match outcome {
            SendOutcome::Confirmed => AttemptEnd::Confirmed,
            SendOutcome::Refused { transient: true, reason } => AttemptEnd::RefusedTransient {
                retry_at: (tries < self.core.config.retry.attempts).then_some(retry_at),
                reason: Reason::from(&reason),
            },
            SendOutcome::Refused { transient: false, reason } => AttemptEnd::RefusedPermanent(Reason::from(&reason)),
            SendOutcome::Unknown { reason } => AttemptEnd::Unknown { retry_at, reason: Reason::from(&reason) },
        }
    }

    /// How long until something may come due by time alone.
    fn nap(&self) -> Duration {
        let now = self.core.clock.now();
        let next = self.core.journal.next_due_at(self.core.config.window.repeats).ok().flatten();
        let wait = next.map_or(i64::MAX, |at| at.millis() - now.millis());
        NAP.min(Duration::from_millis(u64::try_from(wait.max(5)).unwrap_or(5)))
    }
}
