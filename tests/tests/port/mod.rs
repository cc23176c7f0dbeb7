//! A whole port: the real goods declaration, a real sandbox in a thread, and a gateway between real folders, a real queue
//! and real keys.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout)] // shared by tests that each use a part

pub mod lossy;

use kouan_goods_declaration::{Sample, renumbered, samples};
use kouan_host::{Contexts, Registry};
use kouan_journal::model::{Filter, MessageDetail, MessageSummary};
use kouan_kernel::{Config, Gateway};
use kouan_sandbox::{Ledger, Parts, Repeats, Sandbox, SandboxConfig, Scenario, Side};
use kouan_sdk::business::{Key, Outcome};
use kouan_sdk::{Clock, SystemClock, Timestamp};
use kouan_security_software::{Development, generate_development};
use kouan_sm::Certificate;
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub const CLIENT: &str = "DXPENT0000000001";
pub const OTHER_CLIENT: &str = "DXPENT0000000002";
pub const WINDOW: &str = "DXPDSWDEC0000002";
pub const PASSWORD: &str = "rehearsal";

/// What a test wants otherwise; TOML lines, each for its section.
#[derive(Clone)]
pub struct Setup {
    /// Instead of the one identity.
    pub identities: String,
    /// `[[site]]`
    pub site: String,
    /// `[window]`
    pub window: String,
    /// `[[business]]`
    pub business: String,
    /// More sections.
    pub more: String,
    /// What the window does with repeats.
    pub repeats: Repeats,
    /// The sandbox's scenario.
    pub scenario: String,
    /// Both sides' clock.
    pub clock: Arc<dyn Clock>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            identities: identity(CLIENT, "client", "enterprises = [\"3101980001\"]"),
            site: String::new(),
            window: "repeats = \"wire-id\"".into(),
            business: String::new(),
            more: String::new(),
            repeats: Repeats::WireId,
            scenario: String::new(),
            clock: Arc::new(SystemClock),
        }
    }
}

/// An `[[identity]]` whose key is the pair `name`.
pub fn identity(dxp_id: &str, name: &str, whom: &str) -> String {
    format!(
        "[[identity]]\ndxp_id = \"{dxp_id}\"\n{whom}\n[identity.security]\npin = {{ file = \"pin\" }}\n\
         key = \"keys/{name}.key.pem\"\ncertificate = \"keys/{name}.cert.pem\"\n"
    )
}

/// The folder of a gateway and of its sandbox.
pub struct Port {
    pub folder: tempfile::TempDir,
    pub setup: Setup,
    window: Option<(Arc<AtomicBool>, JoinHandle<kouan_sdk::Result<()>>)>,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.close_window();
    }
}

impl Port {
    /// Keys and folders, and a window at work.
    pub fn new(setup: Setup) -> Self {
        let mut port = Self::closed(setup);
        port.open_window();
        port
    }

    /// The same without a window.
    pub fn closed(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pin"), PASSWORD).unwrap();
        let port = Self { folder, setup, window: None };
        port.pair("client", CLIENT, 3650);
        port.pair("other", OTHER_CLIENT, 3650);
        port.pair("window", WINDOW, 3650);
        std::fs::create_dir_all(port.place("OutBox")).unwrap();
        port
    }

    /// Makes a pair of files, in place of one that is there.
    pub fn pair(&self, name: &str, dxp_id: &str, days: u32) {
        let keys = self.path("keys");
        for suffix in ["key", "cert"] {
            let _ = std::fs::remove_file(keys.join(format!("{name}.{suffix}.pem")));
        }
        let mut wanted = Development::new(&keys, name, dxp_id, PASSWORD, self.setup.clock.now());
        wanted.days = days;
        generate_development(&wanted).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A place of the declarations' folder.
    pub fn place(&self, name: &str) -> PathBuf {
        self.path("imp-path/Deccus001").join(name)
    }

    pub fn registry() -> Registry {
        Registry::new(&[
            &kouan_goods_declaration::PLUGIN,
            &kouan_manifest::PLUGIN,
            &kouan_processing_trade::PLUGIN,
            &kouan_transport_means::PLUGIN,
            &kouan_transport_directory::PLUGIN,
            &kouan_transport_embedded::PLUGIN,
            &lossy::PLUGIN,
            &kouan_security_software::PLUGIN,
        ])
        .unwrap()
    }

    pub fn config(&self) -> Config {
        let Setup { identities, site, window, business, more, .. } = &self.setup;
        let text = format!(
            "{identities}
[[site]]
name = \"erp\"
root = \"imp-path\"
stable_ms = 0
incomplete_ms = 50
scan_interval_ms = 10
{site}
[window]
path = \"queue.db\"
trust = [\"keys/window.cert.pem\"]
{window}
[retry]
first_ms = 10
max_ms = 50
breaker_open_ms = 50
[[business]]
plugin = \"goods-declaration\"
{business}
{more}"
        );
        let mut config = kouan_kernel::config::parse(Path::new("kouan.toml"), &text).unwrap();
        config.base_dir = self.folder.path().to_owned();
        config
    }

    pub fn start(&self) -> Gateway {
        self.try_start().unwrap()
    }

    pub fn try_start(&self) -> kouan_kernel::Result<Gateway> {
        Gateway::start(self.config(), &Self::registry(), self.setup.clock.clone())
    }

    /// Starts the sandbox where an earlier one left off.
    pub fn open_window(&mut self) {
        let sandbox = self.sandbox();
        let stop = Arc::new(AtomicBool::new(false));
        let wish = stop.clone();
        self.window = Some((stop, std::thread::spawn(move || sandbox.run(&wish))));
    }

    pub fn close_window(&mut self) {
        let Some((stop, thread)) = self.window.take() else { return };
        stop.store(true, Ordering::SeqCst);
        let ended = thread.join();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }

    fn sandbox(&self) -> Sandbox {
        let (registry, clock) = (Self::registry(), self.setup.clock.clone());
        let contexts = Contexts::new(self.path("sandbox-data"), self.folder.path(), clock.clone());
        let side = |name: &str| {
            let context = contexts.context("business", name).unwrap();
            let types = registry.business(name, &context, "{}").unwrap().describe().types;
            let simulator = registry.simulator(name, &context, "{}").unwrap().unwrap();
            let types = types.into_iter().map(|of| of.id).collect();
            Side { business: name.into(), types, simulator: Arc::from(simulator) }
        };
        let settings = r#"{"key":"keys/window.key.pem","certificate":"keys/window.cert.pem"}"#;
        let security =
            registry.security("software", &contexts.context("security", "window").unwrap(), settings).unwrap();
        security.login(&PASSWORD.to_owned().into()).unwrap();
        let context = contexts.context("window", "window").unwrap();
        let transport = registry.transport("embedded", &context, r#"{"path":"queue.db","side":"window"}"#).unwrap();
        let mut config = SandboxConfig::new(self.ledger_file());
        config.repeats = self.setup.repeats;
        config.scenario = Scenario::from_toml(&self.setup.scenario).unwrap();
        let parts = Parts {
            transport: Arc::from(transport),
            simulators: ["goods-declaration", "manifest", "processing-trade", "transport-means"].map(side).into(),
            security: Arc::from(security),
            trust: kouan_dxp::Trust::new(
                ["client", "other", "development-ca"].map(|name| self.certificate(name)).to_vec(),
            ),
            clock,
        };
        Sandbox::open(config, parts).unwrap()
    }

    pub fn certificate(&self, name: &str) -> Certificate {
        let text = std::fs::read_to_string(self.path(&format!("keys/{name}.cert.pem"))).unwrap();
        Certificate::from_pem(&text).unwrap()
    }

    fn ledger_file(&self) -> PathBuf {
        self.path("sandbox-data/window.db")
    }

    /// What the window has seen and done.
    pub fn ledger(&self) -> Ledger {
        Ledger::read(&self.ledger_file()).unwrap()
    }

    /// Drops a file whole.
    pub fn drop_file(&self, name: &str, bytes: &[u8]) {
        let outbox = self.place("OutBox");
        std::fs::create_dir_all(&outbox).unwrap();
        std::fs::write(outbox.join(format!("{name}.tmp")), bytes).unwrap();
        std::fs::rename(outbox.join(format!("{name}.tmp")), outbox.join(name)).unwrap();
    }

    /// Drops the sample import under a number of its own.
    pub fn drop_import(&self, number: &str) {
        self.drop_file(&format!("{number}.xml"), &import(number));
    }

    /// Names below a place, day folders left out.
    pub fn names(&self, place: &str) -> Vec<String> {
        let mut names: Vec<_> = files(&self.place(place))
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    }

    /// `Report/<stem>.json`, once it is there.
    pub fn report(&self, stem: &str) -> Option<Value> {
        serde_json::from_slice(&std::fs::read(self.place("Report").join(format!("{stem}.json"))).ok()?).ok()
    }

    /// Texts of the files in InBox whose names begin so.
    pub fn inbox(&self, begins: &str) -> Vec<String> {
        let all = files(&self.place("InBox"));
        let named = all.iter().filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begins));
        named.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
    }
}

/// The sample import under another client number.
pub fn import(number: &str) -> Vec<u8> {
    renumbered(sample("import.xml").document, number).unwrap()
}

pub fn sample(name: &str) -> Sample {
    samples().into_iter().find(|sample| sample.name == name).unwrap()
}

/// Other text in place of some that stands in the document.
#[track_caller]
pub fn replaced(document: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(document).unwrap();
    assert!(text.contains(from), "{from} is not there");
    text.replacen(from, to, 1).into_bytes()
}

pub fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// All files below a folder that a bridge would see: neither dot-files nor what is still being written.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            all.extend(files(&entry.path()));
        } else if !hidden(&entry.file_name().to_string_lossy()) {
            all.push(entry.path());
        }
    }
    all
}

fn hidden(name: &str) -> bool {
    name.starts_with('.') || name.ends_with(".tmp")
}

/// The newest message that a key or a file name names.
pub fn the_one(gateway: &Gateway, key: &str) -> Option<MessageSummary> {
    let filter = Filter { key: Some(key.to_owned()), ..Filter::default() };
    gateway.journal().list(&filter).unwrap().into_iter().next()
}

pub fn detail(gateway: &Gateway, key: &str) -> MessageDetail {
    let id = the_one(gateway, key).unwrap_or_else(|| panic!("no message {key}")).id;
    gateway.journal().detail(id).unwrap().unwrap()
}

pub fn outcome(gateway: &Gateway, key: &str) -> Option<Outcome> {
    the_one(gateway, key).map(|message| message.outcome)
}

pub fn key_of(detail: &MessageDetail, name: &str) -> Option<String> {
    let found = detail.keys.iter().find(|Key { name: known, .. }| known == name);
    found.map(|key| key.value.clone())
}

/// Waits until `condition` holds; a test that waits in vain says what for.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a message is concluded.
#[track_caller]
pub fn concluded(gateway: &Gateway, key: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while outcome(gateway, key) != Some(Outcome::Concluded) {
        assert!(Instant::now() < end, "{key} is not concluded: {:?}", the_one(gateway, key));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A moment some days from now.
pub fn in_days(days: i64) -> Timestamp {
    SystemClock.now().plus_millis(days * 86_400_000)
}
