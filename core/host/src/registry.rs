//! Which plugins there are, and the instances made of them.

use crate::slot::{Overlap, Slot};
use crate::suggest::{hint, list};
use crate::{
    GuardedBusiness, GuardedSecurity, GuardedSimulator, GuardedTransport, PluginReport, Policy, Watch, settings,
};
use kouan_sdk::{Business, Context, Error, ErrorKind, Kind, Make, PluginDecl, Result, Security, Simulator, Transport};
use parking_lot::Mutex;
use std::sync::Arc;

/// The plugins at hand, and a watch for every instance made of them.
pub struct Registry {
    plugins: Vec<&'static PluginDecl>,
    policy: Policy,
    watches: Mutex<Vec<Arc<Watch>>>,
}

impl Registry {
    /// A registry of these plugins, under the default [`Policy`].
    ///
    /// `KOUAN-HOST-PLUGIN-CLASH` if two of them offer the same kind under one id: never a silent override.
    pub fn new(plugins: &[&'static PluginDecl]) -> Result<Self> {
        Self::with_policy(plugins, Policy::default())
    }

    /// A registry under a policy of the caller's.
    pub fn with_policy(plugins: &[&'static PluginDecl], policy: Policy) -> Result<Self> {
        for (index, plugin) in plugins.iter().enumerate() {
            let earlier = plugins.iter().take(index).find(|other| clash(other, plugin));
            if let Some(other) = earlier {
                let text = format!("two plugins are called {}: {} and {}", plugin.id, title(other), title(plugin));
                return Err(Error::new(ErrorKind::Config, "KOUAN-HOST-PLUGIN-CLASH", text));
            }
        }
        Ok(Self { plugins: plugins.to_vec(), policy, watches: Mutex::default() })
    }

    /// All plugins.
    pub fn plugins(&self) -> &[&'static PluginDecl] {
        &self.plugins
    }

    /// Ids of the plugins of this kind, in the order in which they were given.
    pub fn ids(&self, kind: Kind) -> Vec<&'static str> {
        self.plugins.iter().filter(|plugin| offers(plugin, kind)).map(|plugin| plugin.id).collect()
    }

    /// The plugin of this kind and id.
    ///
    /// `KOUAN-HOST-PLUGIN-UNKNOWN` with the nearest name and the list of what is there.
    pub fn find(&self, kind: Kind, id: &str) -> Result<&'static PluginDecl> {
        let found = self.plugins.iter().find(|plugin| plugin.id == id && offers(plugin, kind));
        found.copied().ok_or_else(|| {
            let known = self.ids(kind);
            let word = word(kind);
            let other = self.plugins.iter().find(|plugin| plugin.id == id).map(|plugin| {
                let kinds = plugin.kinds();
                format!(" (it is a {})", list(kinds.iter().map(|kind| self::word(*kind))))
            });
            let text = format!(
                "no {word} plugin is called \"{}\"{}{}; there are: {}",
                id.escape_debug(),
                other.unwrap_or_default(),
                hint(id, known.iter().copied()),
                list(known.iter().copied())
            );
            Error::new(ErrorKind::Config, "KOUAN-HOST-PLUGIN-UNKNOWN", text)
        })
    }

    /// Makes a business, guarded. `config` is JSON text.
    pub fn business(&self, id: &str, context: &Context, config: &str) -> Result<Box<dyn Business>> {
        let plugin = self.find(Kind::Business, id)?;
        let slot = self.open(plugin, Kind::Business, Overlap::Allowed, plugin.business, context, config)?;
        Ok(Box::new(GuardedBusiness::new(slot)?))
    }

    /// Makes a transport, guarded.
    pub fn transport(&self, id: &str, context: &Context, config: &str) -> Result<Box<dyn Transport>> {
        let plugin = self.find(Kind::Transport, id)?;
        let slot = self.open(plugin, Kind::Transport, Overlap::Allowed, plugin.transport, context, config)?;
        Ok(Box::new(GuardedTransport::new(slot)?))
    }

    /// Makes a security backend, guarded. After a rebuild it is locked until somebody logs in again: the host keeps no PIN.
    pub fn security(&self, id: &str, context: &Context, config: &str) -> Result<Box<dyn Security>> {
        let plugin = self.find(Kind::Security, id)?;
        let slot = self.open(plugin, Kind::Security, Overlap::Never, plugin.security, context, config)?;
        Ok(Box::new(GuardedSecurity::new(slot)))
    }

    /// Makes a business's simulator, guarded; `None` if the business has none. Only the sandbox calls it.
    pub fn simulator(&self, id: &str, context: &Context, config: &str) -> Result<Option<Box<dyn Simulator>>> {
        let plugin = self.find(Kind::Business, id)?;
        if plugin.simulator.is_none() {
            return Ok(None);
        }
        let slot = self.open(plugin, Kind::Business, Overlap::Allowed, plugin.simulator, context, config)?;
        Ok(Some(Box::new(GuardedSimulator::new(slot))))
    }

    /// How every instance stands, in the order in which they were made.
    pub fn reports(&self) -> Vec<PluginReport> {
        self.watches.lock().iter().map(|watch| watch.report()).collect()
    }

    /// Lifts the quarantine of an instance; whether there is such an instance.
    pub fn release(&self, kind: Kind, instance: &str) -> bool {
        let watches = self.watches.lock();
        let matching: Vec<_> = watches.iter().filter(|watch| watch.is(kind, instance)).collect();
        matching.iter().for_each(|watch| watch.release());
        !matching.is_empty()
    }

    fn open<T: ?Sized + Send + Sync + 'static>(
        &self,
        plugin: &'static PluginDecl,
        kind: Kind,
        overlap: Overlap,
        make: Option<Make<T>>,
        context: &Context,
        config: &str,
    ) -> Result<Slot<T>> {
        let named = |error: Error| Error { message: format!("{}: {}", context.instance, error.message), ..error };
        let make = make.ok_or_else(|| {
            Error::new(
                ErrorKind::NotSupported,
                "KOUAN-HOST-PLUGIN-UNKNOWN",
                format!("{} makes no such thing", plugin.id),
            )
        })?;
        settings::check(&(plugin.config_schema)(), config).map_err(named)?;
        let clock = context.clock.clone();
        let watch = Arc::new(Watch::new(plugin.id, kind, &context.instance, self.policy, clock));
        let (own, config) = (context.clone(), config.to_owned());
        let slot = Slot::open(watch.clone(), overlap, Box::new(move || make(&own, &config))).map_err(named)?;
        self.watches.lock().push(watch);
        Ok(slot)
    }
}

fn offers(plugin: &PluginDecl, kind: Kind) -> bool {
    match kind {
        Kind::Business => plugin.business.is_some(),
        Kind::Transport => plugin.transport.is_some(),
        Kind::Security => plugin.security.is_some(),
    }
}

fn clash(a: &PluginDecl, b: &PluginDecl) -> bool {
    a.id == b.id && a.kinds().iter().any(|kind| offers(b, *kind))
}

/// `directory 0.1.0 (folders of the official client)`.
fn title(plugin: &PluginDecl) -> String {
    format!("{} {} ({})", plugin.id, plugin.version, plugin.summary.1)
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Business => "business",
        Kind::Transport => "transport",
        Kind::Security => "security",
    }
}
