//! Splits a declaration into parts: the document, and one EDOC for each attachment (`domain/goods-declaration.md` §3.4).

use crate::config::WaitFor;
use crate::edoc;
use crate::facts::{ATTACHMENT, ATTACHMENT_RECEIVER, DECLARATION, DECLARATION_RECEIVER, Edoc, Facts, key};
use kouan_sdk::Result;
use kouan_sdk::business::{Attachment, Key, Package, PartPlan, Payload};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Name of the part that is the declaration itself.
const DOCUMENT: &str = "document";

/// The parts. Attachments that no EdocRealation names have no number to go under and are left out.
pub(crate) fn parts<'a>(
    package: &Package<'a>,
    facts: &Facts,
    wait_for: WaitFor,
    known: &[Key],
) -> Result<Vec<PartPlan<'a>>> {
    let files: BTreeMap<&str, &Attachment<'a>> = package.attachments.iter().map(|file| (file.name, file)).collect();
    let mut parts = vec![document(package)];
    let mut seen = BTreeSet::new();
    for edoc in facts.edocs.iter().filter(|edoc| edoc.has_file() && seen.insert(edoc.file_name.as_str())) {
        if let Some(file) = files.get(edoc.file_name.as_str()) {
            parts.push(attachment(file, edoc, facts, wait_for, known)?);
        }
    }
    Ok(parts)
}

/// A file that is an EDOC already goes out as it is.
pub(crate) fn ready_attachment<'a>(package: &Package<'a>) -> PartPlan<'a> {
    PartPlan {
        message_type: ATTACHMENT.into(),
        receivers: vec![ATTACHMENT_RECEIVER.into()],
        file_name: package.file_name.into(),
        expects_receipt: false,
        ..document(package)
    }
}

fn document<'a>(package: &Package<'a>) -> PartPlan<'a> {
    PartPlan {
        name: DOCUMENT.into(),
        message_type: DECLARATION.into(),
        receivers: vec![DECLARATION_RECEIVER.into()],
        // The zip stays with us; its xml has the zip's stem.
        file_name: format!("{}.xml", package.stem),
        payload: Payload::Bytes(Cow::Borrowed(package.document)),
        after: Vec::new(),
        expects_receipt: true,
        biz_keys: Vec::new(),
    }
}

fn attachment<'a>(
    file: &Attachment<'a>,
    edoc: &Edoc,
    facts: &Facts,
    wait_for: WaitFor,
    known: &[Key],
) -> Result<PartPlan<'a>> {
    // Without waiting, only the message's own number counts: a number learned later must not change sealed bytes.
    let seq_no = match (facts.seq_no.as_str(), wait_for) {
        ("", WaitFor::Nothing) => Some(""),
        ("", WaitFor::SeqNo) => known.iter().find(|k| k.name == key::SEQ_NO).map(|k| k.value.as_str()),
        (own, _) => Some(own),
    };
    let payload = match seq_no {
        Some(seq_no) => Payload::Bytes(Cow::Owned(edoc::payload(file.bytes, facts, edoc, seq_no)?)),
        None => Payload::WhenKnown { key: key::SEQ_NO.into() },
    };
    let name = if file.name == DOCUMENT { format!("{DOCUMENT} (attachment)") } else { file.name.to_owned() };
    let file_name = if edoc.id.to_lowercase().ends_with(".pdf") { edoc.id.clone() } else { format!("{}.pdf", edoc.id) };
    Ok(PartPlan {
        name,
        message_type: ATTACHMENT.into(),
        receivers: vec![ATTACHMENT_RECEIVER.into()],
        file_name,
        payload,
        after: vec![0],
        expects_receipt: false,
        biz_keys: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        let edoc = |n: u8, name: &str, format: &str| Edoc {
            id: format!("22250000000{n}IM000000202601120001"),
            format: format.into(),
            file_name: name.into(),
            ..Edoc::default()
        };
        let edocs = vec![edoc(1, "发票.pdf", "US"), edoc(2, "委托", "S"), edoc(3, "箱单.pdf", "US")];
        Facts { edocs, ..Facts::default() }
    }

    fn planned(facts: &Facts, wait_for: WaitFor, known: &[Key]) -> Vec<(String, Option<String>)> {
        let attachments =
            [Attachment { name: "箱单.pdf", bytes: b"%PDF-2" }, Attachment { name: "发票.pdf", bytes: b"%PDF-1" }];
        let package =
            Package { file_name: "A1.zip", stem: "A1", form_id: None, document: b"<x/>", attachments: &attachments };
        let number = |part: &PartPlan<'_>| match &part.payload {
            Payload::Bytes(bytes) if part.name != DOCUMENT => Some(edoc::read(bytes).unwrap().pre_entry_id),
            Payload::Bytes(_) | Payload::WhenKnown { .. } => None,
        };
        let parts = parts(&package, facts, wait_for, known).unwrap();
        assert_eq!((parts[0].file_name.as_str(), parts[0].expects_receipt), ("A1.xml", true));
        assert!(parts[1..].iter().all(|part| part.after == [0] && !part.expects_receipt));
        parts.iter().map(|part| (part.name.clone(), number(part))).collect()
    }

    fn expected(number: Option<&str>) -> Vec<(String, Option<String>)> {
        let number = number.map(str::to_owned);
        vec![(DOCUMENT.into(), None), ("发票.pdf".into(), number.clone()), ("箱单.pdf".into(), number)]
    }

    #[test]
    fn attachments_follow_the_document_in_its_order() {
        let learned = [Key::new("SeqNo", "I20260000000000001")];
        assert_eq!(planned(&facts(), WaitFor::Nothing, &[]), expected(Some("")));
        assert_eq!(planned(&facts(), WaitFor::Nothing, &learned), expected(Some("")), "sealed bytes stay");
        assert_eq!(planned(&facts(), WaitFor::SeqNo, &[]), expected(None));
        assert_eq!(planned(&facts(), WaitFor::SeqNo, &learned), expected(Some("I20260000000000001")));
        let update = Facts { seq_no: "I20260000000000009".into(), ..facts() };
        assert_eq!(planned(&update, WaitFor::Nothing, &[]), expected(Some("I20260000000000009")));
    }
}
