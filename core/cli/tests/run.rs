//! `kouan run` as a service: a process of its own that is told to stop, to read its configuration again, and that meets
//! what it must not start with. The window is `kouan sandbox run`, another process.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking, and says what it skips

mod common;

use common::service::{Folder, Service};
use kouan_journal::{Delivery, JournalOptions, SqliteJournal};
use kouan_sdk::SystemClock;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::sync::Arc;

/// A port with a window at work.
fn rehearsal() -> (Folder, Service) {
    let folder = Folder::new();
    let window = folder.window();
    (folder, window)
}

/// Ended as it must, and said so with the code and its repair.
#[track_caller]
fn ended(output: &Output, exit: i32, code: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    assert!(said.contains(&format!("[{code}]")), "{said}");
    let entry = kouan_sdk::catalogue::lookup(code).unwrap();
    assert!(said.contains(&entry.cause_en) && said.contains(&entry.repair_en), "{said}");
}

#[test]
fn a_stop_lets_what_is_begun_end_and_the_next_start_goes_on() {
    let (folder, window) = rehearsal();
    let numbers: Vec<_> = (0..30).map(|n| format!("STOP{n}")).collect();
    let client = folder.client();
    numbers.iter().for_each(|number| folder.drop_import("Deccus001", number));
    // Somewhere in the middle.
    folder.until("some were sent", || folder.count(Delivery::Sent) > 0);
    client.stop();
    assert_eq!((folder.count(Delivery::Sending), folder.count(Delivery::InDoubt)), (0, 0));
    assert_eq!(folder.kouan(&["evidence", "verify"]).status.code(), Some(0));
    assert_eq!(folder.kouan(&["store", "check"]).status.code(), Some(0));
    let client = folder.client();
    numbers.iter().for_each(|number| folder.concluded(number));
    client.stop();
    window.stop();
    let ledger = kouan_sandbox::Ledger::read(&folder.path("sandbox-data/window.db")).unwrap();
    assert_eq!(ledger.effects.len(), numbers.len());
    assert!(ledger.inbound.iter().all(|arrival| arrival.count == 1), "nothing was sent twice");
    assert!(folder.journal().alarms(10).unwrap().is_empty());
}

#[test]
fn what_was_sealed_here_is_explained_and_trusted_only_by_explain() {
    let (folder, _window) = rehearsal();
    let client = folder.client();
    folder.drop_import("Deccus001", "OURS");
    folder.concluded("OURS");
    client.stop();
    let file = folder.path("sealed.xml");
    let written = folder.kouan(&["message", "body", "OURS", "--sealed", "-o", file.to_str().unwrap()]);
    assert_eq!(written.status.code(), Some(0), "{written:?}");
    let told = folder.kouan(&["explain", "--json", file.to_str().unwrap()]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["kind"], &told["signature"]), (&"envelope".into(), &"valid".into()), "{told}");
    assert_eq!(told["envelope"]["sender"], "DXPENT0000000001");
    // Asked for another certificate, it knows none of ours.
    let window = folder.path("keys/window.cert.pem");
    let told = folder.kouan(&["explain", "--json", "--trust", window.to_str().unwrap(), file.to_str().unwrap()]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_ne!((&told["signature"], &told["trust"]), (&"valid".into(), &"trusted".into()), "{told}");
}

#[test]
fn a_stop_while_no_window_answers_is_no_hurry_and_loses_nothing() {
    let folder = Folder::new();
    let client = folder.client();
    folder.drop_import("Deccus001", "ALONE");
    folder.until("it is sent", || folder.count(Delivery::Sent) == 1);
    client.stop();
    let (client, window) = (folder.client(), folder.window());
    folder.concluded("ALONE");
    client.stop();
    window.stop();
}

#[test]
fn a_changed_configuration_is_taken_over_without_a_restart() {
    let (folder, _window) = rehearsal();
    let client = folder.client();
    folder.drop_import("Deccus001", "BEFORE");
    folder.concluded("BEFORE");
    folder.edit("root = \"imp-path\"", "root = \"other-path\"");
    client.reload();
    client.says("runs with the new configuration");
    folder.drop_below("other-path/Deccus001", "AFTER");
    folder.concluded("AFTER");
    client.stop();
}

#[test]
fn a_wrong_configuration_is_refused_by_its_code_and_the_old_one_stays() {
    let (folder, _window) = rehearsal();
    let client = folder.client();
    let right = std::fs::read_to_string(folder.path("kouan.toml")).unwrap();
    // A journal of another environment: only a start finds that.
    std::fs::create_dir(folder.path("other-data")).unwrap();
    let options = JournalOptions {
        path: folder.path("other-data/journal.db"),
        environment: "production".into(),
        clock: Arc::new(SystemClock),
        default_site: "erp".into(),
        disposing_sites: Vec::new(),
    };
    drop(SqliteJournal::open(options).unwrap());
    let wrong = [
        (format!("frobnicate = 1\n{right}"), "KOUAN-CONFIG-UNKNOWN-KEY"),
        (right.replace("[[site]]", "[[site"), "KOUAN-CONFIG-INVALID"),
        (right.replace("\"embedded\"", "\"carrier-pigeon\""), "KOUAN-HOST-PLUGIN-UNKNOWN"),
        (right.replace("root = \"imp-path\"", "root = 7"), "KOUAN-HOST-SETTINGS-INVALID"),
        (right.replace("environment = \"test\"", "environment = \"production\""), "KOUAN-KERNEL-ENVIRONMENT-CROSSED"),
        (format!("data_dir = \"other-data\"\n{right}"), "KOUAN-JOURNAL-ENVIRONMENT"),
    ];
    for (number, (text, code)) in wrong.into_iter().enumerate() {
        assert_ne!(text, right);
        std::fs::write(folder.path("kouan.toml"), text).unwrap();
        client.reload();
        client.says(&format!("[{code}]"));
        assert_eq!(client.said("the old one stays"), number + 1);
        folder.drop_import("Deccus001", &format!("STILL{number}"));
        folder.concluded(&format!("STILL{number}"));
    }
    std::fs::write(folder.path("kouan.toml"), &right).unwrap();
    client.reload();
    client.says("runs with the new configuration");
    client.stop();
}

#[test]
fn a_log_of_json_lines_holds_nothing_else() {
    let (folder, _window) = rehearsal();
    let client = folder.client_with(&["--log", "json", "-v"]);
    let right = std::fs::read_to_string(folder.path("kouan.toml")).unwrap();
    std::fs::write(folder.path("kouan.toml"), format!("frobnicate = 1\n{right}")).unwrap();
    client.reload();
    client.says("KOUAN-CONFIG-UNKNOWN-KEY");
    let lines = client.stop();
    assert!(lines.contains("the old one stays") && lines.contains("draining"), "{lines}");
    let refused = folder.kouan(&["run", "--log", "json"]);
    assert_eq!(refused.status.code(), Some(78));
    let last = String::from_utf8(refused.stderr).unwrap();
    for line in lines.lines().chain(last.lines()) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        if line["level"] == "ERROR" {
            assert_eq!(line["fields"]["code"], "KOUAN-CONFIG-UNKNOWN-KEY", "{line}");
            assert!(line["fields"]["repair"].is_string(), "{line}");
        }
    }
    assert_eq!(last.lines().count(), 1, "{last}");
}

#[test]
fn what_must_not_start_ends_with_its_exit_code_and_the_repair() {
    let folder = Folder::new();
    folder.client().stop();
    let path = folder.path("kouan-data/journal.db");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    ended(&folder.kouan(&["run"]), 1, "KOUAN-JOURNAL-CORRUPT");
    assert_eq!(std::fs::read(&path).unwrap(), whole[..whole.len() / 2], "evidence is not touched");
    std::fs::write(&path, "no journal".repeat(1000)).unwrap();
    ended(&folder.kouan(&["run"]), 78, "KOUAN-JOURNAL-NOT-A-JOURNAL");
    std::fs::write(&path, whole).unwrap();

    let right = std::fs::read_to_string(folder.path("kouan.toml")).unwrap();
    folder.edit("environment = \"test\"", "environment = \"production\"");
    ended(&folder.kouan(&["run"]), 78, "KOUAN-KERNEL-ENVIRONMENT-CROSSED");
    // Also with keys that would do, the journal is the rehearsal's.
    folder.edit("trust = [\"keys/window.cert.pem\"]", "trust = []");
    folder.edit("keys/client.cert.pem", "keys/none.pem");
    ended(&folder.kouan(&["run"]), 78, "KOUAN-JOURNAL-ENVIRONMENT");
    std::fs::write(folder.path("kouan.toml"), format!("frobnicate = 1\n{right}")).unwrap();
    ended(&folder.kouan(&["run"]), 78, "KOUAN-CONFIG-UNKNOWN-KEY");
    std::fs::remove_file(folder.path("kouan.toml")).unwrap();
    ended(&folder.kouan(&["run"]), 78, "KOUAN-CONFIG-UNREADABLE");

    std::fs::write(folder.path("kouan.toml"), right).unwrap();
    let client = folder.client();
    ended(&folder.kouan(&["run"]), 3, "KOUAN-JOURNAL-IN-USE");
    client.stop();
}

/// Bytes of a file that nobody should hold in memory.
const HUGE: usize = 100 << 20;

#[test]
fn a_hundred_megabytes_are_put_aside_in_bounded_memory() {
    let (folder, _window) = rehearsal();
    let client = folder.client();
    folder.drop_import("Deccus001", "SMALL");
    folder.concluded("SMALL");
    let before = client.peak_memory();
    let document = common::service::import("HUGE");
    let (head, tail) = document.split_at(document.len() - "</DecMessage>".len() - 1);
    folder.drop_file("Deccus001", "HUGE.xml", &[head, " ".repeat(HUGE).as_bytes(), tail].concat());
    let report = folder.path("imp-path/Deccus001/Report/HUGE.json");
    folder.until("it is put aside", || report.exists());
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["code"], "KOUAN-DIRECTORY-TOO-BIG");
    folder.drop_import("Deccus001", "NEXT");
    folder.concluded("NEXT");
    let grown = client.peak_memory() - before;
    assert!(grown < HUGE as u64 / 4, "{grown} bytes more than before");
    client.stop();
}

#[test]
fn a_folder_that_may_not_be_read_stops_only_itself_and_is_told() {
    let folder = Folder::of_nobody();
    let mode = |mode: u32| {
        let outbox = folder.path("imp-path/Deccus001/OutBox");
        std::fs::set_permissions(outbox, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    folder.drop_import("Deccus001", "LOCKED");
    mode(0);
    if std::fs::read_dir(folder.path("imp-path/Deccus001/OutBox")).is_err() || folder.is_of_nobody() {
        let _window = folder.window();
        let client = folder.client();
        folder.drop_import("Others", "BESIDE");
        folder.concluded("BESIDE");
        client.says("an OutBox cannot be listed");
        let doctor = folder.kouan(&["doctor", "--json"]);
        let said = String::from_utf8_lossy(&doctor.stdout);
        assert!(doctor.status.code() == Some(1) && said.contains("KOUAN-DIRECTORY-NO-ACCESS"), "{said}");
        mode(0o755);
        folder.concluded("LOCKED");
        client.stop();
    } else {
        mode(0o755);
        common::service::skip("nothing is forbidden to this user here");
    }
}
