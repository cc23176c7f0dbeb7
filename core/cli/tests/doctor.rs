//! `kouan doctor` as a user runs it: on a fresh folder, and on broken ones.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking, and says what it skips

mod common;

use kouan_journal::{Journal, JournalOptions, SqliteJournal};
use kouan_sdk::{Clock, SystemClock};
use kouan_security_software::{Development, generate_development};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

/// A folder as `kouan init` makes it.
struct Fresh(tempfile::TempDir);

impl Fresh {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let made = common::kouan(&["init", folder.0.path().to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, more: &[&str]) -> Output {
        let config = self.path("kouan.toml");
        common::kouan(&[&["doctor", "--config", config.to_str().unwrap()], more].concat())
    }

    fn json(&self) -> (Option<i32>, Value) {
        let output = self.run(&["--json"]);
        let printed = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        (output.status.code(), printed)
    }

    /// Changes the configuration.
    fn edit(&self, from: &str, to: &str) {
        let path = self.path("kouan.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Another certificate for the client, for so many days from now; its key with it.
    fn certify(&self, days: u32, shift_ms: i64) {
        for suffix in ["key", "cert"] {
            std::fs::remove_file(self.path(&format!("keys/client.{suffix}.pem"))).unwrap();
        }
        let (keys, pin) = (self.path("keys"), std::fs::read_to_string(self.path("keys/pin")).unwrap());
        let now = SystemClock.now().plus_millis(shift_ms);
        let mut wanted = Development::new(&keys, "client", "DXPENT0000000001", pin.trim(), now);
        wanted.days = days;
        generate_development(&wanted).unwrap();
    }

    fn journal(&self, environment: &str, clock: Arc<dyn Clock>) -> SqliteJournal {
        std::fs::create_dir_all(self.path("kouan-data")).unwrap();
        SqliteJournal::open(JournalOptions {
            path: self.path("kouan-data/journal.db"),
            environment: environment.into(),
            clock,
            default_site: "erp".into(),
            disposing_sites: vec![],
        })
        .unwrap()
    }
}

fn check<'v>(printed: &'v Value, area: &str) -> &'v Value {
    let found = printed["checks"].as_array().unwrap().iter().find(|check| check["area"] == area);
    found.unwrap_or_else(|| panic!("no check of {area} in {printed}"))
}

#[track_caller]
fn is_red(folder: &Fresh, area: &str, code: &str) {
    let (exit, printed) = folder.json();
    let check = check(&printed, area);
    assert_eq!((exit, &check["light"], &check["code"]), (Some(1), &"red".into(), &code.into()), "{printed:#}");
    for text in ["repair_zh", "repair_en"] {
        assert!(check[text].as_str().is_some_and(|text| !text.is_empty()), "{code} has no {text}");
    }
    assert_eq!(printed["light"], "red");
}

#[test]
fn a_fresh_folder_is_not_red_and_yellow_where_nothing_is_proven() {
    let folder = Fresh::new();
    let (exit, printed) = folder.json();
    assert_eq!((exit, &printed["light"]), (Some(0), &"yellow".into()), "{printed:#}");
    for area in
        ["data", "journal", "clock", "configuration", "identity", "certificate", "site", "window", "trust", "permits"]
    {
        assert_ne!(check(&printed, area)["light"], "red", "{area}");
    }
    for area in ["configuration", "identity", "certificate", "trust"] {
        assert_eq!(check(&printed, area)["light"], "green", "{area}");
    }
    for area in ["window", "journal", "permits"] {
        assert_eq!(check(&printed, area)["light"], "yellow", "{area}");
    }
}

#[test]
fn people_read_it_in_their_language_with_the_repair() {
    let folder = Fresh::new();
    std::fs::remove_file(folder.path("keys/client.key.pem")).unwrap();
    let text = |lang: &str| String::from_utf8(folder.run(&["--lang", lang]).stdout).unwrap();
    assert!(text("zh").contains("✗ 故障") && text("zh").contains("身份 DXPENT0000000001"), "{}", text("zh"));
    assert!(text("en").contains("✗ red") && text("en").contains("→ KOUAN-SECURITY-FILE: "), "{}", text("en"));
}

/// Every light of a fresh folder, and of one where all sorts are broken.
#[test]
fn what_was_found_is_told_in_chinese_too() {
    let folder = Fresh::new();
    let chinese = || {
        let (_, printed) = folder.json();
        for check in printed["checks"].as_array().unwrap() {
            let zh = check["detail_zh"].as_str().unwrap();
            assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{check}");
        }
        let text = String::from_utf8(folder.run(&["--lang", "zh"]).stdout).unwrap();
        let detail = check(&printed, "journal")["detail_zh"].as_str().unwrap().to_owned();
        assert!(text.contains(&detail), "{detail}: {text}");
    };
    chinese();
    drop(folder.journal("test", Arc::new(SystemClock)));
    std::fs::create_dir_all(folder.path("imp-path/Deccus001")).unwrap();
    folder.certify(6, 600_000);
    chinese();
    std::fs::write(folder.path("keys/pin"), "wrong\n").unwrap();
    std::fs::write(folder.path("not-a-folder"), "x").unwrap();
    folder.edit("path = \"queue/window.db\"", "path = \"not-a-folder/window.db\"");
    folder.edit("trust = [\"keys/window.cert.pem\"]", "trust = []");
    chinese();
}

#[test]
fn a_wrong_password_and_a_key_of_another_certificate() {
    let folder = Fresh::new();
    let pin = std::fs::read_to_string(folder.path("keys/pin")).unwrap();
    std::fs::write(folder.path("keys/pin"), "wrong\n").unwrap();
    is_red(&folder, "identity", "KOUAN-SECURITY-WRONG-PASSWORD");
    std::fs::write(folder.path("keys/pin"), pin).unwrap();
    std::fs::copy(folder.path("keys/window.cert.pem"), folder.path("keys/client.cert.pem")).unwrap();
    is_red(&folder, "identity", "KOUAN-SECURITY-CERT-KEY-MISMATCH");
}

#[test]
fn a_certificate_near_its_end_is_yellow_and_after_it_red() {
    let folder = Fresh::new();
    for (days, said) in [(59, "60 days"), (29, "30 days"), (13, "14 days"), (6, "7 days"), (1, "7 days"), (0, "1 days")]
    {
        folder.certify(days, 600_000);
        let (exit, printed) = folder.json();
        let check = check(&printed, "certificate");
        assert_eq!((exit, &check["light"]), (Some(0), &"yellow".into()), "{days}: {printed:#}");
        assert!(check["detail"].as_str().unwrap().contains(said), "{days}: {check}");
    }
    folder.certify(1, -2 * 86_400_000);
    is_red(&folder, "certificate", "KOUAN-SM-CERT-EXPIRED");
    folder.certify(30, 3 * 86_400_000);
    is_red(&folder, "certificate", "KOUAN-CLI-CLOCK-BEHIND");
}

#[test]
fn a_journal_of_another_environment_a_damaged_one_and_one_that_is_none() {
    let folder = Fresh::new();
    drop(folder.journal("production", Arc::new(SystemClock)));
    is_red(&folder, "journal", "KOUAN-JOURNAL-ENVIRONMENT");
    let path = folder.path("kouan-data/journal.db");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    is_red(&folder, "journal", "KOUAN-JOURNAL-CORRUPT");
    std::fs::write(&path, "no journal".repeat(100)).unwrap();
    is_red(&folder, "journal", "KOUAN-JOURNAL-NOT-A-JOURNAL");
}

#[test]
fn a_clock_behind_the_last_event_is_red() {
    let folder = Fresh::new();
    let tomorrow = kouan_sdk::ManualClock::new(SystemClock.now().plus_millis(86_400_000));
    drop(folder.journal("test", Arc::new(tomorrow)));
    is_red(&folder, "clock", "KOUAN-CLI-CLOCK-BEHIND");
}

#[test]
fn alarms_are_told_listed_and_taken_off() {
    let folder = Fresh::new();
    let journal = folder.journal("test", Arc::new(SystemClock));
    Journal::raise_alarm(&journal, "KOUAN-JOURNAL-OVERDUE", "nobody answers", None).unwrap();
    // A gateway runs beside.
    let (exit, printed) = folder.json();
    let found = check(&printed, "journal");
    assert_eq!((exit, &found["code"]), (Some(0), &"KOUAN-CLI-JOURNAL-NEEDS-A-LOOK".into()));
    assert!(found["detail"].as_str().unwrap().contains("alarms 1"), "{found}");
    let config = folder.path("kouan.toml");
    let alarms =
        |more: &[&str]| common::kouan(&[&["message", "alarms", "--config", config.to_str().unwrap()], more].concat());
    let listed: Value = serde_json::from_slice(&alarms(&["--json"]).stdout).unwrap();
    assert_eq!((&listed[0]["code"], &listed[0]["text"]), (&"KOUAN-JOURNAL-OVERDUE".into(), &"nobody answers".into()));
    let text = String::from_utf8(alarms(&[]).stdout).unwrap();
    assert!(text.contains("KOUAN-JOURNAL-OVERDUE") && text.contains("→ "), "{text}");
    let number = listed[0]["id"].to_string();
    assert_eq!(alarms(&["--acknowledge", &number]).status.code(), Some(2), "a reason is required");
    assert_eq!(alarms(&["--acknowledge", &number, "--reason", "settled"]).status.code(), Some(0));
    assert_eq!(alarms(&["--acknowledge", &number, "--reason", "settled"]).status.code(), Some(1));
    assert_eq!(serde_json::from_slice::<Value>(&alarms(&["--json"]).stdout).unwrap(), Value::Array(vec![]));
}

#[test]
fn a_site_and_a_window_that_cannot_be_reached() {
    let folder = Fresh::new();
    std::fs::create_dir_all(folder.path("imp-path/Deccus001")).unwrap();
    std::fs::write(folder.path("not-a-folder"), "x").unwrap();
    folder.edit("root = \"imp-path\"", "root = \"not-a-folder/below\"");
    folder.edit("path = \"queue/window.db\"", "path = \"not-a-folder/window.db\"");
    let (exit, printed) = folder.json();
    assert_eq!((exit, &check(&printed, "window")["light"]), (Some(1), &"red".into()), "{printed:#}");
    assert!(check(&printed, "window")["repair_en"].is_string());
}

#[test]
fn nobody_trusted_and_a_development_key_in_production() {
    let folder = Fresh::new();
    folder.edit("trust = [\"keys/window.cert.pem\"]", "trust = []");
    is_red(&folder, "trust", "KOUAN-KERNEL-NO-TRUST");
    folder.edit("environment = \"test\"", "environment = \"production\"");
    is_red(&folder, "configuration", "KOUAN-KERNEL-ENVIRONMENT-CROSSED");
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let folder = Fresh::new();
    std::fs::write(folder.path("kouan-data"), "a file in its place").unwrap();
    let (exit, printed) = folder.json();
    assert_eq!(exit, Some(1), "{printed:#}");
    if !read_only_possible() {
        assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none_or(|v| v != "1"), "no right to mount here");
        println!("SKIPPED: no right to mount here");
        return;
    }
    std::fs::remove_file(folder.path("kouan-data")).unwrap();
    let script = "mount -t tmpfs -o ro tmpfs \"$1\" && exec \"$2\" doctor --json --config \"$3\"";
    std::fs::create_dir(folder.path("kouan-data")).unwrap();
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script, "sh"])
        .args([&folder.path("kouan-data"), Path::new(env!("CARGO_BIN_EXE_kouan")), &folder.path("kouan.toml")])
        .output()
        .unwrap();
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    assert_eq!(check(&printed, "data")["code"], "KOUAN-CLI-FOLDER-NOT-WRITABLE");
    assert_eq!(output.status.code(), Some(1));
}

fn read_only_possible() -> bool {
    Command::new("unshare").args(["-Urm", "true"]).output().is_ok_and(|output| output.status.success())
}
