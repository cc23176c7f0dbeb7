//! What every command is given: the language, the form of its output, the configuration.

use crate::cli::Global;
use crate::exit::{self, Exit};
use crate::lang::Lang;
use kouan_kernel::Config;
use kouan_kernel::config::{self, ConfigError};
use kouan_sdk::{Severity, catalogue};
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The configuration's name where nobody names one.
const DEFAULT_CONFIG: &str = "kouan.toml";

/// One run of the binary.
pub struct App {
    /// The language of what people read.
    pub lang: Lang,
    /// Whether data is printed as JSON.
    pub json: bool,
    config: Option<PathBuf>,
}

impl App {
    pub fn new(lang: Lang, global: &Global) -> Self {
        Self { lang, json: global.json, config: global.config.clone() }
    }

    /// Prints data, a line break after it. Colours are dropped where stdout is no terminal or NO_COLOR is set.
    ///
    /// # Errors
    /// The reader has left, or the disk is full.
    pub fn print(&self, data: impl Display) -> io::Result<()> {
        writeln!(anstream::stdout().lock(), "{data}")
    }

    /// Prints data as JSON.
    ///
    /// # Errors
    /// As [`Self::print`].
    pub fn print_json(&self, data: &impl Serialize) -> anyhow::Result<()> {
        Ok(self.print(serde_json::to_string_pretty(data)?)?)
    }

    /// Says something to the person at the terminal. A closed stderr is nobody's loss.
    pub fn say(&self, text: impl Display) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// Says why a command failed, and what to do; how the binary ends.
    pub fn fail(&self, error: &anyhow::Error) -> Exit {
        let exit = exit::of(error);
        if exit != Exit::Done {
            let code = exit::named(error).map(|(_, code)| code);
            self.say(format_args!("{}: {}", self.lang.pick("错误", "error"), told(error, code)));
            if let Some(entry) = code.and_then(catalogue::lookup) {
                self.say(format_args!("  {}", self.lang.pick(&entry.cause_zh, &entry.cause_en)));
                self.say(format_args!("  {}", self.lang.pick(&entry.repair_zh, &entry.repair_en)));
            }
        }
        exit
    }

    /// A severity, as people read it.
    pub fn severity(&self, severity: Severity) -> &'static str {
        match severity {
            Severity::Error => self.lang.pick("错误", "error"),
            Severity::Warning => self.lang.pick("警告", "warning"),
            Severity::Info => self.lang.pick("提示", "info"),
        }
    }

    /// Where the configuration is.
    pub fn config_file(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG))
    }

    /// The file that was named by `--config`; for commands with another default.
    pub fn named_config(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// The configuration; exit code 78 if it cannot be used.
    pub fn config(&self) -> Result<Config, ConfigError> {
        config::load(self.config_file())
    }

    /// The configuration if one was named or lies here; commands that need none work without.
    pub fn config_if_any(&self) -> Result<Option<Config>, ConfigError> {
        if self.config.is_none() && !Path::new(DEFAULT_CONFIG).exists() {
            return Ok(None);
        }
        self.config().map(Some)
    }
}

/// The causes in one line, none told twice, the code at the end.
pub fn told(error: &anyhow::Error, code: Option<&str>) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Some errors tell their cause themselves.
        if !text.contains(&cause) {
            text = if text.is_empty() { cause } else { format!("{text}: {cause}") };
        }
    }
    match code {
        Some(code) if !text.contains(code) => format!("{text} [{code}]"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::told;
    use anyhow::Context as _;

    #[test]
    fn no_cause_is_told_twice_and_the_code_stands_once() {
        let io = || std::io::Error::other("no such file");
        let telling = anyhow::anyhow!(io()).context("read a: no such file");
        assert_eq!(told(&telling, Some("KOUAN-X")), "read a: no such file [KOUAN-X]");
        let silent = Err::<(), _>(io()).context("read a").unwrap_err();
        assert_eq!(told(&silent, None), "read a: no such file");
        assert_eq!(told(&anyhow::anyhow!("x [KOUAN-X]"), Some("KOUAN-X")), "x [KOUAN-X]");
    }
}
