//! What the data cannot say of a receipt: its kind is the message type that it names, and its text all that it says.

use kouan_declarative::{Hooks, Tree};
use kouan_sdk::business::Receipt;

/// Where a receipt's business data stands, below the root `Package`.
const DATA: [&str; 2] = ["DataInfo", "BussinessData"];

/// The systems that uploads go to. What a receipt from another DXP id says comes from a stranger (`client-notes.md`: INV202
/// of DXPEDCINVT000001 lies in `Others/InBox/INV`; the rule itself is inferred).
const SYSTEMS: [&str; 3] = ["DXPDSWNEMS000001", "DXPDSWNPTS000001", "DXPDSWSAS0000001"];

/// The hooks of this business.
pub(crate) struct ReceiptHooks;

impl Hooks for ReceiptHooks {
    fn receipt(&self, document: &Tree, receipt: &mut Receipt) {
        if document.root() != "Package" {
            return;
        }
        receipt.name.others = others(document);
        receipt.kind = kind(document).unwrap_or_else(|| receipt.kind.clone());
        let notes = notes(document);
        let own = std::iter::once(receipt.text.as_str()).filter(|text| !text.is_empty());
        receipt.text = own.chain(notes.iter().map(String::as_str)).collect::<Vec<_>>().join("；");
    }
}

/// The folder below `Others/InBox` for what comes from a stranger: the first three letters of its message type.
fn others(document: &Tree) -> Option<String> {
    let sender = document.value(&["EnvelopInfo", "sender_id"]);
    if !sender.starts_with("DXP") || SYSTEMS.contains(&sender) {
        return None;
    }
    let letters = document.value(&["EnvelopInfo", "message_type"]).get(..3)?;
    letters.chars().all(|c| c.is_ascii_uppercase()).then(|| letters.to_owned())
}

/// The message type, else the name of the element that holds the receipt.
fn kind(document: &Tree) -> Option<String> {
    let named = document.value(&["EnvelopInfo", "message_type"]);
    if !named.is_empty() {
        return Some(named.to_owned());
    }
    let data = document.find(&DATA)?;
    document.children(data).next().map(|(_, node)| node.name.clone())
}

/// Every `CheckInfo/note` (检查信息), in order.
fn notes(document: &Tree) -> Vec<String> {
    let Some(data) = document.find(&DATA) else { return Vec::new() };
    let inside = |parents: Vec<usize>, name: Option<&str>| -> Vec<usize> {
        let children = parents.into_iter().flat_map(|parent| document.children(parent));
        children.filter(|(_, node)| name.is_none_or(|name| node.name == name)).map(|(at, _)| at).collect()
    };
    let found = inside(inside(inside(vec![data], None), Some("CheckInfo")), Some("note"));
    let texts = found.into_iter().filter_map(|at| document.node(at)).map(|node| node.text.trim().to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}
