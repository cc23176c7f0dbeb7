//! The configuration.

use kouan_sdk::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The backend's keys. The password is not among them: it comes by login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The key file, PKCS#8 PEM; relative paths start at the configuration's folder.
    pub key: PathBuf,
    /// The certificate file, PEM; the holder's first, its issuers may follow.
    pub certificate: PathBuf,
    /// Signs with RSA and SHA-1, for legacy certificates. Off: such requests are refused.
    #[serde(default)]
    pub legacy_rsa_sha1: bool,
    /// Takes a key file that is not encrypted. For tests only.
    #[serde(default)]
    pub unencrypted: bool,
    /// What the key is for; a development certificate is refused in production.
    #[serde(default)]
    pub environment: Option<Environment>,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Trying things out.
    Test,
    /// The real window.
    Production,
}

const WRONG: &str = "KOUAN-SECURITY-CONFIG";

/// Reads the configuration.
pub(crate) fn read(text: &str) -> Result<Config> {
    let config: Config = kouan_sdk::settings(text, WRONG)?;
    for (name, path) in [("key", &config.key), ("certificate", &config.certificate)] {
        if path.as_os_str().is_empty() {
            return Err(invalid(format!("{name} is empty")));
        }
    }
    Ok(config)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::Config, WRONG, message)
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
    fn defaults_are_the_strict_ones() {
        let config = read(r#"{"key":"k.pem","certificate":"c.pem"}"#).unwrap();
        assert!(!config.legacy_rsa_sha1 && !config.unencrypted && config.environment.is_none());
    }

    #[test]
    fn what_is_missing_unknown_or_secret_is_refused() {
        for text in [
            "{",
            r#"{"key":"k.pem"}"#,
            r#"{"key":"","certificate":"c.pem"}"#,
            r#"{"key":"k.pem","certificate":"c.pem","password":"p"}"#,
            r#"{"key":"k.pem","certificate":"c.pem","environment":"staging"}"#,
        ] {
            let error = read(text).expect_err(text);
            assert_eq!((error.kind, &*error.code), (ErrorKind::Config, "KOUAN-SECURITY-CONFIG"));
        }
    }
}
