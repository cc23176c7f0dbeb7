//! An operator's acts: what would happen is shown by `--dry-run`, why it happens is asked for by `--reason`.

use crate::app::App;
use crate::exit::{Exit, WrongUsage};
use crate::journal;
use kouan_journal::Journal;
use kouan_journal::model::{Act, ActDone, MessageId, OperatorAct, Reason};
use kouan_sdk::catalogue;

#[derive(clap::Args)]
pub struct Args {
    /// Numbers or keys.
    #[arg(required = true)]
    messages: Vec<String>,
    #[arg(long)]
    reason: String,
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args)]
pub struct ResendArgs {
    #[command(flatten)]
    common: Args,
    #[arg(long)]
    as_new: bool,
}

#[derive(clap::Args)]
pub struct ResolveArgs {
    #[command(flatten)]
    common: Args,
    #[arg(long, conflicts_with = "not_sent")]
    sent: bool,
    #[arg(long)]
    not_sent: bool,
    /// Wire id or name of one part.
    #[arg(long)]
    part: Option<String>,
}

/// Sends again, under the same identity or as a new message.
pub fn resend(app: &App, args: &ResendArgs) -> anyhow::Result<Exit> {
    act(app, &args.common, if args.as_new { Act::ResendAsNew } else { Act::Resend }, None)
}

/// Holds.
pub fn park(app: &App, args: &Args) -> anyhow::Result<Exit> {
    act(app, args, Act::Park, None)
}

/// Gives up.
pub fn skip(app: &App, args: &Args) -> anyhow::Result<Exit> {
    act(app, args, Act::Skip, None)
}

/// Takes the overdue mark and the alarms off.
pub fn acknowledge(app: &App, args: &Args) -> anyhow::Result<Exit> {
    act(app, args, Act::Acknowledge, None)
}

/// Settles a doubt: of all parts that are in doubt, or of one.
pub fn resolve(app: &App, args: &ResolveArgs) -> anyhow::Result<Exit> {
    let wanted = match (args.sent, args.not_sent) {
        (true, false) => Act::ResolveSent,
        (false, true) => Act::ResolveNotSent,
        _ => {
            let missing = app.lang.pick("要写 --sent 或 --not-sent 之一", "one of --sent and --not-sent is needed");
            return Err(WrongUsage(missing.to_owned()).into());
        }
    };
    act(app, &args.common, wanted, args.part.clone())
}

fn act(app: &App, args: &Args, act: Act, part: Option<String>) -> anyhow::Result<Exit> {
    if args.reason.trim().is_empty() {
        let missing = app.lang.pick("原因（--reason）不能为空", "--reason must not be empty");
        return Err(WrongUsage(missing.to_owned()).into());
    }
    let config = app.config()?;
    let journal = journal::operate(&config)?;
    let mut ids = Vec::new();
    for name in &args.messages {
        // Several attempts may bear one key; the newest is meant.
        ids.extend(super::find(app, &journal, name)?.first().map(|found| found.id));
    }
    let (reason, repeats) = (args.reason.clone(), config.window.repeats);
    let wanted = OperatorAct { act, part, operator: operator(), reason, repeats };
    let mut exit = Exit::Done;
    for (id, result) in ids.iter().zip(&Journal::act(&journal, &ids, &wanted, args.dry_run)?) {
        match result {
            Ok(done) => did(app, done, args.dry_run)?,
            Err(reason) => {
                exit = Exit::NotRight;
                refused(app, *id, reason)?;
            }
        }
    }
    Ok(exit)
}

/// One line a message, also as JSON: acts are few, and each is told as soon as it is done.
fn did(app: &App, done: &ActDone, dry_run: bool) -> anyhow::Result<()> {
    if app.json {
        let mut told = serde_json::to_value(done)?;
        told["dry_run"] = dry_run.into();
        return Ok(app.print(told)?);
    }
    let names = |delivery: kouan_journal::Delivery| {
        let (zh, en) = delivery.names();
        app.lang.pick(zh, en)
    };
    let new = done.new_message.map_or(String::new(), |new| format!(" → #{}", new.0));
    let would = if dry_run { app.lang.pick("（未执行）", " (not done)") } else { "" };
    Ok(app.print(format!("#{}: {} → {}{new}{would}", done.message.0, names(done.before), names(done.after)))?)
}

fn refused(app: &App, id: MessageId, reason: &Reason) -> anyhow::Result<()> {
    if app.json {
        return Ok(app.print(serde_json::json!({ "message": id, "refused": reason }))?);
    }
    app.say(format_args!("#{}: {} [{}]", id.0, reason.text, reason.code));
    if let Some(entry) = catalogue::lookup(&reason.code) {
        app.say(format_args!("  {}", app.lang.pick(&entry.cause_zh, &entry.cause_en)));
        app.say(format_args!("  {}", app.lang.pick(&entry.repair_zh, &entry.repair_en)));
    }
    Ok(())
}

/// Who acts, as the system knows them.
pub fn operator() -> String {
    let name = |variable| std::env::var(variable).ok().filter(|name: &String| !name.is_empty());
    name("SUDO_USER").or_else(|| name("USER")).or_else(|| name("LOGNAME")).unwrap_or_else(|| "unknown".to_owned())
}
