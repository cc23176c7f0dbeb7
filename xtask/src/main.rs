//! The developer's commands: `cargo xtask <command>`, one file each.
//!
//! This room runs other programs and reads the sources; it must not depend on any crate of the workspace, so that it
//! builds soon and also when they do not.

#![forbid(unsafe_code)]

mod crash;
mod demo;
mod project;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "The developer's commands",
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Kill client and sandbox while messages flow, and hold the ledgers against each other
    Crash(crash::Args),
    /// Build the lean binary and run the main job once
    Demo(demo::Args),
    /// Find what the tests need, run every suite, print one line each
    Test(test::Args),
    /// Hold the house's rules against the code
    Tidy,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Crash(args) => crash::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Tidy => tidy::run(),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Names of the commands, so that documents can be held against them.
fn command_names() -> Vec<String> {
    <Cli as clap::CommandFactory>::command().get_subcommands().map(|c| c.get_name().to_owned()).collect()
}
