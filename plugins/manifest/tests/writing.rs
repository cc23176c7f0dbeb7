//! However a message is written — encoding, mark, declaration, prefix, CDATA, comments, blanks — it is judged the same.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_declarative::{Sample, SampleKind, proof};
use kouan_manifest::{BUSINESS, PLUGIN};
use kouan_sdk::business::Report;
use kouan_sdk::{Business, Severity};

fn judged(business: &dyn Business, name: &str, document: &[u8]) -> Report {
    let sample = kouan_sdk::conformance::business::Sample::document(name, document);
    sample.with_package(|package| business.check(package).unwrap_or_else(|e| panic!("{name}: {e}")))
}

/// Rule, path, severity and text of a finding.
type Told = (String, String, Severity, String);

/// What must not differ: all but the places, and the prefix of a name that is shown as it was written.
fn verdict(report: &Report) -> (String, Vec<String>, Vec<Told>) {
    let keys = report.keys.iter().map(|key| format!("{}={}", key.name, key.value)).collect();
    let mut findings: Vec<_> = report
        .findings
        .iter()
        .map(|f| (f.rule.clone(), f.xpath.clone(), f.severity, f.message_zh.replace("m:", "")))
        .collect();
    findings.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    (report.message_type.clone(), keys, findings)
}

/// Calls `change` on every text between a start tag and its end tag.
fn texts(document: &str, change: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = document;
    while let Some(open) = rest.find('>') {
        let (before, after) = rest.split_at(open + 1);
        out.push_str(before);
        let text = &after[..after.find('<').unwrap_or(after.len())];
        out.push_str(&if text.trim().is_empty() { text.to_owned() } else { change(text) });
        rest = &after[text.len()..];
    }
    out + rest
}

fn prefixed(document: &str) -> String {
    let (head, body) = document.split_once("?>").unwrap_or(("", document));
    let body = body.replace("</", "\u{1}").replace('<', "<m:").replace('\u{1}', "</m:").replace(" xmlns=", " xmlns:m=");
    if head.is_empty() { body } else { format!("{head}?>{body}") }
}

fn ways(document: &str) -> Vec<(&'static str, Vec<u8>)> {
    let declared = document.replacen("UTF-8", "GBK", 1);
    let (gbk, _, lossy) = encoding_rs::GBK.encode(&declared);
    assert!(!lossy, "a sample has characters that GBK has not");
    let bare = document.split_once("?>").map_or(document, |(_, body)| body.trim_start());
    let comment = |text: &str| {
        let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        format!("{}<!-- 注 -->{}", &text[..middle], &text[middle..])
    };
    vec![
        ("GBK", gbk.into_owned()),
        ("a byte order mark", [b"\xEF\xBB\xBF", document.as_bytes()].concat()),
        ("no declaration", bare.as_bytes().to_vec()),
        ("CDATA", texts(document, |text| format!("<![CDATA[{text}]]>")).into_bytes()),
        ("comments", texts(document, comment).into_bytes()),
        ("blanks", texts(document, |text| format!("\n  {text}\t")).into_bytes()),
        ("CR LF", document.replace('\n', "\r\n").into_bytes()),
        ("a prefix", prefixed(document).into_bytes()),
        ("one line", document.lines().map(str::trim).collect::<String>().into_bytes()),
    ]
}

/// Samples of which text and markup can be changed as text.
fn plain() -> impl Iterator<Item = (Sample, String)> {
    BUSINESS.samples().into_iter().filter_map(|sample| {
        let text = std::str::from_utf8(sample.document).ok()?.to_owned();
        let is_plain = text.starts_with("<?xml") && !["<!", "m:", "<!--"].iter().any(|mark| text.contains(mark));
        is_plain.then_some((sample, text))
    })
}

#[test]
fn every_sample_is_judged_the_same_however_it_is_written() {
    let business = proof::business(&PLUGIN, "{}");
    let mut told = 0;
    for (sample, text) in plain() {
        let usual = verdict(&judged(business.as_ref(), &sample.name, sample.document));
        for (way, bytes) in ways(&text) {
            let found = verdict(&judged(business.as_ref(), &sample.name, &bytes));
            assert_eq!(found, usual, "{} with {way}", sample.name);
            told += 1;
        }
    }
    assert!(told > 900, "{told}");
}

/// An element that is there and empty is as one that is not there.
#[test]
fn an_empty_element_is_as_none() {
    let business = proof::business(&PLUGIN, "{}");
    let mut told = 0;
    for (sample, text) in plain().filter(|(sample, _)| sample.kind == SampleKind::Good) {
        let usual = verdict(&judged(business.as_ref(), &sample.name, sample.document));
        for field in ["ConditionCode", "GrossVolumeMeasure", "SupplierPartyTypeCode", "Content"] {
            let Some(value) = text.split(&format!("<{field}>")).nth(1).and_then(|rest| rest.split('<').next()) else {
                continue;
            };
            let full = format!("<{field}>{value}</{field}>");
            let without = verdict(&judged(business.as_ref(), &sample.name, text.replace(&full, "").as_bytes()));
            assert_eq!(without, usual, "{}: {field} is optional", sample.name);
            for empty in [format!("<{field}/>"), format!("<{field}></{field}>"), format!("<{field}> \n </{field}>")] {
                let found = verdict(&judged(business.as_ref(), &sample.name, text.replace(&full, &empty).as_bytes()));
                assert_eq!(found, usual, "{} with an empty {field}", sample.name);
                told += 1;
            }
        }
    }
    assert!(told > 60, "{told}");
}

/// `Version` of a manifest is an element, and XML tells upper from lower case: the other spelling is told, with the right one.
#[test]
fn another_case_of_version_is_named_with_its_repair() {
    let samples = BUSINESS.samples();
    let sample = samples.iter().find(|sample| sample.name == "version-lower-case.xml").unwrap();
    let report = proof::judged(proof::business(&PLUGIN, "{}").as_ref(), sample);
    assert_eq!(report.findings[0].message_zh, "报文头(Head)中没有名为 version 的元素，是否应为 Version");
}
