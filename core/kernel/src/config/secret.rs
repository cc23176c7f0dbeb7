//! Secrets: the file names where they are, never what they are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Where a secret comes from: `{ env = "NAME" }` or `{ file = "path" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Secret {
    /// An environment variable.
    Env(String),
    /// The first line of a file; relative to the configuration file.
    File(PathBuf),
}

impl Secret {
    /// Reads it. Kind `Config` if it is not there; the value never stands in the error.
    pub fn read(&self, base_dir: &std::path::Path) -> kouan_sdk::Result<Zeroizing<String>> {
        let missing =
            |what: String| kouan_sdk::Error::new(kouan_sdk::ErrorKind::Config, "KOUAN-CONFIG-SECRET-MISSING", what);
        match self {
            Self::Env(name) => std::env::var(name)
                .map(Zeroizing::new)
                .map_err(|_| missing(format!("environment variable {name} is not set"))),
            Self::File(path) => {
                let path = base_dir.join(path);
                let text = std::fs::read_to_string(&path)
                    .map(Zeroizing::new)
                    .map_err(|e| missing(format!("cannot read secret file {}: {e}", path.display())))?;
                Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
            }
        }
    }
}
