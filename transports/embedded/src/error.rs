//! SQLite's failures, by name.

use kouan_sdk::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// The named error for what SQLite said while doing `what`.
pub(crate) fn named(what: &str, error: &rusqlite::Error) -> Error {
    let (kind, code) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (ErrorKind::Unavailable, "KOUAN-EMBEDDED-BUSY"),
        Some(ErrorCode::DiskFull) => (ErrorKind::Unavailable, "KOUAN-EMBEDDED-DISK-FULL"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (ErrorKind::Unavailable, "KOUAN-EMBEDDED-READ-ONLY"),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (ErrorKind::Invalid, "KOUAN-EMBEDDED-CORRUPT"),
        Some(ErrorCode::TooBig) => (ErrorKind::Invalid, "KOUAN-EMBEDDED-TOO-BIG"),
        Some(ErrorCode::CannotOpen) => (ErrorKind::Unavailable, "KOUAN-EMBEDDED-CANNOT-OPEN"),
        _ => (ErrorKind::Unavailable, "KOUAN-EMBEDDED-STORAGE"),
    };
    Error::new(kind, code, format!("{what}: {error}"))
}

/// Whether another connection holds the file right now.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// This end was closed.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "KOUAN-EMBEDDED-CLOSED", "this end of the queue is closed")
}
