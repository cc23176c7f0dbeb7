//! How much a plugin may break before it is set aside, and how long its calls may last.

use std::time::Duration;

/// The host's policy for all instances of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// So many faults within [`Policy::window_ms`] put an instance into quarantine (隔离).
    pub faults: usize,
    /// Milliseconds in which faults are counted together.
    pub window_ms: i64,
    /// Milliseconds before a broken instance is rebuilt the first time; doubles with each fault in the window.
    pub first_backoff_ms: i64,
    /// The longest such wait, in milliseconds.
    pub max_backoff_ms: i64,
    /// A security call (sign, unwrap, identities, probe) that lasts longer is abandoned. `None` = wait for ever, and save
    /// the hop to another thread.
    pub security_deadline: Option<Duration>,
    /// A sending call that lasts so much longer than the deadline it was given is abandoned. `None` = trust the transport
    /// to keep its deadline, and save the hop and a copy of the batch.
    pub send_grace: Option<Duration>,
    /// A transport's probe that lasts longer is abandoned.
    pub probe_deadline: Duration,
    /// Threads that an instance may occupy with calls that have a deadline.
    pub threads: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            faults: 5,
            window_ms: 600_000,
            first_backoff_ms: 200,
            max_backoff_ms: 60_000,
            security_deadline: Some(Duration::from_secs(60)),
            send_grace: None,
            probe_deadline: Duration::from_secs(10),
            threads: 4,
        }
    }
}

impl Policy {
    /// Milliseconds to wait after the `recent`-th fault in the window.
    pub(crate) fn backoff_ms(&self, recent: usize) -> i64 {
        let doublings = u32::try_from(recent.saturating_sub(1)).unwrap_or(u32::MAX).min(40);
        self.first_backoff_ms.saturating_mul(1_i64 << doublings).min(self.max_backoff_ms)
    }
}
