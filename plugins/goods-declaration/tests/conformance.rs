//! The kit of the business trait, and what the samples promise beyond it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_goods_declaration::{PLUGIN, Sample, SampleKind, receipts, samples, validator};
use kouan_sdk::business::{Attachment, Package, Payload, Report, SignatureRequest, Signer};
use kouan_sdk::conformance::business as kit;
use kouan_sdk::{Business, Context, ErrorKind, Severity, Timestamp, catalogue};
use std::borrow::Cow;
use std::io::Write as _;
use std::process::{Command, Stdio};

const SIGNED: &str = r#"{"signing_profile": "sandbox-document"}"#;

fn made(config: &str) -> kouan_sdk::Result<Box<dyn Business>> {
    (PLUGIN.business.unwrap())(&Context::standalone("test", std::env::temp_dir()), config)
}

fn business(config: &str) -> Box<dyn Business> {
    made(config).unwrap()
}

fn of_kind(kind: SampleKind) -> impl Iterator<Item = Sample> {
    samples().into_iter().filter(move |sample| sample.kind == kind)
}

/// As a zip if it names attachments, else bare.
fn for_kit(sample: Sample) -> kit::Sample {
    let stem = sample.name.trim_end_matches(".xml");
    let file_name = if sample.attachments.is_empty() { sample.name.clone() } else { format!("{stem}.zip") };
    kit::Sample { file_name, document: sample.document.to_vec(), attachments: sample.attachments, form_id: None }
}

fn judged(business: &dyn Business, sample: Sample) -> Report {
    for_kit(sample).with_package(|package| business.check(package).unwrap())
}

fn errors(report: &Report) -> Vec<&str> {
    report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.rule.as_str()).collect()
}

fn kit_samples(good: &[SampleKind]) -> kit::Samples {
    kit::Samples {
        good: good.iter().flat_map(|&kind| of_kind(kind)).map(for_kit).collect(),
        bad: of_kind(SampleKind::Bad).map(for_kit).collect(),
        receipts: receipts().into_iter().map(|(name, bytes)| (name, bytes.to_vec())).collect(),
    }
}

#[test]
fn passes_the_kit() {
    kit::check(&|| business("{}"), &kit_samples(&[SampleKind::Good]));
}

#[test]
fn passes_the_kit_with_a_signing_profile_and_waiting_attachments() {
    let config =
        r#"{"signing_profile": "sandbox-document", "attachments_wait_for": "seq-no", "fill_operator_name": true}"#;
    kit::check(&|| business(config), &kit_samples(&[SampleKind::Good, SampleKind::Declare]));
}

#[test]
fn bad_samples_have_exactly_their_findings() {
    let business = business("{}");
    for sample in of_kind(SampleKind::Bad) {
        let (name, expected) = (sample.name.clone(), sample.findings.unwrap());
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        let mut found = judged(business.as_ref(), sample).findings;
        found.sort_by(|a, b| (a.line, a.column, &a.rule).cmp(&(b.line, b.column, &b.rule)));
        let found: Vec<_> = found
            .iter()
            .map(|f| serde_json::json!({ "rule": f.rule, "line": f.line, "column": f.column, "xpath": f.xpath, "severity": f.severity }))
            .collect();
        assert_eq!(serde_json::Value::from(found), expected, "{name}");
    }
}

#[test]
fn a_declaration_without_a_profile_is_refused_with_its_place() {
    for sample in of_kind(SampleKind::Declare) {
        let report = judged(business("{}").as_ref(), sample.clone());
        assert_eq!(errors(&report), ["KOUAN-DEC-NO-SIGNING-PROFILE"]);
        let finding = report.findings.iter().find(|f| f.severity == Severity::Error).unwrap();
        let (start, length) = (usize::try_from(finding.offset).unwrap(), finding.length as usize);
        assert_eq!(&sample.document[start..start + length], b"C");
        let line = std::str::from_utf8(sample.document).unwrap().lines().nth(finding.line as usize - 1).unwrap();
        assert_eq!(line.chars().skip(finding.column as usize - 1).take(2).collect::<String>(), "C<");
        assert_eq!(finding.xpath, "/DecMessage/DecSign/OperType");
        assert!(finding.hint_zh.contains("signing_profile") && finding.hint_en.contains("signing_profile"));
        assert!(errors(&judged(business(SIGNED).as_ref(), sample)).is_empty());
    }
}

#[test]
fn keys_and_parties_are_read_from_any_encoding() {
    let business = business("{}");
    let report = |name: &str| {
        let sample =
            samples().into_iter().find(|sample| sample.name == name && sample.kind == SampleKind::Good).unwrap();
        judged(business.as_ref(), sample)
    };
    let values = |report: &Report| -> Vec<String> {
        report.keys.iter().chain(&report.parties).map(|key| format!("{}={}", key.name, key.value)).collect()
    };
    for name in ["import.xml", "gbk.xml", "byte-order-mark.xml"] {
        let report = report(name);
        assert!(!report.is_update, "{name}");
        assert_eq!(report.message_type, "DECCUS001", "{name}");
        let found = values(&report);
        assert_eq!(found[1..], ["AgentCode=3101980001", "CopCode=MA1TEXT00", "TypistNo=2100000000001"], "{name}");
        assert!(found[0].starts_with("ClientSeqNo=TEST"), "{name}: {found:?}");
        let key = report.business_key.unwrap();
        assert_eq!((key.name.as_str(), &key.value), ("ClientSeqNo", &report.order_key), "{name}");
    }
    let update = report("update.xml");
    assert!(update.is_update);
    assert_eq!(update.business_key.as_ref().unwrap().name, "SeqNo");
    let client_seq_no = &update.keys.iter().find(|key| key.name == "ClientSeqNo").unwrap().value;
    assert_eq!(&update.order_key, client_seq_no, "an update leaves behind what it changes");
}

#[test]
fn the_document_is_planned_as_it_stands_and_attachments_follow_in_their_order() {
    let business = business("{}");
    let sample = samples().into_iter().find(|sample| sample.name == "dec_sample.xml").unwrap();
    let names: Vec<_> = sample.attachments.iter().map(|(name, _)| name.clone()).collect();
    for_kit(sample.clone()).with_package(|package| {
        let report = business.check(package).unwrap();
        assert_eq!(errors(&report), [] as [&str; 0]);
        let parts = business.plan(package, &report, &report.keys).unwrap();
        let Payload::Bytes(Cow::Borrowed(bytes)) = &parts[0].payload else { panic!("copied") };
        assert!(std::ptr::eq(*bytes, package.document), "the document itself, not a copy");
        assert_eq!(parts[1..].iter().map(|part| part.name.clone()).collect::<Vec<_>>(), names);
    });
}

#[test]
fn attachment_findings_stand_at_the_field_that_names_the_file() {
    let business = business("{}");
    let mut sample = samples().into_iter().find(|sample| sample.name == "dec_sample.xml").unwrap();
    sample.attachments.remove(1);
    sample.attachments[0].1 = b"PK".to_vec();
    sample.attachments.push(("多余.pdf".into(), b"%PDF-1.4".to_vec()));
    let report = judged(business.as_ref(), sample.clone());
    let expected = ["KOUAN-DEC-ATTACHMENT-NOT-PDF", "KOUAN-DEC-ATTACHMENT-MISSING", "KOUAN-DEC-ATTACHMENT-EXTRA"];
    assert_eq!(errors(&report), expected);
    let missing = report.findings.iter().find(|f| f.rule.ends_with("MISSING")).unwrap();
    assert_eq!(missing.xpath, "/DecMessage/EdocRealation[2]/EdocCopId");
    let start = usize::try_from(missing.offset).unwrap();
    let marked = &sample.document[start..start + missing.length as usize];
    assert_eq!(std::str::from_utf8(marked).unwrap(), "TEST-2026-001-箱单.pdf");
    for finding in report.findings.iter().filter(|f| f.rule.starts_with("KOUAN-DEC-")) {
        let entry = catalogue::lookup(&finding.rule);
        assert!(entry.is_some(), "{} is not in the catalogue", finding.rule);
    }
}

#[test]
fn a_site_changes_how_bad_a_rule_is() {
    let sample = || of_kind(SampleKind::Bad).find(|sample| sample.name == "net-above-gross.xml").unwrap();
    let rule = judged(business("{}").as_ref(), sample())
        .findings
        .into_iter()
        .find(|f| f.severity == Severity::Error)
        .unwrap()
        .rule;
    for (level, left) in [("observe", 1), ("info", 1), ("off", 0)] {
        let business = business(&format!(r#"{{"rules": {{"{rule}": "{level}"}}}}"#));
        let report = judged(business.as_ref(), sample());
        assert!(errors(&report).is_empty(), "{level}");
        assert_eq!(report.findings.iter().filter(|f| f.rule == rule).count(), left, "{level}");
    }
    let (warned, sample) = samples()
        .into_iter()
        .filter(|sample| sample.kind == SampleKind::Good)
        .find_map(|sample| {
            let report = judged(business("{}").as_ref(), sample.clone());
            let warning = report.findings.into_iter().find(|f| f.severity == Severity::Warning)?;
            Some((warning.rule, sample))
        })
        .unwrap();
    let strict = business(&format!(r#"{{"rules": {{"{warned}": "enforce"}}}}"#));
    let report = judged(strict.as_ref(), sample);
    let refusing = errors(&report);
    assert!(!refusing.is_empty() && refusing.iter().all(|rule| *rule == warned), "{refusing:?}");
}

#[test]
fn a_configuration_that_names_nothing_is_refused() {
    let cases = [
        (r#"{"rules": {"DEC-NO-SUCH": "off"}}"#, "KOUAN-DEC-CONFIG"),
        (r#"{"rules": {"KOUAN-XML-TOO-DEEP": "off"}}"#, "KOUAN-DEC-CONFIG"),
        (r#"{"rules": {"KOUAN-DEC-NO-SIGNING-PROFILE": "off"}}"#, "KOUAN-DEC-CONFIG"),
        (r#"{"signing_profile": "official"}"#, "KOUAN-DEC-DATA"),
        (r#"{"schemas": "no-such-folder"}"#, "KOUAN-DEC-DATA"),
        (r#"{"signing": 1}"#, "KOUAN-DEC-CONFIG"),
    ];
    for (config, code) in cases {
        let error = made(config).err().unwrap();
        assert_eq!((error.kind, error.code.as_ref()), (ErrorKind::Config, code), "{config}");
    }
}

#[test]
fn a_folder_of_the_site_replaces_the_data() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../business-schemas/goods-declaration");
    let own = business(&serde_json::json!({ "schemas": folder }).to_string());
    for sample in samples() {
        assert_eq!(judged(own.as_ref(), sample.clone()), judged(business("{}").as_ref(), sample));
    }
}

#[test]
fn a_signed_declaration_is_still_right() {
    let business = business(SIGNED);
    let signer = Signer {
        certificate_serial: "030a1b2c3d4e5f60".into(),
        card_number: "2100000000001".into(),
        ..Signer::default()
    };
    let at = Timestamp::from_millis(1_768_181_710_000);
    for sample in of_kind(SampleKind::Declare) {
        let request = business.signature_request(sample.document, &signer, at).unwrap();
        assert!(matches!(request, Some(SignatureRequest::Raw(bytes)) if !bytes.is_empty()));
        let signed = business.with_signature(sample.document, &signer, at, &[7; 64]).unwrap();
        let package = Package { file_name: "a.xml", stem: "a", form_id: None, document: &signed, attachments: &[] };
        let report = business.check(&package).unwrap();
        assert_eq!(report.findings, judged(business.as_ref(), sample).findings, "signing adds no finding");
    }
    for sample in of_kind(SampleKind::Good) {
        assert_eq!(business.signature_request(sample.document, &signer, at), Ok(None), "{}", sample.name);
    }
}

#[test]
fn a_ready_made_attachment_goes_out_as_it_is() {
    let business = business("{}");
    let sample = samples().into_iter().find(|sample| sample.name == "dec_sample.xml").unwrap();
    let ready: Vec<u8> = for_kit(sample).with_package(|package| {
        let report = business.check(package).unwrap();
        let parts = business.plan(package, &report, &[]).unwrap();
        let Payload::Bytes(bytes) = &parts[1].payload else { panic!() };
        bytes.to_vec()
    });
    let package =
        |document| Package { file_name: "A1.pdf", stem: "A1", form_id: Some("DECEDOC001"), document, attachments: &[] };
    let report = business.check(&package(&ready)).unwrap();
    assert_eq!((report.message_type.as_str(), report.findings.len()), ("DECEDOC001", 0));
    assert_eq!(report.business_key.as_ref().unwrap().value, "222500000001IM000000202601120001");
    let package_ = package(&ready);
    let parts = business.plan(&package_, &report, &report.keys).unwrap();
    assert_eq!((parts.len(), parts[0].message_type.as_str(), parts[0].expects_receipt), (1, "DECEDOC001", false));
    assert_eq!(parts[0].payload, Payload::Bytes(Cow::Borrowed(&ready)));
    assert_eq!(business.signature_request(&ready, &Signer::default(), Timestamp::default()), Ok(None));
    let broken = business.check(&package(b"%PDF-1.4")).unwrap();
    assert_eq!(errors(&broken), ["KOUAN-DEC-EDOC-TRAILER"]);
}

#[test]
fn findings_stay_within_the_limit_and_errors_are_kept() {
    let business = business("{}");
    let sample = samples().into_iter().find(|sample| sample.name == "import.xml").unwrap();
    let names: Vec<String> = (0..300).map(|n| format!("{n}.pdf")).collect();
    let attachments: Vec<_> = names.iter().map(|name| Attachment { name, bytes: b"%PDF" }).collect();
    let package =
        Package { file_name: "a.zip", stem: "a", form_id: None, document: sample.document, attachments: &attachments };
    let report = business.check(&package).unwrap();
    assert_eq!(report.findings.len(), 200);
    assert_eq!(errors(&report).len(), 200);
}

#[test]
fn rules_and_code_tables_are_there_for_the_command_line() {
    let validator = validator(None).unwrap();
    assert!(validator.test_rules().iter().all(kouan_schema::RuleTest::is_ok));
    assert_eq!(kouan_goods_declaration::rules().unwrap().len(), validator.rules().list().count());
    assert_eq!(validator.codes()["ie-flag"].rows.len(), 2);
    assert!(std::sync::Arc::ptr_eq(&validator, &kouan_goods_declaration::validator(None).unwrap()), "compiled once");
}

/// Another implementation empties the three fields of the signed document and canonicalises it.
const LXML: &str = r"
import sys
from lxml import etree
tree = etree.parse(sys.stdin.buffer, etree.XMLParser(resolve_entities=False))
for name in ('Sign', 'SignDate', 'Certificate'):
    tree.find('.//{*}DecSign/{*}' + name).text = None
sys.stdout.buffer.write(etree.tostring(tree, method='c14n', with_comments=False))
";

#[test]
fn lxml_makes_the_signed_bytes_of_the_signed_document() {
    if !Command::new("python3").args(["-c", "import lxml"]).output().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none(), "lxml is missing");
        eprintln!("SKIPPED: python3 with lxml is missing");
        return;
    }
    let business = business(r#"{"signing_profile": "sandbox-document", "fill_operator_name": true}"#);
    let signer = Signer {
        certificate_serial: "030a1b2c3d4e5f60".into(),
        card_number: "2100000000009".into(),
        operator_name: "李四".into(),
    };
    let at = Timestamp::from_millis(1_768_181_710_000);
    let gbk = samples().into_iter().find(|sample| sample.name == "gbk.xml").unwrap();
    let declared = with_oper_type_c(gbk.document);
    for document in of_kind(SampleKind::Declare).map(|sample| sample.document.to_vec()).chain([declared]) {
        let Some(SignatureRequest::Raw(asked)) = business.signature_request(&document, &signer, at).unwrap() else {
            panic!()
        };
        let signed = business.with_signature(&document, &signer, at, &[7; 64]).unwrap();
        let mut lxml =
            Command::new("python3").args(["-c", LXML]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        lxml.stdin.take().unwrap().write_all(&signed).unwrap();
        let output = lxml.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&asked));
    }
}

fn with_oper_type_c(document: &[u8]) -> Vec<u8> {
    let (draft, declared) = (b"<OperType>G<", b"<OperType>C<");
    let at = document.windows(draft.len()).position(|window| window == draft).unwrap();
    [&document[..at], declared, &document[at + draft.len()..]].concat()
}
