//! A business by data: makes a [`kouan_sdk::Business`] and its [`kouan_sdk::Simulator`] out of a folder with
//! `business.toml`, schemas, rules, code tables and samples. `README.md` beside this crate is the author's reference.
//!
//! This room must not know any business by name, nor a journal, a kernel, a transport or a key: what a type is called,
//! where its keys stand, what a receipt's code means and what the simulated window answers is data in
//! `business-schemas/`, and what data cannot say stands in a plugin's [`Hooks`].

#![forbid(unsafe_code)]

mod business;
mod check;
mod config;
mod data;
mod declarative;
mod detect;
mod form;
pub mod format;
mod hooks;
mod path;
mod pick;
mod plan;
pub mod proof;
mod receipt;
mod renumber;
mod samples;
mod simulate;
mod site;
mod summary;
mod template;
mod tree;
mod window;

pub use config::{Config, Level, Levels, schema as config_schema};
pub use data::{Files, Place, broken, pattern};
pub use declarative::{Declarative, folder_validators};
pub use form::{Constant, MessageForm};
pub use format::schema as format_schema;
pub use hooks::{Hooks, NoHooks};
pub use samples::{Sample, SampleKind};
pub use site::{SiteData, codes_folder, site_tables};
pub use summary::summary;
pub use tree::{Node, Tree, decoded};
