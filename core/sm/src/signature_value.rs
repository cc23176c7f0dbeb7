//! The forms of an SM2 signature: raw r‖s inside the house, DER and fields of devices at the edges.

use crate::{Error, Result};
use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};

/// An SM2 signature, r‖s, 64 bytes: what real cards write into SignatureValue
/// (`domain/goods-declaration.md` §4.2b). Whether r and s are in range shows when it is verified.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RawSignature([u8; 64]);

#[derive(Sequence)]
struct DerSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl RawSignature {
    /// From r‖s.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// From a slice that must have 64 bytes.
    ///
    /// # Errors
    /// `SignatureForm` with the length found.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let found = bytes.len();
        bytes.try_into().map(Self).map_err(|_| Error::SignatureForm(format!("{found} bytes, not 64")))
    }

    /// From DER, `SEQUENCE { INTEGER r, INTEGER s }`, strictly.
    ///
    /// # Errors
    /// `SignatureForm` for anything that is not DER to the last byte.
    pub fn from_der(bytes: &[u8]) -> Result<Self> {
        let read = DerSignature::from_der(bytes).map_err(|e| Error::SignatureForm(e.to_string()))?;
        let mut out = [0; 64];
        let (r, s) = out.split_at_mut(32);
        right_align(read.r.as_bytes(), r)?;
        right_align(read.s.as_bytes(), s)?;
        Ok(Self(out))
    }

    /// As DER.
    pub fn to_der(&self) -> Vec<u8> {
        let (r, s) = self.0.split_at(32);
        let encoded = UintRef::new(r).and_then(|r| UintRef::new(s).map(|s| DerSignature { r, s }));
        // Cannot fail: both halves are 32 bytes. An empty answer would not verify anywhere.
        encoded.and_then(|signature| signature.to_der()).unwrap_or_default()
    }

    /// From the two 64-byte fields of SDF and SKF structures (GM/T 0018, GM/T 0016), value right-aligned in each.
    ///
    /// # Errors
    /// `SignatureForm` if the upper half of a field is not zero.
    pub fn from_device_fields(r: &[u8; 64], s: &[u8; 64]) -> Result<Self> {
        let mut out = [0; 64];
        let (low, high) = out.split_at_mut(32);
        right_align(r, low)?;
        right_align(s, high)?;
        Ok(Self(out))
    }

    /// As the two 64-byte fields of SDF and SKF structures.
    pub fn to_device_fields(&self) -> ([u8; 64], [u8; 64]) {
        let (mut r, mut s) = ([0; 64], [0; 64]);
        r[32..].copy_from_slice(&self.0[..32]);
        s[32..].copy_from_slice(&self.0[32..]);
        (r, s)
    }

    /// r‖s.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl From<RawSignature> for Vec<u8> {
    fn from(signature: RawSignature) -> Self {
        signature.0.to_vec()
    }
}

impl std::fmt::Debug for RawSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RawSignature({})", hex::encode(self.0))
    }
}

/// Copies a big-endian number into a shorter or longer field.
pub(crate) fn right_align(number: &[u8], field: &mut [u8]) -> Result<()> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let start = field.len().checked_sub(digits.len());
    let start = start.ok_or_else(|| Error::SignatureForm(format!("a number of {} bytes", digits.len())))?;
    field.fill(0);
    field.get_mut(start..).unwrap_or_default().copy_from_slice(digits);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_zeros() -> impl Strategy<Value = [u8; 64]> {
        (proptest::array::uniform32(any::<u8>()), proptest::array::uniform32(any::<u8>()), 0..32_usize, 0..32_usize)
            .prop_map(|(mut r, mut s, in_r, in_s)| {
                r[..in_r].fill(0);
                s[..in_s].fill(0);
                let mut out = [0; 64];
                out[..32].copy_from_slice(&r);
                out[32..].copy_from_slice(&s);
                out
            })
    }

    proptest! {
        #[test]
        fn der_and_device_fields_bring_the_same_signature_back(bytes in with_zeros()) {
            let signature = RawSignature::new(bytes);
            prop_assert_eq!(RawSignature::from_der(&signature.to_der()), Ok(signature));
            let (r, s) = signature.to_device_fields();
            prop_assert_eq!(RawSignature::from_device_fields(&r, &s), Ok(signature));
        }

        #[test]
        fn anything_else_is_an_error_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(read) = RawSignature::from_der(&bytes) {
                prop_assert_eq!(read.to_der(), bytes);
            }
        }

        #[test]
        fn a_changed_der_is_never_a_second_form(bytes in with_zeros(), at in 0..72_usize, to in any::<u8>()) {
            let mut der = RawSignature::new(bytes).to_der();
            let at = at % der.len();
            der[at] = to;
            if let Ok(read) = RawSignature::from_der(&der) {
                prop_assert_eq!(read.to_der(), der);
            }
        }
    }

    #[test]
    fn sloppy_der_is_refused() {
        let good = hex::decode("3006020101020102").unwrap();
        assert!(RawSignature::from_der(&good).is_ok());
        for sloppy in
            ["300702020001020102", "30810602010102010200", "3006020101020182", "300602010102010200", "3003020101", ""]
        {
            let bytes = hex::decode(sloppy).unwrap();
            assert!(matches!(RawSignature::from_der(&bytes), Err(Error::SignatureForm(_))), "{sloppy}");
        }
        let mut field = [0; 64];
        field[0] = 1;
        assert!(RawSignature::from_device_fields(&field, &[0; 64]).is_err());
        assert!(RawSignature::from_slice(&[0; 63]).is_err());
    }
}
