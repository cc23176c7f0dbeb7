//! Faults: the scenario's own, and those of the transport, which the window must survive.

#![allow(clippy::unwrap_used, reason = "a test stops when it cannot go on")]

mod common;

use common::{Bench, payload, settled};
use kouan_host::wrap::FaultyTransport;
use kouan_sandbox::{Ledger, Repeats, Sandbox};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SCENARIO: &str = "
[[rule]]
[rule.faults]
late = 0.2
delay_ms = 20
missing = 0.1
duplicated = 0.2
out_of_order = 0.2
wrongly_signed = 0.1
truncated = 0.1
unknown_channel = 0.2
";

const MESSAGES: u16 = 40;

/// What was done to which receipts, by business key.
fn fates(ledger: &Ledger) -> BTreeMap<String, Vec<(String, bool, String)>> {
    let mut fates: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for receipt in &ledger.receipts {
        let key = receipt.key.as_ref().unwrap().value.clone();
        fates.entry(key).or_default().push((receipt.digest.clone(), receipt.must_arrive, receipt.faults.join(" ")));
    }
    fates
}

fn run(seed: u64, max_batch: usize, threads: usize) -> (Ledger, Bench) {
    let mut bench = Bench::new(Repeats::None, &format!("seed = {seed}\n{SCENARIO}"));
    (bench.config.max_batch, bench.config.threads) = (max_batch, threads);
    let all: Vec<_> = (0..MESSAGES).map(|n| bench.envelope(n, "TINY", &payload(&format!("K{n}"), ""))).collect();
    bench.send(&all);
    let ledger = bench.run_until(&bench.open(), settled(MESSAGES.into()));
    (ledger, bench)
}

#[test]
fn faults_are_the_seeds_whatever_the_batches() {
    let (one, bench) = run(7, 256, 0);
    let (same, _) = run(7, 3, 1);
    assert_eq!(fates(&one), fates(&same));
    let (other, _) = run(8, 256, 0);
    assert_ne!(fates(&one), fates(&other));

    let kinds: BTreeSet<_> =
        one.receipts.iter().flat_map(|receipt| receipt.faults.iter().map(String::as_str)).collect();
    assert_eq!(kinds.len(), 7, "each kind of fault is met: {kinds:?}");

    // What the client got is what the ledger says that it got.
    let received = bench.received();
    let verified: BTreeSet<_> = received.iter().filter_map(|(m, _)| Some(m.as_ref()?.cop_msg_id.clone())).collect();
    let promised: BTreeSet<_> = one.receipts.iter().filter(|r| r.must_arrive).map(|r| r.wire_id.clone()).collect();
    assert_eq!(verified, promised);
    let sent: u64 = one.receipts.iter().map(|receipt| receipt.times_sent).sum();
    assert_eq!(received.len() as u64, sent);
    for receipt in &one.receipts {
        let missing = receipt.faults.iter().any(|fault| fault == "missing");
        let twice = receipt.faults.iter().any(|fault| fault == "duplicated");
        let times = if missing { 0 } else { 1 + u64::from(twice) };
        assert_eq!(receipt.times_sent, times, "{receipt:?}");
    }
}

#[test]
fn a_bad_transport_loses_nothing_and_doubles_no_effect() {
    let bench = Bench::new(Repeats::None, "");
    let faults = kouan_host::wrap::Faults {
        seed: 3,
        lose_confirm: 0.1,
        refuse: 0.1,
        receive_twice: 0.3,
        ..kouan_host::wrap::Faults::default()
    };
    let mut parts = bench.parts();
    parts.transport = Arc::new(FaultyTransport::new(bench.end("window"), faults));
    let sandbox = Sandbox::open(bench.config.clone(), parts).unwrap();
    let all: Vec<_> = (0..MESSAGES).map(|n| bench.envelope(n, "TINY", &payload(&format!("K{n}"), ""))).collect();
    bench.send(&all);
    let ledger = bench.run_until(&sandbox, settled(MESSAGES.into()));
    assert_eq!(ledger.effects.len(), usize::from(MESSAGES));
    assert!(ledger.effects.iter().all(|effect| effect.count == 1));
    let received = bench.received();
    let mut bodies: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (message, body) in received {
        bodies.entry(message.unwrap().cop_msg_id).or_default().insert(body);
    }
    assert!(bodies.values().all(|bodies| bodies.len() == 1), "what goes again are the same sealed bytes");
    assert_eq!(
        bodies.into_keys().collect::<BTreeSet<_>>(),
        ledger.receipts.iter().map(|r| r.wire_id.clone()).collect()
    );
}
