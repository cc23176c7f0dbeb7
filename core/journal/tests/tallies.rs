//! Counts are kept, not counted: they follow every change, also in a journal of an earlier version, and a check finds one
//! that does not.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use common::{Bench, act, confirmed, unknown};
use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{Delivery, Repeats, SqliteJournal, evidence};
use kouan_sdk::business::Outcome;
use rusqlite::Connection;

/// Messages, inbound and effects in most of their states.
fn mixed() -> Bench {
    let bench = Bench::in_memory();
    for n in 1..=4 {
        bench.ready(&format!("A{n}"), &format!("A{n}"));
    }
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    bench.receive("w1", receipt(&[("ClientNo", "A1")], 10, Outcome::Accepted));
    bench.receive("w2", receipt(&[("ClientNo", "A2")], 10, Outcome::Concluded));
    bench.receive("w2", receipt(&[("ClientNo", "A2")], 10, Outcome::Concluded));
    bench.receive("w3", receipt(&[("SeqNo", "NOBODY")], 10, Outcome::Accepted));
    do_effects(&bench.journal, "erp").unwrap();
    bench.ready("D1", "D1");
    send_all(&bench.journal, Repeats::None, &unknown(bench.clock_now())).unwrap();
    let parked = bench.ready("P1", "P1");
    bench.act(parked, Act::Park).unwrap();
    let skipped = bench.ready("S1", "S1");
    bench.act(skipped, Act::Skip).unwrap();
    let bad = take(&bench.journal, "B1", b"<b/>").unwrap();
    bench.journal.record_checks(vec![refused(bad, "B1")]).unwrap();
    take(&bench.journal, "R1", b"<r/>").unwrap();
    take_inbound(&bench.journal, "later").unwrap();
    bench
}

fn expected(bench: &Bench) -> Counts {
    Counts {
        // received, refused, ready, sending, in doubt, sent, skipped
        by_delivery: [1, 1, 1, 0, 1, 4, 1],
        by_outcome: [7, 1, 0, 1],
        parked: 1,
        overdue: 0,
        inbound: 5,
        quarantined: 0,
        unmatched: 1,
        // The ends of the skipped and the refused one, its refusal and its verdict.
        pending_effects: 4,
        oldest_waiting: Some(bench.clock_now()),
    }
}

#[test]
fn counts_follow_every_change_and_no_change_that_is_undone() {
    let bench = mixed();
    assert_eq!(bench.journal.counts().unwrap(), expected(&bench));
    let id = bench.journal.list(&Filter { key: Some("P1".into()), ..Filter::default() }).unwrap()[0].id;
    bench.journal.act(&[id], &act(Act::Skip), true).unwrap()[0].as_ref().unwrap();
    // One of a batch names nothing, so nothing of the batch is done.
    let waiting =
        bench.journal.list(&Filter { delivery: Some(Delivery::Received), ..Filter::default() }).unwrap()[0].id;
    let batch = vec![ready_document(waiting, "R1"), ready_document(MessageId(99), "X")];
    assert!(bench.journal.record_checks(batch).is_err());
    assert_eq!(bench.journal.counts().unwrap(), expected(&bench));
    bench.assert_sound();
}

/// As version 2 left a journal.
fn older(conn: &Connection) {
    let mut statement = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let triggers: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(!triggers.is_empty());
    triggers.iter().for_each(|name| conn.execute_batch(&format!("DROP TRIGGER {name}")).unwrap());
    conn.execute_batch(
        "DROP TABLE tallies; DROP TABLE identity_holds; DROP INDEX messages_states; CREATE INDEX messages_delivery ON messages (delivery, id); \
         CREATE INDEX messages_outcome ON messages (outcome, id); CREATE INDEX messages_business ON messages (business, id); \
         CREATE INDEX messages_hold ON messages (hold, id) WHERE hold <> 0; PRAGMA user_version = 2",
    )
    .unwrap();
}

#[test]
fn an_older_journal_is_counted_once_and_goes_on() {
    let bench = mixed();
    let wanted = expected(&bench);
    let copy = bench.folder.path().join("copy.db");
    let conn = Connection::open(bench.journal.path()).unwrap();
    conn.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    older(&Connection::open(&copy).unwrap());
    let sent = Filter { delivery: Some(Delivery::Sent), ..Filter::default() };
    let listed = bench.journal.list(&sent).unwrap();
    assert!(!listed.is_empty());
    let old = SqliteJournal::open_read_only(&copy).unwrap();
    assert_eq!(old.counts().unwrap(), wanted, "not opened by a gateway yet");
    assert_eq!(old.list(&sent).unwrap(), listed);
    drop(old);
    assert_eq!(evidence::verify(&copy, &mut |_| Ok(())).unwrap().faults, []);

    let bench = bench.with_file(older);
    assert_eq!(bench.journal.stats().unwrap().version, 4);
    assert_eq!(bench.journal.list(&sent).unwrap(), listed);
    assert_eq!(bench.journal.counts().unwrap(), wanted);
    bench.assert_sound();
    bench.ready("N1", "N1");
    assert_eq!(bench.journal.counts().unwrap().by_delivery[2], wanted.by_delivery[2] + 1);
    bench.assert_sound();
}

#[test]
fn a_count_that_drifted_is_found_by_the_check() {
    for drift in [
        "UPDATE tallies SET count = count + 1 WHERE what = 'delivery' AND number = 5",
        "UPDATE tallies SET count = 0 WHERE what = 'effects'",
        "DELETE FROM tallies WHERE what = 'hold' AND number = 2",
        "INSERT INTO tallies VALUES ('inbound', 9, 0)",
    ] {
        let bench = mixed().with_file(|conn| assert_eq!(conn.execute(drift, []).unwrap(), 1));
        let faults = bench.journal.check().unwrap();
        assert!(faults.len() == 1 && faults[0].what.contains("tally"), "{drift}: {faults:?}");
        assert!(!evidence::verify(bench.journal.path(), &mut |_| Ok(())).unwrap().holds(), "{drift}");
    }
}
