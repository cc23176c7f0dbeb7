//! One folder with a client and a sandbox of its own, and one mode; some rounds of dropping, killing and comparing.

use crate::choices::Choices;
use crate::compare;
use crate::drops::{Dropped, Expected, MAX_FILE_BYTES, Maker, REJECTED};
use crate::folders::OUTBOX;
use crate::mode::Mode;
use crate::operator;
use crate::points::{POINTS, Point, When, Who};
use crate::processes::Process;
use crate::report::Report;
use crate::settle::{self, Standing};
use anyhow::{Context as _, bail};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a failpoint is waited for.
const TO_A_POINT: Duration = Duration::from_secs(3);

/// So many looks without a change, and nothing will come to a failpoint any more.
const STANDS_STILL: u32 = 5;

/// Time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Latest random moment after the first file, in milliseconds; and latest while a start is still under way.
const MOMENTS: (u64, u64) = (300, 150);

/// A campaign.
pub struct Campaign {
    folder: PathBuf,
    kouan: PathBuf,
    mode: Mode,
    choices: Choices,
    /// Whether the window can be asked after a message.
    inquires: bool,
    client: Process,
    sandbox: Process,
    maker: Maker,
    dropped: Vec<Dropped>,
}

/// What is done to the processes.
enum Step {
    Kill {
        who: &'static [Who],
        after_ms: u64,
    },
    Abort {
        point: Point,
        passes: u64,
    },
    /// The operator gives up a message that waits.
    GiveUp,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { who, after_ms } => write!(f, "kill {who:?} after {after_ms} ms"),
            Self::Abort { point, passes } => write!(f, "{} of {:?} after {passes} passes", point.name, point.who),
            Self::GiveUp => write!(f, "give one up"),
        }
    }
}

impl Campaign {
    /// Makes the folder; starts nothing.
    pub fn open(
        folder: PathBuf,
        kouan: &Path,
        mode: Mode,
        choices: Choices,
        report: &mut Report,
    ) -> anyhow::Result<Self> {
        let made = Command::new(kouan).arg("init").arg(&folder).stdout(Stdio::null()).status()?;
        if !made.success() {
            bail!("`kouan init {}` ended with {made}", folder.display());
        }
        // Where the window can be asked a doubt needs nobody; some campaigns have it, and an operator all others.
        let inquires = mode.needs_operator() && choices.once_in(3, "inquires");
        fs::write(folder.join("kouan.toml"), client_config(mode, inquires))?;
        fs::write(folder.join("sandbox.toml"), sandbox_config(mode))?;
        fs::write(folder.join("scenario.toml"), scenario(choices.seed()))?;
        fs::create_dir_all(folder.join(OUTBOX))?;
        report.campaigns += 1;
        Ok(Self {
            client: Process::new(Who::Client, kouan, &folder),
            sandbox: Process::new(Who::Sandbox, kouan, &folder),
            kouan: kouan.to_owned(),
            folder,
            mode,
            choices,
            inquires,
            maker: Maker::of_samples(),
            dropped: Vec::new(),
        })
    }

    /// Drops, kills, starts again, waits, compares.
    pub fn round(&mut self, round: u64, report: &mut Report) -> anyhow::Result<()> {
        let choices = self.choices.of(format_args!("round {round}"));
        let steps = self.plan(&choices, round, report);
        let set_aside = choices.once_in(8, "too big")
            || steps.iter().any(|step| matches!(step, Step::Abort { point, .. } if point.when == When::SetAside));
        let mut files = self.maker.round(&choices, &self.dropped, set_aside)?;
        let mut given_up = None;
        let folder = self.folder.clone();
        let began = Instant::now();
        std::thread::scope(|scope| {
            let dropping = scope.spawn(|| drop_all(&files, &folder, &choices));
            let killed = steps.iter().try_for_each(|step| self.step(step, &files, &mut given_up, report));
            let dropped = dropping.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            killed.and(dropped)
        })
        .with_context(|| format!("{steps:?}"))?;
        for file in files.iter_mut().filter(|file| Some(&file.name) == given_up.as_ref()) {
            file.expected = Expected::GivenUp;
        }
        self.dropped.extend(files);
        let killed = Instant::now();
        self.settle(report).with_context(|| format!("after {steps:?}"))?;
        let settled = Instant::now();
        compare::all(&self.kouan, &self.folder, self.mode, &self.dropped)
            .with_context(|| format!("after {steps:?}"))?;
        report.round(format_args!("{steps:?}"), [killed - began, settled - killed, settled.elapsed()]);
        Ok(())
    }

    /// Stops both as an administrator does, and looks once more.
    pub fn end(mut self, report: &mut Report) -> anyhow::Result<()> {
        for process in [&mut self.client, &mut self.sandbox] {
            process.stop()?;
            report.stops += 1;
        }
        report.figures.add(&compare::all(&self.kouan, &self.folder, self.mode, &self.dropped)?);
        Ok(())
    }

    fn settle(&mut self, report: &mut Report) -> anyhow::Result<()> {
        self.start_both()?;
        let taken = self.dropped.iter().filter(|file| file.expected != Expected::SetAside).count() as u64;
        let processes = &mut [&mut self.client, &mut self.sandbox];
        report.acts += settle::wait(&self.kouan, &self.folder, self.mode, taken, processes)?;
        Ok(())
    }

    fn start_both(&mut self) -> anyhow::Result<()> {
        self.client.start("")?;
        self.sandbox.start("")
    }

    /// Half of the rounds meet a failpoint, the one that was tried least so far; the others end at random moments. Every
    /// third is killed once more while it recovers.
    fn plan(&self, choices: &Choices, round: u64, report: &Report) -> Vec<Step> {
        let fits = |point: &&Point| match point.when {
            When::Fresh => round == 0,
            When::Inquiry => self.inquires,
            When::Flow | When::Seldom | When::Doubt | When::SetAside | When::GivenUp => true,
        };
        let least = POINTS
            .iter()
            .filter(fits)
            .min_by_key(|point| (report.times_set(point.name, point.who), choices.below(u64::MAX, point.name)));
        let mut steps = match least {
            Some(point) if choices.once_in(2, "point") => abort_at(choices, point),
            _ => vec![kill(choices, "first", MOMENTS.0)],
        };
        if choices.once_in(3, "again") {
            steps.push(kill(choices, "again", MOMENTS.1));
        }
        steps
    }

    fn step(
        &mut self,
        step: &Step,
        files: &[Dropped],
        given_up: &mut Option<String>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        match step {
            Step::GiveUp => {
                // Its number must be its own: a copy would go through in its place, or be a duplicate of it.
                let all = || self.dropped.iter().chain(files);
                let alone = |number: &str| all().filter(|file| file.number == number).count() == 1;
                let may = |file: &&Dropped| file.expected == Expected::Concluded && alone(&file.number);
                let names: Vec<_> = files.iter().filter(may).map(|file| file.name.as_str()).collect();
                *given_up = operator::give_up(&self.kouan, &self.folder, |name| names.contains(&name))?;
                report.acts += u64::from(given_up.is_some());
            }
            Step::Kill { who, after_ms } => {
                self.start_both()?;
                std::thread::sleep(Duration::from_millis(*after_ms));
                for process in [&mut self.client, &mut self.sandbox] {
                    if who.contains(&process.who) {
                        process.must_run()?;
                        process.kill()?;
                    }
                }
                let names: Vec<_> = who.iter().map(|who| who.name()).collect();
                report.killed(names.join(" and "));
            }
            Step::Abort { point, passes } => {
                let (meant, other) = match point.who {
                    Who::Client => (&mut self.client, &mut self.sandbox),
                    Who::Sandbox => (&mut self.sandbox, &mut self.client),
                };
                meant.kill()?;
                meant.start(&format!("{}={passes}*off->return", point.name))?;
                other.start("")?;
                let hit = await_point(meant, &self.folder, point)?;
                if !hit {
                    meant.kill()?;
                }
                report.point(point.name, point.who, hit);
            }
        }
        Ok(())
    }
}

/// Waits until the point ends its process; not longer than something moves, where the point lies on the way of messages.
fn await_point(meant: &mut Process, folder: &Path, point: &Point) -> anyhow::Result<bool> {
    let until = Instant::now() + TO_A_POINT;
    let (mut before, mut still) = (None, 0);
    while still < STANDS_STILL && Instant::now() < until {
        if meant.await_abort(BETWEEN_LOOKS)? {
            return Ok(true);
        }
        // A file that is just being made cannot be read yet.
        let now = Standing::of(folder).ok().filter(|_| point.when != When::Seldom);
        still = if now.is_some() && now == before { still + 1 } else { 0 };
        before = now;
    }
    Ok(false)
}

fn kill(choices: &Choices, which: &str, latest_ms: u64) -> Step {
    let who: &[Who] = match choices.of(which).below(5, "who") {
        0 | 1 => &[Who::Client],
        2 | 3 => &[Who::Sandbox],
        _ => &[Who::Client, Who::Sandbox],
    };
    Step::Kill { who, after_ms: choices.of(which).below(latest_ms, "moment") }
}

fn abort_at(choices: &Choices, point: &Point) -> Vec<Step> {
    let passes = if point.when == When::Flow { choices.below(3, "passes") } else { 0 };
    let mut steps = Vec::new();
    if matches!(point.when, When::Doubt | When::Inquiry) {
        let before = ["kernel::begun-before-send", "kernel::sent-before-record"];
        let doubt = choices.one_of(&before, "doubt");
        steps.extend(POINTS.iter().find(|p| Some(&p.name) == doubt).map(|p| Step::Abort { point: *p, passes: 0 }));
    }
    if point.when == When::GivenUp {
        // What is ready and was never attempted stays so while nobody runs.
        let before = POINTS.iter().find(|p| p.name == "kernel::sealed-before-begin");
        steps.extend(before.map(|p| Step::Abort { point: *p, passes: 0 }));
        steps.push(Step::GiveUp);
    }
    steps.push(Step::Abort { point: *point, passes });
    steps
}

fn drop_all(files: &[Dropped], folder: &Path, choices: &Choices) -> anyhow::Result<()> {
    for (index, file) in files.iter().enumerate() {
        file.drop_into(folder)?;
        std::thread::sleep(Duration::from_millis(choices.of(index).below(20, "between")));
    }
    Ok(())
}

fn client_config(mode: Mode, inquires: bool) -> String {
    format!(
        r#"[[identity]]
dxp_id = "DXPENT0000000001"
enterprises = ["3101980001", "3101960002"]
cards = ["2100000000001"]
[identity.security]
backend = "software"
pin = {{ file = "keys/pin" }}
key = "keys/client.key.pem"
certificate = "keys/client.cert.pem"
[[site]]
name = "erp"
transport = "directory"
root = "imp-path"
stable_ms = 0
incomplete_ms = 1000
scan_interval_ms = 10
max_file_bytes = {MAX_FILE_BYTES}
[window]
transport = "embedded"
path = "queue/window.db"
inquires = {inquires}
repeats = "{}"
trust = ["keys/window.cert.pem"]
[journal]
sign_head_every_s = 1
[retry]
first_ms = 10
max_ms = 100
breaker_failures = 3
breaker_open_ms = 50
[[business]]
plugin = "goods-declaration"
signing_profile = "sandbox-document"
"#,
        mode.client
    )
}

fn sandbox_config(mode: Mode) -> String {
    format!(
        r#"repeats = "{}"
trust = ["keys/client.cert.pem"]
scenario = "scenario.toml"
[transport]
plugin = "embedded"
path = "queue/window.db"
side = "window"
[security]
backend = "software"
pin = {{ file = "keys/pin" }}
key = "keys/window.key.pem"
certificate = "keys/window.cert.pem"
"#,
        mode.sandbox
    )
}

/// Receipts come twice, in another order, and late; none is lost, for each must be delivered.
fn scenario(seed: u64) -> String {
    let faults = "{ duplicated = 0.1, out_of_order = 0.1, late = 0.1, delay_ms = 60 }";
    format!(
        "seed = {seed}\n[[rule]]\nkey = \"{REJECTED}*\"\nsteps = [\"refuse:关区代码不存在\"]\nfaults = {faults}\n\
         [[rule]]\nfaults = {faults}\n"
    )
}
