//! Damage, contention and doubt: each has a name, and none loses or doubles a message silently.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_sdk::transport::{Inquiry, Outgoing, SendOutcome};
use kouan_sdk::{Context, ErrorKind, Light, Transport};
use kouan_transport_embedded::PLUGIN;
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

fn open(folder: &Path, side: &str) -> Box<dyn Transport> {
    let make = PLUGIN.transport.expect("a transport");
    let config = format!(r#"{{"path": "window.db", "side": "{side}"}}"#);
    make(&Context::standalone("window", folder), &config).expect("a good configuration")
}

fn message<'a>(id: &'a str, body: &'a [u8]) -> Outgoing<'a> {
    Outgoing { id, body, headers: &[] }
}

fn reason(outcome: &SendOutcome) -> (bool, String) {
    match outcome {
        SendOutcome::Refused { transient, reason } => (*transient, reason.code.to_string()),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_file_of_another_kind_is_named_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("window.db");
    std::fs::write(&path, b"<?xml version=\"1.0\"?><DecMessage/>".repeat(100)).expect("written");
    let error = open(folder.path(), "client").open_sender().err().expect("refused");
    assert_eq!((error.kind, &*error.code), (ErrorKind::Invalid, "KOUAN-EMBEDDED-CORRUPT"));
    assert_eq!(open(folder.path(), "client").probe().code.as_deref(), Some("KOUAN-EMBEDDED-CORRUPT"));

    std::fs::remove_file(&path).expect("removed");
    let foreign = rusqlite::Connection::open(&path).expect("a database");
    foreign.execute_batch("CREATE TABLE theirs (a)").expect("a table");
    drop(foreign);
    let error = open(folder.path(), "client").open_receiver().err().expect("refused");
    assert_eq!((error.kind, &*error.code), (ErrorKind::Config, "KOUAN-EMBEDDED-NOT-A-QUEUE"));
}

#[test]
fn a_truncated_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let sender = open(folder.path(), "client").open_sender().expect("a sender");
    assert_eq!(sender.send(&[message("1", &vec![7; 200_000])], SOON), [SendOutcome::Confirmed]);
    sender.close();
    let path = folder.path().join("window.db");
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("the file");
    let length = file.metadata().expect("its length").len();
    file.set_len(length / 2 / 4096 * 4096).expect("cut");
    assert_eq!(open(folder.path(), "window").probe().code.as_deref(), Some("KOUAN-EMBEDDED-CORRUPT"));
    let received = open(folder.path(), "window")
        .open_receiver()
        .and_then(|receiver| receiver.receive(10, 1 << 20, Duration::ZERO));
    assert_eq!(received.err().map(|e| e.code.to_string()).as_deref(), Some("KOUAN-EMBEDDED-CORRUPT"));
}

#[test]
fn a_held_lock_refuses_for_now_and_nothing_went_across() {
    let folder = tempfile::tempdir().expect("a folder");
    let sender = open(folder.path(), "client").open_sender().expect("a sender");
    let holder = rusqlite::Connection::open(folder.path().join("window.db")).expect("another connection");
    holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    let outcome = sender.send(&[message("1", b"x")], Duration::from_millis(60));
    assert_eq!(reason(&outcome[0]), (true, "KOUAN-EMBEDDED-BUSY".to_owned()));
    holder.execute_batch("ROLLBACK").expect("free again");
    assert_eq!(sender.inquire(&["1"]), Ok(vec![Inquiry::Absent]));
    assert_eq!(sender.send(&[message("1", b"x")], SOON), [SendOutcome::Confirmed]);
    assert_eq!(sender.inquire(&["1"]), Ok(vec![Inquiry::Present]));
}

/// A send that waits for the lock when somebody is told "absent" must never take effect afterwards.
#[test]
fn absent_fences_a_send_that_began_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = open(folder.path(), "client").open_sender().expect("a sender");
    let asking = open(folder.path(), "client").open_sender().expect("a sender");
    let holder = rusqlite::Connection::open(folder.path().join("window.db")).expect("another connection");
    for _ in 0..20 {
        holder.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        let (outcome, answer) = std::thread::scope(|scope| {
            let sending = scope.spawn(|| slow.send(&[message("late", b"x")], SOON));
            std::thread::sleep(Duration::from_millis(20));
            let asked = scope.spawn(|| asking.inquire(&["late"]));
            std::thread::sleep(Duration::from_millis(20));
            holder.execute_batch("ROLLBACK").expect("free again");
            (sending.join().expect("no panic"), asked.join().expect("no panic").expect("an answer"))
        });
        match answer[0] {
            Inquiry::Present => assert_eq!(outcome, [SendOutcome::Confirmed], "present, so it was sent first"),
            _ => {
                assert_eq!(reason(&outcome[0]), (true, "KOUAN-EMBEDDED-FENCED".to_owned()));
                assert_eq!(asking.inquire(&["late"]), Ok(vec![Inquiry::Absent]), "absent stays absent");
                return;
            }
        }
        holder.execute_batch("DELETE FROM seen").expect("forgotten for the next round");
    }
}

#[test]
fn what_was_handed_out_before_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let sender = open(folder.path(), "client").open_sender().expect("a sender");
    sender.send(&[message("1", b"a"), message("2", b"b"), message("3", b"c")], SOON);
    let first = open(folder.path(), "window").open_receiver().expect("a receiver");
    assert_eq!(first.receive(2, 1 << 20, SOON).expect("two").len(), 2);
    drop(first);
    let second = open(folder.path(), "window").open_receiver().expect("a receiver");
    let again: Vec<bool> = second.receive(9, 1 << 20, SOON).expect("three").iter().map(|i| i.redelivered).collect();
    assert_eq!(again, [true, true, false]);
}

#[test]
fn a_row_number_is_never_used_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut last = 0_u64;
    for round in 0..5 {
        let sender = open(folder.path(), "client").open_sender().expect("a sender");
        sender.send(&[message(&round.to_string(), b"x")], SOON);
        let receiver = open(folder.path(), "window").open_receiver().expect("a receiver");
        let got = receiver.receive(1, 1, SOON).expect("one");
        let id: u64 = got[0].source_id.parse().expect("a number");
        assert!(id > last, "{id} after {last}");
        last = id;
        receiver.settle(&[got[0].token]).expect("settled");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("file"), b"").expect("written");
    let make = PLUGIN.transport.expect("a transport");
    let context = Context::standalone("window", folder.path());
    let transport = make(&context, r#"{"path": "file/below/window.db"}"#).expect("a good configuration");
    assert_eq!(
        transport.open_sender().err().map(|e| e.code.to_string()).as_deref(),
        Some("KOUAN-EMBEDDED-CANNOT-OPEN")
    );
    assert_eq!(transport.probe().light, Light::Red);
}

/// Two threads a side, both ways at once: all arrive, none twice.
#[test]
fn many_open_a_new_file_at_once() {
    for _ in 0..50 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for near in ["client", "window", "client", "window"] {
                scope.spawn(|| {
                    start.wait();
                    let opened = open(path, near).open_sender();
                    assert!(opened.is_ok(), "{:?}", opened.err());
                });
            }
        });
    }
}

#[test]
fn both_ways_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    std::thread::scope(|scope| {
        for (near, far) in [("client", "window"), ("window", "client")] {
            scope.spawn(move || {
                let sender = open(path, near).open_sender().expect("a sender");
                for batch in 0..20 {
                    let ids: Vec<String> = (0..25).map(|n| format!("{near}-{}", batch * 25 + n)).collect();
                    let batch: Vec<_> = ids.iter().map(|id| message(id, id.as_bytes())).collect();
                    assert!(sender.send(&batch, SOON).iter().all(|o| *o == SendOutcome::Confirmed));
                }
            });
            scope.spawn(move || {
                let receiver = open(path, far).open_receiver().expect("a receiver");
                let mut next = 0;
                while next < 500 {
                    let got = receiver.receive(40, 1 << 20, SOON).expect("messages");
                    for incoming in &got {
                        assert_eq!(incoming.body, format!("{near}-{next}").into_bytes());
                        next += 1;
                    }
                    receiver.settle(&got.iter().map(|i| i.token).collect::<Vec<_>>()).expect("settled");
                }
            });
        }
    });
}
