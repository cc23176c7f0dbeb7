//! A message, gathered from rows, as a document; every value remembers its row.

use crate::plan::Plan;
use kouan_xml::{escape_attribute, escape_text};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    pub table: usize,
    pub row: u32,
    /// Number of the table's column.
    pub column: Option<usize>,
}

/// A value and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub text: String,
    pub origin: Origin,
}

/// One element that rows make (or the message), by what its rows say.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    pub origin: Origin,
    /// By node.
    pub values: BTreeMap<usize, Value>,
    pub kids: Vec<(usize, Instance)>,
    /// Kids that are known by a key.
    pub by_key: HashMap<(usize, Vec<String>), usize>,
}

impl Instance {
    /// Whether rows have put anything in.
    fn is_filled(&self) -> bool {
        self.values.values().any(|value| !value.text.is_empty()) || self.kids.iter().any(|(_, kid)| kid.is_filled())
    }
}

/// What of the document comes from where.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub bytes: Range<usize>,
    pub origin: Origin,
}

/// A message's document.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// UTF-8, with a declaration.
    pub xml: String,
    /// In the order of their ends; an element's parts come before it.
    pub(crate) marks: Vec<Mark>,
}

/// Writes the message.
pub(crate) fn document(plan: &Plan<'_>, message: &Instance) -> Document {
    let xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut writer = Writer { plan, done: Document { xml, marks: Vec::new() }, depth: 0 };
    writer.one(0, message, "", 1);
    writer.done
}

struct Writer<'p, 's> {
    plan: &'p Plan<'s>,
    done: Document,
    depth: usize,
}

impl Writer<'_, '_> {
    /// All elements of a node within `within`.
    fn all(&mut self, node: usize, within: &Instance, namespace: &str) {
        let Some(of) = self.plan.nodes.get(node) else { return };
        if of.repeats {
            let kids = within.kids.iter().filter(|(kid, instance)| *kid == node && instance.is_filled());
            for (at, (_, kid)) in kids.enumerate() {
                let start = self.done.xml.len();
                self.one(node, kid, namespace, at + 1);
                self.done.marks.push(Mark { bytes: start..self.done.xml.len(), origin: kid.origin });
            }
        } else if self.stands(node, within) {
            self.one(node, within, namespace, 1);
        }
    }

    fn one(&mut self, node: usize, within: &Instance, namespace: &str, number: usize) {
        let Some(of) = self.plan.nodes.get(node) else { return };
        let indent = "  ".repeat(self.depth);
        let name = of.outline.name();
        self.done.xml.push_str(&format!("{indent}<{name}"));
        if of.outline.namespace() != namespace {
            self.done.xml.push_str(&format!(" xmlns=\"{}\"", escape_attribute(of.outline.namespace())));
        }
        let is_attribute = |child: &&usize| self.plan.nodes.get(**child).is_some_and(|child| child.attribute);
        let (attributes, elements): (Vec<usize>, Vec<usize>) = of.children.iter().partition(is_attribute);
        for attribute in attributes {
            let text = self.text(attribute, within, 1);
            let Some(child) =
                self.plan.nodes.get(attribute).filter(|child| !text.is_empty() || child.outline.must_stand())
            else {
                continue;
            };
            let written = format!(" {}=\"{}\"", child.outline.name(), escape_attribute(&text));
            self.marked(attribute, within, &written);
        }
        self.done.xml.push('>');
        if elements.is_empty() {
            let text = self.text(node, within, number);
            let written = escape_text(&text).into_owned();
            self.marked(node, within, &written);
        } else {
            self.done.xml.push('\n');
            self.depth += 1;
            for child in elements {
                if self.plan.nodes.get(child).is_some_and(|child| child.sequence) {
                    self.sequence(child, number);
                } else {
                    self.all(child, within, of.outline.namespace());
                }
            }
            self.depth -= 1;
            self.done.xml.push_str(&indent);
        }
        self.done.xml.push_str(&format!("</{name}>\n"));
    }

    fn sequence(&mut self, node: usize, number: usize) {
        let Some(of) = self.plan.nodes.get(node) else { return };
        let (indent, name) = ("  ".repeat(self.depth), of.outline.name());
        self.done.xml.push_str(&format!("{indent}<{name}>{number}</{name}>\n"));
    }

    fn marked(&mut self, node: usize, within: &Instance, written: &str) {
        let start = self.done.xml.len();
        self.done.xml.push_str(written);
        if let Some(value) = within.values.get(&node) {
            self.done.marks.push(Mark { bytes: start..self.done.xml.len(), origin: value.origin });
        }
    }

    fn text(&self, node: usize, within: &Instance, number: usize) -> String {
        let Some(of) = self.plan.nodes.get(node) else { return Default::default() };
        if of.sequence {
            return number.to_string();
        }
        match within.values.get(&node) {
            Some(value) if !value.text.is_empty() => value.text.clone(),
            _ => of.constant.clone().unwrap_or_default(),
        }
    }

    /// A row's value makes its parents stand; a constant does so where no column could.
    fn stands(&self, node: usize, within: &Instance) -> bool {
        let Some(of) = self.plan.nodes.get(node) else { return false };
        if of.repeats {
            return within.kids.iter().any(|(kid, instance)| *kid == node && instance.is_filled());
        }
        if of.outline.must_stand() && !of.attribute {
            return true;
        }
        if of.children.iter().all(|child| self.plan.nodes.get(*child).is_some_and(|child| child.attribute)) {
            return !self.text(node, within, 1).is_empty();
        }
        let counts = |child: &&usize| {
            self.plan.nodes.get(**child).is_some_and(|child| !of.by_column || child.by_column)
                && !self.is_lone_attribute(**child)
        };
        of.children.iter().filter(counts).any(|child| self.stands(*child, within))
    }

    fn is_lone_attribute(&self, node: usize) -> bool {
        self.plan.nodes.get(node).is_some_and(|of| of.attribute)
    }
}
