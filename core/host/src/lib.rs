//! The plugin host: knows which plugins there are, makes their instances, and keeps a plugin's faults inside the plugin.
//!
//! Kernel and sandbox reach every plugin through a [`Registry`]. What it hands out are guards: decorators around the
//! traits that catch panics, hold deadlines, rebuild a broken instance, and quarantine one that breaks again and again,
//! while all others go on. [`wrap`] holds further decorators, which tests and the sandbox put around a transport.
//!
//! This room must not know what any plugin does, nor a journal, an envelope or a pipeline.

#![forbid(unsafe_code)]

mod catch;
mod context;
pub mod dice;
mod guard;
mod log;
mod policy;
mod registry;
mod runner;
mod settings;
mod slot;
mod suggest;
mod watch;
pub mod wrap;

pub use context::Contexts;
pub use guard::{GuardedBusiness, GuardedSecurity, GuardedSimulator, GuardedTransport};
pub use log::TracingLog;
pub use policy::Policy;
pub use registry::Registry;
pub use runner::{Missed, Runner};
pub use suggest::nearest;
pub use watch::{PluginReport, State, Watch};
