//! Whether a file is whole at its end (完整性), without reading all of it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// How much is read at the head (to the root's start tag) and at the tail of an XML document.
const XML_WINDOW: u64 = 4096;

/// A zip's end record: 22 bytes, and a comment of up to 65 535.
const ZIP_END: usize = 22;

/// Whether the file of `length` bytes ends as a file of its kind does. Kinds that are not known count as whole.
pub(crate) fn is_whole(file: &mut File, length: u64, extension: &str) -> io::Result<bool> {
    if length == 0 {
        return Ok(false);
    }
    if extension.eq_ignore_ascii_case("xml") {
        let head = part(file, 0, XML_WINDOW.min(length))?;
        let tail = part(file, length.saturating_sub(XML_WINDOW), XML_WINDOW.min(length))?;
        return Ok(xml_is_whole(&head, &tail, length <= XML_WINDOW));
    }
    if extension.eq_ignore_ascii_case("zip") {
        let window = length.min(ZIP_END as u64 + 65_535);
        return Ok(zip_is_whole(&part(file, length - window, window)?, length));
    }
    Ok(true)
}

fn part(file: &mut File, from: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last tag closes the root. `one_piece`: head and tail are the same bytes.
fn xml_is_whole(head: &[u8], tail: &[u8], one_piece: bool) -> bool {
    // UTF-16 is seen by its many zero bytes; without them the tags read as in ASCII, as in UTF-8 and GB18030.
    // Zeros at the very end are space that a copier reserved and has not filled.
    let filled = tail.iter().rev().take(4).any(|&b| b != 0);
    let wide = filled && head.iter().take(2).any(|b| matches!(b, 0 | 0xFE | 0xFF));
    let (head, tail) = if wide { (without_zeros(head), without_zeros(tail)) } else { (head.into(), tail.into()) };
    let Some((name, empty)) = root(&head) else { return false };
    let end = trim_epilogue(&tail);
    if empty && one_piece && end.ends_with(b"/>") {
        return true;
    }
    let Some(end) = end.strip_suffix(b">") else { return false };
    end.trim_ascii_end().strip_suffix(name).is_some_and(|rest| rest.ends_with(b"</"))
}

/// Cuts white space and comments after the root.
fn trim_epilogue(mut tail: &[u8]) -> &[u8] {
    loop {
        tail = tail.trim_ascii_end();
        let comment = tail.strip_suffix(b"-->").and_then(|rest| rest.windows(4).rposition(|w| w == b"<!--"));
        match comment {
            Some(start) => tail = tail.get(..start).unwrap_or_default(),
            None => return tail,
        }
    }
}

/// Name of the root's start tag, and whether the tag closes itself.
fn root(head: &[u8]) -> Option<(&[u8], bool)> {
    let mut rest = head;
    loop {
        rest = rest.get(rest.iter().position(|&b| b == b'<')?..)?;
        if rest.starts_with(b"<?") {
            rest = after(rest, b"?>")?;
        } else if rest.starts_with(b"<!--") {
            rest = after(rest, b"-->")?;
        } else if rest.starts_with(b"<!") {
            rest = after(rest, b">")?;
        } else {
            break;
        }
    }
    let name = rest.get(1..)?;
    let length = name.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b'>' | b'/'))?;
    let close = rest.iter().position(|&b| b == b'>');
    let empty = close.is_some_and(|at| at > 0 && rest.get(at - 1) == Some(&b'/'));
    (length > 0).then_some((name.get(..length)?, empty))
}

fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(mark.len()).position(|w| w == mark)?;
    bytes.get(at + mark.len()..)
}

fn without_zeros(bytes: &[u8]) -> Cow<'_, [u8]> {
    bytes.iter().copied().filter(|&b| b != 0).collect::<Vec<_>>().into()
}

/// An end record that reaches to the file's end and whose directory lies right before it.
fn zip_is_whole(tail: &[u8], length: u64) -> bool {
    let starts = tail.windows(ZIP_END).enumerate().rev().filter(|(_, w)| w.starts_with(b"PK\x05\x06"));
    starts.into_iter().any(|(at, record)| {
        let short = |from: usize| {
            u64::from(record.get(from).copied().unwrap_or(0))
                | u64::from(record.get(from + 1).copied().unwrap_or(0)) << 8
        };
        let long = |from: usize| short(from) | short(from + 2) << 16;
        let (size, offset, comment) = (long(12), long(16), short(20));
        let position = length - tail.len() as u64 + at as u64;
        let ends = position + ZIP_END as u64 + comment == length;
        // A 64-bit archive keeps its numbers elsewhere; the record's place is what can be seen here.
        ends && (size == 0xFFFF_FFFF || offset == 0xFFFF_FFFF || offset + size <= position)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8], extension: &str) -> bool {
        let mut file = tempfile::tempfile().expect("a file");
        io::Write::write_all(&mut file, bytes).expect("written");
        is_whole(&mut file, bytes.len() as u64, extension).expect("read")
    }

    #[test]
    fn every_proper_prefix_of_a_document_is_not_whole() {
        let document =
            "<?xml version=\"1.0\"?>\n<!-- <x> --><d:Dec xmlns:d='u' a='1'><Dec/><b>中</b></d:Dec >".as_bytes();
        assert!(whole(document, "xml"));
        for end in 0..document.len() {
            assert!(!whole(&document[..end], "xml"), "{}", String::from_utf8_lossy(&document[..end]));
        }
        for rest in ["\n", " \r\n<!-- end -->\n", "<!--a--><!--b-->"] {
            assert!(whole(&[document, rest.as_bytes()].concat(), "xml"), "{rest}");
        }
    }

    #[test]
    fn long_documents_and_wide_ones_are_judged_by_their_ends() {
        let long = format!("<a>{}</a>", "x".repeat(100_000));
        assert!(whole(long.as_bytes(), "XML"));
        assert!(!whole(&long.as_bytes()[..100_000], "xml"));
        let wide: Vec<u8> = "\u{feff}<a>报关</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(whole(&wide, "xml"));
        assert!(!whole(&wide[..wide.len() - 4], "xml"));
        assert!(whole(b"<a b='c'/>", "xml") && !whole(b"<a b='c'", "xml"));
    }

    #[test]
    fn space_reserved_by_a_copier_is_not_whole() {
        let mut document = b"<a><b/></a>".to_vec();
        document.extend([0; 500]);
        assert!(!whole(&document, "xml"));
        assert!(!whole(b"", "xml") && !whole(b"", "zip") && !whole(b"   ", "xml") && !whole(b"hello", "xml"));
    }

    #[test]
    fn an_archive_is_whole_with_its_end_record_only() {
        let mut zip = b"PK\x03\x04data".to_vec();
        let offset = zip.len() as u32;
        zip.extend(b"PK\x01\x02directory");
        let size = zip.len() as u32 - offset;
        zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        zip.extend(size.to_le_bytes());
        zip.extend(offset.to_le_bytes());
        zip.extend(3_u16.to_le_bytes());
        zip.extend(b"end");
        assert!(whole(&zip, "zip"));
        for end in 0..zip.len() {
            assert!(!whole(&zip[..end], "zip"), "{end}");
        }
    }
}
