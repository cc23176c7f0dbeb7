//! The forms of an SM2 ciphertext (GM/T 0009, GB/T 32918.4 and its older order).

use crate::signature_value::right_align;
use crate::{Error, Result};
use der::asn1::{OctetStringRef, UintRef};
use der::{Decode, Encode, Sequence};
use kouan_sdk::security::Wrapped;

/// A parsed SM2 ciphertext. Whether C1 lies on the curve shows when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sm2Cipher {
    /// x of C1.
    pub x: [u8; 32],
    /// y of C1.
    pub y: [u8; 32],
    /// Hash over x2‖plaintext‖y2.
    pub c3: [u8; 32],
    /// Encrypted text, as long as the plaintext.
    pub c2: Vec<u8>,
}

/// How a ciphertext is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CipherForm {
    /// GM/T 0009: `SEQUENCE { INTEGER x, INTEGER y, OCTET STRING C3, OCTET STRING C2 }`.
    Der,
    /// `04‖x‖y‖C3‖C2`, the order of the present standard.
    C1C3C2,
    /// `04‖x‖y‖C2‖C3`, the older order.
    C1C2C3,
    /// [`C1C3C2`](Self::C1C3C2) without the 04.
    BareC1C3C2,
    /// [`C1C2C3`](Self::C1C2C3) without the 04.
    BareC1C2C3,
}

#[derive(Sequence)]
struct DerCipher<'a> {
    x: UintRef<'a>,
    y: UintRef<'a>,
    c3: &'a OctetStringRef,
    c2: &'a OctetStringRef,
}

impl Sm2Cipher {
    /// Reads `bytes` in the given form.
    ///
    /// # Errors
    /// `CipherForm` if they do not have it.
    pub fn from_bytes(form: CipherForm, bytes: &[u8]) -> Result<Self> {
        match form {
            CipherForm::Der => Self::from_der(bytes),
            CipherForm::C1C3C2 | CipherForm::C1C2C3 => {
                let bare = bytes.strip_prefix(&[4]).ok_or_else(|| Error::CipherForm("no 04 at the start".into()))?;
                Self::from_bare(bare, form == CipherForm::C1C2C3)
            }
            CipherForm::BareC1C3C2 => Self::from_bare(bytes, false),
            CipherForm::BareC1C2C3 => Self::from_bare(bytes, true),
        }
    }

    /// Reads DER, or else `04‖x‖y‖C3‖C2`: the two forms that can be told from each other.
    ///
    /// # Errors
    /// `CipherForm` if it is neither.
    pub fn detect(bytes: &[u8]) -> Result<Self> {
        match bytes.first() {
            Some(0x30) => Self::from_der(bytes),
            Some(0x04) => Self::from_bytes(CipherForm::C1C3C2, bytes),
            _ => Err(Error::CipherForm("neither der nor a point at the start".into())),
        }
    }

    /// Writes it in the given form.
    pub fn to_bytes(&self, form: CipherForm) -> Vec<u8> {
        let (x, y, c3, c2) = (&self.x[..], &self.y[..], &self.c3[..], &self.c2[..]);
        match form {
            CipherForm::Der => self.to_der(),
            CipherForm::C1C3C2 => [&[4], x, y, c3, c2].concat(),
            CipherForm::C1C2C3 => [&[4], x, y, c2, c3].concat(),
            CipherForm::BareC1C3C2 => [x, y, c3, c2].concat(),
            CipherForm::BareC1C2C3 => [x, y, c2, c3].concat(),
        }
    }

    fn from_bare(bytes: &[u8], old_order: bool) -> Result<Self> {
        let short = || Error::CipherForm(format!("{} bytes are too few", bytes.len()));
        let (x, rest) = bytes.split_first_chunk::<32>().ok_or_else(short)?;
        let (y, rest) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        let (c3, c2) = if old_order {
            rest.split_last_chunk::<32>().map(|(c2, c3)| (c3, c2)).ok_or_else(short)?
        } else {
            rest.split_first_chunk::<32>().ok_or_else(short)?
        };
        Self::checked(Self { x: *x, y: *y, c3: *c3, c2: c2.to_vec() })
    }

    fn from_der(bytes: &[u8]) -> Result<Self> {
        let malformed = |e: der::Error| Error::CipherForm(e.to_string());
        let read = DerCipher::from_der(bytes).map_err(malformed)?;
        let (mut x, mut y) = ([0; 32], [0; 32]);
        let too_long = |_| Error::CipherForm("a coordinate of more than 32 bytes".into());
        right_align(read.x.as_bytes(), &mut x).map_err(too_long)?;
        right_align(read.y.as_bytes(), &mut y).map_err(too_long)?;
        let c3 = read.c3.as_bytes();
        let c3 = c3.try_into().map_err(|_| Error::CipherForm(format!("a hash of {} bytes", c3.len())))?;
        Self::checked(Self { x, y, c3, c2: read.c2.as_bytes().to_vec() })
    }

    fn checked(cipher: Self) -> Result<Self> {
        if cipher.c2.is_empty() { Err(Error::CipherForm("no encrypted text in it".into())) } else { Ok(cipher) }
    }

    fn to_der(&self) -> Vec<u8> {
        let encode = || {
            let (x, y) = (UintRef::new(&self.x)?, UintRef::new(&self.y)?);
            DerCipher { x, y, c3: OctetStringRef::new(&self.c3)?, c2: OctetStringRef::new(&self.c2)? }.to_der()
        };
        // Fails only for a C2 of more than 256 MiB; an empty answer opens nowhere.
        encode().unwrap_or_default()
    }
}

impl From<Sm2Cipher> for Wrapped {
    fn from(cipher: Sm2Cipher) -> Self {
        Self::Sm2 { x: cipher.x, y: cipher.y, c3: cipher.c3, c2: cipher.c2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMS: [CipherForm; 5] =
        [CipherForm::Der, CipherForm::C1C3C2, CipherForm::C1C2C3, CipherForm::BareC1C3C2, CipherForm::BareC1C2C3];

    fn ciphers() -> impl Strategy<Value = Sm2Cipher> {
        let number = || (proptest::array::uniform32(any::<u8>()), 0..32_usize);
        let text = proptest::collection::vec(any::<u8>(), 1..200);
        (number(), number(), proptest::array::uniform32(any::<u8>()), text).prop_map(
            |((mut x, nx), (mut y, ny), c3, c2)| {
                x[..nx].fill(0);
                y[..ny].fill(0);
                Sm2Cipher { x, y, c3, c2 }
            },
        )
    }

    proptest! {
        #[test]
        fn every_form_brings_the_same_cipher_back(cipher in ciphers()) {
            for form in FORMS {
                prop_assert_eq!(Sm2Cipher::from_bytes(form, &cipher.to_bytes(form)), Ok(cipher.clone()));
            }
            prop_assert_eq!(Sm2Cipher::detect(&cipher.to_bytes(CipherForm::Der)), Ok(cipher.clone()));
            prop_assert_eq!(Sm2Cipher::detect(&cipher.to_bytes(CipherForm::C1C3C2)), Ok(cipher));
        }

        #[test]
        fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for form in FORMS {
                if let Ok(cipher) = Sm2Cipher::from_bytes(form, &bytes) {
                    prop_assert_eq!(cipher.to_bytes(form), bytes.clone());
                }
            }
            let _ = Sm2Cipher::detect(&bytes);
        }

        #[test]
        fn a_cut_der_is_refused(cipher in ciphers(), keep in 0.0..1.0_f64) {
            let der = cipher.to_bytes(CipherForm::Der);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let keep = (der.len() as f64 * keep) as usize;
            prop_assert!(Sm2Cipher::from_bytes(CipherForm::Der, &der[..keep]).is_err());
        }
    }
}
