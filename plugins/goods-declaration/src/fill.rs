//! Fills fields of a message in by byte splice: every byte outside the fields stays as it was, whatever the encoding.

use kouan_declarative::{Node, Tree, decoded};
use kouan_sdk::{Error, ErrorKind, Result};
use kouan_xml::{Decoded, Encoding, escape_text};
use std::fmt::Write as _;

/// Elements of DecSign in their order (`domain/goods-declaration.md` §1.12).
const ORDER: [&str; 12] = [
    "OperType",
    "ICCode",
    "CopCode",
    "OperName",
    "ClientSeqNo",
    "Sign",
    "SignDate",
    "Certificate",
    "HostId",
    "BillSeqNo",
    "DomainId",
    "Note",
];

/// A document that is going to be filled in.
pub(crate) struct Form<'b> {
    document: Decoded<'b>,
    tree: Tree,
}

impl<'b> Form<'b> {
    /// Reads it.
    pub(crate) fn read(bytes: &'b [u8]) -> Result<Self> {
        let unreadable = |e: kouan_xml::XmlError| {
            Error::new(ErrorKind::Invalid, "KOUAN-DEC-UNREADABLE", format!("the declaration cannot be read: {e}"))
        };
        let document = decoded(bytes).map_err(unreadable)?;
        let tree = Tree::of(&document).map_err(unreadable)?;
        if tree.root() != "DecMessage" {
            let message = format!("the root is {}, not DecMessage", tree.root());
            return Err(Error::new(ErrorKind::Invalid, "KOUAN-DEC-UNREADABLE", message));
        }
        Ok(Self { document, tree })
    }

    /// Text of an element of DecSign.
    pub(crate) fn value(&self, field: &str) -> &str {
        self.tree.value(&["DecSign", field])
    }

    /// The document with these elements of DecSign set; an absent one is put in at its place.
    pub(crate) fn filled(&self, fields: &[(&str, &str)]) -> Result<Vec<u8>> {
        let sign = self.tree.find(&["DecSign"]).ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "KOUAN-DEC-UNREADABLE", "the declaration has no DecSign to fill in")
        })?;
        let mut splices =
            fields.iter().map(|&(name, value)| self.splice(sign, name, value)).collect::<Result<Vec<_>>>()?;
        // Insertions at one place stay in the order of the schema.
        splices.sort_by_key(|splice| (splice.start, splice.end, splice.order));
        let original = self.document.original();
        let mut bytes = Vec::with_capacity(original.len() + 512);
        let mut at = 0;
        for splice in splices {
            let (start, end) = (self.original(splice.start)?, self.original(splice.end)?);
            bytes.extend_from_slice(original.get(at..start).unwrap_or_default());
            self.push(&mut bytes, &splice.text);
            at = end;
        }
        bytes.extend_from_slice(original.get(at..).unwrap_or_default());
        Ok(bytes)
    }

    fn splice(&self, sign: usize, name: &str, value: &str) -> Result<Splice> {
        let order = ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        let value = escape_text(value).into_owned();
        let Some((_, node)) = self.tree.children(sign).find(|(_, node)| node.name == name) else {
            return self.insertion(sign, name, &value, order);
        };
        let text = self.document.text();
        let tag = text.get(node.span.clone()).unwrap_or_default();
        if let Some(open) = tag.strip_suffix("/>").filter(|_| node.inner.is_empty()) {
            let text = if value.is_empty() { tag.to_owned() } else { format!("{open}>{value}</{}>", qualified(tag)) };
            return Ok(Splice { start: node.span.start, end: node.span.end, order, text });
        }
        Ok(Splice { start: node.inner.start, end: node.inner.end, order, text: value })
    }

    /// Behind the last element that stands before it in the schema, with that one's indentation.
    fn insertion(&self, sign: usize, name: &str, value: &str, order: usize) -> Result<Splice> {
        let text = self.document.text();
        let before = ORDER.get(..order).unwrap_or_default();
        let neighbour = self.tree.children(sign).filter(|(_, node)| before.contains(&node.name.as_str())).last();
        let Some((_, neighbour)) = neighbour else {
            let message = format!("DecSign has nothing that {name} could follow");
            return Err(Error::new(ErrorKind::Invalid, "KOUAN-DEC-UNREADABLE", message));
        };
        let tag = text.get(neighbour.span.clone()).unwrap_or_default();
        let name =
            qualified(tag).rsplit_once(':').map_or_else(|| name.to_owned(), |(prefix, _)| format!("{prefix}:{name}"));
        let at = neighbour.span.end;
        Ok(Splice {
            start: at,
            end: at,
            order,
            text: format!("{}<{name}>{value}</{name}>", indentation(text, neighbour)),
        })
    }

    fn original(&self, offset: usize) -> Result<usize> {
        usize::try_from(self.document.original_offset(offset))
            .map_err(|e| Error::new(ErrorKind::Internal, "KOUAN-DEC-UNREADABLE", e.to_string()))
    }

    /// Writes text in the document's encoding; a character that needs more than ASCII becomes a reference, unless it is
    /// UTF-8 anyway.
    fn push(&self, bytes: &mut Vec<u8>, text: &str) {
        let mut ascii = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_ascii() || self.document.encoding() == Encoding::Utf8 {
                ascii.push(c);
            } else {
                // Writing to a String cannot fail.
                let _ = write!(ascii, "&#x{:X};", u32::from(c));
            }
        }
        match self.document.encoding() {
            Encoding::Utf8 | Encoding::Gb18030 => bytes.extend_from_slice(ascii.as_bytes()),
            Encoding::Utf16Le => bytes.extend(ascii.encode_utf16().flat_map(u16::to_le_bytes)),
            Encoding::Utf16Be => bytes.extend(ascii.encode_utf16().flat_map(u16::to_be_bytes)),
        }
    }
}

/// Text that takes the place of a range of the decoded text.
struct Splice {
    start: usize,
    end: usize,
    order: usize,
    text: String,
}

/// The name in a start tag, prefix included.
fn qualified(tag: &str) -> &str {
    let name = tag.trim_start_matches('<');
    name.split(|c: char| c.is_whitespace() || c == '/' || c == '>').next().unwrap_or_default()
}

/// The blanks before an element, if it begins its line.
fn indentation<'t>(text: &'t str, node: &Node) -> &'t str {
    let before = text.get(..node.span.start).unwrap_or_default();
    let blanks = before.get(before.trim_end().len()..).unwrap_or_default();
    if blanks.contains('\n') { blanks } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(document: &str, fields: &[(&str, &str)]) -> String {
        String::from_utf8(Form::read(document.as_bytes()).unwrap().filled(fields).unwrap()).unwrap()
    }

    #[test]
    fn fills_what_is_there_and_puts_in_what_is_not() {
        let document = "<d:DecMessage xmlns:d='u' a = '1'>\r\n <d:DecSign>\n  <d:OperType>C</d:OperType>\n  <d:Sign x='1' />\n  <d:Note>&lt;old</d:Note><!-- c --></d:DecSign></d:DecMessage >";
        let fields = [("Certificate", "03ab"), ("Sign", "AA=="), ("ICCode", "21"), ("Note", "<"), ("SignDate", "2026")];
        let expected = "<d:DecMessage xmlns:d='u' a = '1'>\r\n <d:DecSign>\n  <d:OperType>C</d:OperType>\n  <d:ICCode>21</d:ICCode>\n  <d:Sign x='1' >AA==</d:Sign>\n  <d:SignDate>2026</d:SignDate>\n  <d:Certificate>03ab</d:Certificate>\n  <d:Note>&lt;</d:Note><!-- c --></d:DecSign></d:DecMessage >";
        assert_eq!(filled(document, &fields), expected);
    }

    #[test]
    fn an_empty_tag_stays_when_nothing_is_to_be_said() {
        let document = "<DecMessage><DecSign><OperType/><Sign/></DecSign></DecMessage>";
        assert_eq!(filled(document, &[("Sign", "")]), document);
        assert_eq!(
            filled(&document.replace("<Sign/>", "<Sign>A</Sign>"), &[("Sign", "")]),
            document.replace("<Sign/>", "<Sign></Sign>")
        );
    }

    #[test]
    fn other_encodings_get_references() {
        let utf16: Vec<u8> =
            "\u{feff}<DecMessage><DecSign><OperType>G</OperType><OperName>李</OperName></DecSign></DecMessage>"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
        let bytes = Form::read(&utf16).unwrap().filled(&[("OperName", "张三")]).unwrap();
        assert_eq!(Form::read(&bytes).unwrap().value("OperName"), "张三");
        assert_eq!(bytes.get(..60), utf16.get(..60));
    }

    #[test]
    fn what_is_no_declaration_is_refused() {
        for broken in [&b"<"[..], b"<Other/>", b"<DecMessage><DecSign/>"] {
            assert_eq!(Form::read(broken).err().unwrap().code, "KOUAN-DEC-UNREADABLE");
        }
        for broken in [&b"<DecMessage/>"[..], b"<DecMessage><DecSign/></DecMessage>"] {
            assert!(Form::read(broken).unwrap().filled(&[("Sign", "x")]).is_err());
        }
    }
}
