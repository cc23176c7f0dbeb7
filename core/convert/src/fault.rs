//! What keeps a table from becoming messages, and where in the table.

use kouan_sdk::catalogue;
use kouan_sdk::{Finding, Severity};
use serde::Serialize;
use std::fmt;

/// A place in a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// File, as it was named.
    pub file: String,
    /// Sheet of an xlsx; empty for other files.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sheet: String,
    /// Row as the table's own program counts it, from 1; an object's number for JSON. 0 = the whole table.
    pub row: u32,
    /// The column's name, or its path for JSON; empty = the whole row.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub column: String,
    /// The column's letter in a sheet; empty where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub letter: String,
}

impl Place {
    /// A whole file.
    pub fn file(file: impl Into<String>) -> Self {
        Self { file: file.into(), ..Self::default() }
    }

    /// The place in Chinese: `单.xlsx「表头」第 3 行「毛重」（C 列）`.
    pub fn zh(&self) -> String {
        let mut text = self.file.clone();
        if !self.sheet.is_empty() {
            text.push_str(&format!("「{}」", self.sheet));
        }
        if self.row > 0 {
            text.push_str(&format!(" 第 {} 行", self.row));
        }
        if !self.column.is_empty() {
            text.push_str(&format!("「{}」", self.column));
        }
        if !self.letter.is_empty() {
            text.push_str(&format!("（{} 列）", self.letter));
        }
        text
    }

    /// The place in English: `a.xlsx, sheet "Head", row 3, column "Gross" (C)`.
    pub fn en(&self) -> String {
        let mut text = self.file.clone();
        if !self.sheet.is_empty() {
            text.push_str(&format!(", sheet \"{}\"", self.sheet));
        }
        if self.row > 0 {
            text.push_str(&format!(", row {}", self.row));
        }
        if !self.column.is_empty() {
            text.push_str(&format!(", column \"{}\"", self.column));
        }
        if !self.letter.is_empty() {
            text.push_str(&format!(" ({})", self.letter));
        }
        text
    }
}

/// One thing wrong with a table or a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Code, as the catalogue has it.
    pub code: &'static str,
    /// Whether the message is made all the same.
    pub severity: Severity,
    /// Where.
    pub place: Box<Place>,
    /// What is wrong, Chinese.
    pub message_zh: Box<str>,
    /// What is wrong, English.
    pub message_en: Box<str>,
    /// What to write, Chinese.
    pub hint_zh: Box<str>,
    /// What to write, English.
    pub hint_en: Box<str>,
}

impl Fault {
    /// An error without a place yet; what to do is the catalogue's repair unless [`Self::hint`] says more.
    pub fn new(code: &'static str, zh: impl Into<Box<str>>, en: impl Into<Box<str>>) -> Self {
        let (hint_zh, hint_en) = catalogue::lookup(code)
            .map(|entry| (entry.repair_zh.as_str().into(), entry.repair_en.as_str().into()))
            .unwrap_or_default();
        let (message_zh, message_en) = (zh.into(), en.into());
        Self { code, severity: Severity::Error, place: Box::default(), message_zh, message_en, hint_zh, hint_en }
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same with what to write.
    #[must_use]
    pub fn hint(mut self, zh: impl Into<Box<str>>, en: impl Into<Box<str>>) -> Self {
        (self.hint_zh, self.hint_en) = (zh.into(), en.into());
        self
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Box::new(place);
        self
    }

    /// As a finding; the line is the table's row.
    pub fn finding(&self) -> Finding {
        let mut finding = Finding::whole(self.code, self.severity, &*self.message_zh, &*self.message_en)
            .with_hint(&*self.hint_zh, &*self.hint_en);
        finding.file = Some(self.place.file.clone());
        finding.line = self.place.row;
        finding.field.clone_from(&self.place.column);
        finding
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.en();
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        write!(f, "{} [{}]", self.message_en, self.code)
    }
}

impl std::error::Error for Fault {}

/// The known name that is most like a wrong one, if one is like it.
pub(crate) fn nearest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let likeness = |name: &&str| strsim::jaro_winkler(&wrong.to_lowercase(), &name.to_lowercase());
    let scored = known.into_iter().map(|name| (likeness(&name), name));
    scored.filter(|(score, _)| *score >= 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}
