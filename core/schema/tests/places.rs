//! Places speak of the original bytes, whatever their encoding; captured values too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking

mod common;

use common::{GOOD, builder, check, marked, with};
use kouan_schema::CheckOptions;

fn gbk(text: &str) -> Vec<u8> {
    let declared = format!("<?xml version=\"1.0\" encoding=\"GBK\"?>{text}");
    let (bytes, _, failed) = encoding_rs::GBK.encode(&declared);
    assert!(!failed);
    bytes.into_owned()
}

#[test]
fn lines_columns_and_bytes_in_every_encoding() {
    let document = with("<Name>甲公司</Name>", "<Name>甲公司甲公司七</Name>");
    let validator = builder().build().unwrap();
    let value = "甲公司甲公司七";
    let utf8 = document.as_bytes().to_vec();
    let bom = [b"\xEF\xBB\xBF", document.as_bytes()].concat();
    for (bytes, width) in [(utf8, 3), (bom, 3), (gbk(&document), 2)] {
        let outcome = validator.check(&bytes, &CheckOptions::default());
        let finding = &outcome.findings[0];
        assert_eq!((finding.rule.as_str(), finding.line, finding.column), ("XSD-LENGTH", 2, 15));
        let marked = &bytes[finding.offset as usize..][..finding.length as usize];
        assert_eq!(finding.length as usize, value.chars().count() * width);
        let text = if width == 2 {
            encoding_rs::GBK.decode(marked).0.into_owned()
        } else {
            String::from_utf8(marked.to_vec()).unwrap()
        };
        assert_eq!(text, value);
    }
}

#[test]
fn a_mark_leaves_out_the_blanks() {
    let document = with(">11<", ">\n  1,1\n <");
    let outcome = builder().build().unwrap().check(document.as_bytes(), &CheckOptions::default());
    let finding = &outcome.findings[0];
    assert_eq!((finding.line, finding.column, finding.length), (3, 3, 3));
}

#[test]
fn captured_values_can_be_filled_in() {
    let validator = builder()
        .capture("/Order/Sign/No")
        .capture("/Order/Items/Item/GNo")
        .capture("/Order/@Version")
        .capture("/Order/Sign")
        .build()
        .unwrap();
    for document in [GOOD.as_bytes().to_vec(), gbk(GOOD)] {
        let outcome = validator.check(&document, &CheckOptions::default());
        assert_eq!(outcome.first("/Order/Sign/No"), Some("N1"));
        let numbers: Vec<_> =
            outcome.all("/Order/Items/Item/GNo").map(|c| (c.xpath.as_str(), c.value.as_str())).collect();
        assert_eq!(numbers, [("/Order/Items/Item[1]/GNo", "1"), ("/Order/Items/Item[2]/GNo", "2")]);
        assert_eq!(outcome.first("/Order/@Version"), Some("1.0"));
        let sign = outcome.all("/Order/Sign").next().unwrap();
        let slice = |range: &std::ops::Range<u64>| &document[range.start as usize..range.end as usize];
        assert_eq!(slice(&sign.element), b"<Sign><Operation>C</Operation><No>N1</No></Sign>");
        assert_eq!(slice(&sign.content), b"<Operation>C</Operation><No>N1</No>");
        let before = &document[..sign.content.start as usize];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let (text, _, _) = encoding_rs::GBK.decode(&before[line_start..]);
        assert_eq!((sign.line as usize, sign.column as usize), (line, text.chars().count() + 1));
        let version = outcome.all("/Order/@Version").next().unwrap();
        assert_eq!(slice(&version.element), b"1.0");
    }
    let empty = with("<No>N1</No>", "<No/>");
    let outcome = validator.check(empty.as_bytes(), &CheckOptions::default());
    assert_eq!(outcome.first("/Order/Sign/No"), None);
    let no = outcome.all("/Order/Sign/No").next().unwrap();
    assert!(no.self_closing && no.value.is_empty());
    assert_eq!(&empty[no.element.start as usize..no.element.end as usize], "<No/>");
}

#[test]
fn references_and_cdata_are_one_value() {
    let document = with("<No>N1</No>", "<No>a&amp;<![CDATA[<b>]]>&#x43;</No>");
    let validator = builder().capture("/Order/Sign/No").build().unwrap();
    let outcome = validator.check(document.as_bytes(), &CheckOptions::default());
    assert_eq!(outcome.first("/Order/Sign/No"), Some("a&<b>C"));
    let no = outcome.all("/Order/Sign/No").next().unwrap();
    assert_eq!(&document[no.content.start as usize..no.content.end as usize], "a&amp;<![CDATA[<b>]]>&#x43;");
}

#[test]
fn a_mark_is_the_value_or_the_name_of_the_tag() {
    for (old, new, mark) in [
        (">11<", ">x<", "x"),
        ("\"1.0\"", "\"one\"", "one"),
        (" Version=\"1.0\"", "", "Order"),
        ("<NetWt>", "<NetWt unit=\"kg\">", "unit"),
        ("<Code>8542</Code>", "", "Item"),
        ("<Code>8542</Code>", "<Code/>", "Code"),
        ("<GrossWet>12.5</GrossWet>", "<GrossWet> </GrossWet>", "GrossWet"),
        ("<Head>", "<Head> text ", "text"),
        ("<NetWt>11</NetWt>", "<Bogus a='1'/>", "Bogus"),
        (">C<", "> X <", "X"),
        ("<Cash>10</Cash>", "<Cash>a&amp;bcdefghijk</Cash>", "a&amp;bcdefghijk"),
    ] {
        let document = with(old, new);
        assert_eq!(marked(&document, &check(&document)), mark, "{old} → {new}");
    }
}
