//! The exchange envelope (数据交换信封): `DxpMsg` written and read, its enveloped signature made and verified,
//! wire ids.
//!
//! Signing itself happens in a security backend: [`Unsigned`] gives the bytes to sign and takes the signature.
//!
//! This room must not know any business, any journal, any device.

#![forbid(unsafe_code)]

mod base64;
mod error;
mod message;
mod profile;
mod read;
mod seal;
mod signature;
mod trust;
mod verify;
mod wire_id;
mod write;

pub use error::DxpError;
pub use message::{BizKey, DxpMsg};
pub use profile::{DigestMethod, SignatureMethod, SignatureProfile, ValueForm};
pub use read::{limits, read};
pub use seal::Unsigned;
pub use trust::Trust;
pub use verify::{
    Examined, NotVerified, Policy, Requirement, SignatureState, Step, TrustState, Verification, Verified, verify,
    verify_any,
};
pub use wire_id::WireId;

/// Namespace of the envelope.
pub const DXP_NAMESPACE: &str = "http://www.chinaport.gov.cn/dxp";
/// Namespace of XML signatures.
pub const DSIG_NAMESPACE: &str = "http://www.w3.org/2000/09/xmldsig#";
