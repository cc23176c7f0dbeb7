//! The private extensions of E-Port card certificates (`domain/goods-declaration.md` §4.2b).

use der::asn1::ObjectIdentifier;
use der::{AnyRef, Decode, Tag, Tagged};
use x509_cert::ext::Extension;

/// Enterprise name.
pub(crate) const ENTERPRISE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.5315.100.5.1");
/// Card number.
pub(crate) const CARD_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.5315.100.5.9");
/// Organisation code.
pub(crate) const ORGANISATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.5315.100.5.11");

/// What a card's certificate says of its holder's enterprise. The holder's identity number (`.5.8`) is there too; it is
/// personal, and deliberately not read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardExtensions {
    /// Card number as the certificate writes it, `NN-` and 13 digits.
    pub card_number: Option<String>,
    /// Enterprise name.
    pub enterprise: Option<String>,
    /// Organisation code, 9 characters.
    pub organisation_code: Option<String>,
}

impl CardExtensions {
    pub(crate) fn read(extensions: &[Extension]) -> Self {
        let text = |oid: ObjectIdentifier| {
            let found = extensions.iter().find(|extension| extension.extn_id == oid)?;
            text(found.extn_value.as_bytes())
        };
        Self { card_number: text(CARD_NUMBER), enterprise: text(ENTERPRISE), organisation_code: text(ORGANISATION) }
    }

    /// The card number as `TypistNo` and `ICCode` carry it: the 13 digits without the leading `NN-`.
    pub fn bare_card_number(&self) -> Option<&str> {
        let number = self.card_number.as_deref()?;
        Some(number.split_once('-').map_or(number, |(_, bare)| bare))
    }
}

/// A string of any of the kinds that issuers use, or bare text without a DER header.
fn text(value: &[u8]) -> Option<String> {
    let inner = AnyRef::from_der(value).ok().and_then(|any| match any.tag() {
        Tag::BmpString => {
            let units = any.value().chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
        }
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString | Tag::OctetString => {
            String::from_utf8(any.value().to_vec()).ok()
        }
        _ => None,
    });
    let text = inner.or_else(|| String::from_utf8(value.to_vec()).ok())?;
    let text = text.trim();
    let readable = !text.is_empty() && !text.chars().any(char::is_control);
    readable.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_kind_are_read() {
        let cases: [(&[u8], Option<&str>); 6] = [
            (b"\x0c\x1003-1234567890123", Some("03-1234567890123")),
            (b"\x13\x0212", Some("12")),
            (b"\x1e\x04\x4e\x2d\x56\xfd", Some("中国")),
            (b"03-1234567890123", Some("03-1234567890123")),
            (b"\x0c\x00", None),
            (b"\xff\xfe", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(text(bytes).as_deref(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn the_card_number_is_offered_as_the_message_writes_it() {
        let with = |number: &str| CardExtensions { card_number: Some(number.into()), ..CardExtensions::default() };
        assert_eq!(with("03-1234567890123").bare_card_number(), Some("1234567890123"));
        assert_eq!(with("1234567890123").bare_card_number(), Some("1234567890123"));
        assert_eq!(CardExtensions::default().bare_card_number(), None);
    }
}
