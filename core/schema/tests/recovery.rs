//! One mistake is one finding, over every element of a document; and no document, however broken, makes it panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking

mod common;

use common::{GOOD, builder, lines};
use kouan_schema::CheckOptions;
use proptest::prelude::*;

/// Start and end of every element (with its content), in document order.
fn elements(text: &str) -> Vec<std::ops::Range<usize>> {
    let document = roxmltree::Document::parse(text).unwrap();
    document.descendants().filter(|n| n.is_element()).map(|n| n.range()).collect()
}

fn count(document: &str) -> (usize, Vec<String>) {
    let outcome = builder().build().unwrap().check(document.as_bytes(), &CheckOptions::default());
    (outcome.findings.len(), lines(&outcome))
}

#[test]
fn an_unknown_element_anywhere_is_one_finding() {
    let validator = builder().build().unwrap();
    for range in elements(GOOD).into_iter().skip(1) {
        for at in [range.start, range.end] {
            let mut document = GOOD.to_owned();
            document.insert_str(at, "<Strange><deep>1</deep></Strange>");
            let outcome = validator.check(document.as_bytes(), &CheckOptions::default());
            assert_eq!(outcome.findings.len(), 1, "{at}: {:#?}", lines(&outcome));
            assert_eq!(outcome.findings[0].rule, "XSD-UNKNOWN-ELEMENT");
        }
    }
}

#[test]
fn an_element_removed_is_at_most_one_finding() {
    for range in elements(GOOD).into_iter().skip(1) {
        let mut document = GOOD.to_owned();
        let removed: String = document.drain(range).collect();
        // The mode goes with the signature, and a draft needs less; the signature is then the one finding.
        let (found, lines) = count(&document);
        assert!(found <= 1, "without {removed}: {lines:#?}");
    }
}

#[test]
fn an_element_twice_is_at_most_one_finding() {
    for range in elements(GOOD).into_iter().skip(1) {
        let mut document = GOOD.to_owned();
        let copy = document[range.clone()].to_owned();
        document.insert_str(range.end, &copy);
        let (found, lines) = count(&document);
        assert!(found <= 1, "{copy} twice: {lines:#?}");
    }
}

#[test]
fn an_element_moved_among_its_siblings_is_at_most_one_finding() {
    let tree = roxmltree::Document::parse(GOOD).unwrap();
    for parent in tree.descendants().filter(|n| n.is_element()) {
        let children: Vec<_> = parent.children().filter(|n| n.is_element()).map(|n| n.range()).collect();
        for from in &children {
            for to in &children {
                let piece = &GOOD[from.clone()];
                let mut document = GOOD.to_owned();
                if to.start > from.start {
                    document.insert_str(to.end, piece);
                    document.replace_range(from.clone(), "");
                } else {
                    document.replace_range(from.clone(), "");
                    document.insert_str(to.start, piece);
                }
                let (found, lines) = count(&document);
                assert!(found <= 1, "{piece} moved: {lines:#?}");
            }
        }
    }
}

#[test]
fn a_misspelt_name_is_one_finding() {
    let validator = builder().build().unwrap();
    for name in ["Name", "GrossWet", "Items", "Code", "Operation", "Sign", "Head"] {
        let wrong = format!("{name}x");
        let document = GOOD
            .replace(&format!("<{name}>"), &format!("<{wrong}>"))
            .replace(&format!("</{name}>"), &format!("</{wrong}>"));
        let outcome = validator.check(document.as_bytes(), &CheckOptions::default());
        let times = GOOD.matches(&format!("<{name}>")).count();
        assert_eq!(outcome.findings.len(), times, "{name}: {:#?}", lines(&outcome));
    }
}

proptest! {
    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let outcome = builder().build().unwrap().check(&bytes, &CheckOptions::default());
        prop_assert!(!outcome.findings.is_empty());
    }

    #[test]
    fn broken_documents_do_no_harm(cuts in proptest::collection::vec((0_usize..GOOD.len(), 0_usize..40, "[<>/&A-Za-z\"= ]{0,6}"), 1..5)) {
        let mut bytes = GOOD.as_bytes().to_vec();
        for (at, length, insert) in cuts {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, insert.bytes());
        }
        let outcome = builder().build().unwrap().check(&bytes, &CheckOptions::default());
        prop_assert!(outcome.findings.len() <= 200);
        for finding in &outcome.findings {
            prop_assert!(finding.offset as usize + finding.length as usize <= bytes.len());
        }
    }
}
