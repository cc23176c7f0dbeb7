//! Businesses as data: the bundled ones, or a folder with `xsd/`, `rules/` and `codes/` as in `business-schemas/`.

use crate::bundled;
use crate::exit::WrongUsage;
use anyhow::Context as _;
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
    /// Reads and compiles what is asked for.
    ///
    /// # Errors
    /// No such business or folder; the first thing that is wrong with its files.
    pub fn load(&self) -> anyhow::Result<Vec<BusinessRules>> {
        if let Some(folder) = &self.folder {
            return Ok(vec![of_folder(folder)?]);
        }
        let known = bundled::DATA.iter().filter(|data| self.business.as_deref().is_none_or(|id| id == data.id));
        let found = known.map(of_bundled).collect::<kouan_sdk::Result<Vec<_>>>()?;
        if let (Some(id), true) = (&self.business, found.is_empty()) {
            let ids: Vec<_> = bundled::DATA.iter().map(|data| data.id).collect();
            let meant = kouan_host::nearest(id, ids.iter().copied()).map(|id| format!("; did you mean `{id}`?"));
            let text = format!("no business `{id}` is bundled, only {}{}", ids.join(", "), meant.unwrap_or_default());
            return Err(WrongUsage(text).into());
        }
        Ok(found)
    }
}

fn of_bundled(data: &bundled::BusinessData) -> kouan_sdk::Result<BusinessRules> {
    Ok(BusinessRules { business: data.id.to_owned(), validators: (data.validators)()? })
}

fn of_folder(folder: &Path) -> anyhow::Result<BusinessRules> {
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
    let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let business = name.unwrap_or_else(|| folder.display().to_string());
    Ok(BusinessRules { business, validators: vec![Arc::new(builder.build().map_err(broken)?)] })
}

/// Here the data itself is what is checked, so it is not the configuration that is wrong.
fn broken(error: LoadError) -> Error {
    Error { kind: ErrorKind::Invalid, ..error.into() }
}
