//! Why the kernel cannot start or go on.

use crate::config::ConfigError;
use kouan_journal::JournalError;

/// Result of a kernel call.
pub type Result<T, E = KernelError> = std::result::Result<T, E>;

/// Why the kernel cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The journal refuses.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A plugin refuses; the text names which, the source says why.
    #[error("{what}")]
    Plugin {
        /// Which plugin, in which role.
        what: String,
        /// Its error.
        #[source]
        source: kouan_sdk::Error,
    },
    /// A file or thread of our own; the source says why.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl KernelError {
    /// Wraps a plugin's error with the plugin's role.
    pub fn plugin(what: impl Into<String>) -> impl FnOnce(kouan_sdk::Error) -> Self {
        move |source| Self::Plugin { what: what.into(), source }
    }

    /// Wraps an I/O error with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what: what.into(), source }
    }
}
