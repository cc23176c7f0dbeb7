//! The simulated window: accepted, refused, reviewed, deleted, and what refers to a bill that it does not know.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_declarative::proof::{self, Bench, value};
use kouan_manifest::{BUSINESS, PLUGIN};
use kouan_sdk::business::{Outcome, Package, Payload, Receipt};

fn sample(name: &str) -> Vec<u8> {
    let samples = BUSINESS.samples();
    let found = samples.iter().find(|sample| sample.name == format!("{name}.xml"));
    found.unwrap_or_else(|| panic!("there is no sample {name}")).document.to_vec()
}

/// The same message under another number, a millisecond later.
fn numbered(document: &[u8], millisecond: u32) -> Vec<u8> {
    let text = String::from_utf8(document.to_vec()).unwrap();
    let number = text.split("<SendTime>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let next = format!("{}{millisecond:03}", &number[..14]);
    text.replace(&number, &next).into_bytes()
}

fn said(receipts: &[Receipt]) -> Vec<(&str, Outcome)> {
    receipts.iter().map(|receipt| (receipt.code.as_str(), receipt.outcome)).collect()
}

const TAKEN_IN: (&str, Outcome) = ("0", Outcome::Accepted);
const ACCEPTED: (&str, Outcome) = ("01", Outcome::Concluded);

#[test]
fn every_good_sample_is_taken_in_and_concluded() {
    // What changes or deletes, or adds to main data, needs an earlier message; drafts and rail end elsewhere.
    let alone = |name: &str| !["change", "delete", "other_data"].iter().any(|word| name.contains(word));
    let mut types = std::collections::BTreeSet::new();
    for sample in BUSINESS.samples().iter().filter(|s| s.kind == kouan_declarative::SampleKind::Good && alone(&s.name))
    {
        let report = proof::judged(proof::business(&PLUGIN, "{}").as_ref(), sample);
        let (effect, receipts) = Bench::new(&PLUGIN).send(&report.message_type, sample.document, &[]);
        assert_eq!(effect.effect_key, report.business_key, "{}", sample.name);
        assert_eq!(said(&receipts), [TAKEN_IN, ACCEPTED], "{}", sample.name);
        for receipt in &receipts {
            assert!(receipt.keys.contains(report.business_key.as_ref().unwrap()), "{}", sample.name);
        }
        types.insert(report.message_type);
    }
    assert_eq!(types.len(), 28, "every type with a schema, and one without: {types:?}");
}

#[test]
fn a_scenario_refuses_reviews_rejects_and_releases() {
    let document = sample("mt1101_container");
    let (effect, receipts) = Bench::new(&PLUGIN).send("MT1101", &document, &["refuse:关区代码不存在"]);
    assert_eq!((effect.effect_key, said(&receipts)), (None, vec![("1", Outcome::Rejected)]));
    assert_eq!(receipts[0].text, "关区代码不存在");
    let steps = ["imported", "review", "rejected:退单：提运单号已存在"];
    let (_, receipts) = Bench::new(&PLUGIN).send("MT1101", &document, &steps);
    assert_eq!(said(&receipts), [TAKEN_IN, ("02", Outcome::Accepted), ("03", Outcome::Rejected)]);
    assert_eq!(receipts[2].text, "退单：提运单号已存在");
    assert!(receipts[2].reopens);
    let (_, receipts) = Bench::new(&PLUGIN).send("MT1101", &document, &["imported", "accepted", "released"]);
    assert_eq!(receipts[2].stage, "放行");
    let (_, receipts) = Bench::new(&PLUGIN).send("MT1101", &document, &["imported", "stop"]);
    assert_eq!(said(&receipts), [TAKEN_IN]);
}

#[test]
fn a_deletion_needs_a_bill_that_is_there() {
    let mut bench = Bench::new(&PLUGIN);
    let delete = sample("mt1101_delete");
    let (effect, receipts) = bench.send("MT1101", &delete, &[]);
    assert_eq!((effect.effect_key, said(&receipts)), (None, vec![("1", Outcome::Rejected)]));
    let unknown = "海关系统中没有提运单 MT1101/012E/EXLU0000000001 的数据，不能变更或删除";
    assert_eq!(receipts[0].text, unknown);

    bench.send("MT1101", &sample("mt1101_container"), &[]);
    let (_, receipts) = bench.send("MT1101", &numbered(&delete, 501), &[]);
    assert_eq!(said(&receipts), [TAKEN_IN, ("02", Outcome::Accepted), ACCEPTED]);
    // It is gone now.
    let (effect, receipts) = bench.send("MT1101", &numbered(&delete, 502), &[]);
    assert_eq!((effect.effect_key, &*receipts[0].text), (None, unknown));
    // An export of the same number is another bill.
    let (effect, _) = bench.send("MT2101", &sample("mt2101_delete"), &[]);
    assert_eq!(effect.effect_key, None);
}

#[test]
fn changes_and_other_data_come_after_main_data() {
    for name in ["mt1101_change", "mt1101_other_data"] {
        let mut bench = Bench::new(&PLUGIN);
        let (effect, receipts) = bench.send("MT1101", &sample(name), &[]);
        assert_eq!((effect.effect_key, receipts[0].outcome), (None, Outcome::Rejected), "{name}");
        bench.send("MT1101", &sample("mt1101_container"), &[]);
        let (effect, receipts) = bench.send("MT1101", &numbered(&sample(name), 503), &[]);
        assert!(effect.effect_key.is_some(), "{name}");
        assert_eq!(receipts.last().map(|r| r.outcome), Some(Outcome::Concluded), "{name}");
    }
}

#[test]
fn a_trip_is_known_by_its_batch() {
    let report = sample("mt4404");
    let delete = String::from_utf8(report.clone()).unwrap().replace("<FunctionCode>2<", "<FunctionCode>3<");
    let delete = numbered(delete.as_bytes(), 504);
    let mut bench = Bench::new(&PLUGIN);
    assert_eq!(bench.send("MT4404", &delete, &[]).0.effect_key, None);
    bench.send("MT4404", &report, &[]);
    assert!(bench.send("MT4404", &delete, &[]).0.effect_key.is_some());
}

#[test]
fn a_draft_is_kept_and_no_more() {
    let draft = String::from_utf8(sample("mt1101_container")).unwrap().replace("<FunctionCode>9<", "<FunctionCode>T<");
    let (_, receipts) = Bench::new(&PLUGIN).send("MT1101", draft.as_bytes(), &[]);
    assert_eq!((receipts.len(), &*receipts[0].text), (1, "暂存成功"));
}

#[test]
fn a_repeat_is_told_with_both_numbers() {
    let mut bench = Bench::new(&PLUGIN);
    let document = sample("manifest_mt2101_sample");
    let (_, receipts) = bench.send("MT2101", &document, &[]);
    let number = value(&receipts[0].keys, "ID").to_owned();
    assert_eq!(number, "R20260000000000001");
    let again = bench.send_again("MT2101", &document);
    assert!(again[0].is_repeat_of_known, "{again:?}");
    assert_eq!(value(&again[0].keys, "ID"), number);
    assert_eq!(value(&again[0].keys, "MessageID"), "2225000000001_20250318101530123");
}

/// The road family goes out as a zip with one xml of the same stem, and the window opens it.
#[test]
fn the_road_goes_out_zipped_and_the_water_bare() {
    let business = proof::business(&PLUGIN, "{}");
    for (name, message_type, zipped) in [("manifest_mt1401_sample", "MT1401", true), ("mt1101_bulk", "MT1101", false)] {
        let document = sample(name);
        let package = Package { file_name: "A1.xml", stem: "A1", form_id: None, document: &document, attachments: &[] };
        let report = business.check(&package).unwrap();
        let parts = business.plan(&package, &report, &report.keys).unwrap();
        let Payload::Bytes(bytes) = &parts[0].payload else { panic!("{name} waits for a key") };
        if zipped {
            let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes.as_ref())).unwrap();
            assert_eq!((archive.len(), parts[0].file_name.as_str()), (1, "A1.zip"));
            let mut inner = archive.by_index(0).unwrap();
            let mut unpacked = Vec::new();
            std::io::Read::read_to_end(&mut inner, &mut unpacked).unwrap();
            assert_eq!((inner.name().unwrap().as_ref(), &unpacked), ("A1.xml", &document));
        } else {
            assert_eq!((bytes.as_ref(), parts[0].file_name.as_str()), (document.as_slice(), "A1.xml"));
        }
        let (_, receipts) = Bench::new(&PLUGIN).send(message_type, bytes, &[]);
        assert_eq!(said(&receipts), [TAKEN_IN, ACCEPTED], "{name}");
    }
}
