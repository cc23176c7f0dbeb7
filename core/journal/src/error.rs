//! Why the journal refuses.

use crate::model::MessageId;
use kouan_sdk::ErrorKind;
use rusqlite::ErrorCode;

/// Result of a journal call.
pub type Result<T, E = JournalError> = std::result::Result<T, E>;

/// Why the journal refuses. Each has a stable code in the catalogue; see [`JournalError::code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process, or another handle of this one, writes to it.
    #[error("{path} is open for writing elsewhere")]
    InUse {
        /// The journal's file.
        path: String,
    },
    /// It was made for another environment.
    #[error("the journal belongs to environment `{found}`, not to `{wanted}`")]
    Environment {
        /// What the file says.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The file is damaged.
    #[error("the journal is damaged: {what}")]
    Corrupt {
        /// What was seen.
        what: String,
    },
    /// The file is something else.
    #[error("{path} is not a journal of this gateway")]
    NotAJournal {
        /// The file.
        path: String,
    },
    /// A newer version wrote it.
    #[error("the journal has version {found}, this program knows {known}")]
    TooNew {
        /// What the file says.
        found: i64,
        /// What is known here.
        known: i64,
    },
    /// No space is left; nothing of the call was recorded.
    #[error("no space is left for the journal")]
    DiskFull,
    /// The file system refused; nothing of the call was recorded.
    #[error("journal file: {what}")]
    Io {
        /// What was seen.
        what: String,
    },
    /// Another process holds the file too long.
    #[error("the journal is locked by another process")]
    Busy,
    /// The writer has ended.
    #[error("the journal is closed")]
    Closed,
    /// This handle may not write that.
    #[error("this handle of the journal may not write that")]
    ReadOnly,
    /// A fault inside; the call was undone.
    #[error("a journal operation failed inside: {what}")]
    Internal {
        /// What was seen.
        what: String,
    },
    /// The call names something that is not there.
    #[error("there is no {what} {id}")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// Its number.
        id: i64,
    },
    /// Retention has dropped the bytes asked for.
    #[error("the bytes of message {} were dropped by retention", .message.0)]
    BodyDropped {
        /// Which message.
        message: MessageId,
    },
    /// The same of a part or an inbound.
    #[error("the bytes of {what} {id} were dropped by retention")]
    BytesDropped {
        /// What kind of thing.
        what: &'static str,
        /// Its number.
        id: i64,
    },
}

impl JournalError {
    /// Stable code, a key of the catalogue.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "KOUAN-JOURNAL-IN-USE",
            Self::Environment { .. } => "KOUAN-JOURNAL-ENVIRONMENT",
            Self::Corrupt { .. } => "KOUAN-JOURNAL-CORRUPT",
            Self::NotAJournal { .. } => "KOUAN-JOURNAL-NOT-A-JOURNAL",
            Self::TooNew { .. } => "KOUAN-JOURNAL-TOO-NEW",
            Self::DiskFull => "KOUAN-JOURNAL-DISK-FULL",
            Self::Io { .. } => "KOUAN-JOURNAL-IO",
            Self::Busy => "KOUAN-JOURNAL-BUSY",
            Self::Closed => "KOUAN-JOURNAL-CLOSED",
            Self::ReadOnly => "KOUAN-JOURNAL-READ-ONLY",
            Self::Internal { .. } => "KOUAN-JOURNAL-INTERNAL",
            Self::Unknown { .. } => "KOUAN-JOURNAL-UNKNOWN-ID",
            Self::BodyDropped { .. } | Self::BytesDropped { .. } => "KOUAN-JOURNAL-BODY-DROPPED",
        }
    }

    /// What kind of failure it is.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Environment { .. } | Self::NotAJournal { .. } | Self::TooNew { .. } => ErrorKind::Config,
            Self::InUse { .. } | Self::DiskFull | Self::Io { .. } | Self::Busy | Self::Closed => ErrorKind::Unavailable,
            Self::ReadOnly => ErrorKind::NotSupported,
            Self::Unknown { .. } | Self::BodyDropped { .. } | Self::BytesDropped { .. } => ErrorKind::Invalid,
            Self::Corrupt { .. } | Self::Internal { .. } => ErrorKind::Internal,
        }
    }

    /// As the one error that crosses rooms.
    pub fn into_sdk(self) -> kouan_sdk::Error {
        kouan_sdk::Error::new(self.kind(), self.code(), self.to_string())
    }

    /// Whether SQLite may have undone the whole transaction, so that nobody in the group is safe.
    pub(crate) const fn ends_the_group(&self) -> bool {
        matches!(self, Self::DiskFull | Self::Io { .. } | Self::Corrupt { .. } | Self::Busy)
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }

    pub(crate) fn io(what: impl std::fmt::Display, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::DiskFull;
        }
        Self::Io { what: format!("{what}: {error}") }
    }
}

impl From<JournalError> for kouan_sdk::Error {
    fn from(error: JournalError) -> Self {
        error.into_sdk()
    }
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        let what = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { what },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => Self::Io { what },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(_) => Self::Internal { what },
            // Values of a kind that this program never writes.
            None if matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::Utf8Error(..)
                    | rusqlite::Error::QueryReturnedNoRows
            ) =>
            {
                Self::Corrupt { what }
            }
            None => Self::Internal { what },
        }
    }
}

impl From<serde_json::Error> for JournalError {
    fn from(error: serde_json::Error) -> Self {
        Self::Corrupt { what: format!("a stored value does not read: {error}") }
    }
}
