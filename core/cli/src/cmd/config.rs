//! `kouan config`: the configuration, checked, shown, described.

use crate::app::App;
use crate::bundled;
use crate::exit::Exit;
use kouan_kernel::{Config, Gateway};
use kouan_sdk::{Clock, SystemClock};
use std::sync::Arc;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(clap::Subcommand)]
enum Act {
    Check,
    Show,
    Schema,
}

/// Checks, shows or describes.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    match args.act {
        Act::Check => check(app),
        Act::Show => show(app),
        Act::Schema => {
            app.print_json(&schemars::schema_for!(Config))?;
            Ok(Exit::Done)
        }
    }
}

fn check(app: &App) -> anyhow::Result<Exit> {
    let config = app.config()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Gateway::check_config(&config, &bundled::registry()?, &clock)?;
    let file = app.config_file().display();
    app.print(match app.json {
        true => serde_json::json!({ "file": file.to_string(), "ok": true }).to_string(),
        false => format!("{file}: {}", app.lang.pick("配置正确", "the configuration is right")),
    })?;
    Ok(Exit::Done)
}

/// Every key with the value in force. Secrets stay what the file says of them: where they are.
fn show(app: &App) -> anyhow::Result<Exit> {
    let config = app.config()?;
    if app.json {
        app.print_json(&config)?;
    } else {
        app.print(toml::to_string_pretty(&config)?.trim_end())?;
    }
    Ok(Exit::Done)
}
