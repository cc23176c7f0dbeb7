//! Lengths as the customs counts them: bytes in GB18030, a Han character is 2.

use encoding_rs::{EncoderResult, GB18030};

/// Length of `text` in GB18030 bytes. Characters that GB18030 gives four bytes count four.
pub fn gb_length(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let mut encoder = GB18030.new_encoder();
    let mut buffer = [0_u8; 256];
    let (mut rest, mut length) = (text, 0);
    loop {
        let (result, read, written) = encoder.encode_from_utf8_without_replacement(rest, &mut buffer, true);
        length += written;
        rest = rest.get(read..).unwrap_or("");
        match result {
            EncoderResult::InputEmpty => return length,
            EncoderResult::OutputFull => {}
            // One private-use character that the WHATWG index leaves out; GB18030 has two bytes for it.
            EncoderResult::Unmappable(_) => length += 2,
        }
    }
}

/// Whether `text` is longer than `max` GB18030 bytes; `Some(length)` if so.
pub(crate) fn exceeds(text: &str, max: usize) -> Option<usize> {
    // No character takes more than twice its UTF-8 bytes.
    if text.len() * 2 <= max {
        return None;
    }
    let length = gb_length(text);
    (length > max).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_han_as_two() {
        assert_eq!(gb_length("N/M"), 3);
        assert_eq!(gb_length("口岸A"), 5);
        assert_eq!(gb_length("é"), 2);
        assert_eq!(gb_length("Å"), 4);
        assert_eq!(gb_length("𠀀"), 4);
        assert_eq!(gb_length(&"岸".repeat(1000)), 2000);
    }

    proptest! {
        #[test]
        fn agrees_with_the_encoder(text in "\\PC{0,200}", max in 0_usize..300) {
            let (encoded, _, unmappable) = GB18030.encode(&text);
            prop_assume!(!unmappable);
            prop_assert_eq!(gb_length(&text), encoded.len());
            prop_assert_eq!(exceeds(&text, max), (encoded.len() > max).then_some(encoded.len()));
        }
    }
}
