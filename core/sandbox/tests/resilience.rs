//! What may pass is waited out; what will not harms nothing else.

#![allow(clippy::unwrap_used, reason = "a test stops when it cannot go on")]

mod common;

use common::{Bench, CLIENT, Tiny, payload, settled, window};
use kouan_dxp::{DxpMsg, WireId};
use kouan_host::wrap::LimitedTransport;
use kouan_sandbox::{Repeats, Sandbox};
use kouan_sdk::business::Key;
use kouan_sdk::security::{SecurityIdentity, SignRequest, UnwrapRequest, locked};
use kouan_sdk::simulator::{Answer, Arrived, Effect, Script, StateStore};
use kouan_sdk::{Error, ErrorKind, Health, Result, Security, Simulator, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use zeroize::Zeroizing;

/// The window's key, locked until somebody logs in.
#[derive(Default)]
struct Locked {
    open: AtomicBool,
    refused: AtomicUsize,
}

impl Security for Locked {
    fn identities(&self) -> Result<Vec<SecurityIdentity>> {
        window().identities()
    }

    fn sign(&self, batch: &[SignRequest<'_>]) -> Vec<Result<Vec<u8>>> {
        if self.open.load(Ordering::SeqCst) {
            return window().sign(batch);
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        batch.iter().map(|_| Err(locked("the window's key"))).collect()
    }

    fn unwrap(&self, batch: &[UnwrapRequest<'_>]) -> Vec<Result<Zeroizing<Vec<u8>>>> {
        window().unwrap(batch)
    }

    fn login(&self, _: &Zeroizing<String>) -> Result<()> {
        self.open.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn logout(&self) -> Result<()> {
        Ok(())
    }

    fn probe(&self) -> Health {
        Health::green("there")
    }

    fn close(&self) {}
}

#[test]
fn a_locked_key_holds_everything_up_and_loses_nothing() {
    let bench = Bench::new(Repeats::None, "");
    let security = Arc::new(Locked::default());
    let mut parts = bench.parts();
    parts.security = security.clone();
    let sandbox = Sandbox::open(bench.config.clone(), parts).unwrap();
    bench.send(&[bench.envelope(1, "TINY", &payload("A", ""))]);
    let seen = bench.run_until(&sandbox, |_| security.refused.load(Ordering::SeqCst) >= 2);
    assert!(seen.effects.is_empty() && seen.inbound.is_empty(), "no effect without its sealed answers");
    security.login(&Zeroizing::new(String::new())).unwrap();
    let ledger = bench.run_until(&sandbox, settled(1));
    assert_eq!((ledger.effects[0].count, ledger.inbound[0].count, bench.received().len()), (1, 1, 3));
}

/// Cannot be reached the first time.
struct Moody(AtomicUsize);

impl Simulator for Moody {
    fn repeat_key(&self, arrived: &Arrived<'_>) -> Result<Option<Key>> {
        Tiny.repeat_key(arrived)
    }

    fn take(&self, store: &mut dyn StateStore, arrived: &Arrived<'_>, script: &Script) -> Result<Effect> {
        let effect = Tiny.take(store, arrived, script)?;
        // The second message of the batch: the first one's work is rolled back with it.
        if self.0.fetch_add(1, Ordering::SeqCst) == 1 {
            return Err(Error::new(ErrorKind::Unavailable, "KOUAN-TEST-MOODY", "not now"));
        }
        Ok(effect)
    }

    fn known_already(&self, store: &dyn StateStore, arrived: &Arrived<'_>, key: &Key) -> Result<Vec<Answer>> {
        Tiny.known_already(store, arrived, key)
    }
}

#[test]
fn a_business_that_is_away_gets_the_batch_again() {
    let bench = Bench::new(Repeats::None, "");
    let mut parts = bench.parts();
    parts.simulators[0].simulator = Arc::new(Moody(AtomicUsize::new(0)));
    let sandbox = Sandbox::open(bench.config.clone(), parts).unwrap();
    bench.send(&[bench.envelope(1, "TINY", &payload("A", "")), bench.envelope(2, "TINY", &payload("B", ""))]);
    let ledger = bench.run_until(&sandbox, settled(2));
    assert!(ledger.effects.len() == 2 && ledger.effects.iter().all(|effect| effect.count == 1));
    assert!(ledger.alarms.is_empty());
}

#[test]
fn an_answer_that_can_never_be_sent_is_an_alarm_and_blocks_no_other() {
    let bench = Bench::new(Repeats::None, "");
    let mut parts = bench.parts();
    parts.transport = Arc::new(LimitedTransport::new(bench.end("window"), 100, 8000));
    let sandbox = Sandbox::open(bench.config.clone(), parts).unwrap();
    let long = "L".repeat(8000);
    bench.send(&[bench.envelope(1, "TINY", &payload(&long, "")), bench.envelope(2, "TINY", &payload("B", ""))]);
    let ledger = bench.run_until(&sandbox, settled(2));
    assert_eq!(bench.received().len(), 3);
    assert_eq!(ledger.alarms.len(), 3);
    assert!(ledger.alarms.iter().all(|alarm| alarm.code == "KOUAN-SANDBOX-ANSWER-REFUSED"));
    let failed = |key: &str| {
        let of_key = ledger.receipts.iter().filter(|receipt| receipt.key.as_ref().unwrap().value == key);
        of_key.filter(|receipt| receipt.failure.is_some() && receipt.sent_at.is_none()).count()
    };
    assert_eq!((failed(&long), failed("B")), (3, 0));
}

#[test]
fn a_queue_that_was_made_anew_counts_anew_and_nothing_is_taken_for_known() {
    let bench = Bench::new(Repeats::None, "");
    bench.send(&[bench.envelope(1, "TINY", &payload("A", ""))]);
    bench.run_until(&bench.open(), settled(1));
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(bench.folder.join(format!("queue.db{suffix}")));
    }
    bench.send(&[bench.envelope(2, "TINY", &payload("B", ""))]);
    let ledger = bench.run_until(&bench.open(), settled(2));
    assert_eq!(ledger.effects.len(), 2);
}

#[test]
fn who_addresses_nobody_we_can_be_is_answered_by_the_window_itself() {
    let bench = Bench::new(Repeats::None, "");
    let at = Timestamp::from_millis(1_768_181_710_000);
    let body = payload("A", "");
    let send = |counter, receiver: &str| {
        let id = WireId::new(CLIENT, at, counter).unwrap();
        let message = DxpMsg::new(&id, vec![receiver.into()], at, "TINY", body.as_bytes());
        bench.send(&[bench.client.seal(&message, &bench.config.profile)]);
    };
    send(1, "somebody");
    send(2, "DXPDSWDECEDOC002");
    bench.run_until(&bench.open(), settled(2));
    let senders: Vec<_> = bench.received().into_iter().map(|(message, _)| message.unwrap().sender).collect();
    assert_eq!(senders[0], bench.config.dxp_id);
    assert_eq!(senders[3], "DXPDSWDECEDOC002");
}
