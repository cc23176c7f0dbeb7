//! Schema documents: decoding, target namespaces, includes and imports.

use super::{Place, XSD};
use crate::error::{LoadError, NOT_XML, UNSUPPORTED};
use std::collections::HashMap;

/// An expanded name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name<'d> {
    pub(super) namespace: &'d str,
    pub(super) local: &'d str,
}

/// Symbol spaces of XSD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Element,
    Type,
    Group,
    Attribute,
    AttributeGroup,
}

/// One schema file.
pub(super) struct Document<'d> {
    pub(super) path: String,
    pub(super) dom: roxmltree::Document<'d>,
    target: Option<String>,
    /// No targetNamespace of its own: it took the includer's.
    chameleon: bool,
    pub(super) qualified_elements: bool,
    pub(super) qualified_attributes: bool,
}

impl Document<'_> {
    pub(super) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or("")
    }

    /// Namespace of an unprefixed name where no default namespace is declared.
    pub(super) fn unprefixed(&self) -> &str {
        if self.chameleon { self.target() } else { "" }
    }
}

/// The file's text; schemas are ours, so UTF-8 only.
pub(super) fn decoded(path: &str, bytes: &[u8]) -> Result<String, LoadError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(e) => Err(LoadError::whole(NOT_XML, path, format!("not UTF-8 at byte {}", e.valid_up_to()))),
    }
}

pub(super) fn parse<'d>(path: &str, text: &'d str) -> Result<Document<'d>, LoadError> {
    let dom = roxmltree::Document::parse(text).map_err(|e| LoadError {
        code: NOT_XML,
        file: path.to_owned(),
        line: e.pos().row,
        column: e.pos().col,
        message: e.to_string(),
    })?;
    let root = dom.root_element();
    if root.tag_name().namespace() != Some(XSD) || root.tag_name().name() != "schema" {
        return Err(LoadError::whole(NOT_XML, path, "the root is not xs:schema"));
    }
    let qualified = |name: &str| match root.attribute(name) {
        None | Some("unqualified") => Ok(false),
        Some("qualified") => Ok(true),
        Some(other) => Err(LoadError::whole(UNSUPPORTED, path, format!("{name}=\"{other}\" is not supported"))),
    };
    for attribute in root.attributes().filter(|a| a.namespace().is_none()) {
        let known = ["targetNamespace", "elementFormDefault", "attributeFormDefault", "version", "id"];
        let empty_default =
            ["blockDefault", "finalDefault"].contains(&attribute.name()) && attribute.value().is_empty();
        if !known.contains(&attribute.name()) && !empty_default {
            let message = format!("the attribute {} of xs:schema is not supported", attribute.name());
            return Err(LoadError {
                line: dom.text_pos_at(attribute.range().start).row,
                column: 1,
                ..LoadError::whole(UNSUPPORTED, path, message)
            });
        }
    }
    Ok(Document {
        path: path.to_owned(),
        target: root.attribute("targetNamespace").map(str::to_owned),
        chameleon: false,
        qualified_elements: qualified("elementFormDefault")?,
        qualified_attributes: qualified("attributeFormDefault")?,
        dom,
    })
}

/// Checks includes and imports, and gives chameleons their namespace.
pub(super) fn connect(documents: &mut [Document<'_>]) -> Result<(), LoadError> {
    let by_path: HashMap<String, usize> = documents.iter().enumerate().map(|(at, d)| (d.path.clone(), at)).collect();
    // A chameleon may include a chameleon: repeat until nothing changes.
    loop {
        let mut adopted = None;
        for document in documents.iter() {
            for (place, location) in references(document) {
                let Some(location) = location else { continue };
                let path = joined(&document.path, location);
                let Some(other) = by_path.get(&path).and_then(|at| Some((*at, documents.get(*at)?))) else {
                    let message = format!("{location} is not among the files of this schema");
                    return Err(place.error(crate::error::UNKNOWN_NAME, message));
                };
                if place.tag() == "include" && other.1.target.as_deref() != document.target.as_deref() {
                    if other.1.target.is_none() {
                        adopted = Some((other.0, document.target.clone()));
                    } else if document.target.is_some() {
                        return Err(place.refused(format!("including {location}, which has another target namespace,")));
                    }
                }
            }
        }
        match adopted {
            Some((at, target)) => {
                if let Some(document) = documents.get_mut(at) {
                    document.target = target;
                    document.chameleon = true;
                }
            }
            None => return Ok(()),
        }
    }
}

fn references<'d>(document: &'d Document<'d>) -> impl Iterator<Item = (Place<'d>, Option<&'d str>)> {
    document
        .dom
        .root_element()
        .children()
        .filter(|n| n.is_element() && n.tag_name().namespace() == Some(XSD))
        .filter(|n| matches!(n.tag_name().name(), "include" | "import"))
        .map(move |node| (Place { document, node }, node.attribute("schemaLocation")))
}

/// `location` seen from the file `from`, with `.` and `..` resolved.
fn joined(from: &str, location: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in location.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn resolves_locations() {
        assert_eq!(joined("xsd/dec.xsd", "./types.xsd"), "xsd/types.xsd");
        assert_eq!(joined("a/b/dec.xsd", "../types.xsd"), "a/types.xsd");
        assert_eq!(joined("dec.xsd", "types.xsd"), "types.xsd");
    }
}
