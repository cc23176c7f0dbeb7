//! The suites, in their order: the cheap ones first.

use super::output::{self, Counts};
use crate::{project, tidy};
use anyhow::Context as _;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Lines of a failed suite's log that are shown.
const TAIL: usize = 60;

/// A suite: how it is called, and what makes its counts.
pub struct Suite {
    /// Its name on the line.
    pub name: &'static str,
    kind: Kind,
}

enum Kind {
    /// The rules of `cargo xtask tidy`, in this process.
    Tidy,
    /// A cargo command; content if it exits with 0.
    Cargo(&'static [&'static str]),
    /// A cargo command that is an addition: left out where it is not there.
    Optional(&'static [&'static str], &'static str),
    /// The binary's main job; left out while it has none.
    Demo(&'static [&'static str]),
    /// `cargo test` with these arguments; libtest's lines are counted.
    Tests(&'static [&'static str]),
}

const SUITES: &[Suite] = &[
    Suite { name: "fmt", kind: Kind::Cargo(&["fmt", "--all", "--check", "--", "--color", "never"]) },
    Suite { name: "tidy", kind: Kind::Tidy },
    Suite {
        name: "deny",
        kind: Kind::Optional(
            &["deny", "check", "bans", "licenses", "sources"],
            "cargo-deny is not there (cargo install cargo-deny --locked); tidy checks licences and sources without it",
        ),
    },
    Suite {
        name: "clippy",
        kind: Kind::Cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    },
    Suite { name: "docs", kind: Kind::Cargo(&["doc", "--workspace", "--no-deps"]) },
    Suite { name: "tests", kind: Kind::Tests(&["--workspace", "--no-fail-fast"]) },
    Suite { name: "demo", kind: Kind::Demo(&["xtask", "demo", "--messages", "40"]) },
    // As many rounds as fit; the log tells the seed. A long run is `cargo xtask crash --rounds 2000`.
    Suite { name: "crash", kind: Kind::Cargo(&["xtask", "crash", "--rounds", "10000", "--seconds", "150"]) },
];

/// How suites are run.
pub struct Setting {
    /// Folder of the logs.
    pub logs: PathBuf,
    /// Search path.
    pub path: OsString,
    /// Whether a test that misses its tool fails.
    pub require_tools: bool,
    /// Whether cargo may fetch.
    pub offline: bool,
    /// Only tests whose name contains this.
    pub filter: Option<String>,
    /// Set once somebody wants us to stop; the suite is then ended, for Ctrl-C does not reach its group.
    pub interrupted: Arc<AtomicBool>,
    /// A suite that takes longer is ended.
    pub limit: Duration,
}

/// What came of a suite.
pub struct Outcome {
    pub counts: Counts,
    pub took: Duration,
    pub log: PathBuf,
    /// What to show of a failed one.
    pub tail: Vec<String>,
}

/// The suites named; all if none is; the tests alone where a filter is given.
pub fn choose(names: &[String], filter: Option<&str>) -> anyhow::Result<Vec<&'static Suite>> {
    if names.is_empty() {
        return Ok(SUITES.iter().filter(|s| filter.is_none() || matches!(s.kind, Kind::Tests(_))).collect());
    }
    names
        .iter()
        .map(|name| {
            SUITES.iter().find(|suite| suite.name == name).with_context(|| {
                let known: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
                format!("no suite `{name}`; there are {}", known.join(", "))
            })
        })
        .collect()
}

impl Suite {
    /// Runs it, its output into its log.
    pub fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        let began = Instant::now();
        let log = setting.logs.join(format!("{}.log", self.name));
        let counts = match &self.kind {
            Kind::Tidy => {
                let report = tidy::check()?;
                std::fs::write(&log, report.to_string())?;
                Counts::single(report.violations.is_empty())
            }
            Kind::Optional(args, why) if !has_subcommand(args) => {
                std::fs::write(&log, why)?;
                Counts::left_out(*why)
            }
            Kind::Demo(_) if !project::root().join("core/cli/src/cmd/demo.rs").exists() => {
                let why = "the binary has no demo yet";
                std::fs::write(&log, why)?;
                Counts::left_out(why)
            }
            Kind::Cargo(args) | Kind::Demo(args) | Kind::Optional(args, _) => Counts::single(setting.run(args, &log)?),
            Kind::Tests(args) => {
                let filter = setting.filter.as_deref().into_iter();
                let all: Vec<_> = ["test"].into_iter().chain(args.iter().copied()).collect();
                // A passed test's output is shown too, for its `SKIPPED:` line; captured, so lines do not mix.
                let all: Vec<_> = all.into_iter().chain(filter).chain(["--", "--show-output"]).collect();
                let content = setting.run(&all, &log)?;
                output::counts(&String::from_utf8_lossy(&std::fs::read(&log)?), content)
            }
        };
        let tail =
            if counts.failed > 0 { self.tail(&String::from_utf8_lossy(&std::fs::read(&log)?)) } else { Vec::new() };
        Ok(Outcome { counts, took: began.elapsed(), log, tail })
    }

    /// The failed tests by name, then the end of the log; of tidy's, all.
    fn tail(&self, log: &str) -> Vec<String> {
        let lines: Vec<_> = log.lines().collect();
        let shown = if matches!(self.kind, Kind::Tidy) { lines.len() } else { TAIL };
        let end = lines[lines.len().saturating_sub(shown)..].iter().map(|line| (*line).to_owned());
        output::failures(log).into_iter().map(|test| format!("failed: {test}")).chain(end).collect()
    }
}

impl Setting {
    /// Runs cargo with its output into `log`; whether it exited with 0.
    fn run(&self, args: &[&str], log: &PathBuf) -> anyhow::Result<bool> {
        let out = File::create(log).with_context(|| format!("write {}", log.display()))?;
        let mut command = project::cargo();
        command.args(args).env("PATH", &self.path).env("CARGO_TERM_COLOR", "never").env("RUSTDOCFLAGS", "-D warnings");
        if self.require_tools {
            command.env("KOUAN_REQUIRE_TOOLS", "1");
        }
        if self.offline {
            command.env("CARGO_NET_OFFLINE", "true");
        }
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let status = self.wait(own_group(&mut command).spawn().context("start cargo")?)?;
        if status.is_none() {
            let mut log = File::options().append(true).open(log)?;
            writeln!(log, "ended by xtask: longer than {} minutes", self.limit.as_secs() / 60)?;
        }
        Ok(status.is_some_and(|status| status.success()))
    }

    /// Waits for its end; `None` if the limit came first.
    fn wait(&self, mut child: Child) -> anyhow::Result<Option<ExitStatus>> {
        let until = Instant::now() + self.limit;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > until {
                end(&mut child)?;
                return Ok(None);
            }
            if self.interrupted.load(Ordering::Relaxed) {
                end(&mut child)?;
                anyhow::bail!("interrupted");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A suite gets its own process group, so that all of it can be ended: cargo's end alone would leave the tests running.
fn own_group(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command
}

fn end(child: &mut Child) -> anyhow::Result<()> {
    if cfg!(unix) {
        let group = format!("-{}", child.id());
        Command::new("kill").args(["-KILL", "--", &group]).status().context("end a suite that takes too long")?;
    } else {
        child.kill()?;
    }
    child.wait()?;
    Ok(())
}

fn has_subcommand(args: &[&str]) -> bool {
    let Some(name) = args.first() else { return false };
    project::cargo().args([name, "--version"]).output().is_ok_and(|output| output.status.success())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn setting(limit: Duration, interrupted: bool) -> Setting {
        Setting {
            logs: PathBuf::new(),
            path: OsString::new(),
            require_tools: false,
            offline: true,
            filter: None,
            interrupted: Arc::new(AtomicBool::new(interrupted)),
            limit,
        }
    }

    /// A program whose child holds the other end of the pipe: the pipe ends when both have ended, and not before.
    fn family() -> (Child, std::process::ChildStdout) {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 3600 & wait"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = own_group(&mut command).spawn().expect("sh starts");
        let pipe = child.stdout.take().expect("a pipe");
        (child, pipe)
    }

    #[test]
    fn a_suite_that_takes_too_long_is_ended_with_all_its_children() {
        let (child, mut pipe) = family();
        assert!(setting(Duration::ZERO, false).wait(child).expect("it can be waited for").is_none());
        assert_eq!(pipe.read_to_end(&mut Vec::new()).expect("the pipe ends"), 0);
    }

    #[test]
    fn an_interruption_ends_the_suite_too() {
        let (child, mut pipe) = family();
        assert!(setting(Duration::from_secs(3600), true).wait(child).is_err());
        assert_eq!(pipe.read_to_end(&mut Vec::new()).expect("the pipe ends"), 0);
    }
}
