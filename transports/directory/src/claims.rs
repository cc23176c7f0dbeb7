//! Claim numbers (领取号): durable, strictly increasing, never used again, so that a source id names one delivery for ever.

use crate::durable;
use crate::error::named;
use kouan_sdk::{Result, Timestamp};
use std::path::{Path, PathBuf};

/// Numbers reserved with one sync; a crash skips at most so many.
const RANGE: u64 = 1000;

/// Hands out claim numbers.
#[derive(Debug)]
pub(crate) struct Claims {
    file: PathBuf,
    next: u64,
    reserved: u64,
}

impl Claims {
    /// Goes on after the last reservation and after `highest`, the highest claim in any TempBox. Where the reservation
    /// is lost the clock's milliseconds are the floor, so that numbers the journal has seen do not come again.
    pub(crate) fn open(data_dir: &Path, highest: u64, now: Timestamp) -> Self {
        let file = data_dir.join("claims");
        let stored = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let floor = stored.unwrap_or_else(|| u64::try_from(now.millis()).unwrap_or(0));
        let next = floor.max(highest.saturating_add(1)).max(1);
        Self { file, next, reserved: next }
    }

    /// The next number; durable before it is given.
    pub(crate) fn next(&mut self) -> Result<u64> {
        if self.next >= self.reserved {
            let upto = self.next.saturating_add(RANGE);
            let folder = self.file.parent().unwrap_or(Path::new(".")).to_owned();
            durable::replace(&self.file, upto.to_string().as_bytes())
                .and_then(|()| durable::sync_folder(&folder))
                .map_err(|e| named("reserve claim numbers in", &self.file, &e))?;
            crate::failpoint!("directory::reserved-before-claim");
            self.reserved = upto;
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_over_reopening_and_loss() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut last = 0;
        for round in 0..6_i64 {
            // The clock goes back each time; only a lost file falls back on it.
            let mut claims = Claims::open(folder.path(), 0, Timestamp::from_millis(1_000_000 - round * 10_000));
            for _ in 0..1500 {
                let claim = claims.next().expect("a number");
                assert!(claim > last);
                last = claim;
            }
        }
        std::fs::remove_file(folder.path().join("claims")).expect("removed");
        let mut claims = Claims::open(folder.path(), 0, Timestamp::from_millis(9_000_000));
        assert_eq!(claims.next(), Ok(9_000_000));
        let mut claims = Claims::open(folder.path(), 20_000_000, Timestamp::from_millis(0));
        assert_eq!(claims.next(), Ok(20_000_001));
    }
}
