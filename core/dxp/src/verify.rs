//! Verifying an enveloped signature, every step recorded with what was expected and what was found.

mod chinese;
mod outcome;
mod steps;

pub use outcome::{Examined, NotVerified, Requirement, SignatureState, Step, TrustState, Verification, Verified};

use crate::{DigestMethod, DxpError, SignatureMethod, Trust, read, signature};
use kouan_sdk::Timestamp;
use kouan_sdk::business::RootName;
use kouan_xml::{Event, Limits, Reader, decode};

/// What is accepted of a signature that is mathematically right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Signature methods.
    pub signatures: Vec<SignatureMethod>,
    /// Digest methods.
    pub digests: Vec<DigestMethod>,
    /// Whether an SM2 value may be DER; raw r‖s always may.
    pub der_values: bool,
    /// Whether comments may stand in the root element; no signature covers them.
    pub comments: bool,
    /// SM2 user id.
    pub user_id: Vec<u8>,
    /// Limits for reading.
    pub limits: Limits,
    /// Longest payload, in bytes; a packed one is unpacked no further.
    pub max_payload: usize,
}

impl Policy {
    /// What customs asks since 2022 and nothing else: SM2 with SM3, raw values, no comments.
    pub fn strict() -> Self {
        Self {
            signatures: vec![SignatureMethod::Sm2Sm3],
            digests: vec![DigestMethod::Sm3],
            der_values: false,
            comments: false,
            user_id: kouan_sm::DEFAULT_USER_ID.to_vec(),
            limits: read::limits(),
            max_payload: read::MAX_PAYLOAD,
        }
    }

    /// [`Policy::strict`] and what legacy cards and old programs write: RSA with SHA-1, the old names, DER values.
    pub fn legacy() -> Self {
        Self {
            signatures: SignatureMethod::ALL.to_vec(),
            digests: DigestMethod::ALL.to_vec(),
            der_values: true,
            ..Self::strict()
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::strict()
    }
}

/// Verifies an envelope and reads it. Only what was verified is returned, and only what was verified is unpacked.
///
/// # Errors
/// Unreadable, unsigned, not verified, not allowed by the policy, not trusted at `at`, or a field at fault; the first
/// reason's code, and all steps if it came that far.
pub fn verify(bytes: &[u8], policy: &Policy, trust: &Trust, at: Timestamp) -> Result<Verified, NotVerified> {
    examine(bytes, policy, trust, at, |verification, fields| {
        let not_verified = |code, message, verification| {
            Err(NotVerified { code, message, verification: Some(Box::new(verification)) })
        };
        if let Some(failed) = verification.steps.iter().find(|step| !step.ok) {
            return not_verified(failed.code, failed.to_string(), verification);
        }
        match fields.finish(policy.max_payload) {
            Ok(message) => Ok(Verified { message, verification }),
            Err(error) => not_verified(error.code(), error.to_string(), verification),
        }
    })?
}

/// Looks at any XML document with an enveloped signature, whatever its root, and says all there is to say.
///
/// # Errors
/// Not readable as XML. A missing or wrong signature is no error here.
pub fn verify_any(bytes: &[u8], policy: &Policy, trust: &Trust, at: Timestamp) -> Result<Examined, DxpError> {
    examine(bytes, policy, trust, at, |verification, fields| {
        let root = fields.root().cloned().unwrap_or_else(|| RootName::new("", ""));
        Examined { root, verification, message: fields.finish(policy.max_payload) }
    })
}

/// Reads and goes through all steps; `then` makes something of it while the bytes are at hand.
fn examine<T>(
    bytes: &[u8],
    policy: &Policy,
    trust: &Trust,
    at: Timestamp,
    then: impl FnOnce(Verification, read::Collector<'_>) -> T,
) -> Result<T, DxpError> {
    let decoded = decode(bytes, &policy.limits)?;
    let mut reader = Reader::new(&decoded, &policy.limits);
    let mut fields = read::Collector::new(&decoded);
    let mut claims = signature::Collector::default();
    let mut root_offset = 0;
    while let Some(event) = reader.next()? {
        if let Event::Start(start) = &event
            && start.depth == 1
        {
            root_offset = start.offset;
        }
        fields.event(&event);
        claims.event(&event);
    }
    let verification = steps::examine(&decoded, root_offset, &claims.finish(), policy, trust, at)?;
    Ok(then(verification, fields))
}
