//! `kouan run`: the gateway, until it is told to stop.

use crate::app::App;
use crate::bundled;
use crate::exit::Exit;
use anyhow::Context as _;
use kouan_kernel::{Config, Gateway};
use kouan_sdk::{Clock, SystemClock};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::Arc;

#[derive(clap::Args)]
pub struct Args {}

/// Runs. SIGTERM and SIGINT drain and stop; SIGHUP starts again with the configuration as it is now, if that is right.
pub fn run(_args: &Args, app: &App) -> anyhow::Result<Exit> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // Before the gateway starts, so that a stop that comes at once is not lost.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("listen for signals")?;
    let mut config = app.config()?;
    let mut gateway = start(&config, &clock)?;
    app.milestone(app.lang.pick("口岸已启动；Ctrl-C 或 SIGTERM 停止", "kouan runs; Ctrl-C or SIGTERM stops it"));
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        let new = match checked(app, &clock) {
            Ok(new) => new,
            Err(error) => {
                refused(app, &error);
                continue;
            }
        };
        gateway.drain();
        gateway = match start(&new, &clock) {
            Ok(gateway) => {
                config = new;
                app.milestone(app.lang.pick("已按新配置重新启动", "runs with the new configuration"));
                gateway
            }
            // What only a start can find, such as a journal of another environment.
            Err(error) => {
                refused(app, &error);
                start(&config, &clock)?
            }
        };
    }
    app.milestone(app.lang.pick("正在收尾……", "draining …"));
    gateway.drain();
    Ok(Exit::Done)
}

fn start(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Gateway> {
    Ok(Gateway::start(config.clone(), &bundled::registry()?, clock.clone())?)
}

/// The configuration as it lies there now, if every plugin takes it.
fn checked(app: &App, clock: &Arc<dyn Clock>) -> anyhow::Result<Config> {
    let config = app.config()?;
    Gateway::check_config(&config, &bundled::registry()?, clock)?;
    Ok(config)
}

fn refused(app: &App, error: &anyhow::Error) {
    let still = app.lang.pick("新配置有误，继续按旧配置运行", "the new configuration is wrong; the old one stays");
    app.milestone(still);
    app.fail(error);
}
