//! The file: its tables, how it is opened, and how one waits for its lock.

use crate::error::{is_busy, named};
use kouan_sdk::{Error, ErrorKind, Result};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::Path;
use std::time::{Duration, Instant};

/// Marks the file as ours (`kouq`).
const APPLICATION_ID: i64 = 0x6b6f_7571;

/// Version of the tables.
const LAYOUT: i64 = 1;

/// How long one attempt at the lock sleeps inside SQLite; between attempts a close is seen.
const LOCK_SLICE: Duration = Duration::from_millis(25);

/// How long opening waits for the lock.
const OPEN_PATIENCE: Duration = Duration::from_secs(10);

/// Row numbers are never used again (AUTOINCREMENT), so they serve as source ids. `seen` keeps every id that was ever
/// enqueued: without it "absent" could not be said truthfully. `epoch` fences sends that began before an inquiry.
const TABLES: &str = "
CREATE TABLE direction (id INTEGER PRIMARY KEY, depth INTEGER NOT NULL, handed INTEGER NOT NULL, epoch INTEGER NOT NULL);
INSERT INTO direction VALUES (1, 0, 0, 0), (2, 0, 0, 0);
CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  direction INTEGER NOT NULL,
  headers TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX message_by_direction ON message (direction, id);
CREATE TABLE rejected (
  id INTEGER PRIMARY KEY, direction INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
  code TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE seen (direction INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (direction, id)) WITHOUT ROWID;
";

/// One connection to the queue file.
#[derive(Debug)]
pub(crate) struct QueueFile {
    connection: Connection,
}

impl QueueFile {
    /// Opens the file, making it and its folder when they are not there.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| cannot_open(path, &e))?;
        }
        let connection = Connection::open(path).map_err(|e| named(&format!("open {}", path.display()), &e))?;
        let mut file = Self { connection };
        let until = Instant::now() + OPEN_PATIENCE;
        loop {
            match file.prepare(path) {
                Err(error) if error.code == "KOUAN-EMBEDDED-BUSY" && Instant::now() < until => {}
                result => return result.map(|()| file),
            }
        }
    }

    fn prepare(&mut self, path: &Path) -> Result<()> {
        let what = format!("open {}", path.display());
        let failed = |e: rusqlite::Error| named(&what, &e);
        self.connection.busy_timeout(LOCK_SLICE).map_err(failed)?;
        refuse_strangers(&self.connection, path)?;
        self.connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        self.connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        if number(&tx, "application_id")? == 0 {
            tx.execute_batch(TABLES).map_err(failed)?;
            tx.pragma_update(None, "user_version", LAYOUT).map_err(failed)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        }
        tx.commit().map_err(failed)
    }

    /// For reading outside a transaction.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A write transaction, waiting for the lock until `until` or until `stop` says so.
    pub(crate) fn begin(&mut self, until: Instant, stop: &dyn Fn() -> bool) -> Result<Transaction<'_>> {
        loop {
            match Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate) {
                Ok(transaction) => return Ok(transaction),
                Err(e) if is_busy(&e) && Instant::now() < until && !stop() => {}
                Err(e) => return Err(named("take the queue's lock", &e)),
            }
        }
    }
}

/// Refuses a file that is no queue of ours, or is damaged.
fn refuse_strangers(connection: &Connection, path: &Path) -> Result<()> {
    let failed = |e: rusqlite::Error| named("read the queue", &e);
    // One snapshot: between two reads another process may make the tables of a new file.
    let snapshot = connection.unchecked_transaction().map_err(failed)?;
    let tables: i64 = snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    let (id, layout) = (number(&snapshot, "application_id")?, number(&snapshot, "user_version")?);
    snapshot.commit().map_err(failed)?;
    if id == APPLICATION_ID && layout == LAYOUT || id == 0 && tables == 0 {
        return Ok(());
    }
    let text = format!("{} is not a queue of this version (mark {id:#x}, layout {layout})", path.display());
    Err(Error::new(ErrorKind::Config, "KOUAN-EMBEDDED-NOT-A-QUEUE", text))
}

fn number(connection: &Connection, pragma: &str) -> Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(|e| named("read the queue", &e))
}

fn cannot_open(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "KOUAN-EMBEDDED-CANNOT-OPEN", format!("{}: {error}", path.display()))
}

/// Checks every page and the lock without moving a message; how many wait to the window, and to the client.
pub(crate) fn probe(path: &Path) -> Result<(i64, i64)> {
    let failed = |e: rusqlite::Error| named(&format!("check {}", path.display()), &e);
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    connection.busy_timeout(OPEN_PATIENCE).map_err(failed)?;
    refuse_strangers(&connection, path)?;
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        let text = format!("{}: {found}", path.display());
        return Err(Error::new(ErrorKind::Invalid, "KOUAN-EMBEDDED-CORRUPT", text));
    }
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(failed)?;
    let depth = |direction: i64| {
        connection.query_row("SELECT depth FROM direction WHERE id = ?1", [direction], |row| row.get(0)).map_err(failed)
    };
    Ok((depth(1)?, depth(2)?))
}
