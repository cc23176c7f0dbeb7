//! The configured journal, as commands open it: for looking, or for an operator's acts.

use kouan_journal::SqliteJournal;
use kouan_kernel::Config;
use kouan_sdk::{Error, ErrorKind, SystemClock};
use std::path::PathBuf;
use std::sync::Arc;

/// Where it lies.
///
/// # Errors
/// `KOUAN-CLI-NO-JOURNAL`: no gateway has made it yet.
pub fn path(config: &Config) -> kouan_sdk::Result<PathBuf> {
    let path = kouan_kernel::journal_path(config);
    if path.exists() {
        return Ok(path);
    }
    let missing = format!("{} is not there yet", path.display());
    Err(Error::new(ErrorKind::Unavailable, "KOUAN-CLI-NO-JOURNAL", missing))
}

/// For looking; a gateway may run beside.
///
/// # Errors
/// As [`path`], and what the journal refuses.
pub fn read(config: &Config) -> kouan_sdk::Result<SqliteJournal> {
    SqliteJournal::open_read_only(&path(config)?).map_err(Error::from)
}

/// For an operator's acts; a gateway may run beside.
///
/// # Errors
/// As [`path`], and what the journal refuses.
pub fn operate(config: &Config) -> kouan_sdk::Result<SqliteJournal> {
    SqliteJournal::open_operator(&path(config)?, Arc::new(SystemClock)).map_err(Error::from)
}
