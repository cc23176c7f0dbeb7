//! Bytes out of the journal, exactly as they were: a message's original, a part's payload or envelope, what came from the
//! window. What is quarantined cannot be looked at anywhere else.

use crate::app::App;
use crate::exit::{Exit, WrongUsage};
use crate::journal;
use kouan_journal::model::{InboundId, MessageDetail, MessageSummary, PartDetail};
use kouan_journal::{Journal, Kept, SqliteJournal};
use kouan_sdk::{Error, ErrorKind};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["message", "receipt"])))]
pub struct Args {
    message: Option<String>,
    #[arg(long, value_name = "NUMBER")]
    receipt: Option<i64>,
    #[arg(long, value_name = "PART", requires = "message")]
    part: Option<String>,
    #[arg(long, requires = "message")]
    sealed: bool,
    #[arg(long, requires = "receipt")]
    opened: bool,
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes them.
pub fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    if app.json && args.output.is_none() {
        let text = app.lang.pick("--json 须同时以 -o 指明文件", "--json needs a file for the bytes: -o");
        return Err(WrongUsage(text.to_owned()).into());
    }
    let journal = journal::read(&app.config()?)?;
    let kept = which(app, args, &journal)?;
    let Some(bytes) = journal.bytes(kept).map_err(Error::from)? else {
        let text = match kept {
            Kept::Payload(_) => "it waits for a key of the message",
            Kept::Sealed(_) => "it was not sealed yet",
            _ => "it could not be opened",
        };
        return Err(Error::new(ErrorKind::Invalid, "KOUAN-CLI-NO-BYTES", text).into());
    };
    match &args.output {
        Some(file) => write_file(app, file, &bytes)?,
        None => write_out(app, &bytes)?,
    }
    Ok(Exit::Done)
}

fn which(app: &App, args: &Args, journal: &SqliteJournal) -> anyhow::Result<Kept> {
    let Some(name) = &args.message else {
        let id = InboundId(args.receipt.unwrap_or_default());
        return Ok(if args.opened { Kept::Opened(id) } else { Kept::Received(id) });
    };
    let summary = one(app, super::find(app, journal, name)?)?;
    if args.part.is_none() && !args.sealed {
        return Ok(Kept::Original(summary.id));
    }
    let Some(detail) = Journal::detail(journal, summary.id)? else { return Ok(Kept::Original(summary.id)) };
    let part = part(&detail, args.part.as_deref())?.id;
    Ok(if args.sealed { Kept::Sealed(part) } else { Kept::Payload(part) })
}

/// A key may name several messages, the attempts of one declaration.
fn one(app: &App, found: Vec<MessageSummary>) -> anyhow::Result<MessageSummary> {
    let numbers: Vec<_> = found.iter().map(|message| message.id.0.to_string()).collect();
    match <[_; 1]>::try_from(found) {
        Ok([message]) => Ok(message),
        Err(_) => {
            let numbers = numbers.join(", ");
            let text = app.lang.pick(
                format!("有多份报文，请用编号指明：{numbers}"),
                format!("several; name one by its number: {numbers}"),
            );
            Err(WrongUsage(text).into())
        }
    }
}

/// The part of that wire id or name; the only one without.
fn part<'a>(detail: &'a MessageDetail, name: Option<&str>) -> kouan_sdk::Result<&'a PartDetail> {
    let meant = |part: &&PartDetail| name.is_none_or(|name| part.wire_id == name || part.name == name);
    let mut found = detail.parts.iter().filter(meant);
    match (found.next(), found.next()) {
        (Some(part), None) => Ok(part),
        _ => {
            let names: Vec<_> = detail.parts.iter().map(|part| format!("{} {}", part.wire_id, part.name)).collect();
            let text = format!("message {} has: {}", detail.summary.id.0, names.join(", "));
            Err(Error::new(ErrorKind::Invalid, "KOUAN-JOURNAL-WHICH-PART", text))
        }
    }
}

/// A new file, on the disk before it is said to be there.
fn write_file(app: &App, file: &PathBuf, bytes: &[u8]) -> anyhow::Result<()> {
    let wrong = |error| WrongUsage(format!("{}: {error}", file.display()));
    let mut out = File::create_new(file).map_err(wrong)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    if app.json {
        let sm3 = hex::encode(kouan_sm::sm3(bytes));
        app.print_json(&serde_json::json!({ "file": file, "bytes": bytes.len(), "sm3": sm3 }))?;
    }
    Ok(())
}

fn write_out(app: &App, bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    // What strangers sent must not steer somebody's terminal.
    if out.is_terminal() && steers(bytes) {
        let text =
            app.lang.pick("内容含控制字符，请用 -o 写入文件", "it has control characters; write it to a file: -o");
        return Err(WrongUsage(text.to_owned()).into());
    }
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Whether there are control characters among them, beside those of text. C1 controls are two bytes in UTF-8, and in GBK
/// their bytes are parts of characters.
fn steers(bytes: &[u8]) -> bool {
    let is_control = |b: &u8| (b.is_ascii_control() && !matches!(b, b'\t' | b'\n' | b'\r')) || *b == 0x7f;
    bytes.iter().any(is_control) || String::from_utf8_lossy(bytes).chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::steers;

    #[test]
    fn text_does_not_steer_a_terminal_and_escapes_do() {
        assert!(!steers("<a>\r\n\t口岸</a>".as_bytes()));
        assert!(!steers(b"<a>\xbf\xda\xb0\xb6</a>"), "GBK");
        assert!(steers(b"<a>\x1b[2J</a>") && steers("\u{9b}2J".as_bytes()) && steers(b"\0"));
    }
}
