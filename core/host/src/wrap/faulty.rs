//! Faults on purpose, from a seed.

use crate::dice::Dice;
use kouan_sdk::transport::{
    Capabilities, Disposition, Incoming, Inquiry, Outgoing, Receiver, SendOutcome, Sender, Token, Transport,
};
use kouan_sdk::{Error, ErrorKind, Health, Result};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How often what goes wrong: probabilities 0.0..=1.0, each thrown for (seed, message id, attempt).
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Everything random comes from it.
    pub seed: u64,
    /// Sent, but the confirmation is lost: Unknown.
    pub lose_confirm: f64,
    /// Not sent, and nobody says so: Unknown.
    pub vanish: f64,
    /// Not sent: Refused, transient.
    pub refuse: f64,
    /// Sent twice.
    pub send_twice: f64,
    /// Handed out twice, the second time as redelivered.
    pub receive_twice: f64,
    /// Milliseconds that every batch takes longer.
    pub delay_ms: u64,
}

/// A transport with faults.
pub struct FaultyTransport {
    inner: Box<dyn Transport>,
    faults: Faults,
    attempts: Arc<Mutex<HashMap<String, u32>>>,
}

impl FaultyTransport {
    /// Puts faults around `inner`.
    pub fn new(inner: Box<dyn Transport>, faults: Faults) -> Self {
        Self { inner, faults, attempts: Arc::default() }
    }
}

impl Transport for FaultyTransport {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        let inner = self.inner.open_sender()?;
        Ok(Box::new(FaultySender { inner, faults: self.faults, attempts: self.attempts.clone() }))
    }

    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        let inner = self.inner.open_receiver()?;
        Ok(Box::new(FaultyReceiver { inner, faults: self.faults, copies: Mutex::default() }))
    }

    fn probe(&self) -> Health {
        self.inner.probe()
    }
}

struct FaultySender {
    inner: Box<dyn Sender>,
    faults: Faults,
    attempts: Arc<Mutex<HashMap<String, u32>>>,
}

impl FaultySender {
    fn send_one(&self, message: &Outgoing<'_>, deadline: Duration) -> SendOutcome {
        let attempt = {
            let mut attempts = self.attempts.lock();
            let count = attempts.entry(message.id.to_owned()).or_default();
            *count += 1;
            count.to_string()
        };
        let dice = Dice::new(self.faults.seed);
        let happens = |probability, what| dice.happens(probability, &[what, message.id, &attempt]);
        let unknown = |what: &str| SendOutcome::Unknown { reason: planned(ErrorKind::Timeout, what) };
        if happens(self.faults.refuse, "refuse") {
            let reason = planned(ErrorKind::Unavailable, "refused on purpose");
            return SendOutcome::Refused { transient: true, reason };
        }
        if happens(self.faults.vanish, "vanish") {
            return unknown("lost on purpose");
        }
        let outcome = self.really_send(message, deadline);
        if happens(self.faults.send_twice, "send_twice") {
            self.really_send(message, deadline);
        }
        let confirmed = outcome == SendOutcome::Confirmed;
        if confirmed && happens(self.faults.lose_confirm, "lose_confirm") {
            return unknown("confirmation lost on purpose");
        }
        outcome
    }

    fn really_send(&self, message: &Outgoing<'_>, deadline: Duration) -> SendOutcome {
        let outcome = self.inner.send(std::slice::from_ref(message), deadline).pop();
        outcome.unwrap_or_else(|| SendOutcome::Unknown { reason: planned(ErrorKind::Internal, "no outcome") })
    }
}

impl Sender for FaultySender {
    fn send(&self, batch: &[Outgoing<'_>], deadline: Duration) -> Vec<SendOutcome> {
        std::thread::sleep(Duration::from_millis(self.faults.delay_ms));
        batch.iter().map(|message| self.send_one(message, deadline)).collect()
    }

    fn inquire(&self, wire_ids: &[&str]) -> Result<Vec<Inquiry>> {
        self.inner.inquire(wire_ids)
    }

    fn close(&self) {
        self.inner.close();
    }
}

/// Tokens of copies have the highest bit set; what is done with them does not reach the source.
const COPY: u64 = 1 << 63;

struct FaultyReceiver {
    inner: Box<dyn Receiver>,
    faults: Faults,
    copies: Mutex<HashSet<String>>,
}

impl Receiver for FaultyReceiver {
    fn receive(&self, max: usize, max_bytes: usize, wait: Duration) -> Result<Vec<Incoming>> {
        std::thread::sleep(Duration::from_millis(self.faults.delay_ms));
        let mut all = self.inner.receive(max, max_bytes, wait)?;
        let dice = Dice::new(self.faults.seed);
        let copies: Vec<Incoming> = all
            .iter()
            .filter(|message| dice.happens(self.faults.receive_twice, &["receive_twice", &message.source_id]))
            .filter(|message| self.copies.lock().insert(message.source_id.clone()))
            .map(|message| Incoming { token: Token(message.token.0 | COPY), redelivered: true, ..message.clone() })
            .collect();
        all.extend(copies);
        Ok(all)
    }

    fn settle(&self, tokens: &[Token]) -> Result<()> {
        let real: Vec<Token> = tokens.iter().copied().filter(|token| token.0 & COPY == 0).collect();
        self.inner.settle(&real)
    }

    fn reject(&self, token: Token, reason: &Error) -> Result<()> {
        if token.0 & COPY == 0 { self.inner.reject(token, reason) } else { Ok(()) }
    }

    fn dispose(&self, batch: &[Disposition<'_>]) -> Vec<Result<()>> {
        self.inner.dispose(batch)
    }

    fn undisposed(&self) -> Result<Vec<String>> {
        self.inner.undisposed()
    }

    fn close(&self) {
        self.inner.close();
    }
}

fn planned(kind: ErrorKind, text: &str) -> Error {
    Error::new(kind, "KOUAN-HOST-FAULT-ON-PURPOSE", text)
}
