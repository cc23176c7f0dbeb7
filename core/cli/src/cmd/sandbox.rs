//! `kouan sandbox`: the other side, for rehearsal (联调).

use crate::app::App;
use crate::exit::Exit;
use crate::rehearsal::RehearsalConfig;
use anyhow::Context as _;
use kouan_sandbox::Ledger;
use kouan_sdk::{Clock, SystemClock};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(clap::Subcommand)]
enum Act {
    Run {
        #[arg(long, value_name = "FILE")]
        scenario: Option<PathBuf>,
    },
    Ledger,
}

/// Runs the window, or prints what it did.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    let file = app.named_config().unwrap_or(Path::new("sandbox.toml"));
    let mut config = RehearsalConfig::load(file)?;
    match &args.act {
        Act::Run { scenario } => {
            if let Some(scenario) = scenario {
                // Named on the command line: relative to where the person stands.
                config.scenario = Some(std::path::absolute(scenario)?);
            }
            serve(app, &config)
        }
        Act::Ledger => {
            let ledger = Ledger::read(&config.state())?;
            app.print(serde_json::to_string_pretty(&ledger)?)?;
            Ok(Exit::Done)
        }
    }
}

fn serve(app: &App, config: &RehearsalConfig) -> anyhow::Result<Exit> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, stop.clone()).context("listen for signals")?;
    }
    let sandbox = config.open(&clock)?;
    app.milestone(app.lang.pick(
        "演练环境（模拟的单一窗口）已启动；Ctrl-C 停止",
        "the sandbox, a simulated Single Window, runs; Ctrl-C stops it",
    ));
    sandbox.run(&stop)?;
    Ok(Exit::Done)
}
