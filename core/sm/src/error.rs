//! What can be wrong with keys, signatures, ciphertexts and certificates.

use kouan_sdk::ErrorKind;

/// Result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this room; each has a stable code in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bytes that are no public key of a kind known here.
    #[error("the public key cannot be read: {0}")]
    PublicKey(String),
    /// Bytes that are no private key of a kind known here.
    #[error("the private key cannot be read: {0}")]
    PrivateKey(String),
    /// The password does not open the key file.
    #[error("the password does not open the key")]
    WrongPassword,
    /// The key file is encrypted and no password was given.
    #[error("the key is encrypted and no password was given")]
    PasswordMissing,
    /// A user id longer than 8191 bytes has no place in Z.
    #[error("the sm2 user id has {0} bytes, more than 8191")]
    UserIdTooLong(usize),
    /// Bytes that are no signature in the form expected.
    #[error("the signature is malformed: {0}")]
    SignatureForm(String),
    /// The mathematics says no.
    #[error("the signature does not match")]
    SignatureInvalid,
    /// Bytes that are no ciphertext in the form expected.
    #[error("the ciphertext is malformed: {0}")]
    CipherForm(String),
    /// Another key, or the ciphertext was changed.
    #[error("the ciphertext does not open with this key")]
    Decryption,
    /// Padding after decryption does not read: another key, or the wrong padding rule.
    #[error("the padding is wrong after decryption")]
    Padding,
    /// A symmetric key or vector of the wrong length.
    #[error("a {what} of {got} bytes was given where {want} are needed")]
    Length {
        /// Key, vector, digest, …
        what: &'static str,
        /// As given.
        got: usize,
        /// As needed.
        want: usize,
    },
    /// An algorithm that this room does not know, or that does not fit the key.
    #[error("algorithm {0} is not known here")]
    Algorithm(String),
    /// Bytes that are no certificate.
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    /// Not signed by a configured anchor.
    #[error("the certificate is not signed by a trusted issuer: {0}")]
    Untrusted(String),
    /// The certificate's time has passed.
    #[error("the certificate expired at {0}")]
    Expired(String),
    /// The certificate's time has not come.
    #[error("the certificate is not valid before {0}")]
    NotYetValid(String),
    /// A name or field that a certificate cannot be made of.
    #[error("the certificate cannot be made: {0}")]
    Issue(String),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl Error {
    /// The code in the catalogue.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PublicKey(_) => "KOUAN-SM-PUBLIC-KEY",
            Self::PrivateKey(_) => "KOUAN-SM-PRIVATE-KEY",
            Self::WrongPassword => "KOUAN-SECURITY-WRONG-PASSWORD",
            Self::PasswordMissing => "KOUAN-SECURITY-LOCKED",
            Self::UserIdTooLong(_) => "KOUAN-SM-USER-ID",
            Self::SignatureForm(_) => "KOUAN-SM-SIGNATURE-FORM",
            Self::SignatureInvalid => "KOUAN-SM-SIGNATURE-INVALID",
            Self::CipherForm(_) => "KOUAN-SM-CIPHER-FORM",
            Self::Decryption => "KOUAN-SM-DECRYPTION",
            Self::Padding => "KOUAN-SM-PADDING",
            Self::Length { .. } => "KOUAN-SM-LENGTH",
            Self::Algorithm(_) => "KOUAN-SM-ALGORITHM",
            Self::Certificate(_) => "KOUAN-SM-CERT-UNREADABLE",
            Self::Untrusted(_) => "KOUAN-SM-CERT-UNTRUSTED",
            Self::Expired(_) => "KOUAN-SM-CERT-EXPIRED",
            Self::NotYetValid(_) => "KOUAN-SM-CERT-NOT-YET-VALID",
            Self::Issue(_) => "KOUAN-SM-CERT-ISSUE",
            Self::Random => "KOUAN-SM-RANDOM",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongPassword | Self::PasswordMissing => ErrorKind::Auth,
            Self::Random => ErrorKind::Internal,
            _ => ErrorKind::Invalid,
        }
    }
}

impl From<Error> for kouan_sdk::Error {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error.code(), error.to_string())
    }
}
