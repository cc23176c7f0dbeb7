//! A business so small that the kernel itself is what is tested, a window that answers it, and a gateway between
//! real folders, a real queue and real keys.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)] // shared by tests that each use a part

use kouan_dxp::{DxpMsg, Policy, SignatureProfile, Trust, Unsigned, WireId};
use kouan_host::Registry;
use kouan_kernel::{Config, Gateway};
use kouan_sdk::business::*;
use kouan_sdk::transport::{Incoming, Outgoing, Receiver, SendOutcome, Sender};
use kouan_sdk::*;
use kouan_security_software::{Development, generate_development};
use kouan_sm::{AnyPrivateKey, Certificate};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const CLIENT: &str = "DXPENT0000000001";
pub const WINDOW: &str = "DXPDSWTEST000001";
const PASSWORD: &str = "rehearsal";

/// `<Order no="…" firm="…"/>` up, `<Reply no="…" code="0|1|9" number="…"/>` down.
struct Orders;

fn attribute(document: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(document).ok()?;
    let (_, rest) = text.split_once(&format!("{name}=\""))?;
    Some(rest.split_once('"')?.0.to_owned()).filter(|value| !value.is_empty())
}

impl Business for Orders {
    fn describe(&self) -> BusinessInfo {
        BusinessInfo {
            id: "orders".into(),
            name_zh: "订单".into(),
            name_en: "orders".into(),
            types: vec![MessageType {
                id: "ORD001".into(),
                name_zh: "订单".into(),
                name_en: "order".into(),
                folder: "Orders".into(),
                roots: vec![RootName::new("", "Order")],
                receivers: vec![WINDOW.into()],
                receipt_deadline_s: 3600,
            }],
            receipt_roots: vec![RootName::new("", "Reply")],
        }
    }

    fn check(&self, package: &Package<'_>) -> Result<Report> {
        let no = attribute(package.document, "no");
        let mut report = Report { message_type: "ORD001".into(), ..Report::default() };
        match &no {
            Some(no) if no == "panic" => panic!("this order panics"),
            Some(no) => {
                report.business_key = Some(Key::new("no", no.clone()));
                report.keys = vec![Key::new("no", no.clone())];
                report.order_key = attribute(package.document, "lane").unwrap_or_else(|| no.clone());
            }
            None => report.findings.push(Finding::whole("ORD-NO", Severity::Error, "缺少编号", "no number")),
        }
        report.parties = attribute(package.document, "firm").map(|firm| Key::new("firm", firm)).into_iter().collect();
        Ok(report)
    }

    fn plan<'a>(&self, package: &Package<'a>, _report: &Report, _known: &[Key]) -> Result<Vec<PartPlan<'a>>> {
        Ok(vec![PartPlan {
            name: "document".into(),
            message_type: "ORD001".into(),
            receivers: vec![WINDOW.into()],
            file_name: package.file_name.into(),
            payload: Payload::Bytes(Cow::Borrowed(package.document)),
            after: vec![],
            expects_receipt: true,
            biz_keys: vec![],
        }])
    }

    fn read_receipt(&self, bytes: &[u8]) -> Result<Receipt> {
        let code = attribute(bytes, "code").unwrap_or_default();
        let keys = ["no", "number"].into_iter().filter_map(|n| Some(Key::new(n, attribute(bytes, n)?))).collect();
        let (outcome, rank) = match code.as_str() {
            "0" => (Outcome::Accepted, 10),
            "9" => (Outcome::Concluded, 90),
            _ => (Outcome::Rejected, 20),
        };
        Ok(Receipt {
            kind: "Reply".into(),
            keys,
            rank,
            outcome,
            stage: code.clone(),
            code,
            text: String::new(),
            is_final: rank == 90,
            reopens: rank == 20,
            is_repeat_of_known: false,
            is_client_failure: false,
            noticed_at: None,
            name: ReceiptName { prefix: "Receipt".into(), middle: None, extension: "xml".into(), others: None },
        })
    }

    fn refusal(&self, report: &Report) -> Result<(ReceiptName, Vec<u8>)> {
        let name = ReceiptName { prefix: "Failed".into(), middle: None, extension: "xml".into(), others: None };
        Ok((name, format!("<Reply code=\"1\" findings=\"{}\"/>", report.findings.len()).into_bytes()))
    }
}

pub static ORDERS: PluginDecl = PluginDecl {
    id: "orders",
    version: "0",
    summary: ("订单", "orders"),
    config_schema: || r#"{"type":"object","properties":{},"additionalProperties":false}"#.to_owned(),
    business: Some(|_, _| Ok(Box::new(Orders))),
    transport: None,
    security: None,
    simulator: None,
};

pub fn registry() -> Registry {
    Registry::new(&[
        &ORDERS,
        &kouan_transport_directory::PLUGIN,
        &kouan_transport_embedded::PLUGIN,
        &kouan_security_software::PLUGIN,
    ])
    .unwrap()
}

/// A gateway's folder, and the other side of its queue.
pub struct World {
    pub folder: tempfile::TempDir,
    pub extra: String,
    window: Window,
}

struct Window {
    sender: Box<dyn Sender>,
    receiver: Box<dyn Receiver>,
    certificate: Certificate,
    key: AnyPrivateKey,
    trust: Trust,
    counter: std::cell::Cell<u16>,
}

impl World {
    pub fn new(extra: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let now = SystemClock.now();
        let client = generate_development(&Development::new(&keys, "client", CLIENT, PASSWORD, now)).unwrap();
        let window = generate_development(&Development::new(&keys, "window", WINDOW, PASSWORD, now)).unwrap();
        std::fs::write(folder.path().join("pin"), PASSWORD).unwrap();
        // The envelope names its certificate by KeyName alone, so each side knows the other's.
        let client = Certificate::from_pem(&std::fs::read_to_string(&client.certificate).unwrap()).unwrap();
        let context = Context::standalone("window", folder.path());
        let make = kouan_transport_embedded::PLUGIN.transport.unwrap();
        let transport = make(&context, r#"{"path":"queue.db","side":"window"}"#).unwrap();
        let window = Window {
            sender: transport.open_sender().unwrap(),
            receiver: transport.open_receiver().unwrap(),
            certificate: Certificate::from_pem(&std::fs::read_to_string(&window.certificate).unwrap()).unwrap(),
            key: AnyPrivateKey::from_pem(&std::fs::read_to_string(&window.key).unwrap(), Some(PASSWORD)).unwrap(),
            trust: Trust::new(vec![client]),
            counter: std::cell::Cell::new(0),
        };
        Self { folder, extra: extra.to_owned(), window }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> Config {
        let text = format!(
            r#"
[[identity]]
dxp_id = "{CLIENT}"
enterprises = ["3101980001"]
[identity.security]
pin = {{ file = "pin" }}
key = "keys/client.key.pem"
certificate = "keys/client.cert.pem"
[[site]]
name = "erp"
root = "imp-path"
stable_ms = 0
incomplete_ms = 50
scan_interval_ms = 10
[window]
path = "queue.db"
trust = ["keys/window.cert.pem"]
[retry]
first_ms = 10
max_ms = 50
{}
"#,
            self.extra
        );
        let mut config = kouan_kernel::config::parse(Path::new("kouan.toml"), &text).unwrap();
        config.base_dir = self.folder.path().to_owned();
        config
    }

    pub fn start(&self) -> Gateway {
        Gateway::start(self.config(), &registry(), Arc::new(SystemClock)).unwrap()
    }

    pub fn drop_file(&self, name: &str, bytes: &[u8]) {
        let outbox = self.path("imp-path/Orders/OutBox");
        std::fs::create_dir_all(&outbox).unwrap();
        std::fs::write(outbox.join(format!("{name}.tmp")), bytes).unwrap();
        std::fs::rename(outbox.join(format!("{name}.tmp")), outbox.join(name)).unwrap();
    }

    pub fn drop_order(&self, no: &str) {
        self.drop_file(&format!("{no}.xml"), order(no).as_bytes());
    }

    /// Names below a folder of the site, day folders left out.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let mut names = Vec::new();
        collect(&self.path("imp-path/Orders").join(folder), &mut names);
        names.sort();
        names
    }

    /// The next envelopes that reach the window, verified.
    pub fn arrive(&self, count: usize) -> Vec<DxpMsg<'static>> {
        let mut all = Vec::new();
        let until = Instant::now() + Duration::from_secs(20);
        while all.len() < count {
            assert!(Instant::now() < until, "only {} of {count} arrived", all.len());
            let batch = self.window.receiver.receive(100, 1 << 24, Duration::from_millis(50)).unwrap();
            all.extend(batch.iter().map(|incoming| self.verified(incoming)));
            self.window.receiver.settle(&batch.iter().map(|i| i.token).collect::<Vec<_>>()).unwrap();
        }
        all
    }

    fn verified(&self, incoming: &Incoming) -> DxpMsg<'static> {
        kouan_dxp::verify(&incoming.body, &Policy::strict(), &self.window.trust, SystemClock.now()).unwrap().message
    }

    /// Sends a reply, signed by the window.
    pub fn reply(&self, file_name: &str, payload: &str) {
        let envelope = self.seal(file_name, payload);
        self.send(&envelope);
    }

    pub fn seal(&self, file_name: &str, payload: &str) -> (String, Vec<u8>) {
        let now = SystemClock.now();
        let counter = self.window.counter.get();
        self.window.counter.set(counter + 1);
        let id = WireId::new(WINDOW, now, counter).unwrap();
        let mut message = DxpMsg::new(&id, vec![CLIENT.into()], now, "ORD901", payload.as_bytes());
        message.file_name = file_name.into();
        let unsigned = Unsigned::envelope(&message, &SignatureProfile::transport(), &self.window.certificate).unwrap();
        let AnyPrivateKey::Sm2(key) = &self.window.key else { panic!("an SM2 key") };
        let signature = key.sign(kouan_sm::DEFAULT_USER_ID, unsigned.signed_info()).unwrap();
        (id.as_str().to_owned(), unsigned.seal(signature.as_bytes()).unwrap())
    }

    pub fn send(&self, (id, body): &(String, Vec<u8>)) {
        let outcome = self.window.sender.send(&[Outgoing { id, body, headers: &[] }], Duration::from_secs(5));
        assert_eq!(outcome, [SendOutcome::Confirmed]);
    }
}

pub fn order(no: &str) -> String {
    format!("<Order no=\"{no}\" firm=\"3101980001\"/>")
}

fn collect(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            collect(&entry.path(), names);
        } else if !entry.file_name().to_string_lossy().starts_with('.') {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
}

/// Waits until `condition` holds; a test that waits in vain says what for.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
