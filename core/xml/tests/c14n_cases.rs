//! Canonical XML where libxml2 by lxml is no judge, and its errors.

#![allow(clippy::unwrap_used)] // helpers outside #[test] functions

use kouan_xml::c14n::{self, Part};
use kouan_xml::{Limits, decode};

fn canonical(document: &str, part: Part) -> String {
    let limits = Limits::default();
    let decoded = decode(document.as_bytes(), &limits).unwrap();
    String::from_utf8(c14n::to_vec(&decoded, &limits, part).unwrap()).unwrap()
}

#[test]
fn an_element_inherits_the_nearest_xml_attributes() {
    let document =
        "<r xml:lang='zh' xml:space='preserve'><m xml:lang='en'><x/><e a='1' xml:space='default'><i/></e></m></r>";
    let at = document.find("<e").unwrap();
    let expected = "<e a=\"1\" xml:lang=\"en\" xml:space=\"default\"><i></i></e>";
    assert_eq!(canonical(document, Part::Element(at)), expected);
    // An ancestor that has ended gives nothing.
    let document = "<r><m xml:lang='en'/><e/></r>";
    assert_eq!(canonical(document, Part::Element(document.find("<e").unwrap())), "<e></e>");
}

#[test]
fn an_element_shows_every_namespace_in_scope_once() {
    let document =
        "<r xmlns='urn:r' xmlns:b='urn:b' xmlns:a='urn:a'><e xmlns='' xmlns:b='urn:c'><b:i xmlns:a='urn:a'/></e></r>";
    let at = document.find("<e").unwrap();
    assert_eq!(canonical(document, Part::Element(at)), "<e xmlns:a=\"urn:a\" xmlns:b=\"urn:c\"><b:i></b:i></e>",);
}

#[test]
fn a_namespace_is_escaped_like_an_attribute() {
    // libxml2 writes the ampersand bare, against §2.3 of the recommendation.
    assert_eq!(canonical("<a xmlns='urn:a?x=1&amp;y'/>", Part::Document), "<a xmlns=\"urn:a?x=1&amp;y\"></a>");
}

#[test]
fn leaving_an_element_out_keeps_the_text_behind_it() {
    let document = "<r>1<s>2<t/>3</s>4<s/>5</r>";
    assert_eq!(canonical(document, Part::Without(4 + document[4..].find("<s").unwrap())), "<r>14<s></s>5</r>");
    assert_eq!(canonical(document, Part::Without(document.rfind("<s").unwrap())), "<r>1<s>2<t></t>3</s>45</r>");
}

#[test]
fn what_has_no_canonical_form_is_refused() {
    let limits = Limits::default();
    let code = |document: &str, part| {
        c14n::to_vec(&decode(document.as_bytes(), &limits).unwrap(), &limits, part).unwrap_err().code()
    };
    assert_eq!(code("<a xmlns:p='relative'/>", Part::Document), "KOUAN-XML-RELATIVE-NAMESPACE");
    assert_eq!(code("<a xmlns='../x:y'/>", Part::Document), "KOUAN-XML-RELATIVE-NAMESPACE");
    assert_eq!(code("<a><b/></a>", Part::Element(4)), "KOUAN-XML-NOT-WELL-FORMED");
    assert_eq!(code("<a><b/></a>", Part::Without(99)), "KOUAN-XML-NOT-WELL-FORMED");
    assert_eq!(code("<a><b/>", Part::Document), "KOUAN-XML-TRUNCATED");
}

#[test]
fn a_long_text_comes_in_pieces_and_whole() {
    let long = "中<".repeat(30_000).replace('<', "&lt;");
    let document = format!("<a b='x'>{long}</a>");
    assert_eq!(canonical(&document, Part::Document), format!("<a b=\"x\">{long}</a>"));
}
