//! `kouan config`: the configuration, checked, shown, described.

mod schema;

use crate::app::App;
use crate::bundled;
use crate::exit::{self, Exit};
use crate::failure;
use kouan_kernel::Gateway;
use kouan_sdk::{Clock, SystemClock, catalogue};
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
            app.print_json(&schema::whole(&bundled::registry()?)?)?;
            Ok(Exit::Done)
        }
    }
}

fn check(app: &App) -> anyhow::Result<Exit> {
    let file = app.config_file().display();
    match (judge(app), app.json) {
        (Ok(()), true) => app.print(serde_json::json!({ "file": file.to_string(), "ok": true }))?,
        (Ok(()), false) => {
            app.print(format!("{file}: {}", app.lang.pick("配置正确", "the configuration is right")))?;
        }
        (Err(error), true) => {
            let named = failure::named(&error).map(|(code, _)| code);
            let entry = named.and_then(catalogue::lookup);
            let told = serde_json::json!({ "file": file.to_string(), "ok": false, "code": named,
                "message": failure::causes(&error), "catalogue": entry });
            app.print(told)?;
            return Ok(exit::of(&error));
        }
        (Err(error), false) => return Err(error),
    }
    Ok(Exit::Done)
}

fn judge(app: &App) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Gateway::check_config(&app.config()?, &bundled::registry()?, &clock)?)
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
