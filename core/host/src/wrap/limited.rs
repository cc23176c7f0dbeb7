//! Small batches around a transport that would take bigger ones.

use kouan_sdk::transport::{
    Capabilities, Disposition, Incoming, Inquiry, Outgoing, Receiver, SendOutcome, Sender, Token, Transport,
};
use kouan_sdk::{Error, ErrorKind, Health, Result};
use std::time::{Duration, Instant};

/// A transport that is never handed more than so many messages, or a bigger body, at once.
pub struct LimitedTransport {
    inner: Box<dyn Transport>,
    max_batch: usize,
    max_body: usize,
}

impl LimitedTransport {
    /// Batches of at most `max_batch` messages; a body over `max_body` bytes is refused for good.
    pub fn new(inner: Box<dyn Transport>, max_batch: usize, max_body: usize) -> Self {
        Self { inner, max_batch: max_batch.max(1), max_body }
    }
}

impl Transport for LimitedTransport {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        let inner = self.inner.open_sender()?;
        Ok(Box::new(LimitedSender { inner, max_batch: self.max_batch, max_body: self.max_body }))
    }

    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        Ok(Box::new(LimitedReceiver { inner: self.inner.open_receiver()?, max_batch: self.max_batch }))
    }

    fn probe(&self) -> Health {
        self.inner.probe()
    }
}

struct LimitedSender {
    inner: Box<dyn Sender>,
    max_batch: usize,
    max_body: usize,
}

impl Sender for LimitedSender {
    fn send(&self, batch: &[Outgoing<'_>], deadline: Duration) -> Vec<SendOutcome> {
        let until = Instant::now() + deadline;
        let small: Vec<Outgoing<'_>> = batch.iter().filter(|m| m.body.len() <= self.max_body).cloned().collect();
        let mut outcomes = small
            .chunks(self.max_batch)
            .flat_map(|chunk| self.inner.send(chunk, until.saturating_duration_since(Instant::now())))
            .collect::<Vec<_>>()
            .into_iter();
        let outcome = |message: &Outgoing<'_>| {
            if message.body.len() > self.max_body {
                let text = format!("{} bytes; at most {} are taken", message.body.len(), self.max_body);
                let reason = Error::new(ErrorKind::Invalid, "KOUAN-HOST-BODY-TOO-BIG", text);
                return SendOutcome::Refused { transient: false, reason };
            }
            outcomes.next().unwrap_or_else(|| {
                let reason =
                    Error::new(ErrorKind::Internal, "KOUAN-HOST-PLUGIN-NO-ANSWER", "the transport gave no outcome");
                SendOutcome::Unknown { reason }
            })
        };
        batch.iter().map(outcome).collect()
    }

    fn inquire(&self, wire_ids: &[&str]) -> Result<Vec<Inquiry>> {
        self.inner.inquire(wire_ids)
    }

    fn close(&self) {
        self.inner.close();
    }
}

struct LimitedReceiver {
    inner: Box<dyn Receiver>,
    max_batch: usize,
}

impl Receiver for LimitedReceiver {
    fn receive(&self, max: usize, max_bytes: usize, wait: Duration) -> Result<Vec<Incoming>> {
        self.inner.receive(max.min(self.max_batch), max_bytes, wait)
    }

    fn settle(&self, tokens: &[Token]) -> Result<()> {
        self.inner.settle(tokens)
    }

    fn reject(&self, token: Token, reason: &Error) -> Result<()> {
        self.inner.reject(token, reason)
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
