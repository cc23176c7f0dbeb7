//! On thousands of mutated messages of every business in `business-schemas/`, the strict verdict (annotations off) is that
//! of libxml2 (by lxml).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking

use kouan_schema::{CheckOptions, Validator};
use kouan_sdk::Severity;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SCRIPT: &str = include_str!("data/mutate.py");
/// Documents of one business.
const DOCUMENTS: usize = 7_000;
const SEED: &str = "20260112";
/// Every business gets enough of each.
const WAYS: [&str; 8] =
    ["drop", "duplicate", "reorder", "rename", "truncate", "overflow", "bad code", "wrong namespace"];

#[derive(serde::Deserialize)]
struct Case {
    group: usize,
    document: String,
    /// What was done to the good sample.
    ways: Vec<String>,
    valid: bool,
    why: String,
}

fn businesses() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas");
    let entries = std::fs::read_dir(root).unwrap().flatten().map(|entry| entry.path());
    let mut folders: Vec<_> = entries.filter(|path| path.join("xsd").is_dir()).collect();
    folders.sort();
    folders
}

fn validator(folder: &Path, files: &[String]) -> Validator {
    let add = |builder: kouan_schema::ValidatorBuilder, file: &String| {
        builder.file(file.clone(), std::fs::read(folder.join(file)).unwrap())
    };
    files.iter().fold(Validator::builder(), add).build().unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
}

/// What was judged.
#[derive(Default)]
struct Tally {
    documents: usize,
    /// By libxml2.
    refused: usize,
    schemas: usize,
    /// Kind of mutation: documents with it, and how many of these are refused.
    ways: BTreeMap<String, (usize, usize)>,
}

fn judged(business: &Path, stripped: &Path) -> Tally {
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .args([business.as_os_str(), stripped.as_os_str()])
        .args([&DOCUMENTS.to_string(), SEED])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(python.stdout.take().unwrap()).lines();
    let groups: Vec<Vec<String>> = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let validators: Vec<_> = groups.iter().map(|files| validator(stripped, files)).collect();
    let mut tally = Tally { schemas: groups.len(), ..Tally::default() };
    for line in lines {
        let case: Case = serde_json::from_str(&line.unwrap()).unwrap();
        let outcome = validators[case.group].check(case.document.as_bytes(), &CheckOptions::default());
        let errors: Vec<_> = outcome.findings.iter().filter(|f| f.severity == Severity::Error).collect();
        assert_eq!(
            errors.is_empty(),
            case.valid,
            "{}\nlibxml2: {}\nkouan: {errors:#?}\n{}",
            business.display(),
            case.why,
            case.document
        );
        tally.documents += 1;
        tally.refused += usize::from(!case.valid);
        for way in case.ways {
            let of = tally.ways.entry(way).or_default();
            *of = (of.0 + 1, of.1 + usize::from(!case.valid));
        }
    }
    assert!(python.wait().unwrap().success());
    tally
}

#[test]
fn every_business_judges_as_libxml2_does() {
    if !Command::new("python3").args(["-c", "import lxml"]).output().is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none(), "lxml is missing");
        println!("SKIPPED: python3 with lxml is missing");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for business in businesses() {
        let stripped = folder.path().join(business.file_name().unwrap());
        std::fs::create_dir(&stripped).unwrap();
        let Tally { documents, refused, schemas, ways } = judged(&business, &stripped);
        let name = business.display();
        assert_eq!(documents, DOCUMENTS, "{name}");
        assert!(refused > DOCUMENTS / 4 && refused < DOCUMENTS, "{name}: {refused} of {documents}");
        for way in WAYS {
            let (with, refused) = ways.get(way).copied().unwrap_or_default();
            assert!(with > DOCUMENTS / 20 && refused > 20, "{name}: {way}: {refused} of {with}");
        }
        println!("{name}: {documents} documents over {schemas} schemas, {refused} of them wrong: {ways:?}");
    }
}
