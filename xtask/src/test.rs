//! `cargo xtask test`: every suite, one line each, and an honest count at the end.

mod output;
mod suites;
mod tools;

use crate::project;
use anyhow::Context as _;
use output::Counts;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use suites::{Outcome, Suite};

#[derive(clap::Args)]
pub struct Args {
    /// Install what the tests need from the system's packages (also with CI=true)
    #[arg(long)]
    install: bool,
    /// Install nothing, fetch nothing
    #[arg(long, conflicts_with = "install")]
    offline: bool,
    /// Run only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Run only this suite (repeatable)
    #[arg(long, value_name = "NAME")]
    suite: Vec<String>,
    /// End a suite that takes longer than this many minutes
    #[arg(long, default_value_t = 40, value_name = "MINUTES")]
    limit: u64,
}

/// Runs the suites; whether nothing failed.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let chosen = suites::choose(&args.suite, args.filter.as_deref())?;
    let tools = tools::prepare(args.install || (project::in_ci() && !args.offline))?;
    let logs = project::root().join("target/xtask-test");
    std::fs::create_dir_all(&logs).with_context(|| format!("make {}", logs.display()))?;
    let setting = suites::Setting {
        logs,
        path: tools.path,
        // What is missing is named and counted; what was found must be used.
        require_tools: project::in_ci() && tools.missing.is_empty(),
        offline: args.offline,
        filter: args.filter.clone(),
        interrupted: interruption()?,
        limit: Duration::from_secs(args.limit * 60),
    };
    let mut total = Counts::default();
    let mut skipped = tools.missing;
    for suite in chosen {
        let outcome = suite.run(&setting)?;
        report(suite, &outcome);
        total.add(&outcome.counts);
        skipped.extend(outcome.counts.reasons.iter().map(|why| format!("{}: {why}", suite.name)));
    }
    close(&total, &skipped);
    Ok(total.failed == 0)
}

/// Becomes true once we are asked to stop.
fn interruption() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in signal_hook::consts::TERM_SIGNALS {
        signal_hook::flag::register(*signal, Arc::clone(&flag)).context("listen for Ctrl-C")?;
    }
    Ok(flag)
}

fn report(suite: &Suite, outcome: &Outcome) {
    let Counts { passed, failed, skipped, .. } = outcome.counts;
    let verdict = match (failed, passed, skipped) {
        (0, 0, 1..) => "skipped",
        (0, ..) => "ok",
        _ => "FAILED",
    };
    project::say(format_args!(
        "{:<8} {verdict:<8} {passed:>5} passed {failed:>4} failed {skipped:>4} skipped {:>8.1} s",
        suite.name,
        outcome.took.as_secs_f64()
    ));
    if failed > 0 {
        project::say(format_args!("    log: {}", outcome.log.display()));
        for line in &outcome.tail {
            project::say(format_args!("    | {line}"));
        }
    }
}

fn close(total: &Counts, skipped: &[String]) {
    if !skipped.is_empty() {
        project::say("\nskipped or missing, and why:");
        for why in skipped {
            project::say(format_args!("  {why}"));
        }
    }
    // Build servers read this line; its form is fixed.
    project::say(format_args!("\n{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped));
}
