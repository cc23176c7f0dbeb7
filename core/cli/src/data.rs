//! Businesses as data: the bundled ones, or a folder with `xsd/`, `rules/` and `codes/` as in `business-schemas/`.

use crate::app::App;
use crate::bundled::{self, BusinessData};
use crate::exit::WrongUsage;
use anyhow::Context as _;
use kouan_declarative::SiteData;
use kouan_kernel::Config;
use kouan_schema::{CodeTable, LoadError, RuleInfo, RuleTest, Validator};
use kouan_sdk::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Which business's data a command looks at; all bundled ones if nothing is named.
#[derive(clap::Args)]
pub struct Source {
    #[arg(long, value_name = "ID")]
    business: Option<String>,
    #[arg(long, value_name = "FOLDER", conflicts_with = "business")]
    folder: Option<PathBuf>,
}

/// One business's data, compiled.
pub struct BusinessRules {
    /// The business's id; the folder's name for a folder.
    pub business: String,
    /// The data; several where types have schemas of their own. Rules and tables may stand in more than one.
    pub validators: Vec<Arc<Validator>>,
}

impl BusinessRules {
    /// All rules, each once.
    pub fn rules(&self) -> Vec<&RuleInfo> {
        let mut rules: Vec<&RuleInfo> = Vec::new();
        for rule in self.validators.iter().flat_map(|validator| validator.rules().list()) {
            if !rules.iter().any(|known| known.id == rule.id) {
                rules.push(rule);
            }
        }
        rules
    }

    /// Every rule's examples, in every schema that takes the rule.
    pub fn tests(&self) -> Vec<RuleTest> {
        self.validators.iter().flat_map(|validator| validator.test_rules()).collect()
    }

    /// All code tables, each once.
    pub fn codes(&self) -> impl Iterator<Item = &CodeTable> {
        let tables: BTreeMap<&str, &CodeTable> =
            self.validators.iter().flat_map(|v| v.codes().iter().map(|(name, table)| (name.as_str(), table))).collect();
        tables.into_values()
    }
}

impl Source {
    /// Reads and compiles what is asked for; the bundled businesses with what the configuration lays over them.
    ///
    /// # Errors
    /// No such business or folder; the first thing that is wrong with its files.
    pub fn load(&self, app: &App) -> anyhow::Result<Vec<BusinessRules>> {
        if let Some(folder) = &self.folder {
            return Ok(vec![of_folder(folder)?]);
        }
        let config = app.config_if_any()?;
        match &self.business {
            Some(id) => Ok(vec![of_bundled(bundled_data(id)?, config.as_ref())?]),
            None => bundled::DATA.iter().map(|data| of_bundled(data, config.as_ref())).collect(),
        }
    }
}

/// The bundled business of that id.
///
/// # Errors
/// There is none; the nearest one is named.
pub fn bundled_data(id: &str) -> Result<&'static BusinessData, WrongUsage> {
    bundled::DATA.iter().find(|data| data.id == id).ok_or_else(|| {
        let ids: Vec<_> = bundled::DATA.iter().map(|data| data.id).collect();
        let meant = kouan_host::nearest(id, ids.iter().copied()).map(|id| format!("; did you mean `{id}`?"));
        WrongUsage(format!("no business `{id}` is bundled, only {}{}", ids.join(", "), meant.unwrap_or_default()))
    })
}

/// A bundled business with what the configuration lays over it.
///
/// # Errors
/// What is wrong with the site's files.
pub fn of_bundled(data: &BusinessData, config: Option<&Config>) -> anyhow::Result<BusinessRules> {
    let validators = (data.validators)(&site_data(data.id, config)?)?;
    Ok(BusinessRules { business: data.id.to_owned(), validators })
}

/// What the site has of its own for a business: by the configuration, or beside it.
///
/// # Errors
/// What is wrong with the site's code tables.
pub fn site_data(business: &str, config: Option<&Config>) -> kouan_sdk::Result<SiteData> {
    SiteData::read(base(config), business, setting(business, config, "schemas"), setting(business, config, "codes"))
}

/// Where the site's own code tables of a business lie.
pub fn codes_folder(business: &str, config: Option<&Config>) -> PathBuf {
    kouan_declarative::codes_folder(base(config), business, setting(business, config, "codes"))
}

/// The file of `folder` that holds the site's own table of that name.
///
/// # Errors
/// The folder cannot be read.
pub fn site_file(folder: &Path, table: &str) -> anyhow::Result<Option<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("read {}", folder.display())),
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == "csv"));
    paths.sort();
    let is_it = |path: &PathBuf| {
        let read = std::fs::read(path).ok().and_then(|bytes| CodeTable::read("", &bytes).ok());
        read.is_some_and(|found| found.name == table)
    };
    Ok(paths.into_iter().find(is_it))
}

fn base(config: Option<&Config>) -> &Path {
    config.map_or(Path::new(""), |config| &config.base_dir)
}

fn setting<'c>(business: &str, config: Option<&'c Config>, key: &str) -> Option<&'c str> {
    let all = config.into_iter().flat_map(|config| &config.business);
    all.filter(|of| of.plugin == business).find_map(|of| of.settings.get(key)?.as_str())
}

fn of_folder(folder: &Path) -> anyhow::Result<BusinessRules> {
    let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let business = name.unwrap_or_else(|| folder.display().to_string());
    if folder.join("business.toml").is_file() {
        // Its types say which schemas and rules belong together.
        let validators = kouan_declarative::folder_validators(folder).map_err(of_data)?;
        return Ok(BusinessRules { business, validators });
    }
    let mut builder = Validator::builder();
    for part in ["xsd", "rules", "codes"] {
        let part = folder.join(part);
        let entries = match std::fs::read_dir(&part) {
            Ok(entries) => entries,
            // A business without rules or tables of its own is one, too.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !part.ends_with("xsd") => continue,
            Err(error) => return Err(WrongUsage(format!("{}: {error}", part.display())).into()),
        };
        let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        paths.sort();
        for path in paths.into_iter().filter(|path| path.is_file()) {
            let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            builder = builder.file(path.display().to_string(), bytes);
        }
    }
    Ok(BusinessRules { business, validators: vec![Arc::new(builder.build().map_err(broken)?)] })
}

/// Here the data itself is what is checked, so it is not the configuration that is wrong.
pub fn broken(error: LoadError) -> Error {
    of_data(error.into())
}

fn of_data(error: Error) -> Error {
    Error { kind: ErrorKind::Invalid, ..error }
}
