//! The decorators around a transport.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use kouan_host::wrap::{Faults, FaultyTransport, LimitedTransport, RetryingTransport};
use kouan_sdk::transport::*;
use kouan_sdk::{Error, ErrorKind, Health, Result};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// Remembers the batches it was handed; refuses the first `refusals` messages; hands out messages `0..received`.
#[derive(Clone, Default)]
struct Plain {
    batches: Arc<Mutex<Vec<Vec<String>>>>,
    settled: Arc<Mutex<Vec<u64>>>,
    refusals: Arc<Mutex<u32>>,
    received: u64,
}

impl Plain {
    fn sent(&self) -> Vec<String> {
        self.batches.lock().unwrap().concat()
    }
}

impl Transport for Plain {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        Ok(Box::new(self.clone()))
    }
    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        Ok(Box::new(self.clone()))
    }
    fn probe(&self) -> Health {
        Health::green("plain")
    }
}

impl Sender for Plain {
    fn send(&self, batch: &[Outgoing<'_>], _: Duration) -> Vec<SendOutcome> {
        self.batches.lock().unwrap().push(batch.iter().map(|m| m.id.to_owned()).collect());
        let mut left = self.refusals.lock().unwrap();
        let outcome = |_| {
            if *left == 0 {
                return SendOutcome::Confirmed;
            }
            *left -= 1;
            SendOutcome::Refused { transient: true, reason: Error::new(ErrorKind::Unavailable, "X", "busy") }
        };
        batch.iter().map(outcome).collect()
    }
    fn close(&self) {}
}

impl Receiver for Plain {
    fn receive(&self, max: usize, _: usize, _: Duration) -> Result<Vec<Incoming>> {
        let incoming = |n: u64| Incoming {
            token: Token(n),
            source_id: format!("s{n}"),
            body: vec![],
            headers: vec![],
            redelivered: false,
        };
        Ok((0..self.received.min(max as u64)).map(incoming).collect())
    }
    fn settle(&self, tokens: &[Token]) -> Result<()> {
        self.settled.lock().unwrap().extend(tokens.iter().map(|t| t.0));
        Ok(())
    }
    fn reject(&self, _: Token, _: &Error) -> Result<()> {
        Ok(())
    }
    fn close(&self) {}
}

fn send(transport: &dyn Transport, ids: &[&str]) -> Vec<SendOutcome> {
    let batch: Vec<Outgoing<'_>> = ids.iter().map(|id| Outgoing { id, body: id.as_bytes(), headers: &[] }).collect();
    transport.open_sender().unwrap().send(&batch, LONG)
}

fn unknown(outcome: &SendOutcome) -> bool {
    matches!(outcome, SendOutcome::Unknown { .. })
}

#[test]
fn each_fault_does_what_it_says() {
    let with = |faults: Faults| {
        let plain = Plain::default();
        let outcomes = send(&FaultyTransport::new(Box::new(plain.clone()), faults), &["a", "b"]);
        (plain.sent(), outcomes)
    };
    let (sent, outcomes) = with(Faults { lose_confirm: 1.0, ..Faults::default() });
    assert_eq!(sent, ["a", "b"]);
    assert!(outcomes.iter().all(unknown));
    let (sent, outcomes) = with(Faults { vanish: 1.0, ..Faults::default() });
    assert!(sent.is_empty() && outcomes.iter().all(unknown));
    let (sent, outcomes) = with(Faults { refuse: 1.0, ..Faults::default() });
    assert!(sent.is_empty() && outcomes.iter().all(|o| matches!(o, SendOutcome::Refused { transient: true, .. })));
    let (sent, outcomes) = with(Faults { send_twice: 1.0, ..Faults::default() });
    assert_eq!(sent, ["a", "a", "b", "b"]);
    assert_eq!(outcomes, [SendOutcome::Confirmed, SendOutcome::Confirmed]);
}

#[test]
fn the_same_seed_gives_the_same_faults_whatever_the_batches() {
    let ids: Vec<String> = (0..200).map(|n| format!("m{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let run = |seed, size| {
        let faults = Faults { seed, refuse: 0.2, lose_confirm: 0.2, ..Faults::default() };
        let transport = FaultyTransport::new(Box::new(Plain::default()), faults);
        ids.chunks(size).flat_map(|chunk| send(&transport, chunk)).collect::<Vec<_>>()
    };
    assert_eq!(run(5, 7), run(5, 200));
    assert_ne!(run(5, 7), run(6, 7));
    let refused = run(5, 7).iter().filter(|o| matches!(o, SendOutcome::Refused { .. })).count();
    assert!((20..60).contains(&refused), "{refused} of 200 at one fifth");
}

#[test]
fn a_copy_is_handed_out_once_and_its_token_never_reaches_the_source() {
    let plain = Plain { received: 2, ..Plain::default() };
    let faults = Faults { receive_twice: 1.0, ..Faults::default() };
    let receiver = FaultyTransport::new(Box::new(plain.clone()), faults).open_receiver().unwrap();
    let all = receiver.receive(10, 1000, LONG).unwrap();
    let ids: Vec<(&str, bool)> = all.iter().map(|m| (m.source_id.as_str(), m.redelivered)).collect();
    assert_eq!(ids, [("s0", false), ("s1", false), ("s0", true), ("s1", true)]);
    receiver.settle(&all.iter().map(|m| m.token).collect::<Vec<_>>()).unwrap();
    assert_eq!(*plain.settled.lock().unwrap(), [0, 1]);
    assert_eq!(receiver.receive(10, 1000, LONG).unwrap().len(), 2, "no third time");
}

#[test]
fn limits_split_batches_and_refuse_what_is_too_big() {
    let plain = Plain::default();
    let limited = LimitedTransport::new(Box::new(plain.clone()), 2, 3);
    let outcomes = send(&limited, &["a", "b", "long", "c", "d", "e"]);
    assert_eq!(*plain.batches.lock().unwrap(), [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    assert!(
        matches!(&outcomes[2], SendOutcome::Refused { transient: false, reason } if reason.code == "KOUAN-HOST-BODY-TOO-BIG")
    );
    assert_eq!(outcomes.iter().filter(|o| **o == SendOutcome::Confirmed).count(), 5);
}

#[test]
fn only_what_was_refused_is_tried_again() {
    let plain = Plain { refusals: Arc::new(Mutex::new(3)), ..Plain::default() };
    let retrying = RetryingTransport::new(Box::new(plain.clone()), 5, Duration::ZERO);
    assert_eq!(send(&retrying, &["a", "b"]), [SendOutcome::Confirmed, SendOutcome::Confirmed]);
    assert_eq!(*plain.batches.lock().unwrap(), [vec!["a", "b"], vec!["a", "b"], vec!["a"]]);

    let faults = Faults { lose_confirm: 1.0, ..Faults::default() };
    let plain = Plain::default();
    let doubtful = FaultyTransport::new(Box::new(plain.clone()), faults);
    let outcomes = send(&RetryingTransport::new(Box::new(doubtful), 5, Duration::ZERO), &["a"]);
    assert!(unknown(&outcomes[0]));
    assert_eq!(plain.sent(), ["a"], "doubt is never resolved by sending again");
}
