//! Prefixes in scope.

use crate::{XML_NAMESPACE, XmlFault, name};
use std::borrow::Cow;

const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// One declaration in scope.
#[derive(Debug, Clone)]
pub(crate) struct Binding<'a> {
    /// Prefix; empty for the default namespace.
    pub prefix: &'a str,
    /// URI; empty where the default namespace is undeclared.
    pub uri: Cow<'a, str>,
}

/// The stack of declarations; later ones hide earlier ones.
#[derive(Debug, Default)]
pub(crate) struct Namespaces<'a> {
    bindings: Vec<Binding<'a>>,
}

/// What a prefix stands for: a binding, or one of the two that need none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolved {
    None,
    Xml,
    Bound(usize),
}

impl<'a> Namespaces<'a> {
    pub fn all(&self) -> &[Binding<'a>] {
        &self.bindings
    }

    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    pub fn truncate(&mut self, len: usize) {
        self.bindings.truncate(len);
    }

    /// Adds a declaration after checking it against the namespace recommendation.
    pub fn declare(&mut self, prefix: &'a str, uri: Cow<'a, str>) -> Result<(), XmlFault> {
        let bad = |text: &str| Err(XmlFault::BadNamespace(text.into()));
        match (prefix, &*uri) {
            ("xmlns", _) => return bad("prefix xmlns may not be declared"),
            ("xml", XML_NAMESPACE) => return Ok(()),
            ("xml", _) => return bad("prefix xml belongs to one namespace only"),
            (_, XML_NAMESPACE | XMLNS_NAMESPACE) => return bad("this namespace may not be declared"),
            ("", _) => {}
            (_, "") => return bad("a prefix may not be undeclared"),
            (prefix, _) if !name::is_ncname(prefix) => return bad("prefix is not a name"),
            _ => {}
        }
        self.bindings.push(Binding { prefix, uri });
        Ok(())
    }

    /// What `prefix` stands for on an element. `None` if it is not declared.
    pub fn resolve(&self, prefix: &str) -> Option<Resolved> {
        if let Some(at) = self.bindings.iter().rposition(|binding| binding.prefix == prefix) {
            let undeclared = self.bindings[at].uri.is_empty();
            return Some(if undeclared { Resolved::None } else { Resolved::Bound(at) });
        }
        match prefix {
            "" => Some(Resolved::None),
            "xml" => Some(Resolved::Xml),
            _ => None,
        }
    }

    /// The URI; empty for none.
    pub fn uri(&self, resolved: Resolved) -> &str {
        match resolved {
            Resolved::None => "",
            Resolved::Xml => XML_NAMESPACE,
            Resolved::Bound(at) => self.bindings.get(at).map_or("", |binding| &binding.uri),
        }
    }
}
