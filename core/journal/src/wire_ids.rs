//! Wire ids (CopMsgId): own DXP id, second in China Standard Time, four digits; strictly increasing for each DXP id.
//!
//! When the ten thousand ids of a second are used up, seconds of the future are borrowed; a clock that goes back is not
//! followed. A small file beside the journal holds an upper bound, written before any id below it is given, so that a
//! journal restored from an old backup does not give an id twice.

use crate::digest::sm3;
use crate::error::{JournalError, Result};
use crate::files::{beside, replace};
use crate::schema::sum;
use kouan_sdk::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Ids in one second.
const PER_SECOND: i64 = 10_000;

/// A lease reaches so many seconds ahead; one small file write a minute at work.
const LEASE_SECONDS: i64 = 60;

/// The allocator. Places are `second * 10 000 + number`.
pub(crate) struct WireIds {
    path: PathBuf,
    /// First place that is not leased, by DXP id, as it stands in the file.
    leased: BTreeMap<String, i64>,
    /// Next place that this process may give, at the least; filled from the file when a DXP id is first used.
    floor: BTreeMap<String, i64>,
}

impl WireIds {
    /// Reads the leases. The second value tells of a file that is missing or does not read: then the journal's own memory
    /// serves, and each DXP id begins a whole lease ahead of it and of the clock, past what the lost lease may have covered.
    pub(crate) fn open(journal: &Path, conn: &Connection, now: Timestamp) -> Result<(Self, Option<String>)> {
        let path = beside(journal, ".wire-ids");
        let read = match std::fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or("does not read"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("is missing"),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err("does not read"),
            Err(error) => return Err(JournalError::io(path.display(), &error)),
        };
        let given = conn
            .prepare("SELECT dxp_id, last FROM wire_ids")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
        match read {
            Ok(leased) => Ok((Self { path, floor: leased.clone(), leased }, None)),
            // A new journal has no leases yet.
            Err("is missing") if given.is_empty() => {
                Ok((Self { path, floor: BTreeMap::new(), leased: BTreeMap::new() }, None))
            }
            Err(what) => {
                let clock = now.seconds().saturating_mul(PER_SECOND);
                let ahead = |last: i64| last.max(clock).saturating_add(LEASE_SECONDS * PER_SECOND);
                let floor = given.into_iter().map(|(dxp_id, last)| (dxp_id, ahead(last))).collect();
                let fault = format!("{} {what}", path.display());
                Ok((Self { path, floor, leased: BTreeMap::new() }, Some(fault)))
            }
        }
    }

    /// The next id of `dxp_id`; its place is durable with the caller's transaction, its lease already.
    pub(crate) fn allocate(&mut self, conn: &Connection, dxp_id: &str, now: Timestamp) -> Result<String> {
        let last: Option<i64> = conn
            .prepare_cached("SELECT last FROM wire_ids WHERE dxp_id = ?1")?
            .query_row([dxp_id], |row| row.get(0))
            .optional()?;
        let floor = self.floor.get(dxp_id).copied().unwrap_or(0);
        let place = (now.seconds() * PER_SECOND).max(last.map_or(0, |last| last.saturating_add(1))).max(floor);
        if place >= self.leased.get(dxp_id).copied().unwrap_or(0) {
            self.lease(dxp_id, place.saturating_add(LEASE_SECONDS * PER_SECOND))?;
        }
        conn.prepare_cached("INSERT OR REPLACE INTO wire_ids (dxp_id, last, sum) VALUES (?1, ?2, ?3)")?
            .execute(params![dxp_id, place, sum(dxp_id, &place.to_string())])?;
        let second = Timestamp::from_millis(place.div_euclid(PER_SECOND).saturating_mul(1000));
        Ok(format!("{dxp_id}{}{:04}", second.compact(), place.rem_euclid(PER_SECOND)))
    }

    fn lease(&mut self, dxp_id: &str, bound: i64) -> Result<()> {
        let mut leased = self.leased.clone();
        leased.insert(dxp_id.to_owned(), bound);
        replace(&self.path, text(&leased).as_bytes())?;
        self.leased = leased;
        crate::failpoint!("journal::leased-before-commit");
        Ok(())
    }

    /// Gives back at a clean end what was leased and not used, so that a restart borrows nothing.
    pub(crate) fn close(&mut self, conn: &Connection) {
        let used = |dxp_id: &str| -> Option<i64> {
            conn.query_row("SELECT last FROM wire_ids WHERE dxp_id = ?1", [dxp_id], |row| row.get(0)).ok()
        };
        let mut leased = self.leased.clone();
        for (dxp_id, bound) in &mut leased {
            let floor = self.floor.get(dxp_id).copied().unwrap_or(0);
            if let Some(last) = used(dxp_id) {
                *bound = (*bound).min((last + 1).max(floor));
            }
        }
        if leased != self.leased && replace(&self.path, text(&leased).as_bytes()).is_ok() {
            self.leased = leased;
        }
    }
}

/// One line a DXP id, then a line with the digest of those before.
fn text(leased: &BTreeMap<String, i64>) -> String {
    let lines: String = leased.iter().map(|(dxp_id, bound)| format!("{dxp_id} {bound}\n")).collect();
    let digest = hex::encode(sm3(lines.as_bytes()));
    format!("{lines}sm3 {digest}\n")
}

fn parse(file: &str) -> Option<BTreeMap<String, i64>> {
    let mut leased = BTreeMap::new();
    for line in file.lines().filter(|line| !line.starts_with("sm3 ")) {
        let (dxp_id, bound) = line.rsplit_once(' ')?;
        leased.insert(dxp_id.to_owned(), bound.parse().ok()?);
    }
    (text(&leased) == file).then_some(leased)
}
