//! Which characters XML 1.0 (fifth edition) allows, and where.

/// Whether `c` may stand in a document at all (production Char).
pub(crate) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Whether `name` is a name without a colon (NCName).
pub(crate) fn is_ncname(name: &str) -> bool {
    let bytes = name.as_bytes();
    match bytes.first() {
        Some(first) if first.is_ascii() => {
            (first.is_ascii_alphabetic() || *first == b'_')
                && (bytes.iter().all(|&b| is_ascii_name(b)) || (!name.is_ascii() && name.chars().all(is_name_char)))
        }
        Some(_) => name.chars().next().is_some_and(is_name_start) && name.chars().all(is_name_char),
        None => false,
    }
}

/// Length of the ASCII name without a colon that `text` begins with, if white space or nothing comes behind it: of
/// nearly every name of a message.
pub(crate) fn plain(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let length = bytes.iter().position(|b| !ASCII_NAME[usize::from(*b)]).unwrap_or(bytes.len());
    let starts = bytes.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_');
    let ends = bytes.get(length).is_none_or(|next| is_space(*next));
    (starts && ends).then_some(length)
}

/// White space of XML.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether `text` is nothing but white space.
pub(crate) fn is_blank(text: &str) -> bool {
    text.bytes().all(is_space)
}

/// By byte, whether it may stand in an ASCII name.
const ASCII_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_ascii_name(byte as u8);
        byte += 1;
    }
    table
};

const fn is_ascii_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_char(c: char) -> bool {
    is_name_start(c) || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}
