//! The configuration.

use crate::names;
use kouan_sdk::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The transport's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder that holds one folder for each FormId; relative paths start at the configuration's folder.
    pub root: PathBuf,
    /// The folders. Without it: those of the goods declaration, and `Others`.
    #[serde(default = "default_folders")]
    pub folders: Vec<FolderConfig>,
    /// How long a file that was not renamed in must stay unchanged before it is taken, in milliseconds; 0 takes every
    /// file that is whole at its end at once.
    #[serde(default = "default_stable_ms")]
    pub stable_ms: u64,
    /// How long a file whose end is missing must stay unchanged before it is taken as it is (and refused, visibly, by
    /// the check), in milliseconds.
    #[serde(default = "default_incomplete_ms")]
    pub incomplete_ms: u64,
    /// Longest pause between two looks at the OutBoxes, in milliseconds.
    #[serde(default = "default_scan_interval_ms")]
    #[schemars(range(min = 1))]
    pub scan_interval_ms: u64,
    /// Largest file that is taken, in bytes; a larger one goes to FailBox.
    #[serde(default = "default_max_file_bytes")]
    pub max_file_bytes: u64,
}

/// One FormId and its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// FormId, such as `DECCUS001`.
    pub form_id: String,
    /// Folder below the root, such as `Deccus001`; found without regard to case. Types may share one, spelt the same.
    pub folder: String,
    /// A third ending that is taken from OutBox, beside `xml` and `zip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
}

/// `domain/goods-declaration.md` §3.1: where receipts of unknown kind land.
pub(crate) const OTHERS: &str = "OTHERS";

fn default_folders() -> Vec<FolderConfig> {
    serde_json::from_str(include_str!("../folders.json")).unwrap_or_default()
}

fn default_stable_ms() -> u64 {
    1000
}

fn default_incomplete_ms() -> u64 {
    30_000
}

fn default_scan_interval_ms() -> u64 {
    1000
}

fn default_max_file_bytes() -> u64 {
    64 << 20
}

const WRONG: &str = "KOUAN-DIRECTORY-CONFIG";

/// Reads the configuration; a folder for unmatched receipts is always there.
pub(crate) fn read(text: &str) -> Result<Config> {
    let mut config: Config = kouan_sdk::settings(text, WRONG)?;
    if !config.folders.iter().any(|f| f.form_id.eq_ignore_ascii_case(OTHERS)) {
        let others = FolderConfig { form_id: OTHERS.into(), folder: "Others".into(), extension: None };
        config.folders.push(others);
    }
    let mut seen: BTreeMap<String, &FolderConfig> = BTreeMap::new();
    for folder in &config.folders {
        if !names::is_safe(&folder.folder) {
            return Err(wrong(format!("folder {:?} is not one plain name", folder.folder)));
        }
        // Types may share a folder, spelt the same; two spellings of one folder would claim each other's files.
        let first = *seen.entry(folder.folder.to_lowercase()).or_insert(folder);
        if first.folder != folder.folder || first.extension != folder.extension {
            return Err(wrong(format!("folder {} stands twice, not the same each time", folder.folder)));
        }
        if folder.form_id.is_empty() {
            return Err(wrong(format!("folder {} has an empty form_id", folder.folder)));
        }
    }
    if config.scan_interval_ms == 0 {
        return Err(wrong("scan_interval_ms must be at least 1".into()));
    }
    Ok(config)
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Config, WRONG, text)
}

/// The JSON Schema of [`Config`].
pub(crate) fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(Config)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_the_one_in_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json");
        if std::env::var_os("KOUAN_BLESS").is_some() {
            std::fs::write(path, schema() + "\n").expect("the schema is written");
        }
        let committed = std::fs::read_to_string(path).expect("config.schema.json");
        assert_eq!(schema(), committed.trim_end(), "run this test with KOUAN_BLESS=1 to write it anew");
    }

    #[test]
    fn folders_have_defaults_and_others_is_always_there() {
        let config = read(r#"{"root": "imp-path"}"#).expect("good");
        assert_eq!(config.folders[0].folder, "Deccus001");
        let config = read(r#"{"root": "x", "folders": [{"form_id": "SAS", "folder": "Sas"}]}"#).expect("good");
        assert_eq!(config.folders.last().map(|f| &*f.form_id), Some("OTHERS"));
    }

    #[test]
    fn folders_that_lead_elsewhere_or_meet_are_refused() {
        for folders in [
            r#"[{"form_id": "A", "folder": "../etc"}]"#,
            r#"[{"form_id": "A", "folder": "a/b"}]"#,
            r#"[{"form_id": "A", "folder": "a\\b"}]"#,
            r#"[{"form_id": "A", "folder": ""}]"#,
            r#"[{"form_id": "", "folder": "a"}]"#,
            r#"[{"form_id": "A", "folder": "Sas"}, {"form_id": "B", "folder": "SAS"}]"#,
            r#"[{"form_id": "A", "folder": "a", "box": 1}]"#,
        ] {
            let error = read(&format!(r#"{{"root": "x", "folders": {folders}}}"#)).expect_err(folders);
            assert_eq!(&*error.code, "KOUAN-DIRECTORY-CONFIG", "{folders}");
        }
    }
}
