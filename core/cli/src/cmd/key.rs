//! `kouan key`: development keys and certificates, made and listed.

use crate::app::App;
use crate::exit::{Exit, WrongUsage};
use crate::table::table;
use kouan_sdk::{Clock as _, SystemClock};
use kouan_security_software::{Development, KeyEntry, generate_development};
use serde_json::json;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where the password is if nobody says otherwise.
const PASSWORD_VARIABLE: &str = "KOUAN_KEY_PASSWORD";

/// Where the pairs are if nobody says otherwise.
const FOLDER: &str = "keys";

#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Generate(Generate),
    List(List),
}

#[derive(clap::Args)]
struct Generate {
    #[arg(value_parser = pair_name)]
    name: String,
    #[arg(long, value_name = "ID", value_parser = dxp_id)]
    dxp_id: String,
    #[arg(long, value_name = "FOLDER", default_value = FOLDER)]
    folder: PathBuf,
    #[arg(long, value_name = "NAME")]
    enterprise: Option<String>,
    #[arg(long, value_name = "NUMBER")]
    card: Option<String>,
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    // A password never stands among the arguments: other users of the computer see those.
    #[arg(long, value_name = "VARIABLE", default_value = PASSWORD_VARIABLE)]
    password_env: String,
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    password_file: Option<PathBuf>,
}

#[derive(clap::Args)]
struct List {
    #[arg(default_value = FOLDER)]
    folder: PathBuf,
}

/// The form that the configuration asks for, too.
fn dxp_id(text: &str) -> Result<String, String> {
    let is_right = text.len() == 16 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if is_right { Ok(text.to_owned()) } else { Err("16 × A-Z 0-9".to_owned()) }
}

/// It becomes a file's name.
fn pair_name(text: &str) -> Result<String, String> {
    let is_right = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_right { Ok(text.to_owned()) } else { Err("A-Z a-z 0-9 - _".to_owned()) }
}

/// Does what is asked.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    match &args.action {
        Action::Generate(wanted) => generate(wanted, app),
        Action::List(list) => self::list(&list.folder, app),
    }
}

fn generate(wanted: &Generate, app: &App) -> anyhow::Result<Exit> {
    let password = wanted.password(app)?;
    let mut request = Development::new(&wanted.folder, &wanted.name, &wanted.dxp_id, &password, SystemClock.now());
    if let Some(enterprise) = &wanted.enterprise {
        request.enterprise = enterprise;
    }
    if let Some(card) = &wanted.card {
        request.card_number = card;
    }
    if let Some(days) = wanted.days {
        request.days = days;
    }
    let files = generate_development(&request)?;
    if app.json {
        app.print_json(
            &json!({"key": files.key, "certificate": files.certificate, "ca_certificate": files.ca_certificate}),
        )?;
        return Ok(Exit::Done);
    }
    let rows = [
        (app.lang.pick("密钥", "key"), &files.key),
        (app.lang.pick("证书", "certificate"), &files.certificate),
        (app.lang.pick("签发者证书", "issuer's certificate"), &files.ca_certificate),
    ];
    app.print(table(&rows.map(|(what, path)| [what.to_owned(), path.display().to_string()])))?;
    app.say(app.lang.pick(
        "只供开发与联调：真实的单一窗口不承认它。",
        "for development and the sandbox only: the real window does not know it.",
    ));
    Ok(Exit::Done)
}

impl Generate {
    fn password(&self, app: &App) -> anyhow::Result<Zeroizing<String>> {
        if let Some(file) = &self.password_file {
            let text = std::fs::read_to_string(file).map(Zeroizing::new);
            let text = text.map_err(|error| WrongUsage(format!("password file {}: {error}", file.display())))?;
            return Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        let (zh, en) = (
            format!("没有口令：设置环境变量 {}，或用 --password-file 指明文件", self.password_env),
            format!("no password: set {}, or name a file with --password-file", self.password_env),
        );
        let missing = |_| WrongUsage(app.lang.pick(zh, en));
        Ok(std::env::var(&self.password_env).map(Zeroizing::new).map_err(missing)?)
    }
}

fn list(folder: &Path, app: &App) -> anyhow::Result<Exit> {
    if !folder.is_dir() {
        let (zh, en) = (
            format!("没有目录 {}（kouan key generate 会生成）", folder.display()),
            format!("there is no folder {} (kouan key generate makes one)", folder.display()),
        );
        return Err(WrongUsage(app.lang.pick(zh, en)).into());
    }
    let entries = kouan_security_software::list(folder)?;
    if app.json {
        app.print_json(&json!({"keys": entries.iter().map(shown).collect::<Vec<_>>()}))?;
    } else {
        app.print(table(&entries.iter().map(|entry| row(entry, app)).collect::<Vec<_>>()))?;
    }
    Ok(if entries.iter().all(|entry| entry.content.is_ok()) { Exit::Done } else { Exit::NotRight })
}

fn shown(entry: &KeyEntry) -> serde_json::Value {
    let mut shown = json!({"name": entry.name, "key": entry.key, "encrypted": entry.encrypted,
        "certificate": entry.certificate});
    let more = match &entry.content {
        Ok(read) => json!({"kind": read.kind, "serial": read.serial, "subject": read.subject, "issuer": read.issuer,
            "not_before": read.not_before.local(), "not_after": read.not_after.local(),
            "card_number": read.card_number, "development": read.development}),
        Err(error) => json!({"error": error}),
    };
    if let (Some(shown), serde_json::Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    shown
}

fn row(entry: &KeyEntry, app: &App) -> [String; 5] {
    let key = match (&entry.key, entry.encrypted) {
        (None, _) => app.lang.pick("无密钥", "no key"),
        (Some(_), true) => app.lang.pick("已加密", "encrypted"),
        (Some(_), false) => app.lang.pick("未加密", "not encrypted"),
    };
    let (serial, until, subject) = match &entry.content {
        Ok(read) => (read.serial.clone(), read.not_after.date().to_string(), read.subject.clone()),
        Err(error) => (String::new(), String::new(), error.to_string()),
    };
    [entry.name.clone(), key.to_owned(), serial, until, subject]
}
