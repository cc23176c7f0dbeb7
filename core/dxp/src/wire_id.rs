//! Wire ids (CopMsgId).

use crate::DxpError;
use kouan_sdk::Timestamp;
use std::fmt;

/// Length of a DXP id.
const DXP_ID: usize = 16;
/// Length of `yyyyMMddHHmmss`.
const SECOND: usize = 14;
/// Length of the counter.
const COUNTER: usize = 4;

/// A wire id (`CopMsgId`): own DXP id, second, four digits (`domain/goods-declaration.md` §4.2). Of one DXP id they
/// sort by time and counter. Who may use which is decided by the journal's allocator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WireId(String);

impl WireId {
    /// The id of `counter` (0..=9999) within the second of `at`.
    ///
    /// # Errors
    /// A DXP id that is not 16 capital letters and digits; a counter beyond 9999.
    pub fn new(dxp_id: &str, at: Timestamp, counter: u16) -> Result<Self, DxpError> {
        if counter > 9999 {
            return Err(bad(&counter.to_string(), "the counter has more than four digits"));
        }
        Self::parse(&format!("{dxp_id}{}{counter:04}", at.compact()))
    }

    /// Reads one.
    ///
    /// # Errors
    /// Anything that is not 16 capital letters and digits, a moment, and four digits.
    pub fn parse(text: &str) -> Result<Self, DxpError> {
        let bytes = text.as_bytes();
        if bytes.len() != DXP_ID + SECOND + COUNTER {
            return Err(bad(text, "it has not 34 characters"));
        }
        let (dxp_id, rest) = bytes.split_at(DXP_ID);
        if !dxp_id.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return Err(bad(text, "it does not begin with 16 capital letters and digits"));
        }
        if !rest.iter().all(u8::is_ascii_digit) {
            return Err(bad(text, "it does not end with 18 digits"));
        }
        let moment = text.get(DXP_ID..DXP_ID + SECOND).and_then(Timestamp::parse_compact);
        if moment.is_none() {
            return Err(bad(text, "its digits are no moment"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The DXP id that it belongs to.
    pub fn dxp_id(&self) -> &str {
        &self.0[..DXP_ID]
    }

    /// The second in it (China Standard Time on the wire).
    pub fn second(&self) -> Timestamp {
        Timestamp::parse_compact(&self.0[DXP_ID..]).unwrap_or_default()
    }

    /// The counter within the second.
    pub fn counter(&self) -> u16 {
        self.0[DXP_ID + SECOND..].parse().unwrap_or_default()
    }
}

impl fmt::Display for WireId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for WireId {
    type Err = DxpError;

    fn from_str(text: &str) -> Result<Self, DxpError> {
        Self::parse(text)
    }
}

fn bad(text: &str, why: &'static str) -> DxpError {
    DxpError::BadWireId { text: text.chars().take(64).collect(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back() {
        let id = WireId::parse("DXPDSWDEC0000002202601120935100001").unwrap();
        assert_eq!((id.dxp_id(), id.counter()), ("DXPDSWDEC0000002", 1));
        assert_eq!(id.second().local(), "2026-01-12T09:35:10");
        let again = WireId::new(id.dxp_id(), id.second(), 1).unwrap();
        assert_eq!(again, id);
        assert!(WireId::new(id.dxp_id(), id.second(), 2).unwrap() > id);
        assert!(WireId::new(id.dxp_id(), id.second().plus_millis(1000), 0).unwrap() > id);
        assert!(WireId::new(id.dxp_id(), id.second(), 10_000).is_err());
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "DXPDSWDEC000000220260112093510000",
            "DXPDSWDEC00000022026011209351000011",
            "dxpdswdec0000002202601120935100001",
            "DXPDSWDEC0000002202613120935100001",
            "DXPDSWDEC00000022026011209351000x1",
            "DXPDSWDEC00000中202601120935100001",
        ] {
            assert_eq!(WireId::parse(wrong).unwrap_err().code(), "KOUAN-DXP-BAD-WIRE-ID", "{wrong}");
        }
    }
}
