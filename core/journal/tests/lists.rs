//! Lists: whatever is asked for, the right lines in the right order.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use common::{Bench, confirmed};
use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{Delivery, Hold, Repeats};
use kouan_sdk::Timestamp;
use kouan_sdk::business::Outcome;

#[test]
fn pages_of_a_time_range_leave_nothing_out_when_the_clock_goes_back() {
    let bench = Bench::new();
    let start = bench.clock_now();
    // Received at 1, 2, 3, 4, then again at 2, 3, 4, 5 seconds.
    for n in 1..=8 {
        bench.clock.advance(if n == 5 { -2000 } else { 1000 });
        take(&bench.journal, &format!("T{n}"), b"<t/>").unwrap();
    }
    let mut filter = Filter { until: Some(start.plus_millis(4_500)), limit: 3, ..Filter::default() };
    let mut pages = Vec::new();
    loop {
        let page: Vec<_> = bench.journal.list(&filter).unwrap().into_iter().map(|m| m.id).collect();
        let Some(last) = page.last() else { break };
        filter.before = Some(*last);
        pages.push(page.iter().map(|id| id.0).collect::<Vec<_>>());
    }
    assert_eq!(pages, [vec![7, 4, 6], vec![3, 5, 2], vec![1]]);
}

#[test]
fn lists_find_by_anything() {
    let bench = Bench::new();
    let start = bench.clock_now();
    for n in 0..30 {
        bench.clock.advance(1000);
        bench.ready(&format!("N{n:02}"), &format!("KEY{n:02}"));
    }
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    bench.receive("w", receipt(&[("ClientNo", "KEY07"), ("SeqNo", "SEQ7")], 10, Outcome::Accepted));
    let parked = bench.ready("N99", "KEY99");
    bench.act(parked, Act::Park).unwrap();
    let stems = |filter: &Filter| -> Vec<String> {
        bench.journal.list(filter).unwrap().into_iter().map(|m| m.file_name.replace(".xml", "")).collect()
    };
    for key in ["KEY07", "SEQ7", "N07", "N07.xml"] {
        assert_eq!(stems(&Filter { key: Some(key.to_owned()), ..Filter::default() }), ["N07"], "{key}");
    }
    assert_eq!(stems(&Filter { delivery: Some(Delivery::Ready), ..Filter::default() }), ["N99"]);
    assert_eq!(stems(&Filter { outcome: Some(Outcome::Accepted), ..Filter::default() }), ["N07"]);
    assert_eq!(stems(&Filter { hold: Some(Hold::Parked), ..Filter::default() }), ["N99"]);
    let window =
        Filter { since: Some(start.plus_millis(3_000)), until: Some(start.plus_millis(5_000)), ..Filter::default() };
    assert_eq!(stems(&window), ["N03", "N02"]);
    let page = Filter { limit: 2, before: Some(MessageId(10)), ..Filter::default() };
    assert_eq!(stems(&page), ["N08", "N07"]);
    assert!(stems(&Filter { business: Some("none".to_owned()), ..Filter::default() }).is_empty());
    let counts = bench.journal.counts().unwrap();
    assert_eq!((counts.by_delivery[5], counts.by_delivery[2], counts.parked), (30, 1, 1));
    assert_eq!(counts.oldest_waiting, Some(start.plus_millis(30_000)));
    assert!(Timestamp::from_millis(0) < start);
}

#[test]
fn messages_that_wait_for_an_identity_say_why_it_cannot_sign() {
    let bench = Bench::new();
    let waiting = bench.ready("I1", "I1");
    let parked = bench.ready("I2", "I2");
    bench.act(parked, Act::Park).unwrap();
    let locked = Reason::new("KOUAN-SECURITY-LOCKED", "no PIN was presented");
    let events = |kind: &str| {
        let events = bench.journal.events_since(0, 1000).unwrap();
        events.into_iter().filter(|event| event.kind == kind).count()
    };
    for _ in 0..3 {
        bench.journal.hold_identity(IDENTITY, Some(locked.clone())).unwrap();
    }
    bench.journal.hold_identity("another", Some(Reason::new("KOUAN-SM-CERT-EXPIRED", "ended"))).unwrap();
    assert_eq!((events("identity_holds"), events("alarm")), (2, 2), "once for each change");
    let listed = bench.journal.list(&Filter { delivery: Some(Delivery::Ready), ..Filter::default() }).unwrap();
    let reasons: Vec<_> = listed.iter().map(|m| (m.id, m.reason.as_ref().map(|r| r.code.as_str()))).collect();
    assert_eq!(reasons, [(parked, Some("")), (waiting, Some("KOUAN-SECURITY-LOCKED"))]);
    assert_eq!(bench.summary(waiting).reason, Some(locked));

    let bench = bench.reopen();
    assert!(bench.summary(waiting).reason.is_some(), "also after the gateway ended");
    bench.journal.hold_identity(IDENTITY, None).unwrap();
    bench.journal.hold_identity(IDENTITY, None).unwrap();
    assert_eq!(bench.summary(waiting).reason, None);
    let lifted =
        bench.journal.events_since(0, 1000).unwrap().into_iter().filter(|e| e.kind == "identity_signs").count();
    assert_eq!(lifted, 1);
    bench.assert_sound();
}

/// Whatever states a list asks for, its lines are those of the whole list that fit, in its order, page by page.
#[test]
fn lists_by_states_are_the_whole_list_without_the_rest() {
    let bench = Bench::new();
    let start = bench.clock_now();
    for n in 1..=12 {
        // Three share each moment, and the clock goes back once.
        bench.clock.advance(match n {
            7 => -3000,
            n if n % 3 == 1 => 1000,
            _ => 0,
        });
        let id = take(&bench.journal, &format!("S{n}"), format!("<s{n}/>").as_bytes()).unwrap();
        if n % 4 > 0 {
            bench.journal.record_checks(vec![ready_document(id, &format!("KEY{n}"))]).unwrap();
        }
        if n % 4 == 2 {
            bench.act(id, Act::Park).unwrap();
        }
    }
    let whole = bench.journal.list(&Filter::default()).unwrap();
    let order = |list: &[MessageSummary]| list.iter().map(|m| (m.received_at, m.id)).collect::<Vec<_>>();
    assert_eq!(whole.len(), 12);
    assert!(order(&whole).is_sorted_by(|newer, older| newer > older));
    let times = [None, Some(start.plus_millis(1000)), Some(start.plus_millis(2000)), Some(start.plus_millis(9000))];
    for delivery in [None, Some(Delivery::Received), Some(Delivery::Ready), Some(Delivery::Refused)] {
        for hold in [None, Some(Hold::None), Some(Hold::Parked)] {
            for business in [None, Some(String::new()), Some(BUSINESS.to_owned())] {
                for (since, until) in times.iter().flat_map(|&since| times.iter().map(move |&until| (since, until))) {
                    let mut filter = Filter {
                        delivery,
                        hold,
                        business: business.clone(),
                        since,
                        until,
                        limit: 2,
                        ..Filter::default()
                    };
                    let fits = |m: &&MessageSummary| {
                        delivery.is_none_or(|wanted| m.delivery == wanted)
                            && hold.is_none_or(|wanted| m.hold == wanted)
                            && business.as_ref().is_none_or(|wanted| m.business == *wanted)
                            && since.is_none_or(|since| m.received_at >= since)
                            && until.is_none_or(|until| m.received_at < until)
                    };
                    let wanted: Vec<_> = whole.iter().filter(fits).cloned().collect();
                    let mut found = Vec::new();
                    loop {
                        let page = bench.journal.list(&filter).unwrap();
                        let Some(last) = page.last() else { break };
                        filter.before = Some(last.id);
                        found.extend(page);
                    }
                    assert_eq!(order(&found), order(&wanted), "{filter:?}");
                }
            }
        }
    }
}
