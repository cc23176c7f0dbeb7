//! The store on SQLite, its handle: opening, the way to the writer, the readers. What can be asked of it stands theme by theme in
//! the other files. Each writing call takes a batch, and returns when the batch is durable; calls from many threads
//! meet in one commit.

use crate::chain::{Chain, NewEvent};
use crate::error::{JournalError, Result};
use crate::face::JournalOptions;
use crate::files::{self, Reserve};
use crate::schema::{self, APPLICATION_ID};
use crate::tx::{Sites, Tx};
use crate::wire_ids::WireIds;
use crate::writer::{Class, Job, Operation, Writer};
use crossbeam_channel::{Sender, bounded};
use kouan_sdk::Clock;
use parking_lot::Mutex;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::thread::JoinHandle;
use std::time::Duration;

/// Operations that may wait for the writer before callers are held back.
const QUEUE: usize = 1024;

/// How long a process waits for another's transaction.
const BUSY: Duration = Duration::from_secs(10);

/// Statements that a connection keeps prepared.
const STATEMENTS: usize = 160;

/// Read connections kept for the next reader.
const READERS: usize = 8;

/// What seldom needs another value than its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Bytes kept back on the disk for the case that it is full; 0 = none.
    pub reserve_bytes: u64,
    /// Events in a segment of the chain.
    pub segment_events: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { reserve_bytes: 8 * 1024 * 1024, segment_events: 10_000 }
    }
}

/// A handle; cheap to clone. Dropping the last one finishes what was handed over, and ends the writer.
#[derive(Clone)]
pub struct SqliteJournal {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    mode: Mode,
    jobs: Option<Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Connection>>,
    inquired: AtomicI64,
    /// Released when everything else is done.
    _lock: Option<File>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Gateway,
    Operator,
    Reader,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer's connection is the last to close: only one that may write can empty the write-ahead log.
        self.readers.lock().clear();
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to finish.
            let _ = writer.join();
        }
    }
}

impl SqliteJournal {
    /// Opens, checks the file, upgrades it, ends attempts that a dead process left open as Unknown (in doubt). Errors:
    /// [`JournalError::InUse`], [`JournalError::Environment`], [`JournalError::Corrupt`], [`JournalError::NotAJournal`],
    /// [`JournalError::TooNew`], or the file system's.
    pub fn open(options: JournalOptions) -> Result<Self> {
        Self::open_with(options, Tuning::default())
    }

    /// As [`Self::open`], with other limits.
    pub fn open_with(options: JournalOptions, tuning: Tuning) -> Result<Self> {
        match Self::open_gateway(options.clone(), tuning) {
            // SQLite needs some space to open at all: what was kept back for a full disk serves.
            Err(JournalError::DiskFull | JournalError::Io { .. }) if files::give_up_reserve(&options.path) => {
                Self::open_gateway(options, tuning)
            }
            opened => opened,
        }
    }

    fn open_gateway(options: JournalOptions, tuning: Tuning) -> Result<Self> {
        files::make_folder(&options.path)?;
        let lock = files::lock(&options.path)?;
        if !options.path.exists() {
            create(&options)?;
        }
        files::quick_check(&options.path)?;
        let conn = connect(&options.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        check_identity(&conn, &options.path)?;
        upgrade(&conn)?;
        bind_environment(&conn, &options.environment)?;
        let (wire_ids, lost_leases) = WireIds::open(&options.path, &conn, options.clock.now())?;
        let sites = Sites { default_site: options.default_site, disposing: options.disposing_sites };
        schema::set_meta(&conn, "default_site", &sites.default_site)?;
        schema::set_meta(&conn, "disposing_sites", &serde_json::to_string(&sites.disposing)?)?;
        if schema::meta(&conn, "last_name")?.is_none() {
            schema::set_meta(&conn, "last_name", "0")?;
        }
        let writer = Writer {
            conn,
            clock: options.clock.clone(),
            sites,
            wire_ids: Some(wire_ids),
            reserve: Some(Reserve::open(&options.path, tuning.reserve_bytes)),
            segment_events: i64::from(tuning.segment_events.max(1)),
        };
        let journal = Self::start(options.path, options.clock, Mode::Gateway, Some(writer), Some(lock))?;
        if let Some(fault) = lost_leases {
            journal.raise_alarm("KOUAN-JOURNAL-WIRE-ID-LEASES", &fault, None)?;
        }
        crate::failpoint!("journal::opened-before-orphans");
        journal.end_orphaned_attempts()?;
        Ok(journal)
    }

    /// Opens for reading only (commands beside a running gateway).
    pub fn open_read_only(path: &Path) -> Result<Self> {
        require(path)?;
        let conn = reader(path)?;
        check_identity(&conn, path)?;
        Chain::read(&conn)?;
        let journal = Self::start(path.to_owned(), Arc::new(kouan_sdk::SystemClock), Mode::Reader, None, None)?;
        journal.inner.readers.lock().push(conn);
        Ok(journal)
    }

    /// Opens for operators' acts ([`Self::act`], alarms) beside a gateway that may be running: each act is a transaction
    /// of its own, and reads the chain's head inside it. Nothing else may be written through this handle.
    pub fn open_operator(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        require(path)?;
        let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        check_identity(&conn, path)?;
        let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found != schema::VERSION {
            return Err(JournalError::TooNew { found, known: schema::VERSION });
        }
        let sites = Sites {
            default_site: schema::meta(&conn, "default_site")?.unwrap_or_default(),
            disposing: serde_json::from_str(schema::meta(&conn, "disposing_sites")?.as_deref().unwrap_or("[]"))?,
        };
        let segment_events = i64::from(Tuning::default().segment_events);
        let writer = Writer { conn, clock: clock.clone(), sites, wire_ids: None, reserve: None, segment_events };
        Self::start(path.to_owned(), clock, Mode::Operator, Some(writer), None)
    }

    fn start(
        path: PathBuf,
        clock: Arc<dyn Clock>,
        mode: Mode,
        writer: Option<Writer>,
        lock: Option<File>,
    ) -> Result<Self> {
        let (mut jobs, mut thread) = (None, None);
        if let Some(writer) = writer {
            let (sender, receiver) = bounded(QUEUE);
            let spawned = std::thread::Builder::new()
                .name("kouan-journal".to_owned())
                .spawn(move || writer.run(&receiver))
                .map_err(|e| JournalError::io("start the writer", &e))?;
            (jobs, thread) = (Some(sender), Some(spawned));
        }
        let inner = Inner {
            path,
            clock,
            mode,
            jobs,
            writer: thread,
            readers: Mutex::new(Vec::new()),
            inquired: AtomicI64::new(0),
            _lock: lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The journal's file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// Where the last inquiry stopped.
    pub(crate) fn inquired(&self) -> &AtomicI64 {
        &self.inner.inquired
    }

    /// Hands an operation to the writer and waits until it is durable. `bytes` is about what it brings.
    pub(crate) fn write<T, F>(&self, class: Class, bytes: usize, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        if self.inner.mode == Mode::Operator && class != Class::Operator {
            return Err(JournalError::ReadOnly);
        }
        let jobs = self.inner.jobs.as_ref().ok_or(JournalError::ReadOnly)?;
        let (job, answer) = Operation::with_reply(class, bytes, run);
        jobs.send(job).map_err(|_| JournalError::Closed)?;
        answer.recv().map_err(|_| JournalError::Closed)?
    }

    /// Reads on a connection of its own; sees what was committed, and waits for nobody.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let kept = self.inner.readers.lock().pop();
        let conn = match kept {
            Some(conn) => conn,
            None => reader(&self.inner.path)?,
        };
        // One snapshot for all queries of a call.
        conn.execute_batch("BEGIN")?;
        let result = read(&conn);
        conn.execute_batch("COMMIT")?;
        let mut readers = self.inner.readers.lock();
        if readers.len() < READERS {
            readers.push(conn);
        }
        result
    }
}

fn require(path: &Path) -> Result<()> {
    if path.exists() {
        return files::quick_check(path);
    }
    Err(JournalError::Io { what: format!("{} is not there", path.display()) })
}

/// A connection set up as all of ours are.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans depend on no bound value; else SQLite plans most of our statements anew each time one is bound.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    #[cfg(feature = "testing")]
    let conn = counted(conn)?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;
         PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 8000;",
    )?;
    Ok(conn)
}

#[cfg(feature = "testing")]
fn counted(mut conn: Connection) -> Result<Connection> {
    crate::testing::count_steps(&mut conn)?;
    Ok(conn)
}

/// A connection that can only read. A file on a medium that nobody may write, and without a log beside it, is read as
/// it stands.
pub(crate) fn reader(path: &Path) -> Result<Connection> {
    let normal = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).and_then(|conn| {
        // There are several; what they read is in the system's cache as well.
        conn.execute_batch("PRAGMA cache_size = -2000")?;
        Chain::read(&conn)?;
        Ok(conn)
    });
    let log = std::fs::metadata(files::beside(path, "-wal")).map_or(0, |log| log.len());
    match normal {
        Err(JournalError::Io { .. }) if log == 0 => {
            let absolute = std::path::absolute(path).map_err(|e| JournalError::io(path.display(), &e))?;
            let escaped = absolute.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let uri = format!("file:{escaped}?immutable=1");
            connect(Path::new(&uri), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)
        }
        other => other,
    }
}

/// Makes the file under another name and moves it in whole, so that a file under the journal's name always is one.
fn create(options: &JournalOptions) -> Result<()> {
    let fresh = files::beside(&options.path, ".new");
    for leftover in [fresh.clone(), files::beside(&fresh, "-wal"), files::beside(&fresh, "-shm")] {
        if leftover.exists() {
            std::fs::remove_file(&leftover).map_err(|e| JournalError::io(leftover.display(), &e))?;
        }
    }
    // SQLite would play an old log into the new file.
    let log = files::beside(&options.path, "-wal");
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let what = format!("{} is missing, and {} is there", options.path.display(), log.display());
        return Err(JournalError::corrupt(what));
    }
    let conn = connect(&fresh, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    conn.execute_batch(&format!("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA application_id = {APPLICATION_ID};"))?;
    conn.execute_batch("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE")?;
    schema::migrate(&conn)?;
    let mut id = [0u8; 16];
    getrandom::fill(&mut id).map_err(|e| JournalError::Internal { what: format!("no random bytes: {e}") })?;
    let id = hex::encode(id);
    schema::set_meta(&conn, "environment", &options.environment)?;
    schema::set_meta(&conn, "journal_id", &id)?;
    let event = NewEvent {
        at: options.clock.now().millis(),
        kind: "created".to_owned(),
        message: None,
        part: None,
        inbound: None,
        data: serde_json::json!({"environment": options.environment, "journal_id": id}).to_string(),
    };
    let mut chain = Chain::START;
    chain.append(&conn, &event)?;
    chain.write(&conn)?;
    conn.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
    conn.close().map_err(|(_, error)| JournalError::from(error))?;
    let synced = File::open(&fresh).and_then(|file| file.sync_all());
    crate::failpoint!("journal::made-before-rename");
    synced.and_then(|()| std::fs::rename(&fresh, &options.path)).map_err(|e| JournalError::io(fresh.display(), &e))?;
    files::sync_folder(&options.path)
}

fn check_identity(conn: &Connection, path: &Path) -> Result<()> {
    let id: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if id != APPLICATION_ID {
        return Err(JournalError::NotAJournal { path: path.display().to_string() });
    }
    Ok(())
}

/// Migrates, and sees that the chain's last event is there: a file that lost its end does not get past this.
fn upgrade(conn: &Connection) -> Result<()> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(JournalError::Io { what: format!("the file system allows no write-ahead log (mode {mode})") });
    }
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let migrated = schema::migrate(conn).and_then(|_| {
        let chain = Chain::read(conn)?;
        let last: Option<i64> = conn.query_row("SELECT MAX(seq) FROM events", [], |row| row.get(0))?;
        if last.unwrap_or(chain.segment_first - 1) != chain.seq {
            let what = format!("the chain ends at {last:?}, its head says {}", chain.seq);
            return Err(JournalError::corrupt(what));
        }
        Ok(())
    });
    match migrated {
        Ok(()) => Ok(conn.execute_batch("COMMIT")?),
        Err(error) => {
            let _ = conn.execute_batch("ROLLBACK");
            Err(error)
        }
    }
}

fn bind_environment(conn: &Connection, wanted: &str) -> Result<()> {
    match schema::meta(conn, "environment")? {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(JournalError::Environment { found, wanted: wanted.to_owned() }),
        None => Err(JournalError::corrupt("the environment is missing")),
    }
}
