//! Configuration and pipelines: what makes a gateway of a journal, plugins and an envelope.
//!
//! Here today: the strict configuration, retry and circuit breaker, packages opened with limits, the bell that wakes a stage, a batch on all cores.
//! The kernel knows the plugin traits, and must never know a plugin's name, a business's fields or a broker.

#![forbid(unsafe_code)]

pub mod config;
pub mod package;
pub mod parallel;
pub mod retry;
pub mod signal;

pub use config::Config;
