//! The businesses' own state, inside the sandbox's transaction.

use crate::error;
use kouan_sdk::Result;
use kouan_sdk::simulator::StateStore;
use rusqlite::{Connection, OptionalExtension};

/// One business's name space.
pub(crate) struct BusinessState<'c> {
    pub(crate) conn: &'c Connection,
    pub(crate) business: &'c str,
}

impl StateStore for BusinessState<'_> {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let failed = error::store("read a business's state");
        let mut statement =
            self.conn.prepare_cached("SELECT value FROM state WHERE business = ?1 AND key = ?2").map_err(&failed)?;
        statement.query_row((self.business, key), |row| row.get(0)).optional().map_err(&failed)
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<()> {
        let failed = error::store("keep a business's state");
        let mut statement =
            self.conn.prepare_cached("INSERT OR REPLACE INTO state VALUES (?1, ?2, ?3)").map_err(&failed)?;
        statement.execute((self.business, key, value)).map(drop).map_err(&failed)
    }

    fn next(&mut self, counter: &str) -> Result<u64> {
        let failed = error::store("count");
        let mut statement = self
            .conn
            .prepare_cached(
                "INSERT INTO counter VALUES (?1, ?2, 1)
                 ON CONFLICT (business, name) DO UPDATE SET value = value + 1 RETURNING value",
            )
            .map_err(&failed)?;
        let value: i64 = statement.query_row((self.business, counter), |row| row.get(0)).map_err(&failed)?;
        Ok(value.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn businesses_do_not_see_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("window.db")).unwrap();
        let conn = store.lock();
        let mut one = BusinessState { conn: &conn, business: "one" };
        one.put("k", b"v").unwrap();
        one.put("k", b"w").unwrap();
        assert_eq!(one.get("k").unwrap().as_deref(), Some(&b"w"[..]));
        assert_eq!((one.next("n").unwrap(), one.next("n").unwrap(), one.next("m").unwrap()), (1, 2, 1));
        let mut other = BusinessState { conn: &conn, business: "other" };
        assert_eq!((other.get("k").unwrap(), other.next("n").unwrap()), (None, 1));
    }
}
