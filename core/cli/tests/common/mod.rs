//! The binary, run as a user runs it.

#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)]

pub mod service;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the binary in the folder of the samples.
pub fn kouan(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kouan"));
    // No configuration of somebody's may be found.
    command.env_remove("KOUAN_CONFIG").env("LC_ALL", "C").current_dir(samples()).args(args).output().unwrap()
}

/// The goods declaration's samples.
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas/goods-declaration/samples")
}
