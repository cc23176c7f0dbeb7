//! The guards by outside behaviour, with plugins that break on request.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use kouan_host::{Policy, Registry, State};
use kouan_sdk::business::{Business, BusinessInfo, Package, PartPlan, Receipt, ReceiptName, Report};
use kouan_sdk::security::{KeyId, Scheme, SecurityIdentity, SignInput, SignRequest, UnwrapRequest};
use kouan_sdk::transport::{Capabilities, Incoming, Outgoing, Receiver, SendOutcome, Sender, Token};
use kouan_sdk::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;
use zeroize::Zeroizing;

const LONG: Duration = Duration::from_secs(60);

/// Doors by name: a call that hangs waits until its door is opened.
#[derive(Default)]
struct Doors {
    open: Mutex<HashMap<String, bool>>,
    bell: Condvar,
}

fn doors() -> &'static Doors {
    static DOORS: OnceLock<Doors> = OnceLock::new();
    DOORS.get_or_init(Doors::default)
}

fn wait_at(door: &str) {
    let mut open = doors().open.lock().unwrap();
    while !open.get(door).copied().unwrap_or(false) {
        open = doors().bell.wait(open).unwrap();
    }
}

fn open_door(door: &str) {
    doors().open.lock().unwrap().insert(door.to_owned(), true);
    doors().bell.notify_all();
}

static MADE: AtomicU64 = AtomicU64::new(0);

struct Fake {
    instance: String,
    number: u64,
}

fn made(context: &Context) -> Fake {
    Fake { instance: context.instance.clone(), number: MADE.fetch_add(1, Ordering::SeqCst) }
}

impl Business for Fake {
    fn describe(&self) -> BusinessInfo {
        let text = || "fake".to_owned();
        BusinessInfo { id: text(), name_zh: text(), name_en: text(), types: vec![], receipt_roots: vec![] }
    }
    fn check(&self, package: &Package<'_>) -> Result<Report> {
        assert_ne!(package.document, b"panic", "asked to");
        Ok(Report { notes: self.number.to_string(), ..Report::default() })
    }
    fn plan<'a>(&self, _: &Package<'a>, _: &Report, _: &[business::Key]) -> Result<Vec<PartPlan<'a>>> {
        Ok(vec![])
    }
    fn read_receipt(&self, _: &[u8]) -> Result<Receipt> {
        Err(Error::new(ErrorKind::Invalid, "FAKE", "none"))
    }
    fn refusal(&self, _: &Report) -> Result<(ReceiptName, Vec<u8>)> {
        Err(Error::new(ErrorKind::Invalid, "FAKE", "none"))
    }
}

impl Transport for Fake {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        Ok(Box::new(Fake { instance: self.instance.clone(), number: self.number }))
    }
    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        Ok(Box::new(Fake { instance: self.instance.clone(), number: self.number }))
    }
    fn probe(&self) -> Health {
        if self.instance == "hanging-probe" {
            wait_at("hanging-probe");
        }
        Health::yellow("fake")
    }
}

impl Sender for Fake {
    fn send(&self, batch: &[Outgoing<'_>], _: Duration) -> Vec<SendOutcome> {
        for message in batch {
            match message.body {
                b"panic" => panic!("asked to"),
                b"hang" => wait_at(&self.instance),
                b"say nothing" => return vec![],
                _ => {}
            }
        }
        vec![SendOutcome::Confirmed; batch.len()]
    }
    fn close(&self) {}
}

impl Receiver for Fake {
    fn receive(&self, max: usize, _: usize, _: Duration) -> Result<Vec<Incoming>> {
        assert_ne!(max, 13, "asked to");
        Ok(vec![])
    }
    fn settle(&self, _: &[Token]) -> Result<()> {
        Ok(())
    }
    fn reject(&self, _: Token, _: &Error) -> Result<()> {
        Ok(())
    }
    fn close(&self) {}
}

impl Security for Fake {
    fn identities(&self) -> Result<Vec<SecurityIdentity>> {
        Ok(vec![])
    }
    fn sign(&self, batch: &[SignRequest<'_>]) -> Vec<Result<Vec<u8>>> {
        for request in batch {
            match request.input {
                SignInput::Message(b"hang") => wait_at(&self.instance),
                SignInput::Message(b"panic") => panic!("asked to"),
                _ => {}
            }
        }
        batch.iter().map(|_| Ok(self.number.to_be_bytes().to_vec())).collect()
    }
    fn unwrap(&self, batch: &[UnwrapRequest<'_>]) -> Vec<Result<Zeroizing<Vec<u8>>>> {
        batch.iter().map(|_| Ok(Zeroizing::new(vec![]))).collect()
    }
    fn login(&self, _: &Zeroizing<String>) -> Result<()> {
        Ok(())
    }
    fn logout(&self) -> Result<()> {
        Ok(())
    }
    fn probe(&self) -> Health {
        Health::green("fake")
    }
    fn close(&self) {}
}

fn schema() -> String {
    r#"{"type":"object","additionalProperties":false,"properties":{"queue_name":{"type":"string"}}}"#.to_owned()
}

static PLUGIN: PluginDecl = PluginDecl {
    id: "fake",
    version: "0.1.0",
    summary: ("假", "a fake"),
    config_schema: schema,
    business: Some(|context, _| Ok(Box::new(made(context)))),
    transport: Some(|context, _| Ok(Box::new(made(context)))),
    security: Some(|context, _| Ok(Box::new(made(context)))),
    simulator: None,
};

static OTHER: PluginDecl = PluginDecl {
    id: "fake",
    version: "9.9.9",
    summary: ("另一个", "another one"),
    config_schema: schema,
    business: None,
    transport: Some(|context, _| Ok(Box::new(made(context)))),
    security: None,
    simulator: None,
};

struct Bench {
    registry: Registry,
    clock: Arc<ManualClock>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(policy: Policy) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_768_181_710_000)));
        let registry = Registry::with_policy(&[&PLUGIN], policy).unwrap();
        Self { registry, clock, folder: tempfile::tempdir().unwrap() }
    }
    fn context(&self, instance: &str) -> Context {
        Context { clock: self.clock.clone(), ..Context::standalone(instance, self.folder.path()) }
    }
    fn business(&self) -> Box<dyn Business> {
        self.registry.business("fake", &self.context("goods"), "{}").unwrap()
    }
    fn state(&self, index: usize) -> State {
        self.registry.reports()[index].state
    }
}

fn check(business: &dyn Business, document: &[u8]) -> Result<Report> {
    let package = Package { file_name: "a.xml", stem: "a", form_id: None, document, attachments: &[] };
    business.check(&package)
}

fn send(sender: &dyn Sender, bodies: &[&[u8]], deadline: Duration) -> Vec<SendOutcome> {
    let batch: Vec<Outgoing<'_>> = bodies.iter().map(|body| Outgoing { id: "1", body, headers: &[] }).collect();
    sender.send(&batch, deadline)
}

fn sign(security: &dyn Security, message: &[u8]) -> Result<Vec<u8>> {
    let key = KeyId("k".to_owned());
    let request = SignRequest { key: &key, scheme: Scheme::Sm2Sm3, user_id: b"", input: SignInput::Message(message) };
    security.sign(&[request]).remove(0)
}

/// Asks until the answer is there; a deadlock, not a slow machine, is what ends it.
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::yield_now();
    }
}

#[test]
fn names_clash_loudly_and_unknown_names_get_a_suggestion() {
    let error = Registry::new(&[&PLUGIN, &OTHER]).err().unwrap();
    assert_eq!(error.code, "KOUAN-HOST-PLUGIN-CLASH");
    assert!(error.message.contains("0.1.0 (a fake)") && error.message.contains("9.9.9 (another one)"), "{error}");

    let registry = Registry::new(&[&OTHER]).unwrap();
    assert_eq!(registry.ids(Kind::Transport), ["fake"]);
    assert!(registry.ids(Kind::Business).is_empty());
    let error = registry.find(Kind::Transport, "fakke").err().unwrap();
    assert_eq!(error.code, "KOUAN-HOST-PLUGIN-UNKNOWN");
    assert!(error.message.contains("did you mean \"fake\"?; there are: fake"), "{error}");
    let error = registry.find(Kind::Security, "fake").err().unwrap();
    assert!(error.message.contains("it is a transport") && error.message.contains("there are: none"), "{error}");
}

#[test]
fn wrong_settings_are_named_with_the_instance() {
    let bench = Bench::new(Policy::default());
    let error = bench.registry.transport("fake", &bench.context("erp"), r#"{"quue_name":"q"}"#).err().unwrap();
    assert_eq!(error.code, "KOUAN-HOST-SETTINGS-UNKNOWN-KEY");
    assert!(error.message.starts_with("erp: unknown key \"quue_name\"; did you mean \"queue_name\"?"), "{error}");
    assert!(bench.registry.reports().is_empty(), "what was never made is not reported");
}

#[test]
fn a_panicking_business_is_rebuilt_after_its_wait() {
    let bench = Bench::new(Policy { faults: 3, first_backoff_ms: 1000, ..Policy::default() });
    let business = bench.business();
    let first = check(&*business, b"good").unwrap().notes;

    let error = check(&*business, b"panic").unwrap_err();
    assert_eq!((error.kind, &*error.code), (ErrorKind::Panicked, "KOUAN-HOST-PLUGIN-PANICKED"));
    assert!(error.message.contains("fake \"goods\": check panicked") && error.message.contains("asked to"), "{error}");
    assert_eq!(bench.state(0), State::Faulted);
    let waiting = check(&*business, b"good").unwrap_err();
    assert_eq!((waiting.kind, &*waiting.code), (ErrorKind::Unavailable, "KOUAN-HOST-PLUGIN-FAULTED"));
    assert_eq!(business.describe().id, "fake", "what it is stays known while it is broken");

    bench.clock.advance(1000);
    assert_ne!(check(&*business, b"good").unwrap().notes, first, "a new instance");
    let report = bench.registry.reports().remove(0);
    assert_eq!((report.state, report.faults, report.rebuilds), (State::Healthy, 1, 1));
    assert_eq!(report.last_error.unwrap().code, "KOUAN-HOST-PLUGIN-PANICKED");
}

#[test]
fn too_many_faults_quarantine_one_instance_and_leave_the_others() {
    let bench = Bench::new(Policy { faults: 3, first_backoff_ms: 10, window_ms: 60_000, ..Policy::default() });
    let (sick, well) = (bench.business(), bench.registry.business("fake", &bench.context("other"), "{}").unwrap());
    for _ in 0..3 {
        bench.clock.advance(1000);
        assert_eq!(check(&*sick, b"panic").unwrap_err().kind, ErrorKind::Panicked);
    }
    bench.clock.advance(86_400_000);
    let error = check(&*sick, b"good").unwrap_err();
    assert_eq!((error.kind, &*error.code), (ErrorKind::Unavailable, "KOUAN-HOST-PLUGIN-QUARANTINED"));
    assert_eq!((bench.state(0), bench.state(1)), (State::Quarantined, State::Healthy));
    check(&*well, b"good").unwrap();

    assert!(bench.registry.release(Kind::Business, "goods"));
    assert!(!bench.registry.release(Kind::Transport, "goods"));
    check(&*sick, b"good").unwrap();
    assert_eq!(bench.state(0), State::Healthy);
}

#[test]
fn faults_far_apart_do_not_quarantine() {
    let bench = Bench::new(Policy { faults: 2, window_ms: 1000, first_backoff_ms: 10, ..Policy::default() });
    let business = bench.business();
    for _ in 0..5 {
        assert_eq!(check(&*business, b"panic").unwrap_err().kind, ErrorKind::Panicked);
        bench.clock.advance(2000);
    }
    check(&*business, b"good").unwrap();
}

#[test]
fn a_clock_put_back_does_not_lengthen_the_wait() {
    let bench = Bench::new(Policy { first_backoff_ms: 1000, ..Policy::default() });
    let business = bench.business();
    check(&*business, b"panic").unwrap_err();
    bench.clock.advance(-86_400_000);
    check(&*business, b"good").unwrap();
}

#[test]
fn a_send_that_panics_leaves_the_whole_batch_in_doubt_and_the_sender_recovers() {
    let bench = Bench::new(Policy { first_backoff_ms: 1000, ..Policy::default() });
    let transport = bench.registry.transport("fake", &bench.context("erp"), "{}").unwrap();
    let sender = transport.open_sender().unwrap();
    let outcomes = send(&*sender, &[b"a", b"panic", b"b"], LONG);
    assert_eq!(outcomes.len(), 3);
    for outcome in outcomes {
        let SendOutcome::Unknown { reason } = outcome else { panic!("{outcome:?}") };
        assert_eq!(reason.code, "KOUAN-HOST-PLUGIN-PANICKED");
    }
    let SendOutcome::Refused { transient: true, reason } = send(&*sender, &[b"a"], LONG).remove(0) else {
        panic!("a send that was not begun is a safe refusal")
    };
    assert_eq!(reason.code, "KOUAN-HOST-PLUGIN-FAULTED");
    bench.clock.advance(1000);
    assert_eq!(send(&*sender, &[b"a"], LONG), [SendOutcome::Confirmed]);
    assert_eq!(bench.registry.reports()[0].rebuilds, 1);
}

#[test]
fn a_sender_that_says_nothing_is_doubt() {
    let bench = Bench::new(Policy::default());
    let transport = bench.registry.transport("fake", &bench.context("erp"), "{}").unwrap();
    let outcomes = send(&*transport.open_sender().unwrap(), &[b"a", b"say nothing"], LONG);
    assert_eq!(outcomes.len(), 2);
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o, SendOutcome::Unknown { reason } if reason.code == "KOUAN-HOST-PLUGIN-NO-ANSWER"))
    );
}

#[test]
fn a_send_past_its_deadline_is_doubt_and_what_follows_is_not_begun() {
    let policy = Policy { send_grace: Some(Duration::from_millis(10)), ..Policy::default() };
    let bench = Bench::new(policy);
    let transport = bench.registry.transport("fake", &bench.context("slow-site"), "{}").unwrap();
    let sender = transport.open_sender().unwrap();
    assert_eq!(send(&*sender, &[b"a"], LONG), [SendOutcome::Confirmed]);
    let SendOutcome::Unknown { reason } = send(&*sender, &[b"hang"], Duration::from_millis(10)).remove(0) else {
        panic!("an abandoned send is doubt")
    };
    assert_eq!((reason.kind, &*reason.code), (ErrorKind::Timeout, "KOUAN-HOST-CALL-ABANDONED"));
    assert_eq!((bench.state(0), bench.registry.reports()[0].stuck), (State::Faulted, 1));
    assert!(matches!(&send(&*sender, &[b"a"], LONG)[..], [SendOutcome::Refused { transient: true, .. }]));
    open_door("slow-site");
    until(|| (bench.state(0) == State::Healthy).then_some(()));
    assert_eq!(send(&*sender, &[b"a"], LONG), [SendOutcome::Confirmed]);
}

#[test]
fn a_broken_receiver_stays_broken_until_it_is_opened_anew() {
    let bench = Bench::new(Policy { first_backoff_ms: 0, ..Policy::default() });
    let transport = bench.registry.transport("fake", &bench.context("erp"), "{}").unwrap();
    let receiver = transport.open_receiver().unwrap();
    assert_eq!(receiver.receive(13, 1, LONG).unwrap_err().kind, ErrorKind::Panicked);
    assert_eq!(receiver.settle(&[Token(1)]).unwrap_err().code, "KOUAN-HOST-PLUGIN-FAULTED");
    transport.open_receiver().unwrap().settle(&[Token(1)]).unwrap();
}

#[test]
fn a_probe_that_hangs_is_red() {
    let bench = Bench::new(Policy { probe_deadline: Duration::from_millis(10), ..Policy::default() });
    let transport = bench.registry.transport("fake", &bench.context("hanging-probe"), "{}").unwrap();
    let health = transport.probe();
    assert_eq!((health.light, health.code.as_deref()), (Light::Red, Some("KOUAN-HOST-CALL-ABANDONED")));
    open_door("hanging-probe");
    until(|| (transport.probe().light == Light::Yellow).then_some(()));
}

#[test]
fn a_security_backend_is_not_rebuilt_while_a_call_is_inside() {
    let deadline = Some(Duration::from_millis(10));
    let bench = Bench::new(Policy { security_deadline: deadline, first_backoff_ms: 0, ..Policy::default() });
    let security: Arc<dyn Security> = Arc::from(bench.registry.security("fake", &bench.context("card"), "{}").unwrap());
    let hanging = sign(&*security, b"hang").unwrap_err();
    assert_eq!((hanging.kind, &*hanging.code), (ErrorKind::Timeout, "KOUAN-HOST-CALL-ABANDONED"));
    let refused = sign(&*security, b"x").unwrap_err();
    assert_eq!((refused.kind, &*refused.code), (ErrorKind::Unavailable, "KOUAN-HOST-PLUGIN-STUCK"));
    assert_eq!(bench.registry.reports()[0].rebuilds, 0);
    open_door("card");
    let number = until(|| sign(&*security, b"x").ok());
    assert_eq!(number, sign(&*security, b"y").unwrap(), "the same instance, well again");

    assert_eq!(sign(&*security, b"panic").unwrap_err().kind, ErrorKind::Panicked);
    let renewed = until(|| sign(&*security, b"x").ok());
    assert_ne!(renewed, number, "a new instance, once nobody is inside the old one");
    assert_eq!(bench.registry.reports()[0].rebuilds, 1);
}

#[test]
fn without_a_deadline_a_security_panic_is_caught_on_the_callers_thread() {
    let bench = Bench::new(Policy { security_deadline: None, ..Policy::default() });
    let security = bench.registry.security("fake", &bench.context("soft"), "{}").unwrap();
    sign(&*security, b"x").unwrap();
    assert_eq!(sign(&*security, b"panic").unwrap_err().kind, ErrorKind::Panicked);
}
