//! The business's data (`business-schemas/goods-declaration`): built in, or from the folder that a site names.

use crate::config::{ChannelChange, Config};
use include_dir::{Dir, include_dir};
use kouan_sdk::{Error, ErrorKind, Result, business};
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

static XSD: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/goods-declaration/xsd");
static RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/goods-declaration/rules");
static CODES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/goods-declaration/codes");
const CHANNELS: &str = include_str!("../../../business-schemas/goods-declaration/channels.toml");
const CLIENT_ERRORS: &str = include_str!("../../../business-schemas/goods-declaration/client-errors.toml");
const SIGNING: &str = include_str!("../../../business-schemas/goods-declaration/signing.toml");

/// Text files: name and text.
pub(crate) type Files = Vec<(String, String)>;

/// What kouan-schema does not read, read.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) channels: Channels,
    pub(crate) client_errors: Vec<ClientError>,
    pub(crate) profiles: BTreeMap<String, Profile>,
}

impl Data {
    /// The data that `config` asks for.
    pub(crate) fn load(config: &Config, folder: Option<&Path>) -> Result<Self> {
        let (channels, client_errors, signing) = match folder {
            None => (CHANNELS.to_owned(), CLIENT_ERRORS.to_owned(), SIGNING.to_owned()),
            Some(folder) => {
                let at = |name: &str| text(&folder.join(name));
                (at("channels.toml")?, at("client-errors.toml")?, at("signing.toml")?)
            }
        };
        let file: ChannelFile = read("channels.toml", &channels)?;
        let errors: ErrorFile = read("client-errors.toml", &client_errors)?;
        Ok(Self {
            channels: Channels::new(file, &config.channels)?,
            client_errors: errors.error.into_iter().map(ClientError::new).collect::<Result<_>>()?,
            profiles: read("signing.toml", &signing)?,
        })
    }
}

/// Schemas, rules and code tables, for kouan-schema: built in, or of a folder.
pub(crate) fn schema_files(folder: Option<&Path>) -> Result<Files> {
    let Some(folder) = folder else {
        return Ok([&XSD, &RULES, &CODES].into_iter().flat_map(embedded).collect());
    };
    let mut all = Files::new();
    for (name, extension) in [("xsd", "xsd"), ("rules", "toml"), ("codes", "csv")] {
        all.extend(files(&folder.join(name), extension)?);
    }
    Ok(all)
}

fn embedded(folder: &Dir<'_>) -> Files {
    let text = |file: &include_dir::File<'_>| {
        Some((file.path().to_string_lossy().into_owned(), file.contents_utf8()?.to_owned()))
    };
    let mut files: Files = folder.files().filter_map(text).collect();
    files.sort();
    files
}

fn files(folder: &Path, extension: &str) -> Result<Files> {
    let entries = std::fs::read_dir(folder).map_err(|e| broken(&folder.display().to_string(), &e.to_string()))?;
    let mut all = Files::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|found| found == extension) {
            all.push((entry.file_name().to_string_lossy().into_owned(), text(&path)?));
        }
    }
    all.sort();
    Ok(all)
}

fn text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| broken(&path.display().to_string(), &e.to_string()))
}

fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| broken(name, &e.to_string()))
}

fn pattern(name: &str, text: &str) -> Result<Regex> {
    Regex::new(text).map_err(|e| broken(name, &e.to_string()))
}

/// Data that cannot be used: the file and what is wrong with it.
pub(crate) fn broken(file: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, "KOUAN-DEC-DATA", format!("{file}: {why}"))
}

/// What a receipt says of the message, as data writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing yet.
    None,
    /// 入库.
    Accepted,
    /// 入库失败.
    Rejected,
    /// 办结.
    Concluded,
}

impl From<Outcome> for business::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::None => Self::None,
            Outcome::Accepted => Self::Accepted,
            Outcome::Rejected => Self::Rejected,
            Outcome::Concluded => Self::Concluded,
        }
    }
}

/// What a code means to a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Meaning {
    pub(crate) rank: u32,
    pub(crate) outcome: Outcome,
    #[serde(rename = "final", default)]
    pub(crate) is_final: bool,
    #[serde(default)]
    pub(crate) reopens: bool,
    #[serde(default)]
    pub(crate) zh: String,
}

#[derive(Deserialize)]
struct ChannelFile {
    unknown: Meaning,
    response: ResponseMeanings,
    client_failure: Meaning,
    #[serde(default)]
    known_repeat: Vec<PatternEntry>,
    channel: Vec<ChannelEntry>,
}

#[derive(Deserialize)]
struct ResponseMeanings {
    accepted: Meaning,
    refused: Meaning,
}

#[derive(Deserialize)]
struct PatternEntry {
    pattern: String,
}

#[derive(Deserialize)]
struct ChannelEntry {
    code: String,
    #[serde(flatten)]
    meaning: Meaning,
}

/// Meanings of CHANNEL codes and of the other receipts (`domain/goods-declaration.md` §2.2).
#[derive(Debug)]
pub(crate) struct Channels {
    by_code: BTreeMap<String, Meaning>,
    unknown: Meaning,
    /// ResponseCode 0.
    pub(crate) accepted: Meaning,
    /// Any other ResponseCode.
    pub(crate) refused: Meaning,
    /// Root/failCode.
    pub(crate) client_failure: Meaning,
    known_repeat: Vec<Regex>,
}

impl Channels {
    fn new(file: ChannelFile, changes: &BTreeMap<String, ChannelChange>) -> Result<Self> {
        let mut by_code: BTreeMap<_, _> = file.channel.into_iter().map(|entry| (entry.code, entry.meaning)).collect();
        for (code, change) in changes {
            let meaning = by_code.entry(code.clone()).or_insert_with(|| file.unknown.clone());
            meaning.rank = change.rank.unwrap_or(meaning.rank);
            meaning.outcome = change.outcome.unwrap_or(meaning.outcome);
            meaning.is_final = change.is_final.unwrap_or(meaning.is_final);
            meaning.reopens = change.reopens.unwrap_or(meaning.reopens);
        }
        let patterns = file.known_repeat.iter().map(|entry| pattern("channels.toml", &entry.pattern));
        Ok(Self {
            by_code,
            unknown: file.unknown,
            accepted: file.response.accepted,
            refused: file.response.refused,
            client_failure: file.client_failure,
            known_repeat: patterns.collect::<Result<_>>()?,
        })
    }

    /// The meaning of a CHANNEL code; unknown codes are kept and shown.
    pub(crate) fn meaning(&self, code: &str) -> &Meaning {
        self.by_code.get(code).unwrap_or(&self.unknown)
    }

    /// Whether the code is listed.
    pub(crate) fn is_known(&self, code: &str) -> bool {
        self.by_code.contains_key(code)
    }

    /// Whether a failure's text says that the message is known already: our key and the number it names, if it does.
    pub(crate) fn known_repeat(&self, text: &str) -> Option<KnownRepeat> {
        let found = self.known_repeat.iter().find_map(|pattern| pattern.captures(text))?;
        let group = |name: &str| found.name(name).map(|m| m.as_str().to_owned());
        Some(KnownRepeat { client_seq_no: group("key"), seq_no: group("seq_no") })
    }
}

/// What a "known already" text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownRepeat {
    pub(crate) client_seq_no: Option<String>,
    pub(crate) seq_no: Option<String>,
}

#[derive(Deserialize)]
struct ErrorFile {
    error: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    code: String,
    #[serde(rename = "match")]
    pattern: String,
    cause_zh: String,
    repair_zh: String,
}

/// A failure of the official client itself (`domain/goods-declaration.md` §2.3).
#[derive(Debug)]
pub(crate) struct ClientError {
    pub(crate) code: String,
    pub(crate) pattern: Regex,
    pub(crate) cause_zh: String,
    pub(crate) repair_zh: String,
}

impl ClientError {
    fn new(entry: ErrorEntry) -> Result<Self> {
        let ErrorEntry { code, pattern: text, cause_zh, repair_zh } = entry;
        Ok(Self { code, pattern: pattern("client-errors.toml", &text)?, cause_zh, repair_zh })
    }
}

/// Which bytes DecSign/Sign covers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Profile {
    pub(crate) official: bool,
    pub(crate) covers: Covers,
    pub(crate) canonicalization: Canonicalization,
    /// Elements of DecSign that are empty in what is signed.
    pub(crate) emptied: Vec<String>,
    pub(crate) sign_date: SignDate,
}

/// Kinds of coverage that the code knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Covers {
    /// The canonical bytes of the whole document.
    Document,
}

/// Canonical forms that the code knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Canonicalization {
    /// Inclusive C14N 1.0 without comments.
    #[serde(rename = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315")]
    Inclusive,
}

/// Forms of SignDate that the code knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum SignDate {
    /// Fourteen digits, local time of the customs.
    #[serde(rename = "yyyyMMddHHmmss")]
    Compact,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(config: &Config) -> Data {
        Data::load(config, None).unwrap()
    }

    #[test]
    fn built_in_data_is_whole() {
        let data = data(&Config::default());
        assert!(schema_files(None).unwrap().len() >= 40);
        assert!(!data.profiles["sandbox-document"].official, "no profile of ours may look official");
        assert!(data.client_errors.iter().any(|error| error.code == "50200"));
    }

    #[test]
    fn only_the_ends_are_final() {
        let channels = data(&Config::default()).channels;
        let having = |has: fn(&Meaning) -> bool| {
            channels.by_code.iter().filter(|(_, m)| has(m)).map(|(code, _)| code.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(having(|m| m.is_final), ["A", "D", "R", "c"]);
        assert_eq!(having(|m| m.reopens), ["9", "E", "U", "Y", "Z"]);
        assert!(channels.meaning("C") != channels.meaning("c"), "codes are case-sensitive");
        assert_eq!(channels.meaning("汉"), &channels.unknown);
    }

    #[test]
    fn a_site_may_change_what_a_code_means() {
        let config = crate::config::parse(r#"{"channels": {"E": {"final": true, "outcome": "concluded"}}}"#).unwrap();
        let channels = data(&config).channels;
        let meaning = channels.meaning("E");
        assert!(meaning.is_final && meaning.reopens);
        assert_eq!((meaning.outcome, meaning.zh.as_str()), (Outcome::Concluded, "海关退单/不受理"));
    }

    #[test]
    fn known_repeats_name_our_key() {
        let channels = data(&Config::default()).channels;
        let text = "客户端报关单编号[TEST202601120001]已存在，对应的统一编号为[I20260000000000001]";
        let (client_seq_no, seq_no) = (Some("TEST202601120001".into()), Some("I20260000000000001".into()));
        assert_eq!(channels.known_repeat(text), Some(KnownRepeat { client_seq_no, seq_no }));
        assert_eq!(channels.known_repeat("示例：表头申报地海关代码不存在"), None);
    }

    #[test]
    fn a_folder_replaces_the_built_in_data() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas/goods-declaration");
        assert_eq!(schema_files(Some(&folder)).unwrap(), schema_files(None).unwrap());
        assert_eq!(Data::load(&Config::default(), Some(&folder)).unwrap().profiles, data(&Config::default()).profiles);
        let missing = Data::load(&Config::default(), Some(Path::new("/nonexistent"))).unwrap_err();
        assert_eq!((missing.kind, missing.code.as_ref()), (ErrorKind::Config, "KOUAN-DEC-DATA"));
    }
}
