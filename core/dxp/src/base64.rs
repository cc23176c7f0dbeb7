//! Base64 as it comes: with line breaks, `&#xD;`, a byte order mark in it; anything else is refused with its place.

use crate::DxpError;
use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;
use kouan_xml::Decoded;

/// Encodes, appending to `out`.
pub(crate) fn encode_into(bytes: &[u8], out: &mut String) {
    STANDARD.encode_string(bytes, out);
}

/// Encodes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes the text of field `name`, which begins at `offset` of the document.
pub(crate) fn decode(
    text: &str,
    name: &'static str,
    decoded: &Decoded<'_>,
    offset: usize,
) -> Result<Vec<u8>, DxpError> {
    decode_plain(text).map_err(|(at, why)| DxpError::BadBase64 { name, why, place: decoded.locate(offset + at) })
}

/// Decodes; the error says where in `text`.
pub(crate) fn decode_plain(text: &str) -> Result<Vec<u8>, (usize, String)> {
    let compact: std::borrow::Cow<'_, str> = match text.contains(is_filler) {
        true => text.chars().filter(|c| !is_filler(*c)).collect::<String>().into(),
        false => text.into(),
    };
    if let Some((at, c)) = text.char_indices().find(|(_, c)| !is_filler(*c) && !is_alphabet(*c)) {
        return Err((at, format!("character `{}` does not belong there", c.escape_default())));
    }
    STANDARD.decode(compact.as_bytes()).map_err(|error| match error {
        ::base64::DecodeError::InvalidByte(..) => (0, "`=` in the middle".to_owned()),
        ::base64::DecodeError::InvalidLength(length) => {
            (text.len(), format!("{length} characters are no whole number of groups"))
        }
        _ => (text.len(), "the end is wrong".to_owned()),
    })
}

fn is_filler(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{FEFF}')
}

fn is_alphabet(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_the_field_is_taken_and_no_more() {
        assert_eq!(decode_plain("\u{FEFF}aGVs\r\nbG8=\r").unwrap(), b"hello");
        assert_eq!(decode_plain("").unwrap(), b"");
        assert_eq!(decode_plain("aGVs*bG8=").unwrap_err().0, 4);
        assert_eq!(decode_plain("aG\nVs中bG8=").unwrap_err().0, 5);
        for wrong in ["a", "aG", "aGVs=bG8", "aGVsbG8", "aGVsbG9=", "====", "aGVsbG8=="] {
            assert!(decode_plain(wrong).is_err(), "{wrong}");
        }
    }
}
