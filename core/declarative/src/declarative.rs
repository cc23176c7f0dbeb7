//! A business by data, as a plugin holds it.

use crate::business::Compiled;
use crate::check::{self, Judge};
use crate::config::{self, Config, Levels};
use crate::data::Place;
use crate::form::{self, MessageForm};
use crate::hooks::Hooks;
use crate::samples::{self, Sample};
use crate::simulate::SimulatedWindow;
use crate::site::SiteData;
use crate::{plan, receipt, renumber};
use include_dir::Dir;
use kouan_schema::Validator;
use kouan_sdk::business::{BusinessInfo, Key, Package, PartPlan, Receipt, ReceiptName, Report};
use kouan_sdk::{Business, Context, Result, Simulator};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A business given by a folder of data, built into the binary; a site may name a folder of its own instead.
pub struct Declarative {
    id: &'static str,
    dir: &'static Dir<'static>,
    hooks: &'static dyn Hooks,
    /// The built-in data, compiled once in a process.
    built_in: OnceLock<Result<Arc<Compiled>>>,
}

impl Declarative {
    /// A business: its id, its folder (`include_dir!`), and what data cannot say.
    pub const fn new(id: &'static str, dir: &'static Dir<'static>, hooks: &'static dyn Hooks) -> Self {
        Self { id, dir, hooks, built_in: OnceLock::new() }
    }

    /// The plugin's id.
    pub fn id(&self) -> &'static str {
        self.id
    }

    /// Makes the business, for [`kouan_sdk::PluginDecl::business`].
    ///
    /// # Errors
    /// `KOUAN-DECLARATIVE-CONFIG`, `KOUAN-DECLARATIVE-DATA` or `KOUAN-SCHEMA-…` with the place in the file.
    pub fn business(&'static self, context: &Context, config: &str) -> Result<Box<dyn Business>> {
        let config = config::parse(self.id, config)?;
        let compiled = self.compiled(&self.of_site(context, &config)?)?;
        // Only a site that names rules makes us look at all of them.
        let validators = if config.rules.is_empty() { Vec::new() } else { built(&compiled)? };
        let own: Vec<&str> = check::RULES.iter().chain(self.hooks.rules()).copied().collect();
        let levels = Levels::new(&config.rules, validators.iter().map(Arc::as_ref), &own, &check::FIXED);
        let levels = levels.map_err(|why| config::wrong(self.id, &why))?;
        Ok(Box::new(Instance { compiled, levels, hooks: self.hooks }))
    }

    /// Makes the business's side of the sandbox, for [`kouan_sdk::PluginDecl::simulator`].
    ///
    /// # Errors
    /// As [`Self::business`].
    pub fn simulator(&'static self, context: &Context, config: &str) -> Result<Box<dyn Simulator>> {
        let config = config::parse(self.id, config)?;
        Ok(Box::new(SimulatedWindow { compiled: self.compiled(&self.of_site(context, &config)?)? }))
    }

    /// The compiled schemas with their rules and code tables, one for each choice of files that a type makes: the
    /// built-in ones, or with what a site has of its own.
    ///
    /// # Errors
    /// As [`Self::business`].
    pub fn validators(&self, site: Option<&SiteData>) -> Result<Vec<Arc<Validator>>> {
        built(&*self.compiled(site.unwrap_or(&SiteData::default()))?)
    }

    /// What a message of each type looks like, for one who writes the first.
    ///
    /// # Errors
    /// As [`Self::business`].
    pub fn forms(&self, site: &SiteData) -> Result<Vec<MessageForm>> {
        form::forms(&*self.compiled(site)?)
    }

    /// The built-in samples.
    pub fn samples(&self) -> Vec<Sample> {
        samples::samples(self.dir)
    }

    /// The built-in sample receipts: file name and bytes.
    pub fn receipts(&self) -> Vec<(String, &'static [u8])> {
        samples::receipts(self.dir)
    }

    /// The same message under another number: where its business key stands. `None` if it has no number of its own.
    ///
    /// # Errors
    /// `KOUAN-DECLARATIVE-UNREADABLE` if it is no message of this business.
    pub fn renumbered(&self, document: &[u8], form_id: Option<&str>, number: &str) -> Result<Option<Vec<u8>>> {
        renumber::renumbered(&*self.compiled(&SiteData::default())?, document, form_id, number)
    }

    fn of_site(&self, context: &Context, config: &Config) -> Result<SiteData> {
        SiteData::read(&context.base_dir, self.id, config.schemas.as_deref(), config.codes.as_deref())
    }

    fn compiled(&self, site: &SiteData) -> Result<Arc<Compiled>> {
        if site.is_none() {
            return self.built_in.get_or_init(|| Compiled::load(Place::BuiltIn(self.dir), &[]).map(Arc::new)).clone();
        }
        let place = site.folder.as_deref().map_or(Place::BuiltIn(self.dir), Place::Folder);
        Compiled::load(place, &site.tables).map(Arc::new)
    }
}

/// The compiled schemas of a folder with a business.toml, as [`Declarative::validators`] gives them.
///
/// # Errors
/// `KOUAN-DECLARATIVE-DATA` or `KOUAN-SCHEMA-…` with the place in the file.
pub fn folder_validators(folder: &Path) -> Result<Vec<Arc<Validator>>> {
    built(&Compiled::load(Place::Folder(folder), &[])?)
}

/// Every validator.
fn built(compiled: &Compiled) -> Result<Vec<Arc<Validator>>> {
    compiled.validators.iter().map(|validator| validator.built()).collect()
}

/// One configured instance. Calls share it without a lock.
struct Instance {
    compiled: Arc<Compiled>,
    levels: Levels,
    hooks: &'static dyn Hooks,
}

impl Business for Instance {
    fn describe(&self) -> BusinessInfo {
        self.compiled.info.clone()
    }

    fn check(&self, package: &Package<'_>) -> Result<Report> {
        Judge { compiled: &self.compiled, levels: &self.levels, hooks: self.hooks }.report(package)
    }

    fn plan<'a>(&self, package: &Package<'a>, report: &Report, _known: &[Key]) -> Result<Vec<PartPlan<'a>>> {
        plan::parts(&self.compiled, package, report)
    }

    fn read_receipt(&self, bytes: &[u8]) -> Result<Receipt> {
        let (document, mut receipt) = receipt::read(&self.compiled, bytes)?;
        self.hooks.receipt(&document, &mut receipt);
        Ok(receipt)
    }

    fn refusal(&self, report: &Report) -> Result<(ReceiptName, Vec<u8>)> {
        receipt::refusal(&self.compiled, report)
    }
}
