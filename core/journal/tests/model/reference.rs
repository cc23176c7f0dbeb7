//! The journal's promises told once more, in memory, from the architecture's words and not from the store: what a part
//! may do, how a message folds, whose turn it is, what receipts and operators change.

use kouan_journal::model::{Act, AttemptEnd};
use kouan_journal::{Delivery, Hold, Repeats};
use kouan_sdk::business::Outcome;
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub struct Part {
    pub delivery: Delivery,
    pub parked: bool,
    pub attempts: u32,
    pub unresolved: u32,
    pub doubted: bool,
    pub next_at: i64,
    pub after: Vec<usize>,
    pub payload: Option<Vec<u8>>,
    pub sealed: Option<Vec<u8>>,
    pub expects: bool,
    pub latest: Option<i64>,
}

impl Part {
    pub fn new(payload: Option<Vec<u8>>, after: Vec<usize>, expects: bool) -> Self {
        Self {
            delivery: Delivery::Ready,
            parked: false,
            attempts: 0,
            unresolved: 0,
            doubted: false,
            next_at: 0,
            after,
            payload,
            sealed: None,
            expects,
            latest: None,
        }
    }

    fn arrive(&mut self) {
        (self.delivery, self.unresolved, self.parked, self.next_at) = (Delivery::Sent, 0, false, 0);
    }

    fn is_waiting(&self) -> bool {
        matches!(self.delivery, Delivery::Ready | Delivery::InDoubt)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub keys: Vec<String>,
    pub rank: u32,
    pub noticed: Option<i64>,
    pub digest: [u8; 32],
    pub outcome: Outcome,
    pub reopens: bool,
    pub known: bool,
    pub client: bool,
}

#[derive(Debug, Clone)]
pub struct Message {
    pub site: &'static str,
    pub key: String,
    pub body: Vec<u8>,
    pub lane: String,
    /// Received, refused; anything else is the fold of the parts.
    pub delivery: Delivery,
    pub parts: Vec<Part>,
    pub keys: BTreeSet<String>,
    pub update: bool,
    /// Place among all arrivals.
    pub arrival: usize,
    pub attempted: bool,
    pub answered: bool,
    pub proven: bool,
    pub receipts: Vec<(Receipt, Outcome, bool)>,
    pub overdue: bool,
    pub overdue_at: Option<i64>,
    pub superseded: bool,
    pub ended: bool,
    pub pending: u64,
}

impl Message {
    fn top(&self) -> Option<&(Receipt, Outcome, bool)> {
        self.receipts.iter().max_by_key(|(receipt, ..)| (receipt.rank, receipt.noticed, receipt.digest))
    }

    pub fn outcome(&self) -> Outcome {
        self.top().map_or(Outcome::None, |(_, outcome, _)| *outcome)
    }

    fn handed_back(&self) -> bool {
        self.outcome() == Outcome::Rejected || self.top().is_some_and(|(.., reopens)| *reopens)
    }

    pub fn hold(&self) -> Hold {
        match (self.parts.iter().any(|part| part.parked), self.overdue) {
            (true, _) => Hold::Parked,
            (_, true) => Hold::Overdue,
            _ => Hold::None,
        }
    }

    fn is_live(&self) -> bool {
        matches!(self.delivery, Delivery::Ready | Delivery::Sending | Delivery::InDoubt)
    }

    /// A repeat of it would take effect a second time.
    fn would_be_repeated(&self) -> bool {
        match self.delivery {
            Delivery::Sent => !self.handed_back(),
            Delivery::Skipped => !self.handed_back() && self.parts.iter().any(|part| part.unresolved > 0),
            _ => self.is_live(),
        }
    }

    fn may_take_effect(&self) -> bool {
        match self.delivery {
            Delivery::Refused => false,
            Delivery::Sent => !self.handed_back(),
            Delivery::Skipped => {
                !self.handed_back()
                    && self.parts.iter().any(|part| part.unresolved > 0 || part.delivery == Delivery::Sent)
            }
            _ => true,
        }
    }
}

pub struct Inbound {
    pub arrival: usize,
    pub receipt: Option<Receipt>,
    pub matched: Option<usize>,
}

pub struct Reference {
    pub now: i64,
    pub repeats: Repeats,
    pub messages: Vec<Message>,
    pub inbound: Vec<Inbound>,
    /// Attempts not ended: number, message, part.
    pub open: Vec<(i64, usize, usize)>,
    pub arrivals: usize,
}

impl Reference {
    /// Which parts may leave now: the first of their lane, their source checked, what is before them sent.
    pub fn due(&self) -> Vec<(usize, usize)> {
        let mut due = Vec::new();
        for (m, message) in self.messages.iter().enumerate() {
            let unchecked = |other: &Message| other.site == message.site && other.delivery == Delivery::Received;
            if self.messages.iter().take(m).any(unchecked) {
                continue;
            }
            let turn = |&p: &usize| self.may_begin(m, p) && message.parts[p].next_at <= self.now;
            due.extend((0..message.parts.len()).filter(turn).map(|p| (m, p)));
        }
        due
    }

    pub fn may_begin(&self, m: usize, p: usize) -> bool {
        let message = &self.messages[m];
        let part = &message.parts[p];
        let state = match part.delivery {
            Delivery::Ready => true,
            Delivery::InDoubt => self.repeats != Repeats::None,
            _ => false,
        };
        let key = part.payload.is_some() || message.keys.iter().any(|key| key.starts_with("SeqNo"));
        let before = part.after.iter().all(|&b| message.parts[b].delivery == Delivery::Sent);
        let lane = !self.messages.iter().take(m).any(|other| other.lane == message.lane && other.is_live());
        state && !part.parked && key && before && lane
    }

    /// Whether the attempt begins; bytes that must not change hold the part.
    pub fn begin(&mut self, m: usize, p: usize, sealed: &[u8], payload: Option<&[u8]>) -> bool {
        let allowed = self.may_begin(m, p);
        let part = &mut self.messages[m].parts[p];
        if !allowed || (part.payload.is_none() && payload.is_none()) {
            return false;
        }
        let other_payload = part.attempts > 0 && payload.is_some_and(|new| part.payload.as_deref() != Some(new));
        let same_bytes_only = part.delivery == Delivery::InDoubt || part.unresolved > 0;
        let other_bytes = same_bytes_only && part.sealed.as_deref() != Some(sealed);
        if other_payload || other_bytes {
            part.parked = true;
            self.refold(m);
            return false;
        }
        if let Some(payload) = payload {
            part.payload = Some(payload.to_vec());
        }
        part.sealed = Some(sealed.to_vec());
        part.delivery = Delivery::Sending;
        part.attempts += 1;
        self.refold(m);
        true
    }

    pub fn end(&mut self, attempt: i64, end: &AttemptEnd) {
        let Some(place) = self.open.iter().position(|(id, ..)| *id == attempt) else { return };
        let (_, m, p) = self.open.remove(place);
        let part = &mut self.messages[m].parts[p];
        if part.latest != Some(attempt) || part.delivery != Delivery::Sending {
            return;
        }
        let safe = if part.unresolved == 0 { Delivery::Ready } else { Delivery::InDoubt };
        match end {
            AttemptEnd::Confirmed => part.arrive(),
            AttemptEnd::RefusedTransient { retry_at, .. } => {
                part.delivery = safe;
                part.parked = retry_at.is_none();
                part.next_at = retry_at.map_or(0, |at| at.millis());
            }
            AttemptEnd::RefusedPermanent(_) => (part.delivery, part.parked, part.next_at) = (safe, true, 0),
            AttemptEnd::Unknown { retry_at, .. } => {
                part.delivery = Delivery::InDoubt;
                part.unresolved += 1;
                part.doubted = true;
                part.next_at = retry_at.millis();
            }
        }
        self.refold(m);
    }

    pub fn inquire(&mut self, m: usize, p: usize, present: bool) {
        let part = &mut self.messages[m].parts[p];
        if part.delivery != Delivery::InDoubt {
            return;
        }
        if present {
            part.arrive();
        } else {
            (part.delivery, part.unresolved, part.next_at) = (Delivery::Ready, 0, 0);
        }
        self.refold(m);
    }

    /// Message columns after a change of its parts.
    pub fn refold(&mut self, m: usize) {
        let now = self.now;
        let message = &mut self.messages[m];
        if message.parts.is_empty() {
            return;
        }
        let first = [Delivery::Sending, Delivery::InDoubt, Delivery::Ready]
            .into_iter()
            .find(|state| message.parts.iter().any(|part| part.delivery == *state));
        let next = first.unwrap_or(message.parts[0].delivery);
        let newly_sent = next == Delivery::Sent && message.delivery != Delivery::Sent;
        message.delivery = next;
        message.attempted |= next == Delivery::Sent || message.parts.iter().any(|part| part.attempts > 0);
        if next != Delivery::Sent || message.answered {
            (message.overdue, message.overdue_at) = (false, None);
        } else if newly_sent {
            message.overdue_at = Some(now + 3_600_000);
        }
        if matches!(next, Delivery::Sent | Delivery::Skipped) && !message.ended {
            message.ended = true;
            message.pending += u64::from(message.site == "erp");
        }
    }

    /// The earlier message that this content or key would repeat.
    pub fn duplicate_of(&self, m: usize) -> Option<usize> {
        let new = &self.messages[m];
        let others =
            || self.messages.iter().enumerate().rev().filter(|(i, other)| *i != m && other.would_be_repeated());
        let same_key = others().find(|(_, other)| other.key == new.key);
        match same_key {
            Some((i, other)) if !new.update || other.body == new.body => return Some(i),
            _ if new.update => return None,
            _ => {}
        }
        others().find(|(_, other)| other.body == new.body).map(|(i, _)| i)
    }

    /// The message that a receipt answers: the newest attempted one with one of its keys, else the newest.
    fn find(&self, receipt: &Receipt) -> Option<usize> {
        let has = |message: &Message| receipt.keys.iter().any(|key| message.keys.contains(key));
        let found = self.messages.iter().enumerate().filter(|(_, message)| has(message));
        found.max_by_key(|(i, message)| (message.attempted, *i)).map(|(i, _)| i)
    }

    /// An opened receipt finds its message, or waits for it.
    pub fn receive(&mut self, inbound: usize, receipt: Receipt) -> Option<usize> {
        let found = self.find(&receipt);
        self.inbound[inbound].receipt = Some(receipt.clone());
        if let Some(m) = found {
            self.messages[m].pending += 1;
            let learned = self.attach(inbound, m, &receipt);
            self.rematch(learned);
        }
        found
    }

    fn attach(&mut self, inbound: usize, m: usize, receipt: &Receipt) -> Vec<String> {
        self.inbound[inbound].matched = Some(m);
        let message = &mut self.messages[m];
        let yes = receipt.known && message.parts.iter().any(|part| part.expects && part.doubted);
        let untouched_update = |part: &Part| message.update && part.delivery == Delivery::Ready && part.attempts == 0;
        let update_waits = message.parts.iter().find(|part| part.expects).is_some_and(untouched_update);
        if !receipt.client {
            message.proven = true;
            if let Some(part) = message.parts.iter_mut().find(|part| part.expects && !update_waits) {
                part.arrive();
            }
        }
        message.answered = true;
        let meaning = if yes { (Outcome::Accepted, false) } else { (receipt.outcome, receipt.reopens) };
        message.receipts.push((receipt.clone(), meaning.0, meaning.1));
        let speaks_of_us = !receipt.known || yes;
        let keys = receipt.keys.iter().filter(|_| speaks_of_us);
        let learned = keys.filter(|key| message.keys.insert((*key).clone())).cloned().collect();
        self.refold(m);
        learned
    }

    /// What is newly known may name the message of receipts that came after it and found nobody.
    pub fn rematch(&mut self, mut known: Vec<String>) {
        while let Some(key) = known.pop() {
            for inbound in 0..self.inbound.len() {
                let Inbound { arrival, receipt: Some(receipt), matched: None } = &self.inbound[inbound] else {
                    continue;
                };
                if !receipt.keys.contains(&key) {
                    continue;
                }
                let (receipt, arrival) = (receipt.clone(), *arrival);
                if let Some(m) = self.find(&receipt).filter(|&m| self.messages[m].arrival < arrival) {
                    known.extend(self.attach(inbound, m, &receipt));
                }
            }
        }
    }

    pub fn mark_overdue(&mut self) {
        for message in &mut self.messages {
            if message.overdue_at.is_some_and(|at| at <= self.now) {
                (message.overdue, message.overdue_at) = (true, None);
            }
        }
    }

    /// Whether the act is done; what arrived is touched only when nothing of the message is on its way.
    pub fn act(&mut self, m: usize, act: &Act) -> bool {
        let repeats = self.repeats != Repeats::None;
        let message = &mut self.messages[m];
        if *act == Act::ResendAsNew {
            return !message.may_take_effect() && !std::mem::replace(&mut message.superseded, true);
        }
        let doubted = message.parts.iter().any(|part| part.delivery == Delivery::InDoubt);
        let meant = |part: &&Part| !doubted || part.delivery == Delivery::InDoubt;
        let answered = message.parts.iter().filter(meant).any(|part| part.expects);
        if *act == Act::ResolveNotSent && message.proven && answered {
            return false;
        }
        let under_way =
            doubted || message.parts.iter().any(|part| matches!(part.delivery, Delivery::Ready | Delivery::Sending));
        let arrived = message.parts.iter().any(|part| part.expects && part.delivery == Delivery::Sent);
        if *act == Act::Resend && message.proven && arrived && !under_way {
            return false;
        }
        let mut moved = false;
        for part in &mut message.parts {
            moved |= match (act, part.delivery) {
                (Act::Park, _) if part.is_waiting() => {
                    part.parked = true;
                    true
                }
                (Act::Resend, _) if part.is_waiting() => {
                    (part.parked, part.next_at) = (false, 0);
                    true
                }
                (Act::Resend, Delivery::Sent) if !under_way && repeats => {
                    (part.delivery, part.unresolved, part.doubted) = (Delivery::InDoubt, 1, true);
                    true
                }
                (Act::Skip, _) if part.is_waiting() => {
                    (part.delivery, part.parked) = (Delivery::Skipped, false);
                    true
                }
                (Act::ResolveSent, Delivery::InDoubt) => {
                    part.arrive();
                    true
                }
                (Act::ResolveSent, Delivery::Sent) => !doubted,
                (Act::ResolveNotSent, Delivery::InDoubt) => {
                    (part.delivery, part.unresolved, part.next_at) = (Delivery::Ready, 0, 0);
                    true
                }
                (Act::ResolveNotSent, Delivery::Sent) if !doubted => {
                    (part.delivery, part.next_at) = (Delivery::Ready, 0);
                    true
                }
                (Act::ResolveNotSent, Delivery::Skipped) if !doubted => {
                    part.unresolved = 0;
                    true
                }
                _ => false,
            };
        }
        self.refold(m);
        moved
    }
}
