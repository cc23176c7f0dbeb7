//! Does each step to the store and to the model, and compares.

use crate::common::{Bench, act};
use crate::reference::{Message, Part, Reference};
use kouan_journal::model::*;
use kouan_journal::testing::{all_due, message, part, ready, refused, report};
use kouan_journal::{Delivery, Repeats};
use kouan_sdk::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub enum End {
    Confirmed,
    Transient(i64),
    Spent,
    Permanent,
    Unknown(i64),
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    Refused,
    One,
    Two,
    Three,
}

#[derive(Debug, Clone)]
pub enum Op {
    Accept { web: bool, source: usize, body: u8, key: u8, lane: u8 },
    Check { web: bool, planned: Planned, update: bool, send: bool },
    Send { nth: usize, end: End, payload: u8, seal: u8 },
    BeginAnyway { m: usize, p: usize, seal: u8 },
    EndOpen { nth: usize, end: End },
    Receive { m: usize, by: u8, kind: u8, rank: u32, noticed: i64, text: u8 },
    Open(usize),
    RepeatEnvelope(usize),
    Act { m: usize, act: Act },
    Inquire { nth: usize, present: bool },
    Effect { web: bool, nth: usize, fail: Option<i64> },
    Clock(i64),
    MarkOverdue,
    Reopen,
}

/// A message and its bytes.
type Given = (i64, Vec<u8>);

pub struct Driver {
    pub bench: Bench,
    pub model: Reference,
    /// What each site gave under each id.
    sources: BTreeMap<(&'static str, String), Vec<Given>>,
    /// Messages whose end was shown.
    shown: BTreeSet<i64>,
    /// Receipts taken in and not opened: inbound's number, what it says.
    pub unopened: Vec<(i64, kouan_sdk::business::Receipt)>,
    pub opened: Vec<(String, kouan_sdk::business::Receipt)>,
    /// What left under each wire id: the payload, and the sealed bytes of unresolved attempts.
    left: BTreeMap<String, Vec<u8>>,
    wire_ids: BTreeMap<String, (i64, usize)>,
    /// Effects that failed, and when they may be tried again.
    failed: BTreeMap<i64, (Option<MessageId>, i64)>,
    done: BTreeSet<i64>,
    pub others_pending: u64,
}

const SITES: [&str; 2] = ["erp", "web"];

impl Driver {
    pub fn new(repeats: Repeats) -> Self {
        let bench = Bench::in_memory();
        let model = Reference {
            now: bench.clock_now().millis(),
            repeats,
            messages: vec![],
            inbound: vec![],
            open: vec![],
            arrivals: 0,
        };
        Self {
            bench,
            model,
            sources: BTreeMap::new(),
            shown: BTreeSet::new(),
            unopened: vec![],
            opened: vec![],
            left: BTreeMap::new(),
            wire_ids: BTreeMap::new(),
            failed: BTreeMap::new(),
            done: BTreeSet::new(),
            others_pending: 0,
        }
    }

    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Accept { web, source, body, key, lane } => {
                self.accept(SITES[usize::from(*web)], *source, *body, *key, *lane);
            }
            Op::Check { web, planned, update, send } => {
                self.check(SITES[usize::from(*web)], *planned, *update, *send);
            }
            Op::Send { nth, end, payload, seal } => {
                let due = self.model.due();
                if let Some(&(m, p)) = due.get(nth % due.len().max(1)) {
                    self.begin(m, p, *payload, *seal);
                    if !matches!(end, End::Open) {
                        self.end_open(self.model.open.len().wrapping_sub(1), end);
                    }
                }
            }
            Op::BeginAnyway { m, p, seal } => {
                if let Some(message) = self.model.messages.get(*m)
                    && *p < message.parts.len()
                {
                    self.begin(*m, *p, 0, *seal);
                }
            }
            Op::EndOpen { nth, end } => self.end_open(nth % self.model.open.len().max(1), end),
            Op::Receive { m, by, kind, rank, noticed, text } => self.receive(*m, *by, *kind, *rank, *noticed, *text),
            Op::Open(nth) => self.open(*nth),
            Op::RepeatEnvelope(nth) => self.repeat_envelope(*nth),
            Op::Act { m, act } => self.act(*m, act),
            Op::Inquire { nth, present } => self.inquire(*nth, *present),
            Op::Effect { web, nth, fail } => self.effect(SITES[usize::from(*web)], *nth, *fail),
            Op::Clock(millis) => {
                self.bench.clock.advance(*millis);
                self.model.now += millis;
            }
            Op::MarkOverdue => {
                self.bench.journal.mark_overdue().unwrap();
                self.model.mark_overdue();
            }
            Op::Reopen => self.reopen(),
        }
    }

    fn accept(&mut self, site: &'static str, source: usize, body: u8, key: u8, lane: u8) {
        let mut new = message(&format!("F{source}"), format!("<body{body}/>").as_bytes());
        new.site = site.to_owned();
        let next = self.model.messages.len() as i64 + 1;
        let given = self.sources.entry((site, new.source_id.clone())).or_default();
        // The same id with other bytes is another message, once the folder has let go of the first.
        let same = given.iter().find(|(_, body)| *body == *new.body);
        let held = given.first().filter(|(first, _)| site == "erp" && !self.shown.contains(first));
        let known = same.or(held).map(|(id, _)| *id);
        if known.is_none() {
            given.push((next, new.body.to_vec()));
        }
        let expected = known.map_or(Accepted::New(MessageId(next)), |id| Accepted::Known(MessageId(id)));
        assert_eq!(self.bench.journal.accept(vec![new.clone()]).unwrap(), [expected]);
        if known.is_none() {
            let lane = format!("sample/{}", if lane == 0 { format!("K{key}") } else { format!("L{lane}") });
            self.take_in(site, format!("K{key}"), new.body.to_vec(), lane);
        }
    }

    fn take_in(&mut self, site: &'static str, key: String, body: Vec<u8>, lane: String) {
        self.model.arrivals += 1;
        self.model.messages.push(Message {
            site,
            key,
            body,
            lane,
            delivery: Delivery::Received,
            parts: vec![],
            keys: BTreeSet::new(),
            update: false,
            arrival: self.model.arrivals,
            attempted: false,
            answered: false,
            proven: false,
            receipts: vec![],
            overdue: false,
            overdue_at: None,
            superseded: false,
            ended: false,
            pending: 0,
        });
    }

    fn check(&mut self, site: &'static str, planned: Planned, update: bool, send: bool) {
        let waits = |message: &Message| message.site == site && message.delivery == Delivery::Received;
        let Some(m) = self.model.messages.iter().position(waits) else { return };
        let id = MessageId(m as i64 + 1);
        self.model.messages[m].update = update;
        let subject = self.model.messages[m].clone();
        let mut said = report(&subject.key);
        said.is_update = update;
        said.order_key = subject.lane.strip_prefix("sample/").unwrap().to_owned();
        let own = PartPayload::Bytes(format!("own of {m}").into_bytes());
        let mut parts = vec![part("document", PartPayload::Body, vec![], true)];
        match planned {
            Planned::Two => parts.push(part("second", own, vec![], true)),
            Planned::Three => {
                parts.push(part("a.pdf", own, vec![0], false));
                parts.push(part("b.pdf", PartPayload::WaitsFor("SeqNo".to_owned()), vec![0, 1], false));
            }
            Planned::One | Planned::Refused => {}
        }
        let duplicate = self.model.duplicate_of(m).filter(|_| !send && planned != Planned::Refused);
        let mut checked = if planned == Planned::Refused {
            let mut checked = refused(id, &subject.key);
            checked.report = said;
            checked
        } else {
            ready(id, said, parts.clone())
        };
        if let (Verdict::Ready(plan), true) = (&mut checked.verdict, send) {
            plan.duplicates = DuplicatePolicy::Send;
        }
        let outcome = self.bench.journal.record_checks(vec![checked.clone()]).unwrap()[0];
        let again = self.bench.journal.record_checks(vec![checked]).unwrap()[0];
        assert_eq!(again, CheckOutcome::AlreadyChecked);
        let message = &mut self.model.messages[m];
        message.keys.insert(format!("ClientNo={}", message.key));
        let expected = match (planned, duplicate) {
            (Planned::Refused, _) => CheckOutcome::Refused,
            (_, Some(earlier)) => CheckOutcome::Duplicate(MessageId(earlier as i64 + 1)),
            _ => CheckOutcome::Ready,
        };
        assert_eq!(outcome, expected, "message {m}");
        if expected != CheckOutcome::Ready {
            message.delivery = Delivery::Refused;
            message.ended = true;
            message.pending += 2 + u64::from(site == "erp");
            return;
        }
        message.parts = parts
            .iter()
            .map(|part| {
                let payload = match &part.payload {
                    PartPayload::Body => Some(message.body.clone()),
                    PartPayload::Bytes(bytes) => Some(bytes.clone()),
                    PartPayload::WaitsFor(_) => None,
                };
                Part::new(payload, part.after.clone(), part.expects_receipt)
            })
            .collect();
        let known = vec![format!("ClientNo={}", message.key)];
        self.model.refold(m);
        self.model.rematch(known);
        for (p, part) in self.bench.journal.detail(id).unwrap().unwrap().parts.into_iter().enumerate() {
            let before = self.wire_ids.insert(part.wire_id.clone(), (id.0, p));
            assert_eq!(before, None, "wire id {} was given twice", part.wire_id);
        }
    }

    fn begin(&mut self, m: usize, p: usize, payload: u8, seal: u8) {
        let detail = self.bench.journal.detail(MessageId(m as i64 + 1)).unwrap().unwrap();
        let (id, wire_id) = (detail.parts[p].id, detail.parts[p].wire_id.clone());
        let known = &self.model.messages[m].parts[p];
        let own = (payload > 0).then(|| format!("payload {payload} of {m}/{p}").into_bytes());
        let carried = own.clone().or_else(|| known.payload.clone()).unwrap_or_default();
        let sealed_bytes = [wire_id.as_bytes(), &carried, &[seal]].concat();
        let sealed = Sealed { bytes: sealed_bytes.clone().into(), certificate_serial: seal.to_string() };
        let begin = Begin { part: id, sealed, payload: own.clone(), repeats: self.model.repeats };
        let begun = self.bench.journal.begin_attempts(vec![begin]).unwrap()[0];
        assert_eq!(begun.is_ok(), self.model.begin(m, p, &sealed_bytes, own.as_deref()), "part {m}/{p}: {begun:?}");
        if let Ok(attempt) = begun {
            self.model.messages[m].parts[p].latest = Some(attempt.0);
            self.model.open.push((attempt.0, m, p));
            let before = self.left.entry(wire_id).or_insert_with(|| carried.clone());
            assert_eq!(*before, carried, "one wire id never carries two payloads");
        }
    }

    fn end_open(&mut self, nth: usize, end: &End) {
        let Some(&(attempt, ..)) = self.model.open.get(nth) else { return };
        let at = |millis: &i64| Timestamp::from_millis(self.model.now + millis);
        let reason = || Reason::new("R", "reason");
        let end = match end {
            End::Confirmed => AttemptEnd::Confirmed,
            End::Transient(millis) => AttemptEnd::RefusedTransient { retry_at: Some(at(millis)), reason: reason() },
            End::Spent => AttemptEnd::RefusedTransient { retry_at: None, reason: reason() },
            End::Permanent => AttemptEnd::RefusedPermanent(reason()),
            End::Unknown(millis) => AttemptEnd::Unknown { retry_at: at(millis), reason: reason() },
            End::Open => return,
        };
        let ended = || vec![Ended { attempt: AttemptId(attempt), end: end.clone() }];
        self.bench.journal.end_attempts(ended()).unwrap();
        self.bench.journal.end_attempts(ended()).unwrap();
        self.model.end(attempt, &end);
    }

    fn act(&mut self, m: usize, what: &Act) {
        if m >= self.model.messages.len() {
            return;
        }
        let mut asked = act(what.clone());
        asked.repeats = self.model.repeats;
        let id = MessageId(m as i64 + 1);
        let before = self.bench.journal.head().unwrap();
        let dry = self.bench.journal.act(&[id], &asked, true).unwrap().remove(0);
        assert_eq!(self.bench.journal.head().unwrap(), before, "a dry run changes nothing");
        let done = self.bench.journal.act(&[id], &asked, false).unwrap().remove(0);
        assert_eq!(dry, done);
        assert_eq!(done.is_ok(), self.model.act(m, what), "{what:?} of {m}: {done:?}");
        if let Ok(ActDone { new_message: Some(new), .. }) = done {
            let old = self.model.messages[m].clone();
            assert_eq!(new.0, self.model.messages.len() as i64 + 1);
            self.take_in(old.site, old.key, old.body, old.lane);
        }
    }

    fn inquire(&mut self, nth: usize, present: bool) {
        let doubted = self.bench.journal.in_doubt(100).unwrap();
        let Some((id, wire_id)) = doubted.get(nth % doubted.len().max(1)) else { return };
        let &(m, p) = &self.wire_ids[wire_id];
        self.bench.journal.record_inquiries(vec![(*id, present)]).unwrap();
        self.model.inquire(m as usize - 1, p, present);
    }

    fn effect(&mut self, site: &str, nth: usize, fail: Option<i64>) {
        let due = self.bench.journal.effects_due(site, 1000, usize::MAX).unwrap();
        for effect in &due {
            assert!(!self.done.contains(&effect.id.0), "a done effect came back");
            let waits = |(id, (message, at)): (&i64, &(Option<MessageId>, i64))| {
                (*id == effect.id.0 || (*id < effect.id.0 && message.is_some() && *message == effect.message))
                    && *at > self.model.now
            };
            assert!(!self.failed.iter().any(waits), "effect {} does not wait its turn", effect.id.0);
        }
        let Some(effect) = due.get(nth % due.len().max(1)) else { return };
        let result = match fail {
            Some(millis) => Err((Reason::new("E", "no"), Timestamp::from_millis(self.model.now + millis))),
            None => Ok(()),
        };
        let done = || vec![EffectDone { id: effect.id, result: result.clone() }];
        self.bench.journal.record_effects(done()).unwrap();
        match (fail, effect.message) {
            (Some(millis), message) => {
                self.failed.insert(effect.id.0, (message, self.model.now + millis));
                return;
            }
            (None, Some(message)) => self.model.messages[message.0 as usize - 1].pending -= 1,
            (None, None) => self.others_pending -= 1,
        }
        self.failed.remove(&effect.id.0);
        if let (EffectKind::Dispose { .. }, Some(message)) = (&effect.kind, effect.message) {
            self.shown.insert(message.0);
        }
        self.done.insert(effect.id.0);
        self.bench.journal.record_effects(done()).unwrap();
    }

    /// The process ends where it stands; what was open is in doubt afterwards.
    fn reopen(&mut self) {
        self.bench.reopen_in_place();
        let end = AttemptEnd::Unknown { retry_at: Timestamp::from_millis(self.model.now), reason: Reason::new("", "") };
        for (attempt, ..) in self.model.open.clone() {
            self.model.end(attempt, &end);
        }
    }

    pub fn compare(&self) {
        let due = self.bench.journal.due(&all_due(self.model.repeats)).unwrap();
        let turns: Vec<_> = due.iter().map(|part| (part.message.0 as usize - 1, part.index)).collect();
        assert_eq!(turns, self.model.due());
        for (m, expected) in self.model.messages.iter().enumerate() {
            let detail = self.bench.journal.detail(MessageId(m as i64 + 1)).unwrap().unwrap();
            let found = (detail.summary.delivery, detail.summary.outcome, detail.summary.hold, detail.pending_effects);
            assert_eq!(
                found,
                (expected.delivery, expected.outcome(), expected.hold(), expected.pending),
                "message {m}"
            );
            let keys: BTreeSet<_> = detail.keys.iter().map(|key| format!("{}={}", key.name, key.value)).collect();
            assert_eq!(keys, expected.keys, "message {m}");
            for (p, (found, expected)) in detail.parts.iter().zip(&expected.parts).enumerate() {
                let state = &found.state;
                let found = (state.delivery, state.parked, state.attempts, state.unresolved, state.doubted);
                let wanted =
                    (expected.delivery, expected.parked, expected.attempts, expected.unresolved, expected.doubted);
                assert_eq!(found, wanted, "part {m}/{p}");
            }
        }
        let pending: u64 = self.model.messages.iter().map(|message| message.pending).sum();
        assert_eq!(self.bench.journal.counts().unwrap().pending_effects, pending + self.others_pending);
    }
}
