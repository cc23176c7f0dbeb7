//! Looking without moving a message: each device, site and the window made and asked how it is (`kouan doctor`). A gateway
//! may run beside.

use crate::config::{Config, IdentityConfig};
use crate::error::{KernelError, Result};
use crate::gateway::{self, Contexts};
use crate::identity::Identities;
use kouan_host::Registry;
use kouan_sdk::{Clock, Context, Error, ErrorKind, Health};
use kouan_sm::Certificate;
use std::sync::Arc;

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The configuration as a whole: every plugin takes its settings, no environment is crossed.
    Configuration,
    /// An identity's device, by DXP id.
    Identity(String),
    /// A site, by name.
    Site(String),
    /// The window.
    Window,
    /// The certificates that receipts may be signed with.
    Trust,
}

/// How it is.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What.
    pub subject: Subject,
    /// How.
    pub health: Health,
    /// Certificates in use there.
    pub certificates: Vec<Certificate>,
}

/// Asks everything that the configuration names. `login` says at whose device the configured PIN is presented, once:
/// cards count wrong ones. Errors never end it; each becomes its subject's red light.
pub fn probe(
    config: &Config,
    registry: &Registry,
    clock: &Arc<dyn Clock>,
    login: impl Fn(&IdentityConfig) -> bool,
) -> Vec<Probe> {
    let contexts = gateway::context_maker(config, clock);
    let of = |subject, health| Probe { subject, health, certificates: Vec::new() };
    let checked = gateway::Gateway::check_config(config, registry, clock);
    let right = || Health::green("every plugin takes its settings").zh("各插件的设置均正确");
    let whole = checked.map_or_else(|e| Health::red(&plain(e)), |()| right());
    let mut probes = vec![of(Subject::Configuration, whole)];
    probes
        .extend(config.identity.iter().map(|identity| device(config, identity, registry, &contexts, login(identity))));
    for site in &config.site {
        let alone = Config { site: vec![site.clone()], ..config.clone() };
        let slots = gateway::businesses(&alone, registry, &contexts)
            .and_then(|businesses| gateway::sites(&alone, registry, &contexts, &businesses));
        let health = slots.map(|slots| slots.first().map(|slot| slot.transport.probe()));
        let health = health.map_or_else(
            |e| Health::red(&plain(e)),
            |health| health.unwrap_or(Health::yellow("no site").zh("没有接入")),
        );
        probes.push(of(Subject::Site(site.name.clone()), health));
    }
    let window = gateway::window(config, registry, &contexts);
    probes.push(of(Subject::Window, window.map_or_else(|e| Health::red(&plain(e)), |window| window.probe())));
    probes.push(trust(config));
    probes
}

fn device(
    config: &Config,
    identity: &IdentityConfig,
    registry: &Registry,
    contexts: &Contexts<'_>,
    login: bool,
) -> Probe {
    let alone = Config { identity: vec![identity.clone()], ..config.clone() };
    let looked = look(&alone, registry, contexts, login);
    let (health, certificates) = looked.unwrap_or_else(|error| (Health::red(&error), Vec::new()));
    Probe { subject: Subject::Identity(identity.dxp_id.clone()), health, certificates }
}

fn look(
    alone: &Config,
    registry: &Registry,
    contexts: &dyn Fn(&str, &str) -> Result<Context>,
    login: bool,
) -> kouan_sdk::Result<(Health, Vec<Certificate>)> {
    let identities = Identities::open(alone, registry, contexts, false).map_err(plain)?;
    let mut looked = Err(Error::new(ErrorKind::Config, "KOUAN-KERNEL-NO-SIGNING-KEY", "no identity"));
    for identity in identities.all() {
        let pin = identity.config.security.pin.as_ref().filter(|_| login);
        let opened = pin.map_or(Ok(()), |pin| identity.security.login(&pin.read(&alone.base_dir)?));
        let certificate = identity.refresh().map(|key| (*key.certificate).clone());
        let health = match opened {
            Err(error) => Health::red(&error),
            Ok(()) => identity.security.probe(),
        };
        looked = Ok((health, certificate.into_iter().collect()));
    }
    identities.close();
    looked
}

fn trust(config: &Config) -> Probe {
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(config.base_dir.join(path)).ok()?;
        Certificate::all_from_pem(&text).ok()
    };
    let certificates: Vec<_> = config.window.trust.iter().filter_map(read).flatten().collect();
    let health = match gateway::trust(config) {
        Err(error) => Health::red(&plain(error)),
        Ok(_) if certificates.is_empty() => Health::red(&Error::new(
            ErrorKind::Config,
            "KOUAN-KERNEL-NO-TRUST",
            "no certificate is trusted: every receipt would be quarantined",
        )),
        Ok(_) => Health::green(format!("{} certificates for the window's signatures", certificates.len()))
            .zh(format!("验证窗口签名的证书 {} 张", certificates.len())),
    };
    Probe { subject: Subject::Trust, health, certificates }
}

/// A kernel's error as the one that crosses rooms.
fn plain(error: KernelError) -> Error {
    match error {
        KernelError::Config(error) => error.into(),
        KernelError::Journal(error) => error.into(),
        KernelError::Plugin { what, source } => Error { message: format!("{what}: {}", source.message), ..source },
        KernelError::Io { what, source } => {
            Error::new(ErrorKind::Unavailable, "KOUAN-KERNEL-FILE", format!("{what}: {source}"))
        }
    }
}
