//! Escaping for those who write XML. The forms are those of canonical XML, so that what is written is canonical.

use std::borrow::Cow;

/// Escapes character data: `&`, `<`, `>` and carriage return.
pub fn escape_text(text: &str) -> Cow<'_, str> {
    escape(text, text_entity)
}

/// Escapes an attribute's value for double quotes: `&`, `<`, `"`, tab, line feed and carriage return.
pub fn escape_attribute(value: &str) -> Cow<'_, str> {
    escape(value, attribute_entity)
}

pub(crate) fn text_entity(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

pub(crate) fn attribute_entity(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

fn escape(text: &str, entity: fn(u8) -> Option<&'static str>) -> Cow<'_, str> {
    let Some(first) = text.bytes().position(|b| entity(b).is_some()) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        match u8::try_from(c).ok().and_then(entity) {
            Some(escaped) => out.push_str(escaped),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}
