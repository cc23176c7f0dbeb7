//! The crash harness (`cargo xtask crash`): real processes, killed with SIGKILL at random moments and ended at every
//! failpoint while files, messages and receipts flow; then what the sandbox's ledger says is held against what the
//! journal and the folders say.
//!
//! Nothing here repairs anything: after a kill the processes are started again, and that must do. Under `repeats = "none"`
//! an operator may settle a doubt, as the design says; the harness plays one, from the ledger and by the command line.

#![forbid(unsafe_code)]

mod campaign;
mod choices;
mod compare;
mod drops;
mod folders;
mod mode;
mod operator;
mod points;
mod processes;
mod report;
mod settle;

use anyhow::Context as _;
use campaign::Campaign;
use choices::Choices;
use clap::Parser;
use mode::Mode;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Rounds in one folder, at the most: so many files are compared anew after each.
const ROUNDS_IN_A_FOLDER: u64 = 15;

/// Kills client and sandbox while messages flow, and holds the ledgers against each other
#[derive(Parser)]
struct Args {
    /// The binary, built with the feature `failpoints`
    #[arg(long, value_name = "FILE")]
    kouan: PathBuf,
    /// How many rounds
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// Every choice follows from it; drawn from the clock if not given
    #[arg(long)]
    seed: Option<u64>,
    /// Only this mode (repeatable): <client's repeats>/<sandbox's repeats>
    #[arg(long, value_name = "MODE")]
    mode: Vec<Mode>,
    /// Begin no round after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// Work in this folder, and keep what was made
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A line for each round: what was done, and how long it took
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(seed_of_the_clock);
    let modes = if args.mode.is_empty() { Mode::ALL.to_vec() } else { args.mode.clone() };
    let made = std::env::temp_dir().join(format!("kouan-crash-{}", std::process::id()));
    let base = args.dir.clone().unwrap_or_else(|| made.clone());
    std::fs::create_dir_all(&base).with_context(|| format!("make {}", base.display()))?;
    let kouan = std::path::absolute(&args.kouan)?;
    report::say(format_args!("seed {seed}, folder {}", base.display()));
    let until = args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut report = Report::new(args.rounds, args.verbose);
    let a_folder = (args.rounds / modes.len() as u64).clamp(4, ROUNDS_IN_A_FOLDER);
    // A time box ends soon: every mode is to have its turn.
    let a_folder = if until.is_some() { a_folder.min(6) } else { a_folder };
    for (number, mode) in modes.iter().cycle().enumerate() {
        if report.is_done(until) {
            break;
        }
        let folder = base.join(format!("{number:04}-{}", mode.folder_name()));
        let choices = Choices::new(seed, number as u64);
        let mut campaign = Campaign::open(folder.clone(), &kouan, *mode, choices, &mut report)?;
        for round in 0..a_folder {
            if report.is_done(until) {
                break;
            }
            campaign.round(round, &mut report).with_context(|| {
                format!("seed {seed}, mode {mode}, campaign {number}, round {round}; kept: {}", folder.display())
            })?;
        }
        let ended = campaign.end(&mut report);
        ended.with_context(|| {
            format!("seed {seed}, mode {mode}, end of campaign {number}; kept: {}", folder.display())
        })?;
        if args.dir.is_none() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
    }
    if args.dir.is_none() {
        std::fs::remove_dir_all(&made).with_context(|| format!("remove {}", made.display()))?;
    }
    report.show();
    Ok(())
}

fn seed_of_the_clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_secs()
}
