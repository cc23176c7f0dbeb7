//! SM2, SM3, SM4 and what legacy cards need of RSA: the one place for public-key operations, codecs and certificates.
//!
//! Private keys in devices stay behind `kouan_sdk::Security`; what is here works on public keys, on digests, and on the
//! key files of the software backend. Inside the house a signature is raw r‖s ([`RawSignature`]) and a ciphertext is
//! parsed ([`Sm2Cipher`]); every other form is read and written at the edges, here.
//!
//! This room must not know a device, an envelope, a business, nor where files lie.

#![forbid(unsafe_code)]

mod certificate;
mod cipher;
mod content;
mod encrypt;
mod eport;
mod error;
mod hash;
mod issue;
mod key_file;
mod private_key;
mod public_key;
mod rsa_keys;
mod signature_value;
mod trust;

pub use certificate::{Certificate, CertificateKey, KeyUsage};
pub use cipher::{CipherForm, Sm2Cipher};
pub use content::{ContentCipher, Padding, sm4_decrypt_block, sm4_encrypt_block};
pub use encrypt::kdf;
pub use eport::CardExtensions;
pub use error::{Error, Result};
pub use hash::{Sha1, Sm3, sha1, sm3};
pub use issue::{DistinguishedName, Issuer, LeafRequest, certificate_request, issue_leaf, self_signed_ca};
pub use key_file::AnyPrivateKey;
pub use private_key::PrivateKey;
pub use public_key::{DEFAULT_USER_ID, PublicKey, e, z};
pub use rsa_keys::{RsaPrivateKey, RsaPublicKey};
pub use signature_value::RawSignature;
pub use trust::TrustAnchors;
