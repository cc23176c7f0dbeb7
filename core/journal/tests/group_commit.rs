//! Many threads meet in one commit, and the process is killed in the middle: what was answered is there, exactly once.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{Delivery, Repeats, SqliteJournal, Tuning, evidence};
use kouan_sdk::SystemClock;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const FOLDER: &str = "KOUAN_TEST_GROUP_COMMIT";
const THREADS: usize = 12;

fn open(folder: &Path) -> SqliteJournal {
    SqliteJournal::open_with(options(folder, Arc::new(SystemClock)), Tuning { reserve_bytes: 0, ..Tuning::default() })
        .unwrap()
}

/// One line to the parent, whole; a kill cuts none in two.
fn say(line: &str) {
    std::io::stdout().write_all(format!("@{line}\n").as_bytes()).unwrap();
}

/// The child: takes messages in, plans and sends them from many threads, and says what it was answered. Never returns.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let journal = open(Path::new(&folder));
    let round = std::process::id();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let journal = journal.clone();
            scope.spawn(move || {
                for n in 0.. {
                    let name = format!("{round}-{thread}-{n}");
                    let id = take(&journal, &name, name.as_bytes()).unwrap();
                    say(&format!("taken {} {name}", id.0));
                    journal.record_checks(vec![ready_document(id, &name)]).unwrap();
                    let part = journal.detail(id).unwrap().unwrap().parts.remove(0);
                    say(&format!("ready {} {}", id.0, part.wire_id));
                    let bytes = sealed(&part.wire_id, name.as_bytes());
                    let begin = Begin { part: part.id, sealed: bytes, payload: None, repeats: Repeats::None };
                    let attempt = journal.begin_attempts(vec![begin]).unwrap()[0].unwrap();
                    say(&format!("sending {} {}", id.0, part.wire_id));
                    journal.end_attempts(vec![Ended { attempt, end: AttemptEnd::Confirmed }]).unwrap();
                    say(&format!("sent {} {}", id.0, part.wire_id));
                }
            });
        }
    });
}

/// What children said so far.
#[derive(Default)]
struct Ledger {
    taken: Vec<(i64, String)>,
    wire_ids: Vec<(i64, String)>,
    states: Vec<(String, i64)>,
}

impl Ledger {
    /// Starts a child, listens to so many lines, kills it, and reads what was under way.
    fn round(&mut self, folder: &Path, lines: usize) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut heard = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
            let line = String::from_utf8(line.unwrap()).unwrap();
            // The harness prints its own words on the same stream.
            let Some((_, said)) = line.split_once('@') else { continue };
            let words: Vec<_> = said.split(' ').collect();
            let id: i64 = words[1].parse().unwrap();
            match words[0] {
                "taken" => self.taken.push((id, words[2].to_owned())),
                "ready" => self.wire_ids.push((id, words[2].to_owned())),
                _ => {}
            }
            self.states.push((words[0].to_owned(), id));
            heard += 1;
            if heard == lines {
                child.kill().unwrap();
            }
        }
        assert!(heard >= lines, "the child ended by itself after {heard} lines");
        child.wait().unwrap();
    }

    fn check(&self, folder: &Path) {
        let journal = open(folder);
        for (id, name) in &self.taken {
            let detail = journal.detail(MessageId(*id)).unwrap().unwrap();
            assert_eq!(detail.summary.file_name, format!("{name}.xml"));
            let again = message(name, name.as_bytes());
            assert_eq!(journal.accept(vec![again]).unwrap(), [Accepted::Known(MessageId(*id))]);
            assert_eq!(&journal.original(MessageId(*id)).unwrap().0.message.body[..], name.as_bytes());
        }
        for (id, wire_id) in &self.wire_ids {
            assert_eq!(journal.detail(MessageId(*id)).unwrap().unwrap().parts[0].wire_id, *wire_id);
        }
        for (state, id) in &self.states {
            let delivery = journal.detail(MessageId(*id)).unwrap().unwrap().summary.delivery;
            let fits = match state.as_str() {
                "taken" => true,
                "ready" => delivery != Delivery::Received,
                "sending" => matches!(delivery, Delivery::Sent | Delivery::InDoubt),
                _ => delivery == Delivery::Sent,
            };
            assert!(fits, "{id} was said to be {state}, and is {delivery:?}");
        }
        assert_eq!(journal.check().unwrap(), []);
        let report = evidence::verify(journal.path(), &mut |_| Ok(())).unwrap();
        assert_eq!(report.faults, []);
    }
}

#[test]
fn what_was_answered_before_a_kill_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    for lines in [1, 40, 333, 7, 150, 512, 90] {
        ledger.round(folder.path(), lines);
        ledger.check(folder.path());
    }
    let names: BTreeSet<_> = ledger.taken.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), ledger.taken.len());
    let wire_ids: BTreeSet<_> = ledger.wire_ids.iter().map(|(_, wire_id)| wire_id).collect();
    assert_eq!(wire_ids.len(), ledger.wire_ids.len());
}
