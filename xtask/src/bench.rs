//! `cargo xtask bench`: what each stage costs, beside references of the same run.

use crate::project;
use anyhow::Context as _;

#[derive(clap::Args)]
pub struct Args {
    /// Suites and options, handed to the bench as they stand; `cargo xtask bench --help` tells which
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the bench with optimisation and runs it.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let package = ["--release", "--package", "kouan-bench"];
    let built = project::cargo().arg("build").args(package).status().context("start cargo")?;
    anyhow::ensure!(built.success(), "the bench does not build");
    let mut run = project::cargo();
    run.args(["run", "--quiet"]).args(package).arg("--").args(&args.rest);
    Ok(run.status().context("start the bench")?.success())
}
