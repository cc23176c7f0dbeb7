//! An SM2 private key in memory: for the software backend, for development certificates, for tests.

use crate::{Error, PublicKey, RawSignature, Result, Sm2Cipher, encrypt};
use ::sm2::elliptic_curve::common::getrandom::{self, SysRng};
use ::sm2::elliptic_curve::ops::Reduce;
use ::sm2::elliptic_curve::point::AffineCoordinates;
use ::sm2::elliptic_curve::{Curve, Generate, Group, PrimeField};
use ::sm2::{FieldBytes, NonZeroScalar, ProjectivePoint, Scalar, SecretKey, Sm2, U256};
use pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rfc6979::KGenerator;
use zeroize::{Zeroize, Zeroizing};

/// How often a nonce is drawn anew before giving up; one repeat is less likely than a broken computer.
const NONCE_ATTEMPTS: usize = 4;

/// An SM2 private key with all that signing needs computed once: the public key, Z, and (1+d)⁻¹.
/// Wiped when dropped; its debug form shows the public half only.
pub struct PrivateKey {
    secret: SecretKey,
    inverse: Scalar,
    public: PublicKey,
}

impl PrivateKey {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// `Random`.
    pub fn generate() -> Result<Self> {
        Self::from_inner(SecretKey::from(random_scalar()?))
    }

    /// From the 32-byte scalar d.
    ///
    /// # Errors
    /// `PrivateKey` if it is zero, n − 1 or beyond.
    pub fn from_scalar(d: &[u8; 32]) -> Result<Self> {
        let secret = SecretKey::from_slice(d).map_err(|_| Error::PrivateKey("a scalar out of range".into()))?;
        Self::from_inner(secret)
    }

    /// From PKCS#8 `PrivateKeyInfo`, DER.
    ///
    /// # Errors
    /// `PrivateKey` if it is malformed or of another kind.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        Self::from_inner(SecretKey::from_pkcs8_der(der).map_err(|e| Error::PrivateKey(e.to_string()))?)
    }

    fn from_inner(secret: SecretKey) -> Result<Self> {
        let public = PublicKey::from_inner(secret.public_key())?;
        let mut d = *secret.to_nonzero_scalar();
        let inverse = (d + Scalar::ONE).invert().into_option();
        d.zeroize();
        let inverse = inverse.ok_or_else(|| Error::PrivateKey("a scalar out of range".into()))?;
        Ok(Self { secret, inverse, public })
    }

    /// As PKCS#8 `PrivateKeyInfo`, DER.
    ///
    /// # Errors
    /// `PrivateKey` if it cannot be encoded, which does not happen for a key that was made here.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        let document = self.secret.to_pkcs8_der().map_err(|e| Error::PrivateKey(e.to_string()))?;
        Ok(Zeroizing::new(document.as_bytes().to_vec()))
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` under `user_id`.
    ///
    /// # Errors
    /// `UserIdTooLong`; `Random`.
    pub fn sign(&self, user_id: &[u8], message: &[u8]) -> Result<RawSignature> {
        self.sign_digest(&self.public.e(user_id, message)?)
    }

    /// Signs the finished digest e. The nonce is derived from key, digest and fresh randomness together (RFC 6979 §3.6),
    /// so that neither a broken generator nor a repeated digest gives the key away.
    ///
    /// # Errors
    /// `Random`.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Result<RawSignature> {
        let mut fresh = Zeroizing::new([0; 32]);
        getrandom::fill(fresh.as_mut()).map_err(|_| Error::Random)?;
        let e = Scalar::reduce(&FieldBytes::from(*digest));
        let mut d = self.secret.to_bytes();
        let mut nonces = KGenerator::<::sm3::Sm3, U256>::new(&d, &e.to_repr(), fresh.as_ref(), &Sm2::ORDER);
        d.zeroize();
        for _ in 0..NONCE_ATTEMPTS {
            let mut bytes = FieldBytes::default();
            nonces.fill_next_k(&mut bytes);
            let mut k = Scalar::from_repr(bytes).into_option().ok_or(Error::Random)?;
            bytes.zeroize();
            let signature = self.sign_with(&e, &k);
            k.zeroize();
            if let Some(signature) = signature {
                return Ok(signature);
            }
        }
        Err(Error::Random)
    }

    /// r = e + x₁, s = (1+d)⁻¹·(k − r·d); `None` where the standard asks for another k.
    fn sign_with(&self, e: &Scalar, k: &Scalar) -> Option<RawSignature> {
        let x1 = ProjectivePoint::mul_by_generator(k).to_affine().x();
        let r = *e + Scalar::reduce(&x1);
        let mut d = *self.secret.to_nonzero_scalar();
        let s = self.inverse * (*k - r * d);
        d.zeroize();
        if bool::from(r.is_zero() | (r + k).is_zero() | s.is_zero()) {
            return None;
        }
        let mut out = [0; 64];
        out[..32].copy_from_slice(&r.to_repr());
        out[32..].copy_from_slice(&s.to_repr());
        Some(RawSignature::new(out))
    }

    /// Opens a ciphertext made for this key.
    ///
    /// # Errors
    /// `CipherForm` if C1 is no point of the curve; `Decryption` if it was made for another key, or changed.
    pub fn decrypt(&self, cipher: &Sm2Cipher) -> Result<Zeroizing<Vec<u8>>> {
        let mut secret = self.secret.to_nonzero_scalar();
        let opened = encrypt::decrypt(&secret, cipher);
        secret.zeroize();
        opened
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        // `secret` wipes itself.
        self.inverse.zeroize();
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey").field("public", &self.public).finish_non_exhaustive()
    }
}

pub(crate) fn random_scalar() -> Result<NonZeroScalar> {
    NonZeroScalar::try_generate_from_rng(&mut SysRng).map_err(|_| Error::Random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DEFAULT_USER_ID;

    /// GB/T 32918.5 annex A and C: the key and nonce of both examples.
    const D: &str = "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8";
    const K: &str = "59276e27d506861a16680f3ad9c02dccef3cc1fa3cdbe4ce6d54b80deac1bc21";

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn key() -> PrivateKey {
        PrivateKey::from_scalar(&bytes(D)).unwrap()
    }

    #[test]
    fn the_standards_nonce_gives_the_standards_signature() {
        let key = key();
        let e = key.public_key().e(DEFAULT_USER_ID, b"message digest").unwrap();
        let e = Scalar::reduce(&FieldBytes::from(e));
        let k = Scalar::from_repr(FieldBytes::from(bytes::<32>(K))).unwrap();
        let expected = "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3\
                        b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa";
        assert_eq!(hex::encode(key.sign_with(&e, &k).unwrap().as_bytes()), expected);
    }

    #[test]
    fn the_standards_nonce_gives_the_standards_ciphertext() {
        let k = NonZeroScalar::try_from(&bytes::<32>(K)[..]).unwrap();
        let cipher = key().public_key().encrypt_with(b"encryption standard", &k).unwrap();
        let expected = "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73\
                        e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0\
                        59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766\
                        21886ca989ca9c7d58087307ca93092d651efa";
        assert_eq!(hex::encode(cipher.to_bytes(crate::CipherForm::C1C3C2)), expected);
        assert_eq!(&**key().decrypt(&cipher).unwrap(), b"encryption standard");
    }

    #[test]
    fn two_signatures_of_one_digest_differ_and_both_verify() {
        let key = PrivateKey::generate().unwrap();
        let (one, other) = (key.sign(b"id", b"m").unwrap(), key.sign(b"id", b"m").unwrap());
        assert_ne!(one, other, "the nonce takes fresh randomness");
        for signature in [one, other] {
            key.public_key().verify(b"id", b"m", &signature).unwrap();
        }
    }

    #[test]
    fn scalars_out_of_range_are_refused() {
        // 0, n - 1 (its successor has no inverse), n, and all ones.
        let minus_one = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54122";
        let order = "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123";
        for scalar in [[0; 32], bytes(minus_one), bytes(order), [0xFF; 32]] {
            assert!(matches!(PrivateKey::from_scalar(&scalar), Err(Error::PrivateKey(_))));
        }
    }

    #[test]
    fn the_debug_form_hides_the_scalar() {
        assert!(!format!("{:?}", key()).contains(&D[..16]));
    }
}
