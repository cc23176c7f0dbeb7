//! What a plugin crate exports, and what the host hands to its constructors.

use crate::{Business, Clock, Error, ErrorKind, Result, Security, Simulator, SystemClock, Transport};
use std::path::PathBuf;
use std::sync::Arc;

/// The three kinds of plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A business type (业务), [`Business`].
    Business,
    /// A transport (传输), [`Transport`].
    Transport,
    /// A security backend (安全介质), [`Security`].
    Security,
}

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed that somebody must look at.
    Error,
    /// Something is odd, work goes on.
    Warn,
    /// A milestone.
    Info,
    /// For the developer.
    Debug,
}

/// Where a plugin's log lines go. A dynamic plugin cannot see the kernel's `tracing`, so it is handed in.
pub trait Log: Send + Sync {
    /// One line; lowercase fragment, values at the end, no secrets.
    fn line(&self, level: LogLevel, message: &str);
}

/// A log that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLog;

impl Log for NoLog {
    fn line(&self, _level: LogLevel, _message: &str) {}
}

/// What the host hands to a plugin's constructor.
#[derive(Clone)]
pub struct Context {
    /// The instance's name in the configuration, such as the site's name.
    pub instance: String,
    /// A folder of this instance's own; exists, writable, survives restarts.
    pub data_dir: PathBuf,
    /// Relative paths in the plugin's configuration start here (the folder of the configuration file).
    pub base_dir: PathBuf,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
    /// Where log lines go.
    pub log: Arc<dyn Log>,
}

impl Context {
    /// A context for tests and one-shot commands: system clock, no log.
    pub fn standalone(instance: impl Into<String>, data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        Self {
            instance: instance.into(),
            base_dir: data_dir.clone(),
            data_dir,
            clock: Arc::new(SystemClock),
            log: Arc::new(NoLog),
        }
    }

    /// `path` itself if absolute, else below the configuration's folder.
    pub fn resolve(&self, path: impl AsRef<std::path::Path>) -> PathBuf {
        self.base_dir.join(path)
    }
}

/// Makes one instance from its configuration (JSON text, already checked against the schema).
pub type Make<T> = fn(&Context, config: &str) -> Result<Box<T>>;

/// Reads a plugin's settings, as its constructor is given them.
///
/// # Errors
/// [`ErrorKind::Config`] with the plugin's own `code`; the text names the place.
pub fn settings<T: serde::de::DeserializeOwned>(text: &str, code: &'static str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::new(ErrorKind::Config, code, format!("configuration: {e}")))
}

/// A plugin, as a crate exports it: `pub static PLUGIN: PluginDecl`.
pub struct PluginDecl {
    /// Name in the configuration, such as `goods-declaration`; lowercase, hyphens.
    pub id: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// One line for people: Chinese, English.
    pub summary: (&'static str, &'static str),
    /// JSON Schema of the configuration that the constructors take.
    pub config_schema: fn() -> String,
    /// Makes a business.
    pub business: Option<Make<dyn Business>>,
    /// Makes a transport.
    pub transport: Option<Make<dyn Transport>>,
    /// Makes a security backend.
    pub security: Option<Make<dyn Security>>,
    /// Makes the business's side of the sandbox. Only the sandbox calls it.
    pub simulator: Option<Make<dyn Simulator>>,
}

impl PluginDecl {
    /// The kinds this plugin offers.
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        if self.business.is_some() {
            kinds.push(Kind::Business);
        }
        if self.transport.is_some() {
            kinds.push(Kind::Transport);
        }
        if self.security.is_some() {
            kinds.push(Kind::Security);
        }
        kinds
    }
}
