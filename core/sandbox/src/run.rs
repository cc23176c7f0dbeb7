//! The two loops: taking in, and sending what is due. What may pass is tried again, ever more slowly; all else ends both.

use crate::open::{Content, Opened, open};
use crate::outbound::{Sent, send_due};
use crate::{Sandbox, error, failpoint, intake};
use kouan_sdk::transport::{Receiver, Sender};
use kouan_sdk::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How soon a wish to stop is seen.
const GLANCE: Duration = Duration::from_millis(50);

/// First and longest pause after something that may pass.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Whether to go on.
pub(crate) struct Halt<'a> {
    wanted: &'a AtomicBool,
    other_ended: AtomicBool,
}

impl Halt<'_> {
    fn now(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) || self.other_ended.load(Ordering::SeqCst)
    }

    /// Waits, or stops waiting.
    fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.now() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(GLANCE));
        }
    }
}

/// A pause that doubles.
struct Pause(Duration);

impl Pause {
    fn new() -> Self {
        Self(PAUSES.0)
    }

    fn reset(&mut self) {
        self.0 = PAUSES.0;
    }

    /// Waits out what may pass; gives back what will not.
    fn cope(&mut self, what: &str, error: Error, halt: &Halt<'_>) -> Result<()> {
        if !error::may_pass(&error) {
            return Err(error);
        }
        tracing::warn!(code = %error.code, "{what}: {}; again in {:?}", error.message, self.0);
        halt.wait(self.0);
        self.0 = (self.0 * 2).min(PAUSES.1);
        Ok(())
    }
}

impl Sandbox {
    /// Takes in and answers until `stop`, on the caller's thread and one more. What is not yet due stays in the file for
    /// the next run. Called once at a time.
    ///
    /// # Errors
    /// What no waiting mends: a damaged file, a wrong configuration.
    pub fn run(&self, stop: &AtomicBool) -> Result<()> {
        let halt = Halt { wanted: stop, other_ended: AtomicBool::new(false) };
        let watched = |work: &dyn Fn(&Halt<'_>) -> Result<()>| {
            // Also after a panic the other loop must not go on alone.
            struct Ends<'a>(&'a AtomicBool);
            impl Drop for Ends<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::SeqCst);
                }
            }
            let _ends = Ends(&halt.other_ended);
            work(&halt)
        };
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| watched(&|halt| self.send_loop(halt)));
            let taken = watched(&|halt| self.take_loop(halt));
            let sent = sending.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            taken.and(sent)
        })
    }

    fn take_loop(&self, halt: &Halt<'_>) -> Result<()> {
        let mut pause = Pause::new();
        while !halt.now() {
            let taken = self.parts.transport.open_receiver().and_then(|receiver| {
                let taken = self.take_from(&*receiver, halt, &mut pause);
                receiver.close();
                taken
            });
            // What was not settled is handed out again by the next receiver, and dropped if it was taken in.
            if let Err(error) = taken {
                pause.cope("take in", error, halt)?;
            }
        }
        Ok(())
    }

    fn take_from(&self, receiver: &dyn Receiver, halt: &Halt<'_>, pause: &mut Pause) -> Result<()> {
        while !halt.now() {
            let batch = receiver.receive(self.config.max_batch, self.config.max_bytes, GLANCE)?;
            if batch.is_empty() {
                continue;
            }
            let opened = open(&batch, &self.config, &self.parts, self.parts.clock.now());
            halt.wait(slowest(&opened));
            intake::take_in(&self.store.lock(), &opened, &self.config, &self.parts, self.parts.clock.now())?;
            failpoint!("sandbox::taken-before-settle");
            self.alarm_clock.ring();
            let tokens: Vec<_> = batch.iter().map(|incoming| incoming.token).collect();
            receiver.settle(&tokens)?;
            pause.reset();
            tracing::debug!(messages = batch.len(), "taken in");
        }
        Ok(())
    }

    fn send_loop(&self, halt: &Halt<'_>) -> Result<()> {
        let mut pause = Pause::new();
        while !halt.now() {
            let sent = self.parts.transport.open_sender().and_then(|sender| {
                let sent = self.send_by(&*sender, halt, &mut pause);
                sender.close();
                sent
            });
            if let Err(error) = sent {
                pause.cope("send", error, halt)?;
            }
        }
        Ok(())
    }

    fn send_by(&self, sender: &dyn Sender, halt: &Halt<'_>, pause: &mut Pause) -> Result<()> {
        while !halt.now() {
            let now = self.parts.clock.now();
            match send_due(&self.store, sender, now, self.config.max_batch, self.config.max_bytes)? {
                Sent::All => pause.reset(),
                Sent::Some { reason, progress } => {
                    if progress {
                        pause.reset();
                    }
                    return Err(reason);
                }
                Sent::Nothing(next) => {
                    let until_next = next.map_or(i64::MAX, |next| next.millis().saturating_sub(now.millis()));
                    let time = Duration::from_millis(until_next.max(1).unsigned_abs());
                    self.alarm_clock.wait(time.min(GLANCE));
                }
            }
        }
        Ok(())
    }
}

/// How long the scenario lets this batch last.
fn slowest(batch: &[Opened<'_>]) -> Duration {
    let slow = batch.iter().filter_map(|opened| match &opened.content {
        Content::Good(message) => message.rule.map(|rule| rule.intake.slow_ms),
        Content::Refused { .. } => None,
    });
    Duration::from_millis(slow.max().unwrap_or_default())
}
