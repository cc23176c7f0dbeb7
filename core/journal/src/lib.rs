//! The life of every message: durable queue and evidence chain (证据链) in one. The journal is the only truth.
//!
//! One writer thread commits in groups; an answer means that the bytes are on the disk. Every state change is one
//! event, and every event carries the SM3 of the one before. [`lifecycle`] holds the rules of the states, pure and alone.
//!
//! This room must not know transports, envelopes, signatures of messages, nor any business: it stores what it is told,
//! byte-exact, and refuses what the lifecycle forbids.

#![forbid(unsafe_code)]

mod journal;
pub mod lifecycle;
pub mod model;

pub use journal::{Journal, JournalError, JournalOptions};
pub use lifecycle::{Delivery, Hold, Repeats};
