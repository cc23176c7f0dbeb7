//! Quarantined receipts (隔离): what came from the window and could not be verified or opened, why, and another try once
//! keys or trust are mended.

use super::act::operator;
use crate::app::App;
use crate::exit::{Exit, WrongUsage};
use crate::journal;
use kouan_journal::Journal;
use kouan_journal::model::{Act, OperatorAct, ReceiptDetail};
use kouan_sdk::catalogue;
use std::collections::BTreeSet;

/// More are not shown at once.
const MOST: usize = 1000;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, requires = "reason")]
    retry: bool,
    #[arg(long, value_name = "TEXT", requires = "retry")]
    reason: Option<String>,
}

/// Shows them, or has the gateway open all of them again.
pub fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    if let Some(reason) = &args.reason {
        return retry(app, reason);
    }
    let quarantined = journal::read(&app.config()?)?.inbound("quarantined", MOST).map_err(kouan_sdk::Error::from)?;
    if app.json {
        app.print_json(&quarantined)?;
        return Ok(Exit::Done);
    }
    for receipt in &quarantined {
        app.print(line(receipt))?;
    }
    let codes: BTreeSet<_> = quarantined.iter().filter_map(|receipt| Some(&receipt.reason.as_ref()?.code)).collect();
    for (code, entry) in codes.iter().filter_map(|code| Some((code, catalogue::lookup(code)?))) {
        app.print(format!("{code}: {}", app.lang.pick(&entry.cause_zh, &entry.cause_en)))?;
        app.print(format!("→ {}", app.lang.pick(&entry.repair_zh, &entry.repair_en)))?;
    }
    Ok(Exit::Done)
}

fn line(receipt: &ReceiptDetail) -> String {
    let wire_id = receipt.wire_id.as_deref().unwrap_or("-");
    let reason = receipt.reason.as_ref().map_or(String::new(), |r| format!("[{}] {}", r.code, r.text));
    format!("{:>8}  {}  {wire_id}  {reason}", receipt.id.0, receipt.received_at.local())
}

/// All of them: which a new key opens is found out by trying.
fn retry(app: &App, reason: &str) -> anyhow::Result<Exit> {
    if reason.trim().is_empty() {
        let missing = app.lang.pick("原因（--reason）不能为空", "--reason must not be empty");
        return Err(WrongUsage(missing.to_owned()).into());
    }
    let config = app.config()?;
    let journal = journal::operate(&config)?;
    let count = Journal::counts(&journal)?.quarantined;
    let repeats = config.window.repeats;
    let act =
        OperatorAct { act: Act::RetryQuarantine, part: None, operator: operator(), reason: reason.to_owned(), repeats };
    Journal::act(&journal, &[], &act, false)?;
    app.print(match app.json {
        true => serde_json::json!({ "retried": count }).to_string(),
        false => app.lang.pick(
            format!("{count} 份回执等待网关重新打开"),
            format!("{count} receipts wait for the gateway to open them again"),
        ),
    })?;
    Ok(Exit::Done)
}
