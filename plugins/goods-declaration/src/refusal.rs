//! A refusal of content in the shape of the window's own: DecImportResponse with ResponseCode 1, so that bridges written
//! for the official client show it.

use crate::facts::{NAMESPACE, key};
use crate::receipt::name;
use kouan_declarative::summary;
use kouan_sdk::business::{ReceiptName, Report};
use kouan_xml::escape_text;
use std::fmt::Write as _;

/// The refusal's name and bytes.
pub(crate) fn write(report: &Report) -> (ReceiptName, Vec<u8>) {
    let value = |name: &str| report.keys.iter().find(|key| key.name == name).map_or("", |key| key.value.as_str());
    let response = Response {
        code: 1,
        text: &summary(&report.findings),
        client_seq_no: value(key::CLIENT_SEQ_NO),
        seq_no: value(key::SEQ_NO),
        trn_pre_id: "",
    };
    (name("Failed", None), response.write())
}

/// A DecImportResponse (`domain/goods-declaration.md` §2.1).
pub(crate) struct Response<'a> {
    /// 0 = accepted.
    pub(crate) code: u8,
    pub(crate) text: &'a str,
    pub(crate) client_seq_no: &'a str,
    pub(crate) seq_no: &'a str,
    pub(crate) trn_pre_id: &'a str,
}

impl Response<'_> {
    /// Its bytes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let fields = [
            ("ResponseCode", &*self.code.to_string()),
            ("ErrorMessage", self.text),
            ("ClientSeqNo", self.client_seq_no),
            ("SeqNo", self.seq_no),
            ("TrnPreId", self.trn_pre_id),
        ];
        let root = format!("DecImportResponse xmlns=\"{NAMESPACE}\"");
        document(&root, "DecImportResponse", &fields)
    }
}

/// A flat document, one field a line.
pub(crate) fn document(start: &str, end: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<{start}>\n");
    for (name, value) in fields {
        // Values may come from a message that was not well-formed.
        let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(xml, "  <{name}>{}</{name}>", escape_text(&value));
    }
    let _ = writeln!(xml, "</{end}>");
    xml.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kouan_sdk::business::Key;
    use kouan_sdk::{Finding, Severity};

    #[test]
    fn shows_the_first_errors_and_our_number() {
        let error = |n: u32| {
            let whole = Finding::whole("R", Severity::Error, format!("错误<{n}>"), format!("error {n}"));
            Finding { line: n, column: 1, ..whole }
        };
        let mut findings: Vec<Finding> = (1..=5).map(error).collect();
        findings.insert(0, Finding::whole("W", Severity::Warning, "提醒", "note"));
        let report = Report { findings, keys: vec![Key::new("ClientSeqNo", "A&B")], ..Report::default() };
        let (file, bytes) = write(&report);
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(file.prefix, "Failed");
        let said = "第 1 行：错误&lt;1&gt;；第 2 行：错误&lt;2&gt;；第 3 行：错误&lt;3&gt;；共 5 处错误";
        assert!(text.contains(said) && !text.contains("提醒"), "{text}");
        assert!(text.contains("<ClientSeqNo>A&amp;B</ClientSeqNo>"), "{text}");
    }
}
