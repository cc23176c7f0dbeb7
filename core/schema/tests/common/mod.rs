//! What several tests share: an invented order and how findings are written down.
#![allow(dead_code, clippy::unwrap_used)] // shared by tests that each use a part

use kouan_schema::{CheckOptions, Outcome, Validator, ValidatorBuilder};

pub const GOOD: &str = r#"<Order xmlns="urn:order" Version="1.0">
  <Head><Name>甲公司</Name><GrossWet>12.5</GrossWet><NetWt>11</NetWt><Date>2026-01-12</Date><Kind>A  </Kind><Port>HKG000</Port><Flag>I</Flag><Pack>3</Pack><Made>CN</Made></Head>
  <Items>
    <Item><GNo>1</GNo><Code>8542</Code><Qty>1</Qty><Price>2</Price><Total>2</Total></Item>
    <Item><GNo>2</GNo><Code>8543</Code><Qty>2</Qty><Price>3</Price><Total>6</Total></Item>
  </Items>
  <Users><User><Person>乙</Person></User></Users>
  <Pay><Cash>10</Cash></Pay>
  <Sign><Operation>C</Operation><No>N1</No></Sign>
  <Tail><T2>b</T2><T1>a</T1></Tail>
</Order>"#;

pub fn builder() -> ValidatorBuilder {
    Validator::builder()
        .file("order.xsd", include_str!("../data/order.xsd"))
        .file("operation.csv", include_str!("../data/operation.csv"))
        .file("port.csv", include_str!("../data/port.csv"))
}

/// The good order with one thing replaced; panics if it is not there.
pub fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old} is not in the good order");
    GOOD.replacen(old, new, 1)
}

pub fn check(document: &str) -> Outcome {
    builder().build().unwrap().check(document.as_bytes(), &CheckOptions::default())
}

/// Findings, a line each, without their places.
pub fn lines(outcome: &Outcome) -> Vec<String> {
    let line = |f: &kouan_sdk::Finding| {
        format!("{:?} [{}] {} {} | {}", f.severity, f.rule, f.xpath, f.message_zh, f.message_en)
    };
    outcome.findings.iter().map(line).collect()
}

/// What the only finding marks, after its line and column were counted anew from its offset.
pub fn marked<'d>(document: &'d str, outcome: &Outcome) -> &'d str {
    assert_eq!(outcome.findings.len(), 1, "{:#?}", lines(outcome));
    let finding = &outcome.findings[0];
    let (before, after) = document.split_at(finding.offset as usize);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    assert_eq!((finding.line as usize, finding.column as usize), (line, column), "{}", finding.message_zh);
    &after[..finding.length as usize]
}
