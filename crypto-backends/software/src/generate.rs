//! Keys and certificates for development and for the sandbox (`kouan init`, `kouan key generate`, `kouan key list`).
//!
//! A folder holds one development issuer and the pairs that it issued: `<name>.key.pem`, `<name>.cert.pem`. Every key
//! file is encrypted by the same password. None of it is worth anything at the real window.

use crate::{error, files};
use kouan_sdk::security::KeyKind;
use kouan_sdk::{Error, ErrorKind, Result, Timestamp};
use kouan_sm::{
    AnyPrivateKey, CardExtensions, Certificate, DistinguishedName, Issuer, LeafRequest, PrivateKey, issue_leaf,
    self_signed_ca,
};
use std::path::{Path, PathBuf};

/// The development issuer's common name; certificates that it issued never serve in production.
pub const DEVELOPMENT_ISSUER: &str = "Kouan Development CA";

/// The development issuer's name in a folder.
const CA_NAME: &str = "development-ca";
const KEY_SUFFIX: &str = ".key.pem";
const CERTIFICATE_SUFFIX: &str = ".cert.pem";
/// The issuer lives longer than what it issues: 20 years.
const CA_DAYS: i64 = 20 * 365;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// What to generate.
#[derive(Debug, Clone)]
pub struct Development<'a> {
    /// Folder of the pairs; made if it is not there.
    pub folder: &'a Path,
    /// Name of the pair, such as `client` or `window`.
    pub name: &'a str,
    /// DXP id of the holder; becomes the common name.
    pub dxp_id: &'a str,
    /// Enterprise; becomes the organisation, and a field of the card.
    pub enterprise: &'a str,
    /// Organisation code, 9 characters; empty for none.
    pub organisation_code: &'a str,
    /// Card number, `NN-` and 13 digits; empty for none.
    pub card_number: &'a str,
    /// Encrypts the key files; must not be empty.
    pub password: &'a str,
    /// Now; validity begins a day earlier, so that a clock that is a little behind does no harm.
    pub now: Timestamp,
    /// For how many days the certificate is valid.
    pub days: u32,
}

impl<'a> Development<'a> {
    /// With an invented enterprise and card (both check digits valid), for ten years, as real cards are.
    pub fn new(folder: &'a Path, name: &'a str, dxp_id: &'a str, password: &'a str, now: Timestamp) -> Self {
        Self {
            folder,
            name,
            dxp_id,
            enterprise: "口岸示例贸易有限公司",
            organisation_code: "MA1KTEST9",
            card_number: "03-2100000000001",
            password,
            now,
            days: 3650,
        }
    }
}

/// What was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevelopmentFiles {
    /// The key file.
    pub key: PathBuf,
    /// The certificate file.
    pub certificate: PathBuf,
    /// The issuer's certificate file: what the other side trusts.
    pub ca_certificate: PathBuf,
}

/// Generates a pair; makes the folder's issuer first if there is none, else uses it.
///
/// # Errors
/// `KOUAN-SECURITY-KEY-EXISTS` if the pair is there already; `KOUAN-SECURITY-WRONG-PASSWORD` if the folder's issuer has
/// another password; `KOUAN-SECURITY-CONFIG` for an empty password or a name that is no file name.
pub fn generate_development(wanted: &Development<'_>) -> Result<DevelopmentFiles> {
    check(wanted)?;
    std::fs::create_dir_all(wanted.folder).map_err(|e| error::file("make folder", wanted.folder, e))?;
    let files = DevelopmentFiles {
        key: wanted.folder.join(format!("{}{KEY_SUFFIX}", wanted.name)),
        certificate: wanted.folder.join(format!("{}{CERTIFICATE_SUFFIX}", wanted.name)),
        ca_certificate: wanted.folder.join(format!("{CA_NAME}{CERTIFICATE_SUFFIX}")),
    };
    if let Some(there) = [&files.key, &files.certificate].into_iter().find(|path| path.exists()) {
        return Err(error::exists(there));
    }
    let (ca_key, ca_certificate) = issuer(wanted, &files.ca_certificate)?;
    let key = PrivateKey::generate()?;
    let subject = DistinguishedName {
        country: "CN".into(),
        organization: wanted.enterprise.into(),
        unit: "Development".into(),
        common_name: wanted.dxp_id.into(),
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let card = CardExtensions {
        card_number: some(wanted.card_number),
        enterprise: some(wanted.enterprise),
        organisation_code: some(wanted.organisation_code),
    };
    let request = LeafRequest {
        subject: &subject,
        key: key.public_key(),
        not_before: wanted.now.plus_millis(-DAY_MILLIS),
        not_after: wanted.now.plus_millis(i64::from(wanted.days) * DAY_MILLIS),
        card: &card,
        encrypts: true,
    };
    let certificate = issue_leaf(Issuer { certificate: &ca_certificate, key: &ca_key }, &request)?;
    // The key first: a certificate without its key would be of no use, and would block the name.
    files::write_new(&files.key, &AnyPrivateKey::Sm2(key).to_encrypted_pem(wanted.password)?)?;
    files::write_new(&files.certificate, &(certificate.to_pem() + &ca_certificate.to_pem()))?;
    Ok(files)
}

/// Whether a certificate comes from a development issuer.
pub fn is_development(certificate: &Certificate) -> bool {
    certificate.issuer().contains(DEVELOPMENT_ISSUER)
}

fn check(wanted: &Development<'_>) -> Result<()> {
    let invalid = |text: &str| Err(Error::new(ErrorKind::Config, "KOUAN-SECURITY-CONFIG", text));
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if wanted.name.is_empty() || !wanted.name.chars().all(plain) || wanted.name == CA_NAME {
        return invalid("the name of a pair is letters, digits, - and _");
    }
    if wanted.password.is_empty() {
        return invalid("a key file needs a password");
    }
    Ok(())
}

/// The folder's issuer, made if there is none.
fn issuer(wanted: &Development<'_>, certificate_path: &Path) -> Result<(PrivateKey, Certificate)> {
    let key_path = wanted.folder.join(format!("{CA_NAME}{KEY_SUFFIX}"));
    if !key_path.exists() {
        let key = PrivateKey::generate()?;
        files::write_new(&key_path, &AnyPrivateKey::Sm2(key).to_encrypted_pem(wanted.password)?)?;
    }
    let text = files::read("key file", &key_path)?;
    let key = AnyPrivateKey::from_pem(&text, Some(wanted.password)).map_err(|e| error::key_file(&key_path, e))?;
    let AnyPrivateKey::Sm2(key) = key else { return Err(error::kind("a development issuer needs")) };
    if !certificate_path.exists() {
        let name = DistinguishedName {
            country: "CN".into(),
            organization: "Kouan".into(),
            unit: "Development".into(),
            common_name: DEVELOPMENT_ISSUER.into(),
        };
        let (from, until) = (wanted.now.plus_millis(-DAY_MILLIS), wanted.now.plus_millis(CA_DAYS * DAY_MILLIS));
        files::write_new(certificate_path, &self_signed_ca(&name, &key, from, until)?.to_pem())?;
    }
    let text = files::read("certificate", certificate_path)?;
    let certificate = Certificate::from_pem(&text).map_err(|e| error::certificate(certificate_path, &e))?;
    if certificate.sm2_key() != Some(key.public_key()) {
        return Err(error::mismatch(certificate_path));
    }
    Ok((key, certificate))
}

/// A pair of files in a folder, as `kouan key list` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// Its name.
    pub name: String,
    /// The key file; `None` if only the certificate is there.
    pub key: Option<PathBuf>,
    /// Whether the key file is encrypted.
    pub encrypted: bool,
    /// The certificate file.
    pub certificate: PathBuf,
    /// What the certificate says, or why it cannot be read.
    pub content: std::result::Result<CertificateSummary, Error>,
}

/// What a certificate says, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Kind of its key.
    pub kind: KeyKind,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Holder.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// Start of its time.
    pub not_before: Timestamp,
    /// End of its time.
    pub not_after: Timestamp,
    /// Card number without its leading `NN-`, if it carries one.
    pub card_number: Option<String>,
    /// Whether a development issuer made it.
    pub development: bool,
}

/// The pairs in a folder, by name.
///
/// # Errors
/// `KOUAN-SECURITY-FILE` if the folder cannot be read; what is wrong with a single file stands in its entry.
pub fn list(folder: &Path) -> Result<Vec<KeyEntry>> {
    let mut entries = Vec::new();
    for file in std::fs::read_dir(folder).map_err(|e| error::file("read folder", folder, e))? {
        let file = file.map_err(|e| error::file("read folder", folder, e))?;
        let name = file.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(CERTIFICATE_SUFFIX) {
            entries.push(entry(folder, name, file.path()));
        }
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

fn entry(folder: &Path, name: &str, certificate: PathBuf) -> KeyEntry {
    let key = folder.join(format!("{name}{KEY_SUFFIX}"));
    let key_text = files::read("key file", &key).ok();
    let content = files::read("certificate", &certificate).and_then(|text| {
        let read = Certificate::from_pem(&text).map_err(|e| error::certificate(&certificate, &e))?;
        Ok(CertificateSummary {
            kind: read.kind(),
            serial: read.serial().to_owned(),
            subject: read.subject().to_owned(),
            issuer: read.issuer().to_owned(),
            not_before: read.not_before(),
            not_after: read.not_after(),
            card_number: read.card().bare_card_number().map(str::to_owned),
            development: is_development(&read),
        })
    });
    KeyEntry {
        name: name.to_owned(),
        encrypted: key_text.as_ref().is_some_and(|text| AnyPrivateKey::is_encrypted(text)),
        key: key_text.map(|_| key),
        certificate,
        content,
    }
}
