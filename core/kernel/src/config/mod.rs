//! The configuration: one strict TOML file (`kouan.toml`). Every key has a default but the identity; an unknown key is
//! an error with a suggestion; secrets are never in the file.

mod load;
mod secret;

pub use load::{ConfigError, load, parse};
pub use secret::Secret;

use kouan_journal::Repeats;
use kouan_journal::model::DuplicatePolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Free keys of a section, handed to the plugin it names.
pub type Settings = serde_json::Map<String, serde_json::Value>;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `test` or `production`: bound to journal, keys and window; crossing them refuses to start.
    #[serde(default)]
    pub environment: Environment,
    /// Where journal and plugin data live; relative to this file.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// Who we are. A broker has one for each enterprise or card.
    pub identity: Vec<IdentityConfig>,
    /// How the enterprise's systems reach us; several may stand side by side.
    #[serde(default)]
    pub site: Vec<SiteConfig>,
    /// How we reach the Single Window (单一窗口).
    #[serde(default)]
    pub window: WindowConfig,
    /// The journal.
    #[serde(default)]
    pub journal: JournalConfig,
    /// The businesses; every bundled one with its defaults if none is named.
    #[serde(default)]
    pub business: Vec<BusinessConfig>,
    /// When and how often to try again.
    #[serde(default)]
    pub retry: RetryConfig,
    /// Limits against hostile or mistaken input.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// The console (a later release listens here).
    #[serde(default)]
    pub console: ConsoleConfig,
    /// The folder of the file; relative paths start here. Not a key.
    #[serde(skip)]
    pub base_dir: PathBuf,
}

/// Which world this gateway works in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// Rehearsal: sandbox, development keys.
    #[default]
    Test,
    /// The real thing.
    Production,
}

impl Environment {
    /// As the file writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Production => "production",
        }
    }
}

/// One identity (身份): a DXP id, the enterprises it acts for, and the device that signs for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// DXP id, 16 characters, such as `DXPENT0000000001`.
    pub dxp_id: String,
    /// Customs codes (海关编码) or unified social credit codes of the enterprises it acts for.
    #[serde(default)]
    pub enterprises: Vec<String>,
    /// Card numbers (IC 卡号) it acts for.
    #[serde(default)]
    pub cards: Vec<String>,
    /// Operator's name, for messages that carry their own signature.
    #[serde(default)]
    pub operator_name: String,
    /// Name in `AddInfo/IcCard`; the certificate's card number if empty.
    #[serde(default)]
    pub card_number: String,
    /// The device.
    #[serde(default)]
    pub security: SecurityConfig,
}

/// A security backend and its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SecurityConfig {
    /// `software`, or a plugin's name.
    #[serde(default = "default_backend")]
    pub backend: String,
    /// Where the PIN or password comes from. Without one the gateway starts, takes in, and holds at sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Secret>,
    /// The backend's own keys.
    #[serde(flatten)]
    pub settings: Settings,
}

impl Default for SecurityConfig {
    fn default() -> Self {
        Self { backend: default_backend(), pin: None, settings: Settings::new() }
    }
}

/// One site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SiteConfig {
    /// Its name; messages remember it.
    pub name: String,
    /// `directory`, or a plugin's name.
    #[serde(default = "default_site_transport")]
    pub transport: String,
    /// Everything from this site is sent by this DXP id, whatever codes the messages carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// The transport's own keys.
    #[serde(flatten)]
    pub settings: Settings,
}

/// The window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowConfig {
    /// `embedded`, or a plugin's name.
    #[serde(default = "default_window_transport")]
    pub transport: String,
    /// What a repeat meets at this window: `wire-id`, `business-key`, `none`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub repeats: Repeats,
    /// Certificate files (PEM) that receipts may be signed with, or whose holder signed those certificates.
    #[serde(default)]
    pub trust: Vec<PathBuf>,
    /// Accept receipts signed in the older ways (RSA with SHA-1, other algorithm names).
    #[serde(default)]
    pub legacy_signatures: bool,
    /// How long one batch may take to be confirmed, in milliseconds.
    #[serde(default = "default_send_timeout")]
    pub send_timeout_ms: u64,
    /// Compress payloads before base64.
    #[serde(default)]
    pub gzip: bool,
    /// The transport's own keys.
    #[serde(flatten)]
    pub settings: Settings,
}

impl Default for WindowConfig {
    fn default() -> Self {
        Self {
            transport: default_window_transport(),
            repeats: Repeats::None,
            trust: Vec::new(),
            legacy_signatures: false,
            send_timeout_ms: default_send_timeout(),
            gzip: false,
            settings: Settings::new(),
        }
    }
}

/// The journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// `sqlite`.
    pub store: Store,
    /// The file; below the data folder if relative.
    pub path: PathBuf,
    /// Bodies of ended messages are deleted after so many days; identities, digests and events stay. 0 = never.
    pub retention_days: u32,
    /// The head of the evidence chain is signed at least this often, in seconds.
    pub sign_head_every_s: u32,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { store: Store::Sqlite, path: "journal.db".into(), retention_days: 0, sign_head_every_s: 600 }
    }
}

/// Where the journal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Store {
    /// One SQLite file.
    Sqlite,
}

/// One business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BusinessConfig {
    /// The plugin's name.
    pub plugin: String,
    /// `enforce`, `observe` (send, and record the findings) or `off`.
    #[serde(default)]
    pub check: CheckMode,
    /// `refuse` or `send`: what to do with a message whose key or content is known and live.
    #[serde(default)]
    #[schemars(with = "String")]
    pub duplicates: DuplicatePolicy,
    /// Another deadline for the first receipt, in seconds, by message type.
    #[serde(default)]
    pub receipt_deadline_s: BTreeMap<String, u32>,
    /// The plugin's own keys.
    #[serde(flatten)]
    pub settings: Settings,
}

impl BusinessConfig {
    /// A bundled business with its defaults.
    pub fn bundled(plugin: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
            check: CheckMode::Enforce,
            duplicates: DuplicatePolicy::Refuse,
            receipt_deadline_s: BTreeMap::new(),
            settings: Settings::new(),
        }
    }
}

/// What findings lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckMode {
    /// An error refuses the message.
    #[default]
    Enforce,
    /// Send, and record the findings.
    Observe,
    /// Send, and record nothing.
    Off,
}

/// Retries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// Attempts that fail in a transient way before a part is parked.
    pub attempts: u32,
    /// Wait after the first failure, in milliseconds; doubles each time, with jitter.
    pub first_ms: u64,
    /// Longest wait, in milliseconds.
    pub max_ms: u64,
    /// So many failed batches in a row open the circuit breaker of the window.
    pub breaker_failures: u32,
    /// The breaker stays open this long, in milliseconds, then one batch of one tries.
    pub breaker_open_ms: u64,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { attempts: 20, first_ms: 1_000, max_ms: 300_000, breaker_failures: 5, breaker_open_ms: 30_000 }
    }
}

/// Limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Largest message taken in, in bytes, zip and attachments included.
    pub max_message_bytes: u64,
    /// Largest document inside, in bytes.
    pub max_document_bytes: u64,
    /// Messages in one batch of any stage.
    pub batch: usize,
    /// Bytes in one batch of any stage.
    pub batch_bytes: usize,
    /// How long a drain may take on SIGTERM, in milliseconds.
    pub drain_ms: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 64 << 20,
            max_document_bytes: 20 << 20,
            batch: 256,
            batch_bytes: 8 << 20,
            drain_ms: 10_000,
        }
    }
}

/// The console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// Address it listens on.
    pub listen: String,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8480".to_owned() }
    }
}

fn default_data_dir() -> PathBuf {
    "kouan-data".into()
}

fn default_backend() -> String {
    "software".to_owned()
}

fn default_site_transport() -> String {
    "directory".to_owned()
}

fn default_window_transport() -> String {
    "embedded".to_owned()
}

const fn default_send_timeout() -> u64 {
    30_000
}
