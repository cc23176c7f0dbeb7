//! Reads XSD files into the tables of [`Schema`]. Whatever is outside the subset is refused with its place.

mod ambiguity;
mod builtin;
mod content;
mod document;
mod notes;
mod simple;
mod structure;

use crate::error::{DUPLICATE, LoadError, UNKNOWN_NAME, UNSUPPORTED};
use crate::schema::{ComplexId, ElementId, NamespaceId, Schema, SimpleId, Type};
use document::{Document, Kind, Name};
use roxmltree::Node;
use std::collections::{HashMap, VecDeque};
use structure::Draft;

pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema";
pub(crate) const KOUAN: &str = "urn:kouan:schema";

/// Compiles XSD files. A path is only a name: it stands in errors, and `schemaLocation` is resolved against it.
pub(crate) fn load<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Result<Schema, LoadError> {
    let mut texts = Vec::new();
    for (path, bytes) in files {
        texts.push((path.to_owned(), document::decoded(path, bytes)?));
    }
    texts.sort();
    let mut documents = Vec::with_capacity(texts.len());
    for (path, text) in &texts {
        documents.push(document::parse(path, text)?);
    }
    document::connect(&mut documents)?;
    let mut loader = Loader::new(&documents)?;
    loader.run()?;
    Ok(loader.schema)
}

/// A definition somewhere in the files.
#[derive(Clone, Copy)]
struct Place<'d> {
    document: &'d Document<'d>,
    node: Node<'d, 'd>,
}

impl<'d> Place<'d> {
    fn at(&self, node: Node<'d, 'd>) -> Self {
        Self { document: self.document, node }
    }

    /// An error here.
    fn error(&self, code: &'static str, message: impl Into<String>) -> LoadError {
        let at = self.document.dom.text_pos_at(self.node.range().start);
        LoadError { code, file: self.document.path.clone(), line: at.row, column: at.col, message: message.into() }
    }

    fn refused(&self, what: impl std::fmt::Display) -> LoadError {
        self.error(UNSUPPORTED, format!("{what} is not supported"))
    }

    /// Element children in the XSD namespace; anything else is refused, annotations left out.
    fn children(&self) -> Result<Vec<Place<'d>>, LoadError> {
        let mut children = Vec::new();
        for node in self.node.children().filter(Node::is_element) {
            let place = self.at(node);
            if node.tag_name().namespace() != Some(XSD) {
                return Err(place.refused(format!("the element {}", node.tag_name().name())));
            }
            if node.tag_name().name() != "annotation" {
                children.push(place);
            }
        }
        Ok(children)
    }

    fn tag(&self) -> &'d str {
        self.node.tag_name().name()
    }

    fn attribute(&self, name: &str) -> Option<&'d str> {
        self.node.attribute(name)
    }

    /// Refuses attributes that are not in `known`.
    fn only(&self, known: &[&str]) -> Result<(), LoadError> {
        for attribute in self.node.attributes() {
            let name = attribute.name();
            if attribute.namespace().is_none() && name != "id" && !known.contains(&name) {
                return Err(self.refused(format!(
                    "the attribute {name}=\"{}\" of xs:{}",
                    attribute.value(),
                    self.tag()
                )));
            }
        }
        Ok(())
    }

    /// minOccurs and maxOccurs.
    fn occurs(&self) -> Result<(u32, u32), LoadError> {
        let number = |name: &str| match self.attribute(name) {
            None => Ok(1),
            Some("unbounded") if name == "maxOccurs" => Ok(crate::schema::UNBOUNDED),
            Some(text) => text.trim().parse().map_err(|_| self.bad_value(name, text)),
        };
        let (min, max) = (number("minOccurs")?, number("maxOccurs")?);
        if min > max {
            return Err(self.bad_value("minOccurs", &min.to_string()));
        }
        Ok((min, max))
    }

    fn bad_value(&self, name: &str, value: &str) -> LoadError {
        self.error(crate::error::BAD_VALUE, format!("{name}=\"{value}\" is not a value that xs:{} takes", self.tag()))
    }

    /// A QName attribute, resolved.
    fn name(&self, attribute: &str) -> Result<Option<Name<'d>>, LoadError> {
        let Some(text) = self.attribute(attribute) else { return Ok(None) };
        self.resolve(text.trim()).map(Some)
    }

    fn resolve(&self, text: &'d str) -> Result<Name<'d>, LoadError> {
        let (prefix, local) = match text.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, text),
        };
        match self.node.lookup_namespace_uri(prefix) {
            Some(namespace) => Ok(Name { namespace, local }),
            // In a chameleon include an unprefixed name speaks of the includer's namespace.
            None if prefix.is_none() => Ok(Name { namespace: self.document.unprefixed(), local }),
            None => Err(self.error(UNKNOWN_NAME, format!("the prefix of {text} is not declared"))),
        }
    }
}

struct Loader<'d> {
    schema: Schema,
    index: HashMap<(Kind, Name<'d>), Place<'d>>,
    tops: Vec<Place<'d>>,
    elements: HashMap<Name<'d>, ElementId>,
    simples: HashMap<Name<'d>, Option<SimpleId>>,
    complexes: HashMap<Name<'d>, ComplexId>,
    drafts: HashMap<ComplexId, DraftState<'d>>,
    waiting: VecDeque<ComplexId>,
    /// Groups being expanded, to see a circle.
    expanding: Vec<Name<'d>>,
}

enum DraftState<'d> {
    Waiting(Place<'d>),
    Working,
    Done(Draft),
}

impl<'d> Loader<'d> {
    fn new(documents: &'d [Document<'d>]) -> Result<Self, LoadError> {
        let mut index = HashMap::new();
        let mut tops = Vec::new();
        for document in documents {
            let root = Place { document, node: document.dom.root_element() };
            for place in root.children()? {
                let kind = match place.tag() {
                    "element" => Kind::Element,
                    "complexType" | "simpleType" => Kind::Type,
                    "group" => Kind::Group,
                    "attributeGroup" => Kind::AttributeGroup,
                    "attribute" => Kind::Attribute,
                    "include" | "import" => continue,
                    other => return Err(place.refused(format!("xs:{other}"))),
                };
                let Some(local) = place.attribute("name") else {
                    return Err(place.error(UNKNOWN_NAME, format!("a top-level xs:{} without a name", place.tag())));
                };
                let name = Name { namespace: document.target(), local };
                if index.insert((kind, name), place).is_some() {
                    return Err(place.error(DUPLICATE, format!("{local} is defined twice")));
                }
                tops.push(place);
            }
        }
        Ok(Self {
            schema: Schema { namespaces: vec!["".into()], ..Schema::default() },
            index,
            tops,
            elements: HashMap::new(),
            simples: HashMap::new(),
            complexes: HashMap::new(),
            drafts: HashMap::new(),
            waiting: VecDeque::new(),
            expanding: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<(), LoadError> {
        for place in self.tops.clone() {
            let name = Name { namespace: place.document.target(), local: place.attribute("name").unwrap_or_default() };
            match place.tag() {
                "element" => {
                    let id = self.global_element(name, place)?;
                    self.schema.globals.push(id);
                }
                // Compiled although nothing may use it, so that a wrong one is found.
                "complexType" | "simpleType" => {
                    self.type_named(name, place)?;
                }
                _ => {}
            }
        }
        while let Some(id) = self.waiting.pop_front() {
            self.draft(id)?;
        }
        self.finish_content()?;
        let documents: Vec<_> = self.tops.iter().map(|p| p.document).collect();
        notes::modes(&mut self.schema, &documents)
    }

    /// The definition of `name`, or an error at `user`.
    fn find(&self, kind: Kind, name: Name<'d>, user: Place<'d>) -> Result<Place<'d>, LoadError> {
        self.index.get(&(kind, name)).copied().ok_or_else(|| {
            let near = self.index.keys().filter(|(k, _)| *k == kind).map(|(_, n)| n.local);
            let hint =
                crate::wording::nearest(name.local, near).map(|n| format!(" (is {n} meant?)")).unwrap_or_default();
            user.error(UNKNOWN_NAME, format!("{} is not defined{hint}", name.local))
        })
    }

    fn namespace(&mut self, name: &str) -> NamespaceId {
        let known = self.schema.namespaces.iter().position(|n| **n == *name);
        let at = known.unwrap_or_else(|| {
            self.schema.namespaces.push(name.into());
            self.schema.namespaces.len() - 1
        });
        NamespaceId::try_from(at).unwrap_or(NamespaceId::MAX)
    }

    /// The type that `name` means.
    fn type_named(&mut self, name: Name<'d>, user: Place<'d>) -> Result<Type, LoadError> {
        if name.namespace == XSD {
            return if name.local == "anyType" {
                Ok(Type::Anything)
            } else {
                self.simple_named(name, user).map(Type::Simple)
            };
        }
        let place = self.find(Kind::Type, name, user)?;
        if place.tag() == "simpleType" {
            return self.simple_named(name, user).map(Type::Simple);
        }
        if let Some(id) = self.complexes.get(&name) {
            return Ok(Type::Complex(*id));
        }
        let id = self.reserve(place);
        self.complexes.insert(name, id);
        Ok(Type::Complex(id))
    }

    /// A complex type's id; its definition is read later, so that types may contain each other.
    fn reserve(&mut self, place: Place<'d>) -> ComplexId {
        let id = self.drafts.len() as ComplexId;
        self.drafts.insert(id, DraftState::Waiting(place));
        self.waiting.push_back(id);
        id
    }
}

#[cfg(test)]
mod tests;
