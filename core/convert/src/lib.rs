//! Tables into messages (表格转报文): rows of CSV, JSON and xlsx become one XML document a message, by a mapping file
//! that says which column fills which element. Order and nesting come from the business's schema. `README.md` beside
//! this crate is the reference of the mapping file.
//!
//! This room must not know any business by name, nor the kernel, the journal or a transport: it makes documents, and
//! tells for each finding about one from which file, row and column the value came. Who judges and writes them is asked
//! elsewhere.

#![forbid(unsafe_code)]

mod fault;
mod field;
mod mapping;
mod moment;

mod number;
mod plan;
mod run;
mod source;
mod template;
mod write;

pub use fault::{Fault, Place};
pub use mapping::Mapping;
pub use moment::Moment;

pub use plan::{Plan, Target};
pub use run::{Made, Options, Tables, convert};
pub use source::{Encoding, Format, Limits};
pub use write::Document;
