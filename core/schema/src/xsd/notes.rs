//! Annotations: names from `xs:documentation`, the `urn:kouan:schema` vocabulary from `xs:appinfo`.

use super::document::Document;
use super::{KOUAN, Place, XSD};
use crate::error::{BAD_VALUE, LoadError};
use crate::schema::{Mode, ModeBy, Notes, Order, Schema};
use kouan_sdk::Severity;
use roxmltree::Node;

/// What a complex type's own annotation says.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypeNotes {
    pub(super) order: Order,
    pub(super) unknown: Severity,
}

/// Reads names and `k:field` of a declaration or a simple type.
pub(super) fn field(place: Place<'_>) -> Result<Notes, LoadError> {
    let mut notes = Notes::default();
    for documentation in annotations(place, "documentation") {
        let text: String =
            documentation.node.text().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let language = documentation.node.attribute(("http://www.w3.org/XML/1998/namespace", "lang"));
        match language {
            Some(language) if language.starts_with("en") => notes.en = text.into(),
            _ if notes.zh.is_empty() => notes.zh = text.into(),
            _ => {}
        }
    }
    for item in appinfo(place) {
        if item.tag() != "field" {
            return Err(item.refused(format!("k:{} here", item.tag())));
        }
        read_field(item, &mut notes)?;
    }
    Ok(notes)
}

fn read_field(item: Place<'_>, notes: &mut Notes) -> Result<(), LoadError> {
    for attribute in item.node.attributes() {
        let value = attribute.value();
        let wrong =
            || item.error(BAD_VALUE, format!("{}=\"{value}\" is not a value that k:field takes", attribute.name()));
        match attribute.name() {
            "maxBytes" => notes.max_bytes = Some(value.parse().map_err(|_| wrong())?),
            "required" => notes.required = Some(Mode::parse(value).ok_or_else(wrong)?),
            "codes" if !value.is_empty() => notes.codes = Some(value.into()),
            "site-codes" if !value.is_empty() => notes.site_codes = Some(value.into()),
            "example" => notes.example = value.into(),
            "hint-zh" => notes.hint_zh = value.into(),
            "hint-en" => notes.hint_en = value.into(),
            "severity" => notes.severity = Some(severity(value).ok_or_else(wrong)?),
            "trim" => notes.keep = Some(if value == "keep" { true } else { return Err(wrong()) }),
            "alias" => notes.aliases = value.split_whitespace().map(Into::into).collect(),
            "source" => {}
            name => return Err(item.refused(format!("the attribute {name} of k:field"))),
        }
    }
    Ok(())
}

/// Reads `k:order` and `k:unknown` of a complex type.
pub(super) fn complex(place: Place<'_>) -> Result<TypeNotes, LoadError> {
    let mut notes = TypeNotes { order: Order::Strict, unknown: Severity::Error };
    for item in appinfo(place) {
        let attribute = |name: &str| item.node.attribute(name).unwrap_or_default();
        let wrong = |name: &str| {
            item.error(BAD_VALUE, format!("{name}=\"{}\" is not a value that k:{} takes", attribute(name), item.tag()))
        };
        match item.tag() {
            "order" => {
                notes.order = match attribute("strict") {
                    "yes" => Order::Strict,
                    "warning" => Order::Warning,
                    "no" => Order::Any,
                    _ => return Err(wrong("strict")),
                }
            }
            "unknown" => notes.unknown = severity(attribute("severity")).ok_or_else(|| wrong("severity"))?,
            other => return Err(item.refused(format!("k:{other} on a complex type"))),
        }
    }
    Ok(notes)
}

/// Reads `k:mode` of all files.
pub(super) fn modes(schema: &mut Schema, documents: &[&Document<'_>]) -> Result<(), LoadError> {
    let mut seen: Vec<&str> = Vec::new();
    for document in documents {
        if seen.contains(&document.path.as_str()) {
            continue;
        }
        seen.push(&document.path);
        for item in appinfo(Place { document, node: document.dom.root_element() }) {
            if item.tag() != "mode" {
                return Err(item.refused(format!("k:{} on a schema", item.tag())));
            }
            schema.modes.push(mode(item)?);
        }
    }
    Ok(())
}

fn mode(item: Place<'_>) -> Result<ModeBy, LoadError> {
    let wrong = |message: &str| item.error(BAD_VALUE, message);
    let field = item.attribute("field").ok_or_else(|| wrong("k:mode without field"))?;
    let path: Vec<String> = field.trim_start_matches('/').split('/').map(str::to_owned).collect();
    let read = |text: &str| Mode::parse(text).ok_or_else(|| wrong("mode is neither draft nor declare"));
    let default = item.attribute("default").map(read).transpose()?;
    let mut values = Vec::new();
    for node in item.node.children().filter(Node::is_element) {
        let (Some(value), Some(mode), "when") =
            (node.attribute("value"), node.attribute("mode"), node.tag_name().name())
        else {
            return Err(wrong("k:mode holds k:when value=\"…\" mode=\"…\""));
        };
        values.push((value.to_owned(), read(mode)?));
    }
    Ok(ModeBy {
        path,
        values,
        default,
        place: item.error(crate::error::UNKNOWN_PATH, format!("the schema has no {field}")),
    })
}

pub(super) fn severity(text: &str) -> Option<Severity> {
    match text {
        "error" => Some(Severity::Error),
        "warning" => Some(Severity::Warning),
        "info" => Some(Severity::Info),
        _ => None,
    }
}

/// Children called `name` of the annotation of `place`.
fn annotations<'d>(place: Place<'d>, name: &'static str) -> impl Iterator<Item = Place<'d>> {
    let is = move |n: &Node<'_, '_>, name: &str| n.tag_name().namespace() == Some(XSD) && n.tag_name().name() == name;
    place
        .node
        .children()
        .filter(move |n| is(n, "annotation"))
        .flat_map(|n| n.children())
        .filter(move |n| is(n, name))
        .map(move |n| place.at(n))
}

/// Our own elements in the appinfo of `place`; other people's are none of our business.
fn appinfo<'d>(place: Place<'d>) -> impl Iterator<Item = Place<'d>> {
    annotations(place, "appinfo")
        .flat_map(|p| p.node.children())
        .filter(|n| n.is_element() && n.tag_name().namespace() == Some(KOUAN))
        .map(move |n| place.at(n))
}
