//! Log lines, to stderr.

use crate::cli::{Global, LogForm};
use std::io::IsTerminal as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Names what is logged in the directives of `tracing`, such as `info,kouan_journal=debug`; wins over `-v` and `-q`.
const VARIABLE: &str = "KOUAN_LOG";

/// Starts logging; `default` is the command's own level.
pub fn start(global: &Global, default: LevelFilter) {
    let filter = EnvFilter::builder()
        .with_default_directive(level(global, default).into())
        .with_env_var(VARIABLE)
        .from_env_lossy();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match global.log {
        LogForm::Json => builder.json().init(),
        LogForm::Text => builder.with_ansi(colours()).init(),
    }
}

fn level(global: &Global, default: LevelFilter) -> LevelFilter {
    if global.quiet {
        return LevelFilter::ERROR;
    }
    let louder = match global.verbose {
        0 => return default,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    louder.max(default)
}

fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !refused
}
