//! On made schemas (every built-in type with every facet, patterns, attributes, content models) and made documents, the
//! strict verdict is that of libxml2 (by lxml), and a schema that libxml2 refuses is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking

use kouan_schema::{CheckOptions, LoadError, Validator};
use kouan_sdk::Severity;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

const SCRIPT: &str = include_str!("data/generate.py");
const KNOWN: &str = include_str!("data/generated-known.json");
const SEED: &str = "20260112";
const MODELS: &str = "1500";

#[derive(serde::Deserialize)]
struct Case {
    label: String,
    schema: String,
    accepted: bool,
    why: String,
    /// Documents on which libxml2 is wrong by the definition of the content model.
    slips: usize,
    cases: Vec<(String, bool)>,
}

/// A disagreement that is meant, or is libxml2's.
#[derive(serde::Deserialize)]
struct Known {
    /// What the label contains.
    label: String,
    /// What the document contains; a document that is absent means the schema itself.
    document: Option<String>,
    reason: String,
}

#[derive(Default)]
struct Tally {
    schemas: usize,
    documents: usize,
    slips: usize,
    valid: usize,
    refused_by_both: usize,
    /// Our named error: outside the subset.
    outside: BTreeMap<String, usize>,
    known: BTreeMap<String, usize>,
    unknown: Vec<String>,
}

impl Tally {
    fn disagree(&mut self, known: &[Known], label: &str, document: Option<&str>, told: String) {
        let meant = known.iter().find(|k| {
            label.contains(&k.label)
                && match (&k.document, document) {
                    (Some(part), Some(document)) => document.contains(part.as_str()),
                    (None, None) => true,
                    _ => false,
                }
        });
        match meant {
            Some(k) => *self.known.entry(k.reason.clone()).or_default() += 1,
            None => self.unknown.push(told),
        }
    }
}

/// The feature that an error calls unsupported, without the values in it.
fn feature(error: &LoadError) -> String {
    error.message.split('"').next().unwrap_or_default().split(':').take(2).collect::<Vec<_>>().join(":")
}

fn compare(case: &Case, known: &[Known], tally: &mut Tally) {
    tally.schemas += 1;
    tally.slips += case.slips;
    let ours = Validator::builder().file("made.xsd", case.schema.as_bytes()).build();
    let validator = match ours {
        Err(error) if !case.accepted => {
            let _ = error;
            tally.refused_by_both += 1;
            return;
        }
        Err(error) if error.code == "KOUAN-SCHEMA-UNSUPPORTED" => {
            *tally.outside.entry(feature(&error)).or_default() += 1;
            return;
        }
        Err(error) => {
            let told = format!("{}: only kouan refuses the schema: {error}\n  {}", case.label, case.schema);
            return tally.disagree(known, &case.label, None, told);
        }
        Ok(_) if !case.accepted => {
            let told = format!("{}: only libxml2 refuses the schema: {}\n  {}", case.label, case.why, case.schema);
            return tally.disagree(known, &case.label, None, told);
        }
        Ok(validator) => validator,
    };
    let options = CheckOptions { strict: true, ..CheckOptions::default() };
    for (document, valid) in &case.cases {
        tally.documents += 1;
        tally.valid += usize::from(*valid);
        let outcome = validator.check(document.as_bytes(), &options);
        let errors: Vec<_> = outcome.findings.iter().filter(|f| f.severity == Severity::Error).collect();
        if errors.is_empty() != *valid {
            let found: Vec<_> = errors.iter().map(|f| format!("{} {}", f.rule, f.message_en)).collect();
            let told = format!("{}: libxml2 says {valid}: {document}\n  {found:?}\n  {}", case.label, case.schema);
            tally.disagree(known, &case.label, Some(document), told);
        }
    }
}

#[test]
fn made_schemas_judge_as_libxml2_does() {
    if !Command::new("python3").args(["-c", "import lxml"]).output().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none(), "lxml is missing");
        println!("SKIPPED: python3 with lxml is missing");
        return;
    }
    let known: Vec<Known> = serde_json::from_str(KNOWN).unwrap();
    let mut python = Command::new("python3").args(["-c", SCRIPT, SEED, MODELS]).stdout(Stdio::piped()).spawn().unwrap();
    let mut tally = Tally::default();
    for line in BufReader::new(python.stdout.take().unwrap()).lines() {
        compare(&serde_json::from_str(&line.unwrap()).unwrap(), &known, &mut tally);
    }
    assert!(python.wait().unwrap().success());
    println!(
        "{} schemas, {} of them wrong for both; {} documents, {} of them right; libxml2 slipped on {}\noutside: {:#?}\nknown: {:#?}",
        tally.schemas, tally.refused_by_both, tally.documents, tally.valid, tally.slips, tally.outside, tally.known
    );
    let told: Vec<_> = tally.unknown.iter().take(usize::MAX).map(String::as_str).collect();
    assert!(told.is_empty(), "{} disagreements:\n{}", tally.unknown.len(), told.join("\n"));
    assert!(tally.documents > 40_000 && tally.valid > 8_000, "a poor mixture");
    for reason in known.iter().map(|k| &k.reason) {
        assert!(tally.known.contains_key(reason), "no longer a disagreement: {reason}");
    }
}
