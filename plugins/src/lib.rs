//! 货物申报 (goods declaration, DecMessage) draft.
#![forbid(unsafe_code)]
#![allow(dead_code, missing_docs)]
pub mod config;
mod data;
mod edoc;
mod facts;
mod plan;
mod receipt;
mod refusal;
mod tree;
