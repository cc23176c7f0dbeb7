//! The goods declaration's data, held against the engine: it compiles, every rule keeps its examples, good samples have
//! no error, bad ones have exactly the findings beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking

use kouan_schema::{CheckOptions, Validator};
use kouan_sdk::{Finding, Severity};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas/goods-declaration")
}

fn files(name: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder().join(name)).unwrap().flatten();
    let mut all: Vec<_> = entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    all.sort();
    all
}

fn validator() -> Validator {
    let mut builder = Validator::builder();
    for (name, extension) in [("xsd", "xsd"), ("rules", "toml"), ("codes", "csv")] {
        for path in files(name, extension) {
            builder = builder.file(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    builder.build().unwrap_or_else(|e| panic!("{e}"))
}

fn findings(validator: &Validator, path: &Path) -> Vec<Finding> {
    validator.check(&std::fs::read(path).unwrap(), &CheckOptions::default()).findings
}

#[test]
fn every_rule_keeps_its_examples() {
    let validator = validator();
    let broken: Vec<_> = validator.test_rules().into_iter().filter(|test| !test.is_ok()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(validator.rules().list().count() > 100);
}

#[test]
fn good_samples_have_no_error() {
    let validator = validator();
    let samples = [files("samples/good", "xml"), files("samples/declare", "xml")].concat();
    assert!(samples.len() >= 15);
    for path in samples {
        let errors = findings(&validator, &path).into_iter().filter(|f| f.severity == Severity::Error);
        assert_eq!(errors.collect::<Vec<_>>(), [], "{}", path.display());
    }
}

#[test]
fn bad_samples_have_exactly_their_findings() {
    let validator = validator();
    let samples = files("samples/bad", "xml");
    assert!(samples.len() >= 25);
    for path in samples {
        let expected = std::fs::read(path.with_extension("findings.json")).unwrap();
        let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
        let mut found = findings(&validator, &path);
        found.sort_by(|a, b| (a.line, a.column, &a.rule).cmp(&(b.line, b.column, &b.rule)));
        let found: Vec<_> = found
            .iter()
            .map(|f| serde_json::json!({ "rule": f.rule, "line": f.line, "column": f.column, "xpath": f.xpath, "severity": f.severity }))
            .collect();
        assert_eq!(serde_json::Value::from(found), expected, "{}", path.display());
    }
}
