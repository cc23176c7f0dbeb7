//! What is told of messages: their type, keys and receiver; findings of the samples; every encoding the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a test fails by panicking

use kouan_declarative::{Sample, SampleKind, proof};
use kouan_processing_trade::{BUSINESS, PLUGIN};
use kouan_sdk::business::{Outcome, Package, Payload, Report};
use kouan_sdk::{Business, Severity};
use std::io::Read as _;
use std::path::Path;

fn business() -> Box<dyn Business> {
    proof::business(&PLUGIN, "{}")
}

fn good(name: &str) -> Sample {
    BUSINESS.samples().into_iter().find(|s| s.kind == SampleKind::Good && s.name == name).unwrap()
}

fn judged(document: &[u8]) -> Report {
    let package = Package { file_name: "A1.xml", stem: "A1", form_id: None, document, attachments: &[] };
    business().check(&package).unwrap()
}

fn rules(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

/// Type, business key and receiver of each good sample.
const GOOD: &[(&str, &str, &str, bool, &str)] = &[
    ("bws101.xml", "BWS101", "OwnNumber=BWS101/3122480001/WLZC20260112001", false, "DXPDSWSAS0000001"),
    ("cmb101-unchecked.xml", "CMB101", "MessageId=HLD20260112001", false, "DXPDSWSAS0000001"),
    ("eml111-bare-change.xml", "NPTS001", "SeqNo=202600000000000043", true, "DXPDSWNPTS000001"),
    ("eml111-wrapped.xml", "EML111", "OwnNumber=EML111/3122480001/EML20260112002", false, "DXPDSWNPTS000001"),
    ("ems101.xml", "EMS101", "OwnNumber=EMS101/3122480001/ZZ20260112001", false, "DXPDSWNEMS000001"),
    ("ems111-unknown-names.xml", "EMS111", "OwnNumber=EMS111/3122480001/ZC20260112002", false, "DXPDSWNEMS000001"),
    ("ems111.xml", "EMS111", "OwnNumber=EMS111/3122480001/ZC20260112001", false, "DXPDSWNEMS000001"),
    ("ems121.xml", "EMS121", "MessageId=BH20260112001", false, "DXPDSWNEMS000001"),
    ("icp101.xml", "ICP101", "OwnNumber=ICP101/3122480001/LBHFD20260112001", false, "DXPDSWSAS0000001"),
    ("inv101-byte-order-mark.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112010", false, "DXPDSWSAS0000001"),
    ("inv101-cdata-comments.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112012", false, "DXPDSWSAS0000001"),
    ("inv101-change.xml", "INV101", "SeqNo=202600000000000006", true, "DXPDSWSAS0000001"),
    ("inv101-declared.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112002", false, "DXPDSWSAS0000001"),
    ("inv101-fifty-items.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112013", false, "DXPDSWSAS0000001"),
    ("inv101-gbk.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112009", false, "DXPDSWSAS0000001"),
    ("inv101-handbook.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112005", false, "DXPDSWNPTS000001"),
    ("inv101-no-declaration.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112011", false, "DXPDSWSAS0000001"),
    ("inv101-not-declared.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112003", false, "DXPDSWSAS0000001"),
    ("inv101-other-order.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112008", false, "DXPDSWSAS0000001"),
    ("inv101-related.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112004", false, "DXPDSWNEMS000001"),
    ("inv101-two-step.xml", "INV101", "OwnNumber=INV101/3122480001/INV20260112007", false, "DXPDSWSAS0000001"),
    ("inv101_sample.xml", "INV101", "OwnNumber=INV101/3122480001/INV20250318001", false, "DXPDSWSAS0000001"),
    ("npts_eml_sample.xml", "NPTS001", "EtpsPreentNo=EML20250318001", false, "DXPDSWNPTS000001"),
    ("sas101.xml", "SAS101", "OwnNumber=SAS101/3122480001/SBB20260112001", false, "DXPDSWSAS0000001"),
    ("sas111.xml", "SAS111", "OwnNumber=SAS111/3122980002/CRK20260112001", false, "DXPDSWSAS0000001"),
    ("sas121-cancel.xml", "SAS121", "SeqNo=202600000000000035", true, "DXPDSWSAS0000001"),
    ("sas121-declared.xml", "SAS121", "OwnNumber=SAS121/3122480001/HFD20260112002", false, "DXPDSWSAS0000001"),
    ("sas121-empty-vehicle.xml", "SAS121", "OwnNumber=SAS121/3122480001/HFD20260112003", false, "DXPDSWSAS0000001"),
    (
        "sas121-one-document-many-vehicles.xml",
        "SAS121",
        "OwnNumber=SAS121/3122480001/HFD20260112004",
        false,
        "DXPDSWSAS0000001",
    ),
    ("sas121_sample.xml", "SAS121", "OwnNumber=SAS121/3122480001/HFD20250318001", false, "DXPDSWSAS0000001"),
];

#[test]
fn good_samples_are_known_for_what_they_are() {
    let business = business();
    let mut names: Vec<_> =
        BUSINESS.samples().into_iter().filter(|s| s.kind == SampleKind::Good).map(|s| s.name).collect();
    for &(name, message_type, key, is_update, receiver) in GOOD {
        let document = good(name).document;
        let package = Package { file_name: "A1.xml", stem: "A1", form_id: None, document, attachments: &[] };
        let report = business.check(&package).unwrap();
        let found = report.business_key.as_ref().map(|key| format!("{}={}", key.name, key.value)).unwrap();
        assert_eq!((report.message_type.as_str(), found.as_str()), (message_type, key), "{name}");
        assert_eq!(report.is_update, is_update, "{name}");
        let parts = business.plan(&package, &report, &report.keys).unwrap();
        assert_eq!((parts.len(), parts[0].receivers.join(",").as_str()), (1, receiver), "{name}");
        names.retain(|known| known != name);
    }
    assert!(names.is_empty(), "not told above: {names:?}");
}

#[test]
fn good_samples_are_clean_but_for_what_nobody_knows() {
    for sample in BUSINESS.samples().into_iter().filter(|sample| sample.kind == SampleKind::Good) {
        let expected: &[&str] = match sample.name.as_str() {
            "cmb101-unchecked.xml" => &["PT-ENV-CONTENT-UNCHECKED", "XSD-UNKNOWN-ELEMENT"],
            "ems111-unknown-names.xml" => &["XSD-UNKNOWN-ELEMENT", "XSD-LENGTH"],
            _ => &[],
        };
        let report = judged(sample.document);
        assert_eq!(rules(&report), expected, "{}", sample.name);
        assert!(report.findings.iter().all(|finding| finding.severity == Severity::Warning), "{}", sample.name);
    }
}

#[test]
fn warned_samples_have_exactly_their_findings_and_go_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas/processing-trade/samples/warned");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        count += 1;
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path.with_extension("findings.json")).unwrap()).unwrap();
        let report = judged(&std::fs::read(&path).unwrap());
        let mut found = report.findings;
        found.sort_by(|a, b| (a.line, a.column, &a.rule).cmp(&(b.line, b.column, &b.rule)));
        assert!(found.iter().all(|finding| finding.severity != Severity::Error), "{}", path.display());
        let rows: Vec<_> = found
            .iter()
            .map(|f| serde_json::json!({ "rule": f.rule, "line": f.line, "column": f.column, "xpath": f.xpath, "severity": f.severity }))
            .collect();
        assert_eq!(serde_json::Value::from(rows), expected, "{}", path.display());
        for finding in &found {
            assert!(!finding.message_zh.is_empty() && !finding.message_en.is_empty(), "{}", path.display());
        }
    }
    assert!(count >= 15, "{count}");
}

/// The same document written in other ways.
fn ways(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf8 = |text: String| text.into_bytes();
    let declaration = text.lines().next().unwrap();
    let body = &text[declaration.len() + 1..];
    let gbk = text.replacen("UTF-8", "GBK", 1);
    let filled = text.replace("<SeqNo/>", "<SeqNo></SeqNo>").replace("<Rmk/>", "<Rmk> </Rmk>");
    let dropped: String =
        text.lines().filter(|line| !line.trim_end().ends_with("/>")).map(|line| format!("{line}\n")).collect();
    let cdata = text.replace("<DclUnitcd>007</DclUnitcd>", "<DclUnitcd><![CDATA[007]]></DclUnitcd>");
    vec![
        ("as it is", utf8(text.into())),
        ("with a byte order mark", [b"\xEF\xBB\xBF".as_slice(), text.as_bytes()].concat()),
        ("without a declaration", utf8(body.into())),
        ("in GBK", encoded_gbk(&gbk)),
        ("with empty elements filled", utf8(filled)),
        ("without empty elements", utf8(dropped)),
        ("with CDATA", utf8(cdata)),
        ("with comments", utf8(text.replace("<MasterCuscd>", "<!-- 关区 --><MasterCuscd><!-- x -->"))),
        ("with an instruction", utf8(text.replace("<Object ", "<?note x?><Object "))),
    ]
}

/// By another implementation of GBK; the samples' characters are all in it.
fn encoded_gbk(text: &str) -> Vec<u8> {
    let (bytes, _, had_errors) = encoding_rs::GBK.encode(text);
    assert!(!had_errors);
    bytes.into_owned()
}

#[test]
fn every_way_of_writing_checks_the_same() {
    let mistakes: &[(&str, &str, &str)] = &[
        ("inv101_sample.xml", "<GenDecFlag>1<", "<GenDecFlag>2<"),
        ("inv101_sample.xml", "<ImpexpMarkcd>I<", "<ImpexpMarkcd>X<"),
        ("inv101_sample.xml", "<DclTotalAmt>1600.00<", "<DclTotalAmt>1900<"),
        ("inv101_sample.xml", "<Gdecd>8536690000<", "<Gdecd>85366900<"),
        ("sas121_sample.xml", "<TotalWt>14017.7<", "<TotalWt>1<"),
        ("sas121_sample.xml", "<BindTypecd>1<", "<BindTypecd><"),
        ("npts_eml_sample.xml", "<EtpsPreentNo>EML20250318001<", "<EtpsPreentNo><"),
    ];
    for &(name, old, new) in mistakes {
        let text = std::str::from_utf8(good(name).document).unwrap().replace('≤', "＜");
        for text in [text.clone(), text.replacen(old, new, 1)] {
            let ways = ways(&text);
            let first = judged(&ways[0].1);
            let told = |report: &Report| -> Vec<_> {
                report
                    .findings
                    .iter()
                    .map(|f| (f.rule.clone(), f.xpath.clone(), f.severity, f.message_zh.clone()))
                    .collect()
            };
            for (way, document) in &ways {
                let report = judged(document);
                assert_eq!(told(&report), told(&first), "{name} {way}");
                assert_eq!((&report.keys, &report.parties), (&first.keys, &first.parties), "{name} {way}");
            }
        }
    }
}

#[test]
fn what_goes_out_is_a_zip_with_the_document_alone() {
    let business = business();
    let document = good("inv101_sample.xml").document;
    let package = Package { file_name: "INV1.zip", stem: "INV1", form_id: Some("INV101"), document, attachments: &[] };
    let report = business.check(&package).unwrap();
    let parts = business.plan(&package, &report, &[]).unwrap();
    assert_eq!(parts[0].file_name, "INV1.zip");
    let Payload::Bytes(bytes) = &parts[0].payload else { panic!() };
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes.as_ref())).unwrap();
    assert_eq!(archive.len(), 1);
    let mut entry = archive.by_index(0).unwrap();
    assert_eq!(entry.name().unwrap(), "INV1.xml");
    let mut inside = Vec::new();
    entry.read_to_end(&mut inside).unwrap();
    assert_eq!(inside, document);
}

#[test]
fn a_message_cannot_choose_a_receiver_that_its_type_does_not_have() {
    let business = business();
    let text = std::str::from_utf8(good("inv101_sample.xml").document).unwrap();
    let document = text.replace("DXPDSWSAS0000001", "DXPENT0000009999");
    let package =
        Package { file_name: "A1.xml", stem: "A1", form_id: None, document: document.as_bytes(), attachments: &[] };
    let report = business.check(&package).unwrap();
    assert_eq!(rules(&report), ["XSD-CODE", "PT-ENV-RECEIVER-Z8"]);
    assert_eq!(business.plan(&package, &report, &[]).unwrap()[0].receivers, ["DXPDSWSAS0000001"]);
}

#[test]
fn a_refusal_is_a_common_response_that_its_own_reader_reads() {
    let business = business();
    for sample in BUSINESS.samples().into_iter().filter(|sample| sample.kind == SampleKind::Bad) {
        let report = judged(sample.document);
        let (name, bytes) = business.refusal(&report).unwrap();
        assert_eq!((name.prefix.as_str(), name.extension.as_str()), ("Failed", "xml"), "{}", sample.name);
        let receipt = business.read_receipt(&bytes).unwrap();
        assert_eq!(
            (receipt.kind.as_str(), receipt.outcome),
            ("CommonResponeMessage", Outcome::Rejected),
            "{}",
            sample.name
        );
        assert_eq!(receipt.code, "-1", "{}", sample.name);
        assert!(!receipt.text.is_empty() && !receipt.is_repeat_of_known, "{}", sample.name);
        let own = proof::value(&report.keys, "EtpsPreentNo");
        assert_eq!(proof::value(&receipt.keys, "EtpsPreentNo"), own, "{}", sample.name);
    }
}

#[test]
fn a_message_that_does_not_say_its_type_is_refused_with_its_place() {
    let text = std::str::from_utf8(good("inv101_sample.xml").document).unwrap();
    let report = judged(text.replace("<message_type>INV101<", "<message_type>INV999<").as_bytes());
    assert_eq!(rules(&report), ["KOUAN-DECLARATIVE-NO-TYPE"]);
    assert_eq!(report.findings[0].value.as_deref(), Some("INV999"));
    assert!(report.findings[0].line > 0);
}
