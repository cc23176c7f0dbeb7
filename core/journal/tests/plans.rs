//! With a hundred thousand messages in the journal, no step of a message and no question of a person walks through
//! them. What SQLite does is counted, in steps of its machine; no time is taken.
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod common;

use common::Bench;
use kouan_journal::model::*;
use kouan_journal::testing::{self, *};
use kouan_journal::{Delivery, Hold, Repeats, SqliteJournal};
use kouan_sdk::Timestamp;
use kouan_sdk::business::Outcome;
use rusqlite::Connection;

/// Messages that went the whole way, and how often they are multiplied.
const FILLED: usize = 500;
const TIMES: usize = 200;

/// A question that walked through all messages would take several steps for each.
const QUESTION: u64 = 60_000;

/// A time range that holds many is counted up to a limit of its own (20,000), and only then.
const BY_TIME: u64 = 200_000;

/// What all is counted by; fewer than one step for each message.
const COUNTS: u64 = 2_000;

/// One message's step from state to state, with its events and digests.
const STEP: u64 = 20_000;

#[test]
fn nothing_walks_through_a_hundred_thousand_messages() {
    let bench = Bench::new();
    fill(&bench.journal, FILLED, 64).unwrap();
    let bench = bench.with_file(multiply);
    let journal = &bench.journal;
    questions(journal, bench.clock_now());
    the_way_of_one(journal);
}

fn questions(journal: &SqliteJournal, now: Timestamp) {
    let any = Filter::default();
    let late = now.plus_millis(1_000_000_000);
    // Copies were received a second later each.
    let middle = now.plus_millis(TIMES as i64 / 2 * 1000);
    let asked = [
        ("newest", any.clone(), QUESTION),
        ("key", Filter { key: Some("FILL000000123-77".into()), ..any.clone() }, QUESTION),
        ("file", Filter { key: Some("FILL000000123.xml-77".into()), ..any.clone() }, QUESTION),
        ("no such key", Filter { key: Some("none".into()), ..any.clone() }, QUESTION),
        ("in doubt", Filter { delivery: Some(Delivery::InDoubt), ..any.clone() }, QUESTION),
        ("sent", Filter { delivery: Some(Delivery::Sent), ..any.clone() }, QUESTION),
        ("rejected", Filter { outcome: Some(Outcome::Rejected), ..any.clone() }, QUESTION),
        ("parked", Filter { hold: Some(Hold::Parked), ..any.clone() }, QUESTION),
        ("no such business", Filter { business: Some("none".into()), ..any.clone() }, QUESTION),
        ("deep page", Filter { before: Some(MessageId(1000)), ..any.clone() }, QUESTION),
        ("later than all", Filter { since: Some(late), ..any.clone() }, QUESTION),
        ("all times", Filter { until: Some(late), ..any.clone() }, QUESTION),
        ("older half", Filter { until: Some(middle), ..any.clone() }, QUESTION),
        ("newer half", Filter { since: Some(middle), ..any.clone() }, QUESTION),
        ("older half, a page", Filter { until: Some(middle), before: Some(MessageId(5_300)), ..any.clone() }, QUESTION),
        ("refused of all times", Filter { delivery: Some(Delivery::Refused), until: Some(late), ..any }, BY_TIME),
    ];
    for (what, filter, limit) in &asked {
        let mut found = 0;
        within(*limit, what, || found = journal.list(filter).unwrap().len());
        let some = ["newest", "key", "file", "sent", "deep page", "all times"].contains(what) || what.contains("half");
        assert_eq!(found > 0, some, "{what} found {found}");
    }
    within(COUNTS, "counts", || assert_eq!(journal.counts().unwrap().by_delivery[5], (FILLED * TIMES) as u64));
    within(QUESTION, "detail", || assert!(journal.detail(MessageId(50_123)).unwrap().is_some()));
    within(QUESTION, "timeline", || drop(journal.timeline(MessageId(300)).unwrap()));
    within(STEP, "unchecked", || assert!(journal.unchecked(MessageId(0), 64, 1 << 20).unwrap().is_empty()));
    within(STEP, "due", || assert!(journal.due(&all_due(Repeats::WireId)).unwrap().is_empty()));
    within(STEP, "next due", || assert!(journal.next_due_at(Repeats::WireId).unwrap().is_none()));
    within(STEP, "in doubt", || assert!(journal.in_doubt(100).unwrap().is_empty()));
    within(STEP, "unopened", || assert!(journal.unopened(InboundId(0), 64).unwrap().is_empty()));
    within(STEP, "effects", || assert!(journal.effects_due("erp", 100, 1 << 20).unwrap().is_empty()));
}

fn the_way_of_one(journal: &SqliteJournal) {
    let mut id = MessageId(0);
    within(STEP, "accept", || id = take(journal, "NEW", b"new").unwrap());
    within(STEP, "record_checks", || {
        let outcomes = journal.record_checks(vec![ready_document(id, "NEW")]).unwrap();
        assert_eq!(outcomes, [CheckOutcome::Ready]);
    });
    within(STEP, "send", || assert_eq!(send_all(journal, Repeats::None, &AttemptEnd::Confirmed).unwrap(), 1));
    let mut inbound = InboundId(0);
    within(STEP, "accept_inbound", || inbound = take_inbound(journal, "answer").unwrap());
    within(STEP, "record_opened", || {
        let receipt = receipt(&[("ClientNo", "NEW")], 10, Outcome::Concluded);
        journal.record_opened(vec![opened(inbound, "wire-new", receipt, b"answer")]).unwrap();
    });
    within(STEP, "effects", || assert_eq!(do_effects(journal, "erp").unwrap(), 2));
    // The same again is found to be a duplicate.
    let mut again = MessageId(0);
    within(STEP, "accept again", || again = take(journal, "AGAIN", b"new").unwrap());
    within(STEP, "duplicate", || {
        let outcomes = journal.record_checks(vec![ready_document(again, "NEW")]).unwrap();
        assert_eq!(outcomes, [CheckOutcome::Duplicate(id)]);
    });
}

#[track_caller]
fn within(limit: u64, what: &str, work: impl FnOnce()) {
    let before = testing::steps();
    work();
    let steps = testing::steps() - before;
    assert!(steps <= limit, "{what} took {steps} steps, at most {limit} are enough");
}

/// Copies all rows that hang together, again and again, under other numbers, names and times. The evidence chain no longer
/// speaks of them, which nothing here asks.
fn multiply(conn: &Connection) {
    let tables = [
        "messages",
        "bodies",
        "reports",
        "keys",
        "parts",
        "payloads",
        "sealed",
        "sealed_bytes",
        "attempts",
        "inbound",
        "inbound_bytes",
        "effects",
        "effect_bytes",
    ];
    conn.execute_batch("BEGIN").unwrap();
    for table in tables {
        let mut statement = conn.prepare(&format!("PRAGMA table_info({table})")).unwrap();
        let columns: Vec<String> = statement.query_map([], |row| row.get(1)).unwrap().map(Result::unwrap).collect();
        let copied: Vec<String> = columns.iter().map(|column| copied(column)).collect();
        let query = format!("INSERT INTO {table} SELECT {} FROM {table} WHERE {{}}", copied.join(", "));
        let first =
            columns.iter().find(|c| ["id", "message", "part", "sealed", "inbound", "effect"].contains(&c.as_str()));
        // Effects are two for each message: each table is copied by its own highest number.
        let query = query.replace("{}", &format!("{} <= ?3", first.unwrap()));
        let highest: i64 =
            conn.query_row(&format!("SELECT MAX({}) FROM {table}", first.unwrap()), [], |row| row.get(0)).unwrap_or(0);
        for k in 1..TIMES as i64 {
            conn.execute(&query, rusqlite::params![k * 10 * FILLED as i64, k, highest]).unwrap();
        }
    }
    conn.execute_batch("COMMIT").unwrap();
    let count = |table: &str| -> i64 {
        conn.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!(["messages", "parts", "keys"].map(count), [1, 1, 2].map(|each| each * (FILLED * TIMES) as i64));
}

fn copied(column: &str) -> String {
    match column {
        "id" | "message" | "part" | "sealed" | "inbound" | "effect" | "attempt" => format!("{column} + ?1"),
        "source_id" | "wire_id" | "value" | "stem" | "file_name" | "lane" | "key_value" => {
            format!("{column} || '-' || ?2")
        }
        "received_at" | "updated_at" => format!("{column} + ?2 * 1000"),
        "body_digest" => "randomblob(32)".to_owned(),
        other => other.to_owned(),
    }
}
