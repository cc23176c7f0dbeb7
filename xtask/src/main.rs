//! The developer's commands, one file each: `cargo xtask test`, `cargo xtask tidy`.

#![forbid(unsafe_code)]

mod test;
mod tidy;

use clap::Parser;

/// The developer's commands.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Run every check and test; one summary line a suite.
    Test,
    /// Hold the house's rules against the code.
    Tidy,
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Test => test::run(),
        Command::Tidy => tidy::run(),
    }
}
