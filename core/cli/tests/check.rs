//! `kouan check` as a user runs it, over the samples.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod common;

use common::{kouan, samples};
use serde_json::Value;
use std::process::Command;

/// Names of the files in a folder that end so, below the samples.
fn files(folder: &str, ends: &[&str]) -> Vec<String> {
    let entries = std::fs::read_dir(samples().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| format!("{folder}/{}", name.to_str().unwrap()));
    names.filter(|name| ends.iter().any(|end| name.ends_with(end))).collect()
}

fn verdict(file: &str) -> (Option<i32>, Value) {
    let output = kouan(&["check", "--json", file]);
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{file}: {e}: {output:?}"));
    let files = printed["files"].as_array().unwrap();
    assert_eq!(files.len(), 1);
    (output.status.code(), files[0].clone())
}

#[test]
fn every_good_sample_is_good() {
    let files = files("good", &[".xml", ".zip"]);
    assert!(files.len() >= 16, "{files:?}");
    for file in files {
        let (exit, verdict) = verdict(&file);
        assert_eq!((exit, &verdict["ok"]), (Some(0), &Value::Bool(true)), "{file}: {verdict}");
        assert_eq!((&verdict["file"], &verdict["business"]), (&file.into(), &"goods-declaration".into()));
        assert_eq!(verdict["type"], "DECCUS001");
        assert_eq!(verdict["keys"][0]["name"], "ClientSeqNo");
    }
}

#[test]
fn every_bad_sample_is_refused_for_exactly_what_is_planted() {
    let files = files("bad", &[".xml"]);
    assert!(files.len() >= 30, "{files:?}");
    for file in files {
        let planted = samples().join(file.replace(".xml", ".findings.json"));
        let planted: Value = serde_json::from_slice(&std::fs::read(planted).unwrap()).unwrap();
        let (exit, verdict) = verdict(&file);
        assert_eq!((exit, &verdict["ok"]), (Some(1), &Value::Bool(false)), "{file}");
        // The xml is checked alone here; what it says of files that lie beside it is not what is planted.
        let about_document = |finding: &&Value| finding["rule"] != "KOUAN-DEC-ATTACHMENT-MISSING";
        let findings = verdict["findings"].as_array().unwrap().iter().filter(about_document);
        let found: Vec<Value> = findings.map(short).collect();
        assert_eq!(Value::Array(found), planted, "{file}");
    }
}

/// What the samples' lists say of a finding.
fn short(finding: &Value) -> Value {
    let fields = ["rule", "line", "column", "xpath", "severity"];
    fields.into_iter().map(|field| (field.to_owned(), finding[field].clone())).collect()
}

#[test]
fn findings_are_drawn_on_stdout_without_colours_and_in_the_language_asked_for() {
    let output = kouan(&["check", "--lang", "zh", "bad/total-and-two-faults.xml"]);
    let drawn = String::from_utf8(output.stdout).unwrap();
    let first = "\
错误[DEC-HEAD-NET-GROSS]: 净重 1300.00000 大于毛重 1250.50000
  --> bad/total-and-two-faults.xml:16:12
   |
16 |     <NetWt>1300.00000</NetWt>
   |            ^^^^^^^^^^
   |
   = 路径: /DecMessage/DecHead/NetWt
   = 建议: 核对净重与毛重（千克）
";
    assert!(drawn.starts_with(first), "{drawn}");
    assert!(!drawn.contains('\u{1b}'));
    assert_eq!(output.status.code(), Some(1));
    let english = kouan(&["check", "--lang=en", "bad/total-and-two-faults.xml"]).stdout;
    assert!(String::from_utf8(english).unwrap().starts_with("error[DEC-HEAD-NET-GROSS]: "));
}

#[test]
fn what_is_no_message_is_a_finding_and_what_is_no_file_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let code = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let (exit, verdict) = verdict(path.to_str().unwrap());
        assert_eq!(exit, Some(1), "{name}");
        verdict["findings"][0]["rule"].as_str().unwrap().to_owned()
    };
    assert_eq!(code("a.xml", b"<DecMesage/>"), "KOUAN-CLI-UNKNOWN-ROOT");
    assert_eq!(code("b.xml", b"no xml"), "KOUAN-XML-NOT-WELL-FORMED");
    assert_eq!(code("c.xml", b""), "KOUAN-PACKAGE-EMPTY");
    assert_eq!(code("d.zip", b"PK\x03\x04"), "KOUAN-PACKAGE-BROKEN");
    let (exit, missing) = verdict("no-such-file.xml");
    assert_eq!((exit, &missing["findings"][0]["rule"]), (Some(2), &"KOUAN-CLI-FILE-UNREADABLE".into()));
    let among_others = kouan(&["check", "no-such-file.xml", "good/import.xml", "--json"]);
    let told: Value = serde_json::from_slice(&among_others.stdout).unwrap();
    assert_eq!((among_others.status.code(), &told["files"][1]["ok"]), (Some(2), &true.into()));
    assert_eq!(kouan(&["check"]).status.code(), Some(2));
}

#[test]
fn a_broken_configuration_is_78_and_names_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("kouan.toml");
    std::fs::write(&config, "enviroment = \"test\"\n").unwrap();
    let output = kouan(&["--config", config.to_str().unwrap(), "check", "good/import.xml"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("kouan.toml:1") && said.contains("environment"), "{said}");
}

#[test]
fn a_reader_that_leaves_is_no_fault() {
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_kouan"))
        .args(["rules", "list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}
