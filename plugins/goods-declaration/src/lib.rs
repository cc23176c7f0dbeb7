//! 货物申报 (goods declaration, DecMessage): one business type of the Single Window as a plugin.
//!
//! What is a fact (fields, rules, code tables, CHANNEL meanings, samples) is data in `business-schemas/goods-declaration`;
//! this crate reads it, judges declarations by it, splits off their attachments, fills in DecSign by a named profile, reads
//! receipts, and plays the window's side for the sandbox. It must not know a journal, a kernel, a transport or a key.

#![forbid(unsafe_code)]

mod attachments;
mod business;
mod check;
pub mod config;
mod data;
mod edoc;
mod facts;
mod fill;
mod plan;
mod receipt;
mod refusal;
mod samples;
mod script;
mod sign;
mod simulate;

pub use business::{ID, PLUGIN, forms, rules, validator};
pub use samples::{Sample, SampleKind, receipts, renumbered, samples};
