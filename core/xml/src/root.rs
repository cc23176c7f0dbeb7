//! A cheap look at what a document is.

use crate::{Event, Limits, Reader, XmlError, XmlFault, decode};
use kouan_sdk::business::RootName;

/// How much of a long document is looked at first.
const HEAD: usize = 16 << 10;

/// Namespace and local name of the root element, from the first bytes; nothing behind the root's start tag is judged.
///
/// # Errors
/// What is wrong before or in the root's start tag.
pub fn root_name(bytes: &[u8]) -> Result<RootName, XmlError> {
    let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
    if bytes.len() > HEAD {
        // A cut inside a character or a tag shows as an error here; then the whole is looked at.
        for cut in 0..4 {
            if let Ok(name) = first_start(&bytes[..HEAD - cut], &limits) {
                return Ok(name);
            }
        }
    }
    first_start(bytes, &limits)
}

fn first_start(bytes: &[u8], limits: &Limits) -> Result<RootName, XmlError> {
    let decoded = decode(bytes, limits)?;
    let mut reader = Reader::new(&decoded, limits);
    match reader.next()? {
        Some(Event::Start(start)) => Ok(RootName::new(start.namespace, start.local)),
        _ => Err(decoded.error(XmlFault::Empty, 0)),
    }
}
