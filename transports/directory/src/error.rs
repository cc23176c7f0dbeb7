//! The file system's failures, by name.

use kouan_sdk::{Error, ErrorKind};
use std::io;
use std::path::Path;

/// The named error for what the system said of `path` while doing `what`.
pub(crate) fn named(what: &str, path: &Path, error: &io::Error) -> Error {
    let (kind, code) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Unavailable, "KOUAN-DIRECTORY-DISK-FULL")
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            (ErrorKind::Unavailable, "KOUAN-DIRECTORY-NO-ACCESS")
        }
        io::ErrorKind::CrossesDevices => (ErrorKind::Config, "KOUAN-DIRECTORY-TWO-FILESYSTEMS"),
        _ => (ErrorKind::Unavailable, "KOUAN-DIRECTORY-IO"),
    };
    Error::new(kind, code, format!("{what} {}: {error}", path.display()))
}

/// This end was closed.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "KOUAN-DIRECTORY-CLOSED", "this end of the directory is closed")
}
