//! Attributes of a start tag.

use super::values::Subject;
use super::{Holds, Run, Seen, Span};
use crate::schema::{Attribute, Complex};
use crate::wording;
use kouan_xml::Start;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

impl<'v> Run<'v> {
    /// Judges the attributes of the element that was just opened.
    pub(super) fn attributes(&mut self, tag: &Start<'_, '_>) {
        let Some(frame) = self.frames.last() else { return };
        let complex = match frame.holds {
            Holds::Complex(id) => Some(self.schema.complex(id)),
            Holds::Text(_) => None,
            Holds::Anything => return,
        };
        if tag.attributes().len() == 0 && complex.is_none_or(|c| c.attributes.is_empty()) {
            return;
        }
        let declared = complex.map_or(&[][..], |c| &c.attributes[..]);
        let mut met = vec![false; declared.len()];
        for attribute in tag.attributes() {
            let namespace = attribute.namespace;
            if namespace == XSI && matches!(attribute.local, "schemaLocation" | "noNamespaceSchemaLocation") {
                continue;
            }
            let exact = declared
                .iter()
                .position(|a| *a.name == *attribute.local && self.schema.namespace(a.namespace) == namespace);
            let alias =
                || declared.iter().position(|a| a.notes.aliases.iter().any(|alias| **alias == *attribute.local));
            match exact.or_else(alias).and_then(|at| Some((at, declared.get(at)?))) {
                Some((at, declaration)) => {
                    let filled = self.attribute(
                        declaration,
                        attribute.value,
                        attribute.value_offset..attribute.value_offset + attribute.value.len(),
                    );
                    if let Some(met) = met.get_mut(at) {
                        *met = filled || self.options.strict;
                    }
                }
                None if complex.is_some_and(|c| self.wildcard_takes(c, namespace)) => {}
                None => {
                    let near = wording::nearest(attribute.local, declared.iter().map(|a| &*a.name));
                    self.unknown_attribute(
                        attribute.name,
                        near,
                        attribute.offset..attribute.offset + attribute.name.len(),
                    );
                }
            }
        }
        for (declaration, met) in declared.iter().zip(met) {
            if declaration.required && !met {
                self.missing_attribute(declaration);
            }
        }
    }

    fn wildcard_takes(&self, complex: &Complex, namespace: &str) -> bool {
        complex.any_attribute.as_ref().is_some_and(|w| w.takes(self.schema, namespace))
    }

    /// Judges one attribute; whether it has a value.
    fn attribute(&mut self, declaration: &'v Attribute, raw: &str, at: std::ops::Range<usize>) -> bool {
        let (filled, value) = self.judge(declaration.ty, Subject::from(declaration), raw, at.clone());
        let Some(frame) = self.frames.last_mut() else { return filled };
        frame.filled |= filled;
        let (parent, node) = (frame.want, frame.node);
        if parent != 0
            && let Some(want) = self.validator.wants.child(parent, &format!("@{}", declaration.name))
            && self.cares(want)
        {
            let at_value = Span::from(at.clone());
            let seen = self.seen.list.len() as u32;
            self.seen.list.push(Seen { filled, ..Seen::new(want, node, at_value, at_value, at_value) });
            self.seen.keep(seen, &value, at);
        }
        filled
    }
}
