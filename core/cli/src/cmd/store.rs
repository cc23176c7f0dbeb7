//! `kouan store`: the journal's own health.

use crate::app::App;
use crate::exit::Exit;
use kouan_journal::{JournalOptions, SqliteJournal};
use kouan_sdk::SystemClock;
use std::sync::Arc;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(clap::Subcommand)]
enum Act {
    Check,
    Stats,
    Compact,
}

/// Checks, counts or compacts.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    match args.act {
        Act::Check => check(app),
        Act::Stats => stats(app),
        Act::Compact => compact(app),
    }
}

fn open(app: &App) -> anyhow::Result<SqliteJournal> {
    let path = kouan_kernel::journal_path(&app.config()?);
    Ok(SqliteJournal::open_read_only(&path).map_err(kouan_sdk::Error::from)?)
}

fn check(app: &App) -> anyhow::Result<Exit> {
    let faults = open(app)?.check().map_err(kouan_sdk::Error::from)?;
    if app.json {
        app.print_json(&faults)?;
    } else {
        for fault in &faults {
            app.print(format!("✗ {}", fault.what))?;
        }
        if faults.is_empty() {
            app.print(app.lang.pick("✓ 日志库完好", "✓ the journal is sound"))?;
        }
    }
    Ok(if faults.is_empty() { Exit::Done } else { Exit::NotRight })
}

fn stats(app: &App) -> anyhow::Result<Exit> {
    let stats = open(app)?.stats().map_err(kouan_sdk::Error::from)?;
    if app.json {
        app.print_json(&stats)?;
    } else {
        let value = serde_json::to_value(&stats)?;
        for (name, value) in value.as_object().into_iter().flatten() {
            app.print(format!("{name:<16} {value}"))?;
        }
    }
    Ok(Exit::Done)
}

/// Gives free pages back; the gateway must not run, since this rewrites the file.
fn compact(app: &App) -> anyhow::Result<Exit> {
    let config = app.config()?;
    let journal = SqliteJournal::open(JournalOptions {
        path: kouan_kernel::journal_path(&config),
        environment: config.environment.name().to_owned(),
        clock: Arc::new(SystemClock),
        default_site: config.site.first().map(|site| site.name.clone()).unwrap_or_default(),
        disposing_sites: Vec::new(),
    })
    .map_err(kouan_sdk::Error::from)?;
    let done = journal.compact().map_err(kouan_sdk::Error::from)?;
    app.print(match app.json {
        true => serde_json::json!({ "bytes_before": done.bytes_before, "bytes_after": done.bytes_after }).to_string(),
        false => format!("{} → {}", done.bytes_before, done.bytes_after),
    })?;
    Ok(Exit::Done)
}
