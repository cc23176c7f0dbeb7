//! The sandbox as a command makes it: from `sandbox.toml`, out of the bundled plugins.

use crate::bundled;
use anyhow::Context as _;
use kouan_dxp::Trust;
use kouan_host::Contexts;
use kouan_kernel::config::{SecurityConfig, Settings};
use kouan_sandbox::{Parts, Repeats, Sandbox, SandboxConfig, Scenario, Side};
use kouan_sdk::{Clock, Error, ErrorKind, Kind, Security, Transport};
use kouan_sm::Certificate;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `sandbox.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RehearsalConfig {
    /// What a repeated message meets.
    #[serde(default)]
    pub repeats: Repeats,
    /// Where its state lies; relative to the file.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// Certificates of clients, or of their issuers.
    pub trust: Vec<PathBuf>,
    /// Scenario file.
    #[serde(default)]
    pub scenario: Option<PathBuf>,
    /// The window's end of a transport.
    pub transport: TransportConfig,
    /// The window's key.
    pub security: SecurityConfig,
    /// The folder of the file. Not a key.
    #[serde(skip)]
    pub base_dir: PathBuf,
}

/// A transport plugin and its settings.
#[derive(Debug, Clone, Deserialize)]
pub struct TransportConfig {
    /// The plugin's name.
    pub plugin: String,
    /// Its own keys.
    #[serde(flatten)]
    pub settings: Settings,
}

fn default_data_dir() -> PathBuf {
    "sandbox-data".into()
}

impl RehearsalConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read or is no such configuration; kind `Config`.
    pub fn load(path: &Path) -> kouan_sdk::Result<Self> {
        let fault = |why: String| Error::new(ErrorKind::Config, "KOUAN-SANDBOX-CONFIG", why);
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::new(ErrorKind::Config, "KOUAN-CONFIG-UNREADABLE", format!("{}: {e}", path.display()))
        })?;
        let mut config: Self =
            toml::from_str(&text).map_err(|e| fault(format!("{}: {}", path.display(), e.to_string().trim_end())))?;
        config.base_dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        Ok(config)
    }

    /// The sandbox's file.
    pub fn state(&self) -> PathBuf {
        self.base_dir.join(&self.data_dir).join("window.db")
    }

    /// Opens the sandbox.
    ///
    /// # Errors
    /// A plugin, a certificate or the file that cannot be used.
    pub fn open(&self, clock: &Arc<dyn Clock>) -> anyhow::Result<Sandbox> {
        let contexts = Contexts::new(self.base_dir.join(&self.data_dir), &self.base_dir, clock.clone());
        let mut config = SandboxConfig::new(self.state());
        config.repeats = self.repeats;
        if let Some(scenario) = &self.scenario {
            config.scenario = Scenario::read(&self.base_dir.join(scenario))?;
        }
        let parts = Parts {
            transport: self.transport(&contexts)?,
            simulators: sides(&contexts)?,
            security: self.security(&contexts)?,
            trust: self.trust()?,
            clock: clock.clone(),
        };
        Ok(Sandbox::open(config, parts)?)
    }

    fn transport(&self, contexts: &Contexts) -> anyhow::Result<Arc<dyn Transport>> {
        let settings = serde_json::to_string(&self.transport.settings)?;
        let context = contexts.context("window", "window")?;
        Ok(Arc::from(bundled::registry()?.transport(&self.transport.plugin, &context, &settings)?))
    }

    fn security(&self, contexts: &Contexts) -> anyhow::Result<Arc<dyn Security>> {
        let settings = serde_json::to_string(&self.security.settings)?;
        let context = contexts.context("security", "window")?;
        let security = bundled::registry()?.security(&self.security.backend, &context, &settings)?;
        if let Some(pin) = &self.security.pin {
            security.login(&pin.read(&self.base_dir)?)?;
        }
        Ok(Arc::from(security))
    }

    fn trust(&self) -> anyhow::Result<Trust> {
        let mut certificates = Vec::new();
        for path in &self.trust {
            let path = self.base_dir.join(path);
            let pem = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            certificates.extend(Certificate::all_from_pem(&pem).map_err(Error::from)?);
        }
        Ok(Trust::new(certificates))
    }
}

/// Every bundled business that can play the window's side.
fn sides(contexts: &Contexts) -> anyhow::Result<Vec<Side>> {
    let registry = bundled::registry()?;
    let mut sides = Vec::new();
    for id in registry.ids(Kind::Business) {
        let context = contexts.context("business", id)?;
        let types = registry.business(id, &context, "{}")?.describe().types;
        if let Some(simulator) = registry.simulator(id, &context, "{}")? {
            let types = types.into_iter().map(|t| t.id).collect();
            sides.push(Side { business: id.to_owned(), types, simulator: Arc::from(simulator) });
        }
    }
    Ok(sides)
}
