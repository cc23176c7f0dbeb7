//! Judges business messages: an XSD subset, rules in CEL and code tables, compiled once to tables, applied in one
//! streaming pass, with findings that a declarant can act on. `README.md` beside this crate is the schema author's reference.
//!
//! ```
//! use kouan_schema::{CheckOptions, Validator};
//! let xsd = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="Note"><xs:complexType><xs:sequence>
//!   <xs:element name="Weight" type="xs:decimal"><xs:annotation><xs:documentation xml:lang="zh">重量</xs:documentation></xs:annotation></xs:element>
//! </xs:sequence></xs:complexType></xs:element></xs:schema>"#;
//! let validator = Validator::builder().file("note.xsd", xsd).capture("/Note/Weight").build()?;
//! let outcome = validator.check(b"<Note><Weight>1,5</Weight></Note>", &CheckOptions::default());
//! assert_eq!(outcome.findings[0].message_zh, "重量(Weight)值“1,5”不是合法的数字(不得含千分位逗号、空格或单位)");
//! assert_eq!(outcome.first("/Note/Weight"), Some("1,5"));
//! # Ok::<(), kouan_schema::LoadError>(())
//! ```
//!
//! This room must not know any business: what a field is called, how long it may be, which codes it takes and what
//! spans fields is data in `business-schemas/`.

#![forbid(unsafe_code)]

mod coded;
mod codes;
mod error;
mod model;
mod names;
mod outline;
mod rules;
mod run;
mod schema;
mod validator;
mod value;
mod wants;
mod wording;
mod xsd;

pub use coded::CodedField;
pub use codes::{Code, CodeTable};
pub use error::LoadError;
pub use outline::{Facets, Form, Outline};
pub use rules::{RuleInfo, RuleSet, RuleTest};
pub use schema::{Mode, Schema};
pub use validator::{Captured, CheckOptions, Enforcement, MOST_FINDINGS, Outcome, Validator, ValidatorBuilder};
pub use value::gb_length;
pub use wording::shortened;
