//! `kouan run`: the gateway, until it is told to stop.

use crate::app::App;
use crate::bundled;
use crate::exit::Exit;
use anyhow::Context as _;
use kouan_kernel::Gateway;
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
    let mut gateway = Gateway::start(app.config()?, &bundled::registry()?, clock.clone())?;
    app.say(app.lang.pick("口岸已启动；Ctrl-C 或 SIGTERM 停止", "kouan runs; Ctrl-C or SIGTERM stops it"));
    for signal in signals.forever() {
        if signal != SIGHUP {
            break;
        }
        match reload(app, &clock) {
            Ok(config) => {
                gateway.drain();
                gateway = Gateway::start(config, &bundled::registry()?, clock.clone())?;
                app.say(app.lang.pick("已按新配置重新启动", "runs with the new configuration"));
            }
            Err(error) => {
                let still =
                    app.lang.pick("新配置有误，继续按旧配置运行", "the new configuration is wrong; the old one stays");
                app.say(still);
                app.fail(&error);
            }
        }
    }
    app.say(app.lang.pick("正在收尾……", "draining …"));
    gateway.drain();
    Ok(Exit::Done)
}

/// The configuration as it lies there now, if a gateway could start with it.
fn reload(app: &App, clock: &Arc<dyn Clock>) -> anyhow::Result<kouan_kernel::Config> {
    let config = app.config()?;
    Gateway::check_config(&config, &bundled::registry()?, clock)?;
    Ok(config)
}
