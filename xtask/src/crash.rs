//! `cargo xtask crash`: client and sandbox killed while messages flow, and the ledgers compared (`tests/crash`).

use crate::project;
use anyhow::Context as _;
use cargo_metadata::Message;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub struct Args {
    /// How many rounds of dropping, killing and comparing
    #[arg(long, default_value_t = 100)]
    rounds: u64,
    /// Every choice follows from it; printed in any case
    #[arg(long)]
    seed: Option<u64>,
    /// Only this mode (repeatable): client's repeats/sandbox's repeats, such as none/wire-id
    #[arg(long, value_name = "MODE")]
    mode: Vec<String>,
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

/// Builds the binary with its failpoints, and the harness; whether the harness was content.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let built = build()?;
    let kouan = aside(&built.kouan)?;
    let mut harness = Command::new(&built.harness);
    harness.arg("--kouan").arg(kouan).arg("--rounds").arg(args.rounds.to_string());
    for (option, value) in [("--seed", args.seed), ("--seconds", args.seconds)] {
        if let Some(value) = value {
            harness.arg(option).arg(value.to_string());
        }
    }
    for mode in &args.mode {
        harness.arg("--mode").arg(mode);
    }
    if let Some(dir) = &args.dir {
        harness.arg("--dir").arg(dir);
    }
    if args.verbose {
        harness.arg("--verbose");
    }
    Ok(harness.status().context("start the harness")?.success())
}

struct Built {
    kouan: PathBuf,
    harness: PathBuf,
}

/// Optimised: unlocking a key file is slow on purpose, and every start unlocks one.
fn build() -> anyhow::Result<Built> {
    let mut cargo = project::cargo();
    cargo.args(["build", "--release", "--package", "kouan", "--bin", "kouan", "--features", "kouan/failpoints"]);
    cargo.args(["--package", "kouan-tests", "--bin", "kouan-crash", "--message-format", "json-render-diagnostics"]);
    let mut building = cargo.stdout(Stdio::piped()).spawn().context("start cargo")?;
    let out = building.stdout.take().context("read cargo's messages")?;
    let (mut kouan, mut harness) = (None, None);
    for message in Message::parse_stream(BufReader::new(out)) {
        let Message::CompilerArtifact(artifact) = message.context("read cargo's messages")? else { continue };
        let place = match artifact.target.name.as_str() {
            "kouan" => &mut kouan,
            "kouan-crash" => &mut harness,
            _ => continue,
        };
        *place = artifact.executable.map(PathBuf::from).or_else(|| place.take());
    }
    anyhow::ensure!(building.wait()?.success(), "the binary or the harness does not build");
    Ok(Built { kouan: kouan.context("cargo made no kouan")?, harness: harness.context("cargo made no kouan-crash")? })
}

/// Moves the binary out of its usual place, so that nobody takes one with failpoints for the one that users get; cargo
/// puts that one back with its next build.
fn aside(kouan: &Path) -> anyhow::Result<PathBuf> {
    let aside = kouan.with_file_name("kouan-failpoints");
    std::fs::rename(kouan, &aside).with_context(|| format!("move {}", kouan.display()))?;
    Ok(aside)
}
