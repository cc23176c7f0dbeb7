//! The kit of the business trait, and what the samples promise beyond it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_declarative::proof::{self, Bench, business, errors, judged, value};
use kouan_declarative::{Sample, SampleKind};
use kouan_sdk::Timestamp;
use kouan_sdk::business::{Key, Outcome};
use kouan_transport_means::{BUSINESS, PLUGIN};

fn good(name: &str) -> Sample {
    BUSINESS.samples().into_iter().find(|s| s.kind == SampleKind::Good && s.name == name).unwrap()
}

fn renumbered(name: &str, from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(good(name).document.to_vec()).unwrap().replace(from, to).into_bytes()
}

#[test]
fn holds_what_every_business_by_data_promises() {
    proof::check(&PLUGIN, &BUSINESS);
}

#[test]
fn good_samples_are_of_their_type_with_no_more_than_advice() {
    let business = business(&PLUGIN, "{}");
    for sample in BUSINESS.samples().iter().filter(|sample| sample.kind == SampleKind::Good) {
        let report = judged(business.as_ref(), sample);
        let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        let (expected, message_type): (&[&str], &str) = match sample.name.as_str() {
            "csm006.xml" => (&["KOUAN-DECLARATIVE-NOT-CHECKED"], "CSM006"),
            "air-arrival.xml" => (&["KOUAN-DECLARATIVE-NOT-CHECKED"], "CDSAL"),
            "train.xml" => (&["KOUAN-DECLARATIVE-NOT-CHECKED"], "TCDS"),
            "another-order.xml" => (&["XSD-ORDER"], "CSM002"),
            "csm001.xml" | "byte-order-mark.xml" => (&[], "CSM001"),
            "csm003.xml" => (&[], "CSM003"),
            "csm004.xml" => (&[], "CSM004"),
            "csm005.xml" => (&[], "CSM005"),
            "csm007.xml" => (&[], "CSM007"),
            _ => (&[], "CSM002"),
        };
        assert_eq!((rules.as_slice(), report.message_type.as_str()), (expected, message_type), "{}", sample.name);
    }
}

#[test]
fn keys_are_read_from_any_encoding() {
    let business = business(&PLUGIN, "{}");
    for name in ["csm002.xml", "gbk.xml", "no-declaration.xml", "cdata-comments-empty.xml"] {
        let report = judged(business.as_ref(), &good(name));
        assert_eq!(value(&report.keys, "Call"), "UN9000003/012W", "{name}");
        assert_eq!(report.business_key.as_ref().unwrap().name, "MessageID", "{name}");
        assert_eq!(report.order_key, "UN9000003", "{name}");
        assert_eq!(value(&report.parties, "AgentID"), "2225000000002", "{name}");
    }
    let train = judged(business.as_ref(), &good("train.xml"));
    assert_eq!(train.business_key, Some(Key::new("FileStem", "train")));
}

#[test]
fn receipts_say_what_they_say() {
    let business = business(&PLUGIN, "{}");
    let read = |part: &str| {
        let (_, bytes) = BUSINESS.receipts().into_iter().find(|(name, _)| name.contains(part)).unwrap();
        business.read_receipt(bytes).unwrap()
    };
    let accepted = read("csm002");
    assert_eq!((accepted.kind.as_str(), accepted.code.as_str(), accepted.outcome), ("CSM301", "01", Outcome::Accepted));
    assert_eq!(accepted.keys, [Key::new("MessageID", "2225000000002_20250318101530123")]);
    assert_eq!(accepted.text, "进境预报接受");
    assert_eq!(accepted.noticed_at, Timestamp::parse_compact("20250318101800"));
    let rejected = read("rejected");
    assert_eq!((rejected.outcome, rejected.reopens, rejected.is_repeat_of_known), (Outcome::Rejected, true, false));
    let unknown = read("unknown");
    assert_eq!((unknown.outcome, unknown.stage.as_str()), (Outcome::None, "未知回执类型 77"));
    assert_eq!(read("without_number").keys, [Key::new("Call", "UN9000003/012W")]);
    assert!(read("known_20").is_repeat_of_known);
}

#[test]
fn the_window_walks_a_call_through_and_asks_for_its_forecast() {
    let mut bench = Bench::new(&PLUGIN);
    let (effect, receipts) = bench.send("CSM003", good("csm003.xml").document, &[]);
    assert_eq!((effect.effect_key, receipts[0].outcome), (None, Outcome::Rejected));
    assert_eq!(receipts[0].text, "没有找到船舶航次 UN9000003/012W 的进境预报");

    let (effect, receipts) = bench.send("CSM002", good("csm002.xml").document, &[]);
    assert_eq!(effect.effect_key, Some(Key::new("MessageID", "2225000000002_20250318101530123")));
    assert_eq!(receipts.iter().map(|r| r.outcome).collect::<Vec<_>>(), [Outcome::Accepted, Outcome::Concluded]);
    assert!(receipts.iter().all(|r| r.keys[0].value == "2225000000002_20250318101530123"));
    assert_eq!(effect.answers[1].after_ms, 1000);
    for (of, name) in
        [("CSM003", "csm003.xml"), ("CSM004", "csm004.xml"), ("CSM005", "csm005.xml"), ("CSM007", "csm007.xml")]
    {
        assert!(bench.send(of, good(name).document, &[]).0.effect_key.is_some(), "{of}");
    }

    let deleted = renumbered("csm002.xml", "<FunctionCode>2", "<FunctionCode>3");
    assert!(bench.send("CSM002", &deleted, &["stop"]).0.effect_key.is_some());
    let (effect, receipts) = bench.send("CSM002", &deleted, &[]);
    assert_eq!((effect.effect_key, receipts[0].outcome), (None, Outcome::Rejected));
    assert!(receipts[0].text.contains("不能修改或删除"), "{}", receipts[0].text);
}

#[test]
fn a_scenario_refuses_reviews_inspects_and_stops() {
    let mut bench = Bench::new(&PLUGIN);
    let (effect, receipts) = bench.send("CSM001", good("csm001.xml").document, &["refuse:船舶资料不符"]);
    assert_eq!((effect.effect_key, receipts[0].text.as_str()), (None, "船舶资料不符"));
    let steps = ["review", "inspection:查验泊位", "accepted", "stop", "released"];
    let (_, receipts) = bench.send("CSM001", good("csm001.xml").document, &steps);
    assert_eq!(receipts.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), ["02", "24", "01"]);
    assert_eq!(receipts[1].text, "查验泊位");
    let error = bench.take("CSM001", good("csm001.xml").document, &["L"]).unwrap_err();
    assert_eq!(error.code, "KOUAN-DECLARATIVE-SCRIPT");
    assert!(bench.send_again("CSM001", good("csm001.xml").document)[0].is_repeat_of_known);
    let (effect, receipts) = bench.send("CSM001", b"<Message>", &[]);
    assert_eq!((effect.effect_key, receipts[0].outcome), (None, Outcome::Rejected));
    assert_eq!(bench.take("CSM301", b"<x/>", &[]).unwrap_err().code, "KOUAN-DECLARATIVE-MESSAGE-TYPE");
}

#[test]
fn a_site_changes_how_bad_a_rule_is_and_what_the_data_is() {
    let bad =
        |name: &str| BUSINESS.samples().into_iter().find(|s| s.kind == SampleKind::Bad && s.name == name).unwrap();
    let lenient = business(&PLUGIN, r#"{"rules": {"CSM-CALL-IMO-CHECK-DIGIT": "observe"}}"#);
    assert!(errors(&judged(lenient.as_ref(), &bad("imo-check-digit.xml"))).is_empty());
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../business-schemas/transport-means");
    // JSON takes the path as it is but for backslashes, which this system's paths do not have.
    let own = business(&PLUGIN, &format!(r#"{{"schemas": "{folder}"}}"#));
    for sample in BUSINESS.samples() {
        assert_eq!(judged(own.as_ref(), &sample), judged(business(&PLUGIN, "").as_ref(), &sample), "{}", sample.name);
    }
    for (config, code) in [
        (r#"{"rules": {"CSM-NO-SUCH": "off"}}"#, "KOUAN-DECLARATIVE-CONFIG"),
        (r#"{"rules": {"KOUAN-DECLARATIVE-NO-KEY": "off"}}"#, "KOUAN-DECLARATIVE-CONFIG"),
        (r#"{"no_such": 1}"#, "KOUAN-DECLARATIVE-CONFIG"),
        (r#"{"schemas": "no-such-folder"}"#, "KOUAN-DECLARATIVE-DATA"),
    ] {
        let context = kouan_sdk::Context::standalone("test", std::env::temp_dir());
        let error = BUSINESS.business(&context, config).err().unwrap();
        assert_eq!((error.kind, error.code.as_ref()), (kouan_sdk::ErrorKind::Config, code), "{config}");
    }
}

#[test]
fn a_sample_under_another_number_is_the_same_message_but_for_its_key() {
    let business = business(&PLUGIN, "{}");
    for name in ["csm002.xml", "gbk.xml"] {
        let sample = good(name);
        let document = BUSINESS.renumbered(sample.document, None, "DEMO<1").unwrap().unwrap();
        let package = kouan_sdk::business::Package {
            file_name: "D.xml",
            stem: "D",
            form_id: None,
            document: &document,
            attachments: &[],
        };
        let report = business.check(&package).unwrap();
        assert_eq!(report.business_key, Some(Key::new("MessageID", "DEMO<1")), "{name}");
        assert_eq!(errors(&report), [] as [&str; 0], "{name}");
        let other = judged(business.as_ref(), &sample);
        assert_eq!(value(&report.keys, "Call"), value(&other.keys, "Call"), "{name}");
    }
    assert_eq!(BUSINESS.renumbered(good("train.xml").document, Some("TCDS"), "D1"), Ok(None), "it has no number");
    assert!(BUSINESS.renumbered(b"<Strange/>", None, "D1").is_err());
}
