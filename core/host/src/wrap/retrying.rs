//! Tries a safe refusal again, within the caller's deadline.

use kouan_sdk::transport::{Capabilities, Inquiry, Outgoing, Receiver, SendOutcome, Sender, Transport};
use kouan_sdk::{Health, Result};
use std::time::{Duration, Instant};

/// A transport whose sender retries what was refused for now. What is in doubt is never sent again by it.
pub struct RetryingTransport {
    inner: Box<dyn Transport>,
    tries: u32,
    pause: Duration,
}

impl RetryingTransport {
    /// At most `tries` tries a message, with `pause` between them.
    pub fn new(inner: Box<dyn Transport>, tries: u32, pause: Duration) -> Self {
        Self { inner, tries: tries.max(1), pause }
    }
}

impl Transport for RetryingTransport {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        Ok(Box::new(RetryingSender { inner: self.inner.open_sender()?, tries: self.tries, pause: self.pause }))
    }

    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        self.inner.open_receiver()
    }

    fn probe(&self) -> Health {
        self.inner.probe()
    }
}

struct RetryingSender {
    inner: Box<dyn Sender>,
    tries: u32,
    pause: Duration,
}

impl Sender for RetryingSender {
    fn send(&self, batch: &[Outgoing<'_>], deadline: Duration) -> Vec<SendOutcome> {
        let until = Instant::now() + deadline;
        let mut outcomes = self.inner.send(batch, deadline);
        for _ in 1..self.tries {
            let left = until.saturating_duration_since(Instant::now());
            let Some(first) = outcomes.iter().position(refused_for_now) else { break };
            if left <= self.pause {
                break;
            }
            std::thread::sleep(self.pause);
            // Everything from the first refusal on that was not taken goes again, in its order.
            let again: Vec<usize> =
                (first..outcomes.len()).filter(|i| outcomes.get(*i).is_some_and(refused_for_now)).collect();
            let rest: Vec<Outgoing<'_>> = again.iter().filter_map(|i| batch.get(*i).cloned()).collect();
            let answers = self.inner.send(&rest, left - self.pause);
            for (index, answer) in again.into_iter().zip(answers) {
                if let Some(outcome) = outcomes.get_mut(index) {
                    *outcome = answer;
                }
            }
        }
        outcomes
    }

    fn inquire(&self, wire_ids: &[&str]) -> Result<Vec<Inquiry>> {
        self.inner.inquire(wire_ids)
    }

    fn close(&self) {
        self.inner.close();
    }
}

fn refused_for_now(outcome: &SendOutcome) -> bool {
    matches!(outcome, SendOutcome::Refused { transient: true, .. })
}
