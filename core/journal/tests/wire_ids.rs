//! Wire ids are never given twice: not after a clock went back, not from an old copy of the journal, not in a rush.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod common;

use common::{Bench, confirmed};
use kouan_journal::Repeats;
use kouan_journal::model::*;
use kouan_journal::testing::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

const DAY: i64 = 86_400_000;

/// Takes so many messages in and plans them.
fn plan(bench: &Bench, name: &str, count: usize) {
    let messages = (0..count).map(|n| message(&format!("{name}{n}"), format!("{name}{n}").as_bytes())).collect();
    let taken = bench.journal.accept(messages).unwrap();
    let id_of = |accepted: &Accepted| match accepted {
        Accepted::New(id) | Accepted::Known(id) => *id,
    };
    let checks = taken.iter().enumerate().map(|(n, accepted)| ready_document(id_of(accepted), &format!("{name}{n}")));
    bench.journal.record_checks(checks.collect()).unwrap();
}

/// Plans and sends so many; their wire ids, in order.
fn give(bench: &Bench, name: &str, count: usize) -> Vec<String> {
    plan(bench, name, count);
    let due = bench.journal.due(&all_due(Repeats::None)).unwrap();
    let ids = due.into_iter().map(|part| part.wire_id).collect();
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    ids
}

fn assert_new(given: &mut BTreeSet<String>, ids: Vec<String>) {
    assert!(!ids.is_empty());
    let mut last = String::new();
    for id in ids {
        assert!(id > last, "{id} does not follow {last}");
        assert!(given.insert(id.clone()), "{id} was given twice");
        last = id;
    }
}

fn sidecar(bench: &Bench) -> PathBuf {
    bench.folder.path().join("journal.db.wire-ids")
}

/// Ends the journal, does something to its files, and opens it again.
fn between(mut bench: Bench, change: impl FnOnce(&Bench)) -> Bench {
    let elsewhere = tempfile::tempdir().unwrap();
    let other = kouan_journal::SqliteJournal::open(options(elsewhere.path(), bench.clock.clone())).unwrap();
    drop(std::mem::replace(&mut bench.journal, other));
    change(&bench);
    bench.journal = kouan_journal::SqliteJournal::open_with(bench.options(), bench.tuning).unwrap();
    bench
}

fn has_alarm(bench: &Bench) -> bool {
    bench.journal.alarms(10).unwrap().iter().any(|alarm| alarm.code == "KOUAN-JOURNAL-WIRE-ID-LEASES")
}

#[test]
fn a_clock_that_goes_back_is_not_followed() {
    let mut given = BTreeSet::new();
    let bench = Bench::in_memory();
    assert_new(&mut given, give(&bench, "A", 3));
    bench.clock.advance(-DAY);
    assert_new(&mut given, give(&bench, "B", 3));
    let bench = between(bench, |_| {});
    assert_new(&mut given, give(&bench, "C", 3));
    bench.clock.advance(2 * DAY);
    assert_new(&mut given, give(&bench, "D", 3));
    let ordered: Vec<_> = given.iter().collect();
    assert_eq!(ordered.len(), 12);
    assert!(!has_alarm(&bench));
    bench.assert_sound();
}

#[test]
fn ids_of_a_second_that_are_used_up_are_borrowed_from_the_next() {
    let mut given = BTreeSet::new();
    let bench = Bench::in_memory();
    for round in 0..25 {
        plan(&bench, &format!("R{round}-"), 1_000);
    }
    let planned = bench.journal.due(&all_due(Repeats::None)).unwrap();
    assert_new(&mut given, planned.into_iter().map(|part| part.wire_id).collect());
    assert_eq!(given.len(), 25_000);
    let seconds: BTreeSet<_> = given.iter().map(|id| &id[IDENTITY.len()..IDENTITY.len() + 14]).collect();
    assert_eq!(seconds.into_iter().collect::<Vec<_>>(), ["20260112093510", "20260112093511", "20260112093512"]);
}

#[test]
fn an_old_copy_of_the_journal_gives_no_id_again() {
    // What happens between the copy and its return: nothing, the clock goes on, the clock goes back a day.
    for (sidecar_lost, clock) in [(false, 0), (false, -DAY), (true, 5_000), (false, 5_000)] {
        let mut given = BTreeSet::new();
        let bench = Bench::in_memory();
        assert_new(&mut given, give(&bench, "A", 3));
        let copy = bench.folder.path().join("copy.db");
        let bench = between(bench, |bench| {
            std::fs::copy(bench.folder.path().join("journal.db"), &copy).unwrap();
        });
        assert_new(&mut given, give(&bench, "B", 300));
        bench.clock.advance(clock);
        let bench = between(bench, |bench| {
            std::fs::copy(&copy, bench.folder.path().join("journal.db")).unwrap();
            if sidecar_lost {
                std::fs::remove_file(sidecar(bench)).unwrap();
            }
        });
        assert_eq!(has_alarm(&bench), sidecar_lost);
        assert_new(&mut given, give(&bench, "C", 300));
        bench.assert_sound();
    }
}

#[test]
fn a_lost_or_broken_lease_is_an_alarm_and_the_journals_own_memory_serves() {
    for broken in [None, Some("nonsense"), Some(""), Some("DXPENT0000000001 1\nsm3 00\n")] {
        let mut given = BTreeSet::new();
        let bench = Bench::in_memory();
        assert_new(&mut given, give(&bench, "A", 30));
        bench.clock.advance(-DAY);
        let bench = between(bench, |bench| match broken {
            None => std::fs::remove_file(sidecar(bench)).unwrap(),
            Some(text) => std::fs::write(sidecar(bench), text).unwrap(),
        });
        assert!(has_alarm(&bench), "{broken:?}");
        assert_new(&mut given, give(&bench, "B", 30));
        bench.assert_sound();
    }
}

#[test]
fn each_identity_has_its_own_row_of_ids() {
    let bench = Bench::in_memory();
    let mut given = BTreeSet::new();
    for n in 0..6 {
        let id = take(&bench.journal, &format!("I{n}"), &[n]).unwrap();
        let mut checked = ready_document(id, &format!("I{n}"));
        if let Verdict::Ready(plan) = &mut checked.verdict {
            plan.identity = format!("DXPENT000000000{}", n % 2);
        }
        bench.journal.record_checks(vec![checked]).unwrap();
        let part = bench.journal.detail(id).unwrap().unwrap().parts.remove(0);
        assert!(part.wire_id.starts_with(&format!("DXPENT000000000{}", n % 2)));
        assert!(part.wire_id.ends_with(&format!("{:04}", n / 2)), "{}", part.wire_id);
        assert!(given.insert(part.wire_id));
    }
}
