//! The steps themselves.

use super::{Policy, Requirement, SignatureState, Step, TrustState, Verification};
use crate::profile::{C14N, ENVELOPED, Hash};
use crate::signature::{Claims, Reference};
use crate::{DigestMethod, DxpError, SignatureMethod, Trust, base64};
use kouan_sdk::Timestamp;
use kouan_sdk::security::KeyKind;
use kouan_sm::{Certificate, CertificateKey, PublicKey, RawSignature};
use kouan_xml::Decoded;
use kouan_xml::c14n::{self, Comments, Part};

/// The value is one by another user id than the policy's.
const WRONG_USER_ID: &str = "KOUAN-DXP-WRONG-USER-ID";
/// No signature at all.
const ABSENT: &str = "KOUAN-DXP-SIGNATURE-ABSENT";
/// The certificate says that its key is for something else.
const NOT_FOR_SIGNING: &str = "KOUAN-DXP-CERTIFICATE-NOT-FOR-SIGNING";

/// Goes through all steps.
pub(super) fn examine(
    decoded: &Decoded<'_>,
    root_offset: usize,
    claims: &Claims,
    policy: &Policy,
    trust: &Trust,
    at: Timestamp,
) -> Result<Verification, DxpError> {
    let mut run = Run { decoded, claims, policy, steps: Vec::with_capacity(17) };
    let method = SignatureMethod::from_uri(&claims.method);
    let digest = claims.references.first().and_then(|reference| DigestMethod::from_uri(&reference.digest_method));
    let (mut certificate, mut signature) = (None, SignatureState::Invalid);
    if claims.count == 0 {
        run.step_coded(Requirement::OneSignature, ABSENT, false, "one Signature", "none");
        signature = SignatureState::Absent;
    } else if let Some((method, digest, reference)) = run.form(method, digest) {
        run.digest(digest, reference)?;
        certificate = run.certificate(trust, method);
        if let Some(certificate) = &certificate {
            run.signature(method, certificate)?;
        }
        signature = run.state();
        run.allowed(method, digest, root_offset);
    }
    let trust = run.trust(certificate.as_ref(), trust, at);
    let key_name = claims.key_name.clone();
    Ok(Verification { steps: run.steps, signature, trust, certificate, key_name, method, digest })
}

struct Run<'e> {
    decoded: &'e Decoded<'e>,
    claims: &'e Claims,
    policy: &'e Policy,
    steps: Vec<Step>,
}

impl<'e> Run<'e> {
    fn step(&mut self, requirement: Requirement, ok: bool, expected: &str, got: &str) -> bool {
        self.step_coded(requirement, requirement.code(), ok, expected, got)
    }

    fn step_coded(
        &mut self,
        requirement: Requirement,
        code: &'static str,
        ok: bool,
        expected: &str,
        got: &str,
    ) -> bool {
        let got = got.chars().take(200).collect();
        self.steps.push(Step { requirement, ok, expected: expected.to_owned(), got, code });
        ok
    }

    /// The form of the signature. `None` if nothing can or may be computed.
    fn form(
        &mut self,
        method: Option<SignatureMethod>,
        digest: Option<DigestMethod>,
    ) -> Option<(SignatureMethod, DigestMethod, &'e Reference)> {
        let claims = self.claims;
        let mut good = self.step(Requirement::OneSignature, claims.count == 1, "1", &claims.count.to_string());
        let depth = format!("depth {}", claims.depth);
        good &= self.step(Requirement::Place, claims.depth == 2, "child of the root (depth 2)", &depth);
        let misfit = match (&claims.malformed, claims.signed_info, &claims.value) {
            (Some(what), ..) => format!("unexpected or repeated {what}"),
            (None, None, _) => "no SignedInfo".into(),
            (None, _, None) => "no SignatureValue".into(),
            _ => String::new(),
        };
        let form = if misfit.is_empty() { "well-formed" } else { misfit.as_str() };
        good &= self.step(Requirement::Form, misfit.is_empty(), "well-formed", form);
        let canonicalization = claims.canonicalization.as_str();
        good &= self.step(Requirement::Canonicalization, canonicalization == C14N, C14N, canonicalization);
        let uris: Vec<&str> = claims.references.iter().map(|r| r.uri.as_deref().unwrap_or("(none)")).collect();
        let whole = uris == [""];
        good &= self.step(Requirement::Reference, whole, "one, URI=\"\"", &format!("{}: {uris:?}", uris.len()));
        let reference = claims.references.first()?;
        let transforms: Vec<&str> = reference.transforms.iter().map(String::as_str).collect();
        let usual = transforms == [ENVELOPED] || transforms == [ENVELOPED, C14N];
        good &= self.step(Requirement::Transforms, usual, ENVELOPED, &transforms.join(" "));
        let known = "a known one";
        good &= self.step(Requirement::DigestKnown, digest.is_some(), known, &reference.digest_method);
        good &= self.step(Requirement::MethodKnown, method.is_some(), known, &claims.method);
        Some((method?, digest?, reference)).filter(|_| good)
    }

    fn digest(&mut self, method: DigestMethod, reference: &Reference) -> Result<(), DxpError> {
        let mut hash: Hash = method.start();
        let part = Part::Without(self.claims.offset);
        c14n::write(self.decoded, &self.policy.limits, part, Comments::Drop, &mut |piece| hash.update(piece))?;
        let computed = hash.finish();
        let claimed = base64::decode_plain(&reference.digest_value);
        let ok = claimed.as_ref() == Ok(&computed);
        self.step(Requirement::Digest, ok, &base64::encode(&computed), reference.digest_value.trim());
        Ok(())
    }

    /// The certificate to verify with: the configured one of that name, else KeyInfo's own, which proves nothing about trust.
    fn certificate(&mut self, trust: &Trust, method: SignatureMethod) -> Option<Certificate> {
        let name = self.claims.key_name.as_str();
        let expected = "a configured certificate by KeyName, or one in KeyInfo";
        if let Some(known) = trust.by_key_name(name, method.key_kind()) {
            self.step(Requirement::Certificate, true, expected, &format!("configured, {name}"));
            return Some(known.clone());
        }
        let mut problem = format!("KeyName `{name}` is not configured, no X509Certificate");
        let mut found: Option<Certificate> = None;
        for text in &self.claims.certificates {
            match Certificate::from_base64(text) {
                Ok(read) if read.serial() == name => {
                    found = Some(read);
                    break;
                }
                Ok(read) => {
                    found.get_or_insert(read);
                }
                Err(error) => problem = error.to_string(),
            }
        }
        let got = found.as_ref().map_or(problem, |read| format!("in KeyInfo, {}", read.serial()));
        self.step(Requirement::Certificate, found.is_some(), expected, &got);
        found
    }

    fn signature(&mut self, method: SignatureMethod, certificate: &Certificate) -> Result<(), DxpError> {
        let text = self.claims.value.as_deref().unwrap_or_default();
        let value = match base64::decode_plain(text) {
            Ok(value) => value,
            Err((_, why)) => {
                self.step(Requirement::Value, false, "base64", &why);
                return Ok(());
            }
        };
        let offset = self.claims.signed_info.unwrap_or_default();
        let signed_info = c14n::to_vec(self.decoded, &self.policy.limits, Part::Element(offset))?;
        let expected = "made by the certificate's key over SignedInfo";
        match (method.key_kind(), certificate.public_key()) {
            (KeyKind::Sm2, CertificateKey::Sm2(key)) => {
                let raw = RawSignature::from_slice(&value).or_else(|_| RawSignature::from_der(&value));
                let got = format!("{} bytes", value.len());
                if !self.step(Requirement::Value, raw.is_ok(), "64 bytes raw, or DER", &got) {
                    return Ok(());
                }
                self.sm2(key, &signed_info, &raw?)?;
                let ok = value.len() == 64 || self.policy.der_values;
                let form = if value.len() == 64 { "raw" } else { "DER" };
                let allowed = if self.policy.der_values { "raw or DER" } else { "raw" };
                self.step(Requirement::ValueAllowed, ok, allowed, form);
            }
            (KeyKind::Rsa, CertificateKey::Rsa(key)) => {
                let (want, got) = (format!("{} bytes", key.size()), format!("{} bytes", value.len()));
                if self.step(Requirement::Value, value.len() == key.size(), &want, &got) {
                    let ok = key.verify_sha1(&signed_info, &value).is_ok();
                    self.step(Requirement::Signature, ok, expected, if ok { expected } else { "it is not" });
                }
            }
            (wanted, key) => {
                let (wanted, got) = (format!("a key of kind {wanted:?}"), format!("{:?}", key.kind()));
                self.step(Requirement::Signature, false, &wanted, &got);
            }
        }
        Ok(())
    }

    fn sm2(&mut self, key: &PublicKey, signed_info: &[u8], value: &RawSignature) -> Result<(), DxpError> {
        let expected = "made by the certificate's key over SignedInfo";
        let user_id = self.policy.user_id.as_slice();
        if key.verify(user_id, signed_info, value).is_ok() {
            self.step(Requirement::Signature, true, expected, expected);
            return Ok(());
        }
        // The usual mistakes of other programs, told apart so that they can be mended.
        let others: [&[u8]; 2] = [b"", kouan_sm::DEFAULT_USER_ID];
        match others.into_iter().find(|id| *id != user_id && key.verify(id, signed_info, value).is_ok()) {
            Some(id) => {
                let wanted = format!("user id `{}`", String::from_utf8_lossy(user_id));
                let got = format!("user id `{}`", String::from_utf8_lossy(id));
                self.step_coded(Requirement::Signature, WRONG_USER_ID, false, &wanted, &got);
            }
            None => {
                self.step(Requirement::Signature, false, expected, "it is not");
            }
        }
        Ok(())
    }

    fn state(&self) -> SignatureState {
        let mut failed = self.steps.iter().filter(|step| !step.ok && step.requirement.is_mathematics());
        match (failed.next(), failed.next()) {
            (None, _) => SignatureState::Valid,
            (Some(only), None) if only.requirement == Requirement::Certificate => SignatureState::Unknown,
            _ => SignatureState::Invalid,
        }
    }

    fn allowed(&mut self, method: SignatureMethod, digest: DigestMethod, root_offset: usize) {
        let policy = self.policy;
        let names = policy.digests.iter().map(|method| method.uri()).collect::<Vec<_>>().join(" ");
        self.step(Requirement::DigestAllowed, policy.digests.contains(&digest), &names, digest.uri());
        let names = policy.signatures.iter().map(|method| method.uri()).collect::<Vec<_>>().join(" ");
        self.step(Requirement::MethodAllowed, policy.signatures.contains(&method), &names, method.uri());
        if !policy.comments {
            let comment =
                self.decoded.text()[root_offset..].find("<!--").map(|at| self.decoded.locate(root_offset + at));
            let got = comment.map_or("none".into(), |place| format!("line {}, column {}", place.line, place.column));
            self.step(Requirement::NoComments, comment.is_none(), "none", &got);
        }
    }

    fn trust(&mut self, certificate: Option<&Certificate>, trust: &Trust, at: Timestamp) -> TrustState {
        let untrusted = |code, why: String| TrustState::Untrusted { code, why };
        let state = match certificate {
            None => untrusted(Requirement::Certificate.code(), "no certificate to trust".into()),
            Some(certificate) => match trust.check(certificate, at) {
                Err(error) => untrusted(error.code(), error.to_string()),
                Ok(()) if certificate.key_usage().is_some_and(|usage| !usage.signs) => {
                    untrusted(NOT_FOR_SIGNING, "its key usage does not allow signing".into())
                }
                Ok(()) => TrustState::Trusted,
            },
        };
        match &state {
            TrustState::Trusted => self.step(Requirement::Trust, true, "trusted", "trusted"),
            TrustState::Untrusted { code, why } => self.step_coded(Requirement::Trust, code, false, "trusted", why),
        };
        state
    }
}
