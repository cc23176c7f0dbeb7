//! The window's own wire ids: strictly increasing for each DXP id, whatever the clock does.

use crate::error;
use kouan_dxp::WireId;
use kouan_sdk::{Result, Timestamp};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Last counter within a second.
const LAST: u16 = 9999;

/// What was given out last, for each DXP id; lives within one transaction.
pub(crate) struct WireIds {
    last: BTreeMap<String, (i64, u16)>,
}

impl WireIds {
    /// As the last transaction left it.
    pub(crate) fn load(conn: &Connection) -> Result<Self> {
        let failed = error::store("read wire ids");
        let mut statement = conn.prepare_cached("SELECT dxp_id, second, counter FROM wire_counter").map_err(&failed)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).map_err(&failed)?;
        Ok(Self { last: rows.collect::<rusqlite::Result<_>>().map_err(&failed)? })
    }

    /// The next one; borrows from the future when a second is used up, or the clock went back.
    pub(crate) fn next(&mut self, dxp_id: &str, now: Timestamp) -> Result<WireId> {
        let second = now.seconds();
        let next = match self.last.get(dxp_id) {
            Some((last, LAST)) if *last >= second => (last + 1, 0),
            Some((last, counter)) if *last >= second => (*last, counter + 1),
            _ => (second, 0),
        };
        let id = WireId::new(dxp_id, Timestamp::from_millis(next.0.saturating_mul(1000)), next.1)?;
        self.last.insert(dxp_id.to_owned(), next);
        Ok(id)
    }

    /// Keeps what was given out.
    pub(crate) fn save(&self, conn: &Connection) -> Result<()> {
        let failed = error::store("keep wire ids");
        let mut statement =
            conn.prepare_cached("INSERT OR REPLACE INTO wire_counter VALUES (?1, ?2, ?3)").map_err(&failed)?;
        for (dxp_id, (second, counter)) in &self.last {
            statement.execute((dxp_id, second, counter)).map_err(&failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn they_increase_over_a_full_second_a_clock_set_back_and_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millis(1_768_181_710_500);
        let mut seen = Vec::new();
        for at in [now, now.plus_millis(-60_000), now.plus_millis(1000)] {
            let store = Store::open(&folder.path().join("window.db")).unwrap();
            let conn = store.lock();
            let mut ids = WireIds::load(&conn).unwrap();
            seen.extend((0..10_002).map(|_| ids.next("DXPDSWDEC0000002", at).unwrap()));
            ids.save(&conn).unwrap();
        }
        assert!(seen.is_sorted_by(|one, next| one < next));
        let other = WireIds { last: BTreeMap::new() }.next("DXPDSWNEMS000002", now).unwrap();
        assert_eq!((other.second().seconds(), other.counter()), (now.seconds(), 0));
    }
}
