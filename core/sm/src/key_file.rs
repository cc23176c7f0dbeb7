//! Key files: PKCS#8 as PEM, encrypted by a password (PBES2) so that OpenSSL 3 reads them too, or in the clear.

use crate::{Error, PrivateKey, Result, RsaPrivateKey};
use der::pem::LineEnding;
use der::{Decode, SecretDocument};
use kouan_sdk::security::KeyKind;
use pkcs8::pkcs5::{self, pbes2};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use zeroize::Zeroizing;

/// scrypt's cost for new key files: N = 2^14, r = 8, p = 1, which is the most that OpenSSL takes by default
/// (32 MiB). About 50 ms in an optimised build.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

const CLEAR: &str = "PRIVATE KEY";
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// A private key of a kind that a card can have.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)]
pub enum AnyPrivateKey {
    /// SM2.
    Sm2(PrivateKey),
    /// RSA, legacy.
    Rsa(RsaPrivateKey),
}

impl AnyPrivateKey {
    /// Reads PKCS#8, DER.
    ///
    /// # Errors
    /// `PrivateKey` if it is malformed or of a kind not known here.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self> {
        let info = PrivateKeyInfoRef::from_der(der).map_err(|e| Error::PrivateKey(e.to_string()))?;
        match info.algorithm.oid.to_string().as_str() {
            "1.2.840.113549.1.1.1" => RsaPrivateKey::from_pkcs8(der).map(Self::Rsa),
            "1.2.840.10045.2.1" => PrivateKey::from_pkcs8(der).map(Self::Sm2),
            other => Err(Error::PrivateKey(format!("algorithm {other} is neither sm2 nor rsa"))),
        }
    }

    /// Reads a key file, PEM. A password given for a file in the clear is not used.
    ///
    /// # Errors
    /// `WrongPassword`; `PasswordMissing` if the file is encrypted; `PrivateKey` if it is no key file.
    pub fn from_pem(pem: &str, password: Option<&str>) -> Result<Self> {
        let (label, document) =
            SecretDocument::from_pem(pem.trim_start()).map_err(|e| Error::PrivateKey(e.to_string()))?;
        match label {
            CLEAR => Self::from_pkcs8(document.as_bytes()),
            ENCRYPTED => Self::from_encrypted(document.as_bytes(), password.ok_or(Error::PasswordMissing)?),
            other => Err(Error::PrivateKey(format!("a pem file of {other:?}, not of a pkcs#8 key"))),
        }
    }

    /// Whether a PEM text is an encrypted key file.
    pub fn is_encrypted(pem: &str) -> bool {
        pem.trim_start().lines().next().is_some_and(|line| line.contains(ENCRYPTED))
    }

    fn from_encrypted(der: &[u8], password: &str) -> Result<Self> {
        let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|e| Error::PrivateKey(e.to_string()))?;
        let clear = info.decrypt(password).map_err(|error| match error {
            pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::UnsupportedAlgorithm { oid }) => {
                Error::PrivateKey(format!("it is encrypted by algorithm {oid}, which is not known here"))
            }
            // A wrong key gives wrong padding, or, once in 256 times, good padding around no DER.
            _ => Error::WrongPassword,
        })?;
        Self::from_pkcs8(clear.as_bytes())
    }

    /// Writes an encrypted key file, PEM.
    ///
    /// # Errors
    /// `Random`; `PrivateKey` if it cannot be encoded.
    pub fn to_encrypted_pem(&self, password: &str) -> Result<Zeroizing<String>> {
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        getrandom::fill(&mut salt).and_then(|()| getrandom::fill(&mut iv)).map_err(|_| Error::Random)?;
        let failed = |e: &dyn std::fmt::Display| Error::PrivateKey(e.to_string());
        let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).map_err(|e| failed(&e))?;
        let scheme = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv).map_err(|e| failed(&e))?;
        let der = self.to_pkcs8()?;
        let info = PrivateKeyInfoRef::from_der(&der).map_err(|e| failed(&e))?;
        let document = info.encrypt_with_params(scheme, password).map_err(|e| failed(&e))?;
        document.to_pem(ENCRYPTED, LineEnding::LF).map_err(|e| failed(&e))
    }

    /// Writes a key file in the clear, PEM; for tests and for handing a key over.
    ///
    /// # Errors
    /// `PrivateKey` if it cannot be encoded.
    pub fn to_clear_pem(&self) -> Result<Zeroizing<String>> {
        let document = SecretDocument::try_from(self.to_pkcs8()?.as_slice());
        let document = document.map_err(|e| Error::PrivateKey(e.to_string()))?;
        document.to_pem(CLEAR, LineEnding::LF).map_err(|e| Error::PrivateKey(e.to_string()))
    }

    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        match self {
            Self::Sm2(key) => key.to_pkcs8(),
            Self::Rsa(key) => key.to_pkcs8(),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Sm2(_) => KeyKind::Sm2,
            Self::Rsa(_) => KeyKind::Rsa,
        }
    }
}
