//! A full disk: new messages are refused by name, what was taken in goes on, and all goes on when there is space again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking, and says what it skips

mod common;

use common::confirmed;
use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{JournalError, Repeats, SqliteJournal, Tuning};
use kouan_sdk::business::Outcome;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A file system of 24 MB, taken off at the end.
struct Small(tempfile::TempDir);

impl Small {
    /// `None` where none can be mounted, which is said.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(folder.path()).output();
        let why = match mount {
            Ok(done) if done.status.success() => return Some(Self(folder)),
            Ok(done) => String::from_utf8_lossy(&done.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none_or(|required| required != "1"), "{why}");
        println!("SKIPPED: no file system can be mounted here: {why}");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Takes all space that is left.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    for block in [65_536, 512, 1] {
        while file.write_all(&vec![1u8; block]).is_ok() {}
    }
}

#[test]
fn a_full_disk_refuses_what_is_new_and_lets_what_is_there_go_on() {
    let Some(small) = Small::mount() else { return };
    let place = small.0.path();
    let tuning = Tuning { reserve_bytes: 6 * 1024 * 1024, ..Tuning::default() };
    let journal = SqliteJournal::open_with(options(place, Arc::new(kouan_sdk::SystemClock)), tuning).unwrap();
    let before: Vec<_> = (0..20).map(|n| take(&journal, &format!("A{n}"), &[n; 2000]).unwrap()).collect();
    fill(&place.join("ballast"));
    let refused = (0..400).find_map(|n| take(&journal, &format!("B{n}"), &[1; 20_000]).err()).unwrap();
    assert_eq!((refused.code(), &refused), ("KOUAN-JOURNAL-DISK-FULL", &JournalError::DiskFull));

    // Checks, plans with new wire ids, attempts, confirms, receipts that were taken in, ends: all go on.
    let checks = before.iter().map(|id| ready_document(*id, &format!("A{}", id.0))).collect();
    assert!(journal.record_checks(checks).unwrap().iter().all(|outcome| *outcome == CheckOutcome::Ready));
    assert!(send_all(&journal, Repeats::None, &confirmed()).unwrap() >= before.len());
    do_effects(&journal, "erp").unwrap();
    assert_eq!(take(&journal, "C", b"c").unwrap_err(), JournalError::DiskFull, "still full");
    assert_eq!(take_inbound(&journal, "in").unwrap_err(), JournalError::DiskFull);
    let counts = journal.counts().unwrap();
    assert_eq!(counts.by_delivery[5] as usize, before.len());
    assert_eq!(journal.stats().unwrap().reserve_bytes, 0, "the reserve is given up");
    assert_eq!(journal.check().unwrap(), []);

    std::fs::remove_file(place.join("ballast")).unwrap();
    let after = take(&journal, "D", b"d").unwrap();
    let receipt_id = take_inbound(&journal, "in").unwrap();
    let answer = receipt(&[("ClientNo", "A1")], 10, Outcome::Concluded);
    assert_eq!(journal.record_opened(vec![opened(receipt_id, "w", answer, b"x")]).unwrap().len(), 1);
    assert!(after > before[19]);
    assert_eq!(journal.stats().unwrap().reserve_bytes, tuning.reserve_bytes, "the reserve is held again");
    let path = journal.path().to_owned();
    drop(journal);
    let report = kouan_journal::evidence::verify(&path, &mut |_| Ok(())).unwrap();
    assert_eq!(report.faults, []);
}

#[test]
fn a_journal_opens_on_a_full_disk_and_brings_what_it_has_to_its_end() {
    let Some(small) = Small::mount() else { return };
    let place = small.0.path();
    let tuning = Tuning { reserve_bytes: 3 * 1024 * 1024, ..Tuning::default() };
    let open = || SqliteJournal::open_with(options(place, Arc::new(kouan_sdk::SystemClock)), tuning);
    let journal = open().unwrap();
    let id = take(&journal, "A", b"a").unwrap();
    drop(journal);
    fill(&place.join("ballast"));
    let journal = open().unwrap();
    assert_eq!(journal.record_checks(vec![ready_document(id, "A")]).unwrap(), [CheckOutcome::Ready]);
    assert_eq!(send_all(&journal, Repeats::None, &confirmed()).unwrap(), 1);
    assert_eq!(journal.check().unwrap(), []);
}
