//! Rules as their authors meet them: functions, what is refused at load, faults, periods, budget.

use crate::error::{BAD_RULE, DUPLICATE, RULE_EXAMPLES, UNKNOWN_PATH};
use crate::{CheckOptions, LoadError, Outcome, Validator};
use std::fmt::Write as _;

const XSD: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:element name="Doc"><xs:complexType><xs:sequence>
  <xs:element name="A" type="xs:string" minOccurs="0"/><xs:element name="B" type="xs:string" minOccurs="0"/>
  <xs:element name="N" type="xs:decimal" minOccurs="0"/>
  <xs:element name="Opt" minOccurs="0"><xs:complexType><xs:sequence><xs:element name="C" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="Item" minOccurs="0" maxOccurs="unbounded"><xs:complexType><xs:sequence>
    <xs:element name="No" type="xs:string" minOccurs="0"/><xs:element name="Qty" type="xs:decimal" minOccurs="0"/>
    <xs:element name="Tag" type="xs:string" minOccurs="0" maxOccurs="9"/></xs:sequence></xs:complexType></xs:element>
</xs:sequence><xs:attribute name="v" type="xs:string"/></xs:complexType></xs:element></xs:schema>"#;
const CODES: &str = "# table=t\n# complete=yes\ncode,zh,en,from,to\nA,甲,a,,\nB,乙,b,2020-01-01,2024-12-31\n";

fn load(rules: &str) -> Result<Validator, LoadError> {
    Validator::builder().file("a.xsd", XSD).file("t.csv", CODES).file("r.toml", rules).build()
}

/// One rule with an assertion; its examples only please the reader.
fn rule(assert: &str) -> String {
    format!(
        "[[rule]]\nid = \"R-1\"\nseverity = \"error\"\nassert = '''{assert}'''\nmessage_zh = \"坏\"\nmessage_en = \"bad\"\n\
         [[rule.example]]\nok = true\nthis = {{}}\n[[rule.example]]\nok = false\nthis = {{}}\n"
    )
}

fn check(rules: &str, document: &str) -> Outcome {
    load(rules).unwrap_or_else(|e| panic!("{e}")).check(document.as_bytes(), &CheckOptions::default())
}

/// Whether the assertion holds for a document; a fault panics.
#[track_caller]
fn holds(assert: &str, document: &str) -> bool {
    let found = check(&rule(assert), document).findings;
    match found.as_slice() {
        [] => true,
        [one] if one.rule == "R-1" => false,
        other => panic!("{assert}: {other:#?}"),
    }
}

const DOC: &str = "<Doc v='1'><A>12.30</A><B>A</B><N>12.3</N><Item><No>1</No><Qty>0.1</Qty><Tag>x</Tag><Tag>y</Tag></Item><Item><No>2</No><Qty>0.2</Qty></Item></Doc>";

#[test]
fn decimals_are_exact_and_read_as_they_mean() {
    for yes in [
        "dec(this.A) == dec(this.N)",
        "dec(this.A) <= dec(this.N)",
        "dec(this.A) > 12",
        "dec(this.A) + dec('0.7') == 13",
        "dec(this.A) * 2 == dec('24.6')",
        "dec(this.A) - 12 == dec('0.30')",
        "dec('1') / 4 == dec('0.25')",
        "-dec(this.A) < 0",
        "sum(this.Item, 'Qty') == dec('0.3')",
        "sum(this.Item.map(i, dec(i.Qty) * 2)) == dec('0.6')",
        "close(this.A, '12.31', '0.01')",
        "round(dec('2.345'), 2) == dec('2.35')",
        "isDec(this.A) && !isDec(this.B) && isInt('12') && !isInt(this.A)",
    ] {
        assert!(holds(yes, DOC), "{yes}");
    }
    for no in ["close(this.A, '12.32', '0.01')", "dec(this.A) < dec(this.N)", "dec(this.A) != dec('12.3')"] {
        assert!(!holds(no, DOC), "{no}");
    }
}

#[test]
fn lists_elements_and_absence() {
    for yes in [
        "this.Item.all(i, has(i.No))",
        "this.Item.exists(i, i.No == '2')",
        "size(this.Item) == 2",
        "this.Item[0].No == '1'",
        "this.Item[0].Tag == ['x', 'y'] || this.Item[0].Tag[1] == 'y'",
        "'y' in this.Item[0].Tag",
        "!has(this.Item[1].Tag)",
        "!has(this.Opt)",
        "this.?Opt.?C.orValue('none') == 'none'",
        "unique(this.Item, 'No')",
        "contiguous(this.Item, 'No', 1)",
        "!contiguous(this.Item, 'No', 0)",
        "this['@v'] == '1'",
        "root.Item.filter(i, dec(i.Qty) > dec('0.15')).size() == 1",
        "mode == 'draft'",
        "digit(this.A, 1) == '2' && digit(this.A, 99) == ''",
        "this.A.matches('^[0-9.]+$') && this.A.startsWith('12')",
    ] {
        assert!(holds(yes, DOC), "{yes}");
    }
    assert!(holds("!has(this.A)", "<Doc><A> </A></Doc>"), "empty is absent");
    assert!(holds("!has(this.Opt)", "<Doc><Opt><C/></Opt></Doc>"), "a parent of nothing is absent");
    assert!(!holds("unique(this.Item, 'No')", &DOC.replace("<No>2", "<No>1")));
    assert!(!holds("contiguous(this.Item, 'No', 1)", &DOC.replace("<No>2", "<No>3")));
}

#[test]
fn codes_lengths_dates_and_check_digits() {
    for yes in [
        "code('t', this.B) && !code('t', this.A)",
        "codeName('t', this.B) == '甲' && codeName('t', 'Z') == ''",
        "gbLen('口岸A') == 5",
        "date8('20240229') && !date8('20230229')",
        "usci('91350100M000100Y43') && !usci('91350100M000100Y44')",
        "iso6346('CSQU3054383') && !iso6346('CSQU3054384')",
        "imo('9074729') && !imo('9074728')",
    ] {
        assert!(holds(yes, DOC), "{yes}");
    }
    let validator = load(&rule("code('t', 'B')")).unwrap();
    let on = |date| {
        validator.check(DOC.as_bytes(), &CheckOptions { date: Some(date), ..CheckOptions::default() }).findings.len()
    };
    assert_eq!((on("2024-12-31"), on("2025-01-01")), (0, 1));
}

#[test]
fn mistakes_in_rules_are_refused_at_load() {
    for (assert, says) in [
        ("this.Z == 'x'", "Doc has no Z"),
        ("this.Item.No == '1'", "a repeated element is a list"),
        ("this.Item.all(i, i.Noo == '1')", "is No meant?"),
        ("this.A == 1", "between a string and an int"),
        ("1 < dec(this.A)", "between an int and a decimal"),
        ("dec(this.A) < 1.5", "floating"),
        ("this.A && true", "where true or false is needed"),
        ("this.A", "neither true nor false"),
        ("foo(this.A)", "there is no function foo"),
        ("gbLen(this.A, this.B) == 1", "there is no function gbLen"),
        ("this.A.upper() == 'X'", "there is no function .upper"),
        ("thes.A == 'x'", "there is no variable thes"),
        ("code('nope', this.A)", "no code table nope"),
        ("sum(this.Item, 'Nope') == 0", "has no Nope"),
        ("sum(this.A, 'No') == 0", "a list of elements is needed"),
        ("this.A.matches('[')", "the pattern ["),
        ("this.A ==", "assert"),
        ("1 + 1.0 == 2.0", "arithmetic"),
        ("this['@w'] == ''", "has no @w"),
    ] {
        let error = load(&rule(assert)).map(|_| ()).expect_err(assert);
        assert_eq!((error.code, error.file.as_str(), error.line), (BAD_RULE, "r.toml", 1), "{error}");
        assert!(error.message.contains(says), "{assert}: {error}");
        assert!(error.message.starts_with("R-1"), "{error}");
    }
    let refused = |rules: &str| load(rules).map(|_| ()).unwrap_err();
    let good = rule("true");
    assert_eq!(refused(&good.replace("ok = false", "ok = true")).code, RULE_EXAMPLES);
    assert_eq!(refused(&good.replace("ok = true", "ok = false")).code, RULE_EXAMPLES);
    assert_eq!(refused(&format!("{good}{good}")).code, DUPLICATE);
    assert_eq!(refused(&good.replace("assert", "select = '/Nope'\nassert")).code, UNKNOWN_PATH);
    assert_eq!(refused(&good.replace("assert", "target = 'Nope'\nassert")).code, UNKNOWN_PATH);
    assert!(refused(&good.replace("assert", "asert")).message.contains("asert"));
    assert!(refused(&good.replace("\"坏\"", "\"{that.A}\"")).message.contains("that.A"));
    assert!(refused(&good.replace("\"坏\"", "\"{this.Nope}\"")).message.contains("Nope"));
    assert!(refused(&good.replacen("this = {}", "this = { Z = '1' }", 1)).message.contains("Doc has no Z"));
    assert!(refused(&good.replacen("this = {}", "this = { A = ['1'] }", 1)).message.contains("not as a list"));
    assert!(refused(&good.replace("R-1", "r 1")).message.contains("capitals"));
    assert!(refused(&good.replace("assert", "effective_from = '2026-13-01'\nassert")).message.contains("2026-13-01"));
}

#[test]
fn a_broken_rule_is_marked_at_its_target_with_its_message() {
    let rules = "[[rule]]\nid = \"R-2\"\nseverity = \"warning\"\nselect = \"/Doc/Item\"\nwhen = \"has(this.Qty)\"\nassert = \"dec(this.Qty) >= 1\"\ntarget = \"Qty\"\n\
        message_zh = \"第 {this.No} 项数量 {this.Qty} 太小({mode}，{root.A})\"\nmessage_en = \"item {this.No}\"\nhint_zh = \"改大\"\nhint_en = \"more\"\n\
        [[rule.example]]\nok = true\nthis = { No = \"1\", Qty = \"1\" }\n[[rule.example]]\nok = true\nthis = { No = \"1\" }\n[[rule.example]]\nok = false\nthis = { Qty = \"0.5\", Tag = [\"a\"] }\n\
        [[rule.example]]\nok = false\nxml = \"<Doc><Item><Qty>0</Qty></Item></Doc>\"\n";
    let validator = load(rules).unwrap();
    let outcome = validator.check(DOC.as_bytes(), &CheckOptions::default());
    let mut told = String::new();
    for f in &outcome.findings {
        let marked = &DOC[f.offset as usize..][..f.length as usize];
        writeln!(
            told,
            "{} {:?} {} ‹{marked}› {} | {} | {}",
            f.rule,
            f.severity,
            f.xpath,
            f.message_zh,
            f.hint_zh,
            f.value.as_deref().unwrap_or("")
        )
        .unwrap();
    }
    assert_eq!(
        told,
        "R-2 Warning /Doc/Item[1]/Qty ‹0.1› 第 1 项数量 0.1 太小(draft，12.30) | 改大 | 0.1\nR-2 Warning /Doc/Item[2]/Qty ‹0.2› 第 2 项数量 0.2 太小(draft，12.30) | 改大 | 0.2\n"
    );
    let tests = validator.test_rules();
    assert_eq!(tests.len(), 4);
    assert!(tests.iter().all(crate::RuleTest::is_ok), "{tests:#?}");
    let info = validator.rules().list().next().unwrap();
    assert_eq!((info.id.as_str(), info.line, info.examples), ("R-2", 1, 4));
}

#[test]
fn an_example_that_lies_is_found() {
    let validator = load(&rule("has(this.A)")).unwrap();
    let tests = validator.test_rules();
    assert_eq!(tests.iter().map(crate::RuleTest::is_ok).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn faults_refuse_nothing() {
    // The list is shorter than the rule thinks.
    let outcome = check(&rule("this.Item[7].No == '1'"), DOC);
    let [fault] = &outcome.findings[..] else { panic!("{:#?}", outcome.findings) };
    assert_eq!((fault.rule.as_str(), fault.severity), ("KOUAN-SCHEMA-RULE-FAULT", kouan_sdk::Severity::Info));
    assert!(fault.message_zh.contains("规则 R-1"), "{}", fault.message_zh);
    // A value that the schema found wrong already is not told a second time.
    let outcome = check(&rule("dec(this.N) > 0"), &DOC.replace("12.3<", "12,3<"));
    assert_eq!(outcome.findings.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(), ["XSD-TYPE"]);
    // A text that no schema calls a number is the rule's own fault.
    let outcome = check(&rule("dec(this.B) > 0"), DOC);
    assert_eq!(outcome.findings[0].rule, "KOUAN-SCHEMA-RULE-FAULT");
}

#[test]
fn periods_and_the_budget() {
    let rules = rule("false").replace("assert", "effective_from = '2026-01-01'\neffective_to = '2026-06-30'\nassert");
    let validator = load(&rules).unwrap();
    let on = |date| validator.check(DOC.as_bytes(), &CheckOptions { date, ..CheckOptions::default() }).findings.len();
    assert_eq!(
        (on(Some("2025-12-31")), on(Some("2026-01-01")), on(Some("2026-06-30")), on(Some("2026-07-01")), on(None)),
        (0, 1, 1, 0, 1)
    );
    let items = "<Item><No>1</No></Item>".repeat(300);
    let document = format!("<Doc>{items}</Doc>");
    let cubic = rule("this.Item.all(a, this.Item.all(b, this.Item.all(c, a.No == b.No && b.No == c.No)))");
    let outcome = check(&cubic, &document);
    assert_eq!(outcome.findings.len(), 1);
    assert_eq!(outcome.findings[0].rule, "KOUAN-SCHEMA-RULE-FAULT");
}
