//! The way of a message through a whole gateway: real folders, a real queue, real keys, a business of one element.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use common::{World, order, until};
use kouan_journal::model::{Act, Filter, MessageSummary, OperatorAct};
use kouan_journal::{Delivery, Hold, Repeats};
use kouan_kernel::Gateway;
use kouan_sdk::business::Outcome;

fn the_one(gateway: &Gateway, key: &str) -> Option<MessageSummary> {
    let filter = Filter { key: Some(key.to_owned()), ..Filter::default() };
    gateway.journal().list(&filter).unwrap().into_iter().next()
}

fn is(gateway: &Gateway, key: &str, delivery: Delivery, outcome: Outcome) -> bool {
    the_one(gateway, key).is_some_and(|m| m.delivery == delivery && m.outcome == outcome)
}

#[test]
fn a_dropped_file_comes_back_as_receipts() {
    let world = World::new("");
    let gateway = world.start();
    world.drop_order("A1");
    let arrived = world.arrive(1);
    assert_eq!(arrived[0].payload, order("A1").as_bytes());
    assert_eq!(arrived[0].file_name, "A1.xml");
    until("the file is in SentBox", || world.names("SentBox") == ["A1.xml"]);
    world.reply("A1.xml", "<Reply no=\"A1\" code=\"0\" number=\"N1\"/>");
    world.reply("A1.xml", "<Reply number=\"N1\" code=\"9\"/>");
    until("it is concluded", || is(&gateway, "A1", Delivery::Sent, Outcome::Concluded));
    until("both receipts are in InBox", || world.names("InBox").len() == 2);
    assert!(world.names("InBox").iter().all(|name| name.starts_with("Receipt_A1_")), "{:?}", world.names("InBox"));
    until("TempBox is empty", || world.names("TempBox").is_empty() && world.names("OutBox").is_empty());
    gateway.drain();
}

#[test]
fn what_is_wrong_is_refused_here_and_says_why() {
    let world = World::new("");
    let gateway = world.start();
    world.drop_file("bad.xml", b"<Order firm=\"3101980001\"/>");
    world.drop_file("other.xml", b"<Unknown/>");
    world.drop_file("stranger.xml", b"<Order no=\"S1\" firm=\"9999999999\"/>");
    world.drop_file("broken.zip", b"PK\x05\x06 not a zip");
    world.drop_file("panic.xml", b"<Order no=\"panic\" firm=\"3101980001\"/>");
    world.drop_order("GOOD");
    assert_eq!(world.arrive(1)[0].file_name, "GOOD.xml");
    until("all refused are in FailBox", || world.names("FailBox").len() == 5);
    let verdict = std::fs::read_to_string(world.path("imp-path/Orders/Report/stranger.json")).unwrap();
    assert!(verdict.contains("KOUAN-KERNEL-NO-IDENTITY"), "{verdict}");
    let verdict = std::fs::read_to_string(world.path("imp-path/Orders/Report/panic.json")).unwrap();
    assert!(verdict.contains("KOUAN-HOST-PLUGIN-PANICKED"), "{verdict}");
    until("the refusals are in InBox", || world.names("InBox").iter().any(|name| name.starts_with("Failed_bad_")));
    assert_eq!(gateway.journal().counts().unwrap().by_delivery[Delivery::Refused.number() as usize], 5);
}

#[test]
fn a_duplicate_is_refused_while_the_first_is_live_and_a_new_attempt_after_it_was_rejected() {
    let world = World::new("");
    let gateway = world.start();
    world.drop_order("D1");
    world.arrive(1);
    world.drop_file("copy.xml", order("D1").as_bytes());
    until("the copy is refused", || world.names("FailBox") == ["copy.xml"]);
    world.reply("D1.xml", "<Reply no=\"D1\" code=\"1\"/>");
    until("the first is rejected", || is(&gateway, "D1.xml", Delivery::Sent, Outcome::Rejected));
    world.drop_file("again.xml", order("D1").as_bytes());
    assert_eq!(world.arrive(1)[0].file_name, "again.xml");
}

#[test]
fn lanes_keep_their_order_and_a_parked_one_blocks_no_other() {
    let world = World::new("");
    let gateway = world.start();
    for n in 0..40 {
        let text = format!("<Order no=\"L{n}\" lane=\"lane{}\" firm=\"3101980001\"/>", n % 4);
        world.drop_file(&format!("{n:03}.xml"), text.as_bytes());
    }
    let arrived = world.arrive(40);
    for lane in 0..4 {
        let marker = format!("lane{lane}");
        let names: Vec<_> = arrived
            .iter()
            .filter(|m| String::from_utf8_lossy(&m.payload).contains(&marker))
            .map(|m| m.file_name.clone())
            .collect();
        assert_eq!(names.len(), 10);
        assert!(names.is_sorted(), "{marker}: {names:?}");
    }
    gateway.drain();
}

#[test]
fn a_forged_receipt_is_kept_back_and_a_receipt_of_nobody_goes_to_others() {
    let world = World::new("");
    let gateway = world.start();
    let (id, mut forged) = world.seal("F1.xml", "<Reply no=\"F1\" code=\"0\"/>");
    let at = forged.windows(6).position(|w| w == b"ORD901").unwrap();
    forged[at] = b'X';
    world.send(&(id, forged));
    until("it is quarantined", || gateway.journal().counts().unwrap().quarantined == 1);
    world.reply("", "<Reply no=\"nobody\" code=\"0\"/>");
    let others = world.path("imp-path/Others/InBox");
    until("it is in Others", || std::fs::read_dir(&others).map(|d| d.count()).unwrap_or(0) == 1);
    assert!(world.names("InBox").is_empty());
}

#[test]
fn what_was_not_sent_when_the_gateway_stopped_is_sent_by_the_next() {
    let world = World::new("");
    let gateway = world.start();
    for n in 0..30 {
        world.drop_order(&format!("R{n}"));
    }
    until("something is taken in", || gateway.journal().list(&Filter::default()).unwrap().len() > 3);
    drop(gateway);
    let gateway = world.start();
    let arrived = world.arrive(30);
    let ids: std::collections::BTreeSet<_> = arrived.iter().map(|m| m.cop_msg_id.clone()).collect();
    assert_eq!(ids.len(), 30, "a wire id twice");
    until("all files are in SentBox", || world.names("SentBox").len() == 30);
    until("TempBox is empty", || world.names("TempBox").is_empty());
    gateway.drain();
}

#[test]
fn without_a_pin_it_takes_in_and_holds_at_sign() {
    let world = World::new("");
    let mut config = world.config();
    config.identity[0].security.pin = None;
    let gateway = Gateway::start(config, &common::registry(), std::sync::Arc::new(kouan_sdk::SystemClock)).unwrap();
    world.drop_order("P1");
    until("it waits", || {
        the_one(&gateway, "P1").is_some_and(|m| m.delivery == Delivery::Ready && m.hold == Hold::None)
    });
    drop(gateway);
    let _gateway = world.start();
    assert_eq!(world.arrive(1)[0].file_name, "P1.xml");
}

#[test]
fn an_operator_parks_skips_and_resends() {
    let world = World::new("");
    let mut config = world.config();
    config.identity[0].security.pin = None;
    let gateway = Gateway::start(config, &common::registry(), std::sync::Arc::new(kouan_sdk::SystemClock)).unwrap();
    world.drop_order("O1");
    world.drop_order("O2");
    until("both wait", || {
        ["O1", "O2"].iter().all(|k| the_one(&gateway, k).is_some_and(|m| m.delivery == Delivery::Ready))
    });
    let (one, two) = (the_one(&gateway, "O1").unwrap().id, the_one(&gateway, "O2").unwrap().id);
    let act =
        |act| OperatorAct {
            act, part: None, operator: "张三".into(), reason: "演练".into(), repeats: Repeats::None
        };
    gateway.journal().act(&[one], &act(Act::Park), false).unwrap()[0].as_ref().unwrap();
    gateway.journal().act(&[two], &act(Act::Skip), false).unwrap()[0].as_ref().unwrap();
    until("the skipped file is in FailBox", || world.names("FailBox") == ["O2.xml"]);
    drop(gateway);
    let gateway = world.start();
    world.drop_order("O3");
    assert_eq!(world.arrive(1)[0].file_name, "O3.xml", "the parked one stays, the next goes");
    gateway.journal().act(&[one], &act(Act::Resend), false).unwrap()[0].as_ref().unwrap();
    assert_eq!(world.arrive(1)[0].file_name, "O1.xml");
}
