//! From bytes to text, and from a place in the text back to the bytes.

use crate::{Limits, XmlError, XmlFault, name};
use std::borrow::Cow;

/// The encodings that are read. GBK and GB2312 are subsets of GB18030 and are read as it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// UTF-8, also US-ASCII.
    Utf8,
    /// GB18030, GBK, GB2312.
    Gb18030,
    /// UTF-16 little endian, with byte order mark.
    Utf16Le,
    /// UTF-16 big endian, with byte order mark.
    Utf16Be,
}

/// A place in the original bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Byte offset in the original bytes.
    pub offset: u64,
}

/// A decoded document: its text (borrowed where the bytes are UTF-8) beside its untouched bytes.
///
/// All characters of the text are allowed in XML 1.0. Offsets in the text are turned into places by [`Decoded::locate`].
#[derive(Debug, Clone)]
pub struct Decoded<'b> {
    text: Cow<'b, str>,
    original: &'b [u8],
    encoding: Encoding,
    bom: usize,
}

/// Decodes a document: byte order mark, else the encoding that its declaration names, else UTF-8.
///
/// # Errors
/// Too big, an encoding that is not read, a declaration that contradicts the bytes, bytes that are no character
/// (never replaced), characters that XML does not allow.
pub fn decode<'b>(bytes: &'b [u8], limits: &Limits) -> Result<Decoded<'b>, XmlError> {
    if bytes.len() > limits.max_bytes {
        let place = Place { line: 0, column: 0, offset: limits.max_bytes as u64 };
        return Err(XmlError { fault: XmlFault::TooBig { got: bytes.len(), limit: limits.max_bytes }, place });
    }
    let (encoding, bom) = detect(bytes)?;
    let decoded = decode_as(bytes, encoding, bom)?;
    refuse_bad_characters(&decoded)?;
    Ok(decoded)
}

impl<'b> Decoded<'b> {
    /// The text, without byte order mark.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes as they came.
    pub fn original(&self) -> &'b [u8] {
        self.original
    }

    /// How they were read.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Offset in the original bytes of `offset` in the text. Costs a second decoding up to there unless it is UTF-8.
    pub fn original_offset(&self, offset: usize) -> u64 {
        let offset = offset.min(self.text.len());
        let read = match self.encoding {
            Encoding::Utf8 => offset,
            other => bytes_for(&self.original[self.bom..], other, offset),
        };
        (self.bom + read) as u64
    }

    /// Line, column and original offset of `offset` in the text.
    pub fn locate(&self, offset: usize) -> Place {
        self.locator().locate(offset)
    }

    /// For locating many places in rising order in one pass.
    pub fn locator(&self) -> Locator<'_> {
        Locator { decoded: self, at: 0, line: 1, passed: 0, read: 0 }
    }

    /// An error at `offset` in the text.
    pub fn error(&self, fault: XmlFault, offset: usize) -> XmlError {
        XmlError { fault, place: self.locate(offset) }
    }
}

/// Finds places; as long as offsets rise, all of them together cost one pass, on one long line and in any encoding.
#[derive(Debug, Clone)]
pub struct Locator<'d> {
    decoded: &'d Decoded<'d>,
    at: usize,
    line: u32,
    /// Characters between the beginning of the line and `at`.
    passed: usize,
    /// Original bytes behind the mark that make the text up to `at`.
    read: usize,
}

impl Locator<'_> {
    /// Line, column and original offset of `offset` in the text.
    pub fn locate(&mut self, offset: usize) -> Place {
        let text = self.decoded.text();
        let offset = floor_char(text, offset);
        if offset < self.at {
            *self = self.decoded.locator();
        }
        let between = &text[self.at..offset];
        self.line += memchr::memchr_iter(b'\n', between.as_bytes()).count() as u32;
        match memchr::memrchr(b'\n', between.as_bytes()) {
            Some(last) => self.passed = between[last + 1..].chars().count(),
            None => self.passed += between.chars().count(),
        }
        self.read += match self.decoded.encoding {
            Encoding::Utf8 => between.len(),
            // Both ends are ends of characters, and a character needs nothing of the one before.
            other => bytes_for(&self.decoded.original[self.decoded.bom + self.read..], other, between.len()),
        };
        self.at = offset;
        Place { line: self.line, column: self.passed as u32 + 1, offset: (self.decoded.bom + self.read) as u64 }
    }
}

impl Encoding {
    /// Its name, as a declaration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Gb18030 => "GB18030",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
        }
    }

    fn decoder(self) -> encoding_rs::Decoder {
        match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
        }
        .new_decoder_without_bom_handling()
    }

    fn named(name: &str) -> Option<Self> {
        let is = |known: &[&str]| known.iter().any(|k| k.eq_ignore_ascii_case(name));
        if is(&["UTF-8", "UTF8", "US-ASCII", "ASCII"]) {
            Some(Self::Utf8)
        } else if is(&["GB18030", "GBK", "GB2312", "GB_2312-80", "CP936", "MS936", "WINDOWS-936"]) {
            Some(Self::Gb18030)
        } else if is(&["UTF-16LE"]) {
            Some(Self::Utf16Le)
        } else if is(&["UTF-16BE"]) {
            Some(Self::Utf16Be)
        } else {
            None
        }
    }
}

/// The encoding, and how long its byte order mark is.
fn detect(bytes: &[u8]) -> Result<(Encoding, usize), XmlError> {
    let at_start = |fault| XmlError { fault, place: Place { line: 1, column: 1, offset: 0 } };
    let unknown = |name: &str| Err(at_start(XmlFault::EncodingUnknown(name.into())));
    let (mark, bom) = match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => return unknown("UTF-32"),
        [b'<', 0, ..] | [0, b'<', ..] => return unknown("UTF-16 without byte order mark"),
        [0xEF, 0xBB, 0xBF, ..] => (Some(Encoding::Utf8), 3),
        [0xFF, 0xFE, ..] => (Some(Encoding::Utf16Le), 2),
        [0xFE, 0xFF, ..] => (Some(Encoding::Utf16Be), 2),
        _ => (None, 0),
    };
    let head = match mark {
        Some(mark @ (Encoding::Utf16Le | Encoding::Utf16Be)) => narrow(&bytes[bom..], mark),
        _ => Cow::Borrowed(&bytes[bom..]),
    };
    let Some(declared) = declared_encoding(&head) else { return Ok((mark.unwrap_or(Encoding::Utf8), bom)) };
    let conflict = |found| Err(at_start(XmlFault::EncodingConflict { declared: declared.into(), found }));
    if declared.eq_ignore_ascii_case("UTF-16") {
        return match mark {
            Some(mark @ (Encoding::Utf16Le | Encoding::Utf16Be)) => Ok((mark, bom)),
            Some(other) => conflict(other.name()),
            None => conflict("not UTF-16"),
        };
    }
    match (Encoding::named(declared), mark) {
        (None, _) => unknown(declared),
        (Some(named), Some(mark)) if named != mark => conflict(mark.name()),
        (Some(Encoding::Utf16Le | Encoding::Utf16Be), None) => conflict("not UTF-16"),
        (Some(named), _) => Ok((named, bom)),
    }
}

/// What the XML declaration at the start says after `encoding`. The declaration itself is judged later, by the scanner.
fn declared_encoding(bytes: &[u8]) -> Option<&str> {
    let head = &bytes[..bytes.len().min(1024)];
    let declaration = head.strip_prefix(b"<?xml")?;
    let end = memchr::memmem::find(declaration, b"?>")?;
    let declaration = std::str::from_utf8(&declaration[..end]).ok()?;
    let (before, after) = declaration.split_once("encoding")?;
    if !before.ends_with(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    let value = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name)
}

/// The ASCII of the first UTF-16 units, enough to read a declaration.
fn narrow(bytes: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    let pick = usize::from(encoding == Encoding::Utf16Be);
    bytes.chunks_exact(2).take(1024).map(|unit| if unit[1 - pick] == 0 { unit[pick] } else { b'?' }).collect()
}

fn decode_as(bytes: &[u8], encoding: Encoding, bom: usize) -> Result<Decoded<'_>, XmlError> {
    let body = &bytes[bom..];
    if encoding == Encoding::Utf8 {
        return match std::str::from_utf8(body) {
            Ok(text) => Ok(Decoded { text: Cow::Borrowed(text), original: bytes, encoding, bom }),
            Err(error) => {
                let good = String::from_utf8_lossy(&body[..error.valid_up_to()]).into_owned();
                let bad = (error.valid_up_to(), error.error_len().is_none());
                Err(bad_bytes(Decoded { text: Cow::Owned(good), original: bytes, encoding, bom }, bad))
            }
        };
    }
    let mut decoder = encoding.decoder();
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length_without_replacement(body.len()).unwrap_or(0));
    let (result, read) = decoder.decode_to_string_without_replacement(body, &mut text, true);
    text.shrink_to(text.len() + text.len() / 4);
    let decoded = Decoded { text: Cow::Owned(text), original: bytes, encoding, bom };
    match result {
        encoding_rs::DecoderResult::InputEmpty => Ok(decoded),
        encoding_rs::DecoderResult::OutputFull => Err(bad_bytes(decoded, (read, false))),
        encoding_rs::DecoderResult::Malformed(length, after) => {
            let from = read.saturating_sub(usize::from(length) + usize::from(after));
            // A lead byte at the very end is a cut character, not a wrong one.
            let cut = read == body.len()
                && after == 0
                && usize::from(length) < 4
                && body[from..].len() == usize::from(length);
            Err(bad_bytes(decoded, (from, cut && body.last().is_some_and(|b| *b >= 0x80 || length > 1))))
        }
    }
}

/// The error for undecodable bytes at `offset` after the mark; `good` is what stands before them.
fn bad_bytes(good: Decoded<'_>, (offset, cut): (usize, bool)) -> XmlError {
    let mut place = good.locate(good.text().len());
    place.offset = (good.bom + offset) as u64;
    let byte = good.original.get(good.bom + offset).copied().unwrap_or_default();
    let bad = XmlFault::EncodingBadBytes { encoding: good.encoding.name(), byte };
    XmlError { fault: if cut { XmlFault::Truncated } else { bad }, place }
}

fn refuse_bad_characters(decoded: &Decoded<'_>) -> Result<(), XmlError> {
    let bytes = decoded.text().as_bytes();
    // Eight lanes of "is a control" per step; the compiler turns this into vector code.
    let control = |b: u8| (b < 0x20) & (b != b'\t') & (b != b'\n') & (b != b'\r');
    let found = bytes
        .chunks(256)
        .position(|chunk| chunk.iter().fold(false, |any, &b| any | control(b)))
        .and_then(|chunk| bytes[chunk * 256..].iter().position(|&b| control(b)).map(|at| chunk * 256 + at));
    let non_characters = ["\u{FFFE}", "\u{FFFF}"];
    let other = non_characters.iter().filter_map(|c| memchr::memmem::find(bytes, c.as_bytes())).min();
    let Some(at) = found.into_iter().chain(other).min() else { return Ok(()) };
    let code = decoded.text()[at..].chars().next().map_or(0, u32::from);
    debug_assert!(char::from_u32(code).is_some_and(|c| !name::is_char(c)));
    Err(decoded.error(XmlFault::BadCharacter(code), at))
}

/// How many bytes of `bytes` decode to the first `target` bytes of the text.
fn bytes_for(bytes: &[u8], encoding: Encoding, target: usize) -> usize {
    let mut decoder = encoding.decoder();
    let mut out = vec![0u8; target.min(64 << 10) + 64];
    let (mut read, mut written) = (0, 0);
    while written < target && read < bytes.len() {
        // A byte makes at most three bytes of UTF-8, or ends a character begun before: this never overshoots.
        let step = ((target - written) / 4).clamp(1, 16 << 10).min(bytes.len() - read);
        let (_, n, m) = decoder.decode_to_utf8_without_replacement(&bytes[read..read + step], &mut out, false);
        if n == 0 && m == 0 {
            break;
        }
        read += n;
        written += m;
    }
    read
}

/// The nearest character boundary at or before `offset`.
fn floor_char(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
