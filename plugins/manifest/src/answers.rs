//! A customs receipt (MT9999) answers bill by bill (`domain/manifest.md` A7). The data picks the worst code; here the text
//! says which bill it was.

use kouan_declarative::{Hooks, Tree};
use kouan_sdk::business::{Package, Receipt, Report};

/// So many answers stand in the text; the receipt itself has all.
const SHOWN: usize = 5;

/// The hook.
#[derive(Debug)]
pub(crate) struct Answers;

impl Hooks for Answers {
    /// Message and answer share root and head. What has an answer where the declaration should be is no message of any
    /// type, so that whoever asks what it is tries to read it as a receipt; dropped as a message it stays refused.
    fn amend(&self, _package: &Package<'_>, report: &mut Report) {
        let says = |rule: &str, xpath: &str| report.findings.iter().any(|f| f.rule == rule && f.xpath == xpath);
        if says("XSD-MISSING", "/Manifest/Declaration") && says("XSD-UNKNOWN-ELEMENT", "/Manifest/Response") {
            report.message_type.clear();
        }
    }

    fn receipt(&self, document: &Tree, receipt: &mut Receipt) {
        let answers = read(document);
        if answers.len() < 2 {
            return;
        }
        // What made the receipt's code first, then the others.
        let (worst, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.code == receipt.code);
        let shown = worst.iter().chain(&others).take(SHOWN).map(|answer| answer.line());
        let mut text = shown.collect::<Vec<_>>().join("；");
        if answers.len() > SHOWN {
            text.push_str(&format!("；共 {} 票，详见回执", answers.len()));
        }
        receipt.text = text;
    }
}

/// What customs say of one bill.
struct Answer<'t> {
    bill: &'t str,
    house_bill: &'t str,
    code: &'t str,
    text: &'t str,
}

impl Answer<'_> {
    fn line(&self) -> String {
        let bill = match (self.bill, self.house_bill) {
            ("", "") => "（无单号）".to_owned(),
            (bill, "") => bill.to_owned(),
            (bill, house) => format!("{bill}/{house}"),
        };
        format!("{bill} {} {}", self.code, self.text)
    }
}

/// The answers, in the receipt's order; none if it is no customs receipt.
fn read(document: &Tree) -> Vec<Answer<'_>> {
    let Some(response) = document.find(&["Response"]) else { return Vec::new() };
    let text = |parent: usize, name: &str| {
        document.children(parent).find(|(_, node)| node.name == name).map_or("", |(_, node)| node.text.trim())
    };
    let inner = |parent: usize, name: &str| document.children(parent).find(|(_, node)| node.name == name);
    let first = |parent: usize, names: [&str; 2]| {
        names.into_iter().map(|name| text(parent, name)).find(|value| !value.is_empty()).unwrap_or_default()
    };
    let answer = |bill: usize| {
        let (kind, _) = inner(bill, "ResponseType")?;
        Some(Answer {
            bill: inner(bill, "TransportContractDocument").map_or("", |(at, _)| text(at, "ID")),
            house_bill: inner(bill, "AssociatedTransportDocument").map_or("", |(at, _)| text(at, "ID")),
            code: first(kind, ["Code", "StatementCode"]),
            text: first(kind, ["Text", "StatementDescription"]),
        })
    };
    let bills = document.children(response).filter(|(_, node)| node.name == "Consignment");
    bills.filter_map(|(at, _)| answer(at)).collect()
}
