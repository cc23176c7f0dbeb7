//! The rows: name, value, unit, the reference of the same run, the ratio.

use serde::Serialize;
use std::io::Write as _;

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it is held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Value through reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
}

/// What a row is held against: measured in the same run, or a limit that stands in the design.
#[derive(Debug, Clone, Serialize)]
pub struct Reference {
    /// What it is.
    pub name: String,
    /// In the row's unit.
    pub value: f64,
}

/// Prints rows as they come.
pub struct Table {
    json: bool,
    begun: bool,
}

impl Table {
    /// For people, or one JSON object a row.
    pub fn new(json: bool) -> Self {
        Self { json, begun: false }
    }

    /// A row without a reference.
    pub fn plain(&mut self, name: &str, value: f64, unit: &'static str) {
        self.print(&Row { name: name.to_owned(), value, unit, reference: None, ratio: None });
    }

    /// A row with its reference.
    pub fn row(&mut self, name: &str, value: f64, unit: &'static str, reference: (&str, f64)) {
        let ratio = (reference.1 > 0.0).then(|| value / reference.1);
        let reference = Some(Reference { name: reference.0.to_owned(), value: reference.1 });
        self.print(&Row { name: name.to_owned(), value, unit, reference, ratio });
    }

    /// Nothing follows.
    pub fn end(&self) {
        if !self.json {
            say("µs/msg: microseconds a message. A ratio is value ÷ reference; the reference is of this very run.");
        }
    }

    fn print(&mut self, row: &Row) {
        if self.json {
            say(&serde_json::to_string(row).unwrap_or_default());
            return;
        }
        if !std::mem::replace(&mut self.begun, true) {
            say(&format!("{:<34}{:>10} {:<8}{:>10} {:<34}{:>7}", "row", "value", "unit", "", "reference", "ratio"));
        }
        let (value, name) = row
            .reference
            .as_ref()
            .map_or_else(|| (String::new(), ""), |reference| (number(reference.value), reference.name.as_str()));
        let ratio = row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        say(&format!("{:<34}{:>10} {:<8}{value:>10} {name:<34}{ratio:>7}", row.name, number(row.value), row.unit));
    }
}

fn number(value: f64) -> String {
    if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") }
}

/// A closed pipe is no reason to panic.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
