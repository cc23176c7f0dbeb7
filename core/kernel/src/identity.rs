//! Identities (身份): who signs and sends a message. A locked or missing card stops only its own identity.

use crate::config::{Config, Environment, IdentityConfig, SiteConfig};
use crate::error::{KernelError, Result};
use kouan_host::Registry;
use kouan_sdk::business::{Key, Signer};
use kouan_sdk::security::{KeyKind, SecurityIdentity};
use kouan_sdk::{Clock, Context, Security};
use kouan_sm::Certificate;
use parking_lot::RwLock;
use std::sync::Arc;

/// Subjects of certificates that `kouan init` makes begin with this common name; production refuses them.
pub const DEVELOPMENT_ISSUER: &str = "Kouan Development CA";

/// One identity at work.
pub struct Identity {
    /// As configured.
    pub config: IdentityConfig,
    /// Its device.
    pub security: Arc<dyn Security>,
    key: RwLock<Option<SigningKey>>,
}

/// The key that signs now.
#[derive(Clone)]
pub struct SigningKey {
    /// As the backend offers it.
    pub identity: Arc<SecurityIdentity>,
    /// Its certificate, read.
    pub certificate: Arc<Certificate>,
}

impl Identity {
    /// The signing key and certificate in force; asks the device anew, since a certificate may be replaced while the
    /// gateway runs.
    pub fn refresh(&self) -> kouan_sdk::Result<SigningKey> {
        let all = self.security.identities()?;
        let chosen = all.into_iter().filter(|i| i.signs).min_by_key(|i| i.kind != KeyKind::Sm2).ok_or_else(|| {
            kouan_sdk::Error::new(
                kouan_sdk::ErrorKind::Unavailable,
                "KOUAN-KERNEL-NO-SIGNING-KEY",
                format!("identity {} has no key that signs", self.config.dxp_id),
            )
        })?;
        if let Some(known) = self.key.read().as_ref().filter(|known| known.identity.certificate == chosen.certificate) {
            return Ok(known.clone());
        }
        let certificate = Certificate::from_der(&chosen.certificate)?;
        let key = SigningKey { identity: Arc::new(chosen), certificate: Arc::new(certificate) };
        *self.key.write() = Some(key.clone());
        Ok(key)
    }

    /// What the message's own signature says of the signer.
    pub fn signer(&self, key: &SigningKey) -> Signer {
        let card = key.certificate.card_number().unwrap_or_default();
        Signer {
            certificate_serial: key.certificate.serial().to_owned(),
            card_number: if self.config.card_number.is_empty() { card } else { self.config.card_number.clone() },
            operator_name: self.config.operator_name.clone(),
        }
    }
}

/// All identities.
pub struct Identities {
    all: Vec<Arc<Identity>>,
}

impl Identities {
    /// Makes the devices, and with `login` presents the PIN where one is configured. A device that is locked or missing is
    /// no error here: the gateway starts, takes in, and holds at sign. A check leaves the PIN alone: cards count tries.
    pub fn open(
        config: &Config,
        registry: &Registry,
        contexts: &dyn Fn(&str, &str) -> Result<Context>,
        login: bool,
    ) -> Result<Self> {
        let mut all = Vec::new();
        for identity in &config.identity {
            let what = format!("security backend {} of identity {}", identity.security.backend, identity.dxp_id);
            let context = contexts("security", &identity.dxp_id)?;
            let settings = serde_json::Value::Object(identity.security.settings.clone()).to_string();
            let security = registry
                .security(&identity.security.backend, &context, &settings)
                .map_err(KernelError::plugin(what.clone()))?;
            let made = Identity { config: identity.clone(), security: Arc::from(security), key: RwLock::new(None) };
            if login {
                log_in(&made, config, &what)?;
            }
            refuse_crossing(&made, config.environment, &what)?;
            all.push(Arc::new(made));
        }
        Ok(Self { all })
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Identity>] {
        &self.all
    }

    /// By DXP id.
    pub fn by_dxp_id(&self, dxp_id: &str) -> Option<&Arc<Identity>> {
        self.all.iter().find(|identity| identity.config.dxp_id == dxp_id)
    }

    /// Who sends a message: the site's own identity, else the first one that acts for a code in the message (best code
    /// first), else the only one if it is bound to no codes, or if the message names nobody.
    pub fn choose(&self, site: Option<&SiteConfig>, parties: &[Key]) -> Option<&Arc<Identity>> {
        if let Some(fixed) = site.and_then(|site| site.identity.as_deref()) {
            return self.by_dxp_id(fixed);
        }
        let acts_for = |identity: &Identity, code: &str| {
            identity.config.enterprises.iter().chain(&identity.config.cards).any(|known| known == code)
        };
        let by_code = parties.iter().find_map(|party| self.all.iter().find(|i| acts_for(i, &party.value)));
        by_code.or(match self.all.as_slice() {
            [only] if parties.is_empty() || only.config.enterprises.is_empty() && only.config.cards.is_empty() => {
                Some(only)
            }
            _ => None,
        })
    }

    /// Releases all devices.
    pub fn close(&self) {
        for identity in &self.all {
            identity.security.close();
        }
    }
}

/// Presents the PIN once. A wrong PIN is reported and never tried again by itself: cards lock.
fn log_in(identity: &Identity, config: &Config, what: &str) -> Result<()> {
    let Some(pin) = &identity.config.security.pin else { return Ok(()) };
    let secret = pin.read(&config.base_dir).map_err(KernelError::plugin(what.to_owned()))?;
    if let Err(error) = identity.security.login(&secret) {
        tracing::error!(identity = identity.config.dxp_id, code = %error.code, "{what} does not log in: {}", error.message);
    }
    Ok(())
}

/// Keys are bound to an environment: a development certificate never signs in production.
fn refuse_crossing(identity: &Identity, environment: Environment, what: &str) -> Result<()> {
    let Ok(key) = identity.refresh() else { return Ok(()) };
    let development = key.certificate.issuer().contains(DEVELOPMENT_ISSUER);
    if environment == Environment::Production && development {
        return Err(KernelError::plugin(what.to_owned())(kouan_sdk::Error::new(
            kouan_sdk::ErrorKind::Config,
            "KOUAN-KERNEL-ENVIRONMENT-CROSSED",
            "a development certificate cannot sign in production",
        )));
    }
    Ok(())
}

/// Why a certificate does not serve now; `None` while it does.
pub fn out_of_date(certificate: &Certificate, clock: &dyn Clock) -> Option<kouan_sdk::Error> {
    certificate.check_time(clock.now()).err().map(Into::into)
}
