//! A batch on several threads, its order kept.

use std::num::NonZero;

/// Fewer items than this are not worth a thread.
const WORTH_A_THREAD: usize = 4;

/// `f` of every item, in their order; `threads` = 0 for one a core.
pub(crate) fn map<'i, T: Sync, R: Send>(items: &'i [T], threads: usize, f: impl Fn(&'i T) -> R + Sync) -> Vec<R> {
    let threads = match threads {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    };
    let share = items.len().div_ceil(threads).max(WORTH_A_THREAD);
    let mut shares = items.chunks(share);
    let first = shares.next().unwrap_or_default();
    let f = &f;
    std::thread::scope(|scope| {
        let others: Vec<_> = shares.map(|share| scope.spawn(|| share.iter().map(f).collect::<Vec<R>>())).collect();
        let mut all: Vec<R> = first.iter().map(f).collect();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn keeps_the_order() {
        for (n, threads) in [(0, 0), (1, 3), (7, 2), (100, 0), (1000, 3), (1000, 1)] {
            let items: Vec<usize> = (0..n).collect();
            assert_eq!(super::map(&items, threads, |i| i * 2), items.iter().map(|i| i * 2).collect::<Vec<_>>());
        }
    }
}
