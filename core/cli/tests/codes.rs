//! `kouan codes import` and `remove` as a site uses them: what they write, and that every command sees it.

#![allow(clippy::unwrap_used)]

mod common;

use common::service::{Folder, import};
use kouan_journal::Delivery;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

/// An official table as it comes: GBK, a Chinese header. 9998 is new, and 2225, which the samples name, is gone.
fn customs() -> Vec<u8> {
    let text = "序号,关区代码,关区名称\r\n1,0100,北京关区\r\n2,2200,上海关区\r\n3,9998,演练海关\r\n";
    encoding_rs::GBK.encode(text).0.into_owned()
}

struct Site(Folder);

impl Site {
    fn new() -> Self {
        Self(Folder::new())
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn told(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = self.0.kouan(&[args, &["--json"]].concat());
        let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"));
        (output.status.code(), value)
    }

    fn import(&self, file: &str, more: &[&str]) -> Output {
        self.0.kouan(&[&["codes", "import", file], more].concat())
    }

    /// What is said of the code that stands as the declaration's customs: rule and severity of each finding.
    fn judged(&self, customs: &str) -> (Option<i32>, Vec<(Value, Value)>) {
        let message = String::from_utf8(import("TEST202601120001")).unwrap();
        let tagged = |code: &str| format!("<CustomMaster>{code}</CustomMaster>");
        assert!(message.contains(&tagged("2225")));
        let file = self.write("message.xml", message.replace(&tagged("2225"), &tagged(customs)));
        let (exit, checked) = self.told(&["check", &file]);
        let findings = checked["files"][0]["findings"].as_array().unwrap().clone();
        let of_field = findings.into_iter().filter(|f| f["xpath"].as_str().unwrap().ends_with("/CustomMaster"));
        (exit, of_field.map(|f| (f["rule"].clone(), f["severity"].clone())).collect())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_imported_table_counts_for_every_command_until_it_is_removed() {
    let site = Site::new();
    let file = site.write("关区.csv", customs());
    assert_eq!((site.judged("2225").1, site.judged("9997").1), (vec![], vec![]), "the bundled table is not whole");

    let args = [
        "codes",
        "import",
        &file,
        "--table",
        "customs",
        "--complete",
        "--source",
        "参数下载",
        "--date",
        "2026年1月5日",
    ];
    let (exit, dry) = site.told(&[&args[..], &["--dry-run"]].concat());
    assert_eq!(
        (exit, &dry["written"], &dry["rows"], &dry["read_as"]),
        (Some(0), &json!(false), &json!(3), &json!("GB18030"))
    );
    assert!(!site.0.path("codes").exists(), "a dry run writes nothing");
    let (exit, told) = site.told(&args);
    assert_eq!((exit, &told["business"], &told["written"]), (Some(0), &json!("goods-declaration"), &json!(true)));
    assert_eq!(
        (&told["new"], &told["renamed"]),
        (&json!(["9998"]), &json!([{"code": "2200", "from": "上海海关", "to": "上海关区"}]))
    );
    assert!(told["removed"].as_array().unwrap().contains(&json!("2225")), "{told}");
    assert_eq!((&told["was_complete"], &told["complete"]), (&json!(false), &json!(true)));
    let left: Vec<_> =
        std::fs::read_dir(site.0.path("codes/goods-declaration")).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["customs.csv"]);

    let (exit, shown) = site.told(&["codes", "show", "customs"]);
    assert_eq!(
        (exit, &shown["of_site"], &shown["source"], &shown["date"]),
        (Some(0), &json!(true), &json!("参数下载"), &json!("2026-01-05"))
    );
    assert_eq!(
        shown["rows"][0],
        json!({"code": "0100", "zh": "北京关区", "en": "Beijing", "from": "", "to": ""}),
        "English stays"
    );
    let (_, list) = site.told(&["codes", "list", "--business", "goods-declaration"]);
    let of_site: Vec<_> =
        list["tables"].as_array().unwrap().iter().filter(|t| t["of_site"] == true).map(|t| &t["name"]).collect();
    assert_eq!(of_site, ["customs"]);
    let refused = vec![(json!("XSD-CODE"), json!("error"))];
    assert_eq!(site.judged("9998").1, vec![]);
    assert_eq!(site.judged("2225"), (Some(1), refused));
    assert_eq!(site.0.kouan(&[&args[..3], &["--table", "customs", "--open"]].concat()).status.code(), Some(0));
    assert_eq!(site.judged("2225").1, [(json!("XSD-CODE"), json!("warning"))], "an open table only warns");
    assert_eq!(site.0.kouan(&args).status.code(), Some(0));
    let doctor = site.told(&["doctor"]).1;
    let codes = doctor["checks"].as_array().unwrap().iter().find(|check| check["area"] == "codes").unwrap();
    assert_eq!(
        (&codes["light"], &codes["detail"]),
        (&json!("green"), &json!("the site's own tables: customs 2026-01-05"))
    );

    assert_eq!(site.0.kouan(&["codes", "remove", "customs"]).status.code(), Some(0));
    assert_eq!(site.judged("2225").1, vec![], "the bundled one again");
    assert_eq!(site.0.kouan(&["codes", "remove", "customs"]).status.code(), Some(2), "there is none any more");
}

#[test]
fn a_business_by_data_sees_its_table_too_and_the_folder_may_be_another() {
    let site = Site::new();
    site.0.edit("plugin = \"processing-trade\"", "plugin = \"processing-trade\"\ncodes = \"tables\"");
    let file = site.write("country.tsv", "code\tname\n142\t中国\n999\t演练国\n");
    assert!(said(&site.import(&file, &[])).contains("--business ID says whose"), "several businesses have the table");
    let imported = site.import(&file, &["--business", "processing-trade"]);
    assert_eq!(imported.status.code(), Some(0), "{imported:?}");
    assert!(site.0.path("tables/country.csv").is_file() && !site.0.path("codes").exists());
    let (_, shown) = site.told(&["codes", "show", "country", "999", "--business", "processing-trade"]);
    assert_eq!((&shown["of_site"], &shown["rows"][0]["zh"]), (&json!(true), &json!("演练国")));
    let (_, other) = site.told(&["codes", "show", "country", "--business", "goods-declaration"]);
    assert_eq!(other["of_site"], false, "another business's table stays");
    // The table is taken anew into the file that holds it, and read as our own form.
    let again =
        site.import(site.0.path("tables/country.csv").to_str().unwrap(), &["--business", "processing-trade", "--json"]);
    let told: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!((&told["new"], &told["removed"], &told["rows"]), (&json!([]), &json!([]), &json!(2)));
}

#[test]
fn what_nobody_will_look_at_is_noted() {
    let site = Site::new();
    let file = site.write("custom.csv", "代码,名称\n1,甲\n");
    let unknown = site.import(&file, &[]);
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
    let noted = site.import(&file, &["--business", "goods-declaration"]);
    assert_eq!(noted.status.code(), Some(0), "{noted:?}");
    assert!(said(&noted).contains("no field will look at it; did you mean `customs`?"), "{noted:?}");
    let odd = site.write("口岸代码.csv", "代码,名称\n1,甲\n");
    assert!(said(&site.import(&odd, &["--business", "goods-declaration"])).contains("--table NAME"));
}

#[test]
fn each_bad_table_is_refused_by_name_and_line_and_nothing_is_written() {
    let site = Site::new();
    let cases: [(&[u8], &str, &str); 9] = [
        ("甲,乙\n0100,北京\n".as_bytes(), "KOUAN-CLI-CODES-NO-COLUMN", "line 1: "),
        ("代码,名称\n".as_bytes(), "KOUAN-CLI-CODES-NONE", ""),
        ("代码,名称\n0100,北京\n,天津\n".as_bytes(), "KOUAN-CLI-CODES-EMPTY", "line 3: "),
        ("代码,名称\n0100,北京\n0100,天津\n".as_bytes(), "KOUAN-CLI-CODES-TWICE", "line 3: "),
        ("代码,名称\n0100,北京\n200,天津\n".as_bytes(), "KOUAN-CLI-CODES-UNFIT", "line 3: 200: "),
        ("代码,名称,失效日期\n0100,北京,2026-02-30\n".as_bytes(), "KOUAN-CLI-CODES-BAD-DAY", "line 2: "),
        (b"code,name\n0100,\xFF\xFF\n", "KOUAN-CLI-TABLE-UNDECODABLE", "line 2: "),
        (b"PK\x03\x04no workbook", "KOUAN-CLI-TABLE-UNREADABLE", ""),
        (&vec![b','; (32 << 20) + 1], "KOUAN-CLI-TABLE-TOO-LARGE", ""),
    ];
    for (bytes, code, place) in cases {
        let file = site.write("bad.csv", bytes);
        let refused = site.import(&file, &["--table", "customs", "--business", "goods-declaration"]);
        let said = said(&refused);
        assert_eq!(refused.status.code(), Some(1), "{code}: {said}");
        assert!(said.contains(code) && said.contains(&format!("bad.csv: {place}")), "{code}: {said}");
    }
    assert!(!site.0.path("codes").exists());
    let file = site.write("short.csv", "代码,名称\n100,北京\n200,天津\n");
    let padded = ["--table", "customs", "--business", "goods-declaration", "--pad", "4"];
    assert_eq!(site.import(&file, &padded).status.code(), Some(0), "zeros that a spreadsheet dropped");
    assert_eq!(site.told(&["codes", "show", "customs", "0200"]).0, Some(0));
    assert_eq!(site.import("no-such-file.csv", &padded).status.code(), Some(1));
}

#[test]
fn a_broken_table_is_named_at_the_start_and_a_gateway_takes_a_new_one_on_reload() {
    let site = Site::new();
    let client = site.0.client();
    let broken = "# table=customs\n# complete=yes\ncode,zh,en,from,to\n0100,北京,,,\n,天津,,,\n";
    site.write("codes/goods-declaration/customs.csv", broken);
    let checked = site.0.kouan(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(78), "{checked:?}");
    assert!(
        said(&checked).contains("customs.csv:5:1: ") && said(&checked).contains("KOUAN-SCHEMA-BAD-CODES"),
        "{checked:?}"
    );
    client.reload();
    client.says("the old one stays");
    assert_eq!(site.0.kouan(&["codes", "remove", "customs"]).status.code(), Some(0), "a broken one can be removed");

    let file = site.write("customs.csv", customs());
    assert_eq!(site.import(&file, &["--complete"]).status.code(), Some(0));
    client.reload();
    client.says("runs with the new configuration");
    site.0.drop_import("Deccus001", "TEST202601120002");
    site.0.until("the declaration is refused", || site.0.count(Delivery::Refused) == 1);
    client.stop();
}

#[test]
fn a_folder_with_types_is_read_as_its_plugin_reads_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas/manifest");
    let output = common::kouan(&["codes", "list", "--json", "--folder", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let bundled = common::kouan(&["codes", "list", "--json", "--business", "manifest"]);
    assert_eq!(output.stdout, bundled.stdout);
    let opaque = common::kouan(&["template", "opaque", "--lang", "zh"]);
    assert_eq!(opaque.status.code(), Some(2));
    assert!(said(&opaque).contains("没有结构定义"), "{opaque:?}");
}

#[test]
fn the_report_speaks_chinese_too() {
    let site = Site::new();
    let file = site.write("customs.csv", customs());
    let config = site.0.path("kouan.toml");
    let args = ["codes", "import", &file, "--dry-run", "--lang", "zh", "--config", config.to_str().unwrap()];
    let output = common::kouan(&args);
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(told.contains("goods-declaration customs：3 行，不完整") && told.contains("  新增 1: 9998\n"), "{told}");
    assert!(said(&output).contains("试运行") && said(&output).contains("--complete"), "{output:?}");
}
