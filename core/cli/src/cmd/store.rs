//! `kouan store`: the journal's own health.

use crate::app::App;
use crate::exit::Exit;
use crate::journal;
use crate::table::table;
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

fn check(app: &App) -> anyhow::Result<Exit> {
    let faults = journal::read(&app.config()?)?.check().map_err(kouan_sdk::Error::from)?;
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
    let stats = journal::read(&app.config()?)?.stats().map_err(kouan_sdk::Error::from)?;
    if app.json {
        app.print_json(&stats)?;
    } else {
        let value = serde_json::to_value(&stats)?;
        let rows = value.as_object().into_iter().flatten();
        let rows: Vec<_> = rows.map(|(key, value)| [name(app, key).to_owned(), value.to_string()]).collect();
        app.print(table(&rows))?;
    }
    Ok(Exit::Done)
}

/// What people call a number.
fn name<'a>(app: &App, key: &'a str) -> &'a str {
    let zh = match key {
        "file_bytes" => "主文件（字节）",
        "log_bytes" => "预写日志（字节）",
        "free_bytes" => "可回收（字节）",
        "reserve_bytes" => "预留空间（字节）",
        "messages" => "报文",
        "inbound" => "回执",
        "events" => "事件",
        "segments" => "证据分段",
        "signed_through" => "签名覆盖到事件",
        "version" => "格式版本",
        other => other,
    };
    app.lang.pick(zh, key)
}

/// Gives free pages back; the gateway must not run, since this rewrites the file.
fn compact(app: &App) -> anyhow::Result<Exit> {
    let config = app.config()?;
    let journal = SqliteJournal::open(JournalOptions {
        path: journal::path(&config)?,
        environment: config.environment.name().to_owned(),
        clock: Arc::new(SystemClock),
        default_site: config.site.first().map(|site| site.name.clone()).unwrap_or_default(),
        disposing_sites: Vec::new(),
    })
    .map_err(kouan_sdk::Error::from)?;
    let done = journal.compact().map_err(kouan_sdk::Error::from)?;
    app.print(match app.json {
        true => serde_json::json!({ "bytes_before": done.bytes_before, "bytes_after": done.bytes_after }).to_string(),
        false => format!("{} → {} {}", done.bytes_before, done.bytes_after, app.lang.pick("字节", "bytes")),
    })?;
    Ok(Exit::Done)
}
