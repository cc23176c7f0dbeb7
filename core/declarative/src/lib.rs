#![doc = include_str!("../README.md")]
//!
//! ---
//!
//! This room makes a [`kouan_sdk::Business`] and its [`kouan_sdk::Simulator`] out of such a folder. It must not know any
//! business by name, nor a journal, a kernel, a transport or a key.

#![forbid(unsafe_code)]

mod business;
mod check;
mod config;
mod data;
mod declarative;
mod detect;
pub mod format;
mod hooks;
mod path;
mod pick;
mod plan;
pub mod proof;
mod receipt;
mod samples;
mod simulate;
mod summary;
mod template;
mod tree;
mod window;

pub use config::{Config, Level, Levels, schema as config_schema};
pub use data::{Files, Place, broken, pattern};
pub use declarative::Declarative;
pub use format::schema as format_schema;
pub use hooks::{Hooks, NoHooks};
pub use samples::{Sample, SampleKind};
pub use summary::summary;
pub use tree::{Node, Tree, decoded};
