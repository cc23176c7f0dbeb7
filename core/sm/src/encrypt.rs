//! SM2 encryption and decryption (GB/T 32918.4), over the curve arithmetic of the `sm2` crate.
//!
//! Composed here because that crate's own encryption multiplies once too often (by the cofactor 1), leaves plaintext
//! unwiped, and does not give the parsed form.

use crate::private_key::random_scalar;
use crate::{Error, PublicKey, Result, Sm2Cipher, Sm3};
use ::sm2::elliptic_curve::Group;
use ::sm2::elliptic_curve::sec1::ToSec1Point;
use ::sm2::{NonZeroScalar, ProjectivePoint};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// The key derivation of GB/T 32918: SM3(secret‖1)‖SM3(secret‖2)‖…, cut to `length` bytes.
pub fn kdf(secret: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(length + 32));
    let mut counter = 1_u32;
    while out.len() < length {
        let mut hash = Sm3::new();
        hash.update(secret);
        hash.update(&counter.to_be_bytes());
        out.extend_from_slice(&hash.finish());
        counter = counter.wrapping_add(1);
    }
    out.truncate(length);
    out
}

impl PublicKey {
    /// Encrypts a short secret (a content key, say); `plaintext` must not be empty.
    ///
    /// # Errors
    /// `Length` for an empty plaintext; `Random`.
    pub fn encrypt(&self, plaintext: &[u8]) -> Result<Sm2Cipher> {
        if plaintext.is_empty() {
            return Err(Error::Length { what: "plaintext", got: 0, want: 1 });
        }
        loop {
            if let Some(cipher) = self.encrypt_with(plaintext, &random_scalar()?) {
                return Ok(cipher);
            }
        }
    }

    /// `None` if the key stream is all zero, for which the standard asks for another k.
    pub(crate) fn encrypt_with(&self, plaintext: &[u8], k: &NonZeroScalar) -> Option<Sm2Cipher> {
        let c1 = ProjectivePoint::mul_by_generator(k).to_affine().to_sec1_point(false);
        let (x, y) = coordinates(c1.as_bytes())?;
        let shared = Shared::new(ProjectivePoint::from(*self.inner().as_affine()) * **k)?;
        let stream = kdf(&shared.0, plaintext.len());
        if stream.iter().all(|&byte| byte == 0) {
            return None;
        }
        let c2 = plaintext.iter().zip(stream.iter()).map(|(text, mask)| text ^ mask).collect();
        Some(Sm2Cipher { x, y, c3: shared.hash(plaintext), c2 })
    }
}

/// Opens a ciphertext with the private scalar.
pub(crate) fn decrypt(secret: &NonZeroScalar, cipher: &Sm2Cipher) -> Result<Zeroizing<Vec<u8>>> {
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&cipher.x);
    point[33..].copy_from_slice(&cipher.y);
    let c1 = ::sm2::PublicKey::from_sec1_bytes(&point)
        .map_err(|_| Error::CipherForm("c1 is no point of the sm2 curve".into()))?;
    let shared = Shared::new(ProjectivePoint::from(*c1.as_affine()) * **secret).ok_or(Error::Decryption)?;
    let mut text = kdf(&shared.0, cipher.c2.len());
    for (byte, encrypted) in text.iter_mut().zip(&cipher.c2) {
        *byte ^= encrypted;
    }
    if bool::from(shared.hash(&text).ct_eq(&cipher.c3)) { Ok(text) } else { Err(Error::Decryption) }
}

/// x2‖y2, the point that only both sides know.
struct Shared([u8; 64]);

impl Shared {
    fn new(point: ProjectivePoint) -> Option<Self> {
        let encoded = point.to_affine().to_sec1_point(false);
        let (x, y) = coordinates(encoded.as_bytes())?;
        let mut both = [0; 64];
        both[..32].copy_from_slice(&x);
        both[32..].copy_from_slice(&y);
        Some(Self(both))
    }

    fn hash(&self, text: &[u8]) -> [u8; 32] {
        let mut hash = Sm3::new();
        hash.update(&self.0[..32]);
        hash.update(text);
        hash.update(&self.0[32..]);
        hash.finish()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// x and y of `04‖x‖y`; `None` for the point at infinity.
fn coordinates(point: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let (x, y) = point.strip_prefix(&[4])?.split_first_chunk::<32>()?;
    Some((*x, y.try_into().ok()?))
}
