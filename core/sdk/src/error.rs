//! The one error that crosses the plugin waist.

use std::borrow::Cow;

/// Result of a plugin call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure it is; decides retry and exit code, never shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration is wrong; trying again without a change is useless.
    Config,
    /// The input is wrong; trying again with the same input is useless.
    Invalid,
    /// A peer, device or folder cannot be reached now; try again later.
    Unavailable,
    /// The deadline passed; the effect is unknown.
    Timeout,
    /// The peer understood and refused.
    Rejected,
    /// A login, PIN or permission is missing or wrong; never retried by itself.
    Auth,
    /// This plugin cannot do that.
    NotSupported,
    /// A fault inside the plugin.
    Internal,
    /// The plugin panicked; its instance is quarantined.
    Panicked,
}

/// An error with a stable code, a lowercase message that fits "failed to …: {message}", and an optional source text.
///
/// `code` is a key of the [catalogue](crate::catalogue), which carries cause and repair in both languages.
/// A message never contains a PIN, a password or a private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message} [{code}]")]
pub struct Error {
    /// See [`ErrorKind`].
    pub kind: ErrorKind,
    /// Stable code, `KOUAN-<ROOM>-<WHAT>` for bundled plugins.
    pub code: Cow<'static, str>,
    /// What went wrong, with the value or place at fault.
    pub message: String,
}

impl Error {
    /// A new error.
    pub fn new(kind: ErrorKind, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { kind, code: code.into(), message: message.into() }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Unavailable | ErrorKind::Timeout)
    }
}
