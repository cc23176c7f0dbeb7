//! Canonical XML 1.0, inclusive (`http://www.w3.org/TR/2001/REC-xml-c14n-20010315`), streaming.

use crate::attributes::{RawAttribute, split};
use crate::namespaces::Resolved;
use crate::scan::{Scanner, Token};
use crate::write::{attribute_entity, text_entity};
use crate::{Decoded, Limits, XML_NAMESPACE, XmlError, XmlFault};

/// What of a document is canonicalised. An element is named by the offset of its start tag in the decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The whole document.
    Document,
    /// The document without one element and what is in it; the text behind it stays. This is the enveloped-signature
    /// transform, given the Signature element.
    Without(usize),
    /// One element with its content, in the context of the document: inherited namespaces and `xml:` attributes are
    /// rendered on it. This is how SignedInfo is signed.
    Element(usize),
}

/// Whether comments are kept (`…#WithComments`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// Kept.
    Keep,
    /// Dropped.
    Drop,
}

/// Writes the canonical form of `part` to `sink`, in pieces of some kilobytes.
///
/// # Errors
/// Whatever the reader would refuse, a relative namespace URI, no element at the given offset. What the sink has
/// got by then is worthless.
pub fn write(
    decoded: &Decoded<'_>,
    limits: &Limits,
    part: Part,
    comments: Comments,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), XmlError> {
    let mut out = Out { buffer: Vec::with_capacity(BUFFER), sink };
    let mut run = Run {
        scanner: Scanner::new(decoded, limits),
        state: if matches!(part, Part::Element(_)) { State::Seeking } else { State::Writing },
        part,
        comments,
        inherited: Vec::new(),
        order: Vec::new(),
        apex: None,
        found: false,
        root_done: false,
    };
    while run.step(&mut out)? {}
    if let Part::Without(offset) | Part::Element(offset) = part
        && !run.found
    {
        return Err(decoded.error(XmlFault::NotWellFormed("no element begins here".into()), offset));
    }
    out.flush();
    Ok(())
}

/// The canonical form of `part`, without comments. See [`write()`].
pub fn to_vec(decoded: &Decoded<'_>, limits: &Limits, part: Part) -> Result<Vec<u8>, XmlError> {
    let mut bytes = Vec::new();
    write(decoded, limits, part, Comments::Drop, &mut |piece| bytes.extend_from_slice(piece))?;
    Ok(bytes)
}

const BUFFER: usize = 16 << 10;

struct Out<'s> {
    buffer: Vec<u8>,
    sink: &'s mut dyn FnMut(&[u8]),
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before the wanted element.
    Seeking,
    Writing,
    /// Inside the element left out, which is this deep.
    Skipping(usize),
}

struct Run<'a> {
    scanner: Scanner<'a>,
    state: State,
    part: Part,
    comments: Comments,
    /// `xml:` attributes of ancestors of the wanted element, with their depth.
    inherited: Vec<(usize, RawAttribute<'a>)>,
    /// Scratch: indices to be sorted.
    order: Vec<usize>,
    /// Depth of the wanted element once it is met.
    apex: Option<usize>,
    found: bool,
    root_done: bool,
}

impl<'a> Run<'a> {
    /// One token; false at the end.
    fn step(&mut self, out: &mut Out<'_>) -> Result<bool, XmlError> {
        let token = self.scanner.next()?;
        let depth = self.scanner.open.len();
        match (self.state, token) {
            (_, Token::Eof) => return Ok(false),
            (State::Seeking, Token::Start) if self.is_wanted() => {
                (self.found, self.state, self.apex) = (true, State::Writing, Some(depth));
                self.start_apex(out)?;
            }
            (State::Seeking, Token::Start) => self.inherit(depth),
            (State::Seeking, Token::End) => self.inherited.retain(|(of, _)| *of < depth),
            (State::Seeking, _) => {}
            (State::Writing, Token::Start) if self.is_wanted() => {
                (self.found, self.state) = (true, State::Skipping(depth));
            }
            (State::Skipping(of), Token::End) if of == depth => {
                self.state = State::Writing;
                self.root_done |= depth == 1;
            }
            (State::Skipping(_), _) => {}
            (State::Writing, token) => return self.write(token, depth, out),
        }
        Ok(true)
    }

    /// Whether the start tag just read is the one that the part names, for the first time.
    fn is_wanted(&self) -> bool {
        let (Part::Without(offset) | Part::Element(offset)) = self.part else { return false };
        !self.found && offset == self.scanner.offset
    }

    fn write(&mut self, token: Token<'a>, depth: usize, out: &mut Out<'_>) -> Result<bool, XmlError> {
        match token {
            Token::Start => self.start(out)?,
            Token::End => {
                let name = self.scanner.open.last().map_or("", |open| open.qname);
                out.all(&["</", name, ">"]);
                self.root_done |= depth == 1;
                return Ok(self.apex != Some(depth));
            }
            Token::Text(text) => out.text(text),
            Token::CData(text) => out.text(text),
            Token::Char(c) => out.character(c),
            Token::Comment(_) if self.comments == Comments::Drop => {}
            Token::Comment(text) => self.beside_root(depth, out, &|out| {
                out.push("<!--");
                out.lines(text, Out::push);
                out.push("-->");
            }),
            Token::Pi { target, data } => self.beside_root(depth, out, &|out| {
                out.all(&["<?", target, if data.is_empty() { "" } else { " " }]);
                out.lines(data, Out::push);
                out.push("?>");
            }),
            Token::Eof => return Ok(false),
        }
        Ok(true)
    }

    /// Comments and instructions outside the root stand on lines of their own.
    fn beside_root(&self, depth: usize, out: &mut Out<'_>, write: &dyn Fn(&mut Out<'_>)) {
        let outside = depth == 0;
        if outside && self.root_done {
            out.push("\n");
        }
        write(out);
        if outside && !self.root_done {
            out.push("\n");
        }
    }

    /// Remembers `xml:` attributes of an ancestor.
    fn inherit(&mut self, depth: usize) {
        for (attribute, namespace) in &self.scanner.attributes {
            if *namespace == Resolved::Xml {
                self.inherited.push((depth, attribute.clone()));
            }
        }
    }

    /// A start tag with those declarations that say something new.
    fn start(&mut self, out: &mut Out<'_>) -> Result<(), XmlError> {
        let Some(open) = self.scanner.open.last().copied() else { return Ok(()) };
        self.refuse_relative(open.outer)?;
        out.all(&["<", open.qname]);
        let bindings = self.scanner.namespaces.all();
        let (before, own) = bindings.split_at(open.outer);
        let known = |prefix: &str| before.iter().rev().find(|binding| binding.prefix == prefix).map_or("", |b| &*b.uri);
        self.order.clear();
        for (index, binding) in own.iter().enumerate() {
            if known(binding.prefix) != binding.uri {
                self.order.push(open.outer + index);
            }
        }
        self.declarations(out);
        self.attributes(&[], out);
        out.push(">");
        Ok(())
    }

    /// The wanted element's own start tag: everything in scope is rendered on it.
    fn start_apex(&mut self, out: &mut Out<'_>) -> Result<(), XmlError> {
        let Some(open) = self.scanner.open.last().copied() else { return Ok(()) };
        self.refuse_relative(0)?;
        out.all(&["<", open.qname]);
        let bindings = self.scanner.namespaces.all();
        self.order.clear();
        for (index, binding) in bindings.iter().enumerate() {
            let hidden = bindings[index + 1..].iter().any(|later| later.prefix == binding.prefix);
            if !hidden && !binding.uri.is_empty() {
                self.order.push(index);
            }
        }
        self.declarations(out);
        let inherited = self.nearest_inherited();
        self.attributes(&inherited, out);
        out.push(">");
        Ok(())
    }

    /// The declarations in `order`, sorted by prefix.
    fn declarations(&mut self, out: &mut Out<'_>) {
        let bindings = self.scanner.namespaces.all();
        self.order.sort_unstable_by_key(|&index| bindings[index].prefix);
        for &index in &self.order {
            out.namespace(bindings[index].prefix, &bindings[index].uri);
        }
    }

    /// Of each inherited `xml:` attribute the nearest, unless the element has it itself.
    fn nearest_inherited(&self) -> Vec<RawAttribute<'a>> {
        let own = |name: &str| self.scanner.attributes.iter().any(|(attribute, _)| attribute.name == name);
        let mut nearest: Vec<RawAttribute<'a>> = Vec::new();
        for (_, attribute) in self.inherited.iter().rev() {
            if !own(attribute.name) && !nearest.iter().any(|known| known.name == attribute.name) {
                nearest.push(attribute.clone());
            }
        }
        nearest
    }

    /// Attributes sorted by namespace URI, then local name.
    fn attributes(&mut self, inherited: &[RawAttribute<'a>], out: &mut Out<'_>) {
        let own = &self.scanner.attributes;
        if own.is_empty() && inherited.is_empty() {
            return;
        }
        let namespaces = &self.scanner.namespaces;
        let pick = |index: usize| match own.get(index) {
            Some((attribute, namespace)) => (attribute, namespaces.uri(*namespace)),
            None => (&inherited[index - own.len()], XML_NAMESPACE),
        };
        self.order.clear();
        self.order.extend(0..own.len() + inherited.len());
        self.order.sort_unstable_by_key(|&index| {
            let (attribute, uri) = pick(index);
            (uri, split(attribute.name).map_or(attribute.name, |(_, local)| local))
        });
        for &index in &self.order {
            let (attribute, _) = pick(index);
            out.attribute(attribute.name, &attribute.value);
        }
    }

    fn refuse_relative(&self, from: usize) -> Result<(), XmlError> {
        match self.scanner.namespaces.all()[from..].iter().find(|binding| is_relative(&binding.uri)) {
            None => Ok(()),
            Some(binding) => {
                let fault = XmlFault::RelativeNamespace(binding.uri.clone().into_owned());
                Err(self.scanner.decoded.error(fault, self.scanner.offset))
            }
        }
    }
}

/// Whether a non-empty URI has no scheme.
fn is_relative(uri: &str) -> bool {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let mut bytes = scheme.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    !uri.is_empty() && !good
}

impl Out<'_> {
    fn push(&mut self, text: &str) {
        if self.buffer.len() + text.len() > BUFFER {
            self.flush();
        }
        if text.len() > BUFFER {
            (self.sink)(text.as_bytes());
        } else {
            self.buffer.extend_from_slice(text.as_bytes());
        }
    }

    fn flush(&mut self) {
        if !self.buffer.is_empty() {
            (self.sink)(&self.buffer);
            self.buffer.clear();
        }
    }

    fn all(&mut self, pieces: &[&str]) {
        for piece in pieces {
            self.push(piece);
        }
    }

    fn namespace(&mut self, prefix: &str, uri: &str) {
        self.all(&[" xmlns", if prefix.is_empty() { "" } else { ":" }, prefix, "=\""]);
        self.escaped(uri, attribute_entity);
        self.push("\"");
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.all(&[" ", name, "=\""]);
        self.escaped(value, attribute_entity);
        self.push("\"");
    }

    /// Text as written in the document: line ends are normalised before anything is escaped.
    fn text(&mut self, text: &str) {
        self.lines(text, |out, line| out.escaped(line, text_entity));
    }

    fn lines(&mut self, text: &str, write: impl Fn(&mut Self, &str)) {
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'\r', rest.as_bytes()) {
            write(self, &rest[..at]);
            self.push("\n");
            rest = &rest[at + 1..];
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
        write(self, rest);
    }

    fn character(&mut self, c: char) {
        self.escaped(c.encode_utf8(&mut [0; 4]), text_entity);
    }

    fn escaped(&mut self, text: &str, entity: fn(u8) -> Option<&'static str>) {
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            if let Some(escaped) = entity(byte) {
                self.push(&text[from..at]);
                self.push(escaped);
                from = at + 1;
            }
        }
        self.push(&text[from..]);
    }
}
