//! Calls with a deadline, for what may hang: a card, a driver, a socket.

use crate::catch::catch;
use crossbeam_channel::{Receiver, Sender, bounded};
use kouan_sdk::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Why a call with a deadline has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// It was never begun: certainly without effect.
    NotBegun,
    /// It was begun and has not returned: its effect is unknown.
    Abandoned,
}

type Job = Box<dyn FnOnce() + Send>;

/// A few threads of one instance's own. A call that misses its deadline keeps its thread; until it returns, the
/// instance is stuck and every further call fails at once, so that one hanging device costs one deadline, not many.
pub struct Runner {
    name: String,
    limit: usize,
    jobs: Sender<Job>,
    queue: Receiver<Job>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    threads: AtomicUsize,
    pending: AtomicUsize,
    stuck: AtomicUsize,
}

const QUEUED: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const GIVEN_UP: u8 = 3;

impl Runner {
    /// A runner with at most `limit` threads; they are started when they are needed, and end with the runner.
    pub fn new(name: impl Into<String>, limit: usize) -> Self {
        let limit = limit.max(1);
        let (jobs, queue) = bounded(limit);
        Self { name: name.into(), limit, jobs, queue, counts: Arc::default() }
    }

    /// Abandoned calls that have not returned.
    pub fn stuck(&self) -> usize {
        self.counts.stuck.load(Ordering::Acquire)
    }

    /// Runs `call` on one of the runner's threads, and waits up to `deadline`. The inner result is `Err` if it panicked.
    /// `on_return` runs if the call comes back after it was abandoned.
    pub fn call<R: Send + 'static>(
        &self,
        deadline: Duration,
        what: String,
        call: impl FnOnce() -> R + Send + 'static,
        on_return: impl FnOnce() + Send + 'static,
    ) -> std::result::Result<Result<R>, Missed> {
        if self.stuck() > 0 {
            return Err(Missed::NotBegun);
        }
        let until = Instant::now() + deadline;
        let (answer, result) = bounded(1);
        let state = Arc::new(AtomicU8::new(QUEUED));
        let (job_state, counts) = (state.clone(), self.counts.clone());
        let job: Job = Box::new(move || {
            if job_state.compare_exchange(QUEUED, RUNNING, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                let outcome = catch(|| what, call);
                // The answer goes in before the state says so; the caller may only then count on it.
                let _ = answer.send(outcome);
                if job_state.swap(DONE, Ordering::AcqRel) == GIVEN_UP {
                    counts.stuck.fetch_sub(1, Ordering::AcqRel);
                    on_return();
                }
            }
            counts.pending.fetch_sub(1, Ordering::AcqRel);
        });
        self.counts.pending.fetch_add(1, Ordering::AcqRel);
        self.grow();
        if self.jobs.send_timeout(job, deadline).is_err() {
            self.counts.pending.fetch_sub(1, Ordering::AcqRel);
            return Err(Missed::NotBegun);
        }
        match result.recv_deadline(until) {
            Ok(outcome) => Ok(outcome),
            Err(_) => self.give_up(&state, &result),
        }
    }

    fn give_up<R>(&self, state: &AtomicU8, result: &Receiver<Result<R>>) -> std::result::Result<Result<R>, Missed> {
        // Counted before the state says so: the job's end may follow at once, and takes it back.
        self.counts.stuck.fetch_add(1, Ordering::AcqRel);
        // The job may begin between two looks, so RUNNING is looked for twice.
        for (from, missed) in [(RUNNING, Missed::Abandoned), (QUEUED, Missed::NotBegun), (RUNNING, Missed::Abandoned)] {
            if state.compare_exchange(from, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                if missed == Missed::NotBegun {
                    self.counts.stuck.fetch_sub(1, Ordering::AcqRel);
                }
                return Err(missed);
            }
        }
        self.counts.stuck.fetch_sub(1, Ordering::AcqRel);
        result.try_recv().map_err(|_| Missed::Abandoned)
    }

    fn grow(&self) {
        let threads = self.counts.threads.load(Ordering::Acquire);
        if threads >= self.limit || self.counts.pending.load(Ordering::Acquire) <= threads {
            return;
        }
        let (queue, counts) = (self.queue.clone(), self.counts.clone());
        let work = move || {
            // A worker holds only the receiving end, so it ends when the runner is dropped.
            while let Ok(job) = queue.recv() {
                job();
            }
            counts.threads.fetch_sub(1, Ordering::AcqRel);
        };
        self.counts.threads.fetch_add(1, Ordering::AcqRel);
        if std::thread::Builder::new().name(format!("call {}", self.name)).spawn(work).is_err() {
            self.counts.threads.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::unbounded;

    const LONG: Duration = Duration::from_secs(60);

    fn call<R: Send + 'static>(
        runner: &Runner,
        deadline: Duration,
        f: impl FnOnce() -> R + Send + 'static,
    ) -> std::result::Result<Result<R>, Missed> {
        runner.call(deadline, "test".to_owned(), f, || ())
    }

    #[test]
    fn a_call_in_time_gives_its_result() {
        let runner = Runner::new("t", 2);
        for n in 0..100 {
            assert_eq!(call(&runner, LONG, move || n * 2), Ok(Ok(n * 2)));
        }
        assert!(runner.counts.threads.load(Ordering::SeqCst) <= 2);
    }

    #[test]
    fn a_panic_is_an_error_and_the_thread_lives_on() {
        let runner = Runner::new("t", 1);
        let error = call(&runner, LONG, || -> u8 { panic!("boom") }).unwrap().unwrap_err();
        assert_eq!(error.code, "KOUAN-HOST-PLUGIN-PANICKED");
        assert_eq!(call(&runner, LONG, || 1), Ok(Ok(1)));
    }

    #[test]
    fn an_abandoned_call_blocks_further_ones_until_it_returns() {
        let runner = Runner::new("t", 4);
        let (let_go, held) = unbounded::<()>();
        let (tell, returned) = unbounded::<()>();
        let hang = move || held.recv().is_err();
        let missed = runner.call(Duration::from_millis(20), "hang".into(), hang, move || tell.send(()).unwrap());
        assert_eq!(missed, Err(Missed::Abandoned));
        assert_eq!(runner.stuck(), 1);
        assert_eq!(call(&runner, LONG, || 1), Err(Missed::NotBegun), "fails at once while stuck");
        drop(let_go);
        returned.recv().unwrap();
        assert_eq!(runner.stuck(), 0);
        assert_eq!(call(&runner, LONG, || 1), Ok(Ok(1)));
    }

    #[test]
    fn a_call_that_waits_behind_another_was_never_begun() {
        let runner = Arc::new(Runner::new("t", 1));
        let (let_go, held) = unbounded::<()>();
        let (begun, seen) = unbounded::<()>();
        let busy = runner.clone();
        let first = std::thread::spawn(move || {
            call(&busy, LONG, move || {
                begun.send(()).unwrap();
                assert!(held.recv().is_err());
            })
        });
        seen.recv().unwrap();
        let ran = Arc::new(AtomicU8::new(0));
        let mark = ran.clone();
        let late = call(&runner, Duration::from_millis(20), move || mark.store(1, Ordering::SeqCst));
        assert_eq!(late, Err(Missed::NotBegun));
        drop(let_go);
        assert_eq!(first.join().unwrap(), Ok(Ok(())));
        assert_eq!(call(&runner, LONG, || 2), Ok(Ok(2)));
        assert_eq!(ran.load(Ordering::SeqCst), 0, "a call reported as not begun must never run");
    }
}
