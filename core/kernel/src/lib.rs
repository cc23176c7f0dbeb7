//! Configuration and pipelines: what makes a gateway of a journal, plugins and an envelope.
//!
//! Each stage is a thread that looks into the journal, does its work in batches, and records the result; a kill between
//! any two steps leaves the journal telling what is to be done. The kernel knows the plugin traits, and must never know a
//! plugin's name, a business's fields or a broker.

#![forbid(unsafe_code)]

pub mod check;
pub mod config;
mod core;
mod effects;
mod error;
mod gateway;
mod housekeeping;
pub mod identity;
mod inbound;
mod intake;
mod outbound;
pub mod package;
pub mod parallel;
pub mod probe;
pub mod retry;
mod seal;
pub mod signal;

pub use config::Config;
pub use error::{KernelError, Result};
pub use gateway::{Gateway, journal_path};

/// A place where the crash harness may end the process; nothing without the feature `failpoints`.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        {
            // `fail` knows no kill: a configured point returns, and its closure never does.
            (|| fail::fail_point!($name, |_| std::process::abort()))();
        }
    };
}
pub(crate) use failpoint;
