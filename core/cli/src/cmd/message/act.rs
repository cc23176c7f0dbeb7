//! An operator's acts: what would happen is shown by `--dry-run`, why it happens is asked for by `--reason`.

use crate::app::App;
use crate::exit::{Exit, WrongUsage};
use kouan_journal::model::{Act, OperatorAct};
use kouan_journal::{Journal, SqliteJournal};
use kouan_sdk::SystemClock;
use std::sync::Arc;

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

/// Settles a doubt: of all parts that are in doubt, or of one.
pub fn resolve(app: &App, args: &ResolveArgs) -> anyhow::Result<Exit> {
    let wanted = match (args.sent, args.not_sent) {
        (true, false) => Act::ResolveSent,
        (false, true) => Act::ResolveNotSent,
        _ => return Err(WrongUsage("one of --sent and --not-sent is needed".to_owned()).into()),
    };
    act(app, &args.common, wanted, args.part.clone())
}

fn act(app: &App, args: &Args, act: Act, part: Option<String>) -> anyhow::Result<Exit> {
    let config = app.config()?;
    let path = kouan_kernel::journal_path(&config);
    let journal = SqliteJournal::open_operator(&path, Arc::new(SystemClock)).map_err(kouan_sdk::Error::from)?;
    let mut ids = Vec::new();
    for name in &args.messages {
        // Several attempts may bear one key; the newest is meant.
        ids.extend(super::find(&journal, name)?.first().map(|found| found.id));
    }
    let (reason, repeats) = (args.reason.clone(), config.window.repeats);
    let wanted = OperatorAct { act, part, operator: operator(), reason, repeats };
    let done = Journal::act(&journal, &ids, &wanted, args.dry_run)?;
    let mut exit = Exit::Done;
    for (id, result) in ids.iter().zip(&done) {
        match result {
            Ok(done) if app.json => app.print(serde_json::to_string(done)?)?,
            Ok(done) => {
                let names = |delivery: kouan_journal::Delivery| {
                    let (zh, en) = delivery.names();
                    app.lang.pick(zh, en)
                };
                let new = done.new_message.map_or(String::new(), |new| format!(" → #{}", new.0));
                let would = if args.dry_run { app.lang.pick("（未执行）", " (not done)") } else { "" };
                app.print(format!("#{}: {} → {}{new}{would}", id.0, names(done.before), names(done.after)))?;
            }
            Err(reason) => {
                exit = Exit::NotRight;
                app.say(format_args!("#{}: {} [{}]", id.0, reason.text, reason.code));
            }
        }
    }
    Ok(exit)
}

/// Who acts, as the system knows them.
pub fn operator() -> String {
    let name = |variable| std::env::var(variable).ok().filter(|name: &String| !name.is_empty());
    name("SUDO_USER").or_else(|| name("USER")).or_else(|| name("LOGNAME")).unwrap_or_else(|| "unknown".to_owned())
}
