//! Alarms (告警): what somebody must look at, until it is acknowledged.

use super::act::operator;
use crate::app::App;
use crate::exit::{Exit, WrongUsage};
use crate::journal;
use kouan_journal::Journal;
use kouan_journal::model::Alarm;
use kouan_sdk::{Error, catalogue};

/// More are not shown at once.
const MOST: usize = 1000;

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, value_name = "NUMBER", requires = "reason")]
    acknowledge: Vec<i64>,
    #[arg(long, value_name = "TEXT", requires = "acknowledge")]
    reason: Option<String>,
}

/// Shows those that stand, or takes some off.
pub fn run(app: &App, args: &Args) -> anyhow::Result<Exit> {
    if let Some(reason) = &args.reason {
        return acknowledge(app, &args.acknowledge, reason);
    }
    let alarms = Journal::alarms(&journal::read(&app.config()?)?, MOST)?;
    if app.json {
        app.print_json(&alarms)?;
        return Ok(Exit::Done);
    }
    for alarm in &alarms {
        app.print(line(alarm))?;
        if let Some(entry) = catalogue::lookup(&alarm.code) {
            app.print(format!("          {}", app.lang.pick(&entry.cause_zh, &entry.cause_en)))?;
            app.print(format!("          → {}", app.lang.pick(&entry.repair_zh, &entry.repair_en)))?;
        }
    }
    Ok(Exit::Done)
}

fn line(alarm: &Alarm) -> String {
    let message = alarm.message.map_or(String::new(), |message| format!("  #{}", message.0));
    format!("{:>8}  {}  {}{message}  {}", alarm.id, alarm.at.local(), alarm.code, alarm.text)
}

fn acknowledge(app: &App, numbers: &[i64], reason: &str) -> anyhow::Result<Exit> {
    if reason.trim().is_empty() {
        return Err(
            WrongUsage(app.lang.pick("原因（--reason）不能为空", "--reason must not be empty").to_owned()).into()
        );
    }
    let journal = journal::operate(&app.config()?)?;
    let mut exit = Exit::Done;
    for &number in numbers {
        let stood = journal.acknowledge_alarm(number, &operator(), reason).map_err(Error::from)?;
        if !stood {
            exit = Exit::NotRight;
        }
        match (app.json, stood) {
            (true, _) => app.print(serde_json::json!({ "alarm": number, "acknowledged": stood }))?,
            (false, true) => app.print(format!("{number}: {}", app.lang.pick("已确认", "taken off")))?,
            (false, false) => {
                app.say(format_args!("{number}: {}", app.lang.pick("没有这条未确认的告警", "no such alarm stands")));
            }
        }
    }
    Ok(exit)
}
