//! A folder of `kouan init`, and the processes that run in it.

use kouan_journal::model::Filter;
use kouan_journal::{Delivery, Journal, SqliteJournal};
use kouan_sdk::business::Outcome;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// So long something is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who owns nothing.
const NOBODY: u32 = 65_534;

/// Says that a test is left out; fails where that is not allowed.
pub fn skip(why: &str) {
    assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none_or(|v| v != "1"), "{why}");
    println!("SKIPPED: {why}");
}

/// The sample import under another client number.
pub fn import(number: &str) -> Vec<u8> {
    let sample = kouan_goods_declaration::samples().into_iter().find(|sample| sample.name == "import.xml").unwrap();
    kouan_goods_declaration::renumbered(sample.document, number).unwrap()
}

/// A folder as `kouan init` makes it, looked at often.
pub struct Folder {
    dir: tempfile::TempDir,
    /// Who runs in it, if it is not who tests.
    user: Option<u32>,
}

impl Folder {
    pub fn new() -> Self {
        let folder = Self { dir: tempfile::tempdir().unwrap(), user: None };
        let made = super::kouan(&["init", folder.dir.path().to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
        folder.edit("root = \"imp-path\"", "root = \"imp-path\"\nscan_interval_ms = 10");
        folder
    }

    /// One in which somebody without rights runs, where the tests may do everything.
    pub fn of_nobody() -> Self {
        let mut folder = Self::new();
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        if is_root {
            give_away(folder.dir.path());
            folder.user = Some(NOBODY);
            // The binary may lie where nobody else may look.
            if folder.command(&["--version"]).output().is_err() {
                folder.user = None;
            }
        }
        folder
    }

    pub fn is_of_nobody(&self) -> bool {
        self.user.is_some()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Changes the configuration.
    pub fn edit(&self, from: &str, to: &str) {
        let path = self.path("kouan.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kouan"));
        command.args(arguments).args(["--lang", "en"]).env_remove("KOUAN_CONFIG").stdin(Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
    }

    /// A command to its end.
    pub fn kouan(&self, arguments: &[&str]) -> Output {
        let config = self.path("kouan.toml");
        self.command(&[arguments, &["--config", config.to_str().unwrap()]].concat()).output().unwrap()
    }

    /// `kouan run`, once it is at work.
    pub fn client(&self) -> Service {
        self.client_with(&[])
    }

    /// The same, with more arguments.
    pub fn client_with(&self, arguments: &[&str]) -> Service {
        let client = self.service(&[&["run"], arguments].concat(), "kouan.toml");
        client.says("kouan runs");
        client
    }

    /// `kouan sandbox run`.
    pub fn window(&self) -> Service {
        self.service(&["sandbox", "run"], "sandbox.toml")
    }

    fn service(&self, arguments: &[&str], config: &str) -> Service {
        let log = tempfile::NamedTempFile::new().unwrap();
        let output = |file: &File| file.try_clone().unwrap();
        let config = self.path(config);
        let child = self
            .command(&[arguments, &["--config", config.to_str().unwrap()]].concat())
            .stdout(output(log.as_file()))
            .stderr(output(log.as_file()))
            .spawn()
            .unwrap();
        Service { child: Mutex::new(child), log, heard: Mutex::new(0) }
    }

    /// Drops the sample import into a folder's OutBox under a number of its own.
    pub fn drop_import(&self, folder: &str, number: &str) {
        self.drop_below(&format!("imp-path/{folder}"), number);
    }

    pub fn drop_below(&self, folder: &str, number: &str) {
        self.rename_in(folder, &format!("{number}.xml"), &import(number));
    }

    pub fn drop_file(&self, folder: &str, name: &str, bytes: &[u8]) {
        self.rename_in(&format!("imp-path/{folder}"), name, bytes);
    }

    fn rename_in(&self, folder: &str, name: &str, bytes: &[u8]) {
        let outbox = self.path(folder).join("OutBox");
        self.until("the folder is there", || outbox.is_dir());
        let temporary = outbox.join(format!("{name}.tmp"));
        std::fs::write(&temporary, bytes).unwrap();
        std::fs::rename(temporary, outbox.join(name)).unwrap();
    }

    /// The journal, for one look.
    pub fn journal(&self) -> SqliteJournal {
        SqliteJournal::open_read_only(&self.path("kouan-data/journal.db")).unwrap()
    }

    pub fn count(&self, delivery: Delivery) -> u64 {
        let number = usize::try_from(delivery.number()).unwrap();
        Journal::counts(&self.journal()).unwrap().by_delivery[number]
    }

    #[track_caller]
    pub fn concluded(&self, number: &str) {
        let journal = self.journal();
        let filter = Filter { key: Some(number.to_owned()), ..Filter::default() };
        let is_concluded = || {
            let found = Journal::list(&journal, &filter).unwrap();
            found.first().is_some_and(|message| message.outcome == Outcome::Concluded)
        };
        self.until(&format!("{number} is concluded"), is_concluded);
    }

    #[track_caller]
    pub fn until(&self, what: &str, condition: impl FnMut() -> bool) {
        until(what, condition);
    }
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn give_away(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => give_away(&entry.path()),
            false => chown(entry.path(), Some(NOBODY), Some(NOBODY)).unwrap(),
        }
    }
}

/// A process; it does not outlive its test.
pub struct Service {
    child: Mutex<Child>,
    log: tempfile::NamedTempFile,
    /// Bytes of the log that were waited for.
    heard: Mutex<usize>,
}

impl Service {
    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log.path()).unwrap()).into_owned()
    }

    /// Waits until it has said this, after what it was heard to say before.
    #[track_caller]
    pub fn says(&self, what: &str) {
        let mut heard = self.heard.lock().unwrap();
        until(&format!("it says {what}"), || {
            if let Some(at) = self.log().get(*heard..).and_then(|new| new.find(what)) {
                *heard += at + what.len();
                return true;
            }
            assert!(self.child.lock().unwrap().try_wait().unwrap().is_none(), "it ended: {}", self.log());
            false
        });
    }

    /// How often it has said this.
    pub fn said(&self, what: &str) -> usize {
        self.log().matches(what).count()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.lock().unwrap()), signal).unwrap();
    }

    /// SIGHUP.
    pub fn reload(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGTERM; it must end with 0. All that it said.
    #[track_caller]
    pub fn stop(self) -> String {
        self.signal(Signal::TERM);
        let mut status = None;
        until("it has stopped", || {
            status = self.child.lock().unwrap().try_wait().unwrap();
            status.is_some()
        });
        assert!(status.is_some_and(|status| status.code() == Some(0)), "{status:?}: {}", self.log());
        self.log()
    }

    /// The most memory that it ever held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.lock().unwrap().id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}
