//! Judges business messages: an XSD subset, rules in CEL and code tables, compiled once to tables, applied in one
//! streaming pass, with findings that a declarant can act on. `README.md` beside this crate is the schema author's reference.
//!
//! This room must not know any business: what a field is called, how long it may be, which codes it takes and what
//! spans fields is data in `business-schemas/`.

#![forbid(unsafe_code)]

mod error;
mod schema;
mod value;
mod wording;
mod xsd;

pub use error::LoadError;
pub use schema::{Mode, Schema};
pub use value::gb_length;
