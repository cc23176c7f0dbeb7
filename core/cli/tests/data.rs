//! `kouan rules`, `kouan codes` and `kouan completion` as a user runs them.

#![allow(clippy::unwrap_used)]

mod common;

use common::kouan;
use serde_json::{Value, json};

fn told(args: &[&str]) -> (Option<i32>, Value) {
    let output = kouan(&[args, &["--json"]].concat());
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"));
    (output.status.code(), value)
}

#[test]
fn every_bundled_rule_passes_its_examples() {
    let (exit, tests) = told(&["rules", "test"]);
    assert_eq!((exit, &tests["ok"], &tests["failed"]), (Some(0), &json!(true), &json!(0)));
    let (_, rules) = told(&["rules", "list"]);
    let ids = |list: &Value, key: &str| -> std::collections::BTreeSet<String> {
        list.as_array().unwrap().iter().map(|rule| rule[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&tests["tests"], "rule"), ids(&rules["rules"], "id"));
    assert!(rules["rules"].as_array().unwrap().len() > 50);
}

/// A business of one field and one rule, whose first example is right if `limit` is 10.
fn folder_with_rule(limit: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "xsd/note.xsd",
        r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="Note"><xs:complexType><xs:sequence>
           <xs:element name="Weight" type="xs:integer"/></xs:sequence></xs:complexType></xs:element></xs:schema>"#,
    );
    let rule = format!(
        r#"[[rule]]
id = "NOTE-WEIGHT"
severity = "error"
select = "/Note"
assert = 'int(this.Weight) < {limit}'
target = "Weight"
message_zh = "太重"
message_en = "too heavy"
source = "none"
[[rule.example]]
ok = true
this = {{ Weight = "5" }}
[[rule.example]]
ok = false
this = {{ Weight = "50" }}
"#
    );
    write("rules/note.toml", &rule);
    folder
}

#[test]
fn a_rule_that_contradicts_its_example_is_1_and_told() {
    let good = folder_with_rule(10);
    let (exit, tests) = told(&["rules", "test", "--folder", good.path().to_str().unwrap()]);
    assert_eq!((exit, &tests["passed"], &tests["failed"]), (Some(0), &json!(2), &json!(0)), "{tests}");
    let bad = folder_with_rule(100);
    let (exit, tests) = told(&["rules", "test", "--folder", bad.path().to_str().unwrap()]);
    assert_eq!((exit, &tests["passed"], &tests["failed"]), (Some(1), &json!(1), &json!(1)), "{tests}");
    let drawn = kouan(&["rules", "test", "--folder", bad.path().to_str().unwrap()]).stdout;
    assert!(
        String::from_utf8(drawn)
            .unwrap()
            .starts_with("NOTE-WEIGHT example 2: expected that it is broken, but it holds\n")
    );
}

#[test]
fn a_folder_that_cannot_be_read_is_named() {
    let broken = folder_with_rule(10);
    std::fs::write(broken.path().join("rules/note.toml"), "[[rule]]\nid = 5\n").unwrap();
    let output = kouan(&["rules", "list", "--folder", broken.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("note.toml:") && said.contains("KOUAN-SCHEMA-BAD-RULE"), "{said}");
    assert_eq!(kouan(&["rules", "list", "--folder", "no-such-folder"]).status.code(), Some(2));
    let unknown = kouan(&["rules", "list", "--business", "goods-declaratoin"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("did you mean `goods-declaration`?"));
}

#[test]
fn codes_are_shown_by_table_and_code() {
    let (exit, tables) = told(&["codes", "list"]);
    let tables = tables["tables"].as_array().unwrap();
    assert!(exit == Some(0) && tables.iter().any(|table| table["name"] == "currency"));
    let (exit, shown) = told(&["codes", "show", "currency", "USD"]);
    assert_eq!((exit, &shown["rows"][0]["zh"]), (Some(0), &json!("美元")));
    let (exit, shown) = told(&["codes", "show", "currency", "XXXX"]);
    assert_eq!((exit, &shown["rows"]), (Some(1), &json!([])));
    assert_eq!(kouan(&["codes", "show", "curency"]).status.code(), Some(2));
}

#[test]
fn every_shell_gets_its_completion() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = kouan(&["completion", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("explain"), "{shell}");
    }
    assert_eq!(kouan(&["completion", "csh"]).status.code(), Some(2));
}

#[test]
fn a_template_is_listed_written_once_and_refused_where_there_is_none() {
    let (exit, list) = told(&["template", "goods-declaration"]);
    assert_eq!((exit, &list["types"][0]["id"]), (Some(0), &json!("DECCUS001")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xml");
    let args = ["template", "manifest", "mt1101", "-o", path.to_str().unwrap()];
    let (exit, said) = told(&args);
    assert_eq!((exit, &said["type"], &said["file"]), (Some(0), &json!("MT1101"), &json!(path)));
    let written = std::fs::read(&path).unwrap();
    assert!(String::from_utf8(written.clone()).unwrap().contains("<MessageType>MT1101</MessageType>"));
    assert_eq!(kouan(&args).status.code(), Some(2), "a file that is there stays");
    assert_eq!(std::fs::read(&path).unwrap(), written);
    for (args, why) in [
        (["template", "manifest", "MT1102"], "MT1101"),
        (["template", "manifests", "MT1101"], "did you mean `manifest`?"),
        (["template", "transport-means", "CDSAL"], "no public structure"),
        (["template", "goods-declaration", "DECEDOC001"], ""),
    ] {
        let output = kouan(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(why), "{args:?}");
    }
}
