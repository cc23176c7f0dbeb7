//! What the tests of every business by data call: the kit, golden findings, receipts, the simulated window.

use crate::declarative::Declarative;
use crate::samples::{Sample, SampleKind};
use kouan_sdk::business::{Receipt, Report};
use kouan_sdk::conformance::business as kit;
use kouan_sdk::simulator::{Arrived, Effect, MemoryStore, Script};
use kouan_sdk::{Business, Context, PluginDecl, Result, Severity, Simulator, Timestamp, catalogue};

/// An instance of the plugin.
///
/// # Panics
/// If it is no business or refuses the configuration.
pub fn business(plugin: &PluginDecl, config: &str) -> Box<dyn Business> {
    let made = plugin.business.map(|make| make(&Context::standalone("test", std::env::temp_dir()), config));
    made.unwrap_or_else(|| panic!("{} makes no business", plugin.id)).unwrap_or_else(|e| panic!("{}: {e}", plugin.id))
}

/// The plugin's side of the sandbox.
///
/// # Panics
/// If it has none.
pub fn simulator(plugin: &PluginDecl) -> Box<dyn Simulator> {
    let made = plugin.simulator.map(|make| make(&Context::standalone("test", std::env::temp_dir()), ""));
    made.unwrap_or_else(|| panic!("{} has no simulator", plugin.id)).unwrap_or_else(|e| panic!("{}: {e}", plugin.id))
}

/// A sample as the kit takes it.
pub fn for_kit(sample: &Sample) -> kit::Sample {
    kit::Sample {
        file_name: sample.name.clone(),
        document: sample.document.to_vec(),
        attachments: Vec::new(),
        form_id: sample.form_id.clone(),
    }
}

/// The kit over all samples, and everything else that holds for each business by data.
///
/// # Panics
/// If something does not hold.
pub fn check(plugin: &PluginDecl, declarative: &Declarative) {
    let samples = declarative.samples();
    let of_kind = |kind| samples.iter().filter(move |sample| sample.kind == kind).map(for_kit).collect();
    let receipts = declarative.receipts().into_iter().map(|(name, bytes)| (name, bytes.to_vec())).collect();
    let all = kit::Samples { good: of_kind(SampleKind::Good), bad: of_kind(SampleKind::Bad), receipts };
    kit::check(&|| business(plugin, "{}"), &all);
    bad_samples_have_exactly_their_findings(plugin, declarative);
    rules_prove_themselves(declarative);
}

/// Every bad sample has exactly the findings of its `findings.json`. With `KOUAN_WRITE_FINDINGS=<samples folder>` the
/// files are written instead, to be read and committed by hand.
///
/// # Panics
/// If one differs.
pub fn bad_samples_have_exactly_their_findings(plugin: &PluginDecl, declarative: &Declarative) {
    let business = business(plugin, "{}");
    for sample in declarative.samples().iter().filter(|sample| sample.kind == SampleKind::Bad) {
        let mut found = judged(business.as_ref(), sample).findings;
        found.sort_by(|a, b| (a.line, a.column, &a.rule).cmp(&(b.line, b.column, &b.rule)));
        let row = |f: &kouan_sdk::Finding| {
            let (rule, line, column, xpath, severity) = (&f.rule, f.line, f.column, &f.xpath, f.severity);
            serde_json::json!({ "rule": rule, "line": line, "column": column, "xpath": xpath, "severity": severity })
        };
        let rows: Vec<_> = found.iter().map(row).collect();
        if let Some(folder) = std::env::var_os("KOUAN_WRITE_FINDINGS") {
            write_findings(folder.as_ref(), sample, &rows);
            continue;
        }
        let expected = sample.findings.unwrap_or_else(|| panic!("{} has no findings.json", sample.name));
        let expected: Vec<serde_json::Value> =
            serde_json::from_str(expected).unwrap_or_else(|e| panic!("findings of {}: {e}", sample.name));
        assert_eq!(rows, expected, "{}: {found:#?}", sample.name);
        for finding in found.iter().filter(|finding| finding.rule.starts_with("KOUAN-")) {
            assert!(catalogue::lookup(&finding.rule).is_some(), "{} is not in the catalogue", finding.rule);
        }
    }
}

fn write_findings(samples: &std::path::Path, sample: &Sample, rows: &[serde_json::Value]) {
    let folder = samples.join("bad").join(sample.form_id.as_deref().unwrap_or_default());
    let file = folder.join(sample.name.replace(".xml", ".findings.json"));
    let text = serde_json::to_string_pretty(rows).unwrap_or_default();
    std::fs::write(&file, format!("{text}\n")).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
}

/// Every rule's own examples hold, in every schema that takes it.
///
/// # Panics
/// If one does not.
pub fn rules_prove_themselves(declarative: &Declarative) {
    let validators = declarative.validators(None).unwrap_or_else(|e| panic!("{}: {e}", declarative.id()));
    for test in validators.iter().flat_map(|validator| validator.test_rules()) {
        assert!(test.is_ok(), "{}: {test:?}", declarative.id());
    }
}

/// The verdict on a sample.
///
/// # Panics
/// If it cannot be judged.
pub fn judged(business: &dyn Business, sample: &Sample) -> Report {
    for_kit(sample).with_package(|package| business.check(package).unwrap_or_else(|e| panic!("{}: {e}", sample.name)))
}

/// Rules of the errors in a report.
pub fn errors(report: &Report) -> Vec<&str> {
    report.findings.iter().filter(|f| f.severity == Severity::Error).map(|f| f.rule.as_str()).collect()
}

/// The value of a key; empty if there is none.
pub fn value<'k>(keys: &'k [kouan_sdk::business::Key], name: &str) -> &'k str {
    keys.iter().find(|key| key.name == name).map_or("", |key| key.value.as_str())
}

/// A simulated window with its state, whose answers are read by the business that they are for.
pub struct Bench {
    business: Box<dyn Business>,
    simulator: Box<dyn Simulator>,
    store: MemoryStore,
    at: Timestamp,
}

impl Bench {
    /// A fresh window at a fixed moment (2026-01-12T09:35:10).
    ///
    /// # Panics
    /// As [`business`] and [`simulator`].
    pub fn new(plugin: &PluginDecl) -> Self {
        let at = Timestamp::from_millis(1_768_181_710_000);
        Self { business: business(plugin, "{}"), simulator: simulator(plugin), store: MemoryStore::default(), at }
    }

    /// Sends a document under a type; the effect and the receipts, read.
    ///
    /// # Panics
    /// If the window fails, or an answer is none of the business's receipts.
    pub fn send(&mut self, message_type: &str, document: &[u8], steps: &[&str]) -> (Effect, Vec<Receipt>) {
        let effect = self.take(message_type, document, steps).unwrap_or_else(|e| panic!("{message_type}: {e}"));
        let receipts = self.read(&effect.answers);
        (effect, receipts)
    }

    /// What the window makes of a document.
    ///
    /// # Errors
    /// As the window says.
    pub fn take(&mut self, message_type: &str, document: &[u8], steps: &[&str]) -> Result<Effect> {
        let steps = steps.iter().map(|step| (*step).to_owned()).collect();
        let script = Script { steps, step_delay_ms: 1000 };
        let arrived = Arrived { message_type, file_name: "A1.xml", payload: document, at: self.at };
        self.simulator.take(&mut self.store, &arrived, &script)
    }

    /// What the window answers to a document whose key it knows.
    ///
    /// # Panics
    /// If it has no key, or the window fails.
    pub fn send_again(&self, message_type: &str, document: &[u8]) -> Vec<Receipt> {
        let arrived = Arrived { message_type, file_name: "A1.xml", payload: document, at: self.at };
        let key = self.simulator.repeat_key(&arrived).ok().flatten();
        let key = key.unwrap_or_else(|| panic!("{message_type} has no key"));
        let answers = self.simulator.known_already(&self.store, &arrived, &key);
        self.read(&answers.unwrap_or_else(|e| panic!("{message_type}: {e}")))
    }

    fn read(&self, answers: &[kouan_sdk::simulator::Answer]) -> Vec<Receipt> {
        let read = |answer: &kouan_sdk::simulator::Answer| {
            let text = String::from_utf8_lossy(&answer.payload);
            self.business.read_receipt(&answer.payload).unwrap_or_else(|e| panic!("{e}: {text}"))
        };
        answers.iter().map(read).collect()
    }
}
