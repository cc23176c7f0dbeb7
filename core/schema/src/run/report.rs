//! Findings: made only when something is wrong, so nothing here is on the valid path.

use super::values::Subject;
use super::{Count, Run};
use crate::schema::{Attribute, Element, ElementId, Mode, Model, Notes, Particle};
use crate::validator::{Enforcement, MOST_FINDINGS};
use crate::wording::{self, Texts};
use kouan_sdk::{Finding, Severity};
use kouan_xml::Start;
use std::ops::Range;

/// A finding whose place is still an offset in the decoded text.
pub(crate) struct Raised {
    pub(crate) finding: Finding,
    pub(crate) mark: Range<usize>,
}

/// What is told of a finding, before its place.
pub(crate) struct Told<'t> {
    pub(crate) rule: &'t str,
    pub(crate) severity: Severity,
    pub(crate) xpath: String,
    pub(crate) field: &'t str,
    pub(crate) notes: Option<&'t Notes>,
    pub(crate) value: Option<&'t str>,
    pub(crate) texts: Texts,
    pub(crate) mark: Range<usize>,
}

impl<'v> Run<'v> {
    pub(crate) fn raise(&mut self, told: Told<'_>) {
        let mut severity = told.severity;
        match self.options.overrides.and_then(|o| o.get(told.rule)) {
            Some(Enforcement::Off) => return,
            Some(Enforcement::Observe) => severity = severity.max(Severity::Warning),
            Some(Enforcement::Enforce) | None => {}
        }
        if self.raised.len() >= MOST_FINDINGS {
            self.more = true;
            return;
        }
        let (message_zh, message_en) = told.texts;
        let mut finding = Finding::whole(told.rule, severity, message_zh, message_en);
        finding.xpath = told.xpath;
        finding.field = told.field.to_owned();
        finding.value = told.value.map(wording::shortened);
        if let Some(notes) = told.notes {
            finding.field_zh = notes.zh.to_string();
            (finding.hint_zh, finding.hint_en) = hints(notes, told.value);
        }
        self.raised.push(Raised { finding, mark: told.mark });
    }

    /// Indexed path of the open element.
    pub(super) fn xpath(&self) -> String {
        let mut path = String::new();
        for frame in &self.frames {
            let name = &self.schema.element(frame.element).name;
            path.push('/');
            path.push_str(name);
            if frame.repeats || frame.index > 1 {
                path.push_str(&format!("[{}]", frame.index));
            }
        }
        path
    }

    fn element_label(&self, element: ElementId) -> Texts {
        let element = self.schema.element(element);
        wording::label(&element.name, &element.notes)
    }

    fn open_label(&self) -> Texts {
        self.frames.last().map(|f| self.element_label(f.element)).unwrap_or_default()
    }

    fn open_mark(&self) -> Range<usize> {
        self.frames.last().map_or(0..0, |f| f.tag.start + 1..f.tag.start + 1 + f.name)
    }

    /// An element that is being entered, or one that is none.
    fn about_tag(
        &mut self,
        rule: &'static str,
        severity: Severity,
        tag: &Start<'_, '_>,
        element: Option<&'v Element>,
        texts: Texts,
    ) {
        let xpath = format!("{}/{}", self.xpath(), tag.local);
        let mark = tag.offset + 1..tag.offset + 1 + tag.name.len();
        let notes = element.map(|e| &e.notes);
        self.raise(Told { rule, severity, xpath, field: tag.local, notes, value: None, texts, mark });
    }

    pub(super) fn wrong_root(&mut self, tag: &Start<'_, '_>) {
        let roots: Vec<&str> = self.schema.roots().map(|(_, name)| name).collect();
        let texts = wording::root(tag.local, &roots);
        self.about_tag("XSD-ROOT", Severity::Error, tag, None, texts);
    }

    pub(super) fn wrong_namespace(&mut self, element: &'v Element, tag: &Start<'_, '_>, wanted: &str, found: &str) {
        let texts = wording::namespace(tag.name, wanted, found);
        self.about_tag("XSD-NAMESPACE", Severity::Error, tag, Some(element), texts);
    }

    pub(super) fn unknown_element(&mut self, tag: &Start<'_, '_>, near: Option<&str>, severity: Severity) {
        let texts = wording::unknown_element(tag.name, self.open_label(), near);
        self.about_tag("XSD-UNKNOWN-ELEMENT", severity, tag, None, texts);
    }

    pub(super) fn stray_element(&mut self, tag: &Start<'_, '_>) {
        let texts = wording::stray_element(self.open_label(), tag.name);
        self.about_tag("XSD-TEXT", Severity::Error, tag, None, texts);
    }

    pub(super) fn stray_text(&mut self, text: &str, place: Range<usize>) {
        let shown = wording::shortened(crate::value::trimmed(text));
        let texts = wording::stray_text(self.open_label(), &shown);
        let xpath = self.xpath();
        let (field, notes) = match self.frames.last() {
            Some(frame) => {
                let element = self.schema.element(frame.element);
                (&*element.name, Some(&element.notes))
            }
            None => ("", None),
        };
        let mark = trimmed_range(text, place);
        self.raise(Told {
            rule: "XSD-TEXT",
            severity: Severity::Error,
            xpath,
            field,
            notes,
            value: Some(&shown),
            texts,
            mark,
        });
    }

    pub(super) fn too_many(&mut self, element: ElementId, tag: &Start<'_, '_>, max: u32) {
        let texts = wording::too_many(self.element_label(element), max);
        self.about_tag("XSD-TOO-MANY", Severity::Error, tag, Some(self.schema.element(element)), texts);
    }

    pub(super) fn too_many_wild(&mut self, tag: &Start<'_, '_>, max: u32) {
        let texts = wording::too_many((tag.name.to_owned(), tag.name.to_owned()), max);
        self.about_tag("XSD-TOO-MANY", Severity::Error, tag, None, texts);
    }

    pub(super) fn wrong_order(
        &mut self,
        element: ElementId,
        tag: &Start<'_, '_>,
        next: Option<ElementId>,
        severity: Severity,
    ) {
        let texts = wording::order(self.element_label(element), next.map(|n| self.element_label(n)));
        self.about_tag("XSD-ORDER", severity, tag, Some(self.schema.element(element)), texts);
    }

    /// Where a missing child is marked: on its last empty self if there is one, else on its parent's name.
    pub(super) fn place_of_child(&self, name: &str, count: Count) -> (Range<usize>, String) {
        let xpath = format!("{}/{name}", self.xpath());
        if count.seen == 0 {
            return (self.open_mark(), xpath);
        }
        (count.place.0..count.place.0 + count.place.1, xpath)
    }

    pub(super) fn missing_in_row(&mut self, particle: &Particle, count: Count) {
        let element = self.schema.element(particle.element);
        let label = wording::label(&element.name, &element.notes);
        let texts = match count.seen {
            0 => wording::missing(label),
            seen if seen < particle.min => wording::too_few(label, particle.min, seen),
            _ => wording::empty(label),
        };
        let (mark, xpath) = self.place_of_child(&element.name, count);
        let notes = Some(&element.notes);
        self.raise(Told {
            rule: "XSD-MISSING",
            severity: Severity::Error,
            xpath,
            field: &element.name,
            notes,
            value: None,
            texts,
            mark,
        });
    }

    pub(super) fn missing_in_model(&mut self, model: &Model, node: u16, mark: Range<usize>) {
        let wanted = model.wanted(node);
        let labels: Vec<Texts> = wanted.iter().map(|id| self.element_label(*id)).collect();
        let texts = match &labels[..] {
            [only] => wording::missing(only.clone()),
            [] => wording::missing(("其他内容".to_owned(), "something else".to_owned())),
            several => wording::missing_one_of(several),
        };
        let first = wanted.first().map(|id| self.schema.element(*id));
        let field = first.map_or("", |e| &e.name);
        let xpath = format!("{}/{field}", self.xpath());
        let notes = first.map(|e| &e.notes);
        self.raise(Told {
            rule: "XSD-MISSING",
            severity: Severity::Error,
            xpath,
            field,
            notes,
            value: None,
            texts,
            mark,
        });
    }

    pub(super) fn missing_wild(&mut self) {
        let texts = wording::missing(("其他内容".to_owned(), "something else".to_owned()));
        let (xpath, mark) = (self.xpath(), self.open_mark());
        self.raise(Told {
            rule: "XSD-MISSING",
            severity: Severity::Error,
            xpath,
            field: "",
            notes: None,
            value: None,
            texts,
            mark,
        });
    }

    /// An empty element that is required; it has just been closed.
    pub(super) fn empty_element(&mut self, element: ElementId, index: u32, repeats: bool, mark: Range<usize>) {
        let element = self.schema.element(element);
        let texts = wording::empty(wording::label(&element.name, &element.notes));
        let at = if repeats || index > 1 { format!("[{index}]") } else { String::new() };
        let xpath = format!("{}/{}{at}", self.xpath(), element.name);
        let notes = Some(&element.notes);
        self.raise(Told {
            rule: "XSD-MISSING",
            severity: Severity::Error,
            xpath,
            field: &element.name,
            notes,
            value: None,
            texts,
            mark,
        });
    }

    pub(super) fn missing_attribute(&mut self, attribute: &'v Attribute) {
        let texts = wording::missing(wording::label(&attribute.name, &attribute.notes));
        let xpath = format!("{}/@{}", self.xpath(), attribute.name);
        let (notes, mark) = (Some(&attribute.notes), self.open_mark());
        self.raise(Told {
            rule: "XSD-MISSING",
            severity: Severity::Error,
            xpath,
            field: &attribute.name,
            notes,
            value: None,
            texts,
            mark,
        });
    }

    pub(super) fn unknown_attribute(&mut self, name: &str, near: Option<&str>, mark: Range<usize>) {
        let texts = wording::unknown_attribute(name, self.open_label(), near);
        let xpath = format!("{}/@{name}", self.xpath());
        self.raise(Told {
            rule: "XSD-ATTRIBUTE",
            severity: Severity::Error,
            xpath,
            field: name,
            notes: None,
            value: None,
            texts,
            mark,
        });
    }

    pub(super) fn required(&mut self, element: ElementId, mode: Mode, xpath: String, mark: Range<usize>) {
        let element = self.schema.element(element);
        let texts = wording::required(wording::label(&element.name, &element.notes), mode);
        let rule = match mode {
            Mode::Draft => "XSD-REQUIRED-DRAFT",
            Mode::Declare => "XSD-REQUIRED-DECLARE",
        };
        let notes = Some(&element.notes);
        self.raise(Told {
            rule,
            severity: Severity::Error,
            xpath,
            field: &element.name,
            notes,
            value: None,
            texts,
            mark,
        });
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn wrong_value(
        &mut self,
        rule: &'static str,
        severity: Severity,
        subject: Subject<'v>,
        value: &str,
        raw: &str,
        at: Range<usize>,
        texts: Texts,
    ) {
        let mut xpath = self.xpath();
        if subject.attribute {
            xpath.push_str("/@");
            xpath.push_str(subject.name);
        }
        let mark = if at.is_empty() { self.open_mark() } else { trimmed_range(raw, at) };
        let notes = Some(subject.notes);
        self.raise(Told { rule, severity, xpath, field: subject.name, notes, value: Some(value), texts, mark });
    }
}

/// The hint of a field: its own, and an example unless that is the very value.
fn hints(notes: &Notes, value: Option<&str>) -> (String, String) {
    let (mut zh, mut en) = (notes.hint_zh.to_string(), notes.hint_en.to_string());
    if !notes.example.is_empty() && value != Some(&notes.example) {
        let join = |text: &mut String, with: &str, more: String| {
            if !text.is_empty() {
                text.push_str(with);
            }
            text.push_str(&more);
        };
        join(&mut zh, "；", format!("例如 {}", notes.example));
        join(&mut en, "; ", format!("for example {}", notes.example));
    }
    (zh, en)
}

/// `at` without the blanks around `raw`. With references in the text lengths differ, and all of it is marked.
fn trimmed_range(raw: &str, at: Range<usize>) -> Range<usize> {
    let inner = crate::value::trimmed(raw);
    if raw.len() != at.len() || inner.is_empty() {
        return at;
    }
    let before = raw.len() - raw.trim_start_matches([' ', '\t', '\n', '\r']).len();
    at.start + before..at.start + before + inner.len()
}
