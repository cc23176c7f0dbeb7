//! `kouan message`: the journal, by business key, state and time; and an operator's acts.

mod act;
mod alarms;
mod body;
mod counts;
mod quarantined;
mod show;

use crate::app::App;
use crate::exit::Exit;
use crate::journal;
use anyhow::bail;
use clap::ValueEnum;
use kouan_journal::model::{Filter, MessageId, MessageSummary};
use kouan_journal::{Delivery, Hold, Journal};
use kouan_sdk::Timestamp;
use kouan_sdk::business::Outcome;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(ListArgs),
    Show { message: String },
    Trace { message: String },
    Body(body::Args),
    Resend(act::ResendArgs),
    Park(act::Args),
    Skip(act::Args),
    Resolve(act::ResolveArgs),
    Acknowledge(act::Args),
    Alarms(alarms::Args),
    Quarantined(quarantined::Args),
}

#[derive(clap::Args)]
struct ListArgs {
    /// Any key, stem or file name.
    key: Option<String>,
    #[arg(long, value_enum)]
    state: Option<State>,
    #[arg(long, value_enum)]
    outcome: Option<Wanted>,
    #[arg(long)]
    business: Option<String>,
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[arg(long)]
    count: bool,
}

/// Delivery states and holds, as an operator asks for them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Received,
    Refused,
    Ready,
    Sending,
    InDoubt,
    Sent,
    Skipped,
    Parked,
    Overdue,
}

/// Outcomes.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Wanted {
    None,
    Accepted,
    Rejected,
    Concluded,
}

/// Lists, shows, traces or acts.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(args) => list(args, app),
        Command::Show { message } => show::message(app, message),
        Command::Trace { message } => show::trace(app, message),
        Command::Body(args) => body::run(app, args),
        Command::Resend(args) => act::resend(app, args),
        Command::Park(args) => act::park(app, args),
        Command::Skip(args) => act::skip(app, args),
        Command::Resolve(args) => act::resolve(app, args),
        Command::Acknowledge(args) => act::acknowledge(app, args),
        Command::Alarms(args) => alarms::run(app, args),
        Command::Quarantined(args) => quarantined::run(app, args),
    }
}

/// The messages that a number or a key names, newest first.
fn find(app: &App, journal: &dyn Journal, name: &str) -> anyhow::Result<Vec<MessageSummary>> {
    let found = journal.list(&Filter { key: Some(name.to_owned()), ..Filter::default() })?;
    if !found.is_empty() {
        return Ok(found);
    }
    // A key may be all digits, too; so a number is tried second.
    if let Ok(number) = name.trim_start_matches('#').parse()
        && let Some(detail) = journal.detail(MessageId(number))?
    {
        return Ok(vec![detail.summary]);
    }
    bail!(app.lang.pick(format!("没有编号或文件名为 {name} 的报文"), format!("no message is called `{name}`")));
}

fn list(args: &ListArgs, app: &App) -> anyhow::Result<Exit> {
    let journal = journal::read(&app.config()?)?;
    if args.count {
        return counts::show(app, &Journal::counts(&journal)?);
    }
    let messages = Journal::list(&journal, &filter(args))?;
    if app.json {
        app.print_json(&messages)?;
        return Ok(Exit::Done);
    }
    app.print(show::header(app))?;
    for message in &messages {
        app.print(show::line(app, message))?;
    }
    Ok(Exit::Done)
}

fn filter(args: &ListArgs) -> Filter {
    let delivery = match args.state {
        Some(State::Received) => Some(Delivery::Received),
        Some(State::Refused) => Some(Delivery::Refused),
        Some(State::Ready) => Some(Delivery::Ready),
        Some(State::Sending) => Some(Delivery::Sending),
        Some(State::InDoubt) => Some(Delivery::InDoubt),
        Some(State::Sent) => Some(Delivery::Sent),
        Some(State::Skipped) => Some(Delivery::Skipped),
        Some(State::Parked | State::Overdue) | None => None,
    };
    let hold = match args.state {
        Some(State::Parked) => Some(Hold::Parked),
        Some(State::Overdue) => Some(Hold::Overdue),
        _ => None,
    };
    let outcome = args.outcome.map(|wanted| match wanted {
        Wanted::None => Outcome::None,
        Wanted::Accepted => Outcome::Accepted,
        Wanted::Rejected => Outcome::Rejected,
        Wanted::Concluded => Outcome::Concluded,
    });
    Filter {
        key: args.key.clone(),
        delivery,
        outcome,
        hold,
        business: args.business.clone(),
        since: args.since,
        until: args.until,
        before: None,
        limit: args.limit,
    }
}

/// Reads `yyyy-MM-dd` or `yyyy-MM-ddTHH:mm:ss`, China Standard Time.
fn moment(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00") } else { text.to_owned() };
    Timestamp::parse_local(&whole).ok_or_else(|| "yyyy-MM-dd, yyyy-MM-ddTHH:mm:ss".to_owned())
}
