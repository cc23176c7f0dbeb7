//! This backend's errors, by name.

use kouan_sdk::security::{KeyId, Scheme};
use kouan_sdk::{Error, ErrorKind};
use std::fmt::Display;
use std::path::Path;

/// A file cannot be read or written.
pub(crate) fn file(what: &str, path: &Path, error: impl Display) -> Error {
    Error::new(ErrorKind::Unavailable, "KOUAN-SECURITY-FILE", format!("{what} {}: {error}", path.display()))
}

/// A key with this name is there already.
pub(crate) fn exists(path: &Path) -> Error {
    Error::new(ErrorKind::Invalid, "KOUAN-SECURITY-KEY-EXISTS", format!("{} exists already", path.display()))
}

/// The key file is not encrypted, and the configuration does not allow that.
pub(crate) fn unencrypted(path: &Path) -> Error {
    let text = format!("key file {} is not encrypted", path.display());
    Error::new(ErrorKind::Config, "KOUAN-SECURITY-KEY-UNENCRYPTED", text)
}

/// The instance was closed.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Unavailable, "KOUAN-SECURITY-CLOSED", "this security backend is closed")
}

/// No key has this name.
pub(crate) fn unknown_key(key: &KeyId) -> Error {
    Error::new(ErrorKind::Invalid, "KOUAN-SECURITY-UNKNOWN-KEY", format!("there is no key called {:?}", key.0))
}

/// Key and request are of different kinds.
pub(crate) fn kind(what: &str) -> Error {
    Error::new(ErrorKind::Invalid, "KOUAN-SECURITY-KEY-KIND", format!("the key is of another kind than {what}"))
}

/// The scheme does not fit the key.
pub(crate) fn scheme(scheme: Scheme) -> Error {
    kind(match scheme {
        Scheme::Sm2Sm3 => "sm2-sm3 needs",
        Scheme::RsaSha1 => "rsa-sha1 needs",
    })
}

/// RSA with SHA-1 is not allowed by policy.
pub(crate) fn rsa_sha1_off() -> Error {
    let text = "rsa-sha1 is switched off; legacy_rsa_sha1 = true allows it";
    Error::new(ErrorKind::NotSupported, "KOUAN-SECURITY-RSA-SHA1-OFF", text)
}

/// The certificate's public key is not that of the private key.
pub(crate) fn mismatch(certificate: &Path) -> Error {
    let text = format!("certificate {} does not belong to the key", certificate.display());
    Error::new(ErrorKind::Config, "KOUAN-SECURITY-CERT-KEY-MISMATCH", text)
}

/// A development certificate in production.
pub(crate) fn development(certificate: &Path) -> Error {
    let text = format!("certificate {} is a development one, and environment is production", certificate.display());
    Error::new(ErrorKind::Config, "KOUAN-SECURITY-DEVELOPMENT-CERT", text)
}

/// The certificate file holds no certificate.
pub(crate) fn certificate(path: &Path, error: &kouan_sm::Error) -> Error {
    Error::new(ErrorKind::Config, error.code(), format!("certificate {}: {error}", path.display()))
}

/// The key file does not open.
pub(crate) fn key_file(path: &Path, error: kouan_sm::Error) -> Error {
    let kind = if error == kouan_sm::Error::WrongPassword { ErrorKind::Auth } else { ErrorKind::Config };
    Error::new(kind, error.code(), format!("key file {}: {error}", path.display()))
}
