//! Evidence: whatever is changed, taken away or cut is found; what cannot be found is said to be so.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod common;

use common::{Bench, unknown};
use kouan_journal::evidence::{self, SignedHead, Verification};
use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{Repeats, Tuning};
use kouan_sdk::business::Outcome;
use rusqlite::Connection;
use rusqlite::types::Value;
use std::path::Path;

/// The signature of these tests: the hash itself, backwards.
fn sign(hash: &str) -> Vec<u8> {
    hash.bytes().rev().collect()
}

fn is_signed(head: &SignedHead) -> Result<(), String> {
    if head.signature == sign(&head.hash) { Ok(()) } else { Err("not ours".to_owned()) }
}

fn sign_head(bench: &Bench) {
    let (segment, seq, hash) = bench.journal.head().unwrap();
    bench.journal.record_head(segment, seq, &sign(&hash), b"certificate").unwrap();
}

fn verify(path: &Path) -> Verification {
    evidence::verify(path, &mut is_signed).unwrap()
}

/// A journal with a row in every table.
fn full() -> Bench {
    let bench = Bench::in_memory_with(Tuning { reserve_bytes: 0, segment_events: 25 });
    bench.ready("A1", "A1");
    let parts = vec![
        part("document", PartPayload::Body, vec![], true),
        part("a.pdf", PartPayload::Bytes(b"pdf".to_vec()), vec![0], false),
        part("b.pdf", PartPayload::WaitsFor("SeqNo".to_owned()), vec![0], false),
    ];
    let id = take(&bench.journal, "A2", b"<a2/>").unwrap();
    bench.journal.record_checks(vec![ready(id, report("A2"), parts)]).unwrap();
    send_all(&bench.journal, Repeats::None, &AttemptEnd::Confirmed).unwrap();
    bench.receive("w1", receipt(&[("ClientNo", "A1"), ("SeqNo", "S1")], 10, Outcome::Concluded));
    bench.receive("w2", receipt(&[("SeqNo", "S77")], 10, Outcome::Accepted));
    do_effects(&bench.journal, "erp").unwrap();
    let bad = take(&bench.journal, "B1", b"<b1/>").unwrap();
    bench.journal.record_checks(vec![refused(bad, "B1")]).unwrap();
    let doubted = bench.ready("D1", "D1");
    send_all(&bench.journal, Repeats::None, &unknown(bench.clock_now())).unwrap();
    bench.act(doubted, Act::Skip).unwrap();
    bench.journal.raise_alarm("KOUAN-TEST-ALARM", "one", Some(doubted)).unwrap();
    bench.journal.raise_alarm("KOUAN-TEST-ALARM", "two", None).unwrap();
    let alarm = bench.journal.alarms(1).unwrap()[0].id;
    bench.journal.acknowledge_alarm(alarm, "li", "seen").unwrap();
    sign_head(&bench);
    take(&bench.journal, "E1", b"<e1/>").unwrap();
    take_inbound(&bench.journal, "later").unwrap();
    bench
}

fn tables(conn: &Connection) -> Vec<String> {
    let mut statement = conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// (column, whether it is part of the key that addresses a row)
fn columns(conn: &Connection, table: &str) -> Vec<(String, bool)> {
    let mut statement = conn.prepare(&format!("SELECT name, pk FROM pragma_table_info('{table}')")).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? > 0))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// One bit, digit or letter other than before.
fn changed(value: &Value) -> Value {
    match value {
        Value::Null => Value::Integer(7),
        Value::Integer(number) => Value::Integer(number ^ 1),
        Value::Real(number) => Value::Real(number + 1.0),
        Value::Text(text) if text.is_empty() => Value::Text("x".to_owned()),
        Value::Text(text) => {
            let end = text.len() / 2;
            let at = text.floor_char_boundary(end);
            let other = if text[at..].starts_with('1') { "2" } else { "1" };
            let rest = text[at..].chars().next().map_or(0, char::len_utf8);
            Value::Text(format!("{}{other}{}", &text[..at], &text[at + rest..]))
        }
        Value::Blob(bytes) => {
            let mut bytes = bytes.clone();
            let middle = bytes.len() / 2;
            match bytes.get_mut(middle) {
                Some(byte) => *byte ^= 0x10,
                None => bytes.push(1),
            }
            Value::Blob(bytes)
        }
    }
}

/// Does `change` to a copy of the journal, past all its rules, and says what verification finds.
fn after(original: &Path, change: impl FnOnce(&Connection) -> rusqlite::Result<usize>) -> Option<Verification> {
    let copy = original.with_file_name("copy.db");
    std::fs::copy(original, &copy).unwrap();
    let conn = Connection::open(&copy).unwrap();
    conn.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF").unwrap();
    let count = change(&conn);
    drop(conn);
    // A rule of the tables themselves (unique, not null) may refuse the change.
    count.ok().filter(|&count| count > 0).map(|_| verify(&copy))
}

fn path_of(bench: Bench) -> (tempfile::TempDir, std::path::PathBuf) {
    let path = bench.journal.path().to_owned();
    (bench.close(), path)
}

/// Changes a value in each column, and takes away a row of each table; each must be found.
fn assert_all_found(original: &Path, must_have_rows: bool) {
    let conn = Connection::open(original).unwrap();
    let mut tried = 0;
    for table in tables(&conn) {
        let columns = columns(&conn, &table);
        let key: Vec<_> = columns.iter().filter(|(_, key)| *key).map(|(name, _)| name.clone()).collect();
        let key = if key.is_empty() { vec!["rowid".to_owned()] } else { key };
        let keys: Vec<Vec<Value>> = {
            let order = key.join(", ");
            let mut statement = conn.prepare(&format!("SELECT {order} FROM {table} ORDER BY {order}")).unwrap();
            let rows = statement.query_map([], |row| (0..key.len()).map(|n| row.get(n)).collect()).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        assert!(!keys.is_empty() || !must_have_rows, "table {table} has no row");
        let Some(rows) = keys.len().checked_sub(1) else { continue };
        let matching =
            key.iter().enumerate().map(|(n, name)| format!("{name} = ?{}", n + 1)).collect::<Vec<_>>().join(" AND ");
        for (name, _) in &columns {
            for row in [0, rows / 2, rows].into_iter().collect::<std::collections::BTreeSet<_>>() {
                let select = format!("SELECT {name} FROM {table} WHERE {matching}");
                let params = || rusqlite::params_from_iter(keys[row].clone());
                let value: Value = conn.query_row(&select, params(), |row| row.get(0)).unwrap();
                let other = changed(&value);
                let update = format!("UPDATE {table} SET {name} = ?{} WHERE {matching}", key.len() + 1);
                let with = rusqlite::params_from_iter(keys[row].iter().cloned().chain([other.clone()]));
                let found = after(original, |conn| conn.execute(&update, with));
                assert!(
                    found.is_none_or(|report| !report.holds()),
                    "{table}.{name}: {value:?} → {other:?} was not found"
                );
                tried += 1;
            }
        }
        for row in [0, rows].into_iter().collect::<std::collections::BTreeSet<_>>() {
            let delete = format!("DELETE FROM {table} WHERE {matching}");
            let with = rusqlite::params_from_iter(keys[row].clone());
            let found = after(original, |conn| conn.execute(&delete, with)).unwrap();
            assert!(!found.holds(), "a row of {table} is missing, and that was not found: {:?}", keys[row]);
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn a_change_in_any_column_of_any_table_is_found() {
    let bench = full();
    bench.assert_sound();
    let (_folder, original) = path_of(bench);
    assert!(verify(&original).holds());
    let conn = Connection::open(&original).unwrap();
    conn.execute("INSERT INTO kept_states SELECT 'message/1', 'x', zeroblob(32)", []).unwrap();
    assert!(!verify(&original).holds(), "a row that nobody wrote");
    conn.execute("DELETE FROM kept_states", []).unwrap();
    drop(conn);
    assert_all_found(&original, false);
}

#[test]
fn retention_keeps_the_chain_verifiable_and_what_is_left_covered() {
    let bench = full();
    bench.ready("Z1", "Z1");
    bench.clock.advance(10_000);
    sign_head(&bench);
    bench.clock.advance(10_000);
    do_effects(&bench.journal, "erp").unwrap();
    bench.clock.advance(100_000);
    // Nothing of what is under way may be left in the old segments.
    for id in [2, 5, 6] {
        let _ = bench.act(MessageId(id), Act::Skip);
    }
    bench.check(MessageId(5), "E1");
    let _ = bench.act(MessageId(5), Act::Skip);
    do_effects(&bench.journal, "erp").unwrap();
    bench.clock.advance(100_000);
    sign_head(&bench);
    bench.clock.advance(100_000);
    let before = bench.journal.head().unwrap();
    let retained = bench.journal.retain(bench.clock_now()).unwrap();
    assert!(retained.messages > 2 && retained.segments > 0, "{retained:?}");
    bench.assert_sound();
    let report = verify(bench.journal.path());
    assert_eq!(report.dropped_segments, retained.segments);
    assert!(report.without_event > 0, "{report:?}");
    let mut export = Vec::new();
    bench.journal.export(&mut export).unwrap();
    let exported = evidence::verify_export(&mut &export[..], &mut is_signed).unwrap();
    assert_eq!((exported.faults.as_slice(), exported.dropped_segments), (&[][..], retained.segments));
    assert!(bench.journal.head().unwrap().1 > before.1);
    bench.journal.compact().unwrap();
    // It goes on, is opened again, and every row is still covered.
    let again = bench.ready("Z2", "Z2");
    bench.act(again, Act::Park).unwrap();
    let bench = bench.reopen();
    bench.assert_sound();
    let (_folder, original) = path_of(bench);
    assert_all_found(&original, false);
}

#[test]
fn a_cut_after_the_last_head_is_said_to_be_unprovable_and_seen_by_whoever_kept_a_head() {
    let bench = full();
    sign_head(&bench);
    let signed = bench.journal.head().unwrap();
    let bench = bench.reopen();
    let older = bench.folder.path().join("older.db");
    Connection::open(bench.journal.path()).unwrap().execute("VACUUM INTO ?1", [older.to_str().unwrap()]).unwrap();
    bench.ready("C1", "C1");
    let kept = bench.journal.head().unwrap();
    // Somebody puts the older file back: everything in it is genuine.
    let report = verify(&older);
    assert!(report.holds());
    assert!(report.signed_through < report.head.0, "what comes after the last signed head could be cut off unseen");
    assert!(report.signed_through <= signed.1);
    assert_ne!(report.head.1, kept.2, "the head that was kept outside shows it");
    // A cut before a signed head is found.
    let (_folder, original) = path_of(bench);
    let found = after(&original, |conn| {
        conn.execute("DELETE FROM events WHERE seq >= (SELECT MAX(seq) FROM heads)", [])?;
        conn.execute("UPDATE chain SET (seq, hash) = (SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1)", [])
    });
    let faults = found.unwrap().faults;
    assert!(faults.iter().any(|fault| fault.what.contains("before a signed head")), "{faults:?}");
}

#[test]
fn an_export_verifies_alone_and_a_doctored_one_does_not() {
    let bench = full();
    bench.act(MessageId(2), Act::Park).unwrap();
    let mut export = Vec::new();
    bench.journal.export(&mut export).unwrap();
    let check = |bytes: &[u8]| evidence::verify_export(&mut &bytes[..], &mut is_signed).unwrap();
    let report = check(&export);
    assert_eq!(report.faults, []);
    assert_eq!(report.head.1, bench.journal.head().unwrap().2);
    let text = String::from_utf8(export).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for (n, line) in lines.iter().enumerate() {
        // Each line missing, twice, or with another digit or letter at sampled places.
        let with = |replacement: &[&str]| {
            let all: Vec<_> = lines[..n].iter().chain(replacement).chain(&lines[n + 1..]).copied().collect();
            check((all.join("\n") + "\n").as_bytes())
        };
        assert!(!with(&[]).holds(), "line {n} is missing: {line}");
        assert!(!with(&[line, line]).holds(), "line {n} stands twice: {line}");
        for at in (0..line.len()).step_by(7).filter(|&at| line.as_bytes()[at].is_ascii_alphanumeric()) {
            let other = if line.as_bytes()[at] == b'3' { "4" } else { "3" };
            let doctored = format!("{}{other}{}", &line[..at], &line[at + 1..]);
            assert!(!with(&[&doctored]).holds(), "line {n} at {at}: {doctored}");
        }
    }
    assert!(!check(&text.as_bytes()[..text.len() / 2]).holds(), "cut short");
    assert!(!check(b"").holds());
    assert!(!check(b"\xff\xfe\n").holds());
    let unsigned = evidence::verify_export(&mut text.as_bytes(), &mut |_| Err("revoked".to_owned())).unwrap();
    assert!(unsigned.faults.iter().any(|fault| fault.what.contains("revoked")));
}
