//! What the reader says of good documents.

#![allow(clippy::unwrap_used)] // helpers outside #[test] functions

use kouan_xml::{Encoding, Event, Limits, Reader, decode, root_name};
use std::fmt::Write as _;

/// The events, one a line.
fn transcript(bytes: &[u8]) -> String {
    let limits = Limits::default();
    let decoded = decode(bytes, &limits).unwrap();
    let mut reader = Reader::new(&decoded, &limits);
    let mut said = String::new();
    while let Some(event) = reader.next().unwrap() {
        match event {
            Event::Start(start) => {
                write!(said, "+{}{{{}}}{}", start.depth, start.namespace, start.local).unwrap();
                for attribute in start.attributes() {
                    write!(said, " {{{}}}{}={:?}", attribute.namespace, attribute.local, attribute.value).unwrap();
                }
                assert!(decoded.text()[start.offset..].starts_with(&format!("<{}", start.name)));
                assert!(decoded.text()[..start.offset + start.length].ends_with('>'));
            }
            Event::Text(text) => write!(said, "{:?}", text.text).unwrap(),
            Event::End(end) => {
                assert!(decoded.text()[..end.offset + end.length].ends_with('>'));
                write!(said, "-{}{{{}}}{}", end.depth, end.namespace, end.local).unwrap();
            }
        }
        said.push('\n');
    }
    said
}

#[test]
fn namespaces_come_and_go() {
    let document = "<a xmlns='urn:a' xmlns:p='urn:p' p:x='1' y='2'><p:b xmlns=''><c/></p:b><d xml:lang='zh'/></a>";
    let expected = "+1{urn:a}a {urn:p}x=\"1\" {}y=\"2\"\n+2{urn:p}b\n+3{}c\n-3{}c\n-2{urn:p}b\n\
        +2{urn:a}d {http://www.w3.org/XML/1998/namespace}lang=\"zh\"\n-2{urn:a}d\n-1{urn:a}a\n";
    assert_eq!(transcript(document.as_bytes()), expected);
}

#[test]
fn text_is_joined_and_layout_dropped() {
    let document = "<?xml version='1.0'?>\n<a>\r\n  <b>x&amp;<![CDATA[<y>]]><!--c-->z\r\nw</b>\n<c> </c><d><![CDATA[]]></d><e>m<f/>n </e>\n</a>\n<!--end-->\n";
    let expected = "+1{}a\n+2{}b\n\"x&<y>z\\nw\"\n-2{}b\n+2{}c\n\" \"\n-2{}c\n+2{}d\n\"\"\n-2{}d\n+2{}e\n\"m\"\n+3{}f\n-3{}f\n\"n \"\n-2{}e\n-1{}a\n";
    assert_eq!(transcript(document.as_bytes()), expected);
}

#[test]
fn attribute_values_are_normalised() {
    let document = "<a b=' x\ty\r\nz\r&#9;&#xA;&quot;' c = \"'\"/>";
    assert_eq!(transcript(document.as_bytes()), "+1{}a {}b=\" x y z \\t\\n\\\"\" {}c=\"'\"\n-1{}a\n");
}

#[test]
fn places_are_of_the_original_bytes_in_every_encoding() {
    let text = "<?xml version='1.0' encoding='ENC'?>\n<单>\r\n<货>中文𠀀，é</货><x>1</x></单>";
    let utf16 = |text: &str, be: bool| -> Vec<u8> {
        let unit = |u: u16| if be { u.to_be_bytes() } else { u.to_le_bytes() };
        std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect()
    };
    let cases: Vec<(Encoding, Vec<u8>)> = vec![
        (Encoding::Utf8, text.replace("ENC", "utf-8").into_bytes()),
        (Encoding::Utf8, format!("\u{FEFF}{}", text.replace("ENC", "UTF-8")).into_bytes()),
        (Encoding::Gb18030, encoding_rs::GB18030.encode(&text.replace("ENC", "GB18030")).0.into_owned()),
        (
            Encoding::Gb18030,
            encoding_rs::GB18030.encode(&text.replace("ENC", "gb2312").replace('𠀀', "")).0.into_owned(),
        ),
        (Encoding::Utf16Le, utf16(&text.replace("ENC", "UTF-16"), false)),
        (Encoding::Utf16Be, utf16(&text.replace("ENC", "UTF-16BE"), true)),
    ];
    let limits = Limits::default();
    for (encoding, bytes) in cases {
        let decoded = decode(&bytes, &limits).unwrap();
        assert_eq!(decoded.encoding(), encoding);
        assert_eq!(decoded.original(), bytes);
        let at = decoded.text().find("<x>").unwrap();
        let place = decoded.locate(at);
        assert_eq!(
            (place.line, place.column as usize),
            (3, decoded.text().lines().nth(2).unwrap().chars().position(|c| c == 'x').unwrap())
        );
        let ascii: Vec<u8> = match encoding {
            Encoding::Utf16Le => b"<\0x\0>\0".to_vec(),
            Encoding::Utf16Be => b"\0<\0x\0>".to_vec(),
            _ => b"<x>".to_vec(),
        };
        assert!(bytes[place.offset as usize..].starts_with(&ascii), "{encoding:?}");
        // Every offset maps to where decoding of the bytes before it gives the text before it.
        let mut locator = decoded.locator();
        for (offset, _) in decoded.text().char_indices() {
            let original = locator.locate(offset).offset as usize;
            if encoding == Encoding::Gb18030 {
                let (before, _) = encoding_rs::GB18030.decode_without_bom_handling(&bytes[..original]);
                assert_eq!(before, decoded.text()[..offset]);
            }
            assert_eq!(decoded.locate(offset), locator.locate(offset));
        }
        assert_eq!(decoded.original_offset(decoded.text().len()), bytes.len() as u64);
    }
}

#[test]
fn utf8_is_not_copied() {
    let bytes = "<a>中</a>".as_bytes();
    let decoded = decode(bytes, &Limits::default()).unwrap();
    assert_eq!(decoded.text().as_ptr(), bytes.as_ptr());
}

#[test]
fn the_root_is_seen_without_reading_on() {
    let name = |bytes: &[u8]| root_name(bytes).map(|name| (name.namespace, name.local));
    let expected = ("http://www.chinaport.gov.cn/dec".to_owned(), "DecMessage".to_owned());
    let start = "<?xml version='1.0'?><DecMessage Version='3.1' xmlns='http://www.chinaport.gov.cn/dec'>";
    assert_eq!(name(format!("{start}<broken").as_bytes()), Ok(expected.clone()));
    // A cut in the middle of a character or a tag does not matter, nor does a prolog longer than the first look.
    for pad in 16_200..16_420 {
        assert_eq!(
            name(format!("{start}{}<b>", "中".repeat(pad / 3) + &"x".repeat(pad % 3)).as_bytes()),
            Ok(expected.clone())
        );
    }
    let long = format!("<!--{}-->{}", "中".repeat(20_000), &start[21..]);
    assert_eq!(name(long.as_bytes()), Ok(expected));
    assert_eq!(root_name(b"nothing").unwrap_err().code(), "KOUAN-XML-NOT-WELL-FORMED");
    assert_eq!(root_name(b"").unwrap_err().code(), "KOUAN-XML-EMPTY");
}

/// Tags and texts are cut by ourselves: by quick-xml's own reader their borders must be the same.
#[test]
fn borders_are_quick_xmls() {
    let pieces = [
        "<a>",
        "</a>",
        "<b x='>' y=\"'\">",
        "</b>",
        "<c/>",
        " ",
        "\n\t",
        "岸>",
        "x]y",
        "&amp;",
        "<!-- > -->",
        "<![CDATA[<]]>",
        "<?p >?>",
    ];
    let mut state = 1_u64;
    let mut pick = move |of: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % of
    };
    let mut compared = 0;
    for _ in 0..20_000 {
        let text: String =
            std::iter::once("<r>").chain((0..12).map(|_| pieces[pick(pieces.len())])).chain(["</r>"]).collect();
        let limits = Limits::default();
        let decoded = decode(text.as_bytes(), &limits).unwrap();
        let (mut ours, mut reader) = (Vec::new(), Reader::new(&decoded, &limits));
        while let Ok(Some(event)) = reader.next() {
            match event {
                Event::Start(start) => ours.push((start.offset, start.length)),
                Event::End(end) if end.length > 0 => ours.push((end.offset, end.length)),
                Event::End(_) | Event::Text(_) => {}
            }
        }
        let mut theirs = quick_xml::Reader::from_str(&text);
        theirs.config_mut().check_end_names = false;
        theirs.config_mut().allow_unmatched_ends = true;
        let mut before = 0;
        for tag in &ours {
            let found = loop {
                let event = theirs.read_event().unwrap();
                let (from, to) = (before, theirs.buffer_position() as usize);
                before = to;
                if matches!(
                    event,
                    quick_xml::events::Event::Start(_)
                        | quick_xml::events::Event::Empty(_)
                        | quick_xml::events::Event::End(_)
                ) {
                    break (from, to - from);
                }
            };
            assert_eq!(*tag, found, "{text}");
            compared += 1;
        }
    }
    assert!(compared > 50_000, "{compared}");
}
