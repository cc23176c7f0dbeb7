//! The one writer: operations from many threads meet in one commit (group commit). Each runs in a savepoint of its own,
//! so that a refused one takes nobody along; nobody is answered before the commit is on the disk.

use crate::chain::Chain;
use crate::error::{JournalError, Result};
use crate::files::Reserve;
use crate::tx::{Sites, Tx};
use crate::wire_ids::WireIds;
use crossbeam_channel::{Receiver, Sender, bounded};
use kouan_sdk::Clock;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// At the most so many operations meet in one commit.
const GROUP: usize = 512;

/// … and about so many bytes.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// What an operation does when space runs out, and who may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Takes something new in; refused while the disk is full, so that what was taken in can be brought to its end.
    Intake,
    /// Brings what was taken in further.
    State,
    /// An operator's act; also from another process.
    Operator,
}

/// An operation on its way to the writer.
pub(crate) trait Job: Send {
    fn class(&self) -> Class;
    fn bytes(&self) -> usize;
    /// Runs it; may be called again after a transaction that failed as a whole.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()>;
    /// Its own error, without a commit having been tried.
    fn fail(&mut self, error: JournalError);
    /// Tells the caller; `Err` if the transaction as a whole failed.
    fn answer(self: Box<Self>, commit: Result<()>);
}

/// An operation, its answer, and where the answer goes.
pub(crate) struct Operation<T, F> {
    class: Class,
    bytes: usize,
    run: F,
    result: Result<T>,
    reply: Sender<Result<T>>,
}

impl<T, F> Operation<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
{
    /// The operation and where its answer will come.
    pub(crate) fn with_reply(class: Class, bytes: usize, run: F) -> (Box<dyn Job>, Receiver<Result<T>>) {
        let (reply, answer) = bounded(1);
        (Box::new(Self { class, bytes, run, result: Err(JournalError::Closed), reply }), answer)
    }
}

impl<T, F> Job for Operation<T, F>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T> + Send,
{
    fn class(&self) -> Class {
        self.class
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let value = (self.run)(tx)?;
        tx.finish()?;
        self.result = Ok(value);
        Ok(())
    }

    fn fail(&mut self, error: JournalError) {
        self.result = Err(error);
    }

    fn answer(self: Box<Self>, commit: Result<()>) {
        // A caller that is gone needs no answer.
        let _ = self.reply.send(commit.and(self.result));
    }
}

/// What the writer thread owns.
pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sites: Sites,
    /// `None` in a handle for operators.
    pub(crate) wire_ids: Option<WireIds>,
    /// `None` in a handle for operators.
    pub(crate) reserve: Option<Reserve>,
    pub(crate) segment_events: i64,
}

impl Writer {
    /// Works until the last sender is gone, then ends cleanly.
    pub(crate) fn run(mut self, jobs: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = jobs.recv() {
            let mut bytes = first.bytes();
            let mut group = vec![first];
            while group.len() < GROUP && bytes < GROUP_BYTES {
                let Ok(job) = jobs.try_recv() else { break };
                bytes = bytes.saturating_add(job.bytes());
                group.push(job);
            }
            self.commit(group);
        }
        if let Some(wire_ids) = &mut self.wire_ids {
            wire_ids.close(&self.conn);
        }
    }

    /// One group: run, commit, answer. When space runs out the reserve is given up, new intake is refused, and the rest is
    /// tried once more.
    fn commit(&mut self, group: Vec<Box<dyn Job>>) {
        let full = self.reserve.as_mut().is_some_and(|reserve| reserve.is_given_up() && !reserve.restore());
        let mut group = if full { refuse_intake(group) } else { group };
        let mut done = self.transaction(&mut group);
        if done == Err(JournalError::DiskFull) && self.reserve.as_mut().is_some_and(Reserve::give_up) {
            tracing::error!(code = "KOUAN-JOURNAL-DISK-FULL", "the disk is full: new messages are refused");
            group = refuse_intake(group);
            done = self.transaction(&mut group);
        }
        crate::failpoint!("journal::before-reply");
        for job in group {
            job.answer(done.clone());
        }
    }

    fn transaction(&mut self, group: &mut [Box<dyn Job>]) -> Result<()> {
        if group.is_empty() {
            return Ok(());
        }
        let done = self.begin().and_then(|chain| self.run_all(group, chain));
        if !self.conn.is_autocommit() {
            // Fails only if SQLite has undone everything already.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        done
    }

    fn begin(&self) -> Result<Chain> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        Chain::read(&self.conn)
    }

    fn run_all(&mut self, group: &mut [Box<dyn Job>], mut chain: Chain) -> Result<()> {
        let before = chain.clone();
        for job in group {
            match self.run_one(&mut **job, &chain) {
                Ok(after) => chain = after,
                Err(error) if error.ends_the_group() || self.conn.is_autocommit() => return Err(error),
                Err(error) => job.fail(error),
            }
        }
        if chain != before {
            chain.write(&self.conn)?;
        }
        crate::failpoint!("journal::before-commit");
        self.conn.execute_batch("COMMIT")?;
        crate::failpoint!("journal::after-commit");
        Ok(())
    }

    /// Runs one operation in its savepoint; the chain after it.
    fn run_one(&mut self, job: &mut dyn Job, chain: &Chain) -> Result<Chain> {
        self.conn.execute_batch("SAVEPOINT operation")?;
        let now = self.clock.now();
        let mut tx = Tx::new(&self.conn, now, &self.sites, self.wire_ids.as_mut(), chain.clone(), self.segment_events);
        // A fault in one operation must not end the writer; its savepoint is undone below.
        let result = catch_unwind(AssertUnwindSafe(|| job.run(&mut tx)))
            .unwrap_or_else(|panic| Err(JournalError::Internal { what: panic_text(&*panic) }));
        let (after, dry_run) = (tx.chain, tx.dry_run);
        if result.is_ok() && !dry_run {
            self.conn.execute_batch("RELEASE operation")?;
            return Ok(after);
        }
        if !self.conn.is_autocommit() {
            self.conn.execute_batch("ROLLBACK TO operation; RELEASE operation")?;
        }
        result.map(|()| chain.clone())
    }
}

/// Answers those that take something new in, and keeps the others.
fn refuse_intake(group: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
    let (refused, kept): (Vec<_>, Vec<_>) = group.into_iter().partition(|job| job.class() == Class::Intake);
    for job in refused {
        job.answer(Err(JournalError::DiskFull));
    }
    kept
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}
