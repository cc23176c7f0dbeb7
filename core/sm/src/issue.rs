//! Making certificates and certificate requests: a development issuer, what it issues, and what is sent to a real one.

use crate::public_key::PublicKey;
use crate::{CardExtensions, Certificate, Error, PrivateKey, RawSignature, Result, eport};
use ::sm2::dsa::VerifyingKey;
use der::asn1::{BitString, GeneralizedTime, ObjectIdentifier, OctetString, PrintableStringRef, Utf8StringRef};
use der::{Any, Decode, Encode};
use kouan_sdk::Timestamp;
use spki::{
    AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
};
use std::time::Duration;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::request::RequestBuilder;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

/// First byte of serial numbers, as those of E-Port cards begin (`domain/goods-declaration.md` §4.2b).
const SERIAL_HEAD: u8 = 0x03;

/// A name, in the order in which it is written. Empty fields are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DistinguishedName {
    /// C, two letters.
    pub country: String,
    /// O.
    pub organization: String,
    /// OU.
    pub unit: String,
    /// CN.
    pub common_name: String,
}

/// Who issues: its certificate and its key.
#[derive(Debug, Clone, Copy)]
pub struct Issuer<'a> {
    /// Its certificate.
    pub certificate: &'a Certificate,
    /// Its key.
    pub key: &'a PrivateKey,
}

/// What a certificate is to say.
#[derive(Debug, Clone)]
pub struct LeafRequest<'a> {
    /// Its holder.
    pub subject: &'a DistinguishedName,
    /// Its key.
    pub key: &'a PublicKey,
    /// Start of its time.
    pub not_before: Timestamp,
    /// End of its time.
    pub not_after: Timestamp,
    /// The card's private extensions; only those that are set are written.
    pub card: &'a CardExtensions,
    /// Whether others may encrypt to it, besides verifying its signatures.
    pub encrypts: bool,
}

/// A certificate that signs itself and may issue others.
///
/// # Errors
/// `Issue` if the name or times cannot be written; `Random`.
pub fn self_signed_ca(
    subject: &DistinguishedName,
    key: &PrivateKey,
    not_before: Timestamp,
    not_after: Timestamp,
) -> Result<Certificate> {
    let name = subject.to_name()?;
    let constraints = BasicConstraints { ca: true, path_len_constraint: Some(0) };
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
    let extensions = vec![extension(&name, &constraints)?, extension(&name, &usage)?];
    let profile = Profile { subject: name.clone(), issuer: name, extensions };
    build(profile, key.public_key(), validity(not_before, not_after)?, key)
}

/// A certificate for somebody else's key.
///
/// # Errors
/// `Issue` if the name, times or card fields cannot be written; `Random`.
pub fn issue_leaf(issuer: Issuer<'_>, request: &LeafRequest<'_>) -> Result<Certificate> {
    let subject = request.subject.to_name()?;
    let signing = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
    let encrypting = KeyUsages::KeyEncipherment | KeyUsages::DataEncipherment;
    let usage = KeyUsage(if request.encrypts { signing | encrypting } else { signing });
    let constraints = BasicConstraints { ca: false, path_len_constraint: None };
    let mut extensions = vec![extension(&subject, &constraints)?, extension(&subject, &usage)?];
    let card = request.card;
    let fields = [
        (eport::ENTERPRISE, &card.enterprise),
        (eport::CARD_NUMBER, &card.card_number),
        (eport::ORGANISATION, &card.organisation_code),
    ];
    for (oid, text) in fields {
        extensions.extend(text.as_deref().map(|text| card_extension(oid, text)).transpose()?);
    }
    let issuer_der = x509_cert::Certificate::from_der(issuer.certificate.der()).map_err(failed)?;
    let profile = Profile { subject, issuer: issuer_der.tbs_certificate().subject().clone(), extensions };
    build(profile, request.key, validity(request.not_before, request.not_after)?, issuer.key)
}

/// A certificate request (PKCS#10), DER. `sign` signs the bytes it is given with the key's private half, wherever that
/// is, under the default user id.
///
/// # Errors
/// `Issue` if the name cannot be written; whatever `sign` fails with.
pub fn certificate_request(
    subject: &DistinguishedName,
    key: &PublicKey,
    sign: impl FnOnce(&[u8]) -> Result<RawSignature>,
) -> Result<Vec<u8>> {
    let signer = Signer(key.inner().clone());
    let mut builder = RequestBuilder::new(subject.to_name()?).map_err(failed)?;
    let signed = builder.finalize(&signer).map_err(failed)?;
    let signature = BitString::from_bytes(&sign(&signed)?.to_der()).map_err(failed)?;
    builder.assemble(signature, &signer).map_err(failed)?.to_der().map_err(failed)
}

impl DistinguishedName {
    fn to_name(&self) -> Result<Name> {
        let mut name = RdnSequence::default();
        if !self.country.is_empty() {
            name.push(part("2.5.4.6", Any::encode_from(&PrintableStringRef::new(&self.country).map_err(failed)?))?);
        }
        let rest = [("2.5.4.10", &self.organization), ("2.5.4.11", &self.unit), ("2.5.4.3", &self.common_name)];
        for (oid, text) in rest.into_iter().filter(|(_, text)| !text.is_empty()) {
            name.push(part(oid, Any::encode_from(&Utf8StringRef::new(text).map_err(failed)?))?);
        }
        if name.is_empty() {
            return Err(Error::Issue("a name without any field".into()));
        }
        Name::from_der(&name.to_der().map_err(failed)?).map_err(failed)
    }
}

fn part(oid: &str, value: der::Result<Any>) -> Result<RelativeDistinguishedName> {
    let oid = ObjectIdentifier::new(oid).map_err(failed)?;
    let attribute = AttributeTypeAndValue { oid, value: value.map_err(failed)? };
    RelativeDistinguishedName::try_from(vec![attribute]).map_err(failed)
}

/// Fills a certificate in and signs it. `CertificateBuilder::build` would take an SM2 signature as raw r‖s, which is no
/// valid certificate, so the steps are made one by one.
fn build(
    profile: Profile,
    subject_key: &PublicKey,
    validity: Validity,
    issuer_key: &PrivateKey,
) -> Result<Certificate> {
    let spki = SubjectPublicKeyInfoOwned::from_der(&subject_key.to_spki()).map_err(failed)?;
    let signer = Signer(issuer_key.public_key().inner().clone());
    let mut builder = CertificateBuilder::new(profile, serial()?, validity, spki).map_err(failed)?;
    let tbs = builder.finalize(&signer).map_err(failed)?;
    let signature = issuer_key.sign(crate::DEFAULT_USER_ID, &tbs)?;
    let signature = BitString::from_bytes(&signature.to_der()).map_err(failed)?;
    let certificate = builder.assemble(signature, &signer).map_err(failed)?;
    Certificate::from_der(&certificate.to_der().map_err(failed)?)
}

fn serial() -> Result<SerialNumber> {
    let mut bytes = [SERIAL_HEAD; 8];
    getrandom::fill(&mut bytes[1..]).map_err(|_| Error::Random)?;
    SerialNumber::new(&bytes).map_err(failed)
}

fn validity(not_before: Timestamp, not_after: Timestamp) -> Result<Validity> {
    if not_after <= not_before {
        return Err(Error::Issue("its time ends before it begins".into()));
    }
    let time = |at: Timestamp| {
        let seconds = u64::try_from(at.seconds()).map_err(|_| Error::Issue("a time before 1970".into()))?;
        GeneralizedTime::from_unix_duration(Duration::from_secs(seconds)).map(Time::GeneralTime).map_err(failed)
    };
    Ok(Validity::new(time(not_before)?, time(not_after)?))
}

fn card_extension(oid: ObjectIdentifier, text: &str) -> Result<Extension> {
    let value = Utf8StringRef::new(text).and_then(|text| text.to_der()).map_err(failed)?;
    Ok(Extension { extn_id: oid, critical: false, extn_value: OctetString::new(value).map_err(failed)? })
}

fn extension<'a, E>(subject: &Name, value: &'a E) -> Result<Extension>
where
    &'a E: ToExtension<Error = der::Error>,
{
    value.to_extension(subject, &[]).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Issue(error.to_string())
}

/// What the builder asks of whoever signs: the public half and the algorithm's name.
struct Signer(VerifyingKey);

impl signature::Keypair for Signer {
    type VerifyingKey = VerifyingKey;

    fn verifying_key(&self) -> VerifyingKey {
        self.0.clone()
    }
}

impl DynSignatureAlgorithmIdentifier for Signer {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned { oid: ObjectIdentifier::new_unwrap("1.2.156.10197.1.501"), parameters: None })
    }
}

struct Profile {
    subject: Name,
    issuer: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Profile {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        own: SubjectPublicKeyInfoRef<'_>,
        issuer: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let mut all = self.extensions.clone();
        all.push((&SubjectKeyIdentifier::try_from(own)?).to_extension(&self.subject, &all)?);
        all.push((&AuthorityKeyIdentifier::try_from(issuer)?).to_extension(&self.subject, &all)?);
        Ok(all)
    }
}
