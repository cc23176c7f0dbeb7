//! What may go wrong around a gateway: keys, certificates, clock, journal, disk, folders. Nothing is lost, what is wrong is
//! told with its code, and work goes on by itself when the fault is gone.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking, and says what it skips

mod port;

use kouan_journal::{Delivery, Hold, JournalError};
use kouan_kernel::probe::{Subject, probe};
use kouan_kernel::{Gateway, KernelError};
use kouan_sandbox::Repeats;
use kouan_sdk::business::Outcome;
use kouan_sdk::{Clock, ManualClock, SystemClock};
use kouan_security_software::{Development, generate_development};
use port::{CLIENT, PASSWORD, Port, Setup, concluded, detail, outcome, the_one, until};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

fn is(gateway: &Gateway, key: &str, delivery: Delivery) -> bool {
    the_one(gateway, key).is_some_and(|message| message.delivery == delivery)
}

/// The code that `kouan doctor` shows of a subject.
fn doctor(port: &Port, subject: &Subject) -> Option<String> {
    let probes = probe(&port.config(), &Port::registry(), &port.setup.clock, |_| true);
    probes.into_iter().find(|probe| probe.subject == *subject).unwrap().health.code
}

fn client() -> Subject {
    Subject::Identity(CLIENT.into())
}

fn site() -> Subject {
    Subject::Site("erp".into())
}

/// Codes of the alarms that stand.
fn alarms(gateway: &Gateway) -> Vec<String> {
    gateway.journal().alarms(100).unwrap().into_iter().map(|alarm| alarm.code).collect()
}

// ---------------------------------------------------------------- keys and certificates

#[test]
fn a_wrong_password_holds_at_sign_and_the_right_one_lets_go() {
    let port = Port::new(Setup::default());
    std::fs::write(port.path("pin"), "wrong").unwrap();
    let gateway = port.start();
    port.drop_import("P1");
    until("it waits", || is(&gateway, "P1", Delivery::Ready));
    assert_eq!(the_one(&gateway, "P1").unwrap().hold, Hold::None);
    until("somebody is told", || !alarms(&gateway).is_empty());
    assert_eq!(alarms(&gateway), ["KOUAN-SECURITY-LOCKED"], "the wrong one is not tried again");
    let said = |key| the_one(&gateway, key).unwrap().reason.map(|reason| reason.code);
    assert_eq!(said("P1").as_deref(), Some("KOUAN-SECURITY-LOCKED"), "the message says what it waits for");
    assert_eq!(detail(&gateway, "P1").summary.reason, the_one(&gateway, "P1").unwrap().reason);
    assert_eq!(doctor(&port, &client()).as_deref(), Some("KOUAN-SECURITY-WRONG-PASSWORD"));
    gateway.drain();
    std::fs::write(port.path("pin"), PASSWORD).unwrap();
    let gateway = port.start();
    concluded(&gateway, "P1");
    assert_eq!(port.ledger().inbound.len(), 1);
}

#[test]
fn a_key_of_another_certificate_signs_nothing_until_they_fit() {
    let port = Port::new(Setup::default());
    let certificate = std::fs::read(port.path("keys/client.cert.pem")).unwrap();
    std::fs::copy(port.path("keys/other.cert.pem"), port.path("keys/client.cert.pem")).unwrap();
    let gateway = port.start();
    port.drop_import("K1");
    until("it waits", || is(&gateway, "K1", Delivery::Ready));
    until("somebody is told", || alarms(&gateway) == ["KOUAN-SECURITY-CERT-KEY-MISMATCH"]);
    assert_eq!(doctor(&port, &client()).as_deref(), Some("KOUAN-SECURITY-CERT-KEY-MISMATCH"));
    std::fs::write(port.path("keys/client.cert.pem"), certificate).unwrap();
    concluded(&gateway, "K1");
    let ledger = port.ledger();
    assert!(ledger.refused.is_empty() && ledger.inbound.len() == 1, "nothing left that could not be verified");
}

#[test]
fn an_expired_certificate_holds_and_a_renewed_one_goes_on_without_a_restart() {
    let mut port = Port::new(Setup::default());
    expire(&port);
    let gateway = port.start();
    port.drop_import("E1");
    until("it waits", || is(&gateway, "E1", Delivery::Ready));
    until("somebody is told", || alarms(&gateway) == ["KOUAN-SM-CERT-EXPIRED"]);
    assert_eq!(detail(&gateway, "E1").summary.reason.unwrap().code, "KOUAN-SM-CERT-EXPIRED");
    assert_eq!(detail(&gateway, "E1").parts[0].state.attempts, 0, "no attempt with what nobody accepts");
    announce_renewal(&mut port);
    concluded(&gateway, "E1");
}

/// The client's key gets a certificate that ended yesterday.
fn expire(port: &Port) {
    for suffix in ["key", "cert"] {
        std::fs::remove_file(port.path(&format!("keys/client.{suffix}.pem"))).unwrap();
    }
    let keys = port.path("keys");
    let mut wanted =
        Development::new(&keys, "client", CLIENT, PASSWORD, SystemClock.now().plus_millis(-3 * 86_400_000));
    wanted.days = 2;
    generate_development(&wanted).unwrap();
}

/// A new certificate for the same key: what an issuer's renewal is.
fn renew(port: &Port) {
    let key = kouan_sm::AnyPrivateKey::from_pem(&read(&port.path("keys/client.key.pem")), Some(PASSWORD)).unwrap();
    let issuer_key = read(&port.path("keys/development-ca.key.pem"));
    let kouan_sm::AnyPrivateKey::Sm2(issuer_key) =
        kouan_sm::AnyPrivateKey::from_pem(&issuer_key, Some(PASSWORD)).unwrap()
    else {
        panic!("an SM2 key")
    };
    let kouan_sm::AnyPrivateKey::Sm2(key) = key else { panic!("an SM2 key") };
    let (issuer, old) = (port.certificate("development-ca"), port.certificate("client"));
    let now = SystemClock.now();
    let subject = kouan_sm::DistinguishedName {
        country: "CN".into(),
        organization: "口岸示例贸易有限公司".into(),
        unit: "Development".into(),
        common_name: CLIENT.into(),
    };
    let request = kouan_sm::LeafRequest {
        subject: &subject,
        key: key.public_key(),
        not_before: now.plus_millis(-86_400_000),
        not_after: now.plus_millis(365 * 86_400_000),
        card: old.card(),
        encrypts: true,
    };
    let issued = kouan_sm::Issuer { certificate: &issuer, key: &issuer_key };
    let renewed = kouan_sm::issue_leaf(issued, &request).unwrap();
    assert_ne!(renewed.serial(), old.serial());
    let temporary = port.path("keys/client.cert.pem.new");
    std::fs::write(&temporary, renewed.to_pem()).unwrap();
    std::fs::rename(temporary, port.path("keys/client.cert.pem")).unwrap();
}

/// The window is told first: an envelope carries its key's name only, so who reads it must have the certificate.
fn announce_renewal(port: &mut Port) {
    port.close_window();
    renew(port);
    port.open_window();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_certificate_replaced_before_the_first_attempt_seals_with_the_new_one() {
    let mut port = Port::closed(Setup::default());
    // No way to the window yet: nothing is attempted.
    std::fs::create_dir(port.path("queue.db")).unwrap();
    let gateway = port.start();
    port.drop_import("C1");
    until("it waits", || is(&gateway, "C1", Delivery::Ready));
    renew(&port);
    let serial = port.certificate("client").serial().to_owned();
    std::fs::remove_dir(port.path("queue.db")).unwrap();
    port.open_window();
    concluded(&gateway, "C1");
    assert_eq!(certificates_of_attempts(&gateway, "C1"), [serial]);
}

fn certificates_of_attempts(gateway: &Gateway, key: &str) -> Vec<String> {
    let events = gateway.journal().timeline(the_one(gateway, key).unwrap().id).unwrap();
    let sending = events.iter().filter(|event| event.kind == "sending");
    sending
        .map(|event| {
            let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
            data["certificate"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn a_certificate_replaced_after_safe_failures_seals_anew_under_the_same_wire_id() {
    // Every attempt is refused, and may be tried for a long time.
    let window = "transport = \"lossy\"\nrepeats = \"none\"\nfaults = { refuse = 1.0 }".to_owned();
    let mut port = Port::new(Setup { window, repeats: Repeats::None, ..Setup::default() });
    let gateway = patient(&port);
    port.drop_import("S1");
    until("an attempt failed safely", || attempts(&gateway, "S1") > 0 && is(&gateway, "S1", Delivery::Ready));
    let before = detail(&gateway, "S1").parts[0].clone();
    gateway.drain();
    announce_renewal(&mut port);
    port.setup.window = "repeats = \"none\"".into();
    let gateway = port.start();
    concluded(&gateway, "S1");
    let after = detail(&gateway, "S1").parts[0].clone();
    assert_eq!((after.wire_id, after.payload_digest), (before.wire_id, before.payload_digest));
    assert_ne!(after.sealed_digest, before.sealed_digest);
    assert_eq!(port.ledger().inbound[0].count, 1);
}

fn attempts(gateway: &Gateway, key: &str) -> u32 {
    the_one(gateway, key).map_or(0, |_| detail(gateway, key).parts.first().map_or(0, |part| part.state.attempts))
}

/// Never gives up.
fn patient(port: &Port) -> Gateway {
    let mut config = port.config();
    config.retry.attempts = u32::MAX;
    Gateway::start(config, &Port::registry(), port.setup.clock.clone()).unwrap()
}

#[test]
fn a_certificate_replaced_while_in_doubt_parks_with_the_reason() {
    // Each attempt vanishes, and repeats are allowed: it stays in doubt.
    let window = "transport = \"lossy\"\nrepeats = \"wire-id\"\nfaults = { vanish = 1.0 }".to_owned();
    let port = Port::new(Setup { window, ..Setup::default() });
    let gateway = patient(&port);
    port.drop_import("D1");
    until("it is in doubt", || is(&gateway, "D1", Delivery::InDoubt));
    renew(&port);
    until("it is parked", || the_one(&gateway, "D1").unwrap().hold == Hold::Parked);
    let part = detail(&gateway, "D1").parts[0].clone();
    assert_eq!(part.reason.unwrap().code, "KOUAN-KERNEL-CERT-REPLACED-IN-DOUBT");
    assert_eq!(part.state.delivery, Delivery::InDoubt, "a hold changes no delivery");
}

// ---------------------------------------------------------------- clock and journal

#[test]
fn a_clock_set_back_by_a_day_repeats_no_wire_id_and_stops_nothing() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let port = Port::new(Setup { clock: clock.clone(), ..Setup::default() });
    let gateway = port.start();
    (0..3).for_each(|n| port.drop_import(&format!("B{n}")));
    (0..3).for_each(|n| concluded_while(&gateway, &clock, &format!("B{n}")));
    clock.set(SystemClock.now().plus_millis(-86_400_000 + 60_000));
    (3..6).for_each(|n| port.drop_import(&format!("B{n}")));
    (3..6).for_each(|n| concluded_while(&gateway, &clock, &format!("B{n}")));
    drop(gateway);
    let gateway = port.start();
    port.drop_import("B6");
    concluded_while(&gateway, &clock, "B6");
    let mut ids: Vec<_> = port.ledger().inbound.into_iter().map(|arrival| arrival.wire_id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), 7);
}

/// Waits while the clock goes on.
fn concluded_while(gateway: &Gateway, clock: &ManualClock, key: &str) {
    until(&format!("{key} is concluded"), || {
        clock.advance(5);
        outcome(gateway, key) == Some(Outcome::Concluded)
    });
}

#[test]
fn a_journal_cut_short_is_refused_by_name_and_left_as_it_is() {
    let port = Port::new(Setup::default());
    let gateway = port.start();
    port.drop_import("J1");
    concluded(&gateway, "J1");
    gateway.drain();
    let path = kouan_kernel::journal_path(&port.config());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    port.drop_import("J2");
    let Err(KernelError::Journal(error)) = port.try_start() else { panic!("a cut journal must not start") };
    assert_eq!(error.code(), "KOUAN-JOURNAL-CORRUPT");
    assert_eq!(std::fs::read(&path).unwrap().len(), whole.len() / 2, "evidence is not touched");
    assert_eq!(port.names("OutBox"), ["J2.xml"], "nothing was taken in");
    // Brought back from a copy, it goes on.
    std::fs::write(&path, whole).unwrap();
    let gateway = port.start();
    concluded(&gateway, "J2");
}

#[test]
fn an_environment_is_not_crossed() {
    let port = Port::new(Setup::default());
    port.start().drain();
    let mut config = port.config();
    config.environment = kouan_kernel::config::Environment::Production;
    let start = |config| Gateway::start(config, &Port::registry(), port.setup.clock.clone());
    let Err(KernelError::Plugin { source, .. }) = start(config.clone()) else {
        panic!("development keys must not start")
    };
    assert_eq!(source.code, "KOUAN-KERNEL-ENVIRONMENT-CROSSED");
    // Also with keys that would do, the journal is the rehearsal's.
    config.window.trust.clear();
    config.identity[0].security.settings["certificate"] = "keys/none.pem".into();
    let Err(KernelError::Journal(error)) = start(config) else { panic!("a test journal must not start in production") };
    assert!(matches!(error, JournalError::Environment { .. }), "{error}");
}

#[test]
fn two_gateways_do_not_share_a_journal() {
    let port = Port::new(Setup::default());
    let first = port.start();
    let Err(KernelError::Journal(error)) = port.try_start() else { panic!("a second gateway must not start") };
    assert_eq!(error.code(), "KOUAN-JOURNAL-IN-USE");
    port.drop_import("T1");
    concluded(&first, "T1");
    first.drain();
    port.start().drain();
}

// ---------------------------------------------------------------- folders and disk

#[test]
fn an_out_box_that_cannot_be_listed_stops_only_itself() {
    let port = Port::new(Setup::default());
    let gateway = port.start();
    port.drop_import("O1");
    concluded(&gateway, "O1");
    // Another folder's OutBox becomes a thing that nobody can list.
    let outbox = port.path("imp-path/Decedoc001/OutBox");
    let outbox = if outbox.is_dir() { outbox } else { other_outbox(&port) };
    // The gateway makes a folder that is missing; who is first is a matter of luck.
    until("it is no folder", || {
        let _ = std::fs::remove_dir(&outbox);
        std::fs::write(&outbox, "no folder").is_ok()
    });
    port.drop_import("O2");
    concluded(&gateway, "O2");
    assert_eq!(doctor(&port, &site()).as_deref(), Some("KOUAN-DIRECTORY-IO"));
    std::fs::remove_file(&outbox).unwrap();
    std::fs::create_dir_all(&outbox).unwrap();
    port.drop_import("O3");
    concluded(&gateway, "O3");
}

fn other_outbox(port: &Port) -> std::path::PathBuf {
    let folders = std::fs::read_dir(port.path("imp-path")).unwrap().flatten().map(|entry| entry.path());
    folders.map(|folder| folder.join("OutBox")).find(|path| *path != port.place("OutBox") && path.is_dir()).unwrap()
}

/// Whether a file system can be mounted here; a test that needs one says that it is left out.
fn may_mount() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mounted = mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], folder.path());
    if mounted {
        unmount(folder.path());
    } else {
        assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none_or(|v| v != "1"), "no right to mount here");
        println!("SKIPPED: no right to mount here");
    }
    mounted
}

fn mount(options: &[&str], folder: &Path) -> bool {
    Command::new("mount").args(options).arg(folder).output().is_ok_and(|output| output.status.success())
}

fn unmount(folder: &Path) {
    let _ = Command::new("umount").arg("-l").arg(folder).output();
}

/// A mounted folder, taken down also after a failure.
struct Mounted(std::path::PathBuf);

impl Mounted {
    fn at(folder: std::path::PathBuf, options: &str) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        assert!(mount(&["-t", "tmpfs", "-o", options, "tmpfs"], &folder));
        Self(folder)
    }

    fn change(&self, options: &str) {
        assert!(mount(&["-o", &format!("remount,{options}")], &self.0), "{options}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

#[test]
fn receipts_wait_for_a_read_only_in_box_and_lie_there_once_it_can_be_written() {
    if !may_mount() {
        return;
    }
    let port = Port::new(Setup::default());
    let inbox = Mounted::at(port.place("InBox"), "size=4m");
    inbox.change("ro");
    let gateway = port.start();
    port.drop_import("I1");
    concluded(&gateway, "I1");
    until("its receipts wait", || gateway.journal().counts().unwrap().pending_effects >= 6);
    assert!(port.names("InBox").is_empty());
    assert_eq!(doctor(&port, &site()).as_deref(), Some("KOUAN-DIRECTORY-NO-ACCESS"));
    inbox.change("rw");
    until("all six are there", || port.names("InBox").len() == 6);
    until("nothing waits", || gateway.journal().counts().unwrap().pending_effects == 0);
    gateway.drain();
}

#[test]
fn receipts_wait_for_an_in_box_without_room_and_lie_there_once_there_is_some() {
    if !may_mount() {
        return;
    }
    let port = Port::new(Setup::default());
    let inbox = Mounted::at(port.place("InBox"), "size=256k");
    let gateway = port.start();
    fill(&port.place("InBox").join(".ballast"));
    port.drop_import("R1");
    concluded(&gateway, "R1");
    until("its receipts wait", || gateway.journal().counts().unwrap().pending_effects >= 6);
    assert!(port.names("InBox").is_empty(), "none is half written");
    std::fs::remove_file(port.place("InBox").join(".ballast")).unwrap();
    until("all six are there", || port.names("InBox").len() == 6);
    assert!(port.inbox("").iter().all(|text| text.trim_end().ends_with('>')), "each is whole");
    until("nothing waits", || gateway.journal().counts().unwrap().pending_effects == 0);
    gateway.drain();
    drop(inbox);
}

#[test]
fn a_file_too_big_that_cannot_be_answered_holds_up_no_other() {
    if !may_mount() {
        return;
    }
    let port = Port::new(Setup { site: "max_file_bytes = 100000".into(), ..Setup::default() });
    let inbox = Mounted::at(port.place("InBox"), "size=4m");
    inbox.change("ro");
    port.drop_file("BIG.xml", &vec![b'x'; 200_000]);
    let gateway = port.start();
    until("it is claimed", || port.names("TempBox").iter().any(|name| name.ends_with("BIG.xml")));
    port.drop_import("G1");
    concluded(&gateway, "G1");
    assert!(port.names("FailBox").is_empty(), "no end is shown before the answer");
    inbox.change("rw");
    until("it is put aside", || port.names("FailBox") == ["BIG.xml"]);
    assert_eq!(port.inbox("Failed_BIG_").len(), 1);
    gateway.drain();
}

#[test]
fn a_full_disk_takes_nothing_in_loses_nothing_and_goes_on_when_there_is_room() {
    if !may_mount() {
        return;
    }
    let port = Port::new(Setup::default());
    let data = Mounted::at(port.path("kouan-data"), "size=24m");
    let gateway = port.start();
    port.drop_import("F1");
    concluded(&gateway, "F1");
    let ballast = port.path("kouan-data/ballast");
    fill(&ballast);
    let numbers: Vec<_> = (0..40).map(|n| format!("FULL{n}")).collect();
    numbers.iter().for_each(|number| port.drop_import(number));
    std::thread::sleep(std::time::Duration::from_millis(500));
    // Each is a file in OutBox or TempBox, or a message: none is gone.
    let known = || {
        let waiting = port.names("OutBox").len() + port.names("TempBox").len() + port.names("SentBox").len();
        assert!(waiting > numbers.len(), "{waiting}");
    };
    known();
    // What the log says, and whoever else hands something to the journal.
    let more = kouan_journal::model::NewMessage {
        site: "erp".into(),
        source_id: "by hand".into(),
        file_name: "MORE.xml".into(),
        headers: Vec::new(),
        body: vec![b'x'; 64 << 10].into(),
    };
    assert_eq!(gateway.journal().accept(vec![more]).unwrap_err().code, "KOUAN-JOURNAL-DISK-FULL");
    std::fs::remove_file(&ballast).unwrap();
    numbers.iter().for_each(|number| concluded(&gateway, number));
    let ledger = port.ledger();
    assert_eq!(ledger.effects.len(), 41);
    assert!(ledger.effects.iter().all(|effect| effect.count == 1) && ledger.alarms.is_empty());
    gateway.drain();
    drop(data);
}

/// Writes until nothing fits any more.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}
