//! Every business in `business-schemas/` compiles, and its rules do what their own examples say. One with a `business.toml`
//! has a schema a type; its plugin proves it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking

use kouan_schema::{CheckOptions, Validator, ValidatorBuilder};
use std::path::{Path, PathBuf};

fn businesses() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas");
    let entries = std::fs::read_dir(&root).unwrap_or_else(|e| panic!("{}: {e}", root.display()));
    let folders =
        entries.map(|e| e.unwrap().path()).filter(|p| p.join("xsd").is_dir() && !p.join("business.toml").is_file());
    let mut folders: Vec<_> = folders.collect();
    folders.sort();
    folders
}

fn with_files(mut builder: ValidatorBuilder, folder: &Path, extension: &str) -> ValidatorBuilder {
    let Ok(entries) = std::fs::read_dir(folder) else { return builder };
    let mut paths: Vec<_> =
        entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    paths.sort();
    for path in paths {
        let name = path.strip_prefix(folder.parent().unwrap()).unwrap().to_string_lossy().into_owned();
        builder = builder.file(name, std::fs::read(&path).unwrap());
    }
    builder
}

fn load(business: &Path) -> Validator {
    let builder = with_files(Validator::builder(), &business.join("xsd"), "xsd");
    let builder = with_files(builder, &business.join("codes"), "csv");
    let builder = with_files(builder, &business.join("rules"), "toml");
    builder.build().unwrap_or_else(|e| panic!("{}: {e}", business.display()))
}

fn samples(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> =
        entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "xml")).collect();
    paths.sort();
    paths
}

#[test]
fn every_rule_does_what_its_examples_say() {
    let mut tested = 0;
    for business in businesses() {
        let failed: Vec<_> =
            load(&business).test_rules().into_iter().inspect(|_| tested += 1).filter(|t| !t.is_ok()).collect();
        assert!(failed.is_empty(), "{}: {failed:#?}", business.display());
    }
    assert!(tested > 0, "no rule was tested");
}

#[test]
fn good_samples_have_no_errors() {
    for business in businesses() {
        let validator = load(&business);
        for path in samples(&business.join("samples/good")) {
            let outcome = validator.check(&std::fs::read(&path).unwrap(), &CheckOptions::default());
            let errors: Vec<_> = outcome.findings.iter().filter(|f| f.severity == kouan_sdk::Severity::Error).collect();
            assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        }
    }
}
