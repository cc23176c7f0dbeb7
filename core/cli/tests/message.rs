//! `kouan message`, `kouan store` and exit codes, on a journal made by hand.
#![allow(clippy::unwrap_used)]

mod common;

use kouan_journal::model::{NewInbound, OpenResult, Opened, Reason};
use kouan_journal::{Journal, JournalOptions, SqliteJournal, testing};
use kouan_sdk::SystemClock;
use serde_json::{Value, json};
use std::process::Output;
use std::sync::Arc;

/// A folder as `kouan init` makes it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let made = common::kouan(&["init", folder.0.path().to_str().unwrap()]);
        assert!(made.status.success(), "{made:?}");
        folder
    }

    fn run(&self, args: &[&str]) -> Output {
        let config = self.0.path().join("kouan.toml");
        common::kouan(&[args, &["--config", config.to_str().unwrap()]].concat())
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"))
    }

    fn journal(&self) -> SqliteJournal {
        std::fs::create_dir_all(self.0.path().join("kouan-data")).unwrap();
        SqliteJournal::open(JournalOptions {
            path: self.0.path().join("kouan-data/journal.db"),
            environment: "test".into(),
            clock: Arc::new(SystemClock),
            default_site: "erp".into(),
            disposing_sites: vec!["erp".into()],
        })
        .unwrap()
    }
}

#[test]
fn what_is_quarantined_is_shown_with_its_reason_and_released_for_a_reason() {
    let folder = Folder::new();
    let journal = folder.journal();
    let came = NewInbound { source_id: "1".into(), headers: Vec::new(), raw: Arc::from(&b"<a/>"[..]) };
    Journal::accept_inbound(&journal, vec![came]).unwrap();
    let id = Journal::unopened(&journal, kouan_journal::model::InboundId(0), 1, usize::MAX).unwrap()[0].id;
    let refused = OpenResult::Quarantined(Reason::new("KOUAN-DXP-DIGEST-MISMATCH", "changed on the way"));
    Journal::record_opened(&journal, vec![Opened { id, result: refused }]).unwrap();

    let shown = folder.json(&["message", "quarantined"]);
    assert_eq!(shown[0]["reason"]["code"], "KOUAN-DXP-DIGEST-MISMATCH");
    let text = String::from_utf8(folder.run(&["message", "quarantined"]).stdout).unwrap();
    assert!(text.contains("changed on the way") && text.contains("→"), "{text}");
    assert_eq!(folder.run(&["message", "quarantined", "--retry"]).status.code(), Some(2), "without a reason");

    let retried = folder.json(&["message", "quarantined", "--retry", "--reason", "the certificate is replaced"]);
    assert_eq!(retried, json!({"retried": 1}));
    assert_eq!(folder.json(&["message", "quarantined"]), json!([]));
    assert_eq!(Journal::unopened(&journal, kouan_journal::model::InboundId(0), 9, usize::MAX).unwrap().len(), 1);
}

#[test]
fn a_list_begins_with_what_its_columns_are() {
    let folder = Folder::new();
    let journal = folder.journal();
    testing::take(&journal, "A1", b"<a/>").unwrap();
    for (lang, names) in [
        ("en", ["number", "received", "state", "key", "file"]),
        ("zh", ["编号", "接收时间", "状态", "业务编号", "文件"]),
    ] {
        let text = String::from_utf8(folder.run(&["message", "list", "--lang", lang]).stdout).unwrap();
        let lines: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!((lines.len(), &lines[0][..], lines[1][0], lines[1].len()), (2, &names[..], "1", 5), "{text}");
    }
    assert_eq!(folder.json(&["message", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn bytes_are_written_as_they_were_to_stdout_or_a_new_file() {
    let folder = Folder::new();
    let journal = folder.journal();
    let original = b"<a>\xbf\xda\x1b</a>";
    let id = testing::take(&journal, "A1", original).unwrap();
    Journal::record_checks(&journal, vec![testing::ready_document(id, "A1")]).unwrap();
    let came = testing::take_inbound(&journal, "1").unwrap();
    let raw = Journal::unopened(&journal, kouan_journal::model::InboundId(0), 1, usize::MAX).unwrap()[0].raw.clone();

    assert_eq!(folder.run(&["message", "body", "A1"]).stdout, original);
    let part = Journal::detail(&journal, id).unwrap().unwrap().parts[0].clone();
    for name in [&part.name, &part.wire_id] {
        assert_eq!(folder.run(&["message", "body", "1", "--part", name]).stdout, original, "{name}");
    }
    let number = came.0.to_string();
    assert_eq!(folder.run(&["message", "body", "--receipt", &number]).stdout, &raw[..]);

    let file = folder.0.path().join("out.xml");
    let file = file.to_str().unwrap();
    let told = folder.json(&["message", "body", "A1", "-o", file]);
    assert_eq!((&told["bytes"], &told["file"]), (&json!(original.len()), &json!(file)));
    assert_eq!(std::fs::read(file).unwrap(), original);
    let ends = [
        (&["body", "A1", "-o", file][..], 2, "exists"),
        (&["body", "A1", "--json"], 2, "-o"),
        (&["body"], 2, "MESSAGE"),
        (&["body", "A1", "--sealed"], 1, "[KOUAN-CLI-NO-BYTES]"),
        (&["body", "--receipt", &number, "--opened"], 1, "[KOUAN-CLI-NO-BYTES]"),
        (&["body", "A1", "--part", "none"], 1, "[KOUAN-JOURNAL-WHICH-PART]"),
        (&["body", "--receipt", "99"], 1, "[KOUAN-JOURNAL-UNKNOWN-ID]"),
    ];
    for (args, exit, says) in ends {
        let output = folder.run(&[&["message"], args].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(exit) && said.contains(says), "{args:?}: {said}");
    }
}

#[test]
fn a_journal_that_is_not_there_or_in_use_is_told_with_its_code() {
    let folder = Folder::new();
    let said = |output: Output| (output.status.code(), String::from_utf8(output.stderr).unwrap());
    let (exit, text) = said(folder.run(&["message", "list"]));
    assert!(exit == Some(3) && text.contains("KOUAN-CLI-NO-JOURNAL"), "{exit:?} {text}");
    let _writer = folder.journal();
    for command in [&["run"][..], &["store", "compact"]] {
        let (exit, text) = said(folder.run(command));
        assert!(exit == Some(3) && text.contains("KOUAN-JOURNAL-IN-USE"), "{exit:?} {text}");
    }
}

#[test]
fn a_wrong_configuration_is_told_as_json_too() {
    let folder = Folder::new();
    assert_eq!(folder.json(&["config", "check"])["ok"], true);
    let file = folder.0.path().join("kouan.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("bogus = 1\n{text}")).unwrap();
    let told = folder.json(&["config", "check"]);
    assert_eq!((&told["ok"], &told["code"]), (&json!(false), &json!("KOUAN-CONFIG-UNKNOWN-KEY")));
    std::fs::write(&file, text.replace("window.cert.pem", "none.cert.pem")).unwrap();
    let output = folder.run(&["config", "check"]);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
}
