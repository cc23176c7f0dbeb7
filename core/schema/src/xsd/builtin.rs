//! XSD's built-in simple types.

use crate::value::{Base, Blanks, Bound, MomentKind, Simple};

/// The built-in type called `name`; `None` if it is not in the subset.
pub(super) fn simple(name: &str) -> Option<Simple> {
    let collapsed = |base| Some(Simple::of(base, Blanks::Collapse));
    let integer = |low: Option<&str>, high: Option<&str>| {
        let bound = |text: &str| Bound { text: text.into(), inclusive: true };
        let base = Simple::of(Base::Integer, Blanks::Collapse);
        Some(Simple { low: low.map(bound), high: high.map(bound), fraction_digits: Some(0), ..base })
    };
    match name {
        "string" | "anySimpleType" => Some(Simple::of(Base::Text, Blanks::Preserve)),
        "normalizedString" => Some(Simple::of(Base::Text, Blanks::Replace)),
        "token" => collapsed(Base::Text),
        "boolean" => collapsed(Base::Boolean),
        "decimal" => collapsed(Base::Decimal),
        "float" | "double" => collapsed(Base::Float),
        "dateTime" => collapsed(Base::Moment(MomentKind::DateTime)),
        "date" => collapsed(Base::Moment(MomentKind::Date)),
        "time" => collapsed(Base::Moment(MomentKind::Time)),
        "gYearMonth" => collapsed(Base::Moment(MomentKind::YearMonth)),
        "gYear" => collapsed(Base::Moment(MomentKind::Year)),
        "duration" => collapsed(Base::Duration),
        "anyURI" => collapsed(Base::AnyUri),
        "language" => collapsed(Base::Token("language")),
        "Name" => collapsed(Base::Token("Name")),
        "NCName" => collapsed(Base::Token("NCName")),
        "NMTOKEN" => collapsed(Base::Token("NMTOKEN")),
        "base64Binary" => collapsed(Base::Base64),
        "hexBinary" => collapsed(Base::Hex),
        "integer" => integer(None, None),
        "nonPositiveInteger" => integer(None, Some("0")),
        "negativeInteger" => integer(None, Some("-1")),
        "nonNegativeInteger" => integer(Some("0"), None),
        "positiveInteger" => integer(Some("1"), None),
        "long" => integer(Some("-9223372036854775808"), Some("9223372036854775807")),
        "int" => integer(Some("-2147483648"), Some("2147483647")),
        "short" => integer(Some("-32768"), Some("32767")),
        "byte" => integer(Some("-128"), Some("127")),
        "unsignedLong" => integer(Some("0"), Some("18446744073709551615")),
        "unsignedInt" => integer(Some("0"), Some("4294967295")),
        "unsignedShort" => integer(Some("0"), Some("65535")),
        "unsignedByte" => integer(Some("0"), Some("255")),
        _ => None,
    }
}
