//! The same message under another number, for demonstrations and load.

use crate::business::Compiled;
use crate::detect::detect;
use crate::tree::{Tree, decoded};
use kouan_sdk::{Error, ErrorKind, Result};
use kouan_xml::{Encoding, escape_text};

/// `document` with `number` where its business key stands (of a key of several parts, at the last); all other bytes stay.
/// `None` if its type has no number in the message, or its encoding is not one of bytes.
pub(crate) fn renumbered(
    compiled: &Compiled,
    document: &[u8],
    form_id: Option<&str>,
    number: &str,
) -> Result<Option<Vec<u8>>> {
    let unreadable =
        |why: String| Error::new(ErrorKind::Invalid, "KOUAN-DECLARATIVE-UNREADABLE", format!("the sample: {why}"));
    let text = decoded(document).map_err(|e| unreadable(e.to_string()))?;
    let of = detect(compiled, &text, form_id).map_err(|finding| unreadable(finding.message_en))?;
    let tree = Tree::of(&text).map_err(|e| unreadable(e.to_string()))?;
    if !matches!(text.encoding(), Encoding::Utf8 | Encoding::Gb18030) || !number.is_ascii() {
        return Ok(None);
    }
    let keys = of.business_key.iter().filter_map(|name| of.keys.iter().find(|(known, _)| known == name));
    let Some((_, pick)) = keys.into_iter().find(|(_, pick)| pick.first(&tree).is_some()) else { return Ok(None) };
    let place = pick.paths().into_iter().rev().find_map(|path| tree.first_with_text(path));
    let Some(node) = place.and_then(|at| tree.node(at)) else { return Ok(None) };
    let at = |offset| usize::try_from(text.original_offset(offset)).map_err(|e| unreadable(e.to_string()));
    let (start, end) = (at(node.inner.start)?, at(node.inner.end)?);
    let (before, after) = (document.get(..start).unwrap_or_default(), document.get(end..).unwrap_or_default());
    Ok(Some([before, escape_text(number).as_bytes(), after].concat()))
}
