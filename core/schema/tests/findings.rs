//! Every kind of finding, word for word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking

mod common;

use common::{GOOD, builder, check, lines, with};
use kouan_schema::{CheckOptions, Enforcement, Mode};
use kouan_sdk::Severity;
use std::collections::BTreeMap;

#[track_caller]
fn expect(old: &str, new: &str, wanted: &[&str]) {
    assert_eq!(lines(&check(&with(old, new))), wanted, "{old} → {new}");
}

#[test]
fn a_good_order_has_none() {
    let outcome = check(GOOD);
    assert_eq!(lines(&outcome), [""; 0]);
    assert_eq!(
        (outcome.root.as_str(), outcome.namespace.as_str(), outcome.mode),
        ("Order", "urn:order", Some(Mode::Declare))
    );
}

#[test]
fn forms() {
    expect(
        "<NetWt>11<",
        "<NetWt>17,800<",
        &[
            "Error [XSD-TYPE] /Order/Head/NetWt 净重(NetWt)值“17,800”不是合法的数字(不得含千分位逗号、空格或单位) | NetWt: “17,800” is not a number (no thousands separators, blanks or units)",
        ],
    );
    expect(
        "<Pack>3<",
        "<Pack>3.0<",
        &[
            "Error [XSD-TYPE] /Order/Head/Pack Pack值“3.0”不是合法的整数(只能是数字) | Pack: “3.0” is not a whole number (digits only)",
        ],
    );
    expect(
        "2026-01-12",
        "20260112",
        &[
            "Error [XSD-TYPE] /Order/Head/Date Date值“20260112”不是合法的日期(格式为 yyyy-MM-dd) | Date: “20260112” is not a date (yyyy-MM-dd)",
        ],
    );
}

#[test]
fn facets() {
    expect(
        "甲公司",
        "1234567",
        &[
            "Error [XSD-LENGTH] /Order/Head/Name 名称(Name)值“1234567”有 7 个字符，最多 6 个 | Name (name): “1234567” has 7 characters, 6 at most",
        ],
    );
    expect(
        "甲公司",
        "甲乙丙丁戊",
        &[
            "Error [XSD-BYTES] /Order/Head/Name 名称(Name)值“甲乙丙丁戊”长 10 字节，最多 8 字节(一个汉字 2 字节) | Name (name): “甲乙丙丁戊” is 10 bytes long, 8 at most (a Han character is 2)",
        ],
    );
    expect(
        ">12.5<",
        ">123456.7890<",
        &[
            "Error [XSD-FRACTION] /Order/Head/GrossWet 毛重(GrossWet)值“123456.7890”有 3 位小数，最多 2 位 | GrossWet (gross weight): “123456.7890” has 3 decimals, 2 at most",
        ],
    );
    expect(
        ">12.5<",
        ">1234567890<",
        &[
            "Error [XSD-DIGITS] /Order/Head/GrossWet 毛重(GrossWet)值“1234567890”有 10 位数字，最多 9 位 | GrossWet (gross weight): “1234567890” has 10 digits, 9 at most",
        ],
    );
    expect(
        ">12.5<",
        ">-1<",
        &[
            "Error [XSD-RANGE] /Order/Head/GrossWet 毛重(GrossWet)值“-1”应不小于 0 | GrossWet (gross weight): “-1” must be at least 0",
        ],
    );
    expect(
        ">12.5<",
        ">1000000<",
        &[
            "Error [XSD-RANGE] /Order/Head/GrossWet 毛重(GrossWet)值“1000000”应小于 1000000 | GrossWet (gross weight): “1000000” must be less than 1000000",
        ],
    );
    expect(
        ">A  <",
        ">A <",
        &[
            "Error [XSD-LENGTH] /Order/Head/Kind 类型(Kind)值“A ”有 2 个字符，应为 3 个 | Kind: “A ” has 2 characters, 3 are needed",
        ],
    );
    expect(
        ">I<",
        ">i<",
        &["Error [XSD-ENUM] /Order/Head/Flag Flag值“i”不在允许的值之内：E、I | Flag: “i” is not one of E, I"],
    );
    expect(">CN<", ">US<", &["Error [XSD-FIXED] /Order/Head/Made Made值“US”应为“CN” | Made: “US” must be “CN”"]);
    expect(
        "HKG000",
        "HKG00",
        &[
            "Warning [XSD-PATTERN] /Order/Head/Port Port值“HKG00”不符合格式 [A-Z]{3}[0-9]{3} | Port: “HKG00” does not match [A-Z]{3}[0-9]{3}",
        ],
    );
}

#[test]
fn code_tables() {
    expect(
        ">C<",
        ">X<",
        &[
            "Error [XSD-CODE] /Order/Sign/Operation 操作类型(Operation)值“X”不在代码表“操作类型”中 | Operation: “X” is not in the code table “operation”",
        ],
    );
    expect(
        "HKG000",
        "USA999",
        &[
            "Warning [XSD-CODE] /Order/Head/Port Port值“USA999”不在代码表“港口”中 | Port: “USA999” is not in the code table “port”",
        ],
    );
    let document = with(">C<", ">E<");
    let on = |date| {
        lines(&builder().build().unwrap().check(document.as_bytes(), &CheckOptions { date, ..CheckOptions::default() }))
    };
    assert_eq!(on(Some("2024-12-31")), [""; 0]);
    assert_eq!(on(None), [""; 0]);
    assert_eq!(
        on(Some("2025-01-01")),
        [
            "Error [XSD-CODE] /Order/Sign/Operation 操作类型(Operation)代码“E”(手册)当日无效(有效期 2020-01-01 至 2024-12-31) | Operation: the code “E” (manual) is not in force (from 2020-01-01 to 2024-12-31)"
        ]
    );
}

#[test]
fn required_by_mode() {
    let wanted = "Error [XSD-REQUIRED-DECLARE] /Order/Head/GrossWet 毛重(GrossWet)未填写，申报时必填 | GrossWet (gross weight) is not filled in; a declaration needs it";
    expect("<GrossWet>12.5</GrossWet>", "", &[wanted]);
    expect("<GrossWet>12.5</GrossWet>", "<GrossWet> </GrossWet>", &[wanted]);
    let draft = with("<GrossWet>12.5</GrossWet>", "").replace("<Operation>C", "<Operation>G");
    assert_eq!(lines(&check(&draft)), [""; 0]);
    // Each present parent is judged; the mode is known only at the end.
    let items = GOOD.replace("<Qty>1</Qty>", "").replace("<Qty>2</Qty>", "<Qty/>");
    assert_eq!(
        lines(&check(&items)),
        [
            "Error [XSD-REQUIRED-DECLARE] /Order/Items/Item[1]/Qty 数量(Qty)未填写，申报时必填 | Qty is not filled in; a declaration needs it",
            "Error [XSD-REQUIRED-DECLARE] /Order/Items/Item[2]/Qty 数量(Qty)未填写，申报时必填 | Qty is not filled in; a declaration needs it",
        ]
    );
    // Without the field that tells the mode, only what a draft needs is asked for.
    let unknown = with("<Operation>C</Operation>", "").replace("<GrossWet>12.5</GrossWet>", "");
    assert_eq!(
        lines(&check(&unknown)),
        [
            "Error [XSD-REQUIRED-DRAFT] /Order/Sign/Operation 操作类型(Operation)未填写，暂存和申报时都必填 | Operation is not filled in; a draft needs it, and a declaration"
        ]
    );
}

#[test]
fn structure() {
    expect(
        "<Code>8542</Code>",
        "",
        &["Error [XSD-MISSING] /Order/Items/Item[1]/Code 缺少商品编号(Code) | Code is missing"],
    );
    expect(
        "<Code>8542</Code>",
        "<Code/>",
        &["Error [XSD-MISSING] /Order/Items/Item[1]/Code 商品编号(Code)不能为空 | Code must not be empty"],
    );
    expect(
        "<NetWt>11</NetWt>",
        "<Bogus><x>1</x></Bogus>",
        &["Error [XSD-UNKNOWN-ELEMENT] /Order/Head/Bogus Head中没有名为 Bogus 的元素 | Head has no element Bogus"],
    );
    // What was meant is not missing as well.
    expect(
        "<GrossWet>12.5</GrossWet>",
        "<GrossWeight>12.5</GrossWeight>",
        &[
            "Error [XSD-UNKNOWN-ELEMENT] /Order/Head/GrossWeight Head中没有名为 GrossWeight 的元素，是否应为 GrossWet | Head has no element GrossWeight; is GrossWet meant?",
        ],
    );
    expect(
        "<T1>a</T1>",
        "<T3x9>a</T3x9>",
        &["Warning [XSD-UNKNOWN-ELEMENT] /Order/Tail/T3x9 Tail中没有名为 T3x9 的元素 | Tail has no element T3x9"],
    );
    expect(
        "<NetWt>11</NetWt>",
        "<NetWt>11</NetWt><NetWt>12</NetWt>",
        &["Error [XSD-TOO-MANY] /Order/Head/NetWt 净重(NetWt)重复，只能出现一次 | NetWt is repeated; it may come once"],
    );
    expect(
        "<Code>8542</Code><Qty>1</Qty>",
        "<Qty>1</Qty><Code>8542</Code>",
        &[
            "Error [XSD-ORDER] /Order/Items/Item[1]/Code 商品编号(Code)的位置不对，应在数量(Qty)之前 | Code is in the wrong place; it belongs before Qty",
        ],
    );
    expect(
        "<Head>",
        "<Head>text",
        &["Error [XSD-TEXT] /Order/Head Head中不能直接写文字“text” | Head takes elements, not the text “text”"],
    );
    expect(
        ">11<",
        "><kg>11</kg><",
        &[
            "Error [XSD-TEXT] /Order/Head/NetWt/kg 净重(NetWt)只能写值，其中不能有元素 kg | NetWt takes a value, not the element kg",
        ],
    );
    expect(
        "<Cash>10</Cash>",
        "<Card>1</Card>",
        &[
            "Error [XSD-UNKNOWN-ELEMENT] /Order/Pay/Card Pay中没有名为 Card 的元素，是否应为 Cash | Pay has no element Card; is Cash meant?",
        ],
    );
    expect(
        "<Cash>10</Cash>",
        "<Cash>10</Cash><Bank>1</Bank>",
        &["Error [XSD-ORDER] /Order/Pay/Bank Bank的位置不对 | Bank is in the wrong place"],
    );
    let four = with(
        "</Items>",
        &"<Item><GNo>3</GNo><Code>1</Code><Qty>1</Qty></Item>"
            .repeat(3)
            .replace("<GNo>3", "<GNo>4")
            .replacen("<GNo>4", "<GNo>3", 1),
    )
    .replace("</Item>\n  <Users>", "</Item></Items>\n  <Users>");
    let found = lines(&check(&four));
    assert_eq!(found, ["Error [XSD-TOO-MANY] /Order/Items/Item Item过多，最多 3 个 | too many of Item; 3 at most"]);
}

#[test]
fn order_that_only_warns_is_told_once_a_parent() {
    let swapped = GOOD
        .replace("<GrossWet>12.5</GrossWet><NetWt>11</NetWt>", "<NetWt>11</NetWt><GrossWet>12.5</GrossWet>")
        .replace("<Flag>I</Flag><Pack>3</Pack>", "<Pack>3</Pack><Flag>I</Flag>");
    assert_eq!(
        lines(&check(&swapped)),
        [
            "Warning [XSD-ORDER] /Order/Head/GrossWet 毛重(GrossWet)的位置不对，应在净重(NetWt)之前 | GrossWet (gross weight) is in the wrong place; it belongs before NetWt"
        ]
    );
}

#[test]
fn roots_and_namespaces() {
    expect(
        "urn:order",
        "urn:odrer",
        &[
            "Error [XSD-NAMESPACE] /Order Order 的命名空间应为“urn:order”，实际为“urn:odrer” | the namespace of Order should be “urn:order”, it is “urn:odrer”",
        ],
    );
    expect(
        " xmlns=\"urn:order\"",
        "",
        &[
            "Error [XSD-NAMESPACE] /Order Order 的命名空间应为“urn:order”，实际为无 | the namespace of Order should be “urn:order”, it is none",
        ],
    );
    let other = GOOD.replace("<Order", "<Bill").replace("</Order", "</Bill");
    assert_eq!(
        lines(&check(&other)),
        [
            "Error [XSD-ROOT] /Bill 根元素 Bill 不是本业务的报文，应为 Order | the root Bill is none of this business's; expected Order"
        ]
    );
}

#[test]
fn attributes() {
    expect(" Version=\"1.0\"", "", &["Error [XSD-MISSING] /Order/@Version 缺少版本(Version) | Version is missing"]);
    expect(" Version=\"1.0\"", " ver=\"1.0\"", &[]);
    expect(
        " Version=\"1.0\"",
        " Version=\"1.0\" Versoin=\"2\"",
        &[
            "Error [XSD-ATTRIBUTE] /Order/@Versoin 订单(Order)没有名为 Versoin 的属性，是否应为 Version | Order (order) has no attribute Versoin; is Version meant?",
        ],
    );
    expect(
        "\"1.0\"",
        "\"one\"",
        &[
            "Error [XSD-TYPE] /Order/@Version 版本(Version)值“one”不是合法的数字(不得含千分位逗号、空格或单位) | Version: “one” is not a number (no thousands separators, blanks or units)",
        ],
    );
    expect(
        "<NetWt>",
        "<NetWt unit=\"kg\">",
        &[
            "Error [XSD-ATTRIBUTE] /Order/Head/NetWt/@unit 净重(NetWt)没有名为 unit 的属性 | NetWt has no attribute unit",
        ],
    );
}

#[test]
fn empty_counts_as_absent() {
    for (old, new) in [
        ("<NetWt>11</NetWt>", "<NetWt/>"),
        ("<NetWt>11</NetWt>", "<NetWt>\n  </NetWt>"),
        ("2026-01-12", ""),
        (">I<", "> <"),
        ("<User><Person>乙</Person></User>", "<User/>"),
        ("<User><Person>乙</Person></User>", "<User><Tel/><Person/></User>"),
        ("<Users><User><Person>乙</Person></User></Users>", "<Users/>"),
        ("<Cash>10</Cash>", ""),
        ("<Pay><Cash>10</Cash></Pay>", "<Pay><Bank/></Pay>"),
    ] {
        let outcome = check(&with(old, new));
        let missing: Vec<_> = outcome.findings.iter().filter(|f| f.rule != "XSD-ORDER").collect();
        assert!(missing.is_empty() || new.contains("Bank/"), "{old} → {new}: {missing:#?}");
    }
    // Blanks that are kept are a value.
    assert_eq!(lines(&check(&with(">A  <", ">   <"))), [""; 0]);
}

#[test]
fn hints_say_what_to_write() {
    let outcome = check(&with(">12.5<", ">12,5<"));
    let finding = &outcome.findings[0];
    assert_eq!(
        (finding.hint_zh.as_str(), finding.hint_en.as_str()),
        ("单位为千克；例如 17800.5", "in kilograms; for example 17800.5")
    );
    assert_eq!(
        (finding.value.as_deref(), finding.field.as_str(), finding.field_zh.as_str(), finding.length),
        (Some("12,5"), "GrossWet", "毛重", 4)
    );
}

#[test]
fn at_most_two_hundred() {
    let wrong = "<Bogus/>".repeat(500);
    let outcome = check(&with("<Head>", &format!("<Head>{wrong}")));
    assert_eq!(outcome.findings.len(), 200);
    let last = outcome.findings.last().unwrap();
    assert_eq!((last.rule.as_str(), last.severity), ("XSD-LIMIT", Severity::Info));
    assert_eq!(last.message_zh, "问题过多，只列出前 199 条");
}

#[test]
fn rules_are_turned_down_or_off_one_by_one() {
    let overrides =
        BTreeMap::from([("XSD-TYPE".to_owned(), Enforcement::Observe), ("XSD-ORDER".to_owned(), Enforcement::Off)]);
    let options = CheckOptions { overrides: Some(&overrides), file: Some("a.xml"), ..CheckOptions::default() };
    let document = with(">11<", ">x<").replace("<Code>8542</Code><Qty>1</Qty>", "<Qty>1</Qty><Code>8542</Code>");
    let outcome = builder().build().unwrap().check(document.as_bytes(), &options);
    assert_eq!(outcome.findings.len(), 1, "{:#?}", outcome.findings);
    assert_eq!((outcome.findings[0].severity, outcome.findings[0].file.as_deref()), (Severity::Warning, Some("a.xml")));
}

#[test]
fn xml_errors_are_one_finding_with_their_place() {
    let outcome = check(&with("</Head>", "</Haed>"));
    assert_eq!(outcome.findings.len(), 1, "{:#?}", outcome.findings);
    let finding = &outcome.findings[0];
    assert_eq!((finding.rule.as_str(), finding.line), ("KOUAN-XML-MISMATCHED-END-TAG", 2));
    // What was found before stands.
    let outcome = check(&with(">11<", ">x<").replace("</Items>", ""));
    assert_eq!(
        outcome.findings.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(),
        ["XSD-TYPE", "KOUAN-XML-MISMATCHED-END-TAG"]
    );
}
