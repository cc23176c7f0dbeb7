//! Reading the file: strict, with the line and a suggestion in every error.

use super::Config;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}{}", self.place(), self.suggestion())]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 = the file as a whole.
    pub line: usize,
    /// Catalogue code.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// A key or value that may be meant.
    pub meant: Option<String>,
}

impl ConfigError {
    /// An error about the file as a whole.
    pub fn whole(file: &Path, code: &'static str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, code, message: message.into(), meant: None }
    }

    fn place(&self) -> String {
        match self.line {
            0 => format!("{}: ", self.file.display()),
            line => format!("{}:{line}: ", self.file.display()),
        }
    }

    fn suggestion(&self) -> String {
        self.meant.as_ref().map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
    }
}

impl From<ConfigError> for kouan_sdk::Error {
    fn from(error: ConfigError) -> Self {
        Self::new(kouan_sdk::ErrorKind::Config, error.code, error.to_string())
    }
}

/// Reads and checks a file.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| ConfigError::whole(path, "KOUAN-CONFIG-UNREADABLE", format!("cannot read: {e}")))?;
    let mut config = parse(path, &text)?;
    config.base_dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    Ok(config)
}

/// Checks a text; `path` is for messages only.
pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let config: Config = toml::from_str(text).map_err(|error| from_toml(path, text, &error))?;
    judge(path, text, &config)?;
    Ok(config)
}

fn from_toml(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map_or(0, |span| line_of(text, span.start));
    let message = error.message().to_owned();
    let meant = unknown_field(&message).and_then(|(key, expected)| nearest(key, expected.iter().map(String::as_str)));
    let code = if message.starts_with("unknown field") { "KOUAN-CONFIG-UNKNOWN-KEY" } else { "KOUAN-CONFIG-INVALID" };
    ConfigError { file: path.to_owned(), line, code, message, meant }
}

/// What spans several keys.
fn judge(path: &Path, text: &str, config: &Config) -> Result<(), ConfigError> {
    let at = |needle: &str, message: String| ConfigError {
        file: path.to_owned(),
        line: text.find(needle).map_or(0, |offset| line_of(text, offset)),
        code: "KOUAN-CONFIG-INVALID",
        message,
        meant: None,
    };
    if config.identity.is_empty() {
        return Err(at("identity", "at least one [[identity]] is needed".to_owned()));
    }
    let mut ids = BTreeSet::new();
    for identity in &config.identity {
        let id = &identity.dxp_id;
        if id.len() != 16 || !id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return Err(at(id, format!("dxp_id `{id}` is not 16 capital letters and digits")));
        }
        if !ids.insert(id) {
            return Err(at(id, format!("dxp_id `{id}` stands twice")));
        }
    }
    for identity in &config.identity {
        let id = &identity.dxp_id;
        if config.identity.len() > 1 && identity.enterprises.is_empty() && identity.cards.is_empty() {
            return Err(at(
                id,
                format!("identity `{id}` needs enterprises or cards, since there are several identities"),
            ));
        }
    }
    let mut sites = BTreeSet::new();
    for site in &config.site {
        let plain = site.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if site.name.is_empty() || !plain {
            return Err(at(&site.name, format!("site name `{}` must be letters, digits, `-`, `_`", site.name)));
        }
        if !sites.insert(&site.name) {
            return Err(at(&site.name, format!("site `{}` stands twice", site.name)));
        }
        if let Some(identity) = &site.identity
            && !ids.contains(identity)
        {
            let mut error = at(identity, format!("site `{}` names an unknown identity `{identity}`", site.name));
            error.meant = nearest(identity, ids.iter().map(|id| id.as_str()));
            return Err(error);
        }
    }
    Ok(())
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&b| b == b'\n').count() + 1
}

/// Takes "unknown field `x`, expected one of `a`, `b`" apart.
fn unknown_field(message: &str) -> Option<(&str, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, expected) = rest.split_once('`')?;
    let expected = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((key, expected))
}

/// The candidate that differs least, if any is near.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "[[identity]]\ndxp_id = \"DXPENT0000000001\"\n";

    fn error(text: &str) -> ConfigError {
        parse(Path::new("kouan.toml"), text).unwrap_err()
    }

    #[test]
    fn every_key_has_a_default_but_the_identity() {
        let config = parse(Path::new("kouan.toml"), SMALLEST).unwrap();
        assert_eq!(config.window.transport, "embedded");
        assert_eq!(config.identity[0].security.backend, "software");
        assert!(error("").message.contains("identity"));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_line_and_suggestion() {
        let error = error(&format!("{SMALLEST}enterprisse = [\"3101980001\"]\n"));
        assert_eq!((error.line, error.code), (3, "KOUAN-CONFIG-UNKNOWN-KEY"));
        assert_eq!(error.meant.as_deref(), Some("enterprises"));
        assert!(error.to_string().starts_with("kouan.toml:3: unknown field `enterprisse`"), "{error}");
    }

    #[test]
    fn free_keys_go_to_the_plugin() {
        let text = format!("{SMALLEST}[[site]]\nname = \"erp\"\nroot = \"imp-path\"\n");
        let config = parse(Path::new("kouan.toml"), &text).unwrap();
        assert_eq!(config.site[0].settings["root"], "imp-path");
    }

    #[test]
    fn several_identities_must_say_whom_they_act_for() {
        let text = format!("{SMALLEST}[[identity]]\ndxp_id = \"DXPENT0000000002\"\n");
        assert!(error(&text).message.contains("needs enterprises or cards"));
        assert!(error(&SMALLEST.replace("DXPENT0000000001", "dxp")).message.contains("16 capital letters"));
        assert!(error(&format!("{SMALLEST}{SMALLEST}")).message.contains("stands twice"));
    }

    #[test]
    fn a_secret_names_its_place_and_is_never_a_plain_text() {
        let text = format!("{SMALLEST}[identity.security]\npin = \"12345678\"\n");
        assert!(parse(Path::new("kouan.toml"), &text).is_err());
        let text = format!("{SMALLEST}[identity.security]\npin = {{ env = \"KOUAN_TEST_NO_SUCH_VARIABLE\" }}\n");
        let config = parse(Path::new("kouan.toml"), &text).unwrap();
        let error = config.identity[0].security.pin.as_ref().unwrap().read(Path::new(".")).unwrap_err();
        assert_eq!(error.code, "KOUAN-CONFIG-SECRET-MISSING");
    }
}
