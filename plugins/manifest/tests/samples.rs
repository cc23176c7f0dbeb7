//! What the samples and the data promise beyond the engine's own proof.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_declarative::{SampleKind, proof};
use kouan_manifest::{BUSINESS, PLUGIN};
use std::collections::{BTreeMap, BTreeSet};

/// Without the warnings too: a sample that an integrator copies should be beyond doubt.
#[test]
fn good_samples_have_no_finding_at_all() {
    let business = proof::business(&PLUGIN, "{}");
    let samples = BUSINESS.samples();
    for sample in samples.iter().filter(|sample| sample.kind == SampleKind::Good) {
        let report = proof::judged(business.as_ref(), sample);
        let unread = ["KOUAN-DECLARATIVE-NOT-CHECKED"];
        let found: Vec<_> = report.findings.iter().filter(|f| !unread.contains(&f.rule.as_str())).collect();
        assert!(found.is_empty(), "{}: {found:#?}", sample.name);
    }
}

#[test]
fn every_type_with_a_schema_has_a_good_sample() {
    let business = proof::business(&PLUGIN, "{}");
    let samples = BUSINESS.samples();
    let good = samples.iter().filter(|sample| sample.kind == SampleKind::Good);
    let shown: BTreeSet<_> = good.map(|sample| proof::judged(business.as_ref(), sample).message_type).collect();
    let named = "MT1101 MT2101 MT1201 MT2201 MT1401 MT2401 MT3101 MT3201 MT3402 MT4101 MT4201 MT4401 MT4402 MT4403 MT4404 \
                 MT4405 MT4406 MT5101 MT5102 MT5201 MT5202 MT5401 MT5402 MT7101 MT8102 MTECIM MTECEX";
    for name in named.split_whitespace() {
        assert!(shown.contains(name), "{name} has no good sample");
    }
}

/// Folders and receivers of the official client (`domain/client-notes.md`).
#[test]
fn each_family_has_its_folder_and_receiver() {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let info = proof::business(&PLUGIN, "{}").describe();
    for kind in info.types {
        folders.entry(kind.folder).or_default().extend(kind.receivers);
    }
    let of = |folder: &str| folders[folder].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(folders.len(), 3);
    assert_eq!(of("Mft"), ["DXPDSWMFT0000001"]);
    assert_eq!(of("Rmft"), ["DXPDSWRMFT000001"]);
    assert_eq!(of("Tmft"), ["DXPDSWTMFT000001"]);
}

#[test]
fn main_data_other_data_changes_and_deletions_of_a_voyage_share_a_lane() {
    let business = proof::business(&PLUGIN, "{}");
    let samples = BUSINESS.samples();
    let lane = |name: &str| {
        let sample = samples.iter().find(|sample| sample.name == format!("{name}.xml")).unwrap();
        let report = proof::judged(business.as_ref(), sample);
        assert_eq!(report.parties[0].value.len(), 13, "the filer's 13 characters choose the identity");
        report.order_key
    };
    for name in ["mt1101_container", "mt1101_other_data", "mt1101_change", "mt1101_delete"] {
        assert_eq!(lane(name), "MT1101/012E");
    }
    assert_eq!(lane("mt2101_single_window"), "MT2101/012E");
    assert_eq!(lane("mt2401"), "MT2401/5301250000003");
    // A branch line has no voyage: each message goes by itself.
    assert_eq!(lane("mt3101_branch"), "");
}

/// A folder without types is carried unread, and says so.
#[test]
fn rail_is_carried_with_a_warning() {
    let business = proof::business(&PLUGIN, "{}");
    let mut sample = kouan_sdk::conformance::business::Sample::document("R1.xml", "<Rail><A>1</A></Rail>");
    sample.form_id = Some("TMFT".into());
    let report = sample.with_package(|package| business.check(package).unwrap());
    assert_eq!(report.message_type, "TMFT");
    assert_eq!(report.business_key.unwrap().value, "R1");
    let rules: Vec<_> = report.findings.iter().map(|f| f.rule.as_str()).collect();
    assert_eq!(rules, ["KOUAN-DECLARATIVE-NOT-CHECKED"]);
}

/// What the notes call inferred or advisory never refuses: these types have no required field below Declaration.
#[test]
fn inferred_trees_do_not_refuse() {
    let business = proof::business(&PLUGIN, "{}");
    for (id, code) in [
        ("MT4101", "2"),
        ("MT4201", "2"),
        ("MT7101", "2"),
        ("MT8102", "2"),
        ("MTECIM", "2"),
        ("MT3201", "2"),
        ("MT3402", "2"),
        ("MT5201", "2"),
        ("MT5401", "2"),
        ("MT4401", "2"),
        ("MT1401", "9"),
        ("MT2401", "9"),
    ] {
        let document = format!(
            "<Manifest xmlns=\"urn:Declaration:datamodel:standard:CN:{id}:1\"><Head><MessageID>2225000000001_20250318101530123</MessageID>\
             <FunctionCode>{code}</FunctionCode><MessageType>{id}</MessageType><SenderID>2225000000001</SenderID><ReceiverID>2225</ReceiverID>\
             <SendTime>20250318101530123</SendTime><Version>1.0</Version></Head><Declaration><AdditionalInformation><Content>样例</Content>\
             </AdditionalInformation></Declaration></Manifest>"
        );
        let sample = kouan_sdk::conformance::business::Sample::document("A1.xml", document);
        let report = sample.with_package(|package| business.check(package).unwrap());
        assert_eq!(proof::errors(&report), Vec::<&str>::new(), "{id}");
    }
}
