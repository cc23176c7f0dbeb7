//! What a site may set for a business given by data.

use kouan_schema::{Enforcement, MOST_FINDINGS, Validator};
use kouan_sdk::{Error, ErrorKind, Finding, Result, Severity};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Configuration of a business given by data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder with business.toml, xsd/, rules/, codes/ to use instead of the built-in data; relative to the configuration
    /// file.
    pub schemas: Option<String>,
    /// Folder of the site's own code tables, which go before those of the data by name; relative to the configuration
    /// file. Default: `codes/<business>`, if it is there.
    pub codes: Option<String>,
    /// How single rules are held, by rule id.
    pub rules: BTreeMap<String, Level>,
}

/// How a rule is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Its findings refuse the message, also those of a rule that only warns by itself.
    Enforce,
    /// The message is sent, and the findings are recorded as warnings.
    Observe,
    /// Recorded for the reader's information.
    Info,
    /// Not asked.
    Off,
}

impl Level {
    /// As a severity; `None` = not reported.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Self::Enforce => Some(Severity::Error),
            Self::Observe => Some(Severity::Warning),
            Self::Info => Some(Severity::Info),
            Self::Off => None,
        }
    }
}

/// JSON Schema of [`Config`].
pub fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(Config)).unwrap_or_default()
}

/// Reads the configuration of `business`; empty text = all defaults.
pub(crate) fn parse(business: &str, text: &str) -> Result<Config> {
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    serde_json::from_str(text).map_err(|e| wrong(business, &e.to_string()))
}

/// Levels of rules, as a site set them.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    levels: BTreeMap<String, Level>,
    /// What the validator need not even report.
    dropped: BTreeMap<String, Enforcement>,
}

impl Levels {
    /// Levels that may be set: of rules that the validators have, of the schema's own (`XSD-…`), of `own`; never those
    /// of `fixed` nor `KOUAN-XML-…`.
    ///
    /// # Errors
    /// The rule that does not exist or cannot be changed.
    pub fn new<'v>(
        levels: &BTreeMap<String, Level>,
        validators: impl IntoIterator<Item = &'v Validator> + Clone,
        own: &[&str],
        fixed: &[&str],
    ) -> Result<Self, String> {
        for rule in levels.keys() {
            if rule.starts_with("KOUAN-XML-") || fixed.contains(&rule.as_str()) {
                return Err(format!("rule {rule} cannot be changed"));
            }
            let stands = |validator: &Validator| validator.rules().list().any(|known| known.id == *rule);
            let is_known =
                rule.starts_with("XSD-") || own.contains(&rule.as_str()) || validators.clone().into_iter().any(stands);
            if !is_known {
                return Err(format!("rule {rule} does not exist"));
            }
        }
        let off = levels.iter().filter(|(_, level)| level.severity().is_none());
        let dropped = off.map(|(rule, _)| (rule.clone(), Enforcement::Off)).collect();
        Ok(Self { levels: levels.clone(), dropped })
    }

    /// As the validator takes them: it drops what is off; the rest is done on what it found.
    pub fn dropped(&self) -> &BTreeMap<String, Enforcement> {
        &self.dropped
    }

    /// The validator's findings and `own` in document order, each as bad as the site wants it, so many as a report may
    /// have.
    pub fn merged(&self, mut all: Vec<Finding>, own: Vec<Finding>) -> Vec<Finding> {
        all.extend(own);
        all.retain_mut(|finding| match self.levels.get(&finding.rule).map(|level| level.severity()) {
            Some(Some(severity)) => {
                finding.severity = severity;
                true
            }
            Some(None) => false,
            None => true,
        });
        if all.len() > MOST_FINDINGS {
            // An error that is cut off must not let the message pass.
            all.sort_by_key(|finding| finding.severity);
            all.truncate(MOST_FINDINGS);
        }
        all.sort_by_key(|finding| if finding.line == 0 { u64::MAX } else { finding.offset });
        all
    }
}

/// A configuration that cannot be used.
pub(crate) fn wrong(business: &str, why: &str) -> Error {
    Error::new(ErrorKind::Config, "KOUAN-DECLARATIVE-CONFIG", format!("{business}: {why}"))
}
