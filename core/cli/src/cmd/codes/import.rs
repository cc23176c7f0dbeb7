//! `kouan codes import`: an official table becomes the site's own, in place of the bundled one.

use super::changes::Changes;
use super::columns::{self, Named};
use super::rows;
use crate::app::App;
use crate::bundled;
use crate::data::{self, BusinessRules};
use crate::exit::{Exit, WrongUsage};
use crate::files;
use crate::sheet::{self, Encoding, Sheet};
use kouan_kernel::Config;
use kouan_schema::{Code, CodeTable, CodedField, Validator};
use kouan_sdk::{Error, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// Bytes of a file; the largest official table, the tariff's, has a few million.
const MOST_BYTES: u64 = 32 << 20;

#[derive(clap::Args)]
pub struct Args {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "ID")]
    business: Option<String>,
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    #[arg(long, value_name = "DAY")]
    date: Option<String>,
    #[arg(long, conflicts_with = "open")]
    complete: bool,
    #[arg(long)]
    open: bool,
    #[arg(long, value_name = "ENCODING")]
    encoding: Option<Encoding>,
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    #[command(flatten)]
    columns: Named,
    #[arg(long, value_name = "DIGITS", default_value = "0")]
    pad: u8,
    #[arg(long)]
    dry_run: bool,
}

/// Takes the file in, or says why not; nothing is written before all of it is right.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    let config = app.config_if_any()?;
    let sheet = read(args).map_err(|error| in_file(&args.file, error))?;
    let name = table_name(args, &sheet)?;
    let rules = business(args, &name, config.as_ref())?;
    let known = rules.codes().find(|table| table.name == name);
    let fields: Vec<CodedField<'_>> =
        rules.validators.iter().flat_map(|validator| validator.schema().coded_fields(&name)).collect();
    let columns = columns::find(&sheet, &args.columns).map_err(|error| in_file(&args.file, error))?;
    let codes = rows::codes(&sheet, &columns, usize::from(args.pad)).map_err(|error| in_file(&args.file, error))?;
    rows::fit(&codes, &fields, app.lang.pick(true, false)).map_err(|error| in_file(&args.file, error))?;
    let table = table(args, &sheet, name, known, codes.into_iter().map(|(_, code)| code).collect())?;
    let folder = data::codes_folder(&rules.business, config.as_ref());
    let target = data::site_file(&folder, &table.name)?.unwrap_or_else(|| folder.join(format!("{}.csv", table.name)));
    let bytes = table.write(&target.display().to_string()).map_err(data::broken)?;
    if !args.dry_run {
        std::fs::create_dir_all(&folder)
            .map_err(|error| files::unwritable(&folder, &error))
            .and_then(|()| files::replace(&target, &bytes))?;
    }
    let imported = Imported { business: &rules.business, known, table: &table, target: &target, form: &sheet.form };
    imported.tell(args, &notes(&rules, known, &table, &fields), app)
}

fn read(args: &Args) -> kouan_sdk::Result<Sheet> {
    let too_large = |error: Error| match &*error.code {
        "KOUAN-PACKAGE-TOO-LARGE" => Error::new(error.kind, sheet::TOO_LARGE, format!("more than {MOST_BYTES} bytes")),
        _ => error,
    };
    sheet::read(&files::read(&args.file, MOST_BYTES).map_err(too_large)?, args.encoding, args.sheet.as_deref())
}

/// The same error with the file's name in front: `关区.csv: line 3: …`.
fn in_file(file: &Path, error: Error) -> Error {
    let file = file.display().to_string();
    if error.message.starts_with(&file) {
        return error;
    }
    Error { message: format!("{file}: {}", error.message), ..error }
}

/// `--table`, else what a table of our own form says of itself, else the file's name.
fn table_name(args: &Args, sheet: &Sheet) -> anyhow::Result<String> {
    let stem = args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = args.table.clone().or_else(|| sheet.head("table").map(str::to_owned)).or(stem).unwrap_or_default();
    let is_plain = |name: &str| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !name.is_empty()
            && name.len() <= 64
    };
    if is_plain(&name) {
        return Ok(name);
    }
    let text = format!("`{name}` is no name of a table: --table NAME says which it is (kouan codes list)");
    Err(WrongUsage(text).into())
}

/// The business that is named, else the only one with a table of that name.
fn business(args: &Args, table: &str, config: Option<&Config>) -> anyhow::Result<BusinessRules> {
    if let Some(id) = &args.business {
        return data::of_bundled(data::bundled_data(id)?, config);
    }
    let mut having = Vec::new();
    for of in bundled::DATA {
        let rules = data::of_bundled(of, config)?;
        let refers = |validator: &Arc<Validator>| !validator.schema().coded_fields(table).is_empty();
        if rules.codes().any(|known| known.name == table) || rules.validators.iter().any(refers) {
            having.push(rules);
        }
    }
    match having.len() {
        1 => having.pop().ok_or_else(|| WrongUsage(String::new()).into()),
        0 => Err(WrongUsage(format!(
            "no business has a code table `{table}`: --table NAME says which it is (kouan codes list), --business ID whose"
        ))
        .into()),
        _ => {
            let ids: Vec<_> = having.iter().map(|rules| rules.business.as_str()).collect();
            Err(WrongUsage(format!("{} have a code table `{table}`: --business ID says whose", ids.join(", "))).into())
        }
    }
}

/// The table as it will lie there. What nobody says is as in the table in force; an English name stays where the Chinese
/// one did.
fn table(
    args: &Args,
    sheet: &Sheet,
    name: String,
    known: Option<&CodeTable>,
    mut rows: Vec<Code>,
) -> anyhow::Result<CodeTable> {
    let english: BTreeMap<(&str, &str), &str> =
        known.iter().flat_map(|table| &table.rows).map(|row| ((&*row.code, &*row.zh), &*row.en)).collect();
    for row in rows.iter_mut().filter(|row| row.en.is_empty()) {
        row.en = english.get(&(&*row.code, &*row.zh)).map(|en| (*en).to_owned()).unwrap_or_default();
    }
    rows.sort_by(|a, b| (&a.code, &a.from).cmp(&(&b.code, &b.from)));
    let title = |key: &str, of_known: fn(&CodeTable) -> &String| {
        let said = sheet.head(key).map(str::to_owned).or_else(|| known.map(of_known).cloned());
        said.filter(|title| !title.is_empty()).unwrap_or_else(|| name.clone())
    };
    let complete = match (args.complete, args.open, sheet.head("complete")) {
        (true, ..) => true,
        (_, true, _) => false,
        (.., Some(said)) => said == "yes",
        _ => known.is_some_and(|table| table.complete),
    };
    let file_name = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let source = args.source.clone().or_else(|| sheet.head("source").map(str::to_owned));
    let date = match &args.date {
        Some(day) => {
            rows::day(day).filter(|day| !day.is_empty()).ok_or_else(|| WrongUsage(format!("{day} is no day")))?
        }
        None => sheet.head("date").map_or_else(|| changed_on(&args.file), str::to_owned),
    };
    Ok(CodeTable {
        name_zh: title("name_zh", |table| &table.name_zh),
        name_en: title("name_en", |table| &table.name_en),
        name,
        complete,
        source: source.filter(|source| !source.is_empty()).unwrap_or(file_name),
        date,
        of_site: true,
        rows,
    })
}

/// The day on which the file was last written.
fn changed_on(file: &Path) -> String {
    let changed = std::fs::metadata(file).and_then(|data| data.modified()).ok();
    let since = changed.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let at = Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or_default());
    at.date()
}

/// What somebody should know who took in this table: Chinese and English.
fn notes(
    rules: &BusinessRules,
    known: Option<&CodeTable>,
    table: &CodeTable,
    fields: &[CodedField<'_>],
) -> Vec<(String, String)> {
    let name = &table.name;
    let mut notes = Vec::new();
    if known.is_none() && fields.is_empty() {
        let of_site = rules.validators.iter().flat_map(|validator| validator.schema().site_code_tables());
        let names = rules.codes().map(|table| table.name.as_str()).chain(of_site);
        let meant = kouan_host::nearest(name, names);
        let (zh, en) = meant.map_or_else(Default::default, |name| {
            (format!("；是否应为 {name}？"), format!("; did you mean `{name}`?"))
        });
        notes.push((
            format!("{} 没有名为 {name} 的代码表，没有字段会查它{zh}", rules.business),
            format!("{} has no code table `{name}`: no field will look at it{en}", rules.business),
        ));
    } else if fields.is_empty() {
        notes.push((
            format!("没有字段引用代码表 {name}，只有规则可能会查它"),
            format!("no field refers to the code table `{name}`; only rules may look at it"),
        ));
    }
    if !table.complete {
        notes.push((
            "该表为不完整表：表外代码只是警告。官方全表请加 --complete，表外代码即为错误".to_owned(),
            "the table is open: an unknown code is a warning. If this is all of it, --complete makes it an error"
                .to_owned(),
        ));
    }
    notes
}

/// What was taken in, for the report.
struct Imported<'t> {
    business: &'t str,
    known: Option<&'t CodeTable>,
    table: &'t CodeTable,
    target: &'t Path,
    form: &'t str,
}

impl Imported<'_> {
    fn tell(&self, args: &Args, notes: &[(String, String)], app: &App) -> anyhow::Result<Exit> {
        let (table, changes) = (self.table, Changes::between(self.known, self.table));
        let was_complete = self.known.map(|known| known.complete);
        if app.json {
            let notes: Vec<_> = notes.iter().map(|(zh, en)| json!({"zh": zh, "en": en})).collect();
            app.print_json(&json!({"business": self.business, "table": table.name, "file": self.target,
                "written": !args.dry_run, "rows": table.rows.len(), "complete": table.complete,
                "was_complete": was_complete, "source": table.source, "date": table.date, "read_as": self.form,
                "new": changes.new, "removed": changes.removed, "renamed": changes.renamed, "periods": changes.periods,
                "notes": notes}))?;
            return Ok(Exit::Done);
        }
        let (business, name, rows, form) = (self.business, &table.name, table.rows.len(), self.form);
        let complete = app
            .lang
            .pick(if table.complete { "完整" } else { "不完整" }, if table.complete { "complete" } else { "open" });
        app.print(app.lang.pick(
            format!("{business} {name}：{rows} 行，{complete}，来源 {}，{}（{form}）", table.source, table.date),
            format!("{business} {name}: {rows} rows, {complete}, from {}, {} ({form})", table.source, table.date),
        ))?;
        app.print(changes.told(app.lang))?;
        for (zh, en) in notes {
            app.say(format_args!("{}: {}", app.lang.pick("注意", "note"), app.lang.pick(zh, en)));
        }
        let target = self.target.display();
        app.say(match args.dry_run {
            true => {
                app.lang.pick(format!("试运行：没有写入 {target}"), format!("dry run: nothing was written to {target}"))
            }
            false => app.lang.pick(
                format!("已写入 {target}；正在运行的网关收到 SIGHUP 后生效"),
                format!("wrote {target}; a gateway that runs takes it on SIGHUP"),
            ),
        });
        Ok(Exit::Done)
    }
}

/// `kouan codes remove`: back to the bundled table.
#[derive(clap::Args)]
pub struct Remove {
    #[arg(value_name = "TABLE")]
    table: String,
    #[arg(long, value_name = "ID")]
    business: Option<String>,
}

/// Removes the site's own table; a broken one, too.
pub fn remove(args: &Remove, app: &App) -> anyhow::Result<Exit> {
    let config = app.config_if_any()?;
    let mut found = Vec::new();
    for of in bundled::DATA.iter().filter(|of| args.business.as_deref().is_none_or(|id| id == of.id)) {
        let folder = data::codes_folder(of.id, config.as_ref());
        let file = data::site_file(&folder, &args.table)?.or_else(|| {
            // One that cannot be read has no name but its file's.
            Some(folder.join(format!("{}.csv", args.table))).filter(|path| path.is_file())
        });
        found.extend(file.map(|file| (of.id, file)));
    }
    let (business, file) = match found.as_slice() {
        [one] => one,
        [] => return Err(WrongUsage(format!("the site has no code table `{}` of its own", args.table)).into()),
        several => {
            let ids: Vec<_> = several.iter().map(|(id, _)| *id).collect();
            return Err(WrongUsage(format!("{}: --business ID says whose", ids.join(", "))).into());
        }
    };
    std::fs::remove_file(file).map_err(|error| files::unwritable(file, &error))?;
    files::sync_folder(file)?;
    if app.json {
        app.print_json(&json!({"business": business, "table": args.table, "file": file, "removed": true}))?;
        return Ok(Exit::Done);
    }
    let file = file.display();
    app.say(app.lang.pick(
        format!("已删除 {file}，恢复内置代码表；正在运行的网关收到 SIGHUP 后生效"),
        format!("removed {file}; the bundled table counts again, for a gateway that runs on SIGHUP"),
    ));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_table_would_be_taken_in_as_it_is() {
        let mut seen = 0;
        for of in bundled::DATA {
            let rules = data::of_bundled(of, None).unwrap();
            for known in rules.codes() {
                let bytes = known.write("t.csv").unwrap();
                let sheet = sheet::read(&bytes, None, None).unwrap();
                let columns = columns::find(&sheet, &Named::default()).unwrap();
                let codes = rows::codes(&sheet, &columns, 0).unwrap();
                let fields: Vec<_> =
                    rules.validators.iter().flat_map(|v| v.schema().coded_fields(&known.name)).collect();
                rows::fit(&codes, &fields, false).unwrap_or_else(|error| panic!("{} {}: {error}", of.id, known.name));
                let rows: Vec<Code> = codes.into_iter().map(|(_, code)| code).collect();
                assert_eq!(rows, known.rows, "{} {}", of.id, known.name);
                seen += 1;
            }
        }
        assert!(seen > 50);
    }
}
