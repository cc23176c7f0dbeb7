//! The journal at work while the power goes.

use crate::{cut_everywhere, say};
use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{Delivery, Repeats, SqliteJournal, Tuning, evidence};
use kouan_sdk::SystemClock;
use kouan_sdk::business::Outcome;
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = "KOUAN_TEST_POWER_CUT_JOURNAL";

fn open(folder: &Path) -> SqliteJournal {
    let tuning = Tuning { reserve_bytes: 65_536, ..Tuning::default() };
    SqliteJournal::open_with(options(folder, Arc::new(SystemClock)), tuning).unwrap()
}

/// The child: three threads, each with messages of its own, and a restart in between.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    for round in 0..2 {
        let journal = open(&Path::new(&folder).join("data"));
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let journal = journal.clone();
                scope.spawn(move || (0..7).for_each(|n| whole_way(&journal, &format!("{round}-{thread}-{n}"))));
            }
        });
        journal.compact().unwrap();
    }
}

fn whole_way(journal: &SqliteJournal, name: &str) {
    let id = take(journal, name, name.as_bytes()).unwrap();
    say(&format!("taken {} {name}", id.0));
    journal.record_checks(vec![ready_document(id, name)]).unwrap();
    let part = journal.detail(id).unwrap().unwrap().parts.remove(0);
    say(&format!("ready {} {}", id.0, part.wire_id));
    let bytes = sealed(&part.wire_id, name.as_bytes());
    let begin = Begin { part: part.id, sealed: bytes, payload: None, repeats: Repeats::None };
    let attempt = journal.begin_attempts(vec![begin]).unwrap()[0].unwrap();
    say(&format!("sending {} {}", id.0, part.wire_id));
    journal.end_attempts(vec![Ended { attempt, end: AttemptEnd::Confirmed }]).unwrap();
    say(&format!("sent {} -", id.0));
    let inbound = take_inbound(journal, &format!("in-{name}")).unwrap();
    say(&format!("came {} in-{name}", inbound.0));
    let answer = receipt(&[("ClientNo", name)], 10, Outcome::Concluded);
    journal.record_opened(vec![opened(inbound, &format!("w-{name}"), answer, name.as_bytes())]).unwrap();
    say(&format!("concluded {} -", id.0));
}

/// Whatever was said is there; the file is sound; and it goes on without giving a wire id twice.
fn check(folder: &Path, said: &[String]) {
    let journal = open(&folder.join("data"));
    let mut wire_ids = std::collections::BTreeSet::new();
    for line in said {
        let words: Vec<_> = line.split(' ').collect();
        let id: i64 = words[1].parse().unwrap();
        if words[0] == "came" {
            let known = journal.accept_inbound(vec![inbound(words[2], words[2].as_bytes())]).unwrap();
            assert_eq!(known, [InboundAccepted::Known(InboundId(id))], "{line}");
            continue;
        }
        let detail = journal.detail(MessageId(id)).unwrap().unwrap_or_else(|| panic!("lost: {line}"));
        let delivery = detail.summary.delivery;
        let holds = match words[0] {
            "taken" => journal.original(MessageId(id)).unwrap().0.message.body[..] == *words[2].as_bytes(),
            "ready" => detail.parts[0].wire_id == words[2],
            "sending" => matches!(delivery, Delivery::Sent | Delivery::InDoubt),
            "sent" => delivery == Delivery::Sent,
            _ => detail.summary.outcome == Outcome::Concluded,
        };
        assert!(holds, "{line}: {detail:?}");
        wire_ids.extend(detail.parts.into_iter().map(|part| part.wire_id));
    }
    assert_eq!(journal.check().unwrap(), []);
    assert_eq!(evidence::verify(journal.path(), &mut |_| Ok(())).unwrap().faults, []);
    // A lease that was lost would have been an alarm.
    assert!(journal.alarms(1).unwrap().is_empty());
    let new = take(&journal, "NEW", b"<new/>").unwrap();
    journal.record_checks(vec![ready_document(new, "NEW")]).unwrap();
    let given = journal.detail(new).unwrap().unwrap().parts.remove(0).wire_id;
    assert!(!wire_ids.contains(&given), "{given} was given before the cut");
}

#[test]
fn what_the_journal_answered_survives_a_power_cut() {
    cut_everywhere("journal::child", FOLDER, 45, check);
}
