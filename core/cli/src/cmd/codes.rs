//! `kouan codes`: the code tables (代码表) of a business.

mod changes;
mod columns;
mod import;
mod rows;

use crate::app::App;
use crate::data::{BusinessRules, Source};
use crate::exit::{Exit, WrongUsage};
use crate::table::table;
use kouan_schema::{Code, CodeTable};
use serde_json::json;

#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    List(Source),
    Show(Show),
    Import(import::Args),
    Remove(import::Remove),
}

#[derive(clap::Args)]
struct Show {
    table: String,
    code: Option<String>,
    #[command(flatten)]
    source: Source,
}

/// Does what is asked.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    match &args.action {
        Action::List(source) => list(&source.load(app)?, app),
        Action::Show(show) => self::show(show, app),
        Action::Import(import) => import::run(import, app),
        Action::Remove(remove) => import::remove(remove, app),
    }
}

fn list(businesses: &[BusinessRules], app: &App) -> anyhow::Result<Exit> {
    let tables: Vec<_> = businesses.iter().flat_map(|b| b.codes().map(|table| (&b.business, table))).collect();
    if app.json {
        let shown = |(business, table): &(&String, &CodeTable)| {
            json!({"business": business, "name": table.name, "name_zh": table.name_zh, "name_en": table.name_en,
                   "complete": table.complete, "source": table.source, "date": table.date, "rows": table.rows.len(), "of_site": table.of_site})
        };
        app.print_json(&json!({"tables": tables.iter().map(shown).collect::<Vec<_>>()}))?;
        return Ok(Exit::Done);
    }
    let row = |(_, table): &(&String, &CodeTable)| {
        let complete =
            if table.complete { app.lang.pick("完整", "complete") } else { app.lang.pick("不完整", "incomplete") };
        let name = app.lang.pick(&table.name_zh, &table.name_en);
        let of_site = if table.of_site { app.lang.pick("本单位", "site's own") } else { "" };
        let (rows, complete, of_site) = (table.rows.len().to_string(), complete.to_owned(), of_site.to_owned());
        [table.name.clone(), name.clone(), rows, complete, table.date.clone(), of_site]
    };
    app.print(table(&tables.iter().map(row).collect::<Vec<_>>()))?;
    Ok(Exit::Done)
}

/// One table, or the rows of one code in it; 1 if the code is not there.
fn show(show: &Show, app: &App) -> anyhow::Result<Exit> {
    let businesses = show.source.load(app)?;
    let tables = || businesses.iter().flat_map(BusinessRules::codes);
    let Some(found) = tables().find(|table| table.name == show.table) else {
        let meant = kouan_host::nearest(&show.table, tables().map(|table| table.name.as_str()));
        let meant = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        return Err(WrongUsage(format!("there is no code table `{}`{meant} (kouan codes list)", show.table)).into());
    };
    let wanted = |row: &&Code| show.code.as_ref().is_none_or(|code| *code == row.code);
    let rows: Vec<_> = found.rows.iter().filter(wanted).collect();
    if app.json {
        app.print_json(&json!({"name": found.name, "name_zh": found.name_zh, "name_en": found.name_en,
            "complete": found.complete, "source": found.source, "date": found.date, "of_site": found.of_site, "rows": rows}))?;
    } else if !rows.is_empty() {
        let row = |row: &&Code| [&row.code, &row.zh, &row.en, &row.from, &row.to].map(String::clone);
        app.print(table(&rows.iter().map(row).collect::<Vec<_>>()))?;
    }
    match &show.code {
        Some(code) if rows.is_empty() => {
            let (zh, en) =
                (format!("代码表 {} 中没有 {code}", found.name), format!("{} has no code {code}", found.name));
            app.say(app.lang.pick(zh, en));
            Ok(Exit::NotRight)
        }
        _ => Ok(Exit::Done),
    }
}
