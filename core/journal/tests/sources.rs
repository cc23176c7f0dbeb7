//! One source id given twice: the same delivery again, or another one under an old name.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod common;

use common::Bench;
use kouan_journal::model::*;
use kouan_journal::testing::*;

/// Alarms that stand, by code.
fn alarms(bench: &Bench) -> Vec<(String, String)> {
    bench.journal.alarms(100).unwrap().into_iter().map(|alarm| (alarm.code, alarm.text)).collect()
}

/// From a site that shows no ends: a queue.
fn queued(stem: &str, body: &[u8]) -> NewMessage {
    NewMessage { site: "web".to_owned(), ..message(stem, body) }
}

#[test]
fn a_source_id_with_other_content_is_a_new_message_each_time_once() {
    let bench = Bench::new();
    let first = MessageId(1);
    assert_eq!(bench.journal.accept(vec![queued("A1", b"<one/>")]).unwrap(), [Accepted::New(first)]);
    let batch = || vec![queued("A1", b"<two/>"), queued("A1", b"<one/>"), queued("A1", b"<three/>")];
    let taken = bench.journal.accept(batch()).unwrap();
    let (second, third) = (MessageId(2), MessageId(3));
    assert_eq!(taken, [Accepted::New(second), Accepted::Known(first), Accepted::New(third)]);
    // Not settled, so the source gives all of them again.
    let again = bench.journal.accept(batch()).unwrap();
    assert_eq!(again, [Accepted::Known(second), Accepted::Known(first), Accepted::Known(third)]);
    let bodies: Vec<_> = bench.journal.unchecked(MessageId(0), 10, 1 << 20).unwrap();
    let bodies: Vec<_> = bodies.iter().map(|waiting| &waiting.message.body[..]).collect();
    assert_eq!(bodies, [&b"<one/>"[..], b"<two/>", b"<three/>"]);
    let told = ("KOUAN-JOURNAL-SOURCE-ID-REUSED".to_owned(), "site web gives ids again with other content".to_owned());
    assert_eq!(alarms(&bench), [told], "one for the source, not one for each message");
    for (id, times) in [(first, 0), (second, 1), (third, 1)] {
        let events = bench.journal.timeline(id).unwrap();
        let reused: Vec<_> = events.iter().filter(|event| event.kind == "source_id_reused").collect();
        assert_eq!(reused.len(), times, "{id:?}");
        assert!(reused.iter().all(|e| e.data.contains(r#""given":"claim-A1""#) && e.data.contains(r#""of":1"#)));
    }
    bench.assert_sound();
}

#[test]
fn what_a_folder_still_holds_is_the_same_delivery_whatever_a_power_cut_left_of_it() {
    let bench = Bench::new();
    let id = take(&bench.journal, "A1", b"<whole/>").unwrap();
    let torn = || bench.journal.accept(vec![message("A1", b"<who\0\0\0")]).unwrap();
    assert_eq!(torn(), [Accepted::Known(id)]);
    bench.journal.record_checks(vec![refused(id, "A1")]).unwrap();
    assert_eq!(torn(), [Accepted::Known(id)], "its end is asked for and not shown yet");
    assert_eq!(alarms(&bench), []);
    do_effects(&bench.journal, "erp").unwrap();
    assert!(matches!(torn()[..], [Accepted::New(_)]), "now the folder has let go of it");
}

#[test]
fn an_end_is_shown_under_the_id_that_the_source_gave() {
    let bench = Bench::new();
    let first = take(&bench.journal, "A1", b"<one/>").unwrap();
    bench.journal.record_checks(vec![refused(first, "A1")]).unwrap();
    do_effects(&bench.journal, "erp").unwrap();
    let other = take(&bench.journal, "A1", b"<two/>").unwrap();
    bench.journal.record_checks(vec![refused(other, "A1")]).unwrap();
    let anew = bench.act(other, Act::ResendAsNew).unwrap().new_message.unwrap();
    bench.journal.record_checks(vec![refused(anew, "A1")]).unwrap();
    let twice = bench.act(anew, Act::ResendAsNew).unwrap().new_message.unwrap();
    bench.journal.record_checks(vec![refused(twice, "A1")]).unwrap();
    let effects = bench.journal.effects_due("erp", 100, usize::MAX).unwrap();
    let shown: Vec<_> = effects
        .iter()
        .filter_map(|effect| match &effect.kind {
            EffectKind::Dispose { source_id, body, .. } => {
                Some((effect.message.unwrap(), source_id.as_str(), &body[..]))
            }
            EffectKind::Deliver { .. } => None,
        })
        .collect();
    assert_eq!(shown, [other, anew, twice].map(|id| (id, "claim-A1", &b"<two/>"[..])));
}

#[test]
fn an_inbound_with_a_source_id_that_was_taken_is_new_if_its_bytes_are() {
    let bench = Bench::new();
    let inbound = |raw: &[u8]| NewInbound { source_id: "2".to_owned(), headers: vec![], raw: raw.into() };
    let one = bench.journal.accept_inbound(vec![inbound(b"one")]).unwrap();
    let two = bench.journal.accept_inbound(vec![inbound(b"one"), inbound(b"two")]).unwrap();
    let (one, two) = match (one[0], two[0], two[1]) {
        (InboundAccepted::New(one), InboundAccepted::Known(same), InboundAccepted::New(two)) if same == one => {
            (one, two)
        }
        other => panic!("{other:?}"),
    };
    let again = bench.journal.accept_inbound(vec![inbound(b"two"), inbound(b"one")]).unwrap();
    assert_eq!(again, [InboundAccepted::Known(two), InboundAccepted::Known(one)]);
    let unopened = bench.journal.unopened(InboundId(0), 10, usize::MAX).unwrap();
    assert_eq!(unopened.iter().map(|u| (u.id, &u.raw[..])).collect::<Vec<_>>(), [(one, &b"one"[..]), (two, b"two")]);
    let told =
        ("KOUAN-JOURNAL-SOURCE-ID-REUSED".to_owned(), "the window gives ids again with other content".to_owned());
    assert_eq!(alarms(&bench), [told]);
    bench.assert_sound();
}
