//! A damaged file: a named error or a clean recovery, never a panic, and nothing is deleted.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod common;

use common::{Bench, confirmed};
use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{JournalError, Repeats, SqliteJournal, Tuning, evidence};
use kouan_sdk::business::Outcome;
use kouan_sdk::{ManualClock, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

type Files = BTreeMap<String, Vec<u8>>;

fn files(folder: &Path) -> Files {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    std::fs::read_dir(folder).unwrap().map(read).filter(|(name, _)| !name.ends_with("-shm")).collect()
}

/// A folder with these files, as a process left them that was killed.
fn folder(files: &Files) -> tempfile::TempDir {
    let place = Path::new("/dev/shm");
    let folder = if place.is_dir() { tempfile::tempdir_in(place) } else { tempfile::tempdir() }.unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// A journal at work, with much in its write-ahead log and something in its file.
fn at_work() -> Files {
    let bench = Bench::in_memory();
    let some = |name: &str| {
        for n in 0..12 {
            bench.ready(&format!("{name}{n}"), &format!("{name}{n}"));
        }
        send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
        bench.receive(name, receipt(&[("ClientNo", &format!("{name}1")), ("SeqNo", name)], 10, Outcome::Accepted));
        do_effects(&bench.journal, "erp").unwrap();
    };
    some("A");
    bench.journal.compact().unwrap();
    some("B");
    files(bench.folder.path())
}

fn open(folder: &Path) -> Result<SqliteJournal, JournalError> {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_768_181_720_000)));
    SqliteJournal::open_with(options(folder, clock), Tuning { reserve_bytes: 0, ..Tuning::default() })
}

/// Everything that a gateway and its operator would do next; the first error that is met.
fn use_it(folder: &Path) -> Result<(), JournalError> {
    let verified = evidence::verify(&folder.join("journal.db"), &mut |_| Ok(()));
    let journal = open(folder)?;
    let report = verified?;
    let _ = journal.check()?;
    let list = journal.list(&Filter::default())?;
    for message in &list {
        let detail = journal.detail(message.id)?;
        let _ = serde_json::to_string(&detail).unwrap();
        journal.timeline(message.id)?;
    }
    journal.counts()?;
    let new = take(&journal, "NEW", b"<new/>")?;
    journal.record_checks(vec![ready_document(new, "NEW")])?;
    send_all(&journal, Repeats::None, &confirmed())?;
    let inbound = take_inbound(&journal, "new")?;
    let answer = receipt(&[("ClientNo", "NEW")], 10, Outcome::Concluded);
    journal.record_opened(vec![opened(inbound, "new", answer, b"new")])?;
    do_effects(&journal, "erp")?;
    journal.export(&mut Vec::new())?;
    if !report.holds() {
        return Err(JournalError::Corrupt { what: format!("{:?}", report.faults[0]) });
    }
    Ok(())
}

/// The code that the damage is named by; `None` where it was recovered cleanly. No file may be gone afterwards.
fn named(files: &Files) -> Option<&'static str> {
    let folder = folder(files);
    let result = use_it(folder.path());
    // SQLite's log and its index go at a clean end; the leftover of a creation is taken up.
    let lasting = |name: &&String| !["-wal", "-shm", ".new"].iter().any(|end| name.ends_with(end));
    for name in files.keys().filter(lasting) {
        assert!(folder.path().join(name).exists(), "{name} is gone after {result:?}");
    }
    let error = result.err()?;
    assert!(kouan_sdk::catalogue::lookup(error.code()).is_some(), "{error}");
    // An operation must not fail by a panic inside, nor blame the caller.
    let named = ["CORRUPT", "NOT-A-JOURNAL", "IO", "ENVIRONMENT", "TOO-NEW"];
    assert!(named.iter().any(|name| error.code().ends_with(name)), "{}: {error}", error.code());
    Some(error.code())
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn a_file_cut_short_is_named() {
    let whole = at_work();
    assert_eq!(named(&whole), None);
    let length = whole["journal.db"].len();
    for cut in [0, 1, 50, 100, 4096, length / 2, length - 4096, length - 1] {
        let mut files = whole.clone();
        files.get_mut("journal.db").unwrap().truncate(cut);
        files.remove("journal.db-wal");
        assert!(named(&files).is_some(), "cut to {cut} of {length}");
    }
}

#[test]
fn a_log_cut_short_is_recovered_to_its_last_whole_commit() {
    let whole = at_work();
    let length = whole["journal.db-wal"].len();
    assert!(length > 100_000, "{length}");
    let mut dice = Dice(7);
    for cut in [0, 1, 31, 32, 56, length - 1].into_iter().chain((0..12).map(|_| dice.below(length))) {
        let mut files = whole.clone();
        files.get_mut("journal.db-wal").unwrap().truncate(cut);
        assert_eq!(named(&files), None, "log cut to {cut} of {length}");
    }
}

#[test]
fn an_overwritten_header_is_named() {
    let mut files = at_work();
    files.remove("journal.db-wal");
    for (at, bytes) in
        [(0, &b"garbage garbage!"[..]), (68, b"\0\0\0\0"), (60, b"\0\0\0\x63"), (16, b"\0\x03"), (18, b"\x09\x09")]
    {
        let mut files = files.clone();
        files.get_mut("journal.db").unwrap()[at..at + bytes.len()].copy_from_slice(bytes);
        assert!(named(&files).is_some(), "{bytes:?} at {at}");
    }
}

#[test]
fn a_log_without_its_journal_is_not_played_into_a_new_one() {
    let mut files = at_work();
    files.remove("journal.db");
    let folder = folder(&files);
    assert_eq!(open(folder.path()).err().unwrap().code(), "KOUAN-JOURNAL-CORRUPT");
    assert!(!folder.path().join("journal.db").exists());
    assert_eq!(std::fs::read(folder.path().join("journal.db-wal")).unwrap(), files["journal.db-wal"]);
}

#[test]
fn random_bytes_anywhere_are_named_or_do_no_harm() {
    let whole = at_work();
    let mut dice = Dice(99);
    let mut seen = BTreeMap::new();
    for round in 0..60 {
        let mut files = whole.clone();
        let name = if round % 3 == 0 { "journal.db-wal" } else { "journal.db" };
        if name == "journal.db" {
            // Else the log covers what is damaged.
            files.remove("journal.db-wal");
        }
        let bytes = files.get_mut(name).unwrap();
        for _ in 0..1 + dice.below(3) {
            let at = dice.below(bytes.len());
            let end = bytes.len().min(at + 1 + dice.below(64));
            bytes[at..end].iter_mut().for_each(|byte| *byte = dice.below(256) as u8);
        }
        *seen.entry(named(&files)).or_insert(0) += 1;
    }
    assert!(seen.len() > 1, "{seen:?}");
}

#[test]
fn what_stands_beside_the_journal_may_be_missing_or_broken() {
    let whole = at_work();
    for name in whole.keys().filter(|name| *name != "journal.db" && !name.ends_with("-wal")) {
        for content in [None, Some(&b"\xff\x00broken"[..])] {
            let mut files = whole.clone();
            match content {
                Some(content) => files.insert(name.clone(), content.to_vec()),
                None => files.remove(name),
            };
            assert_eq!(named(&files), None, "{name} {content:?}");
        }
    }
    let mut files = whole.clone();
    files.insert("journal.db-shm".to_owned(), vec![0xa5; 32_768]);
    assert_eq!(named(&files), None, "a broken -shm is made anew");
    files.insert("journal.db.new".to_owned(), b"left over".to_vec());
    assert_eq!(named(&files), None);
}
