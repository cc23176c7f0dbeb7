//! A declaration with attachments: each part on its own way, each with its own wire id.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod port;

use kouan_goods_declaration::renumbered;
use kouan_journal::Delivery;
use kouan_journal::model::PartDetail;
use port::{Port, Setup, concluded, detail, key_of, sample, the_one, until, zip_of};
use std::collections::BTreeSet;

/// The sample with two attachments, as a zip.
fn with_attachments(number: &str) -> Vec<u8> {
    let sample = sample("dec_sample.xml");
    let document = renumbered(sample.document, number).unwrap();
    let name = format!("{number}.xml");
    let attachments = sample.attachments.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    zip_of(&[(name.as_str(), document.as_slice())].into_iter().chain(attachments).collect::<Vec<_>>())
}

fn sealed(parts: &[PartDetail]) -> Vec<(&str, &str)> {
    parts.iter().map(|part| (part.wire_id.as_str(), part.sealed_digest.as_str())).collect()
}

#[test]
fn document_and_attachments_have_each_a_wire_id_and_arrive_once() {
    let port = Port::new(Setup::default());
    let gateway = port.start();
    port.drop_file("P1.zip", &with_attachments("P1"));
    concluded(&gateway, "P1");
    until("all parts are sent", || the_one(&gateway, "P1").unwrap().delivery == Delivery::Sent);
    let parts = detail(&gateway, "P1").parts;
    let types: Vec<_> = parts.iter().map(|part| part.message_type.as_str()).collect();
    assert_eq!(types, ["DECCUS001", "DECEDOC001", "DECEDOC001"]);
    assert_eq!(parts.iter().map(|part| &part.wire_id).collect::<BTreeSet<_>>().len(), 3);
    until("the window has both attachments", || port.ledger().attachments.len() == 2);
    let ledger = port.ledger();
    let arrived: BTreeSet<_> = ledger.inbound.iter().map(|arrival| (&*arrival.wire_id, &*arrival.digest)).collect();
    let sent: BTreeSet<_> = parts.iter().map(|part| (&*part.wire_id, &*part.payload_digest)).collect();
    assert_eq!(arrived, sent, "what arrived is what the journal says was sent");
    let contents: BTreeSet<_> = ledger.attachments.iter().map(|attachment| attachment.content_digest.clone()).collect();
    let dropped = sample("dec_sample.xml").attachments;
    assert_eq!(contents, dropped.iter().map(|(_, bytes)| hex(&kouan_sm::sm3(bytes))).collect());
    until("the zip is in SentBox", || port.names("SentBox") == ["P1.zip"]);
    gateway.drain();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_part_that_fails_is_sent_again_alone() {
    // The seed decides for each wire id and attempt; half of the attempts are refused.
    let window = "transport = \"lossy\"\nfaults = { seed = 5, refuse = 0.5 }\nrepeats = \"none\"".to_owned();
    let port = Port::new(Setup { window, repeats: kouan_sandbox::Repeats::None, ..Setup::default() });
    let gateway = port.start();
    for n in 0..8 {
        port.drop_file(&format!("F{n}.zip"), &with_attachments(&format!("F{n}")));
    }
    (0..8).for_each(|n| concluded(&gateway, &format!("F{n}")));
    until("all parts are sent", || {
        (0..8).all(|n| the_one(&gateway, &format!("F{n}")).unwrap().delivery == Delivery::Sent)
    });
    until("all attachments arrived", || port.ledger().attachments.len() == 16);
    let parts: Vec<_> = (0..8).flat_map(|n| detail(&gateway, &format!("F{n}")).parts).collect();
    let alone = (0..8).any(|n| {
        let attempts: Vec<_> =
            detail(&gateway, &format!("F{n}")).parts.iter().map(|part| part.state.attempts).collect();
        attempts.contains(&1) && attempts.iter().any(|&count| count > 1)
    });
    assert!(alone, "no part was sent again without its siblings: {:?}", sealed(&parts));
    let ledger = port.ledger();
    assert!(ledger.inbound.iter().all(|arrival| arrival.count == 1), "what was refused was not there");
    assert!(ledger.effects.iter().all(|effect| effect.count == 1) && ledger.alarms.is_empty());
    assert_eq!(ledger.inbound.len(), 24);
}

#[test]
fn attachments_wait_for_the_number_and_carry_it() {
    let business = "attachments_wait_for = \"seq-no\"".to_owned();
    let mut port = Port::closed(Setup { business, ..Setup::default() });
    let gateway = port.start();
    port.drop_file("S1.zip", &with_attachments("S1"));
    until("the document left", || {
        let parts = the_one(&gateway, "S1").map(|_| detail(&gateway, "S1").parts).unwrap_or_default();
        parts.first().is_some_and(|part| part.state.delivery == Delivery::Sent)
    });
    let before = detail(&gateway, "S1");
    let waiting = |part: &PartDetail| part.state.delivery == Delivery::Ready && part.payload_digest.is_empty();
    assert!(before.parts[1..].iter().all(waiting), "{:?}", before.parts);
    port.open_window();
    concluded(&gateway, "S1");
    until("the attachments arrived", || port.ledger().attachments.len() == 2);
    let after = detail(&gateway, "S1");
    assert_eq!(after.summary.delivery, Delivery::Sent);
    assert!(key_of(&after, "SeqNo").unwrap().starts_with('I'));
    let ids = |parts: &[PartDetail]| parts.iter().map(|part| part.wire_id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before.parts), ids(&after.parts), "the wire ids were given before");
}
