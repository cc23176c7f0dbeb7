//! Input that means harm, or is merely broken: each kind is answered by its own code.

#![allow(clippy::unwrap_used)] // helpers outside #[test] functions

use kouan_xml::{Event, Limits, Reader, XmlError, decode, root_name};

/// Reads everything; the code of the first error, or the number of events.
fn read_with(bytes: &[u8], limits: &Limits) -> Result<usize, XmlError> {
    let decoded = decode(bytes, limits)?;
    let mut reader = Reader::new(&decoded, limits);
    let mut events = 0;
    while reader.next()?.is_some() {
        events += 1;
    }
    Ok(events)
}

fn code(bytes: impl AsRef<[u8]>) -> &'static str {
    match read_with(bytes.as_ref(), &Limits::default()) {
        Ok(events) => {
            panic!("{events} events of {}", String::from_utf8_lossy(&bytes.as_ref()[..bytes.as_ref().len().min(200)]))
        }
        Err(error) => {
            assert!(kouan_sdk::catalogue::lookup(error.code()).is_some(), "{} is not in the catalogue", error.code());
            assert!(!error.fault.zh().is_empty());
            error.code()
        }
    }
}

#[test]
fn too_much_of_anything() {
    assert_eq!(code(vec![b'a'; 100_000_000]), "KOUAN-XML-TOO-BIG");
    assert_eq!(code("<a>".repeat(100_000)), "KOUAN-XML-TOO-DEEP");
    let attributes: String = (0..60_000).map(|n| format!(" a{n}='{n}'")).collect();
    assert_eq!(code(format!("<a{attributes}/>")), "KOUAN-XML-TOO-MANY-ATTRIBUTES");
    let declarations: String = (0..40_000).map(|n| format!(" xmlns:a{n}='urn:{n}'")).collect();
    assert_eq!(code(format!("<a{declarations}/>")), "KOUAN-XML-TOO-MANY-ATTRIBUTES");
    let level = |n: usize| (0..50).map(|m| format!(" xmlns:a{n}x{m}='urn:x'")).collect::<String>();
    let spread: String = (0..60).map(|n| format!("<a{}>", level(n))).collect();
    assert_eq!(code(spread), "KOUAN-XML-TOO-MANY-NAMESPACES");
    assert_eq!(code(format!("<{}/>", "n".repeat(300))), "KOUAN-XML-NAME-TOO-LONG");
    assert_eq!(code(format!("<a {}='1'/>", "n".repeat(300))), "KOUAN-XML-NAME-TOO-LONG");
    assert_eq!(code(format!("<a xmlns:{}='urn:x'/>", "n".repeat(300))), "KOUAN-XML-NAME-TOO-LONG");
    assert_eq!(code(format!("<a>{}</a>", "t".repeat((1 << 20) + 1))), "KOUAN-XML-TEXT-TOO-LONG");
    assert_eq!(code(format!("<a>{}</a>", "text<!---->".repeat((1 << 18) + 1))), "KOUAN-XML-TEXT-TOO-LONG");
    assert_eq!(code(format!("<a b='{}'/>", "t".repeat((1 << 20) + 1))), "KOUAN-XML-TEXT-TOO-LONG");
    assert_eq!(code(format!("<a>{}</a>", "<b/>".repeat(2_000_001))), "KOUAN-XML-TOO-MANY-NODES");
    let roomy = Limits { max_text: usize::MAX, ..Limits::default() };
    let references = format!("<a>{}</a>", "&lt;".repeat(2_000_001));
    assert_eq!(read_with(references.as_bytes(), &roomy).unwrap_err().code(), "KOUAN-XML-TOO-MANY-NODES");
}

#[test]
fn a_second_mark_is_text() {
    let xml = "\u{FEFF}<?xml version='1.0'?><!-- 岸 --><a>岸</a>";
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    assert_eq!(code(format!("\u{FEFF}{xml}")), "KOUAN-XML-NOT-WELL-FORMED");
    assert_eq!(code(utf_16(&format!("\u{FEFF}{xml}"))), "KOUAN-XML-NOT-WELL-FORMED");
    assert!(read_with(xml.as_bytes(), &Limits::default()).is_ok(), "one is none");
}

#[test]
fn entities_are_never_defined_or_fetched() {
    let laughs = "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]><l>&c;</l>";
    assert_eq!(code(laughs), "KOUAN-XML-DOCTYPE");
    assert_eq!(code("<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>"), "KOUAN-XML-DOCTYPE");
    assert_eq!(code("<!DOCTYPE x SYSTEM 'http://127.0.0.1:9/x.dtd'><x/>"), "KOUAN-XML-DOCTYPE");
    assert_eq!(code("<!doctype x><x/>"), "KOUAN-XML-DOCTYPE");
    assert_eq!(code("<!DOCTYPE x [<!ENTITY e 'never closed"), "KOUAN-XML-DOCTYPE");
    assert_eq!(code("<a><!DOCTYPE x></a>"), "KOUAN-XML-DOCTYPE");
    assert_eq!(code("<x>&e;</x>"), "KOUAN-XML-UNKNOWN-ENTITY");
    assert_eq!(code("<x a='&e;'/>"), "KOUAN-XML-UNKNOWN-ENTITY");
    assert_eq!(code("<x>&nbsp;</x>"), "KOUAN-XML-UNKNOWN-ENTITY");
}

#[test]
fn characters_that_xml_does_not_have() {
    assert_eq!(code("<x>\0</x>"), "KOUAN-XML-BAD-CHARACTER");
    assert_eq!(code("<x>\u{1F}</x>"), "KOUAN-XML-BAD-CHARACTER");
    assert_eq!(code("<x>\u{FFFE}</x>"), "KOUAN-XML-BAD-CHARACTER");
    assert_eq!(code("<x>&#0;</x>"), "KOUAN-XML-BAD-CHARACTER");
    assert_eq!(code("<x>&#xD800;</x>"), "KOUAN-XML-BAD-CHARACTER");
    assert_eq!(code("<x>&#99999999999999999999;</x>"), "KOUAN-XML-BAD-CHARACTER");
    assert_eq!(code("<x>&#x;</x>"), "KOUAN-XML-NOT-WELL-FORMED");
    assert_eq!(code("<x>&#+65;</x>"), "KOUAN-XML-NOT-WELL-FORMED");
    let error = read_with("<x>中\n中\u{1}</x>".as_bytes(), &Limits::default()).unwrap_err();
    assert_eq!((error.place.line, error.place.column, error.place.offset), (2, 2, 10));
}

#[test]
fn encodings_that_do_not_fit() {
    let declared = |encoding: &str| format!("<?xml version='1.0' encoding='{encoding}'?><x/>");
    for unknown in ["ISO-2022-CN", "Big5", "Shift_JIS", "ISO-8859-1", "UTF-7", ""] {
        assert_eq!(code(declared(unknown)), "KOUAN-XML-ENCODING-UNKNOWN", "{unknown}");
    }
    assert_eq!(code(declared("UTF-16")), "KOUAN-XML-ENCODING-CONFLICT");
    assert_eq!(code(format!("\u{FEFF}{}", declared("GBK"))), "KOUAN-XML-ENCODING-CONFLICT");
    assert_eq!(code(b"\xFF\xFE\0\0<\0\0\0"), "KOUAN-XML-ENCODING-UNKNOWN");
    assert_eq!(code(b"<\0x\0/\0>\0"), "KOUAN-XML-ENCODING-UNKNOWN");
    // GBK bytes under a UTF-8 declaration, and bytes that are nothing in GBK.
    let error = read_with(b"<?xml version='1.0' encoding='UTF-8'?><x>\n \xD6\xD0</x>", &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "KOUAN-XML-ENCODING-BAD-BYTES");
    assert_eq!((error.place.line, error.place.column, error.place.offset), (2, 2, 43));
    let error =
        read_with(b"<?xml version='1.0' encoding='GBK'?><x>\xD6\xD0\xFF\xFF</x>", &Limits::default()).unwrap_err();
    assert_eq!((error.code(), error.place.offset, error.place.column), ("KOUAN-XML-ENCODING-BAD-BYTES", 41, 41));
    assert_eq!(code(b"\xFF\xFE<\0x\0\x00\xDC/\0>\0"), "KOUAN-XML-ENCODING-BAD-BYTES");
}

#[test]
fn structure_that_is_broken() {
    assert_eq!(code(""), "KOUAN-XML-EMPTY");
    assert_eq!(code(" \n "), "KOUAN-XML-EMPTY");
    assert_eq!(code("\u{FEFF}"), "KOUAN-XML-EMPTY");
    assert_eq!(code("<?xml version='1.0'?>"), "KOUAN-XML-EMPTY");
    assert_eq!(code("<a></b>"), "KOUAN-XML-MISMATCHED-END-TAG");
    assert_eq!(code("<a></a b=''>"), "KOUAN-XML-MISMATCHED-END-TAG");
    assert_eq!(code("<a></A>"), "KOUAN-XML-MISMATCHED-END-TAG");
    assert_eq!(code("<a/><b/>"), "KOUAN-XML-CONTENT-AFTER-ROOT");
    assert_eq!(code("<a/>text"), "KOUAN-XML-CONTENT-AFTER-ROOT");
    assert_eq!(code("<p:a/>"), "KOUAN-XML-UNDECLARED-PREFIX");
    assert_eq!(code("<a p:b=''/>"), "KOUAN-XML-UNDECLARED-PREFIX");
    assert_eq!(code("<a><b xmlns:p='urn:x'/><p:c/></a>"), "KOUAN-XML-UNDECLARED-PREFIX");
    assert_eq!(code("<a b='' b=''/>"), "KOUAN-XML-DUPLICATE-ATTRIBUTE");
    assert_eq!(code("<a xmlns='urn:a' xmlns='urn:a'/>"), "KOUAN-XML-DUPLICATE-ATTRIBUTE");
    assert_eq!(code("<a p:b='' q:b='' xmlns:p='urn:x' xmlns:q='urn:x'/>"), "KOUAN-XML-DUPLICATE-ATTRIBUTE");
    for wrong in [
        "xmlns:p=''",
        "xmlns:xmlns='urn:x'",
        "xmlns:xml='urn:x'",
        "xmlns:p='http://www.w3.org/XML/1998/namespace'",
        "xmlns:1='urn:x'",
    ] {
        assert_eq!(code(format!("<a {wrong}/>")), "KOUAN-XML-BAD-NAMESPACE", "{wrong}");
    }
    for wrong in [
        "text<a/>",
        "&lt;<a/>",
        "<![CDATA[x]]><a/>",
        "<a/ >",
        "<a b/>",
        "<a b=1/>",
        "<a b='1'c='2'/>",
        "<a b='<'/>",
        "<1/>",
        "<a:/>",
        "<:a/>",
        "<a:b:c xmlns:a='urn:x'/>",
        "< a/>",
        "<a>]]></a>",
        "<a><!-- -- --></a>",
        "<a><!-- ---></a>",
        "<a><?xml x?></a>",
        "<a><?XML x?></a>",
        "<a><?1 x?></a>",
        " <?xml version='1.0'?><a/>",
        "<?xml encoding='UTF-8'?><a/>",
        "<?xml version='2.0'?><a/>",
        "<?xml version='1.0' standalone='maybe'?><a/>",
        "<?xml version='1.0' x='y'?><a/>",
        "<a>&</a>",
        "<a>& b;</a>",
        "<a b='&'/>",
        "</a>",
        "<a><!ELEMENT b></a>",
        "<a/></a>",
        "<a =''/>",
        "<a b=''='c'/>",
    ] {
        let got = code(wrong);
        assert!(matches!(got, "KOUAN-XML-NOT-WELL-FORMED" | "KOUAN-XML-UNKNOWN-ENTITY"), "{wrong}: {got}");
    }
}

#[test]
fn every_prefix_of_a_message_is_truncated() {
    let sample = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!--c--><d:报文 xmlns:d='urn:d' a=\"1&amp;2\"><![CDATA[x]]><?pi x?>中&#x4E2D;<b/></d:报文>";
    for encoding in ["UTF-8", "GB18030"] {
        let text = sample.replace("UTF-8", encoding);
        let bytes =
            if encoding == "UTF-8" { text.into_bytes() } else { encoding_rs::GB18030.encode(&text).0.into_owned() };
        assert!(read_with(&bytes, &Limits::default()).is_ok());
        for end in 0..bytes.len() {
            let got = code(&bytes[..end]);
            assert!(matches!(got, "KOUAN-XML-TRUNCATED" | "KOUAN-XML-EMPTY"), "{encoding} {end}: {got}");
        }
    }
}

#[test]
fn arbitrary_damage_never_panics() {
    let sample =
        "<?xml version='1.0' encoding='GBK'?><a:b xmlns:a='urn:x' c='&lt;'>t<![CDATA[x]]>&#65;<d/><!--x--></a:b>";
    let mut state = 0x1234_5678_9ABC_DEF1u64;
    for _ in 0..20_000 {
        let mut bytes = sample.as_bytes().to_vec();
        for _ in 0..3 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = (state >> 8) as usize % bytes.len();
            bytes[at] = (state >> 40) as u8;
        }
        if let Err(error) = read_with(&bytes, &Limits::default()) {
            assert!(error.place.offset <= bytes.len() as u64);
        }
        let _ = root_name(&bytes);
    }
}

#[test]
fn an_error_ends_the_reading() {
    let limits = Limits::default();
    let decoded = decode(b"<a></b>", &limits).unwrap();
    let mut reader = Reader::new(&decoded, &limits);
    assert!(matches!(reader.next(), Ok(Some(Event::Start(_)))));
    let error = reader.next().unwrap_err();
    assert!(matches!(reader.next(), Ok(None)));
    let finding = error.finding(Some("x.xml"), "/a");
    assert_eq!((finding.line, finding.column, finding.offset), (1, 4, 3));
    assert!(!finding.hint_zh.is_empty() && finding.message_zh.contains('a'));
    assert_eq!(kouan_sdk::Error::from(error).code, "KOUAN-XML-MISMATCHED-END-TAG");
}
