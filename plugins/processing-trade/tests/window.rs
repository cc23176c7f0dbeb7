//! The business's side of the sandbox, its answers read by the business itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a test fails by panicking

use kouan_declarative::proof::{Bench, value};
use kouan_declarative::{SampleKind, proof};
use kouan_processing_trade::{BUSINESS, PLUGIN};
use kouan_sdk::business::{Outcome, Package, Receipt};

fn good(name: &str) -> String {
    let sample = BUSINESS.samples().into_iter().find(|s| s.kind == SampleKind::Good && s.name == name).unwrap();
    std::str::from_utf8(sample.document).unwrap().to_owned()
}

fn told(receipts: &[Receipt]) -> Vec<String> {
    receipts.iter().map(|r| format!("{} {} {:?}", r.kind, r.code, r.outcome)).collect()
}

fn learned<'r>(receipts: &'r [Receipt], name: &str) -> &'r str {
    receipts.iter().map(|receipt| value(&receipt.keys, name)).rfind(|value| !value.is_empty()).unwrap_or_default()
}

/// A 核放单 that names these documents, of kind 1 (核注清单) or 2 (出入库单).
fn pass(kind: &str, numbers: &[&str]) -> String {
    let own = |at: usize| format!("QD224425I00000000{}", at + 1);
    let base = good("sas121-declared.xml").replacen(&format!("{}/{}", own(0), own(1)), &numbers.join("/"), 1);
    let base = base.replace("<RltTbTypecd>1", &format!("<RltTbTypecd>{kind}"));
    let base = base.replace("<RtlBillTypecd>1", &format!("<RtlBillTypecd>{kind}"));
    (0..2).fold(base, |text, at| text.replace(&own(at), numbers[at % numbers.len()]))
}

#[test]
fn a_draft_is_taken_in_and_nothing_more_and_can_then_be_declared() {
    let mut bench = Bench::new(&PLUGIN);
    let draft = good("inv101_sample.xml");
    let (effect, receipts) = bench.send("INV101", draft.as_bytes(), &[]);
    assert_eq!(told(&receipts), ["CommonResponeMessage 0 Accepted"]);
    assert_eq!(receipts[0].text, "保税核注清单申报服务调用成功");
    assert_eq!(receipts[0].name.prefix, "Successed");
    let number = value(&receipts[0].keys, "SeqNo").to_owned();
    assert_eq!((number.len(), value(&receipts[0].keys, "EtpsPreentNo")), (18, "INV20250318001"));
    assert_eq!(effect.effect_key.unwrap().name, "OwnNumber");

    let declared =
        draft.replace("<SeqNo/>", &format!("<SeqNo>{number}</SeqNo>")).replace("<DelcareFlag>0", "<DelcareFlag>1");
    let (effect, receipts) = bench.send("INV101", declared.as_bytes(), &[]);
    assert_eq!(effect.effect_key.unwrap().value, number);
    let expected = ["CommonResponeMessage 0 Accepted", "INV201 4 Accepted", "INV202 1 Accepted", "INV211  Concluded"];
    assert_eq!(told(&receipts), expected);
    assert!(receipts.iter().all(|receipt| value(&receipt.keys, "SeqNo") == number), "the number is kept");
}

#[test]
fn a_declared_inventory_goes_its_way_to_the_end() {
    let mut bench = Bench::new(&PLUGIN);
    let (_, receipts) = bench.send("INV101", good("inv101-declared.xml").as_bytes(), &[]);
    assert_eq!(told(&receipts)[1..], ["INV201 4 Accepted", "INV202 1 Accepted", "INV211  Concluded"]);
    let inventory = value(&receipts[1].keys, "BondInvtNo");
    assert!(inventory.starts_with("QD224426I") && inventory.len() == 18, "{inventory}");
    assert!(receipts[1..].iter().all(|receipt| value(&receipt.keys, "BondInvtNo") == inventory));
    assert_eq!(value(&receipts[2].keys, "EntrySeqNo").len(), 18);
    assert_eq!(value(&receipts[3].keys, "EtpsPreentNo"), "INV20260112002");
    assert!(receipts[3].is_final);
    let middles: Vec<_> = receipts[1..].iter().map(|receipt| receipt.name.middle.clone().unwrap()).collect();
    assert!(middles[0] != middles[1] && middles[1] != middles[2], "{middles:?}");

    let (_, receipts) = bench.send("INV101", good("inv101-not-declared.xml").as_bytes(), &[]);
    assert_eq!(told(&receipts)[1..], ["INV201 4 Accepted", "INV211  Concluded"], "no declaration is made");
}

#[test]
fn a_gate_pass_needs_inventories_that_the_window_has_seen() {
    let mut bench = Bench::new(&PLUGIN);
    let (effect, receipts) = bench.send("SAS121", good("sas121-declared.xml").as_bytes(), &[]);
    assert_eq!((effect.effect_key, told(&receipts)), (None, vec!["CommonResponeMessage -1 Rejected".to_owned()]));
    assert_eq!(receipts[0].text, "关联单证编号QD224425I000000001的核注清单不存在");
    assert_eq!((receipts[0].name.prefix.as_str(), receipts[0].reopens), ("Failed", true));

    let (_, receipts) = bench.send("INV101", good("inv101-declared.xml").as_bytes(), &[]);
    let first = learned(&receipts, "BondInvtNo").to_owned();
    let (_, receipts) = bench.send("INV101", good("inv101-not-declared.xml").as_bytes(), &[]);
    let second = learned(&receipts, "BondInvtNo").to_owned();
    assert_ne!(first, second);

    let half = pass("1", &[&first, "QD224426I999999999"]);
    let (_, receipts) = bench.send("SAS121", half.as_bytes(), &[]);
    assert_eq!(receipts[0].text, "关联单证编号QD224426I999999999的核注清单不存在");

    let (effect, receipts) = bench.send("SAS121", pass("1", &[&first, &second]).as_bytes(), &[]);
    let expected = ["CommonResponeMessage 0 Accepted", "SAS221 1 Accepted", "SAS223 1 Concluded"];
    assert_eq!((effect.effect_key.is_some(), told(&receipts)), (true, expected.map(str::to_owned).to_vec()));
    let number = value(&receipts[1].keys, "PassportNo");
    assert!(number.starts_with("Z2244I") && number.len() == 24, "{number}");

    // A deleted inventory is known no more.
    let deleted =
        good("inv101-change.xml").replace("QD224426I000000006", &first).replace("<DclTypecd>2", "<DclTypecd>3");
    bench.send("INV101", deleted.as_bytes(), &[]);
    let again = pass("1", &[&first, &second]).replace("HFD20260112002", "HFD20260112099");
    let (effect, _) = bench.send("SAS121", again.as_bytes(), &[]);
    assert_eq!(effect.effect_key, None);
}

#[test]
fn a_gate_pass_may_name_stock_notes_and_no_other_kind() {
    let mut bench = Bench::new(&PLUGIN);
    let (_, receipts) = bench.send("SAS111", good("sas111.xml").as_bytes(), &[]);
    assert_eq!(told(&receipts), ["CommonResponeMessage 0 Accepted", "SAS211 1 Concluded"]);
    let stock = learned(&receipts, "SasStockNo").to_owned();
    let (_, receipts) = bench.send("SAS121", pass("2", &[&stock]).as_bytes(), &[]);
    assert_eq!(told(&receipts)[1..], ["SAS221 1 Accepted", "SAS223 1 Concluded"]);
    let as_inventory = pass("1", &[&stock]).replace("HFD20260112002", "HFD20260112098");
    let (effect, _) = bench.send("SAS121", as_inventory.as_bytes(), &[]);
    assert_eq!(effect.effect_key, None, "a stock note is no inventory");
}

#[test]
fn an_empty_vehicle_names_nothing_and_only_a_known_pass_is_cancelled() {
    let mut bench = Bench::new(&PLUGIN);
    let (_, receipts) = bench.send("SAS121", good("sas121-empty-vehicle.xml").as_bytes(), &[]);
    assert_eq!(told(&receipts)[1..], ["SAS221 1 Accepted", "SAS223 1 Concluded"]);
    let cancel = good("sas121-cancel.xml");
    let (effect, receipts) = bench.send("SAS121", cancel.as_bytes(), &[]);
    assert_eq!((effect.effect_key, receipts[0].text.as_str()), (None, "核放单Z2244I260112000000000005不存在"));
}

#[test]
fn scenarios_refuse_review_reject_and_inspect() {
    let mut bench = Bench::new(&PLUGIN);
    let inventory = good("inv101-declared.xml");
    let (effect, receipts) =
        bench.send("INV101", inventory.as_bytes(), &["refuse:料号MT-0001未在账册T2244W000001备案"]);
    assert_eq!(effect.effect_key, None);
    assert_eq!(told(&receipts), ["CommonResponeMessage -1 Rejected"]);
    assert_eq!(receipts[0].text, "料号MT-0001未在账册T2244W000001备案");

    let steps = ["review", "rejected:表体第1项商品料号未在账册备案"];
    let (_, receipts) = bench.send("INV101", inventory.as_bytes(), &steps);
    assert_eq!(told(&receipts)[1..], ["INV201 2 Accepted", "INV201 3 Rejected"]);
    assert_eq!(receipts[2].text, "表体第1项商品料号未在账册备案");
    assert!(receipts[2].reopens && receipts[2].rank > receipts[1].rank);

    let (_, receipts) = bench.send(
        "INV101",
        inventory.replace("2002", "2077").as_bytes(),
        &["accepted", "entry-failed", "written-off"],
    );
    assert_eq!(told(&receipts)[1..], ["INV201 4 Accepted", "INV202 2 Accepted", "INV201 1 Concluded"]);

    let steps = ["accepted", "inspection", "not-passed", "released"];
    let (_, receipts) = bench.send("SAS121", good("sas121-empty-vehicle.xml").as_bytes(), &steps);
    assert_eq!(
        told(&receipts)[1..],
        ["SAS221 1 Accepted", "SAS224 1 Accepted", "SAS223 2 Accepted", "SAS223 1 Concluded"]
    );
    assert!(receipts.is_sorted_by_key(|receipt| receipt.rank));
    let error = bench.take("SAS121", good("sas121-empty-vehicle.xml").as_bytes(), &["no-such-step"]).unwrap_err();
    assert_eq!(error.code, "KOUAN-DECLARATIVE-SCRIPT");
}

#[test]
fn every_good_sample_is_answered_in_its_own_kind() {
    for sample in BUSINESS.samples().into_iter().filter(|sample| sample.kind == SampleKind::Good) {
        let mut bench = Bench::new(&PLUGIN);
        let business = proof::business(&PLUGIN, "{}");
        let package =
            Package { file_name: "A1.xml", stem: "A1", form_id: None, document: sample.document, attachments: &[] };
        let report = business.check(&package).unwrap();
        let (effect, receipts) = bench.send(&report.message_type, sample.document, &[]);
        // Those that refer to what a fresh window has not seen.
        let refers = ["inv101-change.xml", "sas121-cancel.xml", "sas121-one-document-many-vehicles.xml"];
        let refers = refers.contains(&sample.name.as_str())
            || (sample.name.starts_with("sas121") && !sample.name.contains("empty"));
        assert_eq!(effect.effect_key.is_none(), refers, "{}", sample.name);
        assert_eq!(effect.effect_key.is_none(), receipts[0].outcome == Outcome::Rejected, "{}", sample.name);
        if let Some(key) = effect.effect_key {
            assert_eq!(Some(key), report.business_key, "{}", sample.name);
        }
    }
}

#[test]
fn a_repeat_is_told_its_number() {
    let mut bench = Bench::new(&PLUGIN);
    let pass = good("sas121-empty-vehicle.xml");
    let (_, receipts) = bench.send("SAS121", pass.as_bytes(), &[]);
    let number = value(&receipts[0].keys, "SeqNo").to_owned();
    let again = bench.send_again("SAS121", pass.as_bytes());
    assert!(again[0].is_repeat_of_known && again[0].outcome == Outcome::Rejected);
    assert_eq!(value(&again[0].keys, "SeqNo"), number);
    assert!(again[0].text.contains("企业内部编号HFD20260112003"), "{}", again[0].text);
}

#[test]
fn a_zip_is_opened_and_what_cannot_be_read_is_refused() {
    let mut bench = Bench::new(&PLUGIN);
    let business = proof::business(&PLUGIN, "{}");
    let document = good("inv101-declared.xml").into_bytes();
    let package = Package { file_name: "A1.zip", stem: "A1", form_id: None, document: &document, attachments: &[] };
    let report = business.check(&package).unwrap();
    let parts = business.plan(&package, &report, &[]).unwrap();
    let kouan_sdk::business::Payload::Bytes(zipped) = &parts[0].payload else { panic!() };
    let (effect, _) = bench.send("INV101", zipped, &[]);
    assert_eq!(effect.effect_key, report.business_key);
    let (effect, receipts) = bench.send("INV101", b"<Signature>", &[]);
    assert_eq!((effect.effect_key, told(&receipts)), (None, vec!["CommonResponeMessage -1 Rejected".to_owned()]));
}
