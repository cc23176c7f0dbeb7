//! Simple types: what a value may be, and what is wrong with one.

mod bytes;
mod decimal;
mod moment;
mod pattern;

pub(crate) use bytes::exceeds;
pub use bytes::gb_length;
pub(crate) use decimal::Digits;
pub(crate) use moment::{MomentKind, is_date8};
pub(crate) use pattern::Pattern;

use crate::schema::{Notes, Schema, SimpleId};
use std::borrow::Cow;
use std::cmp::Ordering;

/// What a built-in type asks of a value's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Base {
    /// Any text.
    Text,
    Boolean,
    Decimal,
    Integer,
    Float,
    Moment(MomentKind),
    Duration,
    AnyUri,
    /// Language, Name, NCName, NMTOKEN: a pattern of the standard, with its name.
    Token(&'static str),
    Base64,
    Hex,
    Union(Vec<SimpleId>),
}

/// The whiteSpace facet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blanks {
    Preserve,
    Replace,
    Collapse,
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) text: Box<str>,
    pub(crate) inclusive: bool,
}

/// A simple type with all facets of its bases.
#[derive(Debug, Clone)]
pub(crate) struct Simple {
    pub(crate) base: Base,
    pub(crate) blanks: Blanks,
    pub(crate) min_length: Option<u32>,
    pub(crate) max_length: Option<u32>,
    pub(crate) total_digits: Option<u32>,
    pub(crate) fraction_digits: Option<u32>,
    pub(crate) low: Option<Bound>,
    pub(crate) high: Option<Bound>,
    /// Steps of derivation, each with alternatives.
    pub(crate) patterns: Vec<Vec<Pattern>>,
    /// Sorted.
    pub(crate) values: Option<Vec<Box<str>>>,
    pub(crate) notes: Notes,
}

impl Simple {
    /// A built-in type.
    pub(crate) fn of(base: Base, blanks: Blanks) -> Self {
        Self {
            base,
            blanks,
            min_length: None,
            max_length: None,
            total_digits: None,
            fraction_digits: None,
            low: None,
            high: None,
            patterns: Vec::new(),
            values: None,
            notes: Notes::default(),
        }
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault<'s> {
    Form(&'s Base),
    Value(&'s [Box<str>]),
    TotalDigits { max: u32, found: usize },
    FractionDigits { max: u32, found: usize },
    TooLow(&'s Bound),
    TooHigh(&'s Bound),
    TooShort { min: u32, max: Option<u32>, found: usize },
    TooLong { min: Option<u32>, max: u32, found: usize },
    Bytes { max: u32, found: usize },
    Pattern(&'s str),
    NoMember,
}

/// The value as its type sees it: whiteSpace applied, and, unless `keep`, without the blanks around it.
pub(crate) fn normalized(text: &str, blanks: Blanks, keep: bool) -> Cow<'_, str> {
    match blanks {
        Blanks::Preserve if keep => Cow::Borrowed(text),
        Blanks::Preserve => Cow::Borrowed(trimmed(text)),
        Blanks::Replace => {
            let text = if keep { text } else { trimmed(text) };
            if text.bytes().any(|b| matches!(b, b'\t' | b'\n' | b'\r')) {
                Cow::Owned(text.replace(['\t', '\n', '\r'], " "))
            } else {
                Cow::Borrowed(text)
            }
        }
        Blanks::Collapse => {
            let text = trimmed(text);
            let bytes = text.as_bytes();
            if bytes.iter().all(|b| *b > b' ') {
                return Cow::Borrowed(text);
            }
            let loose =
                bytes.iter().any(|b| matches!(b, b'\t' | b'\n' | b'\r')) || bytes.windows(2).any(|w| w == b"  ");
            if loose {
                Cow::Owned(text.split([' ', '\t', '\n', '\r']).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" "))
            } else {
                Cow::Borrowed(text)
            }
        }
    }
}

/// `text` without XML's blanks around it.
pub(crate) fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        // Most texts have none.
        [first, .., last] if *first > b' ' && *last > b' ' => text,
        _ => text.trim_matches([' ', '\t', '\n', '\r']),
    }
}

/// The first thing wrong with `value` (already [`normalized`]).
pub(crate) fn fault<'s>(
    schema: &'s Schema,
    simple: &'s Simple,
    value: &str,
    max_bytes: Option<u32>,
) -> Option<Fault<'s>> {
    if let Base::Union(members) = &simple.base {
        if let Some(fault) = union_fault(schema, members, value) {
            return Some(fault);
        }
    } else if !well_formed(&simple.base, value) {
        return Some(Fault::Form(&simple.base));
    }
    if let Some(values) = &simple.values
        && !listed(&simple.base, values, value)
    {
        return Some(Fault::Value(values));
    }
    number_fault(simple, value)
        .or_else(|| length_fault(simple, value))
        .or_else(|| {
            let max = max_bytes?;
            Some(Fault::Bytes { max, found: exceeds(value, max as usize)? })
        })
        .or_else(|| {
            let failed = simple.patterns.iter().find(|step| !step.iter().any(|p| p.matches(value)))?;
            failed.first().map(|p| Fault::Pattern(&p.source))
        })
}

fn union_fault<'s>(schema: &'s Schema, members: &'s [SimpleId], value: &str) -> Option<Fault<'s>> {
    for id in members {
        let member = schema.simple(*id);
        fault(schema, member, &normalized(value, member.blanks, false), member.notes.max_bytes)?;
    }
    Some(Fault::NoMember)
}

fn well_formed(base: &Base, value: &str) -> bool {
    match base {
        Base::Text | Base::Union(_) => true,
        Base::Boolean => matches!(value, "true" | "false" | "1" | "0"),
        Base::Decimal => Digits::parse(value).is_some(),
        Base::Integer => Digits::parse_integer(value).is_some(),
        Base::Float => float(value).is_some(),
        Base::Moment(kind) => moment::parse(*kind, value).is_some(),
        Base::Duration => moment::is_duration(value),
        // The standard leaves anyURI nearly open; blanks are what people get wrong.
        Base::AnyUri => !value.contains(' '),
        Base::Token(kind) => is_token(kind, value),
        Base::Base64 => base64_length(value).is_some(),
        Base::Hex => value.len().is_multiple_of(2) && value.bytes().all(|b| b.is_ascii_hexdigit()),
    }
}

fn float(value: &str) -> Option<f64> {
    match value {
        "INF" => Some(f64::INFINITY),
        "-INF" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        _ if value.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) => value.parse().ok(),
        _ => None,
    }
}

fn is_token(kind: &str, value: &str) -> bool {
    match kind {
        "language" => value.split('-').enumerate().all(|(at, part)| {
            let letters =
                part.bytes().all(|b| if at == 0 { b.is_ascii_alphabetic() } else { b.is_ascii_alphanumeric() });
            (1..=8).contains(&part.len()) && letters
        }),
        "NMTOKEN" => !value.is_empty() && value.chars().all(is_name_char),
        "Name" => value.starts_with(is_name_start) && value.chars().all(is_name_char),
        _ => value.starts_with(is_name_start) && value.chars().all(is_name_char) && !value.contains(':'),
    }
}

fn is_name_start(c: char) -> bool {
    matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Octets of a base64 value, or `None` if it is none.
fn base64_length(value: &str) -> Option<usize> {
    let digits = || value.bytes().filter(|b| *b != b' ');
    let (count, padding) = (digits().count(), digits().rev().take_while(|b| *b == b'=').count());
    let body = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let well = count % 4 == 0 && padding <= 2 && digits().take(count - padding).all(body);
    let last = digits().nth((count - padding).wrapping_sub(1)).unwrap_or(b'A');
    // The bits under the padding must be zero.
    let clean = match padding {
        1 => b"AEIMQUYcgkosw048".contains(&last),
        2 => b"AQgw".contains(&last),
        _ => true,
    };
    (well && clean).then(|| count / 4 * 3 - padding)
}

fn listed(base: &Base, values: &[Box<str>], value: &str) -> bool {
    if values.binary_search_by(|v| (**v).cmp(value)).is_ok() {
        return true;
    }
    // Numbers and moments are equal as values, not as texts.
    !matches!(base, Base::Text | Base::Union(_) | Base::Token(_) | Base::AnyUri)
        && values.iter().any(|v| compare(base, v, value) == Some(Ordering::Equal))
}

/// Order of two well-formed values of an ordered type.
pub(crate) fn compare(base: &Base, a: &str, b: &str) -> Option<Ordering> {
    match base {
        Base::Decimal | Base::Integer => Some(Digits::parse(a)?.cmp(&Digits::parse(b)?)),
        Base::Float => float(a)?.partial_cmp(&float(b)?),
        Base::Moment(kind) => {
            let (a, b) = (moment::parse(*kind, a)?, moment::parse(*kind, b)?);
            moment::order(a, b)
        }
        Base::Boolean => {
            let truth = |text: &str| matches!(text, "true" | "1");
            Some(truth(a).cmp(&truth(b)))
        }
        Base::Hex => Some(a.to_ascii_uppercase().cmp(&b.to_ascii_uppercase())),
        Base::Base64 => {
            let bare = |text: &str| text.replace(' ', "");
            Some(bare(a).cmp(&bare(b)))
        }
        _ => None,
    }
}

fn number_fault<'s>(simple: &'s Simple, value: &str) -> Option<Fault<'s>> {
    if simple.total_digits.is_some() || simple.fraction_digits.is_some() {
        let digits = Digits::parse(value)?;
        if let Some(max) = simple.total_digits
            && digits.total() > max as usize
        {
            return Some(Fault::TotalDigits { max, found: digits.total() });
        }
        if let Some(max) = simple.fraction_digits
            && digits.fraction() > max as usize
        {
            return Some(Fault::FractionDigits { max, found: digits.fraction() });
        }
    }
    let fails = |bound: &&Bound, outside: Ordering| match compare(&simple.base, value, &bound.text) {
        Some(Ordering::Equal) => !bound.inclusive,
        Some(order) => order == outside,
        None => true,
    };
    let low = simple.low.as_ref().filter(|bound| fails(bound, Ordering::Less)).map(Fault::TooLow);
    low.or_else(|| simple.high.as_ref().filter(|bound| fails(bound, Ordering::Greater)).map(Fault::TooHigh))
}

fn length_fault<'s>(simple: &'s Simple, value: &str) -> Option<Fault<'s>> {
    if simple.min_length.is_none() && simple.max_length.is_none_or(|max| value.len() <= max as usize) {
        return None;
    }
    let found = match simple.base {
        Base::Hex => value.len() / 2,
        Base::Base64 => base64_length(value)?,
        _ => value.chars().count(),
    };
    if let Some(max) = simple.max_length
        && found > max as usize
    {
        return Some(Fault::TooLong { min: simple.min_length, max, found });
    }
    let min = simple.min_length?;
    (found < min as usize).then_some(Fault::TooShort { min, max: simple.max_length, found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_treated_as_the_facet_says() {
        assert_eq!(normalized(" a  b\n", Blanks::Preserve, true), " a  b\n");
        assert_eq!(normalized(" a  b\n", Blanks::Preserve, false), "a  b");
        assert_eq!(normalized("a\tb ", Blanks::Replace, true), "a b ");
        assert_eq!(normalized(" a \n b ", Blanks::Collapse, true), "a b");
    }

    #[test]
    fn forms_of_the_built_in_types() {
        let good = |base: Base, text: &str| assert!(well_formed(&base, text), "{base:?} {text}");
        let bad = |base: Base, text: &str| assert!(!well_formed(&base, text), "{base:?} {text}");
        good(Base::Boolean, "1");
        bad(Base::Boolean, "TRUE");
        good(Base::Float, "-1.5E3");
        good(Base::Float, "INF");
        bad(Base::Float, "inf");
        bad(Base::Float, "1,5");
        good(Base::Base64, "AQID");
        good(Base::Base64, "AQI=");
        good(Base::Base64, "AQ I=");
        bad(Base::Base64, "AQI");
        bad(Base::Base64, "AQJ=");
        good(Base::Hex, "0aFF");
        bad(Base::Hex, "0aF");
        good(Base::Token("NCName"), "名-1");
        bad(Base::Token("NCName"), "a:b");
        good(Base::Token("language"), "zh-CN");
        bad(Base::Token("language"), "zh_CN");
    }
}
