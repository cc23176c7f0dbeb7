//! Check digits that rules ask for. All public standards.

/// Whether `code` is a 统一社会信用代码 (GB 32100): 18 characters, the last a right check character.
pub(super) fn usci(code: &str) -> bool {
    const ALPHABET: &[u8] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
    const WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let values: Option<Vec<usize>> = code.bytes().map(|b| ALPHABET.iter().position(|a| *a == b)).collect();
    let Some(values) = values.filter(|v| v.len() == 18) else { return false };
    let sum: usize = values.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum();
    values.last() == Some(&((31 - sum % 31) % 31))
}

/// Whether `number` is a container number (ISO 6346): four letters, six digits, a right check digit.
pub(super) fn iso6346(number: &str) -> bool {
    let bytes = number.as_bytes();
    let form = bytes.len() == 11
        && bytes.iter().take(4).all(u8::is_ascii_uppercase)
        && bytes.iter().skip(4).all(u8::is_ascii_digit)
        && matches!(bytes.get(3), Some(b'U' | b'J' | b'Z'));
    if !form {
        return false;
    }
    let value = |b: u8| {
        if b.is_ascii_digit() {
            u32::from(b - b'0')
        } else {
            // Letters count from 10, leaving out the multiples of 11.
            let plain = u32::from(b - b'A') + 10;
            plain + (plain - 1) / 10
        }
    };
    let sum: u32 = bytes.iter().take(10).enumerate().map(|(at, b)| value(*b) << at).sum();
    bytes.last().map(|b| u32::from(b - b'0')) == Some(sum % 11 % 10)
}

/// Whether `number` is an IMO ship number: seven digits, with or without `IMO` before them, the last a right check digit.
pub(super) fn imo(number: &str) -> bool {
    let digits = number.strip_prefix("IMO").map_or(number, |rest| rest.trim_start_matches(' '));
    let bytes = digits.as_bytes();
    if bytes.len() != 7 || !bytes.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let sum: u32 = bytes.iter().take(6).zip((2..=7).rev()).map(|(b, weight)| u32::from(b - b'0') * weight).sum();
    bytes.last().map(|b| u32::from(b - b'0')) == Some(sum % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_codes() {
        // Invented: 31 check characters are tried, exactly one is right.
        let right: Vec<char> =
            "0123456789ABCDEFGHJKLMNPQRTUWXY".chars().filter(|c| usci(&format!("91310000EXAMP1E0X{c}"))).collect();
        assert_eq!(right.len(), 1);
        assert!(usci("91350100M000100Y43"), "the standard's own example");
        for bad in ["91350100M000100Y44", "91350100M000100Y4", "91350100M000100YI3", "", "口岸"] {
            assert!(!usci(bad), "{bad}");
        }
    }

    #[test]
    fn container_numbers() {
        assert!(iso6346("CSQU3054383"), "the standard's own example");
        assert!(iso6346("EXMU0000000"));
        for bad in ["CSQU3054384", "CSQA3054383", "csqu3054383", "CSQU305438", "", "箱箱箱箱0000000"] {
            assert!(!iso6346(bad), "{bad}");
        }
    }

    #[test]
    fn ship_numbers() {
        assert!(imo("9074729") && imo("IMO9074729") && imo("IMO 9074729"));
        for bad in ["9074728", "907472", "IMO", "", "90747290"] {
            assert!(!imo(bad), "{bad}");
        }
    }
}
