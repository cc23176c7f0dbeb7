//! End tags: the value of a field, and what a parent lacks.

use super::{Frame, Holds, Lacking, NO_NODE, Run, Span};
use crate::codes::Lookup;
use crate::schema::{Attribute, Complex, Content, Element, Mode, Notes, SimpleId, Slot};
use crate::value::{self, Blanks};
use crate::wording;
use kouan_sdk::Severity;
use std::borrow::Cow;
use std::ops::Range;

/// What a value belongs to.
#[derive(Clone, Copy)]
pub(super) struct Subject<'v> {
    pub(super) name: &'v str,
    pub(super) notes: &'v Notes,
    pub(super) fixed: Option<&'v str>,
    /// An empty value stands for the default.
    pub(super) default: bool,
    pub(super) attribute: bool,
}

impl<'v> From<&'v Element> for Subject<'v> {
    fn from(element: &'v Element) -> Self {
        let default = element.default || element.fixed.is_some();
        Self { name: &element.name, notes: &element.notes, fixed: element.fixed.as_deref(), default, attribute: false }
    }
}

impl<'v> From<&'v Attribute> for Subject<'v> {
    fn from(attribute: &'v Attribute) -> Self {
        Self {
            name: &attribute.name,
            notes: &attribute.notes,
            fixed: attribute.fixed.as_deref(),
            default: false,
            attribute: true,
        }
    }
}

impl<'v> Run<'v> {
    /// Closes the open element; `at` = where its end tag begins, `end` = where it ends.
    pub(super) fn end(&mut self, at: usize, end: usize) {
        let Some(frame) = self.frames.last() else { return };
        let (holds, filled, node, element) = (frame.holds, frame.filled, frame.node, frame.element);
        let mut filled = filled;
        let text_type = match holds {
            Holds::Text(id) => Some(id),
            Holds::Complex(id) => self.schema.complex(id).text,
            Holds::Anything => None,
        };
        if let Some(ty) = text_type {
            let subject = Subject::from(self.schema.element(element));
            let text = std::mem::take(&mut self.text);
            let (has_value, value) = self.judge(ty, subject, &text, self.text_at.clone());
            filled |= has_value;
            if node != NO_NODE {
                self.seen.keep(node, &value, self.text_at.clone());
            }
            drop(value);
            self.text = text;
        } else if let Holds::Complex(id) = holds {
            self.close_children(self.schema.complex(id), filled);
        }
        if node != NO_NODE {
            self.record(node, at..end, filled, text_type.is_some());
        }
        self.pop(filled);
    }

    /// What is known of a wanted element once it has ended; `tag` = its end tag.
    fn record(&mut self, node: u32, tag: Range<usize>, filled: bool, is_text: bool) {
        let Some(seen) = self.seen.list.get_mut(node as usize) else { return };
        seen.element = Span::from(seen.element.range().start..tag.end);
        seen.content = Span::from(seen.content.range().start..tag.start);
        seen.self_closing = tag.is_empty();
        seen.filled = filled;
        if is_text && !self.text_at.is_empty() {
            seen.mark = Span::from(self.text_at.clone());
        }
    }

    fn pop(&mut self, filled: bool) {
        let Some(frame) = self.frames.pop() else { return };
        self.counts.truncate(frame.counts);
        let Some(parent) = self.frames.last_mut() else { return };
        parent.filled |= filled;
        if let Some(count) =
            self.counts.get_mut(parent.counts + usize::from(frame.slot)).filter(|_| frame.slot != Slot::MAX)
        {
            count.filled |= filled;
        }
        if !filled && !self.options.strict {
            self.empty_in_model(&frame);
        }
    }

    /// An empty element that a nested model requires is missing; a flat row tells that when its parent ends.
    fn empty_in_model(&mut self, frame: &Frame) {
        let Some(parent) = self.frames.last() else { return };
        let Holds::Complex(id) = parent.holds else { return };
        let Content::Model(model) = &self.schema.complex(id).content else { return };
        let depth = self.frames.len() - 1;
        let required = self.levels.get(depth).is_some_and(|levels| model.requires_last(levels));
        if required && frame.slot != Slot::MAX {
            let mark = frame.tag.start + 1..frame.tag.start + 1 + frame.name;
            self.empty_element(frame.element, frame.index, frame.repeats, mark);
        }
    }

    /// Judges a value; whether there is one, and what it is without blanks.
    pub(super) fn judge<'t>(
        &mut self,
        ty: SimpleId,
        subject: Subject<'v>,
        raw: &'t str,
        at: Range<usize>,
    ) -> (bool, Cow<'t, str>) {
        let simple = self.schema.simple(ty);
        let keep = self.options.strict || subject.notes.keep == Some(true);
        let value = value::normalized(raw, simple.blanks, keep);
        if value.is_empty() && (!self.options.strict || subject.default && !subject.attribute) {
            return (false, value);
        }
        let max_bytes = subject.notes.max_bytes.filter(|_| !self.options.strict);
        if let Some(fault) = value::fault(self.schema, simple, &value, max_bytes) {
            let (rule, texts) = wording::fault(wording::label(subject.name, subject.notes), &value, &fault);
            let severity =
                if rule == "XSD-TYPE" { Severity::Error } else { subject.notes.severity.unwrap_or(Severity::Error) };
            self.wrong_value(rule, severity, subject, &value, raw, at, texts);
            return (true, value);
        }
        if let Some(fixed) = subject.fixed {
            let wanted =
                value::normalized(fixed, if keep { simple.blanks } else { simple.blanks.max(Blanks::Replace) }, keep);
            let same =
                value == wanted || value::compare(&simple.base, &value, &wanted) == Some(std::cmp::Ordering::Equal);
            if !same {
                let texts =
                    wording::fixed(wording::label(subject.name, subject.notes), &wording::shortened(&value), &wanted);
                self.wrong_value("XSD-FIXED", Severity::Error, subject, &value, raw, at, texts);
                return (true, value);
            }
        }
        if let Some(table) = subject.notes.codes.as_deref().filter(|_| !self.options.strict) {
            self.judge_code(table, subject, &value, raw, at);
        }
        (true, value)
    }

    fn judge_code(&mut self, table: &str, subject: Subject<'v>, value: &str, raw: &str, at: Range<usize>) {
        let Some(table) = self.validator.codes.get(table) else { return };
        let usual = if table.complete { Severity::Error } else { Severity::Warning };
        let severity = usual.max(subject.notes.severity.unwrap_or(usual));
        let label = || wording::label(subject.name, subject.notes);
        let texts = match table.lookup(value, self.options.date) {
            Lookup::Known(_) => return,
            Lookup::NotInForce(code) => wording::code_not_in_force(label(), &wording::shortened(value), code),
            Lookup::Unknown => wording::unknown_code(label(), &wording::shortened(value), table),
        };
        self.wrong_value("XSD-CODE", severity, subject, value, raw, at, texts);
    }

    /// What an ended parent lacks. A parent in which nothing is filled in counts as absent: its own parent tells.
    fn close_children(&mut self, complex: &'v Complex, filled: bool) {
        let root = self.frames.len() == 1;
        if !filled && !root && !self.options.strict {
            return;
        }
        match &complex.content {
            Content::Flat(flat) => {
                let Some(frame) = self.frames.last() else { return };
                let (counts, tail) = (frame.counts, frame.tail);
                if flat.optional && !frame.children {
                    return;
                }
                for slot in &flat.musts {
                    let at = usize::from(*slot);
                    let (Some(particle), Some(count)) = (flat.particles.get(at), self.counts.get(counts + at).copied())
                    else {
                        continue;
                    };
                    if count.guessed && count.seen == 0 {
                        continue;
                    }
                    let short = count.seen < particle.min;
                    if short || (particle.min > 0 && !count.filled && !self.options.strict) {
                        self.missing_in_row(particle, count);
                    } else if !count.filled {
                        self.lacks(particle.element, count);
                    }
                }
                if let Some((_, min, _)) = &flat.tail
                    && tail < *min
                {
                    self.missing_wild();
                }
            }
            Content::Model(model) => {
                let depth = self.frames.len() - 1;
                let mut missing = Vec::new();
                if let Some(levels) = self.levels.get(depth) {
                    model.finish(levels, &mut missing);
                }
                let Some(frame) = self.frames.last() else { return };
                let (mark, counts) = (frame.tag.start + 1..frame.tag.start + 1 + frame.name, frame.counts);
                let told = !missing.is_empty();
                for node in missing {
                    self.missing_in_model(model, node, mark.clone());
                }
                for slot in &model.musts {
                    let at = usize::from(*slot);
                    let (Some(element), Some(count)) = (model.slots.get(at), self.counts.get(counts + at).copied())
                    else {
                        continue;
                    };
                    if !count.filled && !count.guessed && !told {
                        self.lacks(*element, count);
                    }
                }
            }
            Content::Empty => {}
        }
    }

    /// Remembers that a field is not filled in; whether that matters is known when the document has ended.
    fn lacks(&mut self, element: crate::schema::ElementId, count: super::Count) {
        let declaration = self.schema.element(element);
        let Some(mode) = declaration.notes.required.filter(|_| !self.options.strict) else { return };
        let same = self.lacking.iter().rev().filter(|l| l.mode == mode).count();
        if same >= crate::validator::MOST_FINDINGS {
            return;
        }
        let (mark, xpath) = self.place_of_child(&declaration.name, count);
        self.lacking.push(Lacking { mode, element, xpath, mark });
    }

    /// Fields that the document's mode needs.
    pub(super) fn tell_lacking(&mut self, mode: Mode) {
        for lacking in std::mem::take(&mut self.lacking) {
            if lacking.mode <= mode {
                self.required(lacking.element, lacking.mode, lacking.xpath, lacking.mark);
            }
        }
    }
}
