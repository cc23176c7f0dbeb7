//! A journal of very many small messages that all went the whole way: opening, and the questions that people ask.

use crate::Setup;
use crate::table::Table;
use crate::timing::{Watch, median};
use kouan_journal::model::{Filter, MessageId};
use kouan_journal::{Delivery, Hold, Repeats, SqliteJournal, testing};
use kouan_sdk::business::Outcome;
use kouan_sdk::{Clock as _, SystemClock};
use std::sync::Arc;

/// Bytes of each body.
const BODY: usize = 64;

/// Longest time for a question in the design, in milliseconds.
const QUESTION_MS: f64 = 50.0;

/// Longest time for opening in the design, in milliseconds.
const OPENING_MS: f64 = 5000.0;

/// Runs the suite.
///
/// # Errors
/// The journal's.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let folder = setup.folder()?;
    let options = || testing::options(folder.path(), Arc::new(SystemClock));
    let begun = SystemClock.now();
    {
        let journal = SqliteJournal::open(options())?;
        let watch = Watch::start();
        testing::fill(&journal, setup.large, BODY)?;
        table.plain("large: filling, the whole way", watch.wall_each(setup.large), "µs/msg");
    }
    let before = resident()?;
    let watch = Watch::start();
    let journal = SqliteJournal::open(options())?;
    let name = |what: &str| format!("{what}, {} messages", setup.large);
    table.row(&name("open"), watch.wall_each(1) / 1000.0, "ms", ("limit", OPENING_MS));
    table.plain("large: memory of opening", (resident()? - before) / 1e6, "MB");
    let stats = journal.stats()?;
    table.plain("large: file", stats.file_bytes as f64 / setup.large as f64, "B/msg");
    let middle = begun.plus_millis((SystemClock.now().millis() - begun.millis()) / 2);
    questions(table, &journal, &name, setup.large, middle)?;
    table.plain("large: memory after all questions", resident()? / 1e6, "MB");
    Ok(())
}

fn questions(
    table: &mut Table,
    journal: &SqliteJournal,
    name: &dyn Fn(&str) -> String,
    count: usize,
    middle: kouan_sdk::Timestamp,
) -> anyhow::Result<()> {
    let nothing = Filter::default();
    let business = Some(testing::BUSINESS.to_owned());
    let asked: Vec<(&str, Filter)> = vec![
        ("list newest", nothing.clone()),
        ("by business key", Filter { key: Some(format!("FILL{:09}", count / 2)), ..nothing.clone() }),
        ("by a key that is not there", Filter { key: Some("NONE".into()), ..nothing.clone() }),
        ("by delivery, all of them", Filter { delivery: Some(Delivery::Sent), ..nothing.clone() }),
        ("by delivery, none of them", Filter { delivery: Some(Delivery::InDoubt), ..nothing.clone() }),
        ("by outcome, none of them", Filter { outcome: Some(Outcome::Rejected), ..nothing.clone() }),
        ("by time, the older half", Filter { until: Some(middle), ..nothing.clone() }),
        ("by time, none", Filter { until: Some(kouan_sdk::Timestamp::from_millis(0)), ..nothing.clone() }),
        (
            "by state and time, none",
            Filter { delivery: Some(Delivery::Refused), until: Some(middle), ..nothing.clone() },
        ),
        ("by state and time, half", Filter { delivery: Some(Delivery::Sent), until: Some(middle), ..nothing.clone() }),
        ("by business and time, half", Filter { business: business.clone(), until: Some(middle), ..nothing.clone() }),
        (
            "by business, state and time, half",
            Filter {
                business: business.clone(),
                delivery: Some(Delivery::Sent),
                since: Some(middle),
                ..nothing.clone()
            },
        ),
        (
            "by business and state, none",
            Filter { business: business.clone(), delivery: Some(Delivery::Refused), ..nothing.clone() },
        ),
        (
            "by business and outcome, none",
            Filter { business: business.clone(), outcome: Some(Outcome::Rejected), ..nothing.clone() },
        ),
        (
            "by state, hold and time, half",
            Filter { delivery: Some(Delivery::Sent), hold: Some(Hold::None), until: Some(middle), ..nothing.clone() },
        ),
        ("by business, deep page", Filter { business, before: Some(MessageId(count as i64 / 10)), ..nothing.clone() }),
    ];
    let mut ask = |what: &str, question: &mut dyn FnMut() -> anyhow::Result<usize>| -> anyhow::Result<()> {
        let mut took = Vec::new();
        for _ in 0..5 {
            let watch = Watch::start();
            std::hint::black_box(question()?);
            took.push(watch.wall_each(1) / 1000.0);
        }
        table.row(&name(what), median(took), "ms", ("limit", QUESTION_MS));
        Ok(())
    };
    for (what, filter) in &asked {
        ask(what, &mut || Ok(journal.list(filter)?.len()))?;
    }
    ask("detail", &mut || Ok(journal.detail(MessageId(count as i64 / 2))?.iter().count()))?;
    ask("timeline", &mut || Ok(journal.timeline(MessageId(count as i64 / 2))?.len()))?;
    ask("due", &mut || Ok(journal.due(&testing::all_due(Repeats::WireId))?.len()))?;
    ask("counts", &mut || Ok(journal.counts()?.by_delivery.len()))
}

/// Resident bytes of this process.
fn resident() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? * 1024.0)
}
