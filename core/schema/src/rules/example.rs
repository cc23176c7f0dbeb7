//! Examples of rules: what a rule must take and what it must refuse, given as data or as a document.

use super::view::{Item, List, Node, Shared};
use crate::schema::{Mode, Schema, Type};
use crate::wants::{WantId, Wants};
use std::sync::Arc;

/// An example.
pub(super) struct Example {
    pub(super) ok: bool,
    pub(super) mode: Option<Mode>,
    pub(super) given: Given,
}

/// What an example gives.
pub(super) enum Given {
    /// The selected element (of which `select`), and the root if the rule looks at it.
    Data { select: usize, this: toml::Value, root: Option<toml::Value> },
    /// A whole document.
    Xml(String),
}

/// Checks data against the schema; the error says what does not fit. `want` itself is `value`.
pub(super) fn check(schema: &Schema, wants: &Wants, want: WantId, value: &toml::Value) -> Result<(), String> {
    let want = wants.get(want);
    match want.element {
        Some(element) => fits(schema, element, value, &want.name),
        None => Ok(()),
    }
}

fn fits(schema: &Schema, element: u32, value: &toml::Value, name: &str) -> Result<(), String> {
    let complex = match schema.element(element).ty {
        Type::Complex(id) => Some(schema.complex(id)).filter(|c| c.text.is_none()),
        _ => None,
    };
    let (Some(complex), toml::Value::Table(table)) = (complex, value) else {
        return match (complex, value) {
            (None, toml::Value::String(_) | toml::Value::Integer(_)) => Ok(()),
            (None, _) => Err(format!("{name} is a text, not {}", value.type_str())),
            (Some(_), _) => Err(format!("{name} is an element with children, not {}", value.type_str())),
        };
    };
    for (key, inner) in table {
        if let Some(attribute) = key.strip_prefix('@') {
            if !complex.attributes.iter().any(|a| *a.name == *attribute) {
                return Err(format!("{name} has no attribute {attribute}"));
            }
            continue;
        }
        let child = complex.content.slot(key).and_then(|slot| complex.content.child(slot));
        let Some((child, list)) = child else { return Err(format!("{name} has no {key}")) };
        match inner {
            toml::Value::Array(items) if list => items.iter().try_for_each(|item| fits(schema, child, item, key))?,
            toml::Value::Array(_) => return Err(format!("{key} comes once in {name}, not as a list")),
            single => fits(schema, child, single, key)?,
        }
    }
    Ok(())
}

/// Checked data as a rule sees it. What no rule mentions is left out.
pub(super) fn item(shared: &Arc<Shared>, id: WantId, value: &toml::Value) -> Item {
    match value {
        toml::Value::Table(table) => {
            let want = shared.wants.get(id);
            let field = |child: &WantId| {
                let of = shared.wants.get(*child);
                let value = table.get(&*of.name).filter(|v| !is_absent(v))?;
                if !of.list {
                    return Some(item(shared, *child, value));
                }
                let items: Vec<Item> = match value {
                    toml::Value::Array(items) => {
                        items.iter().filter(|v| !is_absent(v)).map(|v| item(shared, *child, v)).collect()
                    }
                    single => vec![item(shared, *child, single)],
                };
                (!items.is_empty()).then(|| Item::List(List::new(items, shared)))
            };
            Item::Node(Node::new(shared, id, want.children.iter().map(field).collect()))
        }
        toml::Value::String(text) => Item::text(crate::value::trimmed(text)),
        other => Item::text(other.to_string()),
    }
}

/// The root above `id`.
pub(super) fn root_of(shared: &Shared, id: WantId) -> WantId {
    let mut at = id;
    while shared.wants.get(at).parent != 0 {
        at = shared.wants.get(at).parent;
    }
    at
}

/// Empty counts as absent, as in documents.
fn is_absent(value: &toml::Value) -> bool {
    match value {
        toml::Value::String(text) => crate::value::trimmed(text).is_empty(),
        toml::Value::Table(table) => table.values().all(is_absent),
        toml::Value::Array(items) => items.iter().all(is_absent),
        _ => false,
    }
}
