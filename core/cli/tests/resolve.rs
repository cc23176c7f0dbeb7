//! `kouan message resolve --part`: one attachment's doubt is settled, the others keep theirs.
#![allow(clippy::unwrap_used)] // a test fails by panicking

mod common;

use kouan_journal::model::{AttemptEnd, Filter, PartPayload, Reason};
use kouan_journal::testing::{part, ready, report, send_all, take};
use kouan_journal::{Delivery, Journal, JournalOptions, Repeats, SqliteJournal};
use kouan_sdk::{Clock, SystemClock};
use std::path::Path;
use std::sync::Arc;

/// A message with two attachments in doubt.
fn doubted(folder: &Path) -> SqliteJournal {
    std::fs::create_dir_all(folder.join("kouan-data")).unwrap();
    let journal = SqliteJournal::open(JournalOptions {
        path: folder.join("kouan-data/journal.db"),
        environment: "test".into(),
        clock: Arc::new(SystemClock),
        default_site: "erp".into(),
        disposing_sites: vec![],
    })
    .unwrap();
    let id = take(&journal, "E1", b"<e1/>").unwrap();
    let attachment = |name, n: u8| part(name, PartPayload::Bytes(vec![n]), vec![0], false);
    let document = part("document", PartPayload::Body, vec![], true);
    let parts = vec![document, attachment("发票.pdf", 1), attachment("b.pdf", 2)];
    journal.record_checks(vec![ready(id, report("E1"), parts)]).unwrap();
    send_all(&journal, Repeats::None, &AttemptEnd::Confirmed).unwrap();
    let unknown = AttemptEnd::Unknown { retry_at: SystemClock.now(), reason: Reason::new("U", "no answer") };
    for _ in 0..2 {
        send_all(&journal, Repeats::None, &unknown).unwrap();
    }
    journal
}

#[test]
fn a_part_is_settled_by_its_name_and_by_its_wire_id() {
    let folder = tempfile::tempdir().unwrap();
    assert!(common::kouan(&["init", folder.path().to_str().unwrap()]).status.success());
    // A gateway runs beside.
    let journal = doubted(folder.path());
    let parts = || {
        let found = Journal::list(&journal, &Filter { key: Some("E1".into()), ..Filter::default() }).unwrap();
        Journal::detail(&journal, found[0].id).unwrap().unwrap().parts
    };
    let states = || parts().iter().map(|part| part.state.delivery).collect::<Vec<_>>();
    let config = folder.path().join("kouan.toml");
    let resolve = |more: &[&str]| {
        let start = ["message", "resolve", "E1", "--config", config.to_str().unwrap(), "--reason", "asked"];
        common::kouan(&[&start, more].concat())
    };
    assert_eq!(states(), [Delivery::Sent, Delivery::InDoubt, Delivery::InDoubt]);
    let stranger = resolve(&["--part", "c.pdf", "--sent"]);
    assert_eq!(stranger.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("KOUAN-JOURNAL-WHICH-PART"), "{stranger:?}");
    assert_eq!(resolve(&["--part", "发票.pdf"]).status.code(), Some(2), "which of both is it?");
    assert_eq!(states(), [Delivery::Sent, Delivery::InDoubt, Delivery::InDoubt]);

    let done = resolve(&["--part", "发票.pdf", "--sent"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(states(), [Delivery::Sent, Delivery::Sent, Delivery::InDoubt]);
    let done = resolve(&["--part", &parts()[2].wire_id, "--not-sent"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(states(), [Delivery::Sent, Delivery::Sent, Delivery::Ready]);
}
