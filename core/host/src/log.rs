//! Plugins' log lines go where ours go.

use kouan_sdk::{Log, LogLevel};

/// A [`Log`] that writes into `tracing`, under the target `plugin`.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingLog;

impl Log for TracingLog {
    fn line(&self, level: LogLevel, message: &str) {
        match level {
            LogLevel::Error => tracing::error!(target: "plugin", "{message}"),
            LogLevel::Warn => tracing::warn!(target: "plugin", "{message}"),
            LogLevel::Info => tracing::info!(target: "plugin", "{message}"),
            LogLevel::Debug => tracing::debug!(target: "plugin", "{message}"),
        }
    }
}
