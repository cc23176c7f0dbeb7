//! A client, a window key, and a business that is as small as can be.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each test file uses its share, and stops when it cannot go on"
)]

use kouan_dxp::{DxpMsg, Policy, SignatureProfile, Trust, Unsigned, WireId, verify};
use kouan_sandbox::{Ledger, Parts, Repeats, Sandbox, SandboxConfig, Scenario, Side};
use kouan_sdk::business::Key;
use kouan_sdk::security::{KeyId, KeyKind, SecurityIdentity, SignInput, SignRequest, UnwrapRequest};
use kouan_sdk::simulator::{Answer, Arrived, Effect, Script, StateStore};
use kouan_sdk::transport::{Outgoing, SendOutcome};
use kouan_sdk::{
    Clock, Context, Error, ErrorKind, Health, Result, Security, Simulator, SystemClock, Timestamp, Transport,
};
use kouan_sm::{
    CardExtensions, Certificate, DistinguishedName, Issuer, LeafRequest, PrivateKey, issue_leaf, self_signed_ca,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

pub const CLIENT: &str = "DXPENT0000000001";
pub const WINDOW: &str = "DXPDSWDEC0000002";

/// An issuer and somebody whom it knows.
pub struct Party {
    pub issuer: Certificate,
    pub certificate: Certificate,
    pub key: PrivateKey,
}

impl Party {
    pub fn new(number: u8) -> Self {
        let name = |unit: &str| DistinguishedName {
            country: "CN".into(),
            organization: "示例".into(),
            unit: unit.into(),
            common_name: format!("{unit} {number}"),
        };
        let (begin, end) = (Timestamp::from_millis(1_700_000_000_000), Timestamp::from_millis(2_000_000_000_000));
        let issuer_key = PrivateKey::from_scalar(&[number; 32]).unwrap();
        let issuer = self_signed_ca(&name("签发"), &issuer_key, begin, end).unwrap();
        let key = PrivateKey::from_scalar(&[number + 100; 32]).unwrap();
        let request = LeafRequest {
            subject: &name("签名"),
            key: key.public_key(),
            not_before: begin,
            not_after: end,
            card: &CardExtensions::default(),
            encrypts: false,
        };
        let certificate = issue_leaf(Issuer { certificate: &issuer, key: &issuer_key }, &request).unwrap();
        Self { issuer, certificate, key }
    }

    pub fn trust(&self) -> Trust {
        Trust::new(vec![self.issuer.clone(), self.certificate.clone()])
    }

    pub fn seal(&self, message: &DxpMsg<'_>, profile: &SignatureProfile) -> Vec<u8> {
        let unsigned = Unsigned::envelope(message, profile, &self.certificate).unwrap();
        let signature = self.key.sign(&profile.user_id, unsigned.signed_info()).unwrap();
        unsigned.seal(signature.as_bytes()).unwrap()
    }
}

/// The window; one a process, because serial numbers are drawn.
pub fn window() -> Arc<Party> {
    static WINDOW: OnceLock<Arc<Party>> = OnceLock::new();
    WINDOW.get_or_init(|| Arc::new(Party::new(2))).clone()
}

impl Security for Party {
    fn identities(&self) -> Result<Vec<SecurityIdentity>> {
        Ok(vec![SecurityIdentity {
            key: KeyId("window".into()),
            kind: KeyKind::Sm2,
            certificate: self.certificate.der().to_vec(),
            signs: true,
            unwraps: false,
            max_batch: 16,
        }])
    }

    fn sign(&self, batch: &[SignRequest<'_>]) -> Vec<Result<Vec<u8>>> {
        let one = |request: &SignRequest<'_>| match request.input {
            SignInput::Message(message) => Ok(self.key.sign(request.user_id, message)?.into()),
            SignInput::Digest(_) => Err(Error::new(ErrorKind::NotSupported, "KOUAN-TEST-DIGEST", "no digests")),
        };
        batch.iter().map(one).collect()
    }

    fn unwrap(&self, batch: &[UnwrapRequest<'_>]) -> Vec<Result<Zeroizing<Vec<u8>>>> {
        batch.iter().map(|_| Err(Error::new(ErrorKind::NotSupported, "KOUAN-TEST-UNWRAP", "no unwrapping"))).collect()
    }

    fn login(&self, _: &Zeroizing<String>) -> Result<()> {
        Ok(())
    }

    fn logout(&self) -> Result<()> {
        Ok(())
    }

    fn probe(&self) -> Health {
        Health::green("there")
    }

    fn close(&self) {}
}

/// `<T><KEY>…</KEY></T>` takes effect; what has no KEY is an attachment.
pub struct Tiny;

pub fn payload(key: &str, more: &str) -> String {
    format!("<T><KEY>{key}</KEY>{more}</T>")
}

pub fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    Some(text.split_once(open)?.1.split_once(close)?.0)
}

fn answer(root: &str, key: &Key, number: &str, channel: &str, after_ms: u64) -> Answer {
    let value = &key.value;
    Answer {
        message_type: "TINYR".into(),
        payload: format!("<{root}><KEY>{value}</KEY><NO>{number}</NO><CHANNEL>{channel}</CHANNEL></{root}>").into(),
        after_ms,
        biz_keys: vec![Key::new("DealFlag", channel)],
    }
}

impl Simulator for Tiny {
    fn repeat_key(&self, arrived: &Arrived<'_>) -> Result<Option<Key>> {
        let text = String::from_utf8_lossy(arrived.payload);
        Ok(between(&text, "<KEY>", "</KEY>").map(|key| Key::new("KEY", key)))
    }

    fn changes(&self, key: &Key) -> bool {
        key.value.starts_with("CHANGES")
    }

    fn check_script(&self, script: &Script) -> Result<()> {
        match script.steps.iter().find(|step| *step == "fly") {
            Some(_) => Err(Error::new(ErrorKind::Config, "KOUAN-TEST-STEP", "nobody flies")),
            None => Ok(()),
        }
    }

    fn take(&self, store: &mut dyn StateStore, arrived: &Arrived<'_>, script: &Script) -> Result<Effect> {
        let Some(key) = self.repeat_key(arrived)? else { return Ok(Effect { effect_key: None, answers: vec![] }) };
        let number = store.next("number")?.to_string();
        store.put(&key.value, number.as_bytes())?;
        match script.steps.first().map(String::as_str) {
            Some("boom") => return Err(Error::new(ErrorKind::Invalid, "KOUAN-TEST-BOOM", "no such step")),
            Some("refuse") => {
                return Ok(Effect { effect_key: None, answers: vec![answer("F", &key, "", "1", 0)] });
            }
            _ => {}
        }
        let usual = ["7".to_owned(), "P".to_owned(), "R".to_owned()];
        let steps = if script.steps.is_empty() { &usual[..] } else { &script.steps };
        let answers = (0..).zip(steps).map(|(i, step)| answer("R", &key, &number, step, i * script.step_delay_ms));
        Ok(Effect { answers: answers.collect(), effect_key: Some(key) })
    }

    fn known_already(&self, store: &dyn StateStore, _: &Arrived<'_>, key: &Key) -> Result<Vec<Answer>> {
        let number = store.get(&key.value)?.unwrap_or_default();
        Ok(vec![answer("KNOWN", key, &String::from_utf8_lossy(&number), "1", 0)])
    }
}

/// A folder with a queue and a window's file, and the client beside it.
pub struct Bench {
    pub folder: PathBuf,
    _temporary: Option<tempfile::TempDir>,
    pub client: Party,
    pub clock: Arc<dyn Clock>,
    pub config: SandboxConfig,
}

impl Bench {
    pub fn new(repeats: Repeats, scenario: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut bench = Self::at(temporary.path(), repeats, scenario);
        bench._temporary = Some(temporary);
        bench
    }

    pub fn at(folder: &Path, repeats: Repeats, scenario: &str) -> Self {
        let scenario = Scenario::from_toml(scenario).unwrap();
        Self {
            folder: folder.to_owned(),
            _temporary: None,
            client: Party::new(1),
            clock: Arc::new(SystemClock),
            config: SandboxConfig { repeats, scenario, ..SandboxConfig::new(folder.join("window.db")) },
        }
    }

    /// One end of the queue.
    pub fn end(&self, side: &str) -> Box<dyn Transport> {
        let config = format!(r#"{{"path": "queue.db", "side": "{side}"}}"#);
        let make = kouan_transport_embedded::PLUGIN.transport.unwrap();
        make(&Context::standalone("window", &self.folder), &config).unwrap()
    }

    pub fn parts(&self) -> Parts {
        Parts {
            transport: Arc::from(self.end("window")),
            simulators: vec![Side {
                business: "tiny".into(),
                types: vec!["TINY".into(), "TINYEDOC".into()],
                simulator: Arc::new(Tiny),
            }],
            security: window(),
            trust: self.client.trust(),
            clock: self.clock.clone(),
        }
    }

    pub fn open(&self) -> Sandbox {
        Sandbox::open(self.config.clone(), self.parts()).unwrap()
    }

    pub fn envelope(&self, counter: u16, message_type: &str, payload: &str) -> Vec<u8> {
        let at = Timestamp::from_millis(1_768_181_710_000);
        let id = WireId::new(CLIENT, at, counter).unwrap();
        let mut message = DxpMsg::new(&id, vec![WINDOW.into()], at, message_type, payload.as_bytes());
        message.file_name = format!("文件{counter}.xml");
        self.client.seal(&message, &self.config.profile)
    }

    /// Sends envelopes as the client.
    pub fn send(&self, envelopes: &[Vec<u8>]) {
        let sender = self.end("client").open_sender().unwrap();
        let batch: Vec<_> = envelopes.iter().map(|body| Outgoing { id: "x", body, headers: &[] }).collect();
        let outcomes = sender.send(&batch, Duration::from_secs(30));
        assert!(outcomes.iter().all(|outcome| *outcome == SendOutcome::Confirmed), "{outcomes:?}");
        sender.close();
    }

    /// Runs the sandbox until all sent so far is taken in and nothing is pending, and `until` is met.
    pub fn run_until(&self, sandbox: &Sandbox, until: impl Fn(&Ledger) -> bool) -> Ledger {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let running = scope.spawn(|| sandbox.run(&stop));
            let ledger = wait_for(&self.config.path, |ledger| until(ledger) || running.is_finished());
            stop.store(true, Ordering::SeqCst);
            running.join().unwrap().unwrap();
            ledger
        })
    }

    /// Whatever waits for the client, verified and read; what does not verify is `None`.
    pub fn received(&self) -> Vec<(Option<DxpMsg<'static>>, Vec<u8>)> {
        let receiver = self.end("client").open_receiver().unwrap();
        let mut all = Vec::new();
        loop {
            let batch = receiver.receive(1000, usize::MAX, Duration::ZERO).unwrap();
            if batch.is_empty() {
                break;
            }
            all.extend(batch);
        }
        receiver.settle(&all.iter().map(|incoming| incoming.token).collect::<Vec<_>>()).unwrap();
        receiver.close();
        let (trust, now) = (window().trust(), SystemClock.now());
        let read = |body: &[u8]| verify(body, &Policy::strict(), &trust, now).ok().map(|verified| verified.message);
        all.into_iter().map(|incoming| (read(&incoming.body), incoming.body)).collect()
    }
}

/// The ledger, once it is as wanted.
pub fn wait_for(path: &Path, until: impl Fn(&Ledger) -> bool) -> Ledger {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let ledger = Ledger::read(path);
        if let Ok(ledger) = &ledger
            && until(ledger)
        {
            return ledger.clone();
        }
        assert!(Instant::now() < deadline, "the ledger never became as wanted: {ledger:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All came in, and all answers are gone.
pub fn settled(arrivals: u64) -> impl Fn(&Ledger) -> bool {
    move |ledger| {
        let came: u64 = ledger.inbound.iter().map(|arrival| arrival.count).sum();
        came + ledger.refused.len() as u64 >= arrivals && ledger.pending == 0
    }
}

pub fn text(message: &DxpMsg<'_>) -> String {
    String::from_utf8(message.payload.to_vec()).unwrap()
}
