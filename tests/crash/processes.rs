//! The two processes: started, killed, awaited. Whatever becomes of the harness, they do not outlive it.

use crate::points::Who;
use anyhow::{Context as _, bail};
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// How often a wait looks.
const GLANCE: Duration = Duration::from_millis(2);

/// SIGABRT: how a failpoint ends its process.
const ABORTED: i32 = 6;

/// How long a process may take to drain and stop.
const DRAIN: Duration = Duration::from_secs(20);

/// One of the two, running or not.
pub struct Process {
    pub who: Who,
    kouan: PathBuf,
    folder: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Not started yet.
    pub fn new(who: Who, kouan: &Path, folder: &Path) -> Self {
        Self { who, kouan: kouan.to_owned(), folder: folder.to_owned(), child: None }
    }

    /// Starts it if it does not run; `failpoints` as the crate `fail` reads them.
    pub fn start(&mut self, failpoints: &str) -> anyhow::Result<()> {
        if self.child.is_some() {
            return Ok(());
        }
        let path = self.folder.join(format!("{}.log", self.who.name()));
        let log = File::options().create(true).append(true).open(&path)?;
        let (arguments, config): (&[&str], _) = match self.who {
            Who::Client => (&["run"], "kouan.toml"),
            Who::Sandbox => (&["sandbox", "run"], "sandbox.toml"),
        };
        let child = Command::new(&self.kouan)
            .args(arguments)
            .arg("--config")
            .arg(self.folder.join(config))
            .args(["--lang", "en"])
            .env("FAILPOINTS", failpoints)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", self.kouan.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// SIGKILL; whether it ran.
    pub fn kill(&mut self) -> anyhow::Result<bool> {
        let Some(mut child) = self.child.take() else { return Ok(false) };
        child.kill()?;
        child.wait()?;
        Ok(true)
    }

    /// Waits until a failpoint ends it; `false` if the time passed first.
    pub fn await_abort(&mut self, time: Duration) -> anyhow::Result<bool> {
        match self.await_end(time)? {
            None => Ok(false),
            Some(status) if status.signal() == Some(ABORTED) => Ok(true),
            Some(status) => bail!("the {} ended by itself: {status}", self.who.name()),
        }
    }

    /// An error if it ended though nobody killed it.
    pub fn must_run(&mut self) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else { bail!("the {} was not started", self.who.name()) };
        match child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the {} ended by itself: {status}; see its log", self.who.name()),
        }
    }

    /// SIGTERM; it must drain and exit with 0.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(child) = &self.child else { return Ok(()) };
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        match self.await_end(DRAIN)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("the {} was told to stop and ended with {status}", self.who.name()),
            None => bail!("the {} did not stop within {DRAIN:?}", self.who.name()),
        }
    }

    fn await_end(&mut self, time: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let until = Instant::now() + time;
        while let Some(child) = &mut self.child {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(Some(status));
            }
            if Instant::now() >= until {
                break;
            }
            std::thread::sleep(GLANCE);
        }
        Ok(None)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that is gone already is what is wanted.
        let _ = self.kill();
    }
}

/// Runs a command of the binary to its end.
pub fn command(kouan: &Path, folder: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    Command::new(kouan)
        .args(arguments)
        .arg("--config")
        .arg(folder.join("kouan.toml"))
        .args(["--lang", "en"])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run {}", kouan.display()))
}
