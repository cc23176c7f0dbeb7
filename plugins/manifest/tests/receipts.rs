//! Every receipt sample is read with its kind, outcome, code, keys and text, and finds the message that it answers.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_declarative::proof;
use kouan_manifest::{BUSINESS, PLUGIN};
use kouan_sdk::Business;
use kouan_sdk::business::{Key, Outcome, Receipt};

fn business() -> Box<dyn Business> {
    proof::business(&PLUGIN, "{}")
}

fn sample(name: &str) -> Vec<u8> {
    let all = BUSINESS.receipts();
    let found = all.iter().find(|(known, _)| known == name);
    found.unwrap_or_else(|| panic!("there is no receipt {name}")).1.to_vec()
}

fn read(name: &str) -> Receipt {
    business().read_receipt(&sample(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What is expected of a receipt sample.
struct Expected(&'static str, &'static str, Outcome, &'static str, &'static str, &'static str);

#[test]
fn each_sample_is_read_with_kind_outcome_code_stage_and_text() {
    use Outcome::{Accepted, Concluded, None, Rejected};
    let expected = [
        Expected(
            "manifest_receipt_sample.xml",
            "MT9999",
            Concluded,
            "01",
            "海关接受申报",
            "21301 预配舱单主要数据传输成功。",
        ),
        Expected("manifest_client_success_sample.xml", "ClientResponse", Accepted, "0", "导入成功", "导入成功"),
        Expected("client_success_flat.xml", "ClientResponse", Accepted, "0", "导入成功", "导入成功"),
        Expected(
            "client_failed.xml",
            "ClientResponse",
            Rejected,
            "1",
            "导入失败（1）",
            "报文格式校验失败：总提(运)单号不能为空",
        ),
        Expected("mt9999_review.xml", "MT9999", Accepted, "02", "待海关人工审核", "待海关人工审核。"),
        Expected("mt9999_refused.xml", "MT9999", Rejected, "03", "海关退单", "21303 退单：提运单号已存在。"),
        Expected(
            "mt9999_two_bills.xml",
            "MT9999",
            Rejected,
            "03",
            "海关退单",
            "EXLU0000000011 03 21303 退单：提运单号已存在。；EXLU0000000010 01 21301 预配舱单主要数据传输成功。",
        ),
        Expected("mt9999_deleted.xml", "MT9999", Concluded, "01", "海关接受申报", "24301 预配舱单删除申请审核通过。"),
        Expected("mt9999_released.xml", "MT9999", Concluded, "11", "放行", "放行。"),
        Expected("mt9999_not_to_be_loaded.xml", "MT9999", Rejected, "12", "拒装（不准装载）", "拒装。"),
        Expected("mt9999_unknown_code.xml", "MT9999", None, "P", "未知状态 P", "状态 P"),
        Expected("mt9999_road.xml", "MT9999", Concluded, "01", "海关接受申报", "海关接受申报。"),
    ];
    for Expected(name, kind, outcome, code, stage, text) in &expected {
        let receipt = read(name);
        let said = (&*receipt.kind, receipt.outcome, &*receipt.code, &*receipt.stage, &*receipt.text);
        assert_eq!(said, (*kind, *outcome, *code, *stage, *text), "{name}");
        assert!(receipt.noticed_at.is_some(), "{name} says when it was made");
    }
    let mut told: Vec<_> = expected.iter().map(|e| e.0.to_owned()).collect();
    told.sort();
    let all: Vec<_> = BUSINESS.receipts().into_iter().map(|(name, _)| name).collect();
    assert_eq!(told, all, "every sample is told here");
}

#[test]
fn files_are_named_as_the_official_client_names_them() {
    let prefix = |name: &str| read(name).name.prefix;
    assert_eq!(prefix("manifest_client_success_sample.xml"), "Successed");
    assert_eq!(prefix("client_failed.xml"), "Failed");
    assert_eq!(prefix("manifest_receipt_sample.xml"), "Receipt");
}

#[test]
fn the_client_teaches_the_unified_number() {
    let receipt = read("manifest_client_success_sample.xml");
    let keys = [Key::new("ID", "R20250000000000001"), message_id("CN_MT1401_1p0_5301000000001_20250318101530123")];
    assert_eq!(receipt.keys, keys);
}

#[test]
fn only_what_ends_the_matter_is_final_and_only_a_refusal_reopens() {
    let said = |name: &str| (read(name).is_final, read(name).reopens);
    assert_eq!(said("manifest_receipt_sample.xml"), (false, false), "a release may follow");
    assert_eq!(said("mt9999_review.xml"), (false, false));
    assert_eq!(said("mt9999_refused.xml"), (false, true));
    assert_eq!(said("client_failed.xml"), (false, true));
    assert_eq!(said("mt9999_released.xml"), (true, false));
    assert_eq!(said("mt9999_not_to_be_loaded.xml"), (true, false));
    let ranks =
        ["manifest_client_success_sample.xml", "mt9999_review.xml", "mt9999_refused.xml", "mt9999_released.xml"];
    assert!(ranks.map(|name| read(name).rank).is_sorted(), "a later stage outranks an earlier one");
}

/// By the number alone, and by what was done to which bill, should customs answer under a number of their own.
#[test]
fn a_receipt_finds_its_message_by_number_and_by_operation() {
    let answered = |receipt: &str, message: &str| {
        let receipt = read(receipt);
        let samples = BUSINESS.samples();
        let sample = samples.iter().find(|sample| sample.name == message).unwrap();
        let report = proof::judged(business().as_ref(), sample);
        let common = receipt.keys.into_iter().filter(|key| report.keys.contains(key));
        common.map(|key| key.name).collect::<Vec<_>>()
    };
    let both = ["MessageID", "Operation"];
    assert_eq!(answered("manifest_receipt_sample.xml", "manifest_mt2101_sample.xml"), both);
    assert_eq!(answered("mt9999_road.xml", "manifest_mt1401_sample.xml")[..1], both[..1]);
    // A clearance status does not echo the function, so the bill alone tells.
    assert_eq!(answered("mt9999_released.xml", "manifest_mt2101_sample.xml"), ["Bill", "MessageID"]);
    // The deletion of the same bill is another operation.
    assert_eq!(answered("mt9999_deleted.xml", "mt2101_delete.xml"), ["Operation"]);
    let none: [&str; 0] = [];
    assert_eq!(answered("manifest_receipt_sample.xml", "mt2101_delete.xml"), none);
}

#[test]
fn a_message_is_no_receipt() {
    for sample in BUSINESS.samples() {
        assert!(business().read_receipt(sample.document).is_err(), "{} is read as a receipt", sample.name);
    }
}

/// They share the root, so that what is asked about one may be the other.
#[test]
fn a_receipt_is_no_message_of_any_type() {
    for (name, bytes) in BUSINESS.receipts() {
        let sample = kouan_sdk::conformance::business::Sample::document(name.clone(), bytes);
        let report = sample.with_package(|package| business().check(package).unwrap());
        assert_eq!(report.message_type, "", "{name}");
        assert!(kouan_sdk::finding::has_error(&report.findings), "{name} is refused as a message");
    }
}

fn message_id(value: &str) -> Key {
    Key::new("MessageID", value)
}
