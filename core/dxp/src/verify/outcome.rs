//! What a verification has to say.

use crate::{DigestMethod, DxpError, DxpMsg, SignatureMethod};
use kouan_sdk::ErrorKind;
use kouan_sdk::business::RootName;
use kouan_sm::Certificate;
use std::fmt;

/// What a step asks for, in the order of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Requirement {
    /// Exactly one Signature in the document.
    OneSignature,
    /// It is a child of the root.
    Place,
    /// It has the form that XML-DSig asks for, and nothing unknown in SignedInfo.
    Form,
    /// Inclusive canonical XML 1.0.
    Canonicalization,
    /// One Reference, to the whole document.
    Reference,
    /// The enveloped-signature transform, and no other but canonicalization.
    Transforms,
    /// A known digest method.
    DigestKnown,
    /// A known signature method.
    MethodKnown,
    /// The document's digest is the one in SignedInfo.
    Digest,
    /// A certificate to verify with.
    Certificate,
    /// SignatureValue has the form that its method asks for.
    Value,
    /// The certificate's key made the value over SignedInfo.
    Signature,
    /// The policy allows the digest method.
    DigestAllowed,
    /// The policy allows the signature method.
    MethodAllowed,
    /// The policy allows the form of the value.
    ValueAllowed,
    /// No comments, unless the policy allows them.
    NoComments,
    /// The certificate is trusted.
    Trust,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was asked.
    pub requirement: Requirement,
    /// Whether it was met.
    pub ok: bool,
    /// What should be.
    pub expected: String,
    /// What is.
    pub got: String,
    /// The code if it is not met.
    pub code: &'static str,
}

/// What the mathematics says, policy and trust aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureState {
    /// The document is what the certificate's key signed.
    Valid,
    /// It is not.
    Invalid,
    /// There is no signature.
    Absent,
    /// The document's digest is right, but no certificate is at hand to verify with.
    Unknown,
}

/// Whether the signer is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustState {
    /// By configuration.
    Trusted,
    /// Not.
    Untrusted {
        /// Code of the reason.
        code: &'static str,
        /// The reason.
        why: String,
    },
}

/// All that was found out about a signature.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Steps in order. After a failure in the form of the signature, nothing is computed any more.
    pub steps: Vec<Step>,
    /// The mathematics.
    pub signature: SignatureState,
    /// The trust.
    pub trust: TrustState,
    /// The certificate used, configured or from KeyInfo.
    pub certificate: Option<Certificate>,
    /// KeyName as it stands.
    pub key_name: String,
    /// Signature method, if known.
    pub method: Option<SignatureMethod>,
    /// Digest method, if known.
    pub digest: Option<DigestMethod>,
}

/// A verified envelope.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Read from the very bytes that were verified.
    pub message: DxpMsg<'static>,
    /// The steps.
    pub verification: Verification,
}

/// What any document with (or without) a signature was found to be.
#[derive(Debug, Clone)]
pub struct Examined {
    /// Its root.
    pub root: RootName,
    /// Its signature.
    pub verification: Verification,
    /// The envelope's fields; `NotDxpMsg` for other documents. Not to be used unless the verification says so.
    pub message: Result<DxpMsg<'static>, DxpError>,
}

/// Why an envelope is not accepted.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct NotVerified {
    /// Code of the first reason.
    pub code: &'static str,
    /// The first reason.
    pub message: String,
    /// All steps, if the document could be read.
    pub verification: Option<Box<Verification>>,
}

impl Requirement {
    /// The code of its failure.
    pub fn code(self) -> &'static str {
        match self {
            Self::OneSignature => "KOUAN-DXP-SIGNATURE-NOT-ONE",
            Self::Place => "KOUAN-DXP-SIGNATURE-MISPLACED",
            Self::Form => "KOUAN-DXP-SIGNATURE-FORM",
            Self::Canonicalization => "KOUAN-DXP-CANONICALIZATION-REFUSED",
            Self::Reference => "KOUAN-DXP-REFERENCE-REFUSED",
            Self::Transforms => "KOUAN-DXP-TRANSFORM-REFUSED",
            Self::DigestKnown | Self::DigestAllowed => "KOUAN-DXP-DIGEST-METHOD-REFUSED",
            Self::MethodKnown | Self::MethodAllowed => "KOUAN-DXP-SIGNATURE-METHOD-REFUSED",
            Self::Digest => "KOUAN-DXP-DIGEST-MISMATCH",
            Self::Certificate => "KOUAN-DXP-CERTIFICATE-UNKNOWN",
            Self::Value | Self::ValueAllowed => "KOUAN-DXP-SIGNATURE-VALUE-FORM",
            Self::Signature => "KOUAN-DXP-SIGNATURE-INVALID",
            Self::NoComments => "KOUAN-DXP-COMMENT",
            Self::Trust => "KOUAN-DXP-CERTIFICATE-UNTRUSTED",
        }
    }

    /// A short name, for JSON and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneSignature => "one-signature",
            Self::Place => "place",
            Self::Form => "form",
            Self::Canonicalization => "canonicalization",
            Self::Reference => "reference",
            Self::Transforms => "transforms",
            Self::DigestKnown => "digest-method",
            Self::MethodKnown => "signature-method",
            Self::Digest => "digest",
            Self::Certificate => "certificate",
            Self::Value => "signature-value",
            Self::Signature => "signature",
            Self::DigestAllowed => "digest-method-allowed",
            Self::MethodAllowed => "signature-method-allowed",
            Self::ValueAllowed => "signature-value-allowed",
            Self::NoComments => "no-comments",
            Self::Trust => "trust",
        }
    }

    /// Whether it is about the mathematics, not policy or trust.
    pub fn is_mathematics(self) -> bool {
        !matches!(self, Self::DigestAllowed | Self::MethodAllowed | Self::ValueAllowed | Self::NoComments | Self::Trust)
    }
}

impl SignatureState {
    /// `valid`, `invalid`, `absent`, `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.requirement.name(), self.expected, self.got)
    }
}

impl From<DxpError> for NotVerified {
    fn from(error: DxpError) -> Self {
        Self { code: error.code(), message: error.to_string(), verification: None }
    }
}

impl From<NotVerified> for kouan_sdk::Error {
    fn from(error: NotVerified) -> Self {
        Self::new(ErrorKind::Invalid, error.code, error.message)
    }
}
