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
