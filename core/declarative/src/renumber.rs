//! The same message under another number, for demonstrations and load.

use crate::business::Compiled;
use crate::detect::detect;
use crate::tree::{Tree, decoded};
use kouan_sdk::{Error, ErrorKind, Result};
use kouan_xml::{Encoding, escape_text};
use std::collections::BTreeMap;

/// `document` with `number` where its business key stands (of a key of several parts, at the last), and numbers made of it
/// at the type's `renumber` paths; all other bytes stay.
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
    let Some(key) = pick.paths().into_iter().rev().find_map(|path| tree.with_text(path).into_iter().next()) else {
        return Ok(None);
    };
    let others = of.renumber.iter().flat_map(|path| tree.with_text(path)).filter(|at| *at != key);
    let mut places: BTreeMap<usize, String> = BTreeMap::new();
    for (count, at) in (1..).zip(others) {
        places.insert(at, like(tree.node(at).map_or("", |node| node.text.trim()), number, count));
    }
    places.insert(key, number.to_owned());
    let mut bytes = Vec::with_capacity(document.len() + 64);
    let mut done = 0;
    let original = |offset| usize::try_from(text.original_offset(offset)).map_err(|e| unreadable(e.to_string()));
    // Elements with text follow one another, so their places are in order.
    for (at, value) in places {
        let Some(node) = tree.node(at) else { continue };
        let (start, end) = (original(node.inner.start)?, original(node.inner.end)?);
        bytes.extend_from_slice(document.get(done..start).unwrap_or_default());
        bytes.extend_from_slice(escape_text(&value).as_bytes());
        done = end;
    }
    bytes.extend_from_slice(document.get(done..).unwrap_or_default());
    Ok(Some(bytes))
}

/// A number in the shape of another: digits stay so many digits.
fn like(shape: &str, number: &str, count: usize) -> String {
    if shape.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let digits = format!("{digits:0>width$}", width = shape.len());
        return digits.get(digits.len() - shape.len()..).unwrap_or_default().to_owned();
    }
    format!("{number}-{count}")
}
