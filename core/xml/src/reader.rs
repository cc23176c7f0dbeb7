//! The pull reader.

use crate::attributes::split;
use crate::namespaces::Namespaces;
use crate::scan::{Scanner, Token};
use crate::{Decoded, Limits, XmlError, XmlFault, name};

/// One event. Text that is only white space is reported where it is the whole content of an element, and dropped
/// beside child elements. Comments and processing instructions are not reported; text on both sides of one is joined.
#[derive(Debug)]
pub enum Event<'r, 'a> {
    /// A start tag.
    Start(Start<'r, 'a>),
    /// Text: CDATA and references joined, line ends normalised.
    Text(Text<'r>),
    /// An end tag, or the end of an empty element.
    End(End<'r, 'a>),
}

/// A start tag. Offsets and lengths are of the decoded text.
#[derive(Debug, Clone, Copy)]
pub struct Start<'r, 'a> {
    /// Name as written.
    pub name: &'a str,
    /// Prefix; empty for none.
    pub prefix: &'a str,
    /// Local name.
    pub local: &'a str,
    /// Namespace URI; empty for none.
    pub namespace: &'r str,
    /// Where the tag begins (`<`).
    pub offset: usize,
    /// Length of the tag.
    pub length: usize,
    /// Depth; 1 for the root.
    pub depth: usize,
    attributes: &'r [(crate::attributes::RawAttribute<'a>, crate::namespaces::Resolved)],
    namespaces: &'r Namespaces<'a>,
}

/// An attribute; namespace declarations are none.
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'r> {
    /// Name as written.
    pub name: &'r str,
    /// Local name.
    pub local: &'r str,
    /// Namespace URI; empty for none.
    pub namespace: &'r str,
    /// Value, references resolved, white space normalised.
    pub value: &'r str,
    /// Where its name begins.
    pub offset: usize,
    /// Where its value begins.
    pub value_offset: usize,
}

/// Text.
#[derive(Debug, Clone, Copy)]
pub struct Text<'r> {
    /// The text.
    pub text: &'r str,
    /// Where it begins, as written.
    pub offset: usize,
    /// Its length as written.
    pub length: usize,
}

/// An end tag.
#[derive(Debug, Clone, Copy)]
pub struct End<'r, 'a> {
    /// Local name.
    pub local: &'a str,
    /// Namespace URI; empty for none.
    pub namespace: &'r str,
    /// Where the tag begins; for an empty element, where its only tag ends.
    pub offset: usize,
    /// Length of the tag; 0 for an empty element.
    pub length: usize,
    /// Depth; 1 for the root.
    pub depth: usize,
}

/// A guarded, namespace-aware pull reader over a decoded document.
///
/// Guards: [`Limits`], no DOCTYPE, only the five entities, no duplicate attribute (also by two prefixes), no undeclared
/// prefix, matching end tags, one root and nothing after it.
pub struct Reader<'a> {
    scanner: Scanner<'a>,
    /// A token read while looking for the end of a text.
    ahead: Option<Token<'a>>,
    joined: String,
    /// Whether the innermost open element has had a child element.
    has_child: bool,
    failed: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the start.
    pub fn new(decoded: &'a Decoded<'a>, limits: &Limits) -> Self {
        let scanner = Scanner::new(decoded, limits);
        Self { scanner, ahead: None, joined: String::new(), has_child: false, failed: false }
    }

    /// The next event; `None` after the root element has ended and everything behind it was looked at.
    ///
    /// # Errors
    /// The first thing wrong. After an error there is nothing more to read: `None`.
    #[allow(clippy::should_implement_trait)] // events borrow from the reader
    pub fn next(&mut self) -> Result<Option<Event<'_, 'a>>, XmlError> {
        if self.failed {
            return Ok(None);
        }
        self.failed = true;
        let event = self.step()?;
        self.failed = false;
        Ok(match event {
            Step::Start => Some(Event::Start(self.start())),
            Step::End => Some(Event::End(self.end())),
            Step::Whole { text, offset } => Some(Event::Text(Text { text, offset, length: text.len() })),
            Step::Joined { offset, length } => Some(Event::Text(Text { text: &self.joined, offset, length })),
            Step::Eof => None,
        })
    }

    fn step(&mut self) -> Result<Step<'a>, XmlError> {
        loop {
            let token = match self.ahead.take() {
                Some(token) => token,
                None => {
                    self.scanner.pass_layout(self.has_child);
                    self.scanner.next()?
                }
            };
            match token {
                Token::Start => {
                    self.has_child = false;
                    return Ok(Step::Start);
                }
                Token::End => {
                    self.has_child = true;
                    return Ok(Step::End);
                }
                Token::Eof => return Ok(Step::Eof),
                Token::Comment(_) | Token::Pi { .. } => {}
                Token::Text(_) | Token::CData(_) | Token::Char(_) => {
                    if let Some(step) = self.text(token)? {
                        return Ok(step);
                    }
                }
            }
        }
    }

    /// Gathers text up to the next tag. `None` if it is only layout.
    fn text(&mut self, first: Token<'a>) -> Result<Option<Step<'a>>, XmlError> {
        let offset = self.scanner.offset;
        // Nearly every text stands whole between two tags.
        if let (Token::Text(text), Some(tag)) = (first, self.scanner.tag_ahead())
            && memchr::memchr(b'\r', text.as_bytes()).is_none()
        {
            self.check_length(text.len(), offset)?;
            let layout = (tag == Token::Start || self.has_child) && name::is_blank(text);
            return Ok((!layout).then_some(Step::Whole { text, offset }));
        }
        let mut end = self.scanner.end;
        self.joined.clear();
        self.join(first, offset)?;
        let mut token = self.scanner.next()?;
        while !matches!(token, Token::Start | Token::End | Token::Eof) {
            end = self.scanner.end;
            self.join(token, offset)?;
            token = self.scanner.next()?;
        }
        self.ahead = Some(token);
        let layout = (token == Token::Start || self.has_child) && name::is_blank(&self.joined);
        Ok((!layout).then_some(Step::Joined { offset, length: end - offset }))
    }

    fn join(&mut self, token: Token<'_>, offset: usize) -> Result<(), XmlError> {
        match token {
            Token::Text(text) | Token::CData(text) => push_normalised(&mut self.joined, text),
            Token::Char(c) => self.joined.push(c),
            _ => {}
        }
        self.check_length(self.joined.len(), offset)
    }

    fn check_length(&self, length: usize, offset: usize) -> Result<(), XmlError> {
        let limit = self.scanner.limits.max_text;
        if length > limit {
            return Err(self.scanner.decoded.error(XmlFault::TextTooLong(limit), offset));
        }
        Ok(())
    }

    fn start(&self) -> Start<'_, 'a> {
        let scanner = &self.scanner;
        let (name, prefix, local, namespace) = match scanner.open.last() {
            Some(open) => (open.qname, open.prefix(), open.local(), scanner.namespaces.uri(open.namespace)),
            None => ("", "", "", ""),
        };
        Start {
            name,
            prefix,
            local,
            namespace,
            offset: scanner.offset,
            length: scanner.end - scanner.offset,
            depth: scanner.open.len(),
            attributes: &scanner.attributes,
            namespaces: &scanner.namespaces,
        }
    }

    fn end(&self) -> End<'_, 'a> {
        let scanner = &self.scanner;
        let (local, namespace) =
            scanner.open.last().map_or(("", ""), |open| (open.local(), scanner.namespaces.uri(open.namespace)));
        let (offset, length) = (scanner.offset, scanner.end - scanner.offset);
        End { local, namespace, offset, length, depth: scanner.open.len() }
    }
}

/// An event before it borrows from the reader.
enum Step<'a> {
    Start,
    End,
    Whole { text: &'a str, offset: usize },
    Joined { offset: usize, length: usize },
    Eof,
}

impl<'r> Start<'r, '_> {
    /// Attributes in document order, without namespace declarations.
    pub fn attributes(&self) -> impl ExactSizeIterator<Item = Attribute<'r>> + use<'r> {
        let namespaces = self.namespaces;
        self.attributes.iter().map(move |(raw, namespace)| Attribute {
            name: raw.name,
            local: split(raw.name).map_or(raw.name, |(_, local)| local),
            namespace: namespaces.uri(*namespace),
            value: &raw.value,
            offset: raw.offset,
            value_offset: raw.value_offset,
        })
    }

    /// Value of the attribute `local` in no namespace.
    pub fn attribute(&self, local: &str) -> Option<&'r str> {
        self.attributes().find(|a| a.local == local && a.namespace.is_empty()).map(|a| a.value)
    }

    /// The namespace that `prefix` (empty: the default) is bound to here; for prefixes inside values.
    pub fn namespace_of(&self, prefix: &str) -> Option<&'r str> {
        self.namespaces.resolve(prefix).map(|resolved| self.namespaces.uri(resolved))
    }
}

/// Appends `text` with CR LF and CR turned into LF (XML 1.0 §2.11).
pub(crate) fn push_normalised(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\r', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        out.push('\n');
        rest = &rest[at + 1..];
        rest = rest.strip_prefix('\n').unwrap_or(rest);
    }
    out.push_str(rest);
}
