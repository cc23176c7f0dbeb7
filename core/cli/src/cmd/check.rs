//! `kouan check`: judges messages as the gateway would, and draws what it finds.

use crate::app::App;
use crate::businesses::Businesses;
use crate::draw::Source;
use crate::exit::Exit;
use crate::files;
use kouan_kernel::package::{self, OpenedPackage};
use kouan_sdk::business::{Attachment, Key};
use kouan_sdk::finding::has_error;
use kouan_sdk::{Error, Finding, Severity, catalogue};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Args {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What was found out about one file.
#[derive(Serialize)]
struct Verdict {
    file: String,
    /// Whether the gateway would send it.
    ok: bool,
    /// The business's id, if one was found.
    business: Option<String>,
    #[serde(rename = "type")]
    message_type: Option<String>,
    keys: Vec<Key>,
    findings: Vec<Finding>,
}

/// Checks every file; 1 if one of them would be refused.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    let businesses = Businesses::load(app)?;
    let mut verdicts = Vec::new();
    let mut exit = Exit::Done;
    for path in &args.files {
        let verdict = match files::read(path, businesses.limits.max_total_bytes) {
            Ok(bytes) => check_file(path, &bytes, &businesses, app)?,
            Err(error) => {
                // A name that is no file is wrong usage; the other files are checked all the same.
                exit = exit.max(files::exit(&error));
                show(Verdict::refused(path.display().to_string(), of_error(&error)), &[], app)?
            }
        };
        if !verdict.ok {
            exit = exit.max(Exit::NotRight);
        }
        verdicts.push(verdict);
    }
    if app.json {
        app.print_json(&serde_json::json!({"files": verdicts}))?;
    } else if args.files.len() > 1 {
        let (all, ok) = (verdicts.len(), verdicts.iter().filter(|verdict| verdict.ok).count());
        let refused = all - ok;
        app.say(app.lang.pick(
            format!("{all} 个文件：{ok} 个通过，{refused} 个有错误"),
            format!("{all} files: {ok} without errors, {refused} with errors"),
        ));
    }
    Ok(exit)
}

fn check_file(path: &Path, bytes: &[u8], businesses: &Businesses, app: &App) -> anyhow::Result<Verdict> {
    let file = path.display().to_string();
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let opened = match package::open(&name, bytes, &businesses.limits) {
        Ok(opened) => opened,
        Err(error) => {
            let verdict = Verdict::refused(file, of_error(&error));
            return show(verdict, &[], app);
        }
    };
    let verdict = judge(file, &opened, businesses);
    show(verdict, opened.document(), app)
}

/// Finds the business by the root and asks it.
fn judge(file: String, opened: &OpenedPackage<'_>, businesses: &Businesses) -> Verdict {
    let root = match kouan_xml::root_name(opened.document()) {
        Ok(root) => root,
        Err(error) => return Verdict::refused(file, error.finding(None, "")),
    };
    let Some((info, _, business)) = businesses.sending(&root) else {
        return Verdict::refused(file, unknown_root(&root.local, businesses));
    };
    let attachments: Vec<_> = opened.attachments().map(|(name, bytes)| Attachment { name, bytes }).collect();
    match business.check(&opened.package(None, &attachments)) {
        Ok(report) => Verdict {
            file,
            ok: !has_error(&report.findings),
            business: Some(info.id.clone()),
            message_type: Some(report.message_type).filter(|id| !id.is_empty()),
            keys: report.keys,
            findings: report.findings,
        },
        Err(error) => Verdict { business: Some(info.id.clone()), ..Verdict::refused(file, of_error(&error)) },
    }
}

fn show(verdict: Verdict, document: &[u8], app: &App) -> anyhow::Result<Verdict> {
    if app.json {
        return Ok(verdict);
    }
    let source = Source::new(&verdict.file, document);
    for finding in &verdict.findings {
        app.print(format_args!("{}\n", source.draw(finding, app.lang)))?;
    }
    if verdict.ok {
        app.print(said(&verdict, app))?;
    }
    Ok(verdict)
}

/// `D1.xml: without errors (goods-declaration, DECCUS001, ClientSeqNo=…)`.
fn said(verdict: &Verdict, app: &App) -> String {
    let keys = verdict.keys.iter().map(|key| format!("{}={}", key.name, key.value));
    let what: Vec<_> = verdict.business.iter().chain(&verdict.message_type).cloned().chain(keys).collect();
    let (file, what) = (&verdict.file, what.join(", "));
    app.lang.pick(format!("{file}: 没有错误（{what}）"), format!("{file}: without errors ({what})"))
}

impl Verdict {
    fn refused(file: String, finding: Finding) -> Self {
        Self { file, ok: false, business: None, message_type: None, keys: Vec::new(), findings: vec![finding] }
    }
}

/// An error as a finding about the whole file: cause and repair from the catalogue, the details in both languages.
fn of_error(error: &Error) -> Finding {
    let Some(entry) = catalogue::lookup(&error.code) else {
        return Finding::whole(&*error.code, Severity::Error, &error.message, &error.message);
    };
    let told = |cause: &str| format!("{} ({})", cause.trim_end_matches(['.', '。']), error.message);
    Finding::whole(&*error.code, Severity::Error, told(&entry.cause_zh), told(&entry.cause_en))
        .with_hint(&entry.repair_zh, &entry.repair_en)
}

fn unknown_root(root: &str, businesses: &Businesses) -> Finding {
    let known = businesses.roots();
    let meant = kouan_host::nearest(root, known.iter().copied());
    let (zh, en) = match meant {
        Some(meant) => (
            format!("根元素 {root} 不属于任何业务，是否应为 {meant}"),
            format!("the root {root} is no business's, is {meant} meant?"),
        ),
        None => (format!("根元素 {root} 不属于任何业务"), format!("the root {root} is no business's")),
    };
    let known = known.join(", ");
    Finding::whole("KOUAN-CLI-UNKNOWN-ROOT", Severity::Error, zh, en)
        .with_hint(format!("已知的根元素：{known}"), format!("known roots: {known}"))
}
