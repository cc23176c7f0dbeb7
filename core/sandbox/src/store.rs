//! The sandbox's file: its tables, and how it is opened.

use crate::error;
use kouan_sdk::{Error, ErrorKind, Result};
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

/// Marks the file as ours (`kous`).
const APPLICATION_ID: i64 = 0x6b6f_7573;

/// Version of the tables.
const LAYOUT: i64 = 1;

/// How long a reader's snapshot or another process may hold us up.
const BUSY: Duration = Duration::from_secs(10);

/// Statements that the connection keeps prepared.
const STATEMENTS: usize = 64;

/// `delivery` knows what the transport handed over, `arrival` what the clients sent, `effect` what came of it. `receipt`
/// is every answer that was decided on, `outbox` the sealed envelopes still to be sent (two rows for one sent twice).
const TABLES: &str = "
CREATE TABLE delivery (source_id TEXT NOT NULL, body_digest TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (source_id, body_digest)) WITHOUT ROWID;
CREATE TABLE arrival (
  id INTEGER PRIMARY KEY AUTOINCREMENT, wire_id TEXT NOT NULL, sender TEXT NOT NULL, message_type TEXT NOT NULL,
  file_name TEXT NOT NULL, business TEXT NOT NULL, key_name TEXT, key TEXT, digest TEXT NOT NULL,
  at INTEGER NOT NULL, verdict TEXT NOT NULL
);
CREATE INDEX arrival_by_wire_id ON arrival (wire_id);
CREATE INDEX arrival_by_key ON arrival (business, key_name, key);
CREATE TABLE effect (
  id INTEGER PRIMARY KEY AUTOINCREMENT, arrival INTEGER NOT NULL REFERENCES arrival (id), business TEXT NOT NULL,
  key_name TEXT NOT NULL, key TEXT NOT NULL, wire_id TEXT NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX effect_by_key ON effect (business, key_name, key);
CREATE TABLE receipt (
  id INTEGER PRIMARY KEY AUTOINCREMENT, arrival INTEGER NOT NULL REFERENCES arrival (id), wire_id TEXT NOT NULL UNIQUE,
  message_type TEXT NOT NULL, kind TEXT NOT NULL, key_name TEXT, key TEXT, digest TEXT NOT NULL,
  due_at INTEGER NOT NULL, sent_at INTEGER, times_sent INTEGER NOT NULL DEFAULT 0, must_arrive INTEGER NOT NULL,
  faults TEXT NOT NULL, failure TEXT
);
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, receipt INTEGER NOT NULL REFERENCES receipt (id), due_at INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX outbox_by_due ON outbox (due_at, id);
CREATE TABLE attachment (
  id INTEGER PRIMARY KEY AUTOINCREMENT, arrival INTEGER NOT NULL REFERENCES arrival (id), name TEXT NOT NULL,
  digest TEXT NOT NULL, content_digest TEXT NOT NULL
);
CREATE TABLE refused (
  id INTEGER PRIMARY KEY AUTOINCREMENT, source_id TEXT NOT NULL, wire_id TEXT, sender TEXT, code TEXT NOT NULL,
  message TEXT NOT NULL, body_digest TEXT NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL
);
CREATE TABLE alarm (
  id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, message TEXT NOT NULL, wire_id TEXT, at INTEGER NOT NULL
);
CREATE TABLE state (business TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (business, key)) WITHOUT ROWID;
CREATE TABLE counter (business TEXT NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
  PRIMARY KEY (business, name)) WITHOUT ROWID;
CREATE TABLE wire_counter (dxp_id TEXT PRIMARY KEY, second INTEGER NOT NULL, counter INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

/// The writing connection; both loops share it.
pub(crate) struct Store {
    conn: Mutex<Connection>,
    /// Held as long as the store is open; the system lets go of it when the process ends in whatever way.
    _lock: File,
}

impl Store {
    /// Opens the file, making it and its folder when they are not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| {
                let text = format!("{}: {e}", folder.display());
                Error::new(ErrorKind::Config, "KOUAN-SANDBOX-STORE-CANNOT-OPEN", text)
            })?;
        }
        let lock = lock(path)?;
        let what = format!("open {}", path.display());
        let failed = error::store(&what);
        let conn = Connection::open(path).map_err(&failed)?;
        conn.busy_timeout(BUSY).map_err(&failed)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        refuse_strangers(&conn, path)?;
        conn.pragma_update(None, "journal_mode", "WAL").map_err(&failed)?;
        conn.pragma_update(None, "synchronous", "FULL").map_err(&failed)?;
        let tx = Transaction::new_unchecked(&conn, TransactionBehavior::Immediate).map_err(&failed)?;
        if number(&tx, "application_id")? == 0 {
            tx.execute_batch(TABLES).map_err(&failed)?;
            tx.pragma_update(None, "user_version", LAYOUT).map_err(&failed)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(&failed)?;
        }
        tx.commit().map_err(&failed)?;
        Ok(Self { conn: Mutex::new(conn), _lock: lock })
    }

    /// The connection, for one transaction.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.conn.lock()
    }

    /// A connection that only reads, beside whoever writes, in this process or another.
    pub(crate) fn reader(path: &Path) -> Result<Connection> {
        let what = format!("read {}", path.display());
        let failed = error::store(&what);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags).map_err(&failed)?;
        conn.busy_timeout(BUSY).map_err(&failed)?;
        refuse_strangers(&conn, path)?;
        if number(&conn, "application_id")? == 0 {
            let text = format!("{} is empty", path.display());
            return Err(Error::new(ErrorKind::Config, "KOUAN-SANDBOX-NOT-A-SANDBOX", text));
        }
        Ok(conn)
    }
}

/// Two windows on one file would send every answer twice.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let cannot = |e: std::io::Error| {
        let text = format!("{}: {e}", Path::new(&name).display());
        Error::new(ErrorKind::Config, "KOUAN-SANDBOX-STORE-CANNOT-OPEN", text)
    };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let text = format!("{} serves another sandbox that is still running", path.display());
            Err(Error::new(ErrorKind::Unavailable, "KOUAN-SANDBOX-IN-USE", text))
        }
        Err(TryLockError::Error(e)) => Err(cannot(e)),
    }
}

/// A write transaction.
pub(crate) fn begin(conn: &Connection) -> Result<Transaction<'_>> {
    Transaction::new_unchecked(conn, TransactionBehavior::Immediate).map_err(error::store("begin a transaction"))
}

/// Refuses a file that is no sandbox's, or of another version.
fn refuse_strangers(conn: &Connection, path: &Path) -> Result<()> {
    let what = format!("open {}", path.display());
    let failed = error::store(&what);
    // One snapshot: between two reads another process may make the tables of a new file.
    let snapshot = conn.unchecked_transaction().map_err(&failed)?;
    let tables: i64 =
        snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(&failed)?;
    let (id, layout) = (number(&snapshot, "application_id")?, number(&snapshot, "user_version")?);
    snapshot.commit().map_err(&failed)?;
    if id == APPLICATION_ID && layout == LAYOUT || id == 0 && tables == 0 {
        return Ok(());
    }
    let text = format!("{} is no sandbox of this version (mark {id:#x}, layout {layout})", path.display());
    Err(Error::new(ErrorKind::Config, "KOUAN-SANDBOX-NOT-A-SANDBOX", text))
}

fn number(conn: &Connection, pragma: &str) -> Result<i64> {
    conn.pragma_query_value(None, pragma, |row| row.get(0)).map_err(error::store("read the file's mark"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text");
        std::fs::write(&text, "no database at all, but long enough to be looked at".repeat(40)).unwrap();
        assert_eq!(Store::open(&text).err().unwrap().code, "KOUAN-SANDBOX-STORE-CORRUPT");
        let other = folder.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert_eq!(Store::open(&other).err().unwrap().code, "KOUAN-SANDBOX-NOT-A-SANDBOX");
        let ours = folder.path().join("ours.db");
        let _held = Store::open(&ours).unwrap();
        assert_eq!(Store::open(&ours).err().unwrap().code, "KOUAN-SANDBOX-IN-USE");
        assert_eq!(Store::reader(&folder.path().join("none")).err().unwrap().code, "KOUAN-SANDBOX-STORE-CANNOT-OPEN");
    }
}
