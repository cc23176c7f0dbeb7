//! The kit of the business trait, and what the samples promise beyond it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_declarative::SampleKind;
use kouan_declarative::proof::{self, Bench, business, judged, value};
use kouan_opaque::{BUSINESS, PLUGIN};
use kouan_sdk::Severity;
use kouan_sdk::business::{Key, Outcome, Package, Payload};
use std::borrow::Cow;

#[test]
fn holds_what_every_business_by_data_promises() {
    proof::check(&PLUGIN, &BUSINESS);
}

#[test]
fn every_type_is_known_by_its_folder_and_warns() {
    let business = business(&PLUGIN, "{}");
    let types = business.describe().types;
    let good: Vec<_> = BUSINESS.samples().into_iter().filter(|sample| sample.kind == SampleKind::Good).collect();
    assert_eq!(good.len(), types.len(), "a sample for each type");
    for sample in good {
        let report = judged(business.as_ref(), &sample);
        assert_eq!(Some(&report.message_type), sample.form_id.as_ref());
        let found: Vec<_> = report.findings.iter().map(|f| (f.rule.as_str(), f.severity)).collect();
        assert_eq!(found, [("KOUAN-DECLARATIVE-NOT-CHECKED", Severity::Warning)], "{}", sample.name);
        let stem = sample.name.trim_end_matches(".xml");
        assert_eq!(report.business_key, Some(Key::new("FileStem", stem)));
        assert!(value(&report.keys, "ClientSeqNo").starts_with("TEST"), "{}", sample.name);
    }
}

#[test]
fn a_message_goes_out_as_it_stands_to_its_receiver() {
    let business = business(&PLUGIN, "{}");
    let document = b"<Licence><LicenceNo>L1</LicenceNo></Licence>".as_slice();
    let package = Package { file_name: "L1.xml", stem: "L1", form_id: Some("ail"), document, attachments: &[] };
    let report = business.check(&package).unwrap();
    let parts = business.plan(&package, &report, &report.keys).unwrap();
    assert_eq!(
        (parts[0].message_type.as_str(), parts[0].receivers.as_slice()),
        ("AIL", &["DXPDSWLICENCE001".to_owned()][..])
    );
    assert_eq!(parts[0].payload, Payload::Bytes(Cow::Borrowed(document)));
}

#[test]
fn receipts_are_read_by_what_they_carry() {
    let business = business(&PLUGIN, "{}");
    let read = |part: &str| {
        let (_, bytes) = BUSINESS.receipts().into_iter().find(|(name, _)| name.contains(part)).unwrap();
        business.read_receipt(bytes).unwrap()
    };
    let taken = read("deccus201");
    assert_eq!((taken.outcome, taken.name.prefix.as_str()), (Outcome::Accepted, "Successed"));
    assert_eq!(taken.keys, [Key::new("ClientSeqNo", "TEST202601120001"), Key::new("SeqNo", "I20260000000000001")]);
    let refused = read("_ail_");
    assert_eq!(
        (refused.outcome, refused.text.as_str(), refused.reopens),
        (Outcome::Rejected, "许可证编号不能为空", true)
    );
    let other = read("other");
    assert_eq!((other.outcome, other.stage.as_str()), (Outcome::None, "回执，代码 XX（含义未知）"));
    assert_eq!(other.keys, [Key::new("SeqNo", "I20260000000000001")]);
    let failure = read("acmp");
    assert!(failure.is_client_failure && failure.keys.is_empty());
    assert_eq!(business.read_receipt(b"<Unheard/>").unwrap_err().code, "KOUAN-DECLARATIVE-RECEIPT-INCOMPLETE");
}

#[test]
fn the_window_gives_a_number_refuses_and_knows_again() {
    let mut bench = Bench::new(&PLUGIN);
    let document = b"<R><ClientSeqNo>C1</ClientSeqNo></R>";
    let (effect, receipts) = bench.send("DECCUS201", document, &[]);
    assert_eq!((effect.effect_key, receipts[0].outcome), (Some(Key::new("FileStem", "A1")), Outcome::Accepted));
    assert_eq!((receipts[0].kind.as_str(), value(&receipts[0].keys, "SeqNo")), ("response", "202600000000000001"));
    assert!(bench.send_again("DECCUS201", document)[0].is_repeat_of_known);
    let (effect, receipts) = bench.send("AIL", document, &["refuse:许可证已过期"]);
    assert_eq!((effect.effect_key, receipts[0].text.as_str()), (None, "许可证已过期"));
}
