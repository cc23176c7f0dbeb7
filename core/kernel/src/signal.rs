//! Wakes a stage when there is work: a counter that only grows, so that no ring is ever missed.

use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// A bell. Ring it after a commit; a waiter that saw an older count wakes at once.
#[derive(Debug, Default)]
pub struct Signal {
    count: Mutex<u64>,
    bell: Condvar,
}

impl Signal {
    /// Rings.
    pub fn ring(&self) {
        *self.count.lock() += 1;
        self.bell.notify_all();
    }

    /// The count now; take it before looking for work.
    pub fn count(&self) -> u64 {
        *self.count.lock()
    }

    /// Waits until the count differs from `seen`, or `limit` has passed.
    pub fn wait(&self, seen: u64, limit: Duration) {
        let until = Instant::now() + limit;
        let mut count = self.count.lock();
        while *count == seen {
            if self.bell.wait_until(&mut count, until).timed_out() {
                return;
            }
        }
    }
}
