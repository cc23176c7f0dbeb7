//! XML as it comes from outside: decoding, limits against hostile input, positions in the original bytes, a guarded
//! namespace-aware pull reader, canonical XML.
//!
//! ```
//! use kouan_xml::{Event, Limits, Reader, decode};
//! let limits = Limits::default();
//! let decoded = decode(b"<a xmlns='urn:x'><b>1</b></a>", &limits)?;
//! let mut reader = Reader::new(&decoded, &limits);
//! while let Some(event) = reader.next()? {
//!     if let Event::Text(text) = event {
//!         assert_eq!((text.text, decoded.locate(text.offset).column), ("1", 21));
//!     }
//! }
//! # Ok::<(), kouan_xml::XmlError>(())
//! ```
//!
//! This room must not know any schema, any business, any cryptography.

#![forbid(unsafe_code)]

mod attributes;
pub mod c14n;
mod decode;
mod error;
mod limits;
mod name;
mod namespaces;
mod reader;
mod root;
mod scan;
mod write;

pub use decode::{Decoded, Encoding, Locator, Place, decode};
pub use error::{XmlError, XmlFault};
pub use limits::Limits;
pub use reader::{Attribute, End, Event, Reader, Start, Text};
pub use root::root_name;
pub use write::{escape_attribute, escape_text};

/// The namespace that the prefix `xml` is bound to, always.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
