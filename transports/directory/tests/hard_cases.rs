//! Half-written, strange, clashing, unreadable and interrupted: each is seen, none is lost, nothing is overwritten.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_sdk::transport::{Disposition, End, Incoming, Outgoing, Receiver, SendOutcome, header, header_value};
use kouan_sdk::{Context, Error, ErrorKind, Light, Log, LogLevel, Timestamp, Transport};
use kouan_transport_directory::PLUGIN;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(30);
const AT: Timestamp = Timestamp::from_millis(1_768_181_710_000);
const DOCUMENT: &[u8] = b"<?xml version=\"1.0\"?><DecMessage><a/></DecMessage>";

struct Site {
    folder: tempfile::TempDir,
    log: Arc<Lines>,
}

/// A log that can be read.
#[derive(Default)]
struct Lines(Mutex<Vec<(LogLevel, String)>>);

impl Log for Lines {
    fn line(&self, level: LogLevel, message: &str) {
        self.0.lock().unwrap().push((level, message.to_owned()));
    }
}

impl Site {
    fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().expect("a folder"), log: Arc::default() };
        fs::create_dir_all(site.folder.path().join("data")).expect("a data folder");
        site
    }

    fn open(&self, more: &str) -> Box<dyn Transport> {
        let make = PLUGIN.transport.expect("a transport");
        let mut context = Context::standalone("erp", self.folder.path().join("data"));
        context.base_dir = self.folder.path().to_owned();
        context.log = self.log.clone();
        make(&context, &format!(r#"{{"root": "imp" {more}}}"#)).expect("a good configuration")
    }

    fn receiver(&self, more: &str) -> Box<dyn Receiver> {
        self.open(more).open_receiver().expect("a receiver")
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join("imp/Deccus001").join(below)
    }

    fn list(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(below)).map(|e| e.flatten().collect::<Vec<_>>()).unwrap_or_default();
        let mut names: Vec<_> = entries.iter().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }

    fn report(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path("Report").join(name)).expect("a report")).expect("JSON")
    }
}

fn one(receiver: &dyn Receiver) -> Incoming {
    receiver.receive(1, 1 << 30, SOON).expect("received").pop().expect("one message")
}

fn end<'a>(incoming: &'a Incoming, end: End) -> Disposition<'a> {
    Disposition {
        source_id: &incoming.source_id,
        headers: &incoming.headers,
        body: &incoming.body,
        end,
        at: AT,
        verdict: Some(b"{\"verdict\":\"ready\"}"),
    }
}

fn headers(name: &str) -> Vec<(String, String)> {
    vec![(header::FORM_ID.into(), "DECCUS001".into()), (header::FILE_NAME.into(), name.into())]
}

fn refusal(outcome: &SendOutcome) -> (bool, String) {
    match outcome {
        SendOutcome::Refused { transient, reason } => (*transient, reason.code.to_string()),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_file_that_still_grows_is_not_taken_until_its_end_is_there() {
    let site = Site::new();
    let receiver = site.receiver(r#", "stable_ms": 0"#);
    let path = site.path("OutBox/a.xml");
    for end in 0..DOCUMENT.len() {
        fs::write(&path, &DOCUMENT[..end]).expect("written");
        assert_eq!(receiver.receive(1, 1, Duration::from_millis(2)), Ok(vec![]), "taken with {end} bytes");
    }
    fs::write(&path, DOCUMENT).expect("written");
    assert_eq!(one(&*receiver).body, DOCUMENT);
}

#[test]
fn a_broken_file_is_taken_in_the_end_so_that_it_can_be_refused() {
    let site = Site::new();
    let receiver = site.receiver(r#", "stable_ms": 10, "incomplete_ms": 40, "scan_interval_ms": 20"#);
    fs::write(site.path("OutBox/a.xml"), b"<DecMessage><a>").expect("written");
    assert_eq!(one(&*receiver).body, b"<DecMessage><a>");
}

#[test]
fn what_a_writer_is_not_done_with_is_ignored() {
    let site = Site::new();
    let receiver = site.receiver(r#", "stable_ms": 0"#);
    for name in [".a.xml", "a.tmp", "a.zip.temp", "a.TMP", "readme.txt"] {
        fs::write(site.path("OutBox").join(name), DOCUMENT).expect("written");
    }
    fs::create_dir(site.path("OutBox/folder.xml")).expect("a folder");
    fs::write(site.path("OutBox/z.xml"), DOCUMENT).expect("written");
    let got = receiver.receive(10, 1 << 30, SOON).expect("received");
    assert_eq!(got.len(), 1);
    assert_eq!(site.list("OutBox").len(), 5, "{:?}", site.list("OutBox"));
    // No message, and nobody's failure: told, but not as an error.
    let told = site.log.0.lock().unwrap();
    let [(LogLevel::Warn, line)] = &told[..] else { panic!("{told:?}") };
    assert!(line.contains("left alone") && line.ends_with("readme.txt"), "{line}");
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_strange_names_are_put_aside() {
    use std::os::unix::ffi::OsStrExt;
    let site = Site::new();
    let receiver = site.receiver(r#", "stable_ms": 0"#);
    let secret = site.folder.path().join("secret.xml");
    fs::write(&secret, DOCUMENT).expect("written");
    std::os::unix::fs::symlink(&secret, site.path("OutBox/link.xml")).expect("a link");
    for name in [&b"a\nb.xml"[..], b"x\\..\\b.xml", b"\xff\xfe.xml"] {
        fs::write(site.path("OutBox").join(std::ffi::OsStr::from_bytes(name)), DOCUMENT).expect("written");
    }
    fs::write(site.path("OutBox/long").with_file_name("e".repeat(220) + ".xml"), DOCUMENT).expect("written");
    let until = Instant::now() + SOON;
    while site.list("OutBox").len() > 1 && Instant::now() < until {
        assert_eq!(receiver.receive(10, 1 << 20, Duration::from_millis(20)), Ok(vec![]));
    }
    assert_eq!(site.list("OutBox"), ["link.xml"]);
    let day = site.list("FailBox").pop().expect("a day");
    assert_eq!(site.list(&format!("FailBox/{day}")).len(), 4);
    assert_eq!(site.report("a_b.json")["code"], "KOUAN-DIRECTORY-NAME-REFUSED");
}

#[test]
fn a_file_that_is_too_big_is_put_aside_with_the_reason() {
    let site = Site::new();
    let receiver = site.receiver(r#", "stable_ms": 0, "max_file_bytes": 20"#);
    fs::write(site.path("OutBox/big.xml"), DOCUMENT).expect("written");
    fs::write(site.path("OutBox/small.xml"), b"<a/>").expect("written");
    let mut got = Vec::new();
    while got.len() < 2 {
        got.extend(receiver.receive(10, 1 << 20, SOON).expect("received"));
    }
    let (refused, taken): (Vec<_>, _) = got.into_iter().partition(|i| header_value(&i.headers, "refused").is_some());
    let reason = header_value(&refused[0].headers, "refused").expect("a reason");
    let (code, text) = reason.split_once(' ').expect("code and text");
    assert_eq!((&*taken[0].body, &*refused[0].body), (&b"<a/>"[..], &b""[..]));
    receiver.reject(refused[0].token, &Error::new(ErrorKind::Invalid, code.to_owned(), text)).expect("rejected");
    assert_eq!(site.report("big.json")["code"], "KOUAN-DIRECTORY-TOO-BIG");
    assert!(site.report("big.json")["repair_zh"].is_string());
}

#[test]
fn a_rejected_file_lies_in_fail_box_with_the_reason() {
    let site = Site::new();
    let receiver = site.receiver(r#", "stable_ms": 0"#);
    fs::write(site.path("OutBox/a.xml"), DOCUMENT).expect("written");
    let got = one(&*receiver);
    receiver.reject(got.token, &Error::new(ErrorKind::Invalid, "KOUAN-TEST", "never")).expect("rejected");
    receiver.reject(got.token, &Error::new(ErrorKind::Invalid, "KOUAN-TEST", "never")).expect("harmless");
    let day = site.list("FailBox").pop().expect("a day");
    assert_eq!(site.list(&format!("FailBox/{day}")), ["a.xml"]);
    assert_eq!((site.list("TempBox"), site.report("a.json")["code"].as_str()), (vec![], Some("KOUAN-TEST")));
}

#[test]
fn existing_folders_are_used_in_their_own_case() {
    let site = Site::new();
    let theirs = site.folder.path().join("imp/DECCUS001/OUTBOX");
    fs::create_dir_all(&theirs).expect("folders");
    fs::write(theirs.join("a.xml"), DOCUMENT).expect("written");
    let receiver = site.receiver(r#", "stable_ms": 0"#);
    let got = one(&*receiver);
    assert!(got.source_id.starts_with("Deccus001/"), "{}", got.source_id);
    assert!(!site.path("OutBox").exists(), "a second folder beside theirs");
    assert!(receiver.dispose(&[end(&got, End::Sent)])[0].is_ok());
    assert!(theirs.with_file_name("SentBox").join("2026-01-12/a.xml").exists());
}

#[test]
fn names_that_clash_are_numbered_and_equal_content_is_there_once() {
    let site = Site::new();
    let receiver = site.receiver(r#", "stable_ms": 0"#);
    for body in ["<a>1</a>", "<a>2</a>", "<a>1</a>"] {
        fs::write(site.path("OutBox/a.xml"), body).expect("written");
        let got = one(&*receiver);
        assert!(receiver.dispose(&[end(&got, End::Sent)])[0].is_ok());
    }
    assert_eq!(site.list("SentBox/2026-01-12"), ["a.xml", "a_2.xml"]);
    assert_eq!(site.list("TempBox"), [""; 0]);
}

/// Whatever a crash left of the steps, doing them again ends in the same files.
#[test]
fn an_end_can_be_shown_again_from_any_state() {
    let temp_there = |site: &Site, got: &Incoming, body: &[u8]| {
        let claim = got.source_id.rsplit('/').next().expect("a claim");
        fs::write(site.path(&format!("TempBox/{claim}__a.xml")), body).expect("written");
    };
    type Left = fn(&Site);
    let states: [(&str, Option<&[u8]>, Left); 6] = [
        ("nothing done", Some(DOCUMENT), |_| {}),
        ("torn by a power cut", Some(&[0; 50]), |_| {}),
        ("its own copy lost", None, |_| {}),
        ("report half written", Some(DOCUMENT), |s| fs::write(s.path("Report/a.json.tmp"), b"{").expect("written")),
        ("copy half written", None, |s| {
            fs::create_dir_all(s.path("SentBox/2026-01-12")).expect("a day");
            fs::write(s.path("SentBox/2026-01-12/a.xml.tmp"), b"<").expect("written");
        }),
        ("placed and not cleared", Some(DOCUMENT), |s| {
            fs::create_dir_all(s.path("SentBox/2026-01-12")).expect("a day");
            fs::write(s.path("SentBox/2026-01-12/a.xml"), DOCUMENT).expect("written");
        }),
    ];
    for (what, body, left) in states {
        let site = Site::new();
        let receiver = site.receiver(r#", "stable_ms": 0"#);
        fs::write(site.path("OutBox/a.xml"), DOCUMENT).expect("written");
        let got = one(&*receiver);
        receiver.close();
        let claimed = site.list("TempBox").pop().expect("a claim");
        fs::remove_file(site.path("TempBox").join(claimed)).expect("removed");
        if let Some(body) = body {
            temp_there(&site, &got, body);
        }
        left(&site);
        let receiver = site.receiver(r#", "stable_ms": 0"#);
        for _ in 0..2 {
            assert_eq!(receiver.dispose(&[end(&got, End::Sent)]), [Ok(())], "{what}");
            assert_eq!(site.list("SentBox/2026-01-12"), ["a.xml"], "{what}");
            assert_eq!(fs::read(site.path("SentBox/2026-01-12/a.xml")).expect("read"), DOCUMENT, "{what}");
            assert_eq!(site.list("TempBox"), [""; 0], "{what}");
            assert_eq!(site.list("Report"), ["a.json"], "{what}");
        }
        assert_eq!(receiver.receive(1, 1, Duration::ZERO), Ok(vec![]), "{what}");
    }
}

#[test]
fn a_disposition_of_nothing_known_is_named() {
    let site = Site::new();
    let receiver = site.receiver("");
    for source_id in ["", "Deccus001", "Deccus001/x", "Elsewhere/7", "../7"] {
        let headers = headers("a.xml");
        let one = Disposition { source_id, headers: &headers, body: DOCUMENT, end: End::Sent, at: AT, verdict: None };
        let error = receiver.dispose(&[one]).remove(0).expect_err(source_id);
        assert_eq!(&*error.code, "KOUAN-DIRECTORY-UNKNOWN-SOURCE");
    }
    let headers = headers("../../a.xml");
    let one =
        Disposition { source_id: "Deccus001/7", headers: &headers, body: b"x", end: End::Sent, at: AT, verdict: None };
    assert_eq!(&*receiver.dispose(&[one])[0].clone().expect_err("refused").code, "KOUAN-DIRECTORY-NAME-REFUSED");
}

#[test]
fn a_receipt_never_overwrites_and_comes_once() {
    let site = Site::new();
    let sender = site.open("").open_sender().expect("a sender");
    let send =
        |name: &str, body: &[u8]| sender.send(&[Outgoing { id: "r1", body, headers: &headers(name) }], SOON).remove(0);
    fs::write(site.path("InBox/r.xml.tmp"), b"left by a crash").expect("written");
    assert_eq!(send("r.xml", b"<r/>"), SendOutcome::Confirmed);
    assert_eq!(send("r.xml", b"<r/>"), SendOutcome::Confirmed);
    assert_eq!(refusal(&send("r.xml", b"<other/>")), (false, "KOUAN-DIRECTORY-NAME-TAKEN".into()));
    assert_eq!(
        (site.list("InBox"), fs::read(site.path("InBox/r.xml")).ok()),
        (vec!["r.xml".into()], Some(b"<r/>".into()))
    );
    for name in ["../r.xml", "a/b.xml", "r.tmp", ".r.xml", ""] {
        assert_eq!(refusal(&send(name, b"x")), (false, "KOUAN-DIRECTORY-NAME-REFUSED".into()), "{name}");
    }
    let unknown = vec![(header::FOLDER.to_owned(), "Elsewhere".to_owned())];
    let outcome = sender.send(&[Outgoing { id: "r2.xml", body: b"x", headers: &unknown }], SOON).remove(0);
    assert_eq!(refusal(&outcome), (false, "KOUAN-DIRECTORY-UNKNOWN-FOLDER".into()));
    let outcome = sender.send(&[Outgoing { id: "r3.xml", body: b"x", headers: &[] }], SOON).remove(0);
    assert_eq!(outcome, SendOutcome::Confirmed);
    assert!(site.folder.path().join("imp/Others/InBox/r3.xml").exists());
}

#[test]
fn a_receipt_of_a_stranger_goes_below_others_and_nowhere_else() {
    let site = Site::new();
    let sender = site.open("").open_sender().expect("a sender");
    let send = |below: &str, body: &[u8]| {
        let mut headers = headers("r.xml");
        headers.push((header::OTHERS_FOLDER.to_owned(), below.to_owned()));
        sender.send(&[Outgoing { id: "r1", body, headers: &headers }], SOON).remove(0)
    };
    assert_eq!(send("INV", b"<r/>"), SendOutcome::Confirmed);
    assert_eq!(send("INV", b"<r/>"), SendOutcome::Confirmed);
    assert_eq!(refusal(&send("INV", b"<other/>")), (false, "KOUAN-DIRECTORY-NAME-TAKEN".into()));
    let others = site.folder.path().join("imp/Others/InBox");
    assert_eq!(fs::read(others.join("INV/r.xml")).ok(), Some(b"<r/>".to_vec()));
    assert_eq!(site.list("InBox"), [] as [&str; 0]);
    for below in ["../INV", "a/b", ".INV", "..", ""] {
        assert_eq!(refusal(&send(below, b"x")), (false, "KOUAN-DIRECTORY-NAME-REFUSED".into()), "{below}");
    }
}

#[test]
fn types_that_share_a_folder_share_its_boxes() {
    let site = Site::new();
    let folders = r#", "stable_ms": 0, "folders": [{"form_id": "SAS121", "folder": "Sas"}, {"form_id": "EML111", "folder": "Npts"},
        {"form_id": "SAS111", "folder": "Sas"}]"#;
    let transport = site.open(folders);
    let receiver = transport.open_receiver().expect("a receiver");
    let sender = transport.open_sender().expect("a sender");
    let out = site.folder.path().join("imp/Sas/OutBox/a.xml");
    fs::write(&out, DOCUMENT).expect("written");
    let taken = one(&*receiver);
    assert_eq!(header_value(&taken.headers, header::FOLDER), Some("Sas"));
    assert_eq!(header_value(&taken.headers, header::FORM_ID), Some("SAS121"));
    for (form, name) in [("SAS121", "1.xml"), ("sas111", "2.xml")] {
        let headers =
            vec![(header::FORM_ID.to_owned(), form.to_owned()), (header::FILE_NAME.to_owned(), name.to_owned())];
        let outcome = sender.send(&[Outgoing { id: name, body: b"<r/>", headers: &headers }], SOON).remove(0);
        assert_eq!(outcome, SendOutcome::Confirmed, "{form}");
        assert!(site.folder.path().join("imp/Sas/InBox").join(name).exists(), "{form}");
    }
    receiver.close();
}

#[test]
fn two_gateways_do_not_share_an_out_box() {
    let site = Site::new();
    let first = site.receiver("");
    assert_eq!(
        site.open("").open_receiver().err().map(|e| e.code.to_string()).as_deref(),
        Some("KOUAN-DIRECTORY-IN-USE")
    );
    first.close();
    assert!(site.open("").open_receiver().is_ok());
}

#[test]
fn ten_thousand_files_at_once_come_in_order_and_once() {
    let site = Site::new();
    let receiver = site.receiver(r#", "stable_ms": 0"#);
    for n in 0..10_000 {
        fs::write(site.path(&format!("OutBox/{n:05}.xml")), format!("<a>{n}</a>")).expect("written");
    }
    let mut next = 0;
    while next < 10_000 {
        for got in receiver.receive(500, 1 << 20, SOON).expect("received") {
            assert_eq!(got.body, format!("<a>{next}</a>").into_bytes());
            next += 1;
        }
    }
    assert_eq!((site.list("OutBox").len(), site.list("TempBox").len()), (0, 10_000));
}

#[test]
fn probe_is_yellow_before_and_green_after_the_first_start() {
    let site = Site::new();
    assert_eq!(site.open("").probe().light, Light::Yellow);
    assert!(!site.folder.path().join("imp").exists(), "probe makes folders");
    site.receiver("").close();
    let health = site.open("").probe();
    assert_eq!(health.light, Light::Green, "{health:?}");
    assert_eq!((site.list("OutBox"), site.list("TempBox"), site.list("InBox")), (vec![], vec![], vec![]));
}

/// Runs one ignored test of this file inside a mount namespace, where the system allows one.
#[cfg(target_os = "linux")]
fn in_mount_namespace(script: &str, test: &str, folder: &Path) {
    let me = std::env::current_exe().expect("this test");
    let allowed = std::process::Command::new("unshare").args(["-Urm", "true"]).status().is_ok_and(|s| s.success());
    if !allowed {
        assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none(), "unshare -Urm is refused");
        eprintln!("SKIPPED: unshare -Urm is refused here");
        return;
    }
    let script = format!("set -e; {script}; exec '{}' --ignored --exact {test} --nocapture", me.display());
    let output = std::process::Command::new("unshare")
        .args(["-Urm", "sh", "-c", &script])
        .env("KOUAN_TEST_FOLDER", folder)
        .output()
        .expect("unshare");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

fn in_folder(more: &str) -> Box<dyn Transport> {
    let folder = PathBuf::from(std::env::var_os("KOUAN_TEST_FOLDER").expect("a folder"));
    let make = PLUGIN.transport.expect("a transport");
    let mut context = Context::standalone("erp", folder.join("data"));
    context.base_dir = folder;
    make(&context, &format!(r#"{{"root": "imp" {more}}}"#)).expect("a good configuration")
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_in_box_refuses_for_now() {
    let site = Site::new();
    site.receiver("").close();
    let inbox = site.path("InBox").display().to_string();
    let script = format!("mount --bind '{inbox}' '{inbox}'; mount -o remount,bind,ro '{inbox}'");
    in_mount_namespace(&script, "inside_a_read_only_in_box", site.folder.path());
}

#[test]
#[ignore = "started by a_read_only_in_box_refuses_for_now"]
fn inside_a_read_only_in_box() {
    let sender = in_folder("").open_sender().expect("a sender");
    let outcome = sender.send(&[Outgoing { id: "r", body: b"x", headers: &headers("r.xml") }], SOON).remove(0);
    assert_eq!(refusal(&outcome), (true, "KOUAN-DIRECTORY-NO-ACCESS".into()));
    assert_eq!(in_folder("").probe().code.as_deref(), Some("KOUAN-DIRECTORY-NO-ACCESS"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_refuses_for_now_and_leaves_no_half_file() {
    let site = Site::new();
    site.receiver("").close();
    let inbox = site.path("InBox").display().to_string();
    let script = format!("mount -t tmpfs -o size=64k tmpfs '{inbox}'");
    in_mount_namespace(&script, "inside_a_full_disk", site.folder.path());
}

#[test]
#[ignore = "started by a_full_disk_refuses_for_now_and_leaves_no_half_file"]
fn inside_a_full_disk() {
    let sender = in_folder("").open_sender().expect("a sender");
    let (big, names) = (vec![b'x'; 200_000], [headers("big.xml"), headers("small.xml")]);
    let batch =
        [Outgoing { id: "1", body: &big, headers: &names[0] }, Outgoing { id: "2", body: b"x", headers: &names[1] }];
    let outcomes = sender.send(&batch, SOON);
    assert_eq!(refusal(&outcomes[0]), (true, "KOUAN-DIRECTORY-DISK-FULL".into()));
    assert_eq!(outcomes[1], SendOutcome::Confirmed, "one that fits goes on");
    let folder = PathBuf::from(std::env::var_os("KOUAN_TEST_FOLDER").expect("a folder"));
    let names: Vec<_> = fs::read_dir(folder.join("imp/Deccus001/InBox")).expect("listed").flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn out_box_and_temp_box_on_two_file_systems_are_named() {
    let site = Site::new();
    site.receiver("").close();
    let temp = site.path("TempBox").display().to_string();
    in_mount_namespace(&format!("mount -t tmpfs tmpfs '{temp}'"), "inside_two_file_systems", site.folder.path());
}

#[test]
#[ignore = "started by out_box_and_temp_box_on_two_file_systems_are_named"]
fn inside_two_file_systems() {
    assert_eq!(in_folder("").probe().code.as_deref(), Some("KOUAN-DIRECTORY-TWO-FILESYSTEMS"));
}
