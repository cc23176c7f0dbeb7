//! Measures (性能测量): what each stage costs a message, and the whole, beside references measured in the same run.
//!
//! No figure here is a limit that a test holds: machines and disks differ. A ratio to a reference of the same run, on the
//! same disk, tells more than a time. `cargo xtask bench` builds this with optimisation and runs it.

#![forbid(unsafe_code)]

mod burst;
mod families;
mod floor;
mod journal;
mod large;
mod memory;
mod pipeline;
mod receipts;
mod samples;
mod stages;
mod table;
mod timing;
mod transports;
mod world;

use clap::Parser;
use std::path::PathBuf;
use table::Table;

/// Measures stages and the whole; all suites, or those named.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Args {
    /// Suites: stages, families, journal, transports, pipeline, burst, receipts, memory, large
    names: Vec<String>,
    /// One JSON object a row
    #[arg(long)]
    json: bool,
    /// Messages of 10 KB in each suite but `large`
    #[arg(long, default_value_t = 4000)]
    messages: usize,
    /// Small messages in the suite `large`
    #[arg(long, default_value_t = 1_000_000)]
    large: usize,
    /// Where the work folders are made; a disk that is really used, not one in memory
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Used by the suite `memory` for its child process
    #[arg(long, hide = true)]
    holds: Option<PathBuf>,
    /// Used by the suite `families` for its child process: judges the file `--dir` as a message of this family
    #[arg(long, hide = true)]
    weighs: Option<String>,
}

type Suite = fn(&mut Table, &Setup) -> anyhow::Result<()>;

const SUITES: &[(&str, Suite)] = &[
    ("stages", stages::run),
    ("families", families::run),
    ("journal", journal::run),
    ("transports", transports::run),
    ("pipeline", pipeline::run),
    ("burst", burst::run),
    ("receipts", receipts::run),
    ("memory", memory::run),
    ("large", large::run),
];

/// How much is measured, and where.
pub struct Setup {
    /// Messages of 10 KB.
    pub messages: usize,
    /// Small messages.
    pub large: usize,
    /// Work folders are made here.
    pub dir: PathBuf,
}

impl Setup {
    /// A folder that goes with its value.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        std::fs::create_dir_all(&self.dir)?;
        Ok(tempfile::Builder::new().prefix("kouan-bench-").tempdir_in(&self.dir)?)
    }
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(folder) = &args.holds {
        return memory::hold(folder, args.messages);
    }
    if let (Some(family), Some(file)) = (&args.weighs, &args.dir) {
        return families::hold(family, file);
    }
    if let Some(unknown) = args.names.iter().find(|name| !SUITES.iter().any(|(known, _)| known == name)) {
        let known: Vec<_> = SUITES.iter().map(|(name, _)| *name).collect();
        anyhow::bail!("no suite is called {unknown}; there are {}", known.join(", "));
    }
    let setup = Setup {
        messages: args.messages.max(256),
        large: args.large.max(1000),
        dir: args.dir.unwrap_or_else(std::env::temp_dir),
    };
    let mut table = Table::new(args.json);
    for (name, suite) in SUITES {
        if args.names.is_empty() || args.names.iter().any(|wanted| wanted == name) {
            suite(&mut table, &setup)?;
        }
    }
    table.end();
    Ok(())
}
