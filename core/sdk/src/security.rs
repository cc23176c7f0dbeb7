//! The security trait (安全介质): private keys stay behind it. Verification, hashing and public-key
//! operations are always software (`kouan-sm`).

use crate::{Error, Health, Result};
use zeroize::Zeroizing;

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// SM2 on the recommended curve.
    Sm2,
    /// RSA of any length (legacy cards).
    Rsa,
}

/// How to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// SM2 with SM3; the signature is raw r‖s, 64 bytes.
    Sm2Sm3,
    /// RSA PKCS#1 v1.5 with SHA-1; for legacy cards, behind a policy.
    RsaSha1,
}

/// A key inside a backend, by the backend's own name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

/// A key and its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityIdentity {
    /// Names the key in calls.
    pub key: KeyId,
    /// See [`KeyKind`].
    pub kind: KeyKind,
    /// X.509 certificate, DER.
    pub certificate: Vec<u8>,
    /// May sign.
    pub signs: bool,
    /// May unwrap content keys.
    pub unwraps: bool,
    /// How many requests the device takes in one call; 1 for a card.
    pub max_batch: usize,
}

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInput<'a> {
    /// The message; the backend (or the device) hashes, for SM2 with Z of the user id.
    Message(&'a [u8]),
    /// The finished digest: for SM2 e = SM3(Z‖M), 32 bytes. `NotSupported` where the device insists on the message.
    Digest(&'a [u8]),
}

/// One signature wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignRequest<'a> {
    /// With this key.
    pub key: &'a KeyId,
    /// In this way.
    pub scheme: Scheme,
    /// SM2 user id; `1234567812345678` unless a profile says otherwise.
    pub user_id: &'a [u8],
    /// Of this.
    pub input: SignInput<'a>,
}

/// A wrapped content key, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrapped {
    /// An SM2 ciphertext.
    Sm2 {
        /// x of C1, 32 bytes.
        x: [u8; 32],
        /// y of C1, 32 bytes.
        y: [u8; 32],
        /// Hash.
        c3: [u8; 32],
        /// Cipher text.
        c2: Vec<u8>,
    },
    /// An RSA PKCS#1 v1.5 ciphertext.
    Rsa(Vec<u8>),
}

/// One content key to unwrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwrapRequest<'a> {
    /// With this key.
    pub key: &'a KeyId,
    /// This.
    pub wrapped: &'a Wrapped,
}

/// One backend instance: one identity's device.
pub trait Security: Send + Sync {
    /// Keys and certificates at hand. Needs no PIN where the device allows that.
    fn identities(&self) -> Result<Vec<SecurityIdentity>>;

    /// One result for each request, in order. Kind `Auth` when locked: never retried by itself.
    /// Raw r‖s for SM2, the PKCS#1 block for RSA.
    fn sign(&self, batch: &[SignRequest<'_>]) -> Vec<Result<Vec<u8>>>;

    /// One content key for each request.
    fn unwrap(&self, batch: &[UnwrapRequest<'_>]) -> Vec<Result<Zeroizing<Vec<u8>>>>;

    /// Presents the PIN or password. A wrong one is kind `Auth`, and is not tried again by anybody but a person.
    fn login(&self, secret: &Zeroizing<String>) -> Result<()>;

    /// Forgets the PIN.
    fn logout(&self) -> Result<()>;

    /// Whether the device answers and is logged in.
    fn probe(&self) -> Health;

    /// Releases the device; may be called concurrently, and twice.
    fn close(&self);
}

/// The answer of a backend that is locked.
pub fn locked(what: &str) -> Error {
    Error::new(crate::ErrorKind::Auth, "KOUAN-SECURITY-LOCKED", format!("{what} is locked: no PIN or password yet"))
}
