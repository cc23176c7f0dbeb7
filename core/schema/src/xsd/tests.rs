//! What is refused, where, and why; and the parts of the subset that documents do not show.

use super::load;
use crate::error::{AMBIGUOUS, BAD_VALUE, DUPLICATE, NOT_XML, UNKNOWN_NAME, UNSUPPORTED};
use crate::schema::{Content, Mode, Order};
use crate::{LoadError, Schema};

/// A schema with `body` from line 2 on.
fn compile(body: &str) -> Result<Schema, LoadError> {
    let text = format!(
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns:k=\"urn:kouan:schema\">\n{body}</xs:schema>"
    );
    load([("a.xsd", text.as_bytes())])
}

#[track_caller]
fn refused(body: &str, code: &str, line: u32, says: &str) {
    let error = compile(body).expect_err(body);
    assert_eq!((error.code, error.line), (code, line), "{error}");
    assert!(error.message.contains(says), "{error}");
    assert_eq!(error.file, "a.xsd");
}

#[test]
fn what_is_outside_the_subset_is_refused_with_its_line() {
    for (body, says) in [
        ("<xs:element name='a' nillable='true'/>", "nillable"),
        ("<xs:element name='a' abstract='true'/>", "abstract"),
        ("<xs:element name='a' substitutionGroup='b'/>", "substitutionGroup"),
        ("<xs:element name='a'>\n<xs:key name='k'/></xs:element>", "xs:key"),
        ("<xs:notation name='n' public='p'/>", "xs:notation"),
        ("<xs:redefine schemaLocation='b.xsd'/>", "xs:redefine"),
        ("<xs:simpleType name='t'>\n<xs:list itemType='xs:int'/></xs:simpleType>", "xs:list"),
        ("<xs:element name='a' type='xs:IDREF'/>", "xs:IDREF"),
        ("<xs:complexType name='t' final='extension'/>", "final"),
        ("<xs:complexType name='t'>\n<xs:attribute name='a' wsdl='x'/></xs:complexType>", "wsdl"),
        ("<xs:complexType name='t'><xs:sequence>\n<xs:all/></xs:sequence></xs:complexType>", "xs:all"),
        (
            "<xs:simpleType name='t'><xs:restriction base='xs:string'>\n<xs:assertion value='1'/></xs:restriction></xs:simpleType>",
            "xs:assertion",
        ),
        (
            "<xs:simpleType name='t'><xs:restriction base='xs:string'>\n<xs:totalDigits value='1'/></xs:restriction></xs:simpleType>",
            "xs:totalDigits",
        ),
        (
            "<xs:simpleType name='t'><xs:restriction base='xs:string'>\n<xs:pattern value='a**'/></xs:restriction></xs:simpleType>",
            "pattern",
        ),
        (
            "<xs:element name='a'><xs:annotation><xs:appinfo>\n<k:field maxBites='3'/></xs:appinfo></xs:annotation></xs:element>",
            "maxBites",
        ),
        (
            "<xs:element name='a'><xs:annotation><xs:appinfo>\n<k:fields/></xs:appinfo></xs:annotation></xs:element>",
            "k:fields",
        ),
        (
            "<xs:group name='g'><xs:sequence>\n<xs:group ref='g'/></xs:sequence></xs:group><xs:complexType name='t'><xs:group ref='g'/></xs:complexType>",
            "contains itself",
        ),
        ("\n<k:thing/>", "thing"),
    ] {
        let line = 2 + body.matches('\n').count() as u32;
        refused(body, UNSUPPORTED, line, says);
    }
}

#[test]
fn wrong_values_and_names_are_refused() {
    refused("<xs:element name='a' type='Missing'/>", UNKNOWN_NAME, 2, "Missing");
    refused("<xs:complexType name='Head'/><xs:element name='a' type='head'/>", UNKNOWN_NAME, 2, "is Head meant?");
    refused("<xs:element name='a' type='x:T'/>", UNKNOWN_NAME, 2, "prefix");
    refused("<xs:element name='a'/>\n<xs:element name='a'/>", DUPLICATE, 3, "twice");
    refused(
        "<xs:complexType name='t'><xs:sequence>\n<xs:element name='a' minOccurs='2'/></xs:sequence></xs:complexType>",
        BAD_VALUE,
        3,
        "minOccurs",
    );
    refused(
        "<xs:simpleType name='t'><xs:restriction base='xs:decimal'>\n<xs:enumeration value='x'/></xs:restriction></xs:simpleType>",
        BAD_VALUE,
        2,
        "x is not a value",
    );
    refused(
        "<xs:simpleType name='t'><xs:restriction base='xs:decimal'>\n<xs:maxInclusive value='ten'/></xs:restriction></xs:simpleType>",
        BAD_VALUE,
        3,
        "ten",
    );
    refused(
        "<xs:element name='a'><xs:annotation><xs:appinfo>\n<k:field required='always'/></xs:appinfo></xs:annotation></xs:element>",
        BAD_VALUE,
        3,
        "always",
    );
    refused("<xs:simpleType name='t'><xs:restriction base='t'/></xs:simpleType>", UNSUPPORTED, 2, "itself");
    refused(
        "<xs:complexType name='t'><xs:complexContent><xs:extension base='t'/></xs:complexContent></xs:complexType>",
        UNSUPPORTED,
        2,
        "itself",
    );
    let error = load([("a.xsd", &b"<xs:schema"[..])]).unwrap_err();
    assert_eq!(error.code, NOT_XML);
    assert_eq!(load([("a.xsd", &b"\xFF"[..])]).unwrap_err().code, NOT_XML);
    assert_eq!(load([("a.xsd", &b"<a/>"[..])]).unwrap_err().code, NOT_XML);
    refused("\n<xs:include schemaLocation='b.xsd'/>", UNKNOWN_NAME, 3, "b.xsd");
}

#[test]
fn ambiguous_models_are_refused() {
    let model = |inner: &str| format!("<xs:complexType name='t'>{inner}</xs:complexType>");
    let e = |name: &str, occurs: &str| format!("<xs:element name='{name}' {occurs}/>");
    let (a, a_opt, a_many) = (e("a", ""), e("a", "minOccurs='0'"), e("a", "maxOccurs='unbounded'"));
    let b = e("b", "");
    for ambiguous in [
        format!("<xs:sequence>{a_opt}{a}</xs:sequence>"),
        format!("<xs:sequence>{a_many}{a}</xs:sequence>"),
        format!("<xs:choice>{a}<xs:sequence>{a}{b}</xs:sequence></xs:choice>"),
        format!("<xs:sequence maxOccurs='2'>{b}{a_opt}</xs:sequence>")
            .replace("</xs:sequence>", &format!("{}</xs:sequence>", e("b", "minOccurs='0'"))),
        format!("<xs:sequence>{a_opt}<xs:any processContents='lax'/></xs:sequence>"),
        "<xs:sequence><xs:any minOccurs='0'/><xs:any/></xs:sequence>".to_owned(),
        format!("<xs:all>{a}{a_opt}</xs:all>"),
    ] {
        refused(&model(&ambiguous), AMBIGUOUS, 2, "could be meant");
    }
    for clear in [
        format!("<xs:sequence>{a}{a}</xs:sequence>"),
        format!("<xs:sequence>{}{a}</xs:sequence>", e("a", "minOccurs='2' maxOccurs='2'")),
        format!("<xs:sequence>{a}{b}{a_many}</xs:sequence>"),
        format!("<xs:choice maxOccurs='unbounded'>{a}{b}</xs:choice>"),
        format!("<xs:sequence maxOccurs='unbounded'>{a_opt}{}</xs:sequence>", e("b", "minOccurs='0'")),
        format!("<xs:sequence>{a_opt}<xs:any namespace='##other' processContents='lax'/></xs:sequence>"),
        format!("<xs:choice>{a}<xs:sequence>{b}{a_many}</xs:sequence></xs:choice>"),
    ] {
        compile(&model(&clear)).unwrap_or_else(|e| panic!("{clear}: {e}"));
    }
}

#[test]
fn rows_are_flat_and_the_rest_is_a_tree() {
    let schema = compile(
        "<xs:complexType name='A'><xs:sequence><xs:element name='a'/><xs:sequence><xs:element name='b'/></xs:sequence></xs:sequence></xs:complexType>
         <xs:complexType name='B'><xs:complexContent><xs:extension base='A'><xs:sequence><xs:element name='c'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
         <xs:complexType name='C'><xs:choice><xs:element name='a'/><xs:element name='b'/></xs:choice></xs:complexType>
         <xs:complexType name='D'><xs:annotation><xs:appinfo><k:order strict='no'/></xs:appinfo></xs:annotation><xs:all><xs:element name='a'/></xs:all></xs:complexType>",
    )
    .unwrap();
    let kinds: Vec<_> = schema
        .complex
        .iter()
        .map(|c| match &c.content {
            Content::Flat(flat) => format!("{} {:?}", flat.particles.len(), flat.order),
            Content::Model(model) => format!("model of {}", model.slots.len()),
            Content::Empty => "empty".to_owned(),
        })
        .collect();
    assert_eq!(kinds, ["2 Strict", "3 Strict", "model of 2", "1 Any"]);
    let nested = "<xs:complexType name='C'><xs:annotation><xs:appinfo><k:order strict='no'/></xs:appinfo></xs:annotation><xs:choice><xs:element name='a'/></xs:choice></xs:complexType>";
    refused(nested, UNSUPPORTED, 2, "k:order");
    assert_eq!(Order::Any, Order::Any);
}

#[test]
fn notes_of_a_declaration_go_before_those_of_its_type() {
    let schema = compile(
        "<xs:simpleType name='T'><xs:annotation><xs:documentation xml:lang='zh'>类型</xs:documentation><xs:appinfo><k:field maxBytes='10' codes='x' hint-zh='甲'/></xs:appinfo></xs:annotation><xs:restriction base='xs:string'/></xs:simpleType>
         <xs:simpleType name='U'><xs:restriction base='T'/></xs:simpleType>
         <xs:element name='a' type='U'><xs:annotation><xs:documentation xml:lang='zh'> 甲
           乙 </xs:documentation><xs:documentation xml:lang='en'>a b</xs:documentation><xs:appinfo><k:field maxBytes='5' required='draft'/></xs:appinfo></xs:annotation></xs:element>
         <xs:element name='b' type='T'/>",
    )
    .unwrap();
    let a = &schema.elements[0].notes;
    assert_eq!(
        (&*a.zh, &*a.en, a.max_bytes, a.codes.as_deref(), &*a.hint_zh, a.required),
        ("甲 乙", "a b", Some(5), Some("x"), "甲", Some(Mode::Draft))
    );
    let b = &schema.elements[1].notes;
    assert_eq!((&*b.zh, b.max_bytes), ("", Some(10)), "a type's name is no field's name");
}

#[test]
fn includes_imports_and_chameleons_are_connected() {
    let main = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns:t='urn:t' xmlns:o='urn:o' targetNamespace='urn:t' elementFormDefault='qualified'>
        <xs:include schemaLocation='../types/common.xsd'/><xs:import namespace='urn:o' schemaLocation='other.xsd'/>
        <xs:element name='a' type='t:Common'/><xs:complexType name='X'><xs:sequence><xs:element ref='o:thing'/></xs:sequence></xs:complexType></xs:schema>";
    let common = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:simpleType name='Common'><xs:restriction base='Inner'/></xs:simpleType>
        <xs:simpleType name='Inner'><xs:restriction base='xs:string'/></xs:simpleType></xs:schema>";
    let other = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:o'><xs:element name='thing'/></xs:schema>";
    let files =
        [("xsd/a.xsd", main.as_bytes()), ("types/common.xsd", common.as_bytes()), ("xsd/other.xsd", other.as_bytes())];
    let schema = load(files).unwrap();
    let mut roots: Vec<_> = schema.roots().collect();
    roots.sort_unstable();
    assert_eq!(roots, [("urn:o", "thing"), ("urn:t", "a")]);
}
