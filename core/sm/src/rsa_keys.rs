//! RSA with PKCS#1 v1.5, for the legacy generation of cards (`rsa-sha1`) and the certificates of their issuers.

use crate::{Error, Result};
use ::rsa::traits::PublicKeyParts;
use ::sm2::elliptic_curve::common::getrandom::SysRng;
use der::Decode;
use pkcs8::{DecodePrivateKey, EncodePrivateKey};
use spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroizing;

/// An RSA public key of 1,024 to 8,192 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaPublicKey(::rsa::PublicKey);

impl RsaPublicKey {
    /// From a `SubjectPublicKeyInfo`, DER.
    ///
    /// # Errors
    /// `PublicKey` if it is malformed, of another kind or size.
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|e| Error::PublicKey(e.to_string()))?;
        ::rsa::PublicKey::try_from(info).map(Self).map_err(|e| Error::PublicKey(e.to_string()))
    }

    /// Length of the modulus in bytes, which is the length of every signature and ciphertext.
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Verifies `rsa-sha1` over `message`.
    ///
    /// # Errors
    /// `SignatureInvalid`.
    pub fn verify_sha1(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        self.0.pkcs1v15_verify::<::sha1::Sha1>(message, signature).map_err(|_| Error::SignatureInvalid)
    }

    /// Verifies `rsa-sha1` over a finished SHA-1 digest.
    ///
    /// # Errors
    /// `SignatureInvalid`.
    pub fn verify_sha1_digest(&self, digest: &[u8; 20], signature: &[u8]) -> Result<()> {
        self.0.pkcs1v15_verify_prehash::<::sha1::Sha1>(digest, signature).map_err(|_| Error::SignatureInvalid)
    }

    /// Verifies `rsa-sha256` over `message`; issuers of certificates use it.
    ///
    /// # Errors
    /// `SignatureInvalid`.
    pub fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        self.0.pkcs1v15_verify::<::sha2::Sha256>(message, signature).map_err(|_| Error::SignatureInvalid)
    }

    /// Encrypts a content key (PKCS#1 v1.5).
    ///
    /// # Errors
    /// `Length` if it is longer than the modulus allows; `Random`.
    pub fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>> {
        let want = self.size().saturating_sub(11);
        if plaintext.len() > want {
            return Err(Error::Length { what: "plaintext", got: plaintext.len(), want });
        }
        self.0.pkcs1v15_encrypt_with_rng(&mut SysRng, plaintext).map_err(|_| Error::Random)
    }
}

/// An RSA private key in memory; wiped when dropped.
pub struct RsaPrivateKey(::rsa::PrivateKey);

impl RsaPrivateKey {
    /// From PKCS#8 `PrivateKeyInfo`, DER.
    ///
    /// # Errors
    /// `PrivateKey` if it is malformed or of another kind.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        ::rsa::PrivateKey::from_pkcs8_der(der).map(Self).map_err(|e| Error::PrivateKey(e.to_string()))
    }

    /// As PKCS#8 `PrivateKeyInfo`, DER.
    ///
    /// # Errors
    /// `PrivateKey` if it cannot be encoded.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        let document = self.0.to_pkcs8_der().map_err(|e| Error::PrivateKey(e.to_string()))?;
        Ok(Zeroizing::new(document.as_bytes().to_vec()))
    }

    /// The public half.
    pub fn public_key(&self) -> RsaPublicKey {
        RsaPublicKey(self.0.to_public_key())
    }

    /// Signs a finished SHA-1 digest.
    ///
    /// # Errors
    /// `Random` if blinding or the private operation fails.
    pub fn sign_sha1_digest(&self, digest: &[u8; 20]) -> Result<Vec<u8>> {
        let signed = self.0.pkcs1v15_sign_prehash_with_rng::<::sha1::Sha1, _>(&mut SysRng, digest);
        signed.map_err(|_| Error::Random)
    }

    /// Signs `message` with SHA-1.
    ///
    /// # Errors
    /// `Random` if blinding or the private operation fails.
    pub fn sign_sha1(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.sign_sha1_digest(&crate::sha1(message))
    }

    /// Opens a content key (PKCS#1 v1.5). A ciphertext for another key gives bytes without meaning instead of an error,
    /// so that nobody learns from the difference; the content's own padding tells.
    ///
    /// # Errors
    /// `Decryption` if the length is not the modulus's.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let opened = self.0.pkcs1v15_decrypt_with_rng(&mut SysRng, ciphertext);
        opened.map(Zeroizing::new).map_err(|_| Error::Decryption)
    }
}

impl std::fmt::Debug for RsaPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RsaPrivateKey").field("bits", &(self.0.size() * 8)).finish_non_exhaustive()
    }
}
