//! The business plugins at hand, and which of them a document is for.

use crate::app::App;
use crate::bundled;
use kouan_kernel::package::PackageLimits;
use kouan_sdk::business::{BusinessInfo, MessageType, RootName};
use kouan_sdk::{Business, Context, Kind};
use std::path::PathBuf;

/// The bundled businesses, set up as the configuration says, if there is one.
pub struct Businesses {
    all: Vec<(BusinessInfo, Box<dyn Business>)>,
    /// Limits for what is dropped.
    pub limits: PackageLimits,
}

impl Businesses {
    /// Makes one instance of every bundled business.
    ///
    /// # Errors
    /// A configuration, or a business's settings in it, that cannot be used.
    pub fn load(app: &App) -> anyhow::Result<Self> {
        let config = app.config_if_any()?;
        let registry = bundled::registry()?;
        let mut all = Vec::new();
        for id in registry.ids(Kind::Business) {
            // A business does no I/O of its own; a command that only looks at files leaves no folder behind.
            let mut context = Context::standalone(id, std::env::temp_dir());
            context.base_dir = config.as_ref().map_or_else(|| PathBuf::from("."), |config| config.base_dir.clone());
            let configured = config.iter().flat_map(|config| &config.business).find(|business| business.plugin == id);
            let settings = configured.map(|business| business.settings.clone()).unwrap_or_default();
            let business = registry.business(id, &context, &serde_json::to_string(&settings)?)?;
            all.push((business.describe(), business));
        }
        let mut limits = PackageLimits::default();
        if let Some(config) = &config {
            limits.max_document_bytes = config.limits.max_document_bytes;
            limits.max_total_bytes = config.limits.max_message_bytes;
        }
        Ok(Self { all, limits })
    }

    /// The business and type whose messages have this root; a root in a wrong namespace is still its business's, so that
    /// the business can say so.
    pub fn sending(&self, root: &RootName) -> Option<(&BusinessInfo, &MessageType, &dyn Business)> {
        let types =
            || self.all.iter().flat_map(|(info, business)| info.types.iter().map(move |t| (info, t, &**business)));
        let fits = |of: &RootName, exactly: bool| {
            of.local == root.local && (!exactly || of.matches(&root.namespace, &root.local))
        };
        let find = |exactly| types().find(|(_, of, _)| of.roots.iter().any(|of| fits(of, exactly)));
        find(true).or_else(|| find(false))
    }

    /// The business of that id.
    pub fn named(&self, id: &str) -> Option<&dyn Business> {
        self.all.iter().find(|(info, _)| info.id == id).map(|(_, business)| &**business)
    }

    /// The businesses whose receipts have this root; those that read every root come last.
    pub fn receiving<'a>(&'a self, root: &'a RootName) -> impl Iterator<Item = (&'a BusinessInfo, &'a dyn Business)> {
        let reading = move |any: bool| {
            let reads = move |of: &RootName| of.is_any() == any && of.matches(&root.namespace, &root.local);
            self.all.iter().filter(move |(info, _)| info.receipt_roots.iter().any(reads))
        };
        reading(false).chain(reading(true)).map(|(info, business)| (info, &**business))
    }

    /// Roots of the messages that can be sent, for people.
    pub fn roots(&self) -> Vec<&str> {
        let types = self.all.iter().flat_map(|(info, _)| &info.types);
        types.flat_map(|of| of.roots.iter().map(|root| root.local.as_str())).collect()
    }
}
