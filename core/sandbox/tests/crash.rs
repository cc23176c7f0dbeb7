//! A window that is killed, again and again, loses no effect and doubles none, and sends the same sealed bytes.

#![allow(clippy::unwrap_used, reason = "a test stops when it cannot go on")]

mod common;

use common::{Bench, payload, settled, wait_for};
use kouan_dxp::SignatureProfile;
use kouan_sandbox::{Ledger, Repeats};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const MESSAGES: u16 = 120;
const FOLDER: &str = "KOUAN_SANDBOX_TEST_FOLDER";
const SCENARIO: &str = "seed = 5\n[[rule]]\nstep_delay_ms = 5\nfaults = { duplicated = 0.2 }";

/// No protection against repeats: whatever is processed twice shows. Certificates go along, because each process makes
/// its own.
fn bench(folder: &Path) -> Bench {
    let mut bench = Bench::at(folder, Repeats::None, SCENARIO);
    bench.config.profile = SignatureProfile::business();
    bench.config.max_batch = 8;
    bench
}

#[test]
#[ignore = "the window process of the other tests; they start it"]
fn window_process() {
    let folder = std::env::var_os(FOLDER).unwrap();
    #[cfg(feature = "failpoints")]
    let _scenario = fail::FailScenario::setup();
    let stop = AtomicBool::new(false);
    let sandbox = bench(Path::new(&folder)).open();
    std::thread::scope(|scope| {
        // Never left behind, whatever becomes of the test.
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(120));
            std::process::exit(3);
        });
        sandbox.run(&stop).unwrap();
    });
}

fn start(folder: &Path, failpoints: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "window_process"])
        .env(FOLDER, folder)
        .env("FAILPOINTS", failpoints)
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// How far it came.
fn progress(ledger: &Ledger) -> u64 {
    let sent: u64 = ledger.receipts.iter().map(|receipt| receipt.times_sent).sum();
    ledger.inbound.len() as u64 + sent
}

fn send_all(bench: &Bench) {
    let all: Vec<_> = (0..MESSAGES).map(|n| bench.envelope(n, "TINY", &payload(&format!("K{n}"), ""))).collect();
    bench.send(&all);
}

/// Lets a last window finish, and checks what the client has against what the window says.
fn finish(bench: &Bench) {
    let last = start(&bench.folder, "");
    let ledger = wait_for(&bench.config.path, settled(MESSAGES.into()));
    kill(last);
    assert_eq!(ledger.effects.len(), usize::from(MESSAGES));
    assert!(ledger.effects.iter().all(|effect| effect.count == 1), "an effect was doubled");
    assert!(ledger.alarms.is_empty() && ledger.refused.is_empty(), "{ledger:?}");
    let mut received: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (message, body) in bench.received() {
        received.entry(message.unwrap().cop_msg_id).or_default().insert(body);
    }
    assert!(received.values().all(|bodies| bodies.len() == 1), "one wire id came with two envelopes");
    let promised: BTreeSet<_> = ledger.receipts.iter().map(|receipt| receipt.wire_id.clone()).collect();
    assert_eq!(received.into_keys().collect::<BTreeSet<_>>(), promised);
    assert_eq!(promised.len(), usize::from(MESSAGES) * 3);
}

#[test]
fn killed_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(folder.path());
    send_all(&bench);
    let mut reached = 0;
    for round in 1..=6 {
        let child = start(folder.path(), "");
        let ledger = wait_for(&bench.config.path, |ledger| {
            progress(ledger) > reached + round * 7 || ledger.pending == 0 && progress(ledger) > 0
        });
        kill(child);
        reached = progress(&ledger);
    }
    finish(&bench);
}

#[cfg(all(unix, feature = "failpoints"))]
#[test]
fn ended_where_it_hurts_most() {
    for place in ["sandbox::before-commit", "sandbox::taken-before-settle", "sandbox::sent-before-record"] {
        let folder = tempfile::tempdir().unwrap();
        let bench = bench(folder.path());
        send_all(&bench);
        for passes in [0, 1, 3] {
            let status = start(folder.path(), &format!("{place}={passes}*off->return")).wait().unwrap();
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&status),
                Some(6),
                "{place} was not met: {status}"
            );
        }
        finish(&bench);
    }
}
