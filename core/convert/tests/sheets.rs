//! Workbooks made by hand: dates, formulas, merged cells, hidden sheets, and what is no workbook.

#![allow(clippy::unwrap_used)]

use kouan_convert::{Fault, Limits, Mapping, Moment, Options, Plan, Target, convert};
use kouan_schema::Validator;
use kouan_sdk::business::RootName;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const XSD: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="Bill"><xs:complexType><xs:sequence>
<xs:element name="No" type="xs:string"/><xs:element name="Day" type="xs:date" minOccurs="0"/>
<xs:element name="Stamp" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="\d{14}"/></xs:restriction></xs:simpleType></xs:element>
<xs:element name="Port" minOccurs="0"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="\d{4}"/></xs:restriction></xs:simpleType></xs:element>
<xs:element name="Item" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
<xs:element name="N" type="xs:integer"/><xs:element name="Qty" type="xs:decimal" minOccurs="0"/><xs:element name="Name" type="xs:string" minOccurs="0"/>
</xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:schema>"#;

const MAP: &str = r#"
business = "b"
type = "T"
file = "{单号}.xml"
[[table]]
key = "单号"
element = "/Bill/Item"
[table.fields]
"Name" = "品名"
"Qty" = { column = "数量", decimals = 2, thousands = ",", round = true }
"N" = { sequence = true }
"/Bill/No" = "单号"
"/Bill/Day" = "日期"
"/Bill/Stamp" = "时间"
"/Bill/Port" = { letter = "F" }
"#;

/// Parts of a workbook with these sheets (name, state, rows as XML, what follows them).
fn workbook(sheets: &[(&str, &str, &str, &str)], is_1904: bool) -> Vec<u8> {
    let ns = r#"xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships""#;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut part = |name: String, text: String| {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    };
    let (mut list, mut relations) = (String::new(), String::new());
    for (at, (name, state, rows, after)) in sheets.iter().enumerate() {
        list.push_str(&format!(r#"<sheet name="{name}" sheetId="{0}" state="{state}" r:id="r{0}"/>"#, at + 1));
        relations.push_str(&format!(r#"<Relationship Id="r{0}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/s{0}.xml"/>"#, at + 1));
        part(
            format!("xl/worksheets/s{}.xml", at + 1),
            format!("<worksheet {ns}><sheetData>{rows}</sheetData>{after}</worksheet>"),
        );
    }
    let date = if is_1904 { r#"<workbookPr date1904="1"/>"# } else { "" };
    part("xl/workbook.xml".into(), format!("<workbook {ns}>{date}<sheets>{list}</sheets></workbook>"));
    part(
        "xl/styles.xml".into(),
        format!(r#"<styleSheet {ns}><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>"#),
    );
    part(
        "xl/_rels/workbook.xml.rels".into(),
        format!(
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}</Relationships>"#
        ),
    );
    let document = r#"<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>"#;
    part(
        "_rels/.rels".into(),
        format!(
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{document}</Relationships>"#
        ),
    );
    part(
        "[Content_Types].xml".into(),
        r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#.into(),
    );
    zip.finish().unwrap().into_inner()
}

fn row(number: u32, cells: &[&str]) -> String {
    let cell = |(at, xml): (usize, &&str)| {
        let place = format!("{}{number}", char::from(b'A' + at as u8));
        match xml.split_once(' ') {
            _ if xml.is_empty() => String::new(),
            Some(("n", value)) => format!(r#"<c r="{place}"><v>{value}</v></c>"#),
            Some(("d", value)) => format!(r#"<c r="{place}" s="1"><v>{value}</v></c>"#),
            Some(("f", value)) => format!(r#"<c r="{place}"><f>1+1</f><v>{value}</v></c>"#),
            Some(("e", value)) => format!(r#"<c r="{place}" t="e"><f>1/0</f><v>{value}</v></c>"#),
            _ => format!(r#"<c r="{place}" t="inlineStr"><is><t>{xml}</t></is></c>"#),
        }
    };
    format!(r#"<row r="{number}">{}</row>"#, cells.iter().enumerate().map(cell).collect::<String>())
}

/// Its document, if one was made, and what is wrong with its rows.
type Message = (Option<String>, Vec<Fault>);

const HEAD: [&str; 6] = ["单号", "品名", "数量", "日期", "时间", "口岸"];

fn run(bytes: &[u8], limits: Limits) -> Result<Vec<Message>, Fault> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    std::fs::write(&path, bytes).unwrap();
    of_file(&path, MAP, limits)
}

fn of_file(path: &Path, map: &str, limits: Limits) -> Result<Vec<Message>, Fault> {
    let validator = Validator::builder().file("b.xsd", XSD).build().unwrap();
    let mapping = Mapping::read("map.toml", map)?;
    let target = Target { roots: &[RootName::new("", "Bill")], validator: &validator, constants: &[] };
    let plan = Plan::new(&mapping, target)?;
    let mut made = Vec::new();
    let options = Options { limits, now: Moment::default(), ..Options::default() };
    convert(&plan, &[PathBuf::from(path)], &options, &mut |one, _| {
        made.push((one.document.map(|document| document.xml), one.faults));
        Ok::<(), Fault>(())
    })?;
    Ok(made)
}

#[test]
fn cells_are_what_the_sheet_shows() {
    let rows = [
        row(1, &HEAD),
        // 2026-01-12 and half past six; a formula's cached value; a number that is a code.
        row(2, &["A1", " 苹果 ", "f 1234.565", "d 46034", "d 46034.27083333333", "n 2225"]),
        row(3, &["", "梨", "1,000", "", "", ""]),
        row(9, &["", "", "", "", "", ""]),
        r#"<row r="10"><c r="A10" s="1"/></row>"#.into(),
    ]
    .concat();
    let merged = r#"<mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells>"#;
    let bytes = workbook(&[("内部", "hidden", &row(1, &["x"]), ""), ("单", "visible", &rows, merged)], false);
    let made = run(&bytes, Limits::default()).unwrap();
    let [(Some(xml), faults)] = made.as_slice() else { panic!("{made:?}") };
    assert!(faults.is_empty(), "{faults:?}");
    let wanted = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Bill>\n  <No>A1</No>\n  <Day>2026-01-12</Day>\n  <Stamp>20260112063000</Stamp>\n  <Port>2225</Port>\n  <Item>\n    <N>1</N>\n    <Qty>1234.57</Qty>\n    <Name>苹果</Name>\n  </Item>\n  <Item>\n    <N>2</N>\n    <Qty>1000.00</Qty>\n    <Name>梨</Name>\n  </Item>\n</Bill>\n";
    assert_eq!(xml, wanted);
    // The same days in a workbook that counts from 1904.
    let rows = [row(1, &HEAD), row(2, &["A1", "x", "", "d 44572", "", ""])].concat();
    let made = run(&workbook(&[("单", "visible", &rows, "")], true), Limits::default()).unwrap();
    assert!(made[0].0.as_ref().unwrap().contains("<Day>2026-01-12</Day>"), "{made:?}");
}

#[test]
fn a_lost_zero_is_warned_of_and_a_formula_s_error_refuses_its_message_alone() {
    let rows =
        [row(1, &HEAD), row(2, &["A1", "x", "n 1", "", "", "n 225"]), row(3, &["A2", "y", "e #DIV/0!", "", "", ""])]
            .concat();
    let made = run(&workbook(&[("单", "visible", &rows, "")], false), Limits::default()).unwrap();
    let [(Some(_), warned), (None, refused)] = made.as_slice() else { panic!("{made:?}") };
    assert_eq!(
        (warned[0].code, warned[0].place.row, warned[0].place.letter.as_str()),
        ("KOUAN-CONVERT-LEADING-ZERO", 2, "F")
    );
    assert!(warned[0].hint_en.contains("pad = 4"), "{warned:?}");
    assert_eq!((refused[0].code, refused[0].place.column.as_str()), ("KOUAN-CONVERT-CELL-ERROR", "数量"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    std::fs::write(&path, workbook(&[("单", "visible", &rows, "")], false)).unwrap();
    let padded = MAP.replace(r#"letter = "F""#, r#"letter = "F", pad = 4"#);
    let made = of_file(&path, &padded, Limits::default()).unwrap();
    assert!(made[0].0.as_ref().unwrap().contains("<Port>0225</Port>") && made[0].1.is_empty(), "{made:?}");
}

#[test]
fn limits_hold() {
    let many: String = (2..500).map(|number| row(number, &[&format!("A{number}"), "x"])).collect();
    let bytes = workbook(&[("单", "visible", &[row(1, &HEAD), many].concat(), "")], false);
    let code = |limits| run(&bytes, limits).unwrap_err().code;
    assert_eq!(code(Limits { unpacked_bytes: 10_000, ..Limits::default() }), "KOUAN-CONVERT-TOO-BIG");
    assert_eq!(code(Limits { rows: 100, ..Limits::default() }), "KOUAN-CONVERT-TOO-BIG");
    assert_eq!(code(Limits { row_bytes: 20, ..Limits::default() }), "KOUAN-CONVERT-ROW-TOO-BIG");
    assert_eq!(run(&bytes, Limits::default()).unwrap().len(), 498);
    // Gigabytes of nothing, packed small, are not unpacked to their end.
    let blanks = " ".repeat(8 << 20);
    let bomb = workbook(&[("单", "visible", &blanks, "")], false);
    assert!(bomb.len() < 1 << 16);
    let limits = Limits { unpacked_bytes: 1 << 20, ..Limits::default() };
    assert_eq!(run(&bomb, limits).unwrap_err().code, "KOUAN-CONVERT-TOO-BIG");
}

#[test]
fn no_bent_workbook_makes_the_reader_fall() {
    let rows = [row(1, &HEAD), row(2, &["A1", "x", "n 1", "d 46034", "", "n 2225"])].concat();
    let good = workbook(&[("单", "visible", &rows, "")], false);
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 0x55;
        if let Err(fault) = run(&bent, Limits::default()) {
            assert!(fault.code.starts_with("KOUAN-CONVERT-"), "{at}: {fault}");
        }
        if at % 7 == 0 {
            assert!(run(&good[..at], Limits::default()).is_err(), "{at}");
        }
    }
    for cell in [
        "<c r=\"ZZZZZZ9\"><v>1</v></c>",
        "<c r=\"\"><v>x</v></c>",
        "<c t=\"s\"><v>99</v></c>",
        "<c s=\"77\"><v>1e999</v></c>",
    ] {
        let rows = format!("{}<row r=\"2\">{cell}</row>", row(1, &HEAD));
        if let Err(fault) = run(&workbook(&[("单", "visible", &rows, "")], false), Limits::default()) {
            assert!(fault.code.starts_with("KOUAN-CONVERT-"), "{cell}: {fault}");
        }
    }
}
