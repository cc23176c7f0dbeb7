//! X.509 certificates, read: what the client needs of them, and whether an issuer's key signed one.

use crate::{CardExtensions, Error, PublicKey, RawSignature, Result, RsaPublicKey, Sm3};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{AnyRef, ObjectIdentifier};
use der::{Decode, Encode, Reader, SliceReader};
use kouan_sdk::Timestamp;
use kouan_sdk::security::KeyKind;
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::{self, BasicConstraints};
use x509_cert::time::Time;

/// SM2 with SM3; GmSSL and OpenSSL write it without parameters, E-Port cards with NULL.
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");
const SHA1_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

const PEM_BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const PEM_END: &str = "-----END CERTIFICATE-----";

/// The public key in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum CertificateKey {
    /// SM2.
    Sm2(PublicKey),
    /// RSA, legacy.
    Rsa(RsaPublicKey),
}

impl CertificateKey {
    /// From a `SubjectPublicKeyInfo`, DER.
    ///
    /// # Errors
    /// `PublicKey` if it is of neither kind.
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let info = spki::SubjectPublicKeyInfoRef::from_der(der).map_err(|e| Error::PublicKey(e.to_string()))?;
        if crate::public_key::is_sm2(&info.algorithm) {
            PublicKey::from_spki(der).map(Self::Sm2)
        } else {
            RsaPublicKey::from_spki(der).map(Self::Rsa)
        }
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Sm2(_) => KeyKind::Sm2,
            Self::Rsa(_) => KeyKind::Rsa,
        }
    }
}

/// What the key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage {
    /// digitalSignature or nonRepudiation.
    pub signs: bool,
    /// keyEncipherment, dataEncipherment or keyAgreement.
    pub encrypts: bool,
    /// keyCertSign.
    pub issues: bool,
}

/// A certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: std::ops::Range<usize>,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    serial: String,
    subject: String,
    issuer: String,
    subject_der: Vec<u8>,
    issuer_der: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    key: CertificateKey,
    key_usage: Option<KeyUsage>,
    is_ca: Option<bool>,
    card: CardExtensions,
}

impl Certificate {
    /// Reads DER.
    ///
    /// # Errors
    /// `Certificate` if it is malformed; `PublicKey` if its key is neither SM2 nor RSA.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let unreadable = |e: der::Error| Error::Certificate(e.to_string());
        let read = x509_cert::Certificate::from_der(der).map_err(unreadable)?;
        let tbs = read.tbs_certificate();
        let (not_before, not_after) = (moment(&tbs.validity().not_before), moment(&tbs.validity().not_after));
        let spki = tbs.subject_public_key_info().to_der().map_err(unreadable)?;
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        if tbs.signature().oid != read.signature_algorithm().oid {
            return Err(Error::Certificate("it names two different signature algorithms".into()));
        }
        Ok(Self {
            der: der.to_vec(),
            tbs: tbs_range(der).map_err(unreadable)?,
            signature_algorithm: read.signature_algorithm().clone(),
            signature: read.signature().as_bytes().unwrap_or_default().to_vec(),
            serial: serial_text(tbs.serial_number().as_bytes()),
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            subject_der: tbs.subject().to_der().map_err(unreadable)?,
            issuer_der: tbs.issuer().to_der().map_err(unreadable)?,
            not_before,
            not_after,
            key: CertificateKey::from_spki(&spki)?,
            key_usage: tbs.get_extension::<pkix::KeyUsage>().ok().flatten().map(|(_, usage)| usage.into()),
            is_ca: tbs.get_extension::<BasicConstraints>().ok().flatten().map(|(_, constraints)| constraints.ca),
            card: CardExtensions::read(extensions),
        })
    }

    /// Reads the first certificate of a PEM text; text around it is skipped.
    ///
    /// # Errors
    /// `Certificate` if there is none, or it is malformed.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let all = Self::all_from_pem(pem)?;
        all.into_iter().next().ok_or_else(|| Error::Certificate("no certificate in the pem text".into()))
    }

    /// Reads all certificates of a PEM text, in order; empty if there is none.
    ///
    /// # Errors
    /// `Certificate` if one is malformed.
    pub fn all_from_pem(pem: &str) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        let mut rest = pem;
        while let Some((_, after)) = rest.split_once(PEM_BEGIN) {
            let end = after.split_once(PEM_END);
            let (body, after) = end.ok_or_else(|| Error::Certificate("the pem text is cut off".into()))?;
            all.push(Self::from_base64(body)?);
            rest = after;
        }
        Ok(all)
    }

    /// Reads base64 of DER with any white space in it, the form in `X509Certificate`.
    ///
    /// # Errors
    /// `Certificate` if it is malformed.
    pub fn from_base64(text: &str) -> Result<Self> {
        let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Self::from_der(&STANDARD.decode(compact).map_err(|e| Error::Certificate(e.to_string()))?)
    }

    /// As PEM.
    pub fn to_pem(&self) -> String {
        let body = STANDARD.encode(&self.der);
        let mut out = format!("{PEM_BEGIN}\n");
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(64));
            out.push_str(line);
            out.push('\n');
            rest = after;
        }
        out + PEM_END + "\n"
    }

    /// DER, exactly as read.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Serial number in lower-case hex, as `KeyName` writes it (`domain/goods-declaration.md` §4.2b).
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Subject, RFC 4514 text.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Issuer, RFC 4514 text.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Start of its time.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// End of its time.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Its public key.
    pub fn public_key(&self) -> &CertificateKey {
        &self.key
    }

    /// Its public key if that is SM2.
    pub fn sm2_key(&self) -> Option<&PublicKey> {
        match &self.key {
            CertificateKey::Sm2(key) => Some(key),
            CertificateKey::Rsa(_) => None,
        }
    }

    /// Kind of its public key.
    pub fn kind(&self) -> KeyKind {
        self.key.kind()
    }

    /// Key usage; `None` if the certificate does not limit it.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// Whether it may issue others; `None` if it does not say.
    pub fn is_ca(&self) -> Option<bool> {
        self.is_ca
    }

    /// What an E-Port card's certificate says of its holder's enterprise.
    pub fn card(&self) -> &CardExtensions {
        &self.card
    }

    /// The card number as messages carry it, if this is a card's certificate; see [`CardExtensions::bare_card_number`].
    pub fn card_number(&self) -> Option<String> {
        self.card.bare_card_number().map(str::to_owned)
    }

    /// SM3 of the whole, hex: names the certificate in logs and evidence.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sm3::new();
        hash.update(&self.der);
        hex::encode(hash.finish())
    }

    /// Whether `at` lies in its time.
    ///
    /// # Errors
    /// `NotYetValid`, `Expired`.
    pub fn check_time(&self, at: Timestamp) -> Result<()> {
        if at < self.not_before {
            Err(Error::NotYetValid(self.not_before.rfc3339()))
        } else if at > self.not_after {
            Err(Error::Expired(self.not_after.rfc3339()))
        } else {
            Ok(())
        }
    }

    /// Whether the key of `issuer` signed this certificate; names are compared too. Time is not looked at.
    ///
    /// # Errors
    /// `Untrusted` if the names do not fit; `Algorithm`; `SignatureForm`; `SignatureInvalid`.
    pub fn verify_signed_by(&self, issuer: &Self) -> Result<()> {
        if self.issuer_der != issuer.subject_der {
            return Err(Error::Untrusted(format!("issued by {:?}, not by {:?}", self.issuer, issuer.subject)));
        }
        let tbs = self.der.get(self.tbs.clone()).unwrap_or_default();
        let parameters = self.signature_algorithm.parameters.as_ref();
        let plain = parameters.is_none_or(|any| AnyRef::from(any).is_null());
        match (self.signature_algorithm.oid, &issuer.key) {
            (SM2_WITH_SM3, CertificateKey::Sm2(key)) if plain => {
                key.verify(crate::DEFAULT_USER_ID, tbs, &RawSignature::from_der(&self.signature)?)
            }
            (SHA1_WITH_RSA, CertificateKey::Rsa(key)) if plain => key.verify_sha1(tbs, &self.signature),
            (SHA256_WITH_RSA, CertificateKey::Rsa(key)) if plain => key.verify_sha256(tbs, &self.signature),
            (other, key) => Err(Error::Algorithm(format!("{other} with a key of kind {:?}", key.kind()))),
        }
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("serial", &self.serial)
            .field("issuer", &self.issuer)
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}

impl From<pkix::KeyUsage> for KeyUsage {
    fn from(usage: pkix::KeyUsage) -> Self {
        Self {
            signs: usage.digital_signature() || usage.non_repudiation(),
            encrypts: usage.key_encipherment() || usage.data_encipherment() || usage.key_agreement(),
            issues: usage.key_cert_sign(),
        }
    }
}

fn moment(time: &Time) -> Timestamp {
    let millis = time.to_unix_duration().as_millis();
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// Hex without the zero byte that only keeps the number positive.
fn serial_text(bytes: &[u8]) -> String {
    match bytes {
        [0, rest @ ..] if !rest.is_empty() => hex::encode(rest),
        all => hex::encode(all),
    }
}

/// Where the signed part lies. It is taken as it was written: encoding it anew could differ from what was signed.
fn tbs_range(der: &[u8]) -> der::Result<std::ops::Range<usize>> {
    let mut reader = SliceReader::new(der)?;
    der::Header::decode(&mut reader)?;
    let start = usize::try_from(reader.position())?;
    let length = reader.tlv_bytes()?.len();
    Ok(start..start + length)
}
