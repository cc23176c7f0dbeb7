//! The document has ended: mode, required fields, rules, and places in the original bytes.

use super::report::Told;
use super::{NO_NODE, Run, Seen};
use crate::rules::Document;
use crate::schema::Mode;
use crate::validator::{Captured, CheckOptions, MOST_FINDINGS, Outcome};
use crate::wording;
use kouan_sdk::{Finding, Severity};
use kouan_xml::{Decoded, Encoding, Place, XmlError};
use std::collections::BTreeMap;

/// Findings about what stands in what.
const STRUCTURE: [&str; 6] =
    ["XSD-MISSING", "XSD-UNKNOWN-ELEMENT", "XSD-ORDER", "XSD-TOO-MANY", "XSD-TEXT", "XSD-LIMIT"];

/// What is said of bytes that are no text.
pub(super) fn undecodable(fault: &XmlError, options: &CheckOptions<'_>) -> Outcome {
    Outcome { findings: vec![fault.finding(options.file, "")], ..Outcome::default() }
}

impl<'v> Run<'v> {
    pub(super) fn finish(mut self, decoded: &Decoded<'_>, fault: Option<XmlError>) -> Outcome {
        let xpath = self.xpath();
        let mode = self.mode();
        // A document that breaks off says nothing about what it lacks.
        if fault.is_none() && !self.options.strict {
            self.tell_lacking(mode.unwrap_or(Mode::Draft));
            self.rules(mode.unwrap_or(Mode::Draft));
        }
        let mut findings = self.placed(decoded);
        if let Some(fault) = fault {
            // Where tags do not match, what stands in what cannot be judged; what was found in values still holds.
            findings.retain(|f| !STRUCTURE.contains(&f.rule.as_str()));
            findings.truncate(MOST_FINDINGS - 1);
            findings.push(fault.finding(self.options.file, &xpath));
            findings.sort_by_key(|f| f.offset);
        }
        let (root, namespace) = self.root.take().unwrap_or_default();
        Outcome { findings, values: self.captured(decoded), root, namespace, mode }
    }

    /// The operation, as the schema's `k:mode` tells it.
    fn mode(&self) -> Option<Mode> {
        let frames_root = self.seen.list.first().map(|s| s.want);
        let mut default = None;
        for (by, want) in self.schema.modes.iter().zip(&self.validator.modes) {
            if frames_root != Some(self.root_of(*want)) {
                continue;
            }
            let value = self
                .seen
                .list
                .iter()
                .filter(|s| s.want == *want)
                .find_map(|s| self.seen.value(s).filter(|v| !v.is_empty()));
            match by.values.iter().find(|(known, _)| Some(known.as_str()) == value) {
                Some((_, mode)) => return Some(*mode),
                None => default = default.or(by.default),
            }
        }
        default
    }

    fn root_of(&self, want: u32) -> u32 {
        let mut at = want;
        while self.validator.wants.get(at).parent != 0 {
            at = self.validator.wants.get(at).parent;
        }
        at
    }

    fn rules(&mut self, mode: Mode) {
        let validator = self.validator;
        let wrong_values = self.raised.iter().any(|r| r.finding.rule == "XSD-TYPE");
        let document = Document { wants: &validator.wants, seen: &self.seen, mode, date: self.options.date };
        let verdicts = validator.rules.judge(&document, self.options.overrides, wrong_values);
        for verdict in verdicts {
            let (name, notes) = match verdict.want.map(|want| self.validator.wants.get(want)) {
                Some(want) => (&*want.name, want.element.map(|id| &self.schema.element(id).notes)),
                None => ("", None),
            };
            let xpath = verdict.seen.map(|at| self.path_of(at)).unwrap_or_default();
            self.raise(Told {
                rule: verdict.rule,
                severity: verdict.severity,
                xpath,
                field: name.trim_start_matches('@'),
                notes: None,
                value: verdict.value.as_deref(),
                texts: verdict.texts,
                mark: verdict.mark,
            });
            if let Some(raised) = self.raised.last_mut().filter(|r| r.finding.rule == verdict.rule) {
                (raised.finding.hint_zh, raised.finding.hint_en) = verdict.hints;
                raised.finding.field_zh = notes.map(|n| n.zh.to_string()).unwrap_or_default();
            }
        }
    }

    /// Indexed path of a wanted place that was seen.
    fn path_of(&self, at: u32) -> String {
        let Some(seen) = self.seen.list.get(at as usize) else { return String::new() };
        let mut path = if seen.parent == NO_NODE { String::new() } else { self.path_of(seen.parent) };
        path.push('/');
        path.push_str(&self.validator.wants.get(seen.want).name);
        if seen.repeats || seen.index > 1 {
            path.push_str(&format!("[{}]", seen.index));
        }
        path
    }

    /// The findings, in document order, with lines and columns.
    fn placed(&mut self, decoded: &Decoded<'_>) -> Vec<Finding> {
        let mut raised = std::mem::take(&mut self.raised);
        raised.sort_by_key(|r| r.mark.start);
        let mut locator = decoded.locator();
        let mut findings = Vec::with_capacity(raised.len());
        for mut r in raised {
            let from = locator.locate(r.mark.start);
            let length = original_length(decoded, r.mark.clone());
            (r.finding.line, r.finding.column, r.finding.offset) = (from.line, from.column, from.offset);
            r.finding.length = u32::try_from(length).unwrap_or(u32::MAX);
            r.finding.file = self.options.file.map(str::to_owned);
            findings.push(r.finding);
        }
        if self.more {
            findings.truncate(MOST_FINDINGS - 1);
            let (zh, en) = wording::limit(findings.len());
            let mut last = Finding::whole("XSD-LIMIT", Severity::Info, zh, en);
            if let Some(before) = findings.last() {
                (last.line, last.column, last.offset) = (before.line, before.column, before.offset);
            }
            last.file = self.options.file.map(str::to_owned);
            findings.push(last);
        }
        findings
    }

    fn captured(&self, decoded: &Decoded<'_>) -> Vec<Captured> {
        let wanted = |seen: &Seen| !self.validator.wants.get(seen.want).captures.is_empty();
        let captured = || self.seen.list.iter().enumerate().filter(|(_, seen)| wanted(seen));
        // Offsets in the original, each computed once, in rising order.
        let mut offsets = BTreeMap::new();
        for (_, seen) in captured() {
            let (element, content) = (seen.element.range(), seen.content.range());
            for at in [element.start, element.end, content.start, content.end] {
                offsets.insert(at, Place::default());
            }
        }
        let mut locator = decoded.locator();
        for (at, place) in &mut offsets {
            *place = locator.locate(*at);
        }
        let place = |at: usize| offsets.get(&at).copied().unwrap_or_default();
        let original = |range: &std::ops::Range<usize>| place(range.start).offset..place(range.end).offset;
        let mut values = Vec::new();
        for (at, seen) in captured() {
            for number in &self.validator.wants.get(seen.want).captures {
                values.push(Captured {
                    path: self.validator.captures.get(*number as usize).cloned().unwrap_or_default(),
                    xpath: self.path_of(at as u32),
                    value: self.seen.value(seen).unwrap_or("").to_owned(),
                    element: original(&seen.element.range()),
                    content: original(&seen.content.range()),
                    self_closing: seen.self_closing,
                    line: place(seen.content.range().start).line,
                    column: place(seen.content.range().start).column,
                });
            }
        }
        values
    }
}

/// How many original bytes a range of the text takes.
fn original_length(decoded: &Decoded<'_>, range: std::ops::Range<usize>) -> usize {
    let Some(text) = decoded.text().get(range) else { return 0 };
    match decoded.encoding() {
        Encoding::Utf8 => text.len(),
        Encoding::Gb18030 => crate::value::gb_length(text),
        Encoding::Utf16Le | Encoding::Utf16Be => text.encode_utf16().count() * 2,
    }
}
