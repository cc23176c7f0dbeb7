//! Quick answers beside CEL's own.

use super::super::view::{self, Shared};
use super::super::{Rule, on, truth};
use super::*;
use crate::Validator;
use crate::rules::example;
use crate::schema::Mode;
use proptest::prelude::*;
use std::sync::Arc;

const XSD: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:element name="Doc"><xs:complexType><xs:sequence>
  <xs:element name="A" type="xs:string"/><xs:element name="B" type="xs:string"/><xs:element name="N" type="xs:string"/>
  <xs:element name="Head"><xs:complexType><xs:sequence><xs:element name="C" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="Item" maxOccurs="9"><xs:complexType><xs:sequence><xs:element name="D" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
</xs:sequence></xs:complexType></xs:element></xs:schema>"#;

fn validator(assert: &str) -> Option<Validator> {
    let rule = format!(
        "[[rule]]\nid = \"R\"\nseverity = \"error\"\nassert = '''{assert}'''\nmessage_zh = \"坏\"\nmessage_en = \"bad\"\n\
         [[rule.example]]\nok = true\n[[rule.example]]\nok = false\n"
    );
    Validator::builder().file("a.xsd", XSD).file("r.toml", rule).build().ok()
}

fn leaves(quick: &Quick) -> usize {
    match quick {
        Quick::Both(two) | Quick::Either(two) => two.iter().map(leaves).sum(),
        Quick::Not(inner) => leaves(inner),
        Quick::Cel(_) => 1,
        _ => 0,
    }
}

/// What the rule says without CEL, and what CEL says.
fn both_ways(validator: &Validator, rule: &Rule, this: &toml::Value) -> (Option<bool>, Option<bool>) {
    let shared = Shared::new(Arc::clone(&validator.wants));
    let item: view::Item = example::item(&shared, rule.selects[0].0, this);
    let ground = Ground { this: &item, root: Some(&item), mode: Mode::Declare.as_str() };
    let scope = validator.rules.scope(Some(&item), Mode::Declare, None);
    let context = on(&scope, &item);
    let cel = |expr: &IdedExpr| truth(expr, &context).ok();
    (rule.conditions[0].assert.answer(ground, &cel), cel(rule.assert.expression()))
}

fn text() -> impl Strategy<Value = String> {
    let literal = prop::sample::select(vec!["", "1", "2.50", "-3", "declare", "口岸", "20260230", "20260228", "x1"]);
    prop_oneof![
        4 => prop::sample::select(vec!["this.A", "this.B", "root.A", "root.Head.C", "this.Head.C"]).prop_map(str::to_owned),
        2 => literal.prop_map(|text| format!("'{text}'")),
        1 => Just("mode".to_owned()),
        1 => (prop::sample::select(vec!["this.A", "root.Head.C"]), 0..3).prop_map(|(t, at)| format!("digit({t}, {at})")),
    ]
}

fn figure() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["this.N", "root.N", "'1'", "'2.50'", "'0'"])
}

fn number() -> impl Strategy<Value = String> {
    let plain = prop_oneof![
        3 => figure().prop_map(|t| format!("dec({t})")),
        1 => text().prop_map(|t| format!("dec({t})")),
        2 => (-1..4).prop_map(|int: i32| int.to_string()),
        1 => (prop::sample::select(vec!["size", "gbLen"]), text()).prop_map(|(f, t)| format!("{f}({t})")),
    ];
    plain.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), prop::sample::select(vec!["+", "-", "*", "/"]), inner)
            .prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    })
}

fn condition() -> impl Strategy<Value = String> {
    let comparison = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let places = vec!["this.A", "this.B", "this.Head", "this.Head.C", "root.Head.C", "this.Item"];
    let tests = vec!["isDec", "isInt", "date8", "usci", "iso6346", "imo"];
    let pairs = vec!["startsWith", "endsWith", "contains"];
    let patterns = vec!["^[0-9]+$", "1", "^口", "^$"];
    let simple = prop_oneof![
        3 => prop::sample::select(places).prop_map(|place| format!("has({place})")),
        2 => (text(), comparison.clone(), text()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        3 => (number(), comparison, number()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        2 => (prop::sample::select(tests), text()).prop_map(|(f, t)| format!("{f}({t})")),
        2 => (text(), prop::sample::select(pairs), text()).prop_map(|(a, f, b)| format!("{a}.{f}({b})")),
        1 => (text(), prop::sample::select(patterns)).prop_map(|(t, p)| format!("{t}.matches('{p}')")),
        1 => (text(), text(), text()).prop_map(|(t, a, b)| format!("{t} in [{a}, {b}]")),
        1 => (number(), text(), number()).prop_map(|(a, b, c)| format!("close({a}, {b}, {c})")),
        1 => Just("this.Item.all(i, has(i.D) && i.D == this.A)".to_owned()),
    ];
    simple.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn document() -> impl Strategy<Value = toml::Value> {
    let texts = vec!["1", "2.5", "-3", "declare", "口岸", "20260228", "x1", "91350100M000100Y43"];
    let value = move || prop::option::weighted(0.8, prop::sample::select(texts.clone()));
    let figure = prop::sample::select(vec!["0", "1", "1.0", "2.5", "3"]);
    let items = prop::collection::vec(value(), 0..3);
    (value(), value(), value(), items, figure).prop_map(|(a, b, c, items, n)| {
        let table = |name: &str, text: Option<&str>| -> toml::Table {
            text.map(|t| (name.to_owned(), toml::Value::from(t))).into_iter().collect()
        };
        let mut this: toml::Table = table("A", a).into_iter().chain(table("B", b)).collect();
        this.insert("N".to_owned(), n.into());
        this.insert("Head".to_owned(), table("C", c).into());
        this.insert("Item".to_owned(), items.into_iter().map(|d| table("D", d)).collect::<Vec<_>>().into());
        this.into()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_global_rejects: 20_000, ..ProptestConfig::default() })]
    #[test]
    fn an_answer_is_always_cels_answer(assert in condition(), documents in prop::collection::vec(document(), 4)) {
        // What the checker refuses never becomes a rule.
        let validator = validator(&assert);
        prop_assume!(validator.is_some());
        for (validator, document) in validator.iter().flat_map(|v| documents.iter().map(move |d| (v, d))) {
            let (quick, cel) = both_ways(validator, &validator.rules.rules[0], document);
            prop_assert!(quick.is_none() || quick == cel, "{assert} on {document}: {quick:?}, CEL {cel:?}");
        }
    }
}

#[test]
fn everyday_expressions_need_no_cel_and_errors_are_left_to_it() {
    let full: toml::Value = toml::from_str("A = '2.50'\nB = '5'\nHead = { C = '口岸' }\n").unwrap();
    for (assert, expected) in [
        ("has(this.A) && isDec(this.A) && dec(this.A) != dec('0')", true),
        ("this.B == '5' && mode == 'declare' && this.B in ['4', '5']", true),
        ("this.A.matches('^[0-9]+$') || !this.Head.C.startsWith('口')", false),
        ("close(dec(this.A) * 2, this.B, '0.01') && size(this.Head.C) == 2 && gbLen(root.Head.C) <= 4", true),
        ("digit(this.A, 2) == '5' && digit(this.A, 9) == ''", true),
    ] {
        let validator = validator(assert).unwrap();
        let rule = &validator.rules.rules[0];
        assert_eq!(leaves(&rule.conditions[0].assert), 0, "{assert}");
        assert_eq!(both_ways(&validator, rule, &full), (Some(expected), Some(expected)), "{assert}");
    }
    let empty = toml::Value::Table(toml::Table::new());
    for assert in ["this.A == '1'", "has(this.Head.C)", "!(dec(this.A) > 0)", "this.A == '1' || this.B == '1'"] {
        let validator = validator(assert).unwrap();
        assert_eq!(both_ways(&validator, &validator.rules.rules[0], &empty), (None, None), "{assert}");
    }
}
