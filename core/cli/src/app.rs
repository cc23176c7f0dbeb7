//! What every command is given: the language, the form of its output, the configuration.

use crate::cli::{Global, LogForm};
use crate::exit::{self, Exit};
use crate::failure;
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
    /// Whether stderr is read by a program, line by line.
    logs_json: bool,
    /// `--config`.
    named: Option<PathBuf>,
    /// The same, or `$KOUAN_CONFIG`.
    config: Option<PathBuf>,
}

impl App {
    pub fn new(lang: Lang, global: &Global) -> Self {
        let named = global.config.clone();
        let config = named.clone().or_else(|| std::env::var_os("KOUAN_CONFIG").map(PathBuf::from));
        Self { lang, json: global.json, logs_json: global.log == LogForm::Json, named, config }
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

    /// Says how a service fares. Under `--log json` it is a log line like the others, at its level.
    pub fn milestone(&self, text: &str) {
        if self.logs_json {
            tracing::info!("{text}");
        } else {
            self.say(text);
        }
    }

    /// Says why a command failed, and what to do; how the binary ends.
    pub fn fail(&self, error: &anyhow::Error) -> Exit {
        let exit = exit::of(error);
        if exit == Exit::Done {
            return exit;
        }
        let code = failure::named(error).map(|(code, _)| code);
        let entry = code.and_then(catalogue::lookup);
        let told = entry.map(|entry| {
            let (zh, en) = ((&entry.cause_zh, &entry.repair_zh), (&entry.cause_en, &entry.repair_en));
            self.lang.pick(zh, en)
        });
        if self.logs_json {
            let (cause, repair) = told.unzip();
            tracing::error!(code, cause, repair, "{}", failure::causes(error));
            return exit;
        }
        self.say(format_args!("{}: {}", self.lang.pick("错误", "error"), failure::text(error)));
        if let Some((cause, repair)) = told {
            self.say(format_args!("  {cause}"));
            self.say(format_args!("  {repair}"));
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

    /// The file that was named by `--config`; for commands with another default, which `$KOUAN_CONFIG` is not meant for.
    pub fn named_config(&self) -> Option<&Path> {
        self.named.as_deref()
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
