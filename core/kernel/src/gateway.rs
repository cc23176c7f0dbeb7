//! The gateway: opens everything, runs the stages as threads, and brings them down in order.

use crate::config::{BusinessConfig, Config, Environment};
use crate::core::{BusinessSlot, Core, Phase, SiteSlot};
use crate::error::{KernelError, Result};
use crate::identity::Identities;
use crate::signal::Signal;
use crate::{check, effects, housekeeping, inbound, intake, outbound};
use kouan_dxp::Trust;
use kouan_host::Registry;
use kouan_journal::{Journal, JournalOptions, SqliteJournal};
use kouan_sdk::{Clock, Context, Kind};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// FormId and folder of what belongs to no business.
const OTHERS: (&str, &str) = ("OTHERS", "Others");

/// A running gateway. Dropping it stops it at once; [`Gateway::drain`] lets it finish.
pub struct Gateway {
    core: Arc<Core>,
    threads: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Opens the journal, the plugins and the devices, and starts all stages.
    pub fn start(config: Config, registry: &Registry, clock: Arc<dyn Clock>) -> Result<Self> {
        let core = Arc::new(open(config, registry, clock)?);
        let mut gateway = Self { core, threads: Vec::new() };
        gateway.spawn_all()?;
        Ok(gateway)
    }

    /// Whether this configuration could start: every plugin takes its settings. Opens no journal, sends nothing.
    pub fn check_config(config: &Config, registry: &Registry, clock: &Arc<dyn Clock>) -> Result<()> {
        let contexts = context_maker(config, clock);
        let businesses = businesses(config, registry, &contexts)?;
        sites(config, registry, &contexts, &businesses)?;
        window(config, registry, &contexts)?;
        trust(config)?;
        Identities::open(config, registry, &contexts, false)?.close();
        Ok(())
    }

    /// The journal, for looking.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.core.journal
    }

    /// Stops taking in, lets what is begun end (up to the configured time), signs the head, stops.
    pub fn drain(mut self) {
        self.core.enter(Phase::Draining);
        let until = Instant::now() + Duration::from_millis(self.core.config.limits.drain_ms);
        while Instant::now() < until && self.threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Err(error) = housekeeping::sign_head(&self.core) {
            tracing::warn!(code = %error.code, "the last head of the chain is not signed: {}", error.message);
        }
        self.stop();
    }

    fn stop(&mut self) {
        self.core.enter(Phase::Stopped);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a stage of the gateway panicked");
            }
        }
        for site in &self.core.sites {
            if let Some(receiver) = site.receiver.lock().take() {
                receiver.close();
            }
        }
        self.core.identities.close();
    }

    fn spawn_all(&mut self) -> Result<()> {
        self.spawn("check", check::run)?;
        self.spawn("outbound", outbound::run)?;
        self.spawn("receive", inbound::receive)?;
        self.spawn("open", inbound::open)?;
        self.spawn("housekeeping", housekeeping::run)?;
        for index in 0..self.core.sites.len() {
            self.spawn_site("intake", index, intake::run)?;
            self.spawn_site("effects", index, effects::run)?;
        }
        Ok(())
    }

    fn spawn(&mut self, name: &str, stage: impl FnOnce(&Core) + Send + 'static) -> Result<()> {
        let core = self.core.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || stage(&core))
            .map_err(KernelError::io(format!("start the stage {name}")))?;
        self.threads.push(thread);
        Ok(())
    }

    fn spawn_site(&mut self, name: &str, index: usize, stage: fn(&Core, &SiteSlot)) -> Result<()> {
        self.spawn(name, move |core| {
            if let Some(site) = core.sites.get(index) {
                stage(core, site);
            }
        })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop();
    }
}

fn open(config: Config, registry: &Registry, clock: Arc<dyn Clock>) -> Result<Core> {
    let contexts = context_maker(&config, &clock);
    let businesses = businesses(&config, registry, &contexts)?;
    let sites = sites(&config, registry, &contexts, &businesses)?;
    let window = window(&config, registry, &contexts)?;
    let trust = trust(&config)?;
    let identities = Identities::open(&config, registry, &contexts, true)?;
    let journal = SqliteJournal::open(JournalOptions {
        path: journal_path(&config),
        environment: config.environment.name().to_owned(),
        clock: clock.clone(),
        default_site: config.site.first().map(|site| site.name.clone()).unwrap_or_default(),
        disposing_sites: sites.iter().filter(|s| s.capabilities.disposes).map(|s| s.config.name.clone()).collect(),
    })?;
    let journal: Arc<dyn Journal> = Arc::new(journal);
    Ok(Core::new(config, clock, journal, businesses, identities, trust, window, sites))
}

/// Where the journal of this configuration lies.
pub fn journal_path(config: &Config) -> PathBuf {
    config.base_dir.join(&config.data_dir).join(&config.journal.path)
}

/// Makes a plugin instance's context: a data folder of its own.
pub(crate) fn context_maker(config: &Config, clock: &Arc<dyn Clock>) -> impl Fn(&str, &str) -> Result<Context> + use<> {
    let contexts = kouan_host::Contexts::new(config.base_dir.join(&config.data_dir), &config.base_dir, clock.clone());
    move |kind: &str, instance: &str| {
        contexts.context(kind, instance).map_err(KernelError::plugin(format!("data folder of {kind} {instance}")))
    }
}

pub(crate) type Contexts<'a> = dyn Fn(&str, &str) -> Result<Context> + 'a;

pub(crate) fn businesses(config: &Config, registry: &Registry, contexts: &Contexts<'_>) -> Result<Vec<BusinessSlot>> {
    let configured = if config.business.is_empty() {
        registry.ids(Kind::Business).into_iter().map(BusinessConfig::bundled).collect()
    } else {
        config.business.clone()
    };
    let open = |config: BusinessConfig| {
        let settings = serde_json::Value::Object(config.settings.clone()).to_string();
        let plugin = registry
            .business(&config.plugin, &contexts("business", &config.plugin)?, &settings)
            .map_err(KernelError::plugin(format!("business {}", config.plugin)))?;
        Ok(BusinessSlot { info: plugin.describe(), plugin: Arc::from(plugin), config })
    };
    configured.into_iter().map(open).collect()
}

pub(crate) fn sites(
    config: &Config,
    registry: &Registry,
    contexts: &Contexts<'_>,
    businesses: &[BusinessSlot],
) -> Result<Vec<SiteSlot>> {
    let open = |site: &crate::config::SiteConfig| {
        let what = format!("transport {} of site {}", site.transport, site.name);
        let decl = registry.find(Kind::Transport, &site.transport).map_err(KernelError::plugin(what.clone()))?;
        let mut settings = site.settings.clone();
        if takes(&(decl.config_schema)(), "folders") {
            settings.entry("folders").or_insert_with(|| folders(businesses));
        }
        let transport = registry
            .transport(
                &site.transport,
                &contexts("site", &site.name)?,
                &serde_json::Value::Object(settings).to_string(),
            )
            .map_err(KernelError::plugin(what))?;
        Ok(SiteSlot {
            config: site.clone(),
            capabilities: transport.capabilities(),
            transport: Arc::from(transport),
            receiver: Mutex::new(None),
            effects: Signal::default(),
        })
    };
    config.site.iter().map(open).collect()
}

/// Whether a plugin's configuration has this key.
fn takes(schema: &str, key: &str) -> bool {
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap_or_default();
    schema.pointer(&format!("/properties/{key}")).is_some()
}

/// The folders of all message types, for sites that are folder trees; what belongs to nobody goes to `Others`
/// (`domain/goods-declaration.md` §3.1).
fn folders(businesses: &[BusinessSlot]) -> serde_json::Value {
    let types = businesses.iter().flat_map(|slot| &slot.info.types);
    let mut folders: Vec<_> = types.map(|t| serde_json::json!({ "form_id": t.id, "folder": t.folder })).collect();
    folders.push(serde_json::json!({ "form_id": OTHERS.0, "folder": OTHERS.1 }));
    serde_json::Value::Array(folders)
}

pub(crate) fn window(
    config: &Config,
    registry: &Registry,
    contexts: &Contexts<'_>,
) -> Result<Arc<dyn kouan_sdk::Transport>> {
    let settings = serde_json::Value::Object(config.window.settings.clone()).to_string();
    let what = format!("transport {} of the window", config.window.transport);
    let transport = registry
        .transport(&config.window.transport, &contexts("window", "window")?, &settings)
        .map_err(KernelError::plugin(what))?;
    Ok(Arc::from(transport))
}

/// The certificates that receipts may be signed with; in production none of them may be a development one.
pub(crate) fn trust(config: &Config) -> Result<Trust> {
    let mut certificates = Vec::new();
    for path in &config.window.trust {
        let path = config.base_dir.join(path);
        let text = std::fs::read_to_string(&path).map_err(KernelError::io(format!("read {}", path.display())))?;
        let read = kouan_sm::Certificate::all_from_pem(&text)
            .map_err(|e| KernelError::plugin(format!("trusted certificate {}", path.display()))(e.into()))?;
        let development = read.iter().any(|c| c.issuer().contains(crate::identity::DEVELOPMENT_ISSUER));
        if development && config.environment == Environment::Production {
            let error = kouan_sdk::Error::new(
                kouan_sdk::ErrorKind::Config,
                "KOUAN-KERNEL-ENVIRONMENT-CROSSED",
                "a development certificate is trusted in production",
            );
            return Err(KernelError::plugin(format!("trusted certificate {}", path.display()))(error));
        }
        certificates.extend(read);
    }
    Ok(Trust::new(certificates))
}
