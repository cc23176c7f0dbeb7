//! Clocks: wall time, and the processor time of the whole process.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// How long a stage that needs no disk is repeated in one pass.
const PASS: Duration = Duration::from_millis(150);

/// Passes, of which the best counts: what disturbs only makes slower.
const PASSES: usize = 7;

/// Wall and processor time since a start.
pub struct Watch {
    wall: Instant,
    cpu: Duration,
}

impl Watch {
    /// Starts.
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    /// Microseconds of wall time for each of `count`.
    pub fn wall_each(&self, count: usize) -> f64 {
        self.wall.elapsed().as_secs_f64() * 1e6 / count as f64
    }

    /// Microseconds of processor time, all threads together, for each of `count`.
    pub fn cpu_each(&self, count: usize) -> f64 {
        (cpu().saturating_sub(self.cpu)).as_secs_f64() * 1e6 / count as f64
    }
}

/// Microseconds of processor time that `work` takes, which does `each` things in one call.
pub fn cpu_of(each: usize, mut work: impl FnMut()) -> f64 {
    work();
    let pass = |work: &mut dyn FnMut()| {
        let (watch, mut calls) = (Watch::start(), 0);
        while watch.wall.elapsed() < PASS {
            work();
            calls += 1;
        }
        watch.cpu_each(calls * each)
    };
    (0..PASSES).map(|_| pass(&mut work)).fold(f64::INFINITY, f64::min)
}

/// The middle one of three or more; for what a disk does, where neither the best nor the mean is fair.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}
