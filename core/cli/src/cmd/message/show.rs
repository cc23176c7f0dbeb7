//! One message, for people and for programs.

use crate::app::App;
use crate::exit::Exit;
use crate::journal;
use kouan_journal::model::{Event, MessageDetail, MessageSummary};
use kouan_journal::{Hold, Journal};
use kouan_sdk::business::Outcome;
use kouan_sdk::catalogue;
use unicode_width::UnicodeWidthStr;

/// One line of a list: number, time, state, business key, file, and the code of what holds or refused it.
pub fn line(app: &App, message: &MessageSummary) -> String {
    let key = message.business_key.as_ref().map_or("-", |key| &key.value);
    let (number, received) = (message.id.0.to_string(), message.received_at.local());
    let line = columns([&number, &received, &state(app, message), key, &message.file_name]);
    match message.reason.as_ref().filter(|reason| !reason.code.is_empty()) {
        Some(reason) => format!("{line}  {}", reason.code),
        None => line,
    }
}

/// What stands above such lines.
pub fn header(app: &App) -> String {
    let (zh, en) = (["编号", "接收时间", "状态", "业务编号", "文件"], ["number", "received", "state", "key", "file"]);
    columns(app.lang.pick(zh, en))
}

fn columns([number, received, state, key, file]: [&str; 5]) -> String {
    let blanks = " ".repeat(8usize.saturating_sub(number.width()));
    format!("{blanks}{number}  {}  {}  {}  {file}", padded(received, 19), padded(state, 20), padded(key, 20))
}

/// Delivery, outcome, stage and hold in one phrase.
fn state(app: &App, message: &MessageSummary) -> String {
    let (zh, en) = message.delivery.names();
    let mut text = app.lang.pick(zh, en).to_owned();
    let outcome = match message.outcome {
        Outcome::None => None,
        Outcome::Accepted => Some(("入库", "accepted")),
        Outcome::Rejected => Some(("入库失败", "rejected")),
        Outcome::Concluded => Some(("办结", "concluded")),
    };
    if let Some((zh, en)) = outcome {
        text = format!("{text}·{}", app.lang.pick(zh, en));
    }
    match message.hold {
        Hold::None => text,
        Hold::Parked => format!("{text}·{}", app.lang.pick("挂起", "parked")),
        Hold::Overdue => format!("{text}·{}", app.lang.pick("超时未回", "overdue")),
    }
}

fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

/// All that is known of a message.
pub fn message(app: &App, name: &str) -> anyhow::Result<Exit> {
    let journal = journal::read(&app.config()?)?;
    let mut details = Vec::new();
    for found in super::find(app, &journal, name)? {
        details.extend(Journal::detail(&journal, found.id)?);
    }
    if app.json {
        app.print_json(&details)?;
        return Ok(Exit::Done);
    }
    for detail in &details {
        app.print(line(app, &detail.summary))?;
        parts_and_receipts(app, detail)?;
    }
    Ok(Exit::Done)
}

fn parts_and_receipts(app: &App, detail: &MessageDetail) -> anyhow::Result<()> {
    let findings = || detail.report.iter().flat_map(|report| &report.findings);
    // What a finding says is told below, in the reader's language.
    if let Some(reason) = detail.summary.reason.as_ref().filter(|r| findings().all(|f| f.rule != r.code)) {
        app.print(format!("          {} {}", reason.code, reason.text))?;
        if let Some(entry) = catalogue::lookup(&reason.code) {
            app.print(format!("          {}", app.lang.pick(&entry.cause_zh, &entry.cause_en)))?;
            app.print(format!("          → {}", app.lang.pick(&entry.repair_zh, &entry.repair_en)))?;
        }
    }
    for finding in findings() {
        let text = app.lang.pick(&finding.message_zh, &finding.message_en);
        let place = if finding.xpath.is_empty() { String::new() } else { format!("{} ", finding.xpath) };
        app.print(format!("          [{}] {place}{text}", finding.rule))?;
    }
    for part in &detail.parts {
        let (zh, en) = part.state.delivery.names();
        let reason = part.reason.as_ref().map_or(String::new(), |r| format!(" {} {}", r.code, r.text));
        let (name, attempts) = (padded(&part.name, 24), part.state.attempts);
        let state = padded(app.lang.pick(zh, en), 10);
        app.print(format!("          ▸ {name} {} {state} ×{attempts}{reason}", part.wire_id))?;
    }
    for receipt in &detail.receipts {
        let said = receipt.receipt.as_ref().map_or(String::new(), |r| format!("{} {} {}", r.code, r.stage, r.text));
        let file = receipt.file_name.as_deref().unwrap_or("-");
        app.print(format!("          ◂ {:>6} {} {file} {said}", receipt.id.0, receipt.received_at.local()))?;
    }
    Ok(())
}

/// A message's timeline, from the file to the last receipt.
pub fn trace(app: &App, name: &str) -> anyhow::Result<Exit> {
    let journal = journal::read(&app.config()?)?;
    let mut all = Vec::new();
    for found in super::find(app, &journal, name)? {
        all.push((Journal::timeline(&journal, found.id)?, found));
    }
    if app.json {
        let lines: Vec<_> =
            all.iter().map(|(events, found)| serde_json::json!({ "message": found, "events": events })).collect();
        app.print_json(&lines)?;
        return Ok(Exit::Done);
    }
    for (events, found) in &all {
        app.print(line(app, found))?;
        events.iter().try_for_each(|event| app.print(event_line(event, events.first())))?;
    }
    Ok(Exit::Done)
}

/// One event, with a stop-watch that starts at the first.
fn event_line(event: &Event, first: Option<&Event>) -> String {
    let since = first.map_or(0, |first| event.at.millis() - first.at.millis());
    let part = event.part.map_or(String::new(), |part| format!(" ▸{}", part.0));
    let (at, kind, told) = (event.at.local(), &event.kind, details(&event.data));
    format!("  {at} +{:>8.3} s  {kind:<16}{part}  {told}", since as f64 / 1000.0).trim_end().to_owned()
}

/// What an event says beside its digests, for people; `--json` has all of it.
fn details(data: &str) -> String {
    let Ok(serde_json::Value::Object(data)) = serde_json::from_str(data) else { return data.to_owned() };
    let is_digest = |value: &str| value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit());
    let told = data.iter().filter_map(|(key, value)| match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) if text.is_empty() || is_digest(text) => None,
        serde_json::Value::String(text) => Some(format!("{key}={text}")),
        value => Some(format!("{key}={value}")),
    });
    told.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::details;

    #[test]
    fn an_event_is_told_without_digests_and_empty_fields() {
        let digest = "0".repeat(64);
        let data = serde_json::json!({ "attempt": 2, "sealed": digest, "reason": null, "why": "x", "keys": [] });
        assert_eq!(details(&data.to_string()), "attempt=2 keys=[] why=x");
        assert_eq!(details("no json"), "no json");
    }
}
