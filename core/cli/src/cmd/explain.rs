//! `kouan explain`: says what a file is, whatever it is.

use crate::app::App;
use crate::businesses::Businesses;
use crate::exit::{Exit, WrongUsage};
use crate::explanation::{Explainer, Explanation, Kind, Step};
use crate::files;
use crate::table::table;
use kouan_dxp::Trust;
use kouan_sdk::business::{Key, Outcome};
use kouan_sdk::{Clock as _, Error, SystemClock, catalogue};
use kouan_sm::Certificate;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
}

/// Explains a file; 1 if it cannot be read, or its signature does not verify.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    let businesses = Businesses::load(app)?;
    let trust = trust(args, app)?;
    let bytes = match files::read(&args.file, businesses.limits.max_total_bytes) {
        Ok(bytes) => bytes,
        Err(error) => {
            app.fail(&error.clone().into());
            return Ok(files::exit(&error));
        }
    };
    let name = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let explainer = Explainer { businesses: &businesses, trust: &trust, at: SystemClock.now() };
    let explanation = explainer.explain(&name, &bytes);
    if app.json {
        app.print_json(&explanation)?;
    } else {
        let mut rows = Vec::new();
        tell(&explanation, "", app, &mut rows);
        app.print(table(&rows))?;
        if !explanation.steps.is_empty() {
            app.print(format_args!("\n{}", steps(&explanation.steps, app)))?;
        }
    }
    let is_right = explanation.problem.is_none() && !matches!(explanation.signature, "invalid" | "unknown");
    Ok(if is_right { Exit::Done } else { Exit::NotRight })
}

/// The certificates that the arguments name, else those of the configuration.
fn trust(args: &Args, app: &App) -> anyhow::Result<Trust> {
    let files = match app.config_if_any()? {
        Some(config) if args.trust.is_empty() => {
            // Beside whom the gateway trusts, ourselves: what was sealed here is explained, too.
            let own = config.identity.iter().filter_map(|identity| identity.security.settings.get("certificate"));
            let own = own.filter_map(|path| path.as_str()).map(|path| config.base_dir.join(path));
            let trusted = config.window.trust.iter().map(|path| config.base_dir.join(path));
            trusted.chain(own.filter(|path| path.is_file())).collect()
        }
        _ => args.trust.clone(),
    };
    let mut certificates = Vec::new();
    for file in files {
        let wrong = |why: String| WrongUsage(format!("certificate {}: {why}", file.display()));
        let pem = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        certificates.extend(Certificate::all_from_pem(&pem).map_err(|error| wrong(error.to_string()))?);
    }
    Ok(Trust::new(certificates))
}

/// What there is to tell, a row each; `indent` for what is inside.
fn tell(of: &Explanation, indent: &str, app: &App, rows: &mut Vec<[String; 2]>) {
    let mut row = |zh: &str, en: &str, value: String| {
        if !value.is_empty() {
            rows.push([format!("{indent}{}", app.lang.pick(zh, en)), value]);
        }
    };
    row("类别", "kind", kind(of.kind, app).to_owned());
    row("根元素", "root", of.root.as_ref().map(|root| root.local.clone()).unwrap_or_default());
    row("业务", "business", of.business.clone().unwrap_or_default());
    row("类型", "type", of.type_name.clone().unwrap_or_default());
    row("业务编号", "keys", keys(&of.keys));
    if let Some(outcome) = of.outcome {
        row("结果", "outcome", self::outcome(outcome, app).to_owned());
    }
    if let Some(receipt) = &of.receipt {
        row("阶段", "stage", receipt.stage.clone());
        row("代码", "code", receipt.code.clone());
        row("说明", "text", receipt.text.clone());
        row("通知时间", "noticed at", receipt.noticed_at.clone().unwrap_or_default());
    }
    if let Some(message) = &of.message {
        let (zh, en) = (
            format!("错误 {}，警告 {}（详见 kouan check）", message.errors, message.warnings),
            format!("errors: {}, warnings: {} (kouan check says which)", message.errors, message.warnings),
        );
        row("检查", "check", app.lang.pick(zh, en));
        row("单位", "parties", keys(&message.parties));
        for part in &message.parts {
            let size = part.bytes.map(|bytes| format!("{bytes} B"));
            let waits =
                || app.lang.pick("等待 ", "waits for ").to_owned() + part.waits_for.as_deref().unwrap_or_default();
            let route = format!(
                "{} → {} ({}, {})",
                part.name,
                part.receivers.join(", "),
                part.type_name,
                size.unwrap_or_else(waits)
            );
            row("发往", "route", route);
        }
        if let Some(to_sign) = &message.to_sign {
            row("签名内容", "signed bytes", format!("{}: {}", to_sign.form, to_sign.text));
            row("其 SM3", "their SM3", to_sign.sm3.clone().unwrap_or_default());
        }
        row(
            "不能签名",
            "cannot be signed",
            message.to_sign_problem.as_ref().map(|error| problem(error, app)).unwrap_or_default(),
        );
    }
    if let Some(envelope) = &of.envelope {
        row("信封编号", "wire id", envelope.id.clone());
        row("发送方", "sender", envelope.sender.clone());
        row("接收方", "receivers", envelope.receivers.join(", "));
        row("创建时间", "created", envelope.created.clone());
        row("文件名", "file name", envelope.file_name.clone());
    }
    row("签名", "signature", signature(of.signature, app).to_owned());
    if let Some(certificate) = &of.certificate {
        row("证书", "certificate", format!("{} ({})", certificate.subject, certificate.serial));
    }
    if let Some(trust) = of.trust {
        let word = app.lang.pick(if trust == "trusted" { "可信" } else { "不可信" }, trust);
        let cause = of.trust_code.and_then(|code| Some((code, catalogue::lookup(code)?)));
        let zh = cause.map(|(code, entry)| format!("：{}[{code}]", entry.cause_zh)).unwrap_or_default();
        let en = of.trust_why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        row("信任", "trust", format!("{word}{}", app.lang.pick(zh, en)));
    }
    row("SM3", "SM3", of.sm3.clone());
    row("问题", "problem", of.problem.as_ref().map(|error| problem(error, app)).unwrap_or_default());
    if let Some(payload) = of.envelope.as_ref().and_then(|envelope| envelope.payload.as_ref()) {
        rows.push([format!("{indent}{}", app.lang.pick("内容", "payload")), String::new()]);
        tell(payload, &format!("{indent}  "), app, rows);
    }
}

/// An error speaks English; its cause in Chinese stands before it.
fn problem(error: &Error, app: &App) -> String {
    let zh =
        catalogue::lookup(&error.code).map(|entry| format!("{}（{error}）", entry.cause_zh.trim_end_matches('。')));
    app.lang.pick(zh, None).unwrap_or_else(|| error.to_string())
}

fn steps(steps: &[Step], app: &App) -> String {
    let mut rows = Vec::new();
    for step in steps {
        let verdict = if step.ok { app.lang.pick("通过", "ok") } else { app.lang.pick("不通过", "FAILED") };
        let name = app.lang.pick(step.name_zh, step.name);
        rows.push([verdict.to_owned(), name.to_owned(), step.code.unwrap_or_default().to_owned()]);
        if !step.ok {
            let zh = (&step.expected_zh, &step.got_zh);
            let (expected, got) = app.lang.pick(zh, (&step.expected, &step.got));
            rows.push([String::new(), app.lang.pick("应为", "expected").to_owned(), expected.clone()]);
            rows.push([String::new(), app.lang.pick("实为", "got").to_owned(), got.clone()]);
        }
    }
    table(&rows)
}

fn keys(keys: &[Key]) -> String {
    keys.iter().map(|key| format!("{}={}", key.name, key.value)).collect::<Vec<_>>().join(", ")
}

fn kind(kind: Kind, app: &App) -> &'static str {
    match kind {
        Kind::Message => app.lang.pick("报文", "message"),
        Kind::Receipt => app.lang.pick("回执", "receipt"),
        Kind::Envelope => app.lang.pick("信封", "envelope"),
        Kind::Unknown => app.lang.pick("未知", "unknown"),
    }
}

fn outcome(outcome: Outcome, app: &App) -> &'static str {
    match outcome {
        Outcome::None => app.lang.pick("尚无", "none"),
        Outcome::Accepted => app.lang.pick("入库", "accepted"),
        Outcome::Rejected => app.lang.pick("入库失败", "rejected"),
        Outcome::Concluded => app.lang.pick("办结", "concluded"),
    }
}

fn signature(state: &'static str, app: &App) -> &'static str {
    let zh = match state {
        "valid" => "有效",
        "invalid" => "无效",
        "absent" => "无",
        _ => "无证书可验",
    };
    app.lang.pick(zh, state)
}
