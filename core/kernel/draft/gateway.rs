//! The gateway: opens everything, runs the stages as threads, and brings them down in order.

use crate::config::{BusinessConfig, Config, Environment};
use crate::core::{BusinessSlot, Core, Phase, SiteSlot};
use crate::error::{KernelError, Result};
use crate::identity::Identities;
use crate::signal::Signal;
use crate::{check, effects, housekeeping, inbound, intake, outbound};
use kouan_dxp::Trust;
use kouan_host::Registry;
use kouan_journal::{Journal, JournalOptions};
use kouan_sdk::{Clock, Context, Kind};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
        businesses(config, registry, &contexts)?;
        sites(config, registry, &contexts)?;
        window(config, registry, &contexts)?;
        trust(config)?;
        Identities::open(config, registry, &contexts)?.close();
        Ok(())
    }

    /// The journal, for looking.
    pub fn journal(&self) -> &Journal {
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
        self.spawn("check", |core| check::run(core))?;
        self.spawn("outbound", |core| outbound::run(core))?;
        self.spawn("receive", |core| inbound::receive(core))?;
        self.spawn("open", |core| inbound::open(core))?;
        self.spawn("housekeeping", |core| housekeeping::run(core))?;
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
    let sites = sites(&config, registry, &contexts)?;
    let window = window(&config, registry, &contexts)?;
    let trust = trust(&config)?;
    let identities = Identities::open(&config, registry, &contexts)?;
    let journal = Journal::open(JournalOptions {
        path: journal_path(&config),
        environment: config.environment.name().to_owned(),
        clock: clock.clone(),
        default_site: config.site.first().map(|site| site.name.clone()).unwrap_or_default(),
        disposing_sites: sites.iter().filter(|s| s.capabilities.disposes).map(|s| s.config.name.clone()).collect(),
    })?;
    drop(contexts);
    Ok(Core::new(config, clock, journal, businesses, identities, trust, window, sites))
}

/// Where the journal of this configuration lies.
pub fn journal_path(config: &Config) -> PathBuf {
    config.base_dir.join(&config.data_dir).join(&config.journal.path)
}

/// Makes a plugin instance's context: a data folder of its own.
fn context_maker<'a>(
    config: &'a Config,
    clock: &'a Arc<dyn Clock>,
) -> Box<dyn Fn(&str, &str) -> Result<Context> + 'a> {
    Box::new(move |kind, instance| {
        let data_dir = config.base_dir.join(&config.data_dir).join(kind).join(instance);
        std::fs::create_dir_all(&data_dir).map_err(KernelError::io(format!("make {}", data_dir.display())))?;
        Ok(Context {
            instance: instance.to_owned(),
            data_dir,
            base_dir: config.base_dir.clone(),
            clock: clock.clone(),
            log: Arc::new(kouan_host::TracingLog),
        })
    })
}

type Contexts<'a> = dyn Fn(&str, &str) -> Result<Context> + 'a;

fn businesses(config: &Config, registry: &Registry, contexts: &Contexts<'_>) -> Result<Vec<BusinessSlot>> {
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

fn sites(config: &Config, registry: &Registry, contexts: &Contexts<'_>) -> Result<Vec<SiteSlot>> {
    let open = |site: &crate::config::SiteConfig| {
        let settings = serde_json::Value::Object(site.settings.clone()).to_string();
        let transport = registry
            .transport(&site.transport, &contexts("site", &site.name)?, &settings)
            .map_err(KernelError::plugin(format!("transport {} of site {}", site.transport, site.name)))?;
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

fn window(config: &Config, registry: &Registry, contexts: &Contexts<'_>) -> Result<Arc<dyn kouan_sdk::Transport>> {
    let settings = serde_json::Value::Object(config.window.settings.clone()).to_string();
    let what = format!("transport {} of the window", config.window.transport);
    let transport = registry
        .transport(&config.window.transport, &contexts("window", "window")?, &settings)
        .map_err(KernelError::plugin(what))?;
    Ok(Arc::from(transport))
}

/// The certificates that receipts may be signed with; in production none of them may be a development one.
fn trust(config: &Config) -> Result<Trust> {
    let mut certificates = Vec::new();
    for path in &config.window.trust {
        let path = config.base_dir.join(path);
        let text = std::fs::read(&path).map_err(KernelError::io(format!("read {}", path.display())))?;
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
