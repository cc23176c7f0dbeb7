//! Reads receipts (回执): kind by root and conditions, keys by path, meaning by code.

use crate::business::{Compiled, Kind};
use crate::check;
use crate::format::MeaningText;
use crate::tree::Tree;
use kouan_sdk::business::{Key, Receipt, ReceiptName, Report};
use kouan_sdk::{Error, ErrorKind, Result, Timestamp};
use regex::Captures;

/// What an unlisted code means if its table does not say; the loader asks for one, so this is never reached.
static NOTHING: MeaningText = MeaningText {
    rank: 0,
    outcome: crate::format::OutcomeText::None,
    is_final: false,
    reopens: false,
    zh: String::new(),
    prefix: None,
};

/// Reads one receipt; also the document, for a hook.
pub(crate) fn read(compiled: &Compiled, bytes: &[u8]) -> Result<(Tree, Receipt)> {
    let wrong = |code: &'static str, why: String| {
        Error::new(ErrorKind::Invalid, code, format!("not a receipt of {}: {why}", compiled.info.id))
    };
    let tree = Tree::read(bytes).map_err(|e| wrong("KOUAN-DECLARATIVE-RECEIPT-UNREADABLE", e.to_string()))?;
    let fits = |kind: &&Kind| {
        kind.roots.iter().any(|root| root.matches(tree.namespace(), tree.root()))
            && kind.when.iter().all(|condition| condition.holds(&tree))
    };
    let Some(kind) = compiled.kinds.iter().find(fits) else {
        return Err(wrong("KOUAN-DECLARATIVE-RECEIPT-UNKNOWN", format!("its root is {}", tree.root())));
    };
    let keys = check::keys(&kind.keys, &tree);
    if keys.is_empty() && !kind.keyless {
        let names: Vec<_> = kind.keys.iter().map(|(name, _)| name.as_str()).collect();
        let why = format!("a {} has none of {}", kind.kind, names.join(", "));
        return Err(wrong("KOUAN-DECLARATIVE-RECEIPT-INCOMPLETE", why));
    }
    let receipt = of_kind(compiled, kind, keys, &tree);
    Ok((tree, receipt))
}

fn of_kind(compiled: &Compiled, kind: &Kind, keys: Vec<Key>, tree: &Tree) -> Receipt {
    let first = |pick: &Option<crate::pick::Pick>| pick.as_ref().and_then(|pick| pick.first(tree)).unwrap_or_default();
    let code = first(&kind.code);
    let table = compiled.meanings.get(&kind.meanings);
    let meaning = table.and_then(|table| table.get(code.as_str()).or_else(|| table.get("*"))).unwrap_or(&NOTHING);
    let extension = kind.extension_from.as_ref().and_then(|pick| pick.first(tree)).filter(|text| is_plain(text, 8));
    let mut receipt = Receipt {
        kind: kind.kind.clone(),
        keys,
        rank: meaning.rank,
        outcome: meaning.outcome.into(),
        stage: meaning.zh.replace("{code}", &code),
        text: kind.text.as_ref().map(|pick| pick.values(tree).join("；")).unwrap_or_default(),
        is_final: meaning.is_final,
        reopens: meaning.reopens,
        is_repeat_of_known: false,
        is_client_failure: kind.client_failure,
        noticed_at: moment(&first(&kind.noticed_at)),
        name: ReceiptName {
            prefix: meaning.prefix.clone().unwrap_or_else(|| kind.prefix.clone()),
            // It comes from outside: a text that is no plain number is left out.
            middle: kind.middle.as_ref().and_then(|pick| pick.first(tree)).filter(|text| is_plain(text, 100)),
            extension: extension.unwrap_or_else(|| kind.extension.clone()),
            others: None,
        },
        code,
    };
    let found = kind.known_repeat.iter().find_map(|pattern| Some((pattern, pattern.captures(&receipt.text)?)));
    let named = found.map(|(pattern, captures)| named(pattern, &captures)).unwrap_or_default();
    learn_known_repeat(&mut receipt, named);
    receipt
}

/// The named groups that matched.
fn named(pattern: &regex::Regex, captures: &Captures<'_>) -> Vec<Key> {
    let value =
        |name: &str| captures.name(name).map(|m| Key::new(name, m.as_str())).filter(|key| !key.value.is_empty());
    pattern.capture_names().flatten().filter_map(value).collect()
}

/// A failure that names our own number as known already; it counts only if no number of the receipt itself is another.
fn learn_known_repeat(receipt: &mut Receipt, named: Vec<Key>) {
    let other = |key: &Key| receipt.keys.iter().any(|own| own.name == key.name && own.value != key.value);
    if named.is_empty() || named.iter().any(other) {
        return;
    }
    receipt.is_repeat_of_known = true;
    for key in named {
        if !receipt.keys.contains(&key) {
            receipt.keys.push(key);
        }
    }
}

/// `yyyyMMddHHmmss…`, `yyyy-MM-ddTHH:mm:ss`, or with a blank.
fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::parse_local(text).or_else(|| Timestamp::parse_compact(text))
}

fn is_plain(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// A refusal of content in the business's own shape, and how its file is named: as its reader would name it.
pub(crate) fn refusal(compiled: &Compiled, report: &Report) -> Result<(ReceiptName, Vec<u8>)> {
    let internal = |why: String| Error::new(ErrorKind::Internal, "KOUAN-DECLARATIVE-REFUSAL", why);
    // A message of no type is refused as the first type's are.
    let of = compiled.type_of(&report.message_type).or_else(|| compiled.types.first());
    let name = of.map_or("", |of| of.refusal.as_str());
    let template = compiled.templates.get(name).ok_or_else(|| internal(format!("there is no template {name}")))?;
    let notes = check::Notes::of(report)?;
    let text = crate::summary::summary(&report.findings);
    let mut place = |name: &str| {
        let key = report.keys.iter().find(|key| key.name == name).map(|key| key.value.clone());
        Ok(key.or_else(|| notes.values.get(name).cloned()).or_else(|| match name {
            "text" => Some(text.clone()),
            "type" => Some(report.message_type.clone()),
            "stem" => Some(notes.stem.clone()),
            _ => None,
        }))
    };
    let bytes = template.xml(&mut place)?;
    let (_, receipt) = read(compiled, &bytes).map_err(|e| internal(format!("template {name}: {e}")))?;
    Ok((receipt.name, bytes))
}
