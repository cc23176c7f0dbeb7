//! Receipts as they really come: early, late, twice, out of order, of unknown kind, forged, or of nobody.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod port;

use kouan_journal::model::{Act, MessageId, OperatorAct};
use kouan_journal::{Delivery, Hold, SqliteJournal, evidence};
use kouan_kernel::Gateway;
use kouan_sandbox::Repeats;
use kouan_sdk::business::Outcome;
use kouan_sdk::{Clock, ManualClock, SystemClock};
use port::{Port, Setup, concluded, detail, key_of, the_one, until};
use std::sync::Arc;

fn with_faults(faults: &str) -> Port {
    Port::new(Setup { scenario: format!("[[rule]]\nfaults = {{ {faults} }}"), ..Setup::default() })
}

fn drop_some(port: &Port, count: usize) -> Vec<String> {
    let numbers: Vec<_> = (0..count).map(|n| format!("R{n}")).collect();
    numbers.iter().for_each(|number| port.drop_import(number));
    numbers
}

#[test]
fn the_order_of_arrival_does_not_matter() {
    let port = with_faults("out_of_order = 0.7");
    let gateway = port.start();
    let numbers = drop_some(&port, 8);
    numbers.iter().for_each(|number| concluded(&gateway, number));
    until("every receipt is in InBox", || port.names("InBox").len() == 48);
    let counts = gateway.journal().counts().unwrap();
    assert_eq!((counts.unmatched, counts.quarantined, counts.parked), (0, 0, 0));
    let swapped = port.ledger().receipts.iter().any(|receipt| receipt.faults.iter().any(|f| f == "out-of-order"));
    assert!(swapped);
}

#[test]
fn a_receipt_that_comes_twice_is_delivered_once() {
    let port = with_faults("duplicated = 1.0");
    let gateway = port.start();
    drop_some(&port, 3).iter().for_each(|number| concluded(&gateway, number));
    until("each envelope came twice", || gateway.journal().counts().unwrap().inbound == 36);
    until("nothing is left to deliver", || gateway.journal().counts().unwrap().pending_effects == 0);
    assert_eq!(port.names("InBox").len(), 18);
}

#[test]
fn an_unknown_code_is_delivered_and_changes_no_outcome() {
    let port = with_faults("unknown_channel = 1.0");
    let gateway = port.start();
    drop_some(&port, 2).iter().for_each(|number| concluded(&gateway, number));
    // The import response has no CHANNEL; each of the five notices has a stranger behind it.
    until("strangers are in InBox, too", || port.names("InBox").len() == 22);
    let strangers = port.inbox("Receipt_").iter().filter(|text| text.contains("<CHANNEL>~</CHANNEL>")).count();
    assert_eq!(strangers, 10);
    assert!(["R0", "R1"].iter().all(|number| the_one(&gateway, number).unwrap().outcome == Outcome::Concluded));
}

#[test]
fn receipts_before_the_confirm_settle_the_doubt() {
    // Every confirm is lost and nobody asks: only receipts can tell.
    let window = "transport = \"lossy\"\nrepeats = \"none\"\ninquires = false\nfaults = { lose_confirm = 1.0 }";
    let port = Port::new(Setup { window: window.into(), repeats: Repeats::None, ..Setup::default() });
    let gateway = port.start();
    let numbers = drop_some(&port, 4);
    numbers.iter().for_each(|number| concluded(&gateway, number));
    assert!(numbers.iter().all(|number| the_one(&gateway, number).unwrap().delivery == Delivery::Sent));
    assert!(port.ledger().inbound.iter().all(|arrival| arrival.count == 1));
    until("the files are in SentBox", || port.names("SentBox").len() == 4);
}

#[test]
fn what_is_overdue_is_marked_and_a_late_receipt_lifts_the_mark() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let business = "receipt_deadline_s = { DECCUS001 = 60 }".to_owned();
    let mut port = Port::closed(Setup { business, clock: clock.clone(), ..Setup::default() });
    let gateway = port.start();
    port.drop_import("L1");
    until("it is sent", || the_one(&gateway, "L1").is_some_and(|m| m.delivery == Delivery::Sent));
    clock.advance(61_000);
    until("it is overdue", || the_one(&gateway, "L1").unwrap().hold == Hold::Overdue);
    let alarms = gateway.journal().alarms(10).unwrap();
    assert_eq!(alarms.iter().map(|alarm| alarm.code.as_str()).collect::<Vec<_>>(), ["KOUAN-JOURNAL-OVERDUE"]);
    port.open_window();
    concluded(&gateway, "L1");
    assert_eq!(the_one(&gateway, "L1").unwrap().hold, Hold::None);
    assert_eq!(port.ledger().inbound[0].count, 1, "an alarm is no resend");
}

#[test]
fn a_receipt_of_nobody_lies_in_others() {
    // The journal is lost, the window is not: what it still sends answers nobody here.
    let mut port = Port::closed(Setup::default());
    let gateway = port.start();
    port.drop_import("B1");
    until("it is sent", || the_one(&gateway, "B1").is_some_and(|m| m.delivery == Delivery::Sent));
    gateway.drain();
    std::fs::remove_dir_all(port.path("kouan-data")).unwrap();
    let gateway = port.start();
    port.open_window();
    until("all six came", || gateway.journal().counts().unwrap().unmatched == 6);
    until("they lie in Others", || port::files(&port.path("imp-path/Others/InBox")).len() == 6);
    assert_eq!(gateway.journal().counts().unwrap().quarantined, 0);
    assert!(port.names("InBox").is_empty());
}

fn retry_quarantine(gateway: &Gateway) {
    let act = OperatorAct {
        act: Act::RetryQuarantine,
        part: None,
        operator: "张三".into(),
        reason: "证书已更换".into(),
        repeats: kouan_journal::Repeats::WireId,
    };
    gateway.journal().act(&[] as &[MessageId], &act, false).unwrap();
}

#[test]
fn what_cannot_be_verified_is_kept_back_and_opened_once_trust_is_mended() {
    let port = Port::new(Setup::default());
    let mut config = port.config();
    // Somebody forgot to bring the window's certificate.
    let other = std::fs::read_to_string(port.path("keys/other.cert.pem")).unwrap();
    let leaf = other.split_inclusive("-----END CERTIFICATE-----").next().unwrap();
    std::fs::write(port.path("keys/stranger.cert.pem"), leaf).unwrap();
    config.window.trust = vec!["keys/stranger.cert.pem".into()];
    let gateway = Gateway::start(config, &Port::registry(), port.setup.clock.clone()).unwrap();
    port.drop_import("Q1");
    until("all six are quarantined", || gateway.journal().counts().unwrap().quarantined == 6);
    assert!(port.names("InBox").is_empty(), "nothing unverified is delivered");
    assert_eq!(the_one(&gateway, "Q1").unwrap().outcome, Outcome::None);
    gateway.drain();
    let gateway = port.start();
    retry_quarantine(&gateway);
    concluded(&gateway, "Q1");
    until("all are in InBox", || port.names("InBox").len() == 6);
    assert_eq!(gateway.journal().counts().unwrap().quarantined, 0);
    assert!(key_of(&detail(&gateway, "Q1"), "SeqNo").is_some());
}

#[test]
fn a_wrongly_signed_or_cut_receipt_holds_up_no_other() {
    let port = with_faults("wrongly_signed = 0.3, truncated = 0.2");
    let gateway = port.start();
    drop_some(&port, 6);
    until("the window has sent all", || {
        let ledger = port.ledger();
        ledger.effects.len() == 6 && ledger.pending == 0
    });
    let ledger = port.ledger();
    let good = ledger.receipts.iter().filter(|receipt| receipt.must_arrive).count();
    let spoilt = ledger.receipts.len() - good;
    assert!(good > 0 && spoilt > 0);
    until("the good ones are in InBox", || port.names("InBox").len() == good);
    until("the others are quarantined", || gateway.journal().counts().unwrap().quarantined == spoilt as u64);
}

#[test]
fn receipts_of_a_queue_that_was_made_anew_are_new_receipts() {
    let mut port = Port::new(Setup::default());
    let gateway = port.start();
    port.drop_import("N1");
    concluded(&gateway, "N1");
    until("its receipts are in InBox", || port.names("InBox").len() == 6);
    gateway.drain();
    port.close_window();
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(port.path(&format!("queue.db{suffix}")));
    }
    assert!(!port.path("queue.db").exists());

    port.open_window();
    let gateway = port.start();
    port.drop_import("N2");
    // Its rows bear the numbers that those of N1 bore.
    concluded(&gateway, "N2");
    until("all receipts are in InBox", || port.names("InBox").len() == 12);
    let counts = gateway.journal().counts().unwrap();
    assert_eq!((counts.inbound, counts.unmatched, counts.quarantined), (12, 0, 0));
    let alarms: Vec<_> = gateway.journal().alarms(100).unwrap().into_iter().map(|alarm| alarm.code).collect();
    assert_eq!(alarms, ["KOUAN-JOURNAL-SOURCE-ID-REUSED"]);
    gateway.drain();
    let journal = SqliteJournal::open_read_only(&kouan_kernel::journal_path(&port.config())).unwrap();
    assert_eq!(journal.check().unwrap(), []);
    assert_eq!(evidence::verify(journal.path(), &mut |_| Ok(())).unwrap().faults, []);
}
