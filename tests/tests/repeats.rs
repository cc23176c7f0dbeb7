//! What a lost confirm leads to, under each policy of the window. Nothing takes effect twice where that is promised.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod port;

use kouan_journal::Delivery;
use kouan_journal::model::{Act, OperatorAct};
use kouan_sandbox::Repeats;
use kouan_sdk::business::Outcome;
use port::{Port, Setup, concluded, detail, import, replaced, the_one, until};

/// A window whose confirms are lost on this share of attempts.
fn losing(share: f64, policy: &str) -> String {
    format!("transport = \"lossy\"\nrepeats = \"{policy}\"\nfaults = {{ seed = 7, lose_confirm = {share:?} }}")
}

#[test]
fn under_wire_id_the_same_bytes_go_again_and_are_dropped() {
    let port = Port::new(Setup { window: losing(0.6, "wire-id"), ..Setup::default() });
    let gateway = port.start();
    let numbers: Vec<_> = (0..12).map(|n| format!("W{n}")).collect();
    numbers.iter().for_each(|number| port.drop_import(number));
    numbers.iter().for_each(|number| concluded(&gateway, number));
    let ledger = port.ledger();
    assert_eq!(ledger.effects.len(), 12);
    assert!(ledger.effects.iter().all(|effect| effect.count == 1), "{:?}", ledger.effects);
    assert!(ledger.inbound.iter().any(|arrival| arrival.count > 1), "some were sent again");
    assert!(ledger.alarms.is_empty(), "{:?}", ledger.alarms);
}

#[test]
fn under_business_key_known_already_counts_as_yes_and_yields_the_number() {
    // Some receipts of the first attempt are lost, too: only the answer to the repeat tells.
    let scenario = "[[rule]]\nsteps = [\"stop\"]\nintake = { silent = 0.4 }".to_owned();
    let window = losing(0.7, "business-key");
    let port = Port::new(Setup { window, repeats: Repeats::BusinessKey, scenario, ..Setup::default() });
    let gateway = port.start();
    let numbers: Vec<_> = (0..12).map(|n| format!("K{n}")).collect();
    numbers.iter().for_each(|number| port.drop_import(number));
    until("all are sent", || {
        numbers.iter().all(|number| the_one(&gateway, number).is_some_and(|m| m.delivery == Delivery::Sent))
    });
    until("all have arrived", || port.ledger().effects.len() == 12);
    let ledger = port.ledger();
    assert!(ledger.effects.iter().all(|effect| effect.count == 1), "{:?}", ledger.effects);
    let repeated = |number: &String| {
        ledger.inbound.iter().any(|arrival| arrival.count > 1 && arrival.file_name == format!("{number}.xml"))
    };
    until("the answered ones know their number", || {
        numbers.iter().filter(|number| repeated(number)).all(|number| {
            let detail = detail(&gateway, number);
            detail.receipts.is_empty() || detail.summary.outcome == Outcome::Accepted
        })
    });
    assert!(numbers.iter().any(repeated), "some were sent again");
}

#[test]
fn a_second_update_under_one_number_is_taken_and_takes_effect() {
    let port = Port::new(Setup {
        window: losing(0.5, "business-key"),
        repeats: Repeats::BusinessKey,
        scenario: "[[rule]]\nsteps = [\"Z\"]".into(),
        ..Setup::default()
    });
    let gateway = port.start();
    port.drop_import("U1");
    until("it is returned", || the_one(&gateway, "U1").is_some_and(|m| m.outcome == Outcome::Rejected));
    let seq_no = port::key_of(&detail(&gateway, "U1"), "SeqNo").unwrap();
    for (n, packs) in [("first", "26"), ("second", "27")] {
        let update = replaced(&import("U1"), "<SeqNo/>", &format!("<SeqNo>{seq_no}</SeqNo>"));
        let update = replaced(&update, "<PackNo>25</PackNo>", &format!("<PackNo>{packs}</PackNo>"));
        let file = format!("{n}.xml");
        port.drop_file(&file, &update);
        until(&format!("the {n} update is returned"), || {
            let message = the_one(&gateway, &file);
            assert!(message.as_ref().is_none_or(|m| m.delivery != Delivery::Refused), "{:?}", port.report(n));
            message.is_some_and(|m| m.outcome == Outcome::Rejected)
        });
    }
    let ledger = port.ledger();
    let updates = ledger.effects.iter().find(|effect| effect.key.name == "SeqNo").unwrap();
    assert_eq!(updates.count, 2, "{:?}", ledger.inbound);
    assert_ne!(updates.digests[0], updates.digests[1]);
}

#[test]
fn under_none_a_doubt_is_asked_after_and_nothing_is_sent_again() {
    let port = Port::new(Setup {
        window: losing(1.0, "none"),
        repeats: Repeats::None,
        // No receipt settles it: only the inquiry can.
        scenario: "[[rule]]\nintake = { silent = 1.0 }".into(),
        ..Setup::default()
    });
    let gateway = port.start();
    port.drop_import("N1");
    until("the inquiry finds it", || the_one(&gateway, "N1").is_some_and(|m| m.delivery == Delivery::Sent));
    let timeline = gateway.journal().timeline(the_one(&gateway, "N1").unwrap().id).unwrap();
    assert!(timeline.iter().any(|event| event.kind == "found_present"), "{timeline:?}");
    until("it arrived", || port.ledger().inbound.len() == 1);
    assert_eq!(port.ledger().inbound[0].count, 1);
}

#[test]
fn under_none_what_vanished_is_found_absent_and_sent_again() {
    let window = "transport = \"lossy\"\nrepeats = \"none\"\nfaults = { seed = 3, vanish = 0.5 }".to_owned();
    let port = Port::new(Setup { window, repeats: Repeats::None, ..Setup::default() });
    let gateway = port.start();
    let numbers: Vec<_> = (0..6).map(|n| format!("V{n}")).collect();
    numbers.iter().for_each(|number| port.drop_import(number));
    numbers.iter().for_each(|number| concluded(&gateway, number));
    let ledger = port.ledger();
    assert!(ledger.effects.len() == 6 && ledger.inbound.iter().all(|arrival| arrival.count == 1));
    assert!(numbers.iter().any(|number| detail(&gateway, number).parts[0].state.attempts > 1), "some vanished");
}

#[test]
fn under_none_and_without_an_inquiry_an_operator_resolves() {
    let window = losing(1.0, "none") + "\ninquires = false";
    let port = Port::new(Setup {
        window,
        repeats: Repeats::None,
        scenario: "[[rule]]\nintake = { silent = 1.0 }".into(),
        ..Setup::default()
    });
    let gateway = port.start();
    port.drop_import("O1");
    until("it is in doubt", || the_one(&gateway, "O1").is_some_and(|m| m.delivery == Delivery::InDoubt));
    port.drop_import("O2");
    until("the next is not held up", || the_one(&gateway, "O2").is_some_and(|m| m.delivery == Delivery::InDoubt));
    let act = |act| OperatorAct {
        act,
        part: None,
        operator: "张三".into(),
        reason: "窗口已确认".into(),
        repeats: kouan_journal::Repeats::None,
    };
    let id = |key| the_one(&gateway, key).unwrap().id;
    // A resend lifts a hold and no more: where nothing is known of repeats, nothing in doubt leaves again.
    let _ = gateway.journal().act(&[id("O1")], &act(Act::Resend), false).unwrap();
    port.drop_import("O3");
    until("a later one left", || the_one(&gateway, "O3").is_some_and(|m| m.delivery == Delivery::InDoubt));
    assert_eq!(the_one(&gateway, "O1").unwrap().delivery, Delivery::InDoubt);
    gateway.journal().act(&[id("O1")], &act(Act::ResolveSent), false).unwrap()[0].as_ref().unwrap();
    assert_eq!(the_one(&gateway, "O1").unwrap().delivery, Delivery::Sent);
    until("the file is in SentBox", || port.names("SentBox") == ["O1.xml"]);
    until("all arrived", || port.ledger().inbound.len() == 3);
    assert!(port.ledger().inbound.iter().all(|arrival| arrival.count == 1));
}

#[test]
fn a_window_that_takes_repeats_for_new_does_so_in_the_ledger_and_the_client_says_so() {
    // The configuration promises wire-id, the window does not keep it: two effects, which both sides must show.
    let port = Port::new(Setup { window: losing(0.6, "wire-id"), repeats: Repeats::None, ..Setup::default() });
    let gateway = port.start();
    let numbers: Vec<_> = (0..8).map(|n| format!("T{n}")).collect();
    numbers.iter().for_each(|number| port.drop_import(number));
    numbers.iter().for_each(|number| concluded(&gateway, number));
    until("the window has taken one twice", || port.ledger().effects.iter().any(|effect| effect.count > 1));
    until("an alarm stands", || {
        gateway.journal().alarms(100).unwrap().iter().any(|alarm| alarm.code == "KOUAN-JOURNAL-TOOK-EFFECT-TWICE")
    });
}
