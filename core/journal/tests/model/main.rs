//! Random interleavings of all that can happen to messages, under each policy for repeats, against a small model in
//! memory; after each step the two must agree, and after each run the file must be sound.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

#[path = "../common/mod.rs"]
mod common;
mod driver;
mod receipts;
mod reference;

use common::Bench;
use driver::{Driver, End, Op, Planned};
use kouan_journal::model::{Act, AttemptEnd, Matched};
use kouan_journal::testing::{receipt, send_all};
use kouan_journal::{Delivery, Repeats};
use kouan_sdk::Timestamp;
use kouan_sdk::business::{Outcome, Receipt};
use proptest::prelude::*;

/// Until the next try: mostly none, so that the next step can be one.
fn delay() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 1 => 0i64..3_000]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => Just(End::Confirmed),
        3 => delay().prop_map(End::Transient),
        1 => Just(End::Spent),
        1 => Just(End::Permanent),
        5 => delay().prop_map(End::Unknown),
        3 => Just(End::Open),
    ]
}

/// Mostly 0: bytes that change are the exception.
fn rarely(bound: u8) -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(0), 1 => 0..bound]
}

fn op() -> impl Strategy<Value = Op> {
    let small = || 0usize..8;
    let acts = prop::sample::select(vec![
        Act::Park,
        Act::Resend,
        Act::ResendAsNew,
        Act::Skip,
        Act::ResolveSent,
        Act::ResolveNotSent,
    ]);
    let planned =
        prop::sample::select(vec![Planned::Refused, Planned::One, Planned::One, Planned::Three, Planned::Two]);
    prop_oneof![
        4 => (prop::bool::weighted(0.3), 0usize..14, 0u8..5, 0u8..3, 0u8..4)
            .prop_map(|(web, source, body, key, lane)| Op::Accept { web, source, body, key, lane }),
        6 => (prop::bool::weighted(0.3), planned, prop::bool::weighted(0.2), prop::bool::weighted(0.3))
            .prop_map(|(web, planned, update, send)| Op::Check { web, planned, update, send }),
        10 => (small(), end(), rarely(3), rarely(2))
            .prop_map(|(nth, end, payload, seal)| Op::Send { nth, end, payload, seal }),
        2 => (small(), 0usize..3, rarely(2)).prop_map(|(m, p, seal)| Op::BeginAnyway { m, p, seal }),
        3 => (small(), end()).prop_map(|(nth, end)| Op::EndOpen { nth, end }),
        6 => (0usize..5, 0u8..4, 0u8..8, 0u32..3, 0i64..3, 0u8..4)
            .prop_map(|(m, by, kind, rank, noticed, text)| Op::Receive { m, by, kind, rank, noticed, text }),
        3 => small().prop_map(Op::Open),
        1 => small().prop_map(Op::RepeatEnvelope),
        3 => (small(), acts).prop_map(|(m, act)| Op::Act { m, act }),
        2 => (small(), any::<bool>()).prop_map(|(nth, present)| Op::Inquire { nth, present }),
        2 => (any::<bool>(), small(), prop::option::of(0i64..5_000))
            .prop_map(|(web, nth, fail)| Op::Effect { web, nth, fail }),
        2 => prop_oneof![0i64..4_000, Just(3_600_000), Just(-86_400_000), -5_000i64..0].prop_map(Op::Clock),
        1 => Just(Op::MarkOverdue),
        1 => Just(Op::Reopen),
    ]
}

/// So many by default that the run stays short; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(160), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_store_does_what_the_architecture_says(
        repeats in prop::sample::select(vec![Repeats::None, Repeats::WireId, Repeats::BusinessKey]),
        ops in prop::collection::vec(op(), 20..100),
    ) {
        let mut driver = Driver::new(repeats);
        for op in &ops {
            driver.apply(op);
            driver.compare();
        }
        driver.apply(&Op::Reopen);
        driver.compare();
        driver.bench.assert_sound();
    }

    #[test]
    fn the_outcome_does_not_depend_on_the_order_of_receipts(
        facts in prop::collection::vec((0u8..4, 0u32..3, prop::option::of(0i64..2), 0u8..5, any::<bool>()), 1..7),
        seed in any::<prop::sample::Index>(),
        backwards in any::<bool>(),
        doubted in any::<bool>(),
    ) {
        let receipts: Vec<_> = facts.iter().enumerate().map(|(n, fact)| chained(n, *fact)).collect();
        let mut other = receipts.clone();
        other.rotate_left(seed.index(receipts.len()));
        if seed.index(2) == 1 {
            other.reverse();
        }
        prop_assert_eq!(told(&receipts, false, doubted), told(&other, backwards, doubted));
    }
}

/// A receipt that names the client's number, a learned one, or only one that another receipt teaches.
fn chained(n: usize, (by, rank, noticed, outcome, known): (u8, u32, Option<i64>, u8, bool)) -> (String, Receipt) {
    let keys: &[(&str, &str)] = match by {
        0 => &[("ClientNo", "C1")],
        1 => &[("ClientNo", "C1"), ("SeqNo", "S1")],
        2 => &[("SeqNo", "S1"), ("EntryId", "E1")],
        _ => &[("EntryId", "E1")],
    };
    let meaning = [Outcome::None, Outcome::Accepted, Outcome::Rejected, Outcome::Concluded][usize::from(outcome % 4)];
    let mut receipt = receipt(keys, rank, meaning);
    receipt.stage = format!("stage of {n}");
    receipt.reopens = outcome == 4;
    receipt.is_repeat_of_known = known;
    receipt.noticed_at = noticed.map(Timestamp::from_millis);
    (format!("w{n}"), receipt)
}

/// What is known of a message after these receipts: state, keys, receipts matched.
fn told(receipts: &[(String, Receipt)], clock_goes_back: bool, doubted: bool) -> String {
    let bench = Bench::in_memory();
    let id = bench.ready("C1", "C1");
    let end = if doubted { common::unknown(bench.clock_now()) } else { AttemptEnd::Confirmed };
    send_all(&bench.journal, Repeats::WireId, &end).unwrap();
    for (wire_id, receipt) in receipts {
        if clock_goes_back {
            bench.clock.advance(-60_000);
        }
        assert_ne!(bench.receive(wire_id, receipt.clone()), Matched::Repeated);
    }
    let detail = bench.journal.detail(id).unwrap().unwrap();
    let mut matched: Vec<_> = detail.receipts.iter().map(|r| r.wire_id.clone().unwrap()).collect();
    matched.sort();
    let mut keys = detail.keys.clone();
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    bench.assert_sound();
    let state = (detail.summary.delivery, detail.summary.outcome, detail.summary.stage, detail.summary.hold);
    assert!(state.0 == Delivery::Sent || matched.is_empty());
    format!("{state:?} {keys:?} {matched:?}")
}
