//! What the window does with messages, in each mode.

#![allow(clippy::unwrap_used, reason = "a test stops when it cannot go on")]

mod common;

use common::{Bench, CLIENT, Party, WINDOW, between, payload, settled, text};
use kouan_sandbox::{Ledger, Repeats, Totals, Verdict};
use kouan_sdk::{ManualClock, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

const MODES: [Repeats; 3] = [Repeats::WireId, Repeats::BusinessKey, Repeats::None];

#[test]
fn a_message_takes_effect_and_its_receipts_come_back_sealed() {
    let bench = Bench::new(Repeats::None, "");
    bench.send(&[bench.envelope(1, "TINY", &payload("A", "")), bench.envelope(2, "TINYEDOC", "%PDF")]);
    let ledger = bench.run_until(&bench.open(), settled(2));
    assert_eq!((ledger.effects.len(), ledger.effects[0].key.value.as_str(), ledger.effects[0].count), (1, "A", 1));
    assert_eq!(ledger.effects[0].digests, [hex::encode(kouan_sm::sm3(payload("A", "").as_bytes()))]);
    assert_eq!(ledger.attachments[0].name, "文件2.xml");
    assert_eq!(ledger.attachments[0].content_digest, hex::encode(kouan_sm::sm3(b"%PDF")));
    let received: Vec<_> = bench.received().into_iter().map(|(message, _)| message.unwrap()).collect();
    let channels: Vec<_> = received.iter().map(|m| between(&text(m), "<CHANNEL>", "<").unwrap().to_owned()).collect();
    assert_eq!(channels, ["7", "P", "R"]);
    for (message, receipt) in received.iter().zip(&ledger.receipts) {
        assert_eq!((message.sender.as_str(), message.receivers.as_slice()), (WINDOW, &[CLIENT.to_owned()][..]));
        assert_eq!((message.file_name.as_str(), message.message_type.as_str()), ("文件1.xml", "TINYR"));
        assert_eq!(message.cop_msg_id, receipt.wire_id);
        assert_eq!(receipt.digest, hex::encode(kouan_sm::sm3(&message.payload)));
        assert!(receipt.must_arrive && receipt.sent_at.is_some() && receipt.faults.is_empty());
        assert_eq!((receipt.kind.as_str(), receipt.times_sent), ("R", 1));
        assert_eq!(receipt.answers, ledger.effects[0].wire_ids[0]);
    }
}

/// Effects under A, verdicts, and the roots of the receipts for (the same envelope twice, then the same payload anew).
fn repeats(mode: Repeats) -> (Ledger, Vec<String>) {
    let bench = Bench::new(mode, "");
    let first = bench.envelope(1, "TINY", &payload("A", ""));
    bench.send(&[first.clone(), first, bench.envelope(2, "TINY", &payload("A", ""))]);
    let ledger = bench.run_until(&bench.open(), settled(3));
    let roots =
        bench.received().into_iter().map(|(m, _)| between(&text(m.as_ref().unwrap()), "<", ">").unwrap().into());
    assert!(ledger.alarms.is_empty(), "the same payload is no alarm");
    (ledger, roots.collect())
}

#[test]
fn a_repeated_wire_id_is_dropped_and_a_repeated_key_is_not() {
    let (ledger, roots) = repeats(Repeats::WireId);
    assert_eq!(ledger.inbound[0].verdicts, [Verdict::Effect, Verdict::RepeatedWireId]);
    assert_eq!((ledger.effects[0].count, ledger.inbound[1].verdicts[0]), (2, Verdict::Effect));
    assert_eq!(roots.len(), 6);
}

#[test]
fn a_repeated_business_key_is_answered_with_the_number_given() {
    let (ledger, roots) = repeats(Repeats::BusinessKey);
    assert_eq!(ledger.inbound[0].verdicts, [Verdict::Effect, Verdict::RepeatedKey]);
    assert_eq!((ledger.effects[0].count, ledger.inbound[1].verdicts[0]), (1, Verdict::RepeatedKey));
    assert_eq!(roots, ["R", "R", "R", "KNOWN", "KNOWN"]);
}

#[test]
fn where_a_business_changes_what_stands_only_the_same_payload_is_a_repeat() {
    let bench = Bench::new(Repeats::BusinessKey, "");
    let of = |n, key, more| bench.envelope(n, "TINY", &payload(key, more));
    bench.send(&[of(1, "CHANGES", ""), of(2, "CHANGES", "<X/>"), of(3, "CHANGES", ""), of(4, "CHANGES", "<X/>")]);
    bench.send(&[of(5, "A", ""), of(6, "A", "<X/>")]);
    let ledger = bench.run_until(&bench.open(), settled(6));
    let verdicts: Vec<_> = ledger.inbound.iter().map(|arrival| arrival.verdicts[0]).collect();
    use Verdict::{Effect, RepeatedKey};
    assert_eq!(verdicts, [Effect, Effect, RepeatedKey, RepeatedKey, Effect, RepeatedKey]);
    assert_eq!((ledger.effects[0].count, ledger.effects[1].count), (2, 1));
    assert_ne!(ledger.effects[0].digests[0], ledger.effects[0].digests[1]);
}

#[test]
fn without_protection_each_repeat_takes_effect_and_is_told() {
    let (ledger, roots) = repeats(Repeats::None);
    assert_eq!((ledger.effects[0].count, ledger.effects[0].wire_ids.len()), (3, 3));
    assert_eq!((ledger.inbound[0].count, roots.len()), (2, 9));
}

#[test]
fn what_was_refused_may_come_again_under_its_key() {
    let bench = Bench::new(Repeats::BusinessKey, "[[rule]]\nkey = 'BAD*'\nsteps = ['refuse']");
    let bad = payload("BAD", "");
    bench.send(&[bench.envelope(1, "TINY", &bad), bench.envelope(2, "TINY", &bad)]);
    let ledger = bench.run_until(&bench.open(), settled(2));
    assert!(ledger.effects.is_empty());
    assert!(ledger.inbound.iter().all(|arrival| arrival.verdicts == [Verdict::NoEffect]));
    assert!(ledger.receipts.iter().all(|receipt| receipt.kind == "F"));
}

#[test]
fn one_wire_id_with_two_payloads_is_an_alarm_in_every_mode() {
    for mode in MODES {
        let bench = Bench::new(mode, "");
        bench.send(&[
            bench.envelope(1, "TINY", &payload("A", "")),
            bench.envelope(1, "TINY", &payload("A", "<X/>")),
            bench.envelope(2, "TINY", &payload("B", "")),
        ]);
        let ledger = bench.run_until(&bench.open(), settled(3));
        let codes: Vec<_> = ledger.alarms.iter().map(|alarm| alarm.code.as_str()).collect();
        assert_eq!(codes, ["KOUAN-SANDBOX-WIRE-ID-TWO-PAYLOADS"], "{mode}");
        assert_eq!(ledger.alarms[0].wire_id.as_ref(), Some(&ledger.inbound[0].wire_id));
    }
}

#[test]
fn what_is_not_verified_is_recorded_and_not_answered() {
    let bench = Bench::new(Repeats::None, "");
    let good = bench.envelope(1, "TINY", &payload("A", ""));
    let mut other = Bench::new(Repeats::None, "");
    other.client = Party::new(3);
    let forged = String::from_utf8(good.clone()).unwrap().replace("文件1", "文件9").into_bytes();
    bench.send(&[
        forged,
        other.envelope(2, "TINY", &payload("B", "")),
        b"no xml".to_vec(),
        Vec::new(),
        bench.envelope(3, "NOBODYS", &payload("C", "")),
        good,
    ]);
    let ledger = bench.run_until(&bench.open(), settled(6));
    let codes: Vec<_> = ledger.refused.iter().map(|refused| refused.code.as_str()).collect();
    assert_eq!(codes[0], "KOUAN-DXP-DIGEST-MISMATCH");
    assert_eq!(codes[1], "KOUAN-DXP-CERTIFICATE-UNKNOWN");
    assert_eq!(codes[4], "KOUAN-SANDBOX-NO-SIMULATOR");
    assert_eq!(codes.len(), 5);
    assert!(codes.iter().all(|code| kouan_sdk::catalogue::lookup(code).is_some()), "{codes:?}");
    assert!(ledger.refused[0].wire_id.as_ref().unwrap().starts_with(CLIENT));
    assert_eq!((ledger.effects.len(), ledger.receipts.len(), bench.received().len()), (1, 3, 3));
    let totals = Totals::read(&bench.config.path).unwrap();
    let wanted = Totals { arrivals: 1, effects: 1, receipts: 3, sent: 3, pending: 0, refused: 5, alarms: 0 };
    assert_eq!(totals, wanted);
}

#[test]
fn a_business_that_does_not_cope_harms_no_other_message() {
    let bench = Bench::new(Repeats::None, "[[rule]]\nkey = 'B'\nsteps = ['boom']");
    let all: Vec<_> = (1..).zip(["A", "B", "C"]).map(|(n, key)| bench.envelope(n, "TINY", &payload(key, ""))).collect();
    bench.send(&all);
    let ledger = bench.run_until(&bench.open(), settled(3));
    assert_eq!(ledger.alarms[0].code, "KOUAN-SANDBOX-SIMULATOR-FAILED");
    assert!(ledger.alarms[0].message.contains("KOUAN-TEST-BOOM"));
    assert_eq!(ledger.inbound[1].verdicts, [Verdict::Failed]);
    let numbers: BTreeSet<_> = bench
        .received()
        .iter()
        .map(|(m, _)| between(&text(m.as_ref().unwrap()), "<NO>", "<").unwrap().to_owned())
        .collect();
    assert_eq!(numbers, BTreeSet::from(["1".to_owned(), "2".to_owned()]), "what it wrote was rolled back");
}

#[test]
fn lost_and_silenced_on_purpose() {
    let scenario =
        "[[rule]]\nkey = 'LOST'\nintake = { ignore = 1 }\n[[rule]]\nkey = 'MUTE'\nintake = { silent = 1, slow_ms = 1 }";
    let bench = Bench::new(Repeats::WireId, scenario);
    let lost = bench.envelope(1, "TINY", &payload("LOST", ""));
    bench.send(&[lost.clone(), lost, bench.envelope(2, "TINY", &payload("MUTE", ""))]);
    let ledger = bench.run_until(&bench.open(), settled(3));
    assert_eq!(
        ledger.inbound[0].verdicts,
        [Verdict::Ignored, Verdict::Ignored],
        "the window does not know what it lost"
    );
    assert_eq!((ledger.effects.len(), ledger.effects[0].key.value.as_str()), (1, "MUTE"));
    assert!(ledger.receipts.iter().all(|r| !r.must_arrive && r.faults == ["silent"] && r.sent_at.is_none()));
    assert_eq!((ledger.receipts.len(), bench.received().len()), (3, 0));
}

#[test]
fn answers_wait_for_their_time_and_outlive_the_process() {
    let mut bench = Bench::new(Repeats::None, "[[rule]]\nstep_delay_ms = 3600000");
    let start = Timestamp::from_millis(1_768_181_710_000);
    let clock = Arc::new(ManualClock::new(start));
    bench.clock = clock.clone();
    bench.send(&[bench.envelope(1, "TINY", &payload("A", ""))]);
    let ledger = bench.run_until(&bench.open(), |ledger| ledger.pending == 2);
    assert_eq!((bench.received().len(), ledger.next_due), (1, Some(start.plus_millis(3_600_000))));
    let before = ledger.receipts;
    for left in [1, 0] {
        clock.advance(3_600_000);
        let ledger = bench.run_until(&bench.open(), |ledger| ledger.pending == left);
        assert_eq!(bench.received().len(), 1);
        let identities = |receipts: &[kouan_sandbox::LedgerReceipt]| {
            receipts.iter().map(|receipt| (receipt.wire_id.clone(), receipt.digest.clone())).collect::<Vec<_>>()
        };
        assert_eq!(identities(&ledger.receipts), identities(&before), "decided once");
    }
}

#[test]
fn the_ledger_is_json_and_can_be_read_beside_a_running_window() {
    let bench = Bench::new(Repeats::BusinessKey, "seed = 9");
    bench.send(&[bench.envelope(1, "TINY", &payload("A", ""))]);
    let sandbox = bench.open();
    let ledger = bench.run_until(&sandbox, settled(1));
    assert_eq!(sandbox.ledger().unwrap(), ledger);
    let json = serde_json::to_value(&ledger).unwrap();
    assert_eq!((&json["repeats"], &json["seed"]), (&"business-key".into(), &9.into()));
    assert_eq!(json["effects"][0]["key"]["value"], "A");
    assert_eq!(json["inbound"][0]["verdicts"][0], "effect");
    assert_eq!(serde_json::from_value::<Ledger>(json).unwrap(), ledger);
}

#[test]
fn what_cannot_be_meant_is_refused_at_the_start() {
    let bench = Bench::new(Repeats::None, "");
    let mut config = bench.config.clone();
    config.dxp_id = "dxp".into();
    assert_eq!(kouan_sandbox::Sandbox::open(config, bench.parts()).err().unwrap().code, "KOUAN-SANDBOX-CONFIG");
    let flying = Bench::new(Repeats::None, "[[rule]]\nsteps = ['7']\n[[rule]]\nbusiness = 'tiny'\nsteps = ['fly']");
    let error = kouan_sandbox::Sandbox::open(flying.config.clone(), flying.parts()).err().unwrap();
    assert!(error.code == "KOUAN-TEST-STEP" && error.message.starts_with("rule 2: "), "{error}");
    assert_eq!("twice".parse::<Repeats>().unwrap_err().code, "KOUAN-SANDBOX-CONFIG");
    assert!(MODES.iter().all(|mode| mode.to_string().parse::<Repeats>().unwrap() == *mode));
}
