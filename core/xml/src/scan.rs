//! The guarded token stream that the reader and the canonicaliser share. Borders of tags and texts, which a message
//! has by the thousand, are found in the text that was decoded once; everything rarer is cut by quick-xml's reader. This
//! adds what both leave to their user — limits, names, namespaces, attributes, document structure.

use crate::attributes::{At, Attributes, RawAttribute, split};
use crate::namespaces::{Namespaces, Resolved};
use crate::{Decoded, Limits, XmlError, XmlFault, name};
use quick_xml::errors::{Error as QuickError, IllFormedError, SyntaxError};
use quick_xml::events::Event as Quick;
use quick_xml::parser::{ElementParser, Parser as _};

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A start tag; name, attributes and namespaces are in the scanner.
    Start,
    /// An end tag, or the end of an empty element.
    End,
    /// Text as written, line ends not normalised.
    Text(&'a str),
    /// Content of a CDATA section as written.
    CData(&'a str),
    /// A resolved reference.
    Char(char),
    /// A comment's content.
    Comment(&'a str),
    /// A processing instruction.
    Pi { target: &'a str, data: &'a str },
    /// The end.
    Eof,
}

/// An open element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open<'a> {
    /// Name as written.
    pub qname: &'a str,
    /// Length of the prefix; 0 = none.
    pub prefix: usize,
    /// Its namespace.
    pub namespace: Resolved,
    /// Declarations in scope before it.
    pub outer: usize,
}

/// See the module.
pub(crate) struct Scanner<'a> {
    pub decoded: &'a Decoded<'a>,
    pub limits: Limits,
    /// Open elements, the current one last.
    pub open: Vec<Open<'a>>,
    /// Prefixes in scope.
    pub namespaces: Namespaces<'a>,
    /// Attributes of the last start tag, declarations excluded.
    pub attributes: Vec<(RawAttribute<'a>, Resolved)>,
    /// Where the last token begins in the text.
    pub offset: usize,
    /// Where it ends.
    pub end: usize,
    text: &'a str,
    nodes: usize,
    closing: Closing,
    root_seen: bool,
}

/// What must happen before the next token is read.
#[derive(PartialEq)]
enum Closing {
    Nothing,
    /// The last tag was empty: report its end.
    Report,
    /// An end was reported: forget the element.
    Forget,
}

impl<'a> Open<'a> {
    pub fn prefix(&self) -> &'a str {
        &self.qname[..self.prefix]
    }

    pub fn local(&self) -> &'a str {
        &self.qname[if self.prefix == 0 { 0 } else { self.prefix + 1 }..]
    }
}

impl<'a> Scanner<'a> {
    pub fn new(decoded: &'a Decoded<'a>, limits: &Limits) -> Self {
        let text = decoded.text();
        Self {
            decoded,
            limits: *limits,
            open: Vec::with_capacity(16),
            namespaces: Namespaces::default(),
            attributes: Vec::new(),
            offset: 0,
            end: 0,
            text,
            nodes: 0,
            closing: Closing::Nothing,
            root_seen: false,
        }
    }

    /// The next token. After an error the scanner must not be used.
    pub fn next(&mut self) -> Result<Token<'a>, XmlError> {
        match std::mem::replace(&mut self.closing, Closing::Nothing) {
            Closing::Report => {
                self.closing = Closing::Forget;
                self.offset = self.end;
                return Ok(Token::End);
            }
            Closing::Forget => {
                if let Some(closed) = self.open.pop() {
                    self.namespaces.truncate(closed.outer);
                }
            }
            Closing::Nothing => {}
        }
        self.read().map_err(|(fault, at)| self.decoded.error(fault, at))
    }

    fn read(&mut self) -> Result<Token<'a>, At> {
        // The mark was taken off; a second one is text, but the tokenizer would pass over it and count all places from there.
        if self.end == 0 && self.text.starts_with('\u{FEFF}') {
            return Err((XmlFault::NotWellFormed("text before the root element".into()), 0));
        }
        loop {
            self.offset = self.end;
            let rest = &self.text.as_bytes()[self.offset..];
            match rest {
                [] => return self.finish(),
                [b'<'] | [b'<', b'!' | b'?', ..] | [b'&', ..] => {
                    if let Some(token) = self.rare()? {
                        return Ok(token);
                    }
                }
                [b'<', second, ..] => {
                    let Some(last) = ElementParser::default().feed(rest) else { return Err(self.unclosed()) };
                    self.end = self.offset + last + 1;
                    return match second {
                        b'/' => self.end_tag(),
                        _ => self.start(rest[last - 1] == b'/'),
                    };
                }
                _ => {
                    self.end = self.offset + memchr::memchr2(b'<', b'&', rest).unwrap_or(rest.len());
                    if let Some(token) = self.text_token()? {
                        return Ok(token);
                    }
                }
            }
        }
    }

    /// What is neither tag nor text: references, CDATA, comments, instructions; `None` for the XML declaration.
    fn rare(&mut self) -> Result<Option<Token<'a>>, At> {
        let mut tokens = quick_xml::Reader::from_str(&self.text[self.offset..]);
        let event = match tokens.read_event() {
            Ok(event) => event,
            Err(error) => return Err(self.explain(&error, tokens.error_position())),
        };
        self.end = self.offset + tokens.buffer_position() as usize;
        match event {
            Quick::CData(_) => self.cdata().map(Some),
            Quick::GeneralRef(_) => self.reference().map(Some),
            Quick::Comment(_) => self.comment().map(Some),
            Quick::PI(_) => self.instruction().map(Some),
            Quick::Decl(_) => self.declaration().map(|()| None),
            Quick::DocType(_) => Err((XmlFault::Doctype, self.offset)),
            // A lone `<` is an error above, and tags and texts do not come here.
            Quick::Start(_) | Quick::Empty(_) | Quick::End(_) | Quick::Text(_) | Quick::Eof => Err(self.unclosed()),
        }
    }

    /// A tag without its `>`.
    fn unclosed(&self) -> At {
        (XmlFault::Truncated, self.offset)
    }

    /// Passes over white space between two tags that is only layout; `has_child`: of the open element. It counts as a
    /// piece of text, but is no token.
    pub fn pass_layout(&mut self, has_child: bool) {
        let depth = match self.closing {
            Closing::Report => return,
            Closing::Forget => self.open.len().saturating_sub(1),
            Closing::Nothing => self.open.len(),
        };
        let rest = &self.text.as_bytes()[self.end..];
        let Some(length) = rest.iter().position(|b| !name::is_space(*b)) else { return };
        let is_layout = match &rest[length..] {
            [b'<', b'!' | b'?', ..] => false,
            [b'<', b'/', ..] => has_child,
            [b'<', ..] => true,
            _ => false,
        };
        if depth > 0 && length > 0 && length <= self.limits.max_text && is_layout {
            self.nodes += 1;
            self.end += length;
        }
    }

    /// Which tag comes right behind the last token; `None` if it is something else, or nothing.
    pub fn tag_ahead(&self) -> Option<Token<'a>> {
        match &self.text.as_bytes()[self.end..] {
            [b'<', b'/', ..] => Some(Token::End),
            [b'<', b'!' | b'?', ..] => None,
            [b'<', _, ..] => Some(Token::Start),
            _ => None,
        }
    }

    fn start(&mut self, empty: bool) -> Result<Token<'a>, At> {
        if self.open.is_empty() && std::mem::replace(&mut self.root_seen, true) {
            return Err((XmlFault::ContentAfterRoot, self.offset));
        }
        if self.open.len() >= self.limits.max_depth {
            return Err((XmlFault::TooDeep(self.limits.max_depth), self.offset));
        }
        self.count()?;
        let inside = &self.text[self.offset + 1..self.end - if empty { 2 } else { 1 }];
        let plain = name::plain(inside);
        let length = match plain {
            Some(length) => length,
            None => inside.bytes().position(name::is_space).unwrap_or(inside.len()),
        };
        let qname = &inside[..length];
        let outer = self.namespaces.len();
        self.attributes.clear();
        if length < inside.len() {
            self.read_attributes(&inside[length..], self.offset + 1 + length)?;
        }
        let prefix = match plain {
            Some(_) if length <= self.limits.max_name => "",
            _ => self.check_name(qname, self.offset + 1)?.0,
        };
        let namespace = self.resolve(prefix, self.offset + 1)?;
        self.open.push(Open { qname, prefix: prefix.len(), namespace, outer });
        self.closing = if empty { Closing::Report } else { Closing::Nothing };
        Ok(Token::Start)
    }

    fn read_attributes(&mut self, inside: &'a str, base: usize) -> Result<(), At> {
        let mut attributes = Attributes::new(inside, base);
        let (mut count, outer) = (0, self.namespaces.len());
        while let Some(attribute) = attributes.next(self.limits.max_text)? {
            count += 1;
            self.count()?;
            if count > self.limits.max_attributes {
                return Err((XmlFault::TooManyAttributes(self.limits.max_attributes), attribute.offset));
            }
            if attribute.name == "xmlns" {
                self.declare("", attribute, outer)?;
            } else if let Some(prefix) = attribute.name.strip_prefix("xmlns:") {
                self.declare(prefix, attribute, outer)?;
            } else {
                self.attributes.push((attribute, Resolved::None));
            }
        }
        self.resolve_attributes()
    }

    fn declare(&mut self, prefix: &'a str, attribute: RawAttribute<'a>, outer: usize) -> Result<(), At> {
        if self.namespaces.all()[outer..].iter().any(|binding| binding.prefix == prefix) {
            return Err((XmlFault::DuplicateAttribute(attribute.name.into()), attribute.offset));
        }
        if prefix.len() > self.limits.max_name {
            return Err((XmlFault::NameTooLong(self.limits.max_name), attribute.offset));
        }
        if self.namespaces.len() >= self.limits.max_namespaces {
            return Err((XmlFault::TooManyNamespaces(self.limits.max_namespaces), attribute.offset));
        }
        self.namespaces.declare(prefix, attribute.value).map_err(|fault| (fault, attribute.offset))
    }

    /// Resolves prefixes once all declarations of the tag are known, and looks for duplicates both ways.
    fn resolve_attributes(&mut self) -> Result<(), At> {
        for index in 0..self.attributes.len() {
            let (name, offset) = (self.attributes[index].0.name, self.attributes[index].0.offset);
            let (prefix, local) = self.check_name(name, offset)?;
            let resolved = if prefix.is_empty() { Resolved::None } else { self.resolve(prefix, offset)? };
            let uri = self.namespaces.uri(resolved);
            let twice = self.attributes[..index].iter().any(|(other, namespace)| {
                other.name == name
                    || (!prefix.is_empty()
                        && other.name.ends_with(local)
                        && split(other.name).is_some_and(|(_, other_local)| other_local == local)
                        && self.namespaces.uri(*namespace) == uri)
            });
            if twice {
                return Err((XmlFault::DuplicateAttribute(name.into()), offset));
            }
            self.attributes[index].1 = resolved;
        }
        Ok(())
    }

    fn check_name(&self, qname: &'a str, offset: usize) -> Result<(&'a str, &'a str), At> {
        if qname.len() > self.limits.max_name {
            return Err((XmlFault::NameTooLong(self.limits.max_name), offset));
        }
        split(qname).ok_or_else(|| (XmlFault::NotWellFormed(format!("`{qname}` is not a name")), offset))
    }

    fn resolve(&self, prefix: &str, offset: usize) -> Result<Resolved, At> {
        self.namespaces.resolve(prefix).ok_or_else(|| (XmlFault::UndeclaredPrefix(prefix.into()), offset))
    }

    fn end_tag(&mut self) -> Result<Token<'a>, At> {
        let found = &self.text[self.offset + 2..self.end - 1];
        let trimmed = || found.trim_end_matches([' ', '\t', '\n', '\r']);
        match self.open.last() {
            Some(open) if open.qname == found || open.qname == trimmed() => {
                self.closing = Closing::Forget;
                Ok(Token::End)
            }
            Some(open) => {
                let (expected, found) = (open.qname.into(), shorten(trimmed()));
                Err((XmlFault::MismatchedEndTag { expected, found }, self.offset))
            }
            None => Err((XmlFault::NotWellFormed("end tag without a start tag".into()), self.offset)),
        }
    }

    fn text_token(&mut self) -> Result<Option<Token<'a>>, At> {
        let text = &self.text[self.offset..self.end];
        if self.open.is_empty() {
            let Some(at) = text.bytes().position(|b| !name::is_space(b)) else { return Ok(None) };
            let fault = if self.root_seen {
                XmlFault::ContentAfterRoot
            } else {
                XmlFault::NotWellFormed("text before the root element".into())
            };
            return Err((fault, self.offset + at));
        }
        self.count()?;
        for at in memchr::memchr_iter(b'>', text.as_bytes()) {
            if text[..at].ends_with("]]") {
                return Err((XmlFault::NotWellFormed("`]]>` in text".into()), self.offset + at - 2));
            }
        }
        Ok(Some(Token::Text(text)))
    }

    fn cdata(&mut self) -> Result<Token<'a>, At> {
        self.inside_only("CDATA section")?;
        self.count()?;
        Ok(Token::CData(&self.text[self.offset + 9..self.end - 3]))
    }

    fn reference(&mut self) -> Result<Token<'a>, At> {
        self.inside_only("reference")?;
        self.count()?;
        let resolved = resolve(&self.text[self.offset + 1..self.end - 1]);
        resolved.map(Token::Char).map_err(|fault| (fault, self.offset))
    }

    fn comment(&mut self) -> Result<Token<'a>, At> {
        self.count()?;
        let comment = &self.text[self.offset + 4..self.end - 3];
        if comment.contains("--") || comment.ends_with('-') {
            return Err((XmlFault::NotWellFormed("`--` in a comment".into()), self.offset));
        }
        Ok(Token::Comment(comment))
    }

    fn instruction(&mut self) -> Result<Token<'a>, At> {
        self.count()?;
        let inside = &self.text[self.offset + 2..self.end - 2];
        let length = inside.bytes().position(name::is_space).unwrap_or(inside.len());
        let (target, data) = inside.split_at(length);
        if target.len() > self.limits.max_name {
            return Err((XmlFault::NameTooLong(self.limits.max_name), self.offset));
        }
        if !name::is_ncname(target) || target.eq_ignore_ascii_case("xml") {
            return Err((XmlFault::NotWellFormed("wrong target of a processing instruction".into()), self.offset));
        }
        Ok(Token::Pi { target, data: data.trim_start_matches([' ', '\t', '\n', '\r']) })
    }

    fn declaration(&mut self) -> Result<(), At> {
        let wrong = |what: &str| Err((XmlFault::NotWellFormed(format!("XML declaration: {what}")), self.offset));
        if self.offset != 0 {
            return wrong("not at the start of the document");
        }
        let mut attributes = Attributes::new(&self.text[5..self.end - 2], 5);
        let mut step = 0;
        while let Some(attribute) = attributes.next(self.limits.max_text)? {
            let (next, good) = match attribute.name {
                "version" => {
                    (1, attribute.value.strip_prefix("1.").is_some_and(|v| v.bytes().all(|b| b.is_ascii_digit())))
                }
                "encoding" if step > 0 => (2, !attribute.value.is_empty()),
                "standalone" if step > 0 => (3, matches!(&*attribute.value, "yes" | "no")),
                _ => (0, false),
            };
            if !good || next <= step {
                return wrong(&format!("`{}` is wrong here", shorten(attribute.name)));
            }
            step = next;
        }
        if step == 0 { wrong("no version") } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<Token<'a>, At> {
        let fault = match (self.open.is_empty(), self.root_seen) {
            (true, true) => return Ok(Token::Eof),
            (false, _) => XmlFault::Truncated,
            (true, false) => XmlFault::Empty,
        };
        Err((fault, self.text.len()))
    }

    fn inside_only(&self, what: &str) -> Result<(), At> {
        if self.open.is_empty() {
            return Err((XmlFault::NotWellFormed(format!("{what} outside the root element")), self.offset));
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), At> {
        self.nodes += 1;
        if self.nodes > self.limits.max_nodes {
            return Err((XmlFault::TooManyNodes(self.limits.max_nodes), self.offset));
        }
        Ok(())
    }

    /// What quick-xml stumbled over, in our terms.
    fn explain(&self, error: &QuickError, position: u64) -> At {
        let at = self.offset + position as usize;
        let rest = &self.text[at.min(self.text.len())..];
        let doctype = rest.as_bytes().get(..9).is_some_and(|head| head.eq_ignore_ascii_case(b"<!DOCTYPE"));
        let fault = match error {
            _ if doctype => XmlFault::Doctype,
            QuickError::Syntax(SyntaxError::InvalidBangMarkup) => {
                let cut = ["<!--", "<![CDATA[", "<!DOCTYPE"].iter().any(|full| full.starts_with(rest));
                if cut { XmlFault::Truncated } else { XmlFault::NotWellFormed("unknown markup after `<!`".into()) }
            }
            QuickError::Syntax(_) => XmlFault::Truncated,
            QuickError::IllFormed(IllFormedError::UnclosedReference)
                if !rest.trim_start_matches('&').contains(['<', '&', ';', ' ']) =>
            {
                XmlFault::Truncated
            }
            QuickError::IllFormed(IllFormedError::UnclosedReference) => {
                XmlFault::NotWellFormed("`&` without `;`".into())
            }
            other => XmlFault::NotWellFormed(other.to_string()),
        };
        (fault, at)
    }
}

/// Resolves what stands between `&` and `;`.
pub(crate) fn resolve(reference: &str) -> Result<char, XmlFault> {
    Ok(match reference {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let Some(number) = reference.strip_prefix('#') else {
                return Err(XmlFault::UnknownEntity(shorten(reference)));
            };
            let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |hex| (hex, 16));
            if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
                return Err(XmlFault::NotWellFormed(format!("`&{};` is no reference", shorten(reference))));
            }
            let code = u32::from_str_radix(digits, radix).unwrap_or(u32::MAX);
            char::from_u32(code).filter(|c| name::is_char(*c)).ok_or(XmlFault::BadCharacter(code))?
        }
    })
}

/// A piece of foreign text for an error message.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
