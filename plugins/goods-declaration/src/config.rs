//! What a site may set for the goods declaration.

use crate::data::Outcome;
use kouan_declarative::Level;
use kouan_sdk::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Configuration of the goods declaration (货物申报).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder with xsd/, rules/, codes/, channels.toml … to use instead of the built-in data; relative to the
    /// configuration file.
    pub schemas: Option<String>,
    /// Folder of the site's own code tables, which go before those of the data by name; relative to the configuration
    /// file. Default: `codes/goods-declaration`, if it is there.
    pub codes: Option<String>,
    /// Named profile of signing.toml by which DecSign/Sign is made. Without one, 申报 (OperType C and D) is refused:
    /// which bytes the Single Window verifies is not public.
    pub signing_profile: Option<String>,
    /// Whether signing also writes the operator's name into DecSign/OperName.
    pub fill_operator_name: bool,
    /// Whether attachments wait until the data centre has given the declaration its number (统一编号).
    pub attachments_wait_for: WaitFor,
    /// Attachments above this many megabytes get a warning.
    pub attachment_limit_mb: u32,
    /// How single rules are held, by rule id. Where the business's `check` is "observe", nothing refuses.
    pub rules: BTreeMap<String, Level>,
    /// Other meanings of single CHANNEL codes, by code.
    pub channels: BTreeMap<String, ChannelChange>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            schemas: None,
            codes: None,
            signing_profile: None,
            fill_operator_name: false,
            attachments_wait_for: WaitFor::Nothing,
            attachment_limit_mb: 4,
            rules: BTreeMap::new(),
            channels: BTreeMap::new(),
        }
    }
}

/// What attachments wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// They follow the declaration at once, as with the official client; PRE_ENTRY_ID is empty for a first import.
    Nothing,
    /// They wait for SeqNo and carry it as PRE_ENTRY_ID.
    SeqNo,
}

/// Another meaning of a CHANNEL code; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelChange {
    /// Place in the order of stages; the receipt with the highest rank shows.
    pub rank: Option<u32>,
    /// What it says of the message.
    pub outcome: Option<Outcome>,
    /// Whether nothing more is expected.
    #[serde(rename = "final")]
    pub is_final: Option<bool>,
    /// Whether the message may be sent again as a new attempt.
    pub reopens: Option<bool>,
}

/// JSON Schema of [`Config`].
pub fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(Config)).unwrap_or_default()
}

/// Reads the configuration; empty text = all defaults.
pub(crate) fn parse(text: &str) -> Result<Config> {
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    serde_json::from_str(text)
        .map_err(|e| Error::new(ErrorKind::Config, "KOUAN-DEC-CONFIG", format!("goods-declaration: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_that_of_the_code() {
        let committed = include_str!("../config.schema.json");
        assert_eq!(committed.trim(), schema(), "write plugins/goods-declaration/config.schema.json anew");
    }

    #[test]
    fn unknown_keys_are_errors_and_defaults_are_whole() {
        assert_eq!(parse("{}").unwrap(), Config::default());
        let error = parse(r#"{"signing_profil": "x"}"#).unwrap_err();
        assert_eq!(error.code, "KOUAN-DEC-CONFIG");
        assert!(error.message.contains("signing_profil"), "{error}");
        let config = parse(r#"{"rules": {"DEC-ITEM-TOTAL": "off"}, "channels": {"E": {"final": true}}}"#).unwrap();
        assert_eq!(config.rules["DEC-ITEM-TOTAL"].severity(), None);
        assert_eq!(config.channels["E"].is_final, Some(true));
    }
}
