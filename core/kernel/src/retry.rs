//! When to try again: backoff with jitter for one part, a circuit breaker for a destination.

use crate::config::RetryConfig;
use kouan_sdk::Timestamp;

/// Wait before the next try after `failures` failures (from 1): doubles up to the configured maximum, and is drawn from
/// its upper half so that many parts that failed together do not come back together. `salt` makes the draw; the same
/// salt gives the same wait.
pub fn backoff_ms(config: &RetryConfig, failures: u32, salt: u64) -> i64 {
    let doubled = config.first_ms.saturating_mul(1 << failures.saturating_sub(1).min(30));
    let ceiling = doubled.min(config.max_ms).max(1);
    let spread = scramble(salt ^ u64::from(failures)) % (ceiling / 2 + 1);
    i64::try_from(ceiling - spread).unwrap_or(i64::MAX)
}

/// SplitMix64's finaliser: enough to spread retries, nothing secret depends on it.
fn scramble(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A circuit breaker (熔断): after some failed batches in a row nothing is tried for a while, then one message alone.
#[derive(Debug)]
pub struct Breaker {
    failures: u32,
    threshold: u32,
    open_ms: i64,
    open_until: Option<Timestamp>,
}

/// What the breaker allows now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// Whole batches.
    Free,
    /// One message, to see whether the other side is back.
    Probe,
    /// Nothing before this moment.
    ClosedUntil(Timestamp),
}

impl Breaker {
    /// A breaker that lets through.
    pub fn new(config: &RetryConfig) -> Self {
        Self {
            failures: 0,
            threshold: config.breaker_failures.max(1),
            open_ms: i64::try_from(config.breaker_open_ms).unwrap_or(i64::MAX),
            open_until: None,
        }
    }

    /// What may pass at `now`.
    pub fn passage(&self, now: Timestamp) -> Passage {
        match self.open_until {
            None => Passage::Free,
            Some(until) if now < until => Passage::ClosedUntil(until),
            Some(_) => Passage::Probe,
        }
    }

    /// A batch got through.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.open_until = None;
    }

    /// A batch did not; returns whether the breaker opened (again) by it.
    pub fn failed(&mut self, now: Timestamp) -> bool {
        self.failures = self.failures.saturating_add(1);
        let opens = self.failures >= self.threshold;
        if opens {
            self.open_until = Some(now.plus_millis(self.open_ms));
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_with_jitter_up_to_the_maximum() {
        let config = RetryConfig { first_ms: 1000, max_ms: 8000, ..RetryConfig::default() };
        for salt in 0..200 {
            for (failures, ceiling) in [(1, 1000), (2, 2000), (3, 4000), (4, 8000), (40, 8000)] {
                let wait = backoff_ms(&config, failures, salt);
                assert!((ceiling / 2..=ceiling).contains(&wait), "{failures}: {wait}");
            }
        }
        let waits: std::collections::BTreeSet<_> = (0..50).map(|salt| backoff_ms(&config, 4, salt)).collect();
        assert!(waits.len() > 20, "no spread: {waits:?}");
    }

    #[test]
    fn the_breaker_opens_after_its_threshold_and_probes_before_it_frees() {
        let config = RetryConfig { breaker_failures: 2, breaker_open_ms: 100, ..RetryConfig::default() };
        let mut breaker = Breaker::new(&config);
        let at = Timestamp::from_millis;
        assert!(!breaker.failed(at(0)));
        assert_eq!(breaker.passage(at(0)), Passage::Free);
        assert!(breaker.failed(at(0)));
        assert_eq!(breaker.passage(at(99)), Passage::ClosedUntil(at(100)));
        assert_eq!(breaker.passage(at(100)), Passage::Probe);
        assert!(breaker.failed(at(100)));
        assert_eq!(breaker.passage(at(150)), Passage::ClosedUntil(at(200)));
        breaker.succeeded();
        assert_eq!(breaker.passage(at(150)), Passage::Free);
    }
}
