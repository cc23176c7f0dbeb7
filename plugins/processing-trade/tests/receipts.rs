//! Every sample receipt is read with the right kind, keys, outcome and text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a test fails by panicking

use kouan_declarative::proof;
use kouan_processing_trade::{BUSINESS, PLUGIN};
use kouan_sdk::business::{Outcome, Receipt};

/// File, kind, keys, outcome, final, reopens, prefix, text.
type Row = (&'static str, &'static str, &'static str, Outcome, bool, bool, &'static str, &'static str);

#[rustfmt::skip] // a row a receipt
const ROWS: &[Row] = &[
    ("bhl201-passed.xml", "BHL201", "BusinessId=L2244W000001 SeqNo=202600000000000027", Outcome::Concluded, false, false, "Receipt", ""),
    ("bhl211-passed.xml", "BHL211", "BusinessId=L2244W000001 SeqNo=202600000000000027", Outcome::Concluded, false, false, "Receipt", ""),
    ("bhl241-passed.xml", "BHL241", "BusinessId=L2244W000001 SeqNo=202600000000000027", Outcome::Concluded, false, false, "Receipt", ""),
    ("bhl301-passed.xml", "BHL301", "BusinessId=L2244W000001 SeqNo=202600000000000027", Outcome::Concluded, false, false, "Receipt", ""),
    ("bws201-passed.xml", "BWS201", "BwsNo=L2244W000001 SeqNo=202600000000000027", Outcome::Concluded, false, false, "Receipt", ""),
    ("cmb201-passed.xml", "CMB201", "BusinessId=L2244W000001 SeqNo=202600000000000027", Outcome::Concluded, false, false, "Receipt", ""),
    ("common_response_fail_info.xml", "CommonResponeMessage", "EtpsPreentNo=HFD20260112003", Outcome::Rejected, false, true, "Failed", "核放单类型为5或6时：绑定类型、关联单证类型、关联单证编号应为空"),
    ("common_response_failed_sample.xml", "CommonResponeMessage", "EtpsPreentNo=HFD20250318001 SeqNo=202500000000000009", Outcome::Rejected, false, true, "Failed", "报文类型为SAS121,\n    导入报文中预录入统一编号为空，并且企业内部编号HFD20250318001、区内企业编码3122480001与系统已有记录【202500000000000009】的对应字段重复，请修改后重新导入。"),
    ("common_response_success_sample.xml", "CommonResponeMessage", "EtpsPreentNo=INV20250318001 SeqNo=202500000000000001", Outcome::Accepted, false, false, "Successed", "保税核注清单申报服务调用成功"),
    ("eml200-received.xml", "EML200", "BusinessId=C22446000001 SeqNo=202600000000000020", Outcome::None, false, false, "Receipt", ""),
    ("eml211-passed.xml", "EML211", "EmlNo=C22446000001 SeqNo=202600000000000023", Outcome::Concluded, false, false, "Receipt", ""),
    ("eml211-refused.xml", "EML211", "SeqNo=202600000000000023", Outcome::Rejected, false, true, "Receipt", "资料不全"),
    ("eml212-passed.xml", "EML212", "EmlNo=C22446000001 SeqNo=202600000000000023", Outcome::Concluded, false, false, "Receipt", ""),
    ("eml221-passed.xml", "EML221", "EmlNo=C22446000001 SeqNo=202600000000000023", Outcome::Concluded, false, false, "Receipt", ""),
    ("eml241-passed.xml", "EML241", "EmlNo=C22446000001 SeqNo=202600000000000023", Outcome::Concluded, false, false, "Receipt", ""),
    ("eml301-passed.xml", "EML301", "EmlNo=C22446000001 SeqNo=202600000000000023", Outcome::Concluded, false, false, "Receipt", ""),
    ("ems200-received.xml", "EMS200", "BusinessId=E22446000001 SeqNo=202600000000000020", Outcome::None, false, false, "Receipt", ""),
    ("ems201-passed.xml", "EMS201", "EmsNo=E22446000001 SeqNo=202600000000000022", Outcome::Concluded, false, false, "Receipt", ""),
    ("ems211-passed.xml", "EMS211", "EmsNo=E22446000001 SeqNo=202600000000000022", Outcome::Concluded, false, false, "Receipt", ""),
    ("ems211-refused.xml", "EMS211", "SeqNo=202600000000000022", Outcome::Rejected, false, true, "Receipt", "料件序号1商品编码不在税则中；账册有效期超过三年"),
    ("ems212-passed.xml", "EMS212", "EmsNo=E22446000001 SeqNo=202600000000000022", Outcome::Concluded, false, false, "Receipt", ""),
    ("ems221-passed.xml", "EMS221", "EmsNo=E22446000001 SeqNo=202600000000000022", Outcome::Concluded, false, false, "Receipt", ""),
    ("ems241-passed.xml", "EMS241", "EmsNo=E22446000001 SeqNo=202600000000000022", Outcome::Concluded, false, false, "Receipt", ""),
    ("ems301-passed.xml", "EMS301", "EmsNo=E22446000001 SeqNo=202600000000000022", Outcome::Concluded, false, false, "Receipt", ""),
    ("inv201-manual.xml", "INV201", "BondInvtNo=QD224426I000000001 SeqNo=202600000000000001", Outcome::Accepted, false, false, "Receipt", ""),
    ("inv201-passed-not-written-off.xml", "INV201", "BondInvtNo=QD224426I000000001 SeqNo=202600000000000001", Outcome::Accepted, false, false, "Receipt", ""),
    ("inv201-passed.xml", "INV201", "BondInvtNo=QD224426I000000001 SeqNo=202600000000000001", Outcome::Concluded, false, false, "Receipt", ""),
    ("inv201-unknown-result.xml", "INV201", "BondInvtNo=QD224426I000000001 SeqNo=202600000000000001", Outcome::None, false, false, "Receipt", ""),
    ("inv201_receipt_sample.xml", "INV201", "BondInvtNo=QD224425I000000001 EtpsPreentNo=INV20250318001 SeqNo=202500000000000001", Outcome::Accepted, false, false, "Receipt", ""),
    ("inv201_reject_receipt_sample.xml", "INV201", "SeqNo=202500000000000002", Outcome::Rejected, false, true, "Receipt", "表体第1项商品料号未在账册备案"),
    ("inv202-failed.xml", "INV202", "BondInvtNo=QD224426I000000001 SeqNo=202600000000000001", Outcome::Accepted, false, false, "Receipt", "报关单表体商品编码已停用"),
    ("inv202-prefixed.xml", "INV202", "BondInvtNo=QD224426I000000001 EntrySeqNo=I20260000000000001 SeqNo=202600000000000001", Outcome::Accepted, false, false, "Receipt", ""),
    ("inv202_receipt_sample.xml", "INV202", "BondInvtNo=QD224425I000000001 EntrySeqNo=I20250000000000001 SeqNo=202500000000000001", Outcome::Accepted, false, false, "Receipt", ""),
    ("inv211_receipt_sample.xml", "INV211", "BondInvtNo=QD224425I000000001 EtpsPreentNo=INV20250318001 SeqNo=202500000000000001", Outcome::Concluded, true, false, "Receipt", ""),
    ("sas200-not-received.xml", "SAS200", "SeqNo=202600000000000021", Outcome::None, false, false, "Receipt", "报文解析失败"),
    ("sas200-received.xml", "SAS200", "BusinessId=Z2244I260112000000000001 SeqNo=202600000000000020", Outcome::None, false, false, "Receipt", ""),
    ("sas201-passed.xml", "SAS201", "SasDclNo=A2244H260000000001 SeqNo=202600000000000024", Outcome::Concluded, false, false, "Receipt", ""),
    ("sas202-passed.xml", "SAS202", "SasDclNo=A2244H260000000001 SeqNo=202600000000000024", Outcome::Concluded, false, false, "Receipt", ""),
    ("sas203-passed.xml", "SAS203", "SasDclNo=A2244H260000000001 SeqNo=202600000000000024", Outcome::Concluded, false, false, "Receipt", ""),
    ("sas211-passed.xml", "SAS211", "SasStockNo=C2244I260000000001 SeqNo=202600000000000024", Outcome::Concluded, false, false, "Receipt", ""),
    ("sas212-passed.xml", "SAS212", "SasStockNo=C2244I260000000001 SeqNo=202600000000000024", Outcome::Concluded, false, false, "Receipt", ""),
    ("sas213-passed.xml", "SAS213", "SasStockNo=C2244I260000000001 SeqNo=202600000000000024", Outcome::Concluded, false, false, "Receipt", ""),
    ("sas221-manual.xml", "SAS221", "PassportNo=Z2244I260112000000000001 SeqNo=202600000000000003", Outcome::Accepted, false, false, "Receipt", ""),
    ("sas221-not-stored.xml", "SAS221", "PassportNo=Z2244I260112000000000001 SeqNo=202600000000000003", Outcome::Rejected, false, true, "Receipt", "关联单证编号不存在"),
    ("sas221-refused.xml", "SAS221", "SeqNo=202600000000000003", Outcome::Rejected, false, true, "Receipt", "关联单证编号不存在"),
    ("sas221-stored.xml", "SAS221", "PassportNo=Z2244I260112000000000001 SeqNo=202600000000000003", Outcome::Accepted, false, false, "Receipt", ""),
    ("sas221_receipt_sample.xml", "SAS221", "PassportNo=Z2244I250318000000000001 SeqNo=202500000000000003", Outcome::Accepted, false, false, "Receipt", ""),
    ("sas222-passed.xml", "SAS222", "PassportNo=Z2244I260112000000000001 SeqNo=202600000000000003", Outcome::Accepted, false, false, "Receipt", ""),
    ("sas223-not-passed.xml", "SAS223", "PassportNo=Z2244I260112000000000001 SeqNo=202600000000000003", Outcome::Accepted, false, false, "Receipt", "地磅重量超差"),
    ("sas223_receipt_sample.xml", "SAS223", "PassportNo=Z2244I250318000000000001 SeqNo=202500000000000003", Outcome::Concluded, true, false, "Receipt", ""),
    ("sas224-inspection.xml", "SAS224", "PassportNo=Z2244I260112000000000001 SeqNo=202600000000000003", Outcome::Accepted, false, false, "Receipt", "查验：开箱核对数量"),
    ("sas231-passed.xml", "SAS231", "BusinessId=V0001 SeqNo=202600000000000025", Outcome::Concluded, false, false, "Receipt", ""),
    ("sas251-passed.xml", "SAS251", "PassportNo=Z2244I260112000000000001 SeqNo=202600000000000026", Outcome::Accepted, false, false, "Receipt", ""),
    ("sas253-gate.xml", "SAS253", "PassportNo=Z2244I260112000000000001 SeqNo=202600000000000026", Outcome::Concluded, true, false, "Receipt", ""),
];

fn read(name: &str) -> Receipt {
    let (_, bytes) = BUSINESS.receipts().into_iter().find(|(known, _)| known == name).unwrap();
    proof::business(&PLUGIN, "{}").read_receipt(bytes).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn each_says_what_it_says() {
    let mut names: Vec<_> = BUSINESS.receipts().into_iter().map(|(name, _)| name).collect();
    for &(name, kind, keys, outcome, is_final, reopens, prefix, text) in ROWS {
        let receipt = read(name);
        let found: Vec<_> = receipt.keys.iter().map(|key| format!("{}={}", key.name, key.value)).collect();
        assert_eq!((receipt.kind.as_str(), found.join(" ").as_str()), (kind, keys), "{name}");
        assert_eq!((receipt.outcome, receipt.is_final, receipt.reopens), (outcome, is_final, reopens), "{name}");
        assert_eq!((receipt.name.prefix.as_str(), receipt.text.as_str()), (prefix, text), "{name}");
        assert!(!receipt.is_client_failure && receipt.name.extension == "xml", "{name}");
        names.retain(|known| known != name);
    }
    assert!(names.is_empty(), "not told above: {names:?}");
}

#[test]
fn a_receipt_keeps_its_own_file_name_and_its_moment() {
    let receipt = read("inv201_receipt_sample.xml");
    assert_eq!(receipt.name.middle.as_deref(), Some("CUS0000E0100002025031810200100000000001"));
    assert_eq!(receipt.noticed_at.unwrap().local(), "2025-03-18T10:20:00");
    assert_eq!(read("inv211_receipt_sample.xml").noticed_at.unwrap().local(), "2025-03-18T10:20:01");
    let response = read("common_response_success_sample.xml");
    assert_eq!((response.name.middle, response.noticed_at), (None, None));
}

#[test]
fn what_a_stranger_sends_belongs_below_others() {
    for (name, others) in [
        ("inv202_receipt_sample.xml", Some("INV")),
        ("inv202-prefixed.xml", Some("INV")),
        ("inv201_receipt_sample.xml", None),
        ("sas223_receipt_sample.xml", None),
        ("common_response_success_sample.xml", None),
    ] {
        assert_eq!(read(name).name.others.as_deref(), others, "{name}");
    }
}

#[test]
fn a_duplicate_teaches_its_number() {
    let receipt = read("common_response_failed_sample.xml");
    assert!(receipt.is_repeat_of_known);
    assert_eq!(proof::value(&receipt.keys, "SeqNo"), "202500000000000009");
    assert!(!read("common_response_fail_info.xml").is_repeat_of_known);
}

#[test]
fn what_comes_later_in_the_procedure_ranks_higher() {
    let rank = |name: &str| read(name).rank;
    let inventory = [
        "common_response_success_sample.xml",
        "inv201-manual.xml",
        "inv201_receipt_sample.xml",
        "inv201-passed-not-written-off.xml",
        "inv202_receipt_sample.xml",
        "inv201-passed.xml",
        "inv201_reject_receipt_sample.xml",
        "inv211_receipt_sample.xml",
    ];
    assert!(inventory.is_sorted_by_key(|name| rank(name)));
    let pass = ["sas221-stored.xml", "sas221-manual.xml", "sas221_receipt_sample.xml", "sas224-inspection.xml"];
    assert!(
        pass.is_sorted_by_key(|name| rank(name)) && rank("sas224-inspection.xml") < rank("sas223_receipt_sample.xml")
    );
}

#[test]
fn the_kind_is_told_without_a_message_type() {
    let (_, bytes) = BUSINESS.receipts().into_iter().find(|(name, _)| name == "sas231-passed.xml").unwrap();
    let text = std::str::from_utf8(bytes).unwrap().replace("    <message_type>SAS231</message_type>\n", "");
    assert_eq!(proof::business(&PLUGIN, "{}").read_receipt(text.as_bytes()).unwrap().kind, "SAS231");
}

#[test]
fn what_is_no_receipt_is_refused() {
    let business = proof::business(&PLUGIN, "{}");
    for text in ["<DecImportResponse/>", "<Package", "", "<Package xmlns='urn:other'><EnvelopInfo/></Package>"] {
        let error = business.read_receipt(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind, kouan_sdk::ErrorKind::Invalid, "{text}");
        assert!(kouan_sdk::catalogue::lookup(&error.code).is_some(), "{}", error.code);
    }
}
