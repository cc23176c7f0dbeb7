//! Reads receipts (回执): by root name, with and without namespace, whatever the file is called
//! (`domain/goods-declaration.md` §2).

use crate::data::{self, Data, Meaning};
use crate::facts::key;
use kouan_declarative::Tree;
use kouan_sdk::business::{Key, Receipt, ReceiptName};
use kouan_sdk::{Error, ErrorKind, Result, Timestamp};

/// Extension of all receipts of this business.
const EXTENSION: &str = "xml";

/// Reads one receipt.
pub(crate) fn read(data: &Data, bytes: &[u8]) -> Result<Receipt> {
    let tree = Tree::read(bytes).map_err(|e| invalid("KOUAN-DEC-RECEIPT-UNREADABLE", &e.to_string()))?;
    match tree.root() {
        "DecImportResponse" => response(data, &tree),
        "DEC_RESULT" => result(data, &tree, &[]),
        "DEC_DATA" => result(data, &tree, &["DEC_RESULT"]),
        "Root" => client_failure(data, &tree),
        "DecMessage" => subscription(&tree),
        other => Err(invalid("KOUAN-DEC-RECEIPT-UNKNOWN", &format!("its root is {other}"))),
    }
}

fn invalid(code: &'static str, why: &str) -> Error {
    Error::new(ErrorKind::Invalid, code, format!("not a receipt of the goods declaration: {why}"))
}

/// 导入响应: the window took the message in, or refused it.
fn response(data: &Data, tree: &Tree) -> Result<Receipt> {
    let value = |name: &str| tree.value(&[name]);
    let code = value("ResponseCode");
    if code.is_empty() {
        return Err(invalid("KOUAN-DEC-RECEIPT-INCOMPLETE", "it has no ResponseCode"));
    }
    let mut keys = Vec::new();
    push(&mut keys, key::CLIENT_SEQ_NO, value("ClientSeqNo"));
    push(&mut keys, key::SEQ_NO, value("SeqNo"));
    push(&mut keys, key::TRN_PRE_ID, value("TrnPreId"));
    let is_accepted = code == "0";
    let (meaning, prefix, stage) = match is_accepted {
        true => (&data.channels.accepted, "Successed", "入库成功"),
        false => (&data.channels.refused, "Failed", "入库失败"),
    };
    let mut receipt = receipt("DecImportResponse", meaning, keys, name(prefix, None));
    receipt.stage = stage.into();
    receipt.code = code.into();
    receipt.text = value("ErrorMessage").into();
    if !is_accepted {
        learn_known_repeat(data, &mut receipt);
    }
    Ok(receipt)
}

/// A failure that names our own number as known already; it counts only if the number is that of the receipt itself.
fn learn_known_repeat(data: &Data, receipt: &mut Receipt) {
    let Some(known) = data.channels.known_repeat(&receipt.text) else { return };
    let value = |name: &str| receipt.keys.iter().find(|key| key.name == name).map(|key| key.value.as_str());
    let (client_seq_no, seq_no) = (value(key::CLIENT_SEQ_NO), value(key::SEQ_NO));
    let names_us = match &known.client_seq_no {
        Some(named) => client_seq_no.is_none_or(|own| own == named),
        None => seq_no.is_none_or(|own| known.seq_no.as_deref() == Some(own)),
    };
    if !names_us {
        return;
    }
    let learned = [
        (key::CLIENT_SEQ_NO, known.client_seq_no.filter(|_| client_seq_no.is_none())),
        (key::SEQ_NO, known.seq_no.filter(|_| seq_no.is_none())),
    ];
    receipt.is_repeat_of_known = true;
    for (name, value) in learned {
        receipt.keys.extend(value.map(|value| Key::new(name, value)));
    }
}

/// 海关业务回执: one of many CHANNEL notices, short or long, alone or inside DEC_DATA.
fn result(data: &Data, tree: &Tree, inside: &[&str]) -> Result<Receipt> {
    let value = |name| tree.value(&inside.iter().copied().chain([name]).collect::<Vec<_>>());
    let first = |names: [&'static str; 2]| names.into_iter().map(value).find(|v| !v.is_empty()).unwrap_or_default();
    let (seq_no, entry_id, code) = (first(["CUS_CIQ_NO", "SEQ_NO"]), value("ENTRY_ID"), value("CHANNEL"));
    if seq_no.is_empty() && entry_id.is_empty() {
        return Err(invalid("KOUAN-DEC-RECEIPT-INCOMPLETE", "it has neither CUS_CIQ_NO nor ENTRY_ID"));
    }
    if code.is_empty() {
        return Err(invalid("KOUAN-DEC-RECEIPT-INCOMPLETE", "it has no CHANNEL"));
    }
    let mut keys = Vec::new();
    push(&mut keys, key::SEQ_NO, seq_no);
    push(&mut keys, key::ENTRY_ID, entry_id);
    let meaning = data.channels.meaning(code);
    let middle = if seq_no.is_empty() { entry_id } else { seq_no };
    let mut receipt = receipt("DEC_RESULT", meaning, keys, name("Receipt", Some(middle)));
    receipt.stage = if meaning.zh.is_empty() { format!("未知状态 {code}") } else { meaning.zh.clone() };
    receipt.code = code.into();
    receipt.text = match value("NOTE") {
        "" => tree.value(&["RESULT_INFO"]),
        note => note,
    }
    .into();
    receipt.noticed_at = Timestamp::parse_local(value("NOTICE_DATE"));
    Ok(receipt)
}

/// The official client itself failed: card, reader, signing. It carries no key; its file name matches it.
fn client_failure(data: &Data, tree: &Tree) -> Result<Receipt> {
    let (code, info) = (tree.value(&["failCode"]), tree.value(&["failInfo"]));
    if code.is_empty() && info.is_empty() {
        return Err(invalid("KOUAN-DEC-RECEIPT-INCOMPLETE", "it has neither failCode nor failInfo"));
    }
    let lines: Vec<String> = serde_json::from_str(info).unwrap_or_else(|_| vec![info.to_owned()]);
    let said = lines.join("；");
    // The card layer's own number says more than the outer code.
    let known = data.client_errors.iter().find(|error| error.pattern.is_match(&said));
    let known = known.or_else(|| data.client_errors.iter().find(|error| error.pattern.is_match(code)));
    let mut receipt = receipt("Root", &data.channels.client_failure, Vec::new(), name("Failed", None));
    receipt.stage = "客户端处理失败".into();
    receipt.code = match known {
        Some(error) if code.is_empty() => error.code.clone(),
        _ => code.into(),
    };
    receipt.text = match known {
        Some(error) => format!("{said}；原因：{}处理：{}", error.cause_zh, error.repair_zh),
        None => said,
    };
    receipt.is_client_failure = true;
    Ok(receipt)
}

/// 报关单订阅推送: a whole declaration, in clear; it teaches numbers and says nothing of the outcome.
fn subscription(tree: &Tree) -> Result<Receipt> {
    let seq_no = tree.value(&["DecHead", "SeqNo"]);
    if seq_no.is_empty() {
        return Err(invalid("KOUAN-DEC-RECEIPT-INCOMPLETE", "a pushed declaration has no SeqNo"));
    }
    let mut keys = Vec::new();
    push(&mut keys, key::SEQ_NO, seq_no);
    push(&mut keys, key::ENTRY_ID, tree.value(&["DecHead", "EntryId"]));
    push(&mut keys, key::CLIENT_SEQ_NO, tree.value(&["DecSign", "ClientSeqNo"]));
    let silent = Meaning { rank: 0, outcome: data::Outcome::None, is_final: false, reopens: false, zh: String::new() };
    let mut receipt = receipt("DecMessage", &silent, keys, name("Receipt", Some(seq_no)));
    receipt.stage = "报关单订阅推送".into();
    Ok(receipt)
}

fn receipt(kind: &str, meaning: &Meaning, keys: Vec<Key>, name: ReceiptName) -> Receipt {
    Receipt {
        kind: kind.into(),
        keys,
        rank: meaning.rank,
        outcome: meaning.outcome.into(),
        stage: String::new(),
        code: String::new(),
        text: String::new(),
        is_final: meaning.is_final,
        reopens: meaning.reopens,
        is_repeat_of_known: false,
        is_client_failure: false,
        noticed_at: None,
        name,
    }
}

fn push(keys: &mut Vec<Key>, name: &str, value: &str) {
    if !value.is_empty() {
        keys.push(Key::new(name, value));
    }
}

/// How a receipt's file is named; a middle that is no plain number is left out, for it comes from outside.
pub(crate) fn name(prefix: &str, middle: Option<&str>) -> ReceiptName {
    let is_plain = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    ReceiptName {
        prefix: prefix.into(),
        middle: middle.filter(is_plain).map(str::to_owned),
        extension: EXTENSION.into(),
        others: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use kouan_sdk::business::Outcome;

    macro_rules! sample {
        ($name:literal) => {
            include_bytes!(concat!("../../../business-schemas/goods-declaration/samples/receipts/", $name))
        };
    }

    fn reading(bytes: &[u8]) -> Result<Receipt> {
        read(&Data::load(&Config::default(), None).unwrap(), bytes)
    }

    fn key(name: &str, value: &str) -> Key {
        Key::new(name, value)
    }

    #[test]
    fn an_import_response_teaches_the_number() {
        let yes = reading(sample!("Successed_TEST202601120001_202601120935104383412.xml")).unwrap();
        assert_eq!(
            (yes.outcome, yes.text.as_str(), yes.name.prefix.as_str()),
            (Outcome::Accepted, "暂存成功", "Successed")
        );
        assert_eq!(yes.keys, [key("ClientSeqNo", "TEST202601120001"), key("SeqNo", "I20260000000000001")]);
        let no = reading(sample!("Failed_TEST202601120001_202601120935204383412.xml")).unwrap();
        assert_eq!((no.outcome, no.code.as_str(), no.name.prefix.as_str()), (Outcome::Rejected, "1", "Failed"));
        assert!(no.reopens && !no.is_repeat_of_known && !no.is_client_failure);
    }

    #[test]
    fn a_client_failure_brings_its_repair() {
        let root = reading(sample!("Failed_TEST202601120001_2026011209353043834.xml")).unwrap();
        assert!(root.is_client_failure && root.reopens);
        assert_eq!((root.kind.as_str(), root.code.as_str()), ("Root", "C134"));
        assert!(
            root.text.starts_with("[读卡器底层库]打开读卡器失败:错误码=50200；Err:Custom50200；原因："),
            "{}",
            root.text
        );
        assert!(root.text.contains("重新插拔读卡器"), "{}", root.text);
    }

    #[test]
    fn channels_are_read_with_their_meaning() {
        let cases: [(&[u8], &str, Outcome, &str, bool); 7] = [
            (
                sample!("Receipt_I20260000000000001_20260112100100000000.xml"),
                "7",
                Outcome::Accepted,
                "直接申报成功",
                false,
            ),
            (
                sample!("Receipt_I20260000000000001_20260112100200000000.xml"),
                "L",
                Outcome::Accepted,
                "海关已接收",
                false,
            ),
            (sample!("Receipt_I20260000000000001_20260112100300000000.xml"), "C", Outcome::Accepted, "查验通知", false),
            (
                sample!("Receipt_I20260000000000001_20260112100400000000.xml"),
                "J",
                Outcome::Accepted,
                "通关无纸化审结",
                false,
            ),
            (
                sample!("Receipt_I20260000000000001_20260112100500000000.xml"),
                "P",
                Outcome::Accepted,
                "海关已放行",
                false,
            ),
            (sample!("Receipt_I20260000000000001_20260112100600000000.xml"), "R", Outcome::Concluded, "已结关", true),
            (
                sample!("Receipt_I20260000000000001_20260112100700000000.xml"),
                "E",
                Outcome::Rejected,
                "海关退单/不受理",
                false,
            ),
        ];
        for (bytes, code, outcome, stage, is_final) in cases {
            let receipt = reading(bytes).unwrap();
            assert_eq!((receipt.code.as_str(), receipt.outcome, receipt.is_final), (code, outcome, is_final));
            assert_eq!(receipt.stage, stage);
            assert_eq!(receipt.keys[0], key("SeqNo", "I20260000000000001"));
            assert_eq!(receipt.name.middle.as_deref(), Some("I20260000000000001"));
            assert!(receipt.noticed_at.is_some(), "{code} has a time");
        }
    }

    #[test]
    fn the_old_shape_says_the_same() {
        let old = reading(sample!("old_DEC_DATA.xml")).unwrap();
        assert_eq!((old.kind.as_str(), old.code.as_str(), old.text.as_str()), ("DEC_RESULT", "J", "通关无纸化审结"));
        assert_eq!(old.keys, [key("SeqNo", "I20260000000000001"), key("EntryId", "222520261000000001")]);
        assert_eq!(old.noticed_at.unwrap().local(), "2026-01-12T10:04:00");
    }

    #[test]
    fn a_namespace_does_not_matter() {
        let bare =
            b"<DecImportResponse><ResponseCode>0</ResponseCode><SeqNo>I20260000000000001</SeqNo></DecImportResponse>";
        assert_eq!(reading(bare).unwrap().outcome, Outcome::Accepted);
        let named =
            b"<p:DEC_RESULT xmlns:p='urn:x'><p:CUS_CIQ_NO>I1</p:CUS_CIQ_NO><p:CHANNEL>?</p:CHANNEL></p:DEC_RESULT>";
        let unknown = reading(named).unwrap();
        assert_eq!((unknown.code.as_str(), unknown.stage.as_str()), ("?", "未知状态 ?"));
    }

    #[test]
    fn known_already_counts_only_for_our_own_number() {
        let response = |own: &str| {
            format!(
                "<DecImportResponse><ResponseCode>1</ResponseCode><ErrorMessage>客户端报关单编号[A1]已存在，\
                 对应的统一编号为[I20260000000000001]</ErrorMessage><ClientSeqNo>{own}</ClientSeqNo></DecImportResponse>"
            )
        };
        let ours = reading(response("A1").as_bytes()).unwrap();
        assert!(ours.is_repeat_of_known);
        assert_eq!(ours.keys, [key("ClientSeqNo", "A1"), key("SeqNo", "I20260000000000001")]);
        let other = reading(response("B2").as_bytes()).unwrap();
        assert!(!other.is_repeat_of_known);
        assert_eq!(other.keys, [key("ClientSeqNo", "B2")]);
    }

    #[test]
    fn broken_receipts_have_codes() {
        let cases: [(&[u8], &str); 6] = [
            (b"", "KOUAN-DEC-RECEIPT-UNREADABLE"),
            (b"<Other/>", "KOUAN-DEC-RECEIPT-UNKNOWN"),
            (b"<DecImportResponse/>", "KOUAN-DEC-RECEIPT-INCOMPLETE"),
            (b"<DEC_RESULT><CHANNEL>7</CHANNEL></DEC_RESULT>", "KOUAN-DEC-RECEIPT-INCOMPLETE"),
            (b"<DEC_RESULT><ENTRY_ID>1</ENTRY_ID></DEC_RESULT>", "KOUAN-DEC-RECEIPT-INCOMPLETE"),
            (b"<Root/>", "KOUAN-DEC-RECEIPT-INCOMPLETE"),
        ];
        for (bytes, code) in cases {
            let error = reading(bytes).unwrap_err();
            assert_eq!((error.kind, error.code.as_ref()), (ErrorKind::Invalid, code));
        }
    }

    #[test]
    fn a_number_from_outside_is_no_path() {
        assert_eq!(name("Receipt", Some("../x")).middle, None);
    }
}
