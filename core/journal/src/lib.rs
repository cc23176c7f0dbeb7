//! The life of every message: durable queue and evidence chain (证据链) in one. The journal is the only truth.
//!
//! Here today: [`lifecycle`], the rules of the states, pure and alone; [`model`], the values; and [`Journal`], the face
//! that a store must give them. The store itself (one writer, group commit, every change one event in an SM3 chain) is
//! not here yet.
//!
//! This room must not know transports, envelopes, signatures of messages, nor any business: it stores what it is told,
//! byte-exact, and refuses what the lifecycle forbids.

#![forbid(unsafe_code)]

mod face;
pub mod lifecycle;
pub mod model;

pub use face::{Journal, JournalOptions};
pub use lifecycle::{Delivery, Hold, Repeats};
