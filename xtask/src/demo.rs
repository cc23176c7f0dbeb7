//! `cargo xtask demo`: the main job, once, on this machine.

use crate::project;
use anyhow::Context as _;

#[derive(clap::Args)]
pub struct Args {
    /// How many messages to send; the demo's own default if not given
    #[arg(long)]
    messages: Option<u32>,
    /// Handed to `kouan demo` as they stand
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the lean binary and runs `kouan demo`; whether it was content.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    // `cargo run` would do both; apart, a build that fails is not taken for a demo that found something wrong.
    let built = project::cargo().args(["build", "--release", "--package", "kouan"]).status().context("start cargo")?;
    anyhow::ensure!(built.success(), "the binary does not build");
    let mut run = project::cargo();
    run.args(["run", "--quiet", "--release", "--package", "kouan", "--", "demo"]);
    if let Some(messages) = args.messages {
        run.arg("--messages").arg(messages.to_string());
    }
    run.args(&args.rest);
    Ok(run.status().context("start kouan")?.success())
}
