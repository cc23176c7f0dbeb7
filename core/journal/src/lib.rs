//! The life of every message: durable queue and evidence chain (证据链) in one. The journal is the only truth.
//!
//! [`lifecycle`] holds the rules of the states, pure and alone; [`model`] the values; [`Journal`] is the face that a store
//! gives; [`SqliteJournal`] is the store. One writer thread commits in groups; an answer means that the bytes are on the
//! disk. Every state change is one event, and every event carries the SM3 of the one before.
//!
//! This room must not know transports, envelopes, signatures of messages, nor any business: it stores what it is told,
//! byte-exact, and refuses what the lifecycle forbids.

#![forbid(unsafe_code)]

mod alarms;
mod as_journal;
mod bytes;
mod chain;
mod checks;
mod digest;
mod effects;
mod error;
pub mod evidence;
mod export;
mod face;
mod files;
pub mod health;
mod identities;
mod inbound;
mod intake;
pub mod lifecycle;
mod lists;
mod matching;
pub mod model;
mod operators;
mod parts;
mod quarantine;
mod queries;
pub mod retention;
mod schema;
mod sending;
mod sources;
mod state;
mod store;
mod tallies;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod tx;
mod wire_ids;
mod writer;

pub use bytes::Kept;
pub use error::JournalError;
pub use face::{Journal, JournalOptions};
pub use lifecycle::{Delivery, Hold, Repeats};
pub use store::{SqliteJournal, Tuning};

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
