//! `kouan convert` as a user runs it: the shipped mappings, a mapping to begin with for every sample, bad tables.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::kouan;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn businesses() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas").canonicalize().unwrap()
}

fn told(args: &[&str]) -> (Option<i32>, Value) {
    let output = kouan(&[&["convert"], args, &["--json"]].concat());
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"));
    (output.status.code(), value)
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_str().unwrap().to_owned()
}

/// Path and text of every leaf and attribute that says something, and how often.
fn leaves(xml: &str) -> BTreeMap<(String, String), usize> {
    let document = roxmltree::Document::parse(xml).unwrap();
    let mut found = BTreeMap::new();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let path = path_of(node);
        let value = node.text().unwrap_or_default().trim();
        if !node.children().any(|child| child.is_element()) && !value.is_empty() {
            *found.entry((path.clone(), value.to_owned())).or_default() += 1;
        }
        for attribute in node.attributes().filter(|attribute| attribute.namespace().is_none()) {
            *found.entry((format!("{path}/@{}", attribute.name()), attribute.value().to_owned())).or_default() += 1;
        }
    }
    found
}

fn path_of(node: roxmltree::Node<'_, '_>) -> String {
    let mut names: Vec<_> = node.ancestors().filter(|n| n.is_element()).map(|n| n.tag_name().name()).collect();
    names.reverse();
    format!("/{}", names.join("/"))
}

const SHIPPED: [(&str, &str, usize); 4] = [
    ("goods-declaration/mappings/import", "xlsx", 1),
    ("manifest/mappings/mt1101", "csv", 1),
    ("processing-trade/mappings/inv101", "json", 1),
    ("transport-means/mappings/csm002", "csv", 2),
];

#[test]
fn every_shipped_mapping_makes_messages_without_findings() {
    for (stem, extension, messages) in SHIPPED {
        let out = tempfile::tempdir().unwrap();
        let (map, input) =
            (businesses().join(format!("{stem}.toml")), businesses().join(format!("{stem}.{extension}")));
        let args = ["--map", &text(map), &text(input), "--out", &text(out.path())];
        let (exit, all) = told(&args);
        assert_eq!((exit, all["made"].as_u64()), (Some(0), Some(messages as u64)), "{stem}: {all}");
        for message in all["messages"].as_array().unwrap() {
            assert_eq!(message["findings"], Value::Array(Vec::new()), "{stem}: {message}");
            assert_eq!(message["faults"], Value::Array(Vec::new()), "{stem}: {message}");
            assert_eq!(message["state"], "written");
            let path = out.path().join(message["file"].as_str().unwrap());
            assert_eq!(kouan(&["check", &text(&path)]).status.code(), Some(0), "{stem}");
        }
        // The same again changes nothing.
        let (exit, again) = told(&args);
        assert_eq!((exit, &again["messages"][0]["state"]), (Some(0), &Value::from("unchanged")));
        assert!(fs::read_dir(out.path()).unwrap().all(|file| text(file.unwrap().path()).ends_with(".xml")));
    }
}

/// An implementation that shares nothing with ours, by the letter of the schema.
#[test]
fn xmllint_finds_what_is_made_valid() {
    if std::process::Command::new("xmllint").arg("--version").output().is_err() {
        assert_ne!(std::env::var("KOUAN_REQUIRE_TOOLS").as_deref(), Ok("1"), "xmllint is missing");
        println!("SKIPPED: xmllint is missing");
        return;
    }
    let schemas = ["DecMessage.xsd", "MT1101.xsd", "processing-trade.xsd", "CSM002.xsd"];
    for ((stem, extension, _), schema) in SHIPPED.into_iter().zip(schemas) {
        let out = tempfile::tempdir().unwrap();
        let (map, input) =
            (businesses().join(format!("{stem}.toml")), businesses().join(format!("{stem}.{extension}")));
        told(&["--map", &text(map), &text(input), "--out", &text(out.path())]);
        let schema = businesses().join(stem.split('/').next().unwrap()).join("xsd").join(schema);
        for file in fs::read_dir(out.path()).unwrap() {
            let arguments =
                ["--noout", "--nonet", "--schema", &text(&schema), &text(file.unwrap().path())].map(str::to_owned);
            let output = std::process::Command::new("xmllint").args(arguments).output().unwrap();
            assert!(output.status.success(), "{stem}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn the_shipped_workbook_is_the_sample_that_it_was_made_of() {
    let out = tempfile::tempdir().unwrap();
    let folder = businesses().join("goods-declaration");
    let (map, input) = (folder.join("mappings/import.toml"), folder.join("mappings/import.xlsx"));
    told(&["--map", &text(map), &text(input), "--out", &text(out.path())]);
    let made = fs::read_to_string(out.path().join("TEST202601120001.xml")).unwrap();
    let sample = fs::read_to_string(folder.join("samples/good/import.xml")).unwrap();
    assert_eq!(leaves(&made), leaves(&sample));
}

/// Fills the CSV files of a mapping to begin with from a sample: header from the map, rows from the elements.
fn fill(map: &toml::Table, xml: &str, folder: &Path) -> Vec<String> {
    let document = roxmltree::Document::parse(xml).unwrap();
    let elements: Vec<_> = document.descendants().filter(roxmltree::Node::is_element).collect();
    let mut files = Vec::new();
    for table in map["table"].as_array().unwrap() {
        let element = table.get("element").and_then(toml::Value::as_str);
        let owners: Vec<_> = match element {
            Some(element) => elements.iter().copied().filter(|node| path_of(*node) == element).collect(),
            None => vec![document.root_element()],
        };
        if owners.is_empty() {
            continue;
        }
        let within = table.get("within").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let fields = table["fields"].as_table().unwrap();
        let column = |field: &toml::Value| field.get("column").unwrap_or(field).as_str().unwrap().to_owned();
        let path = folder.join(format!("{}.csv", table["sheet"].as_str().unwrap()));
        let mut writer = csv::Writer::from_path(&path).unwrap();
        let keys = within.values().map(|name| name.as_str().unwrap().to_owned());
        writer.write_record(["单据号".to_owned()].into_iter().chain(keys).chain(fields.values().map(column))).unwrap();
        for owner in owners {
            let mut row = vec!["A1".to_owned()];
            for above in within.keys() {
                let instance = owner.ancestors().find(|node| node.is_element() && path_of(*node) == *above).unwrap();
                row.push(instance.id().get().to_string());
            }
            for field in fields.keys() {
                let (path, attribute) = field.split_once("/@").map_or((field.as_str(), None), |(p, a)| (p, Some(a)));
                let node = owner.descendants().find(|node| node.is_element() && path_of(*node) == path);
                let value = node.and_then(|node| match attribute {
                    Some(name) => node.attribute(name),
                    None => node.text(),
                });
                row.push(value.unwrap_or_default().trim().to_owned());
            }
            writer.write_record(&row).unwrap();
        }
        writer.flush().unwrap();
        files.push(text(&path));
    }
    files
}

#[test]
fn a_mapping_to_begin_with_makes_every_sample_again() {
    let samples = [
        ("goods-declaration", "DECCUS001", vec!["import", "export", "containers", "licences", "fifty-items"]),
        ("manifest", "MT1101", vec!["mt1101_container", "mt1101_bulk", "mt1101_dangerous", "mt1101_to_order"]),
        ("manifest", "MT2101", vec!["mt2101_house_bills", "mt2101_fifty_bills"]),
        ("processing-trade", "INV101", vec!["inv101-declared", "inv101-fifty-items"]),
        ("processing-trade", "SAS121", vec!["sas121-declared"]),
        ("transport-means", "CSM002", vec!["csm002"]),
        ("transport-means", "CSM001", vec!["csm001"]),
    ];
    for (business, message_type, names) in samples {
        let (exit, shown) = told(&["--new-map", business, message_type]);
        assert_eq!(exit, Some(0));
        let map = shown["map"].as_str().unwrap();
        for name in names {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("map.toml"), map).unwrap();
            let sample = fs::read_to_string(businesses().join(format!("{business}/samples/good/{name}.xml"))).unwrap();
            let files = fill(&map.parse().unwrap(), &sample, folder.path());
            let (map, out) = (text(folder.path().join("map.toml")), text(folder.path().join("out")));
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            let (exit, all) = told(&[&["--map", &map, "--out", &out], files.as_slice()].concat());
            assert_eq!(exit, Some(0), "{name}: {}", all["messages"]);
            let made = fs::read_to_string(folder.path().join("out/A1.xml")).unwrap();
            let (made, wanted) = (leaves(&made), leaves(&sample));
            // The schema fixes these attributes and does not ask for them.
            let ours = |((path, _), _): &(&(String, String), &usize)| !path.starts_with("/Signature/SignedInfo/");
            let lost: Vec<_> =
                wanted.iter().filter(ours).filter(|(leaf, count)| made.get(leaf) != Some(*count)).collect();
            assert!(lost.is_empty(), "{name} lost {lost:?}");
        }
    }
}

/// A table of the shipped CSV of transport means, with one thing changed.
fn bent(change: impl Fn(String) -> Vec<u8>) -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let mappings = businesses().join("transport-means/mappings");
    let path = folder.path().join("a.csv");
    fs::write(&path, change(fs::read_to_string(mappings.join("csm002.csv")).unwrap())).unwrap();
    let path = text(path);
    (folder, text(mappings.join("csm002.toml")), path)
}

fn codes(all: &Value) -> Vec<&str> {
    let faults = |message: &'_ Value| message["faults"].as_array().cloned().unwrap_or_default();
    let all: Vec<Value> = all["messages"].as_array().unwrap().iter().flat_map(faults).collect();
    let known = kouan_sdk::catalogue::entries();
    all.iter().map(|fault| known.get_key_value(fault["code"].as_str().unwrap()).unwrap().0.as_str()).collect()
}

#[test]
fn each_kind_of_bad_table_has_its_name_and_place() {
    type Change = fn(String) -> Vec<u8>;
    let cases: [(&str, &str, Change); 11] = [
        ("NO-COLUMN", "船名", |csv| csv.replacen("船名", "船舶名", 1).into_bytes()),
        ("COLUMN-TWICE", "泊位", |csv| csv.replace('\n', ",泊位\n").into_bytes()),
        ("RAGGED", "", |csv| csv.replacen("WGQ02", "WGQ,02", 1).into_bytes()),
        ("DATE", "申报日期", |csv| csv.replacen("2025/3/18", "2025/13/18", 1).into_bytes()),
        ("ENCODING", "", |csv| [csv.as_bytes(), b"\xFF\xFF\xFF\xFF"].concat()),
        ("CHARACTER", "船名", |csv| csv.replacen("EXAMPLE MOON", "EX\u{1}", 1).into_bytes()),
        ("NO-ROWS", "", |csv| csv.lines().next().unwrap().as_bytes().to_vec()),
        ("FILE-NAME", "", |csv| csv.replacen("2225000000002_20250318101630123", "../x", 1).into_bytes()),
        ("FILE-EXISTS", "", |csv| csv.replace("20250318101630123", "20250318101530123").into_bytes()),
        ("NO-HEADER", "", |_| Vec::new()),
        ("ROW-TOO-BIG", "", |csv| format!("{csv}\"{}", "x".repeat(2 << 20)).into_bytes()),
    ];
    for (code, column, change) in cases {
        let (folder, map, input) = bent(change);
        let out = text(folder.path().join("out"));
        let (exit, all) = told(&["--map", &map, &input, "--out", &out]);
        assert_eq!(exit, Some(1), "{code}: {all}");
        assert_eq!(codes(&all), [format!("KOUAN-CONVERT-{code}")], "{all}");
        let messages = all["messages"].as_array().unwrap();
        let fault = messages.iter().find_map(|message| message["faults"].get(0)).unwrap();
        assert_eq!(fault["place"]["column"].as_str().unwrap_or_default(), column, "{all}");
        assert!(!fault["hint_zh"].as_str().unwrap().is_empty());
    }
}

#[test]
fn gbk_a_mark_semicolons_and_blank_rows_change_nothing() {
    let gbk = |csv: String| encoding_rs::GBK.encode(&csv).0.into_owned();
    let marked = |csv: String| format!("\u{feff}{csv}").into_bytes();
    let semicolons = |csv: String| csv.replace(',', ";").into_bytes();
    let blank = |csv: String| format!("{csv},,,,,,,,,,,,,,,\r\n\r\n").into_bytes();
    let wide = |csv: String| {
        let mut bytes = vec![0xFF, 0xFE];
        bytes.extend(csv.encode_utf16().flat_map(u16::to_le_bytes));
        bytes
    };
    let good = |change: &dyn Fn(String) -> Vec<u8>| {
        let (folder, map, input) = bent(change);
        let out = folder.path().join("out");
        let (exit, all) = told(&["--map", &map, &input, "--out", &text(&out)]);
        assert_eq!((exit, all["made"].as_u64()), (Some(0), Some(2)), "{all}");
        let name = all["messages"][0]["file"].as_str().unwrap();
        fs::read_to_string(out.join(name)).unwrap()
    };
    let plain = good(&String::into_bytes);
    for change in [&gbk as &dyn Fn(String) -> Vec<u8>, &marked, &semicolons, &wide, &blank] {
        assert_eq!(good(change), plain);
    }
}

#[test]
fn a_finding_is_led_back_to_its_cell_and_the_other_row_is_made() {
    let (folder, map, input) = bent(|csv| csv.replacen("9000015", "9000016", 1).into_bytes());
    let out = folder.path().join("out");
    let (exit, all) = told(&["--map", &map, &input, "--out", &text(&out)]);
    assert_eq!((exit, all["made"].as_u64(), all["refused"].as_u64()), (Some(1), Some(1), Some(1)), "{all}");
    let finding = &all["messages"][1]["findings"][0];
    assert_eq!(finding["source"]["row"], 3, "{finding}");
    assert_eq!(finding["source"]["column"], "IMO编号", "{finding}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    // What is missing leads to the column that would have said it.
    let (folder, map, input) = bent(|csv| csv.replacen("EXAMPLE MOON", "", 1).into_bytes());
    let (_, all) = told(&["--map", &map, &input, "--out", &text(folder.path().join("out"))]);
    let source = &all["messages"][1]["findings"][0]["source"];
    assert_eq!((&source["row"], &source["column"]), (&Value::from(3), &Value::from("船名")), "{all}");
}

#[test]
fn a_file_that_differs_stays_unless_it_is_forced() {
    let (folder, map, input) = bent(String::into_bytes);
    let out = folder.path().join("out");
    let args = ["--map", &map, &input, "--out", &text(&out)];
    let (_, all) = told(&args);
    let path = out.join(all["messages"][0]["file"].as_str().unwrap());
    fs::write(&path, "mine").unwrap();
    let (exit, all) = told(&args);
    assert_eq!((exit, codes(&all)), (Some(1), vec!["KOUAN-CONVERT-FILE-EXISTS"]));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    let (exit, _) = told(&[&args[..], &["--force"]].concat());
    assert_eq!(exit, Some(0));
    assert_ne!(fs::read_to_string(&path).unwrap(), "mine");
    let dry = text(folder.path().join("dry"));
    let (exit, _) = told(&["--map", &map, &input, "--out", &dry, "--dry-run"]);
    assert_eq!((exit, Path::new(&dry).exists()), (Some(0), false));
}

#[test]
fn a_wrong_mapping_is_told_with_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let mapping = fs::read_to_string(businesses().join("transport-means/mappings/csm002.toml")).unwrap();
    let input = text(businesses().join("transport-means/mappings/csm002.csv"));
    let path = folder.path().join("map.toml");
    for (from, to, code, hint) in [
        ("Itinerary/ArrivalDateTime", "Itinerary/ArivalDateTime", "KOUAN-CONVERT-NO-ELEMENT", "ArrivalDateTime"),
        ("[table.fields]", "keys = 1\n[table.fields]", "KOUAN-CONVERT-MAP", ""),
        ("yyyyMMddHHmmssfff", "yy-", "KOUAN-CONVERT-MAP", ""),
        ("{报文编号}", "{报文编号", "KOUAN-CONVERT-MAP", ""),
        ("[[table]]", "[[table]]\nelement = '/Message/MessageBody'", "KOUAN-CONVERT-MAP", ""),
    ] {
        fs::write(&path, mapping.replacen(from, to, 1)).unwrap();
        let (exit, all) = told(&["--map", &text(&path), &input, "--dry-run"]);
        assert_eq!((exit, codes(&all)), (Some(1), vec![code]), "{to}: {all}");
        assert!(all["messages"][0]["faults"][0]["hint_en"].as_str().unwrap().contains(hint), "{all}");
    }
}

#[test]
fn what_is_no_workbook_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let map = text(businesses().join("goods-declaration/mappings/import.toml"));
    let good = fs::read(businesses().join("goods-declaration/mappings/import.xlsx")).unwrap();
    let path = folder.path().join("a.xlsx");
    for bytes in [b"not a zip".to_vec(), good[..good.len() / 2].to_vec(), b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1".to_vec()]
    {
        fs::write(&path, bytes).unwrap();
        let (exit, all) = told(&["--map", &map, &text(&path), "--dry-run"]);
        assert_eq!((exit, codes(&all)), (Some(1), vec!["KOUAN-CONVERT-NOT-XLSX"]));
    }
    let old = folder.path().join("a.xls");
    fs::write(&old, "x").unwrap();
    assert_eq!(codes(&told(&["--map", &map, &text(&old), "--dry-run"]).1), ["KOUAN-CONVERT-FORMAT"]);
    assert_eq!(codes(&told(&["--map", &map, "nowhere.csv", "--dry-run"]).1), ["KOUAN-CONVERT-UNREADABLE"]);
    let json = folder.path().join("a.json");
    fs::write(&json, "[{]").unwrap();
    let map = text(businesses().join("processing-trade/mappings/inv101.toml"));
    assert_eq!(codes(&told(&["--map", &map, &text(&json), "--dry-run"]).1), ["KOUAN-CONVERT-NOT-JSON"]);
}

#[test]
fn rows_of_a_message_that_stand_apart_come_together_and_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = businesses().join("manifest/mappings");
    let csv = encoding_rs::GB18030.decode(&fs::read(shipped.join("mt1101.csv")).unwrap()).0.into_owned();
    let lines: Vec<&str> = csv.lines().collect();
    let map = text(shipped.join("mt1101.toml"));
    let path = folder.path().join("a.csv");
    let other = |line: &str| line.replace("_20250318101530201", "_20250318101530202");
    // Two messages, their rows in turn.
    let turns: Vec<String> = lines[1..].iter().flat_map(|line| [(*line).to_owned(), other(line)]).collect();
    fs::write(&path, format!("{}\n{}\n", lines[0], turns.join("\n"))).unwrap();
    let out = folder.path().join("out");
    let (exit, all) = told(&["--map", &map, &text(&path), "--out", &text(&out)]);
    assert_eq!((exit, all["made"].as_u64()), (Some(0), Some(2)), "{all}");
    let count = |xml: &str, tag: &str| xml.matches(&format!("<{tag}>")).count();
    for file in fs::read_dir(&out).unwrap() {
        let xml = fs::read_to_string(file.unwrap().path()).unwrap();
        assert_eq!((count(&xml, "Consignment"), count(&xml, "TransportEquipment")), (2, 3));
    }
    let contradicting = lines[2].replacen("EXAMPLE STAR", "EXAMPLE MOON", 1);
    fs::write(&path, format!("{}\n{}\n{contradicting}\n", lines[0], lines[1])).unwrap();
    let (exit, all) = told(&["--map", &map, &text(&path), "--dry-run"]);
    assert_eq!((exit, codes(&all)), (Some(1), vec!["KOUAN-CONVERT-CONFLICT"]), "{all}");
    assert_eq!(all["messages"][0]["faults"][0]["place"]["row"], 3);
}
