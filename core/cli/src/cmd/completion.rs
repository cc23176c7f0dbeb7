//! `kouan completion`: what a shell needs to complete our commands.

use crate::app::App;
use crate::cli;
use crate::exit::Exit;
use clap_complete::Shell;

#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    let mut command = cli::command(app.lang);
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "kouan", &mut script);
    app.print(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Done)
}
