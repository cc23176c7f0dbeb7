//! What comes out of envelopes is bounded: bombs are kept back by their code, and many large ones are not held at once.
//! Alone in its process, whose memory is measured.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod port;

use kouan_dxp::{DxpMsg, SignatureProfile, Unsigned, WireId};
use kouan_host::Contexts;
use kouan_journal::SqliteJournal;
use kouan_sdk::transport::{Outgoing, SendOutcome};
use kouan_sdk::{Clock, SystemClock};
use kouan_sm::AnyPrivateKey;
use port::{CLIENT, PASSWORD, Port, Setup, WINDOW, concluded, until};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest payload that this gateway takes, in bytes.
const LONGEST: usize = 4 << 20;

/// Envelopes of that length, and such as are far longer.
const LARGE: usize = 64;
const BOMBS: usize = 6;
/// Those of somebody who is not trusted.
const FORGED: usize = 6;

#[test]
fn bombs_in_envelopes_are_kept_back_and_memory_stays_bounded() {
    let more = format!("[limits]\nmax_message_bytes = {LONGEST}\nmax_document_bytes = {LONGEST}\n");
    let port = Port::new(Setup { more, ..Setup::default() });
    let gateway = port.start();
    port.drop_import("BEFORE");
    concluded(&gateway, "BEFORE");
    let large = vec![b' '; LONGEST];
    let bomb = vec![b' '; 32 * LONGEST];
    // All lie in the queue before the first is opened.
    gateway.drain();
    let envelopes = (0..BOMBS)
        .map(|n| packed(&port, "window", n, &bomb))
        .chain((0..FORGED).map(|n| packed(&port, "other", 100 + n, &bomb)))
        .chain((0..LARGE).map(|n| packed(&port, "window", 200 + n, &large)))
        .collect::<Vec<_>>();
    assert!(envelopes.iter().all(|(_, bytes)| bytes.len() < LONGEST / 4), "small as they come");
    drop((large, bomb));
    send(&port, &envelopes);
    let before = forget_peak();
    let gateway = port.start();
    port.drop_import("AFTER");
    concluded(&gateway, "AFTER");
    let all = (BOMBS + FORGED + LARGE) as u64;
    until("all were opened", || {
        let counts = gateway.journal().counts().unwrap();
        counts.quarantined == (BOMBS + FORGED) as u64 && counts.unmatched == LARGE as u64
    });
    let grown = peak() - before;
    assert!(gateway.journal().counts().unwrap().inbound >= all);
    assert!(grown < (LARGE * LONGEST / 2) as u64, "{grown} bytes more than before");
    gateway.drain();
    let expected = [("KOUAN-DXP-PAYLOAD-TOO-BIG", BOMBS), ("KOUAN-DXP-CERTIFICATE-UNKNOWN", FORGED)];
    assert_eq!(quarantined(&port), expected.map(|(code, count)| (code.to_owned(), count)).into());
}

/// An envelope for the client whose payload is packed.
fn packed(port: &Port, signer: &str, number: usize, payload: &[u8]) -> (String, Vec<u8>) {
    let pem = std::fs::read_to_string(port.path(&format!("keys/{signer}.key.pem"))).unwrap();
    let AnyPrivateKey::Sm2(key) = AnyPrivateKey::from_pem(&pem, Some(PASSWORD)).unwrap() else { panic!("an SM2 key") };
    let (now, profile) = (SystemClock.now(), SignatureProfile::transport());
    let id = WireId::new(WINDOW, now, number.try_into().unwrap()).unwrap();
    let mut message = DxpMsg::new(&id, vec![CLIENT.into()], now, "DECCUS001", payload);
    message.zipped = true;
    let unsigned = Unsigned::envelope(&message, &profile, &port.certificate(signer)).unwrap();
    let signature = key.sign(&profile.user_id, unsigned.signed_info()).unwrap();
    (message.cop_msg_id, unsigned.seal(signature.as_bytes()).unwrap())
}

/// As the window sends.
fn send(port: &Port, envelopes: &[(String, Vec<u8>)]) {
    let contexts = Contexts::new(port.path("more-data"), port.folder.path(), port.setup.clock.clone());
    let context = contexts.context("window", "more").unwrap();
    let settings = r#"{"path":"queue.db","side":"window"}"#;
    let transport = Port::registry().transport("embedded", &context, settings).unwrap();
    let sender = transport.open_sender().unwrap();
    for (id, body) in envelopes {
        let outcome = sender.send(&[Outgoing { id, body, headers: &[] }], Duration::from_secs(30)).pop();
        assert!(matches!(outcome, Some(SendOutcome::Confirmed)), "{outcome:?}");
    }
    sender.close();
}

/// Codes of what was kept back, and how often.
fn quarantined(port: &Port) -> BTreeMap<String, usize> {
    let journal = SqliteJournal::open_read_only(&kouan_kernel::journal_path(&port.config())).unwrap();
    let mut codes = BTreeMap::new();
    for event in journal.events_since(0, 100_000).unwrap().iter().filter(|event| event.kind == "quarantined") {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        *codes.entry(data["reason"]["code"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    codes
}

/// The most memory that this process ever held, in bytes; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap_or_default() << 10
}

/// Lets the system count anew; what it counts from.
fn forget_peak() -> u64 {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak()
}
