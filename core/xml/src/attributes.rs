//! The inside of a start tag.

use crate::name::{self, is_space};
use crate::{XmlFault, scan};
use std::borrow::Cow;

/// An attribute as written, before its prefix is resolved.
#[derive(Debug, Clone)]
pub(crate) struct RawAttribute<'a> {
    /// Name with prefix.
    pub name: &'a str,
    /// Value, references resolved and white space normalised.
    pub value: Cow<'a, str>,
    /// Offset of the name in the text.
    pub offset: usize,
    /// Offset of the raw value in the text.
    pub value_offset: usize,
}

/// Reads attributes one by one from the inside of a tag (between the element's name and `>` or `/>`).
pub(crate) struct Attributes<'a> {
    inside: &'a str,
    at: usize,
    base: usize,
}

/// A fault, and where in the text.
pub(crate) type At = (XmlFault, usize);

impl<'a> Attributes<'a> {
    /// `base` is the offset of `inside` in the text.
    pub fn new(inside: &'a str, base: usize) -> Self {
        Self { inside, at: 0, base }
    }

    /// The next attribute; `None` at the end of the tag.
    pub fn next(&mut self, max_text: usize) -> Result<Option<RawAttribute<'a>>, At> {
        let spaced = self.skip_space();
        if self.at == self.inside.len() {
            return Ok(None);
        }
        if !spaced {
            return Err(self.fault("white space is missing before an attribute"));
        }
        let start = self.at;
        let name = self.take_while(|b| b != b'=' && !is_space(b));
        self.skip_space();
        if !self.eat(b'=') {
            return Err(self.fault("`=` is missing after an attribute's name"));
        }
        self.skip_space();
        let quote = match self.inside.as_bytes().get(self.at) {
            Some(&quote @ (b'"' | b'\'')) => quote,
            _ => return Err(self.fault("an attribute's value is not quoted")),
        };
        self.at += 1;
        let value_start = self.at;
        let raw = self.take_while(|b| b != quote);
        if !self.eat(quote) {
            return Err(self.fault("an attribute's value is not closed"));
        }
        let value_offset = self.base + value_start;
        if raw.len() > max_text {
            return Err((XmlFault::TextTooLong(max_text), value_offset));
        }
        Ok(Some(RawAttribute { name, value: normalise(raw, value_offset)?, offset: self.base + start, value_offset }))
    }

    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.inside[self.at..];
        let length = rest.bytes().position(|b| !keep(b)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn skip_space(&mut self) -> bool {
        !self.take_while(is_space).is_empty()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.inside.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn fault(&self, what: &str) -> At {
        (XmlFault::NotWellFormed(what.into()), self.base + self.at)
    }
}

/// Attribute-value normalisation of XML 1.0 §3.3.3 for CDATA attributes (there is no DTD to say otherwise).
fn normalise(raw: &str, offset: usize) -> Result<Cow<'_, str>, At> {
    let special = |b: u8| matches!(b, b'&' | b'<' | b'\t' | b'\n' | b'\r');
    let Some(first) = raw.bytes().position(special) else { return Ok(Cow::Borrowed(raw)) };
    let mut value = String::with_capacity(raw.len());
    value.push_str(&raw[..first]);
    let mut at = first;
    while let Some(byte) = raw.as_bytes().get(at) {
        let length = match byte {
            b'<' => return Err((XmlFault::NotWellFormed("`<` in an attribute's value".into()), offset + at)),
            b'&' => {
                let end = memchr::memchr(b';', &raw.as_bytes()[at..])
                    .ok_or_else(|| (XmlFault::NotWellFormed("`&` without `;`".into()), offset + at))?;
                value.push(scan::resolve(&raw[at + 1..at + end]).map_err(|fault| (fault, offset + at))?);
                end + 1
            }
            _ => {
                value.push(' ');
                if raw[at..].starts_with("\r\n") { 2 } else { 1 }
            }
        };
        at += length;
        let run = raw[at..].bytes().position(special).unwrap_or(raw.len() - at);
        value.push_str(&raw[at..at + run]);
        at += run;
    }
    Ok(Cow::Owned(value))
}

/// Splits a name at its colon: prefix (may be empty) and local name.
pub(crate) fn split(qname: &str) -> Option<(&str, &str)> {
    match memchr::memchr(b':', qname.as_bytes()) {
        None => name::is_ncname(qname).then_some(("", qname)),
        Some(at) => {
            let (prefix, local) = (&qname[..at], &qname[at + 1..]);
            (name::is_ncname(prefix) && name::is_ncname(local)).then_some((prefix, local))
        }
    }
}
