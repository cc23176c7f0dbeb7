//! The declaration's own signature, DecSign (`domain/goods-declaration.md` §4.1). Which bytes the Single Window verifies
//! is not public, so a named profile of `signing.toml` says it.

use crate::check::NO_SIGNING_PROFILE;
use crate::data::{Canonicalization, Covers, Profile, SignDate};
use crate::edoc;
use crate::facts::is_declared;
use crate::fill::Form;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kouan_declarative::decoded;
use kouan_sdk::business::{SignatureRequest, Signer};
use kouan_sdk::{Error, ErrorKind, Result, Timestamp};
use kouan_xml::{Limits, c14n};

/// Longest values that the fields take (§1.12).
const LONGEST: [(&str, usize); 5] =
    [("ICCode", 13), ("OperName", 30), ("Sign", 200), ("SignDate", 16), ("Certificate", 20)];

/// Signs declarations by one profile, if the site has chosen one.
pub(crate) struct Signing<'a> {
    pub(crate) profile: Option<&'a Profile>,
    pub(crate) fill_operator_name: bool,
}

impl Signing<'_> {
    /// What is to be signed; `None` for a draft.
    pub(crate) fn request(&self, document: &[u8], signer: &Signer, at: Timestamp) -> Result<Option<SignatureRequest>> {
        let form = match Form::read(document) {
            // An attachment dropped ready-made has no signature of its own.
            Err(_) if edoc::read(document).is_ok() => return Ok(None),
            form => form?,
        };
        if !is_declared(form.value("OperType")) {
            return Ok(None);
        }
        let profile = self.profile()?;
        let fields = self.fields(profile, signer, at, String::new())?;
        let is_emptied = |name: &str| profile.emptied.iter().any(|emptied| emptied == name);
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (*name, if is_emptied(name) { "" } else { value.as_str() })).collect();
        covered(profile, &form.filled(&fields)?).map(|bytes| Some(SignatureRequest::Raw(bytes)))
    }

    /// The document with its signature and the signer's fields.
    pub(crate) fn fill(&self, document: &[u8], signer: &Signer, at: Timestamp, signature: &[u8]) -> Result<Vec<u8>> {
        let form = Form::read(document)?;
        let fields = self.fields(self.profile()?, signer, at, STANDARD.encode(signature))?;
        form.filled(&fields.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
    }

    fn profile(&self) -> Result<&Profile> {
        let missing = || {
            let message = "the declaration needs its own signature, but no signing_profile is configured";
            Error::new(ErrorKind::Config, NO_SIGNING_PROFILE, message)
        };
        self.profile.ok_or_else(missing)
    }

    /// The card says who signs, not the file; what the card does not say stays as it is.
    fn fields(
        &self,
        profile: &Profile,
        signer: &Signer,
        at: Timestamp,
        sign: String,
    ) -> Result<Vec<(&'static str, String)>> {
        let SignDate::Compact = profile.sign_date;
        let mut fields =
            vec![("Sign", sign), ("SignDate", at.compact()), ("Certificate", signer.certificate_serial.clone())];
        if !signer.card_number.is_empty() {
            fields.push(("ICCode", signer.card_number.clone()));
        }
        if self.fill_operator_name && !signer.operator_name.is_empty() {
            fields.push(("OperName", signer.operator_name.clone()));
        }
        for (name, value) in &fields {
            let fits = LONGEST.iter().all(|(field, longest)| field != name || value.chars().count() <= *longest);
            if !fits {
                let message = format!("{name} has {} characters, more than the field takes", value.chars().count());
                return Err(Error::new(ErrorKind::Invalid, "KOUAN-DEC-SIGNER-FIELD-TOO-LONG", message));
            }
        }
        Ok(fields)
    }
}

/// The bytes that a profile covers.
fn covered(profile: &Profile, document: &[u8]) -> Result<Vec<u8>> {
    let (Covers::Document, Canonicalization::Inclusive) = (profile.covers, profile.canonicalization);
    let canonical = |document| c14n::to_vec(&decoded(document)?, &Limits::default(), c14n::Part::Document);
    canonical(document).map_err(|e| {
        Error::new(ErrorKind::Invalid, "KOUAN-DEC-UNREADABLE", format!("the declaration has no canonical form: {e}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::data::Data;

    const DECLARED: &[u8] = include_bytes!("../../../business-schemas/goods-declaration/samples/declare/import.xml");
    const DRAFT: &[u8] = include_bytes!("../../../business-schemas/goods-declaration/samples/good/import.xml");
    const AT: Timestamp = Timestamp::from_millis(1_768_181_710_000);

    fn signer() -> Signer {
        Signer {
            certificate_serial: "030a1b2c3d4e5f60".into(),
            card_number: "2100000000009".into(),
            operator_name: "李四".into(),
        }
    }

    fn profile() -> Profile {
        Data::load(&Config::default(), None).unwrap().profiles.remove("sandbox-document").unwrap()
    }

    #[test]
    fn a_draft_needs_no_signature_and_a_declaration_needs_a_profile() {
        let none = Signing { profile: None, fill_operator_name: false };
        assert_eq!(none.request(DRAFT, &signer(), AT), Ok(None));
        assert_eq!(none.request(DECLARED, &signer(), AT).unwrap_err().code, NO_SIGNING_PROFILE);
        assert_eq!(none.fill(DECLARED, &signer(), AT, &[7; 64]).unwrap_err().code, NO_SIGNING_PROFILE);
    }

    #[test]
    fn what_was_signed_is_what_the_other_side_makes_of_the_signed_document() {
        let profile = profile();
        for fill_operator_name in [false, true] {
            let signing = Signing { profile: Some(&profile), fill_operator_name };
            let Some(SignatureRequest::Raw(asked)) = signing.request(DECLARED, &signer(), AT).unwrap() else {
                panic!()
            };
            let signed = signing.fill(DECLARED, &signer(), AT, &[7; 64]).unwrap();
            // The other side knows the rule of the profile only: empty the three, canonicalise.
            let form = Form::read(&signed).unwrap();
            let emptied = form.filled(&[("Sign", ""), ("SignDate", ""), ("Certificate", "")]).unwrap();
            assert_eq!(covered(&profile, &emptied).unwrap(), asked);
            assert_eq!(form.value("Sign"), STANDARD.encode([7; 64]));
            assert_eq!((form.value("SignDate"), form.value("Certificate")), ("20260112093510", "030a1b2c3d4e5f60"));
            assert_eq!(form.value("ICCode"), "2100000000009");
            assert_eq!(form.value("OperName") == "李四", fill_operator_name);
        }
    }

    #[test]
    fn every_byte_outside_the_fields_stays() {
        let profile = profile();
        let signed = Signing { profile: Some(&profile), fill_operator_name: false }
            .fill(DECLARED, &signer(), AT, &[7; 64])
            .unwrap();
        let (before, after) = (std::str::from_utf8(DECLARED).unwrap(), std::str::from_utf8(&signed).unwrap());
        let is_ours =
            |line: &&str| ["<Sign>", "<SignDate>", "<Certificate>"].iter().any(|tag| line.trim().starts_with(tag));
        assert_eq!(after.split('\n').filter(is_ours).count(), 3);
        let rest = after.split('\n').filter(|line| !is_ours(line)).collect::<Vec<_>>().join("\n");
        assert_eq!(rest.replace("<ICCode>2100000000009<", "<ICCode>2100000000001<"), before);
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        let profile = profile();
        let signing = Signing { profile: Some(&profile), fill_operator_name: true };
        let long = Signer { certificate_serial: "0".repeat(40), ..signer() };
        assert_eq!(signing.request(DECLARED, &long, AT).unwrap_err().code, "KOUAN-DEC-SIGNER-FIELD-TOO-LONG");
        let rsa_2048 = signing.fill(DECLARED, &signer(), AT, &[7; 256]).unwrap_err();
        assert_eq!(rsa_2048.code, "KOUAN-DEC-SIGNER-FIELD-TOO-LONG");
    }
}
