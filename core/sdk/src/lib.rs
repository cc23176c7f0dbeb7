//! The plugin waist of Kouan (口岸): the three traits, their value types, errors and conformance kits.
//!
//! Everything a plugin author reads first. A plugin implements [`Business`], [`Transport`] or
//! [`Security`], offers it through a [`PluginDecl`], and proves it with [`conformance`].
//!
//! This room is plain Rust: it must not know a journal, a kernel, an async runtime, a dynamic
//! loader, nor any plugin. Every call is synchronous, batched, bytes in and bytes out, on `&self`.

#![forbid(unsafe_code)]

pub mod business;
pub mod catalogue;
pub mod conformance;
mod error;
pub mod finding;
pub mod health;
mod plugin;
pub mod security;
pub mod simulator;
mod time;
pub mod transport;

pub use business::Business;
pub use error::{Error, ErrorKind, Result};
pub use finding::{Finding, Severity};
pub use health::{Health, Light};
pub use plugin::{Context, Kind, Log, LogLevel, Make, NoLog, PluginDecl, settings};
pub use security::Security;
pub use simulator::Simulator;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use transport::Transport;
