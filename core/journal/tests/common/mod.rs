//! A journal in a folder of its own, with a clock that stands.
#![allow(dead_code)] // each test file uses its part
#![allow(clippy::unwrap_used)] // a test that cannot go on fails

use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{Delivery, JournalOptions, Repeats, SqliteJournal, Tuning, evidence};
use kouan_sdk::business::Receipt;
use kouan_sdk::{Clock, ManualClock, Timestamp};
use std::cell::Cell;
use std::sync::Arc;

pub struct Bench {
    pub journal: SqliteJournal,
    pub clock: Arc<ManualClock>,
    pub folder: tempfile::TempDir,
    pub tuning: Tuning,
    inbound: Cell<u32>,
}

impl Bench {
    pub fn new() -> Self {
        Self::tuned(Tuning { reserve_bytes: 0, ..Tuning::default() })
    }

    pub fn tuned(tuning: Tuning) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), tuning)
    }

    fn in_folder(folder: tempfile::TempDir, tuning: Tuning) -> Self {
        // 2026-01-12 09:35:10 in China.
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_768_181_710_000)));
        let journal = SqliteJournal::open_with(options(folder.path(), clock.clone()), tuning).unwrap();
        Self { journal, clock, folder, tuning, inbound: Cell::new(0) }
    }

    /// In a folder that needs no disk, where the system has one: for tests of what is decided, not of what lasts.
    pub fn in_memory() -> Self {
        Self::in_memory_with(Tuning { reserve_bytes: 0, ..Tuning::default() })
    }

    pub fn in_memory_with(tuning: Tuning) -> Self {
        let place = std::path::Path::new("/dev/shm");
        let folder = if place.is_dir() { tempfile::tempdir_in(place) } else { tempfile::tempdir() };
        Self::in_folder(folder.unwrap(), tuning)
    }

    pub fn options(&self) -> JournalOptions {
        options(self.folder.path(), self.clock.clone())
    }

    /// Ends the journal, has its file changed, and opens it again.
    pub fn with_file(self, change: impl FnOnce(&rusqlite::Connection)) -> Self {
        let Self { journal, clock, folder, tuning, inbound } = self;
        drop(journal);
        let options = options(folder.path(), clock.clone());
        {
            let conn = rusqlite::Connection::open(&options.path).unwrap();
            change(&conn);
        }
        let journal = SqliteJournal::open_with(options, tuning).unwrap();
        Self { journal, clock, folder, tuning, inbound }
    }

    /// Ends the journal and opens it again.
    pub fn reopen(mut self) -> Self {
        self.reopen_in_place();
        self
    }

    /// As [`Self::reopen`]; the file's lock goes with the last handle, so the handle moves out first.
    pub fn reopen_in_place(&mut self) {
        let reading = SqliteJournal::open_read_only(self.journal.path()).unwrap();
        drop(std::mem::replace(&mut self.journal, reading));
        self.journal = SqliteJournal::open_with(self.options(), self.tuning).unwrap();
    }

    pub fn close(self) -> tempfile::TempDir {
        drop(self.journal);
        self.folder
    }

    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes in `<stem/>` and lets it go under this key.
    pub fn ready(&self, stem: &str, key: &str) -> MessageId {
        let id = take(&self.journal, stem, format!("<{stem}/>").as_bytes()).unwrap();
        assert_eq!(self.check(id, key), CheckOutcome::Ready);
        id
    }

    pub fn ready_in_lane(&self, stem: &str, lane: &str) -> MessageId {
        let id = take(&self.journal, stem, format!("<{stem}/>").as_bytes()).unwrap();
        let mut report = report(stem);
        report.order_key = lane.to_owned();
        let parts = vec![part("document", PartPayload::Body, vec![], true)];
        self.journal.record_checks(vec![ready(id, report, parts)]).unwrap();
        id
    }

    pub fn check(&self, id: MessageId, key: &str) -> CheckOutcome {
        self.journal.record_checks(vec![ready_document(id, key)]).unwrap()[0]
    }

    /// A new inbound, opened at once.
    pub fn receive(&self, wire_id: &str, receipt: Receipt) -> Matched {
        self.inbound.set(self.inbound.get() + 1);
        let id = take_inbound(&self.journal, &format!("in-{}", self.inbound.get())).unwrap();
        let payload = format!("{wire_id} {receipt:?}");
        self.journal.record_opened(vec![opened(id, wire_id, receipt, payload.as_bytes())]).unwrap()[0].clone()
    }

    pub fn summary(&self, id: MessageId) -> MessageSummary {
        self.journal.detail(id).unwrap().unwrap().summary
    }

    pub fn delivery(&self, id: MessageId) -> Delivery {
        self.summary(id).delivery
    }

    pub fn part(&self, id: MessageId) -> PartId {
        self.journal.detail(id).unwrap().unwrap().parts[0].id
    }

    pub fn act(&self, id: MessageId, what: Act) -> Result<ActDone, Reason> {
        self.journal.act(&[id], &act(what), false).unwrap().remove(0)
    }

    /// The deep check and the whole chain hold.
    pub fn assert_sound(&self) {
        assert_eq!(self.journal.check().unwrap(), []);
        let report = evidence::verify(self.journal.path(), &mut |_| Ok(())).unwrap();
        assert_eq!(report.faults, []);
        assert_eq!(report.head.1, self.journal.head().unwrap().2);
    }
}

pub fn act(what: Act) -> OperatorAct {
    OperatorAct {
        act: what,
        part: None,
        operator: "li".to_owned(),
        reason: "because".to_owned(),
        repeats: Repeats::None,
    }
}

pub fn confirmed() -> AttemptEnd {
    AttemptEnd::Confirmed
}

pub fn unknown(retry_at: Timestamp) -> AttemptEnd {
    AttemptEnd::Unknown { retry_at, reason: Reason::new("U", "no answer") }
}
