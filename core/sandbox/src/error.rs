//! This room's own failures, by name.

use kouan_sdk::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// The named error for what SQLite said while doing `what`.
pub(crate) fn store(what: &str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| {
        let (kind, code) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                (ErrorKind::Unavailable, "KOUAN-SANDBOX-STORE-BUSY")
            }
            Some(ErrorCode::DiskFull) => (ErrorKind::Unavailable, "KOUAN-SANDBOX-DISK-FULL"),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                (ErrorKind::Invalid, "KOUAN-SANDBOX-STORE-CORRUPT")
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                (ErrorKind::Config, "KOUAN-SANDBOX-STORE-CANNOT-OPEN")
            }
            _ => (ErrorKind::Unavailable, "KOUAN-SANDBOX-STORE"),
        };
        Error::new(kind, code, format!("{what}: {error}"))
    }
}

/// A configuration that cannot be used.
pub(crate) fn config(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "KOUAN-SANDBOX-CONFIG", text)
}

/// A scenario that cannot be used.
pub(crate) fn scenario(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "KOUAN-SANDBOX-SCENARIO", text)
}

/// Whether another try, later, makes sense: the loops go on after such an error, and end after any other.
pub(crate) fn may_pass(error: &Error) -> bool {
    matches!(
        error.kind,
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Auth | ErrorKind::Rejected | ErrorKind::Panicked
    )
}
