//! A small business in a folder of its own: what the format promises, and what a wrong file is told.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use include_dir::Dir;
use kouan_declarative::{Declarative, NoHooks};
use kouan_sdk::business::{Attachment, Key, Outcome, Package, Payload, Report};
use kouan_sdk::simulator::{Arrived, MemoryStore, Script};
use kouan_sdk::{Business, Context, Result, Simulator, Timestamp};
use std::path::Path;

static NOTHING: Dir<'_> = Dir::new("", &[]);
static BUSINESS: Declarative = Declarative::new("notes", &NOTHING, &NoHooks);

const XSD: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:include schemaLocation="parts.xsd"/>
  <xs:element name="Note" type="Note"/>
</xs:schema>"#;
const PARTS: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <xs:complexType name="Note"><xs:sequence>
    <xs:element name="Kind" type="xs:string"/><xs:element name="No" type="xs:string" minOccurs="0"/>
    <xs:element name="SeqNo" type="xs:string" minOccurs="0"/><xs:element name="To" type="xs:string" minOccurs="0"/>
    <xs:element name="About" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
  </xs:sequence></xs:complexType>
</xs:schema>"#;
const TOML: &str = r#"
[business]
id = "notes"
name_zh = "便条"
name_en = "notes"
[defaults]
folder = "Notes"
receivers = ["DXPA", "DXPB"]
receiver = "To"
roots = ["{}Note"]
detect = "/Note/Kind"
xsd = ["note.xsd"]
body = "/Note"
business_key = ["SeqNo", "No"]
order_key = "{Kind}-{No}"
refusal = "answer"
keys.No = "~/No"
keys.SeqNo = "~/SeqNo"
values.To = "~/To"
values.Kind = "~/Kind"
[[type]]
id = "A"
name_zh = "甲"
name_en = "first"
update = [{ path = "~/SeqNo" }]
[[type]]
id = "B"
name_zh = "乙"
name_en = "second"
is = ["b", "bb"]
zip = "pass"
[[type]]
id = "C"
name_zh = "丙"
name_en = "third"
folder = "Other"
roots = []
xsd = []
stem_key = true
extra_files = true
max_bytes = 100
keys.No = "//No"
keys.SeqNo = "//SeqNo"
values.To = "//To"
values.Kind = "//Kind"
[[receipt]]
kind = "Answer"
roots = ["Answer"]
keyless = true
keys.No = "/Answer/No"
keys.SeqNo = "/Answer/SeqNo"
code = "/Answer/Code"
text = { path = "/Answer/Text", each = true }
noticed_at = "/Answer/At"
middle = "/Answer/SeqNo"
extension_from = "/Answer/Ending"
meanings = "code"
known_repeat = ['(?P<No>\w+) is there as (?P<SeqNo>\w+)']
[meanings.code]
"0" = { rank = 1, outcome = "accepted", zh = "好", prefix = "Successed" }
"*" = { rank = 2, outcome = "rejected", zh = "代码 {code}", prefix = "Failed" }
[templates]
answer = "<Answer>{?No}<No>{No}</No>{/No}{?SeqNo}<SeqNo>{SeqNo}</SeqNo>{/SeqNo}<Code>{!code}1{/code}{code}</Code><Text>{text}</Text><At>{at14}</At></Answer>"
[simulator]
changes = ["SeqNo"]
numbers.SeqNo = { form = "{yyyy}{n:4}", types = ["A"], from_step = ["done"] }
[[simulator.flow]]
first = "seen"
usual = ["done"]
refuse = "refused"
known = "known"
[[simulator.step]]
name = "seen"
template = "answer"
set = { code = "0", text = "seen" }
[[simulator.step]]
name = "done"
template = "answer"
set = { code = "0", text = "done {Kind}" }
[[simulator.step]]
name = "refused"
template = "answer"
set = { code = "1", text = "no" }
[[simulator.step]]
name = "known"
template = "answer"
set = { code = "1", text = "{No} is there as {SeqNo}" }
[[simulator.requires]]
types = ["B"]
path = { path = "/Note/About", each = true, split = "/" }
known = "No"
of_types = ["A"]
text = "{value} is unknown"
"#;

/// The business out of a folder with this `business.toml`.
fn folder(toml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("xsd")).unwrap();
    std::fs::write(folder.path().join("xsd/note.xsd"), XSD).unwrap();
    std::fs::write(folder.path().join("xsd/parts.xsd"), PARTS).unwrap();
    std::fs::write(folder.path().join("business.toml"), toml).unwrap();
    folder
}

fn made(folder: &Path, rules: &str) -> Result<(Box<dyn Business>, Box<dyn Simulator>)> {
    let context = Context::standalone("notes", folder.parent().unwrap());
    let config = format!(r#"{{"schemas": "{}", "rules": {rules}}}"#, folder.file_name().unwrap().to_str().unwrap());
    Ok((BUSINESS.business(&context, &config)?, BUSINESS.simulator(&context, &config)?))
}

fn notes() -> (Box<dyn Business>, Box<dyn Simulator>) {
    let folder = folder(TOML);
    made(folder.path(), "{}").unwrap()
}

fn package<'a>(document: &'a str, form_id: Option<&'a str>, attachments: &'a [Attachment<'a>]) -> Package<'a> {
    Package { file_name: "N1.xml", stem: "N1", form_id, document: document.as_bytes(), attachments }
}

fn checked(business: &dyn Business, document: &str) -> Report {
    business.check(&package(document, None, &[])).unwrap()
}

fn rules(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

#[test]
fn a_message_says_its_type_its_keys_and_its_receiver() {
    let (business, _) = notes();
    let first = checked(business.as_ref(), "<Note><Kind>A</Kind><No>7</No><To>DXPB</To></Note>");
    assert_eq!((first.message_type.as_str(), rules(&first)), ("A", vec![]));
    assert_eq!((first.business_key.clone(), first.is_update), (Some(Key::new("No", "7")), false));
    assert_eq!(first.order_key, "A-7");
    let update = checked(business.as_ref(), "<Note><Kind>A</Kind><No>7</No><SeqNo>S1</SeqNo></Note>");
    assert_eq!((update.business_key.clone(), update.is_update), (Some(Key::new("SeqNo", "S1")), true));
    assert_eq!(checked(business.as_ref(), "<Note><Kind>bb</Kind><No>7</No></Note>").message_type, "B");

    let receivers = |report: &Report| {
        let package = package("<x/>", None, &[]);
        business.plan(&package, report, &[]).unwrap()[0].receivers.clone()
    };
    assert_eq!(receivers(&first), ["DXPB"]);
    assert_eq!(receivers(&update), ["DXPA"], "none is named: the first");
    let stranger = checked(business.as_ref(), "<Note><Kind>A</Kind><No>7</No><To>DXPEVIL</To></Note>");
    assert_eq!(receivers(&stranger), ["DXPA"], "a message does not choose where else it goes");
}

#[test]
fn what_cannot_be_told_or_matched_is_refused_with_its_place() {
    let (business, _) = notes();
    let strange = checked(business.as_ref(), "<Note>\n <Kind>Z</Kind></Note>");
    let finding = &strange.findings[0];
    assert_eq!((finding.rule.as_str(), finding.line, finding.column), ("KOUAN-DECLARATIVE-NO-TYPE", 2, 8));
    assert_eq!((finding.value.as_deref(), finding.hint_en.as_str()), (Some("Z"), "write one of A, b, bb"));
    assert_eq!(rules(&checked(business.as_ref(), "<Other/>")), ["KOUAN-DECLARATIVE-NO-TYPE"]);
    assert_eq!(rules(&checked(business.as_ref(), "<Note><Kind>A</Kind></Note>")), ["KOUAN-DECLARATIVE-NO-KEY"]);
    assert_eq!(rules(&checked(business.as_ref(), "<Note><Kind>A</Kind><Nr>7</Nr></Note>")), ["XSD-UNKNOWN-ELEMENT"]);
    let extra = [Attachment { name: "a.pdf", bytes: b"%PDF" }];
    let document = "<Note><Kind>A</Kind><No>7</No></Note>";
    let report = business.check(&package(document, None, &extra)).unwrap();
    assert_eq!(rules(&report), ["KOUAN-DECLARATIVE-EXTRA-FILE"]);
}

#[test]
fn a_type_without_a_schema_is_known_by_its_folder() {
    let (business, _) = notes();
    let extra = [Attachment { name: "a.pdf", bytes: b"%PDF" }];
    let report = business.check(&package("<Any><Deep><No>9</No></Deep></Any>", Some("c"), &extra)).unwrap();
    assert_eq!((report.message_type.as_str(), rules(&report)), ("C", vec!["KOUAN-DECLARATIVE-NOT-CHECKED"]));
    assert_eq!(report.business_key, Some(Key::new("No", "9")));
    let nameless = business.check(&package("<Any/>", Some("C"), &[])).unwrap();
    assert_eq!(nameless.business_key, Some(Key::new("FileStem", "N1")));
    let long = format!("<Any>{}</Any>", "x".repeat(100));
    assert_eq!(rules(&business.check(&package(&long, Some("C"), &[])).unwrap()), ["KOUAN-DECLARATIVE-TOO-BIG"]);
    assert_eq!(rules(&business.check(&package("<Any>", Some("C"), &[])).unwrap()), ["KOUAN-XML-TRUNCATED"]);
}

#[test]
fn a_zip_goes_out_the_same_each_time_and_the_window_opens_it() {
    let (business, simulator) = notes();
    let document = "<Note><Kind>b</Kind><No>7</No></Note>";
    let package = package(document, None, &[]);
    let report = business.check(&package).unwrap();
    let bytes = || match business.plan(&package, &report, &[]).unwrap().remove(0) {
        part if part.file_name == "N1.zip" => match part.payload {
            Payload::Bytes(bytes) => bytes.into_owned(),
            Payload::WhenKnown { .. } => panic!(),
        },
        part => panic!("{part:?}"),
    };
    let zip = bytes();
    assert!(zip.starts_with(b"PK\x03\x04") && zip == bytes());
    let arrived = Arrived { message_type: "B", file_name: "N1.zip", payload: &zip, at: Timestamp::default() };
    assert_eq!(simulator.repeat_key(&arrived).unwrap(), Some(Key::new("No", "7")));
}

#[test]
fn receipts_and_refusals_are_read_alike() {
    let (business, _) = notes();
    let read = |text: &str| business.read_receipt(text.as_bytes()).unwrap();
    let good = read(
        "<Answer><No>7</No><SeqNo>S1</SeqNo><Code>0</Code><Text>a</Text><Text>b</Text><At>20260112093510</At><Ending>INV</Ending></Answer>",
    );
    assert_eq!((good.outcome, good.text.as_str(), good.stage.as_str()), (Outcome::Accepted, "a；b", "好"));
    assert_eq!(good.noticed_at, Some(Timestamp::from_millis(1_768_181_710_000)));
    let name = &good.name;
    assert_eq!(
        (name.prefix.as_str(), name.middle.as_deref(), name.extension.as_str()),
        ("Successed", Some("S1"), "INV")
    );
    let evil = read("<Answer><SeqNo>../../x</SeqNo><Code>9</Code><Ending>a/b</Ending></Answer>");
    assert_eq!((evil.name.middle, evil.name.extension.as_str(), evil.stage.as_str()), (None, "xml", "代码 9"));

    let repeat = |no: &str| read(&format!("<Answer><No>{no}</No><Code>1</Code><Text>7 is there as S1</Text></Answer>"));
    assert!(repeat("7").is_repeat_of_known && repeat("7").keys.contains(&Key::new("SeqNo", "S1")));
    assert!(!repeat("8").is_repeat_of_known, "it speaks of another");

    let report = checked(business.as_ref(), "<Note><Kind>A</Kind><No>&lt;7</No><Bad/></Note>");
    let (name, bytes) = business.refusal(&report).unwrap();
    let refusal = business.read_receipt(&bytes).unwrap();
    assert_eq!((name, refusal.outcome), (refusal.name.clone(), Outcome::Rejected));
    assert_eq!(refusal.keys, [Key::new("No", "<7")]);
    assert!(business.refusal(&Report::default()).is_ok(), "also what is of no type");
}

#[test]
fn the_window_gives_numbers_in_time_and_asks_for_what_is_referred_to() {
    let (business, simulator) = notes();
    let mut store = MemoryStore::default();
    let mut take = |of: &'static str, document: &str, steps: &[&str]| {
        let steps = steps.iter().map(|step| (*step).to_owned()).collect();
        let at = Timestamp::from_millis(1_768_181_710_000);
        let arrived = Arrived { message_type: of, file_name: "N1.xml", payload: document.as_bytes(), at };
        let effect = simulator.take(&mut store, &arrived, &Script { steps, step_delay_ms: 10 }).unwrap();
        let texts: Vec<_> = effect.answers.iter().map(|a| business.read_receipt(&a.payload).unwrap()).collect();
        (effect.effect_key, texts)
    };
    let (key, answers) = take("A", "<Note><Kind>A</Kind><No>7</No></Note>", &[]);
    assert_eq!(key, Some(Key::new("No", "7")));
    assert_eq!(answers[0].keys, [Key::new("No", "7")], "the number is not known yet");
    assert_eq!(answers[1].keys, [Key::new("No", "7"), Key::new("SeqNo", "20260001")]);
    assert_eq!(answers[1].text, "done A");
    let (_, again) = take("A", "<Note><Kind>A</Kind><No>7</No><SeqNo>20260001</SeqNo></Note>", &["stop"]);
    assert_eq!((again.len(), again[0].keys[1].value.as_str()), (1, "20260001"), "an update keeps its number");
    let (_, other) = take("A", "<Note><Kind>A</Kind><No>8</No></Note>", &["done:mine"]);
    assert_eq!((other[1].keys[1].value.as_str(), other[1].text.as_str()), ("20260002", "mine"));

    let (key, refused) = take("B", "<Note><Kind>b</Kind><No>9</No><About>7/77</About></Note>", &[]);
    assert_eq!((key, refused[0].text.as_str()), (None, "77 is unknown"));
    assert!(take("B", "<Note><Kind>b</Kind><No>9</No><About>7/8</About></Note>", &[]).0.is_some());
    let (key, refused) = take("B", "<Note><Kind>b</Kind><No>10</No><About>9</About></Note>", &[]);
    assert_eq!((key, refused[0].text.as_str()), (None, "9 is unknown"), "known, but of another type");
    assert!(simulator.changes(&Key::new("SeqNo", "x")) && !simulator.changes(&Key::new("No", "x")));
}

#[test]
fn a_wrong_file_is_told_what_is_wrong() {
    let cases = [
        ("folder = \"Notes\"", "", "has no folder"),
        ("detect = \"/Note/Kind\"", "detect = \"Note/Kind\"", "does not begin with /"),
        ("detect = \"/Note/Kind\"", "detect = \"/Note/Sort\"", "the schema has no /Note/Sort"),
        ("detect = \"/Note/Kind\"", "detect = \"//Kind\"", "no plain path"),
        ("body = \"/Note\"", "", "~ stands for nothing"),
        ("xsd = [\"note.xsd\"]", "xsd = [\"notes.xsd\"]", "no file notes.xsd"),
        ("business_key = [\"SeqNo\", \"No\"]", "business_key = [\"Number\"]", "names Number"),
        ("refusal = \"answer\"", "refusal = \"reply\"", "no template reply"),
        ("receiver = \"To\"", "receiver = \"Too\"", "receiver names Too"),
        ("order_key = \"{Kind}-{No}\"", "order_key = \"{Kin}\"", "nothing gives {Kin}"),
        ("meanings = \"code\"", "meanings = \"codes\"", "meanings codes"),
        ("usual = [\"done\"]", "usual = [\"don\"]", "no step don"),
        ("known = \"No\"", "known = \"Nr\"", "no type has a key Nr"),
        ("of_types = [\"A\"]", "of_types = [\"Z\"]", "there is no type Z"),
        ("set = { code = \"1\", text = \"no\" }", "set = { code = \"{cod}\" }", "nothing gives {cod}"),
        ("{/No}{?SeqNo}", "{?SeqNo}", "{/No} is missing"),
        ("zip = \"pass\"", "zip = \"keep\"", "keep"),
        ("zip = \"pass\"", "zap = \"pass\"", "zap"),
        ("zip = \"pass\"", "family = \"none\"", "no family none"),
        ("known_repeat = ['", "known_repeat = ['(", "regex"),
        ("roots = [\"Answer\"]", "roots = [\"{Answer\"]", "{ without }"),
    ];
    for (from, to, why) in cases {
        assert!(TOML.contains(from), "{from}");
        let folder = folder(&TOML.replacen(from, to, 1));
        let error = made(folder.path(), "{}").err().unwrap_or_else(|| panic!("{to} is taken"));
        assert_eq!(error.kind, kouan_sdk::ErrorKind::Config, "{error}");
        assert!(error.message.contains(why), "{to}: {error}");
    }
}

#[test]
fn rules_of_the_engine_have_levels_too() {
    let folder = folder(TOML);
    let (business, _) = made(folder.path(), r#"{"KOUAN-DECLARATIVE-NOT-CHECKED": "off"}"#).unwrap();
    assert_eq!(rules(&business.check(&package("<Any/>", Some("C"), &[])).unwrap()), [] as [&str; 0]);
    assert!(made(folder.path(), r#"{"KOUAN-DECLARATIVE-NO-TYPE": "off"}"#).is_err());
}

#[test]
fn the_format_is_a_json_schema() {
    let schema: serde_json::Value = serde_json::from_str(&kouan_declarative::format_schema()).unwrap();
    for table in ["business", "defaults", "families", "type", "receipt", "meanings", "templates", "simulator"] {
        assert!(schema["properties"][table].is_object(), "{table}");
    }
}
