//! Canonical XML against libxml2 (by lxml, and by its C face): generated documents with a fixed seed, one Python process.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers outside #[test] functions

use kouan_xml::c14n::{Comments, Part};
use kouan_xml::{Event, Limits, Reader, c14n, decode};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

const DOCUMENTS: usize = 1500;

#[test]
fn canonical_forms_are_libxml2s() {
    let mut records = Vec::new();
    let mut total = 0;
    for seed in 0..DOCUMENTS as u64 {
        let mut maker = Maker::new(seed);
        let bytes = maker.document();
        total += record_all(&mut records, &bytes, &mut maker);
    }
    for nasty in NASTY {
        total += record_all(&mut records, nasty.as_bytes(), &mut Maker::new(7));
    }
    assert!(total > 2 * DOCUMENTS, "{total}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &records).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/c14n.py");
    if !lxml_is_there() {
        assert!(std::env::var("KOUAN_REQUIRE_TOOLS").as_deref() != Ok("1"), "python3 with lxml is required");
        println!("SKIPPED: python3 with lxml is not here");
        return;
    }
    let output = Command::new("python3").arg(script).arg(file.path()).output().unwrap();
    let (said, cried) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{cried}");
    assert!(said.contains(&format!("compared {total}, different 0")) || said.contains("SKIPPED"), "{said}");
    print!("{said}");
}

/// Hand-made cases.
const NASTY: &[&str] = &[
    "<a/>",
    "<?p  x  y ?><!--c--><a/><!--d--><?q?>",
    "<a xmlns='urn:a'><b xmlns=''><c xmlns='urn:a'/></b></a>",
    "<a xmlns='urn:a' xmlns:p='urn:a'><p:b xmlns:p='urn:a' xmlns='urn:b'/></a>",
    "<a xmlns:z='urn:1' xmlns:b='urn:2' z:q='1' b:q='2' q='3' a='4'/>",
    "<a xmlns:z='urn:1' xmlns:b='urn:2'><z:c b:x='1' z:x='2' x='3'/></a>",
    "<a b='&#9;&#10;&#13;&lt;&amp;&quot;&apos;&gt; \t\r\n\n\r'>&#9;&#10;&#13;&lt;&amp;&quot;&apos;&gt; \t\r\n\n\r</a>",
    "<a><![CDATA[<&>\r\n]]]]><![CDATA[>]]></a>",
    "<a>\r\r\n\n</a >",
    "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='zh'/>",
    "<é xmlns:日本='urn:x' 日本:属性='值'>𠀀\u{7F}\u{85}\u{2028}</é>",
    "<a xmlns=''><b xmlns='urn:x'/></a>",
    "<a\n\tb = \"1\"\r\n c='2'  />",
];

/// All four kinds of record for one document.
fn record_all(records: &mut Vec<u8>, bytes: &[u8], maker: &mut Maker) -> usize {
    let limits = Limits::default();
    let decoded = decode(bytes, &limits).unwrap_or_else(|e| panic!("{e}: {bytes:?}"));
    let elements = elements(&decoded, &limits);
    let number = maker.below(elements.len());
    let mut wanted = vec![(b'D', 0, Part::Document), (b'C', 0, Part::Document)];
    if number > 0 {
        wanted.push((b'W', number, Part::Without(elements[number])));
    }
    wanted.push((b'E', number, Part::Element(elements[number])));
    for (mode, number, part) in &wanted {
        let comments = if *mode == b'C' { Comments::Keep } else { Comments::Drop };
        let mut ours = Vec::new();
        c14n::write(&decoded, &limits, *part, comments, &mut |piece| ours.extend_from_slice(piece)).unwrap();
        records.push(*mode);
        records.extend_from_slice(&(*number as u32).to_be_bytes());
        for part in [bytes, &ours] {
            records.extend_from_slice(&(part.len() as u32).to_be_bytes());
            records.extend_from_slice(part);
        }
    }
    wanted.len()
}

/// Offsets of all start tags.
fn elements(decoded: &kouan_xml::Decoded<'_>, limits: &Limits) -> Vec<usize> {
    let mut reader = Reader::new(decoded, limits);
    let mut offsets = Vec::new();
    while let Some(event) = reader.next().unwrap() {
        if let Event::Start(start) = event {
            offsets.push(start.offset);
        }
    }
    offsets
}

fn lxml_is_there() -> bool {
    Command::new("python3").args(["-c", "import lxml.etree"]).output().is_ok_and(|output| output.status.success())
}

/// Makes documents.
struct Maker {
    state: u64,
    xml_attributes: bool,
}

const PREFIXES: &[&str] = &["", "p", "q", "zz", "ds"];
const URIS: &[&str] = &["urn:a", "urn:b", "http://www.chinaport.gov.cn/dxp", "urn:z?x=1"];
const LOCALS: &[&str] = &["a", "b", "Data", "x-1", "_y", "名称"];
const PIECES: &[&str] = &[
    "text",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "&amp;",
    "&lt;",
    "&gt;",
    "&quot;",
    "&apos;",
    "&#13;",
    "&#x9;",
    "&#10;",
    "中文",
    "，",
    "\u{20000}",
    "&#x4E2D;",
    "é",
    "\u{A0}",
    "1.50",
    "]]",
];

impl Maker {
    fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, xml_attributes: seed.is_multiple_of(3) }
    }

    fn below(&mut self, n: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        ((self.state >> 33) as usize) % n
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    fn document(&mut self) -> Vec<u8> {
        let mut text = String::new();
        let misc = |maker: &mut Self, text: &mut String| {
            for _ in 0..maker.below(3) {
                text.push_str(["\n", "<!-- out\r\nside -->", "<?pi  some \r\n data?>", "<?e?>"][maker.below(4)]);
            }
        };
        let (name, encode): (&str, fn(&str) -> Vec<u8>) = match self.below(5) {
            0 => ("GB18030", gb18030),
            1 => ("UTF-16", utf16),
            _ => ("UTF-8", |text| text.as_bytes().to_vec()),
        };
        if name != "UTF-8" || self.below(2) == 0 {
            write!(text, "<?xml version='1.0' encoding=\"{name}\" ?>").unwrap();
        }
        misc(self, &mut text);
        self.element(&mut text, &[("", "")], 0);
        misc(self, &mut text);
        encode(&text)
    }

    fn element(&mut self, text: &mut String, scope: &[(&'static str, &'static str)], depth: usize) {
        let mut scope = scope.to_vec();
        let mut declared = BTreeSet::new();
        let mut tag = String::new();
        for _ in 0..self.below(4) {
            let (prefix, mut uri) = (self.pick(PREFIXES), self.pick(URIS));
            if !declared.insert(prefix) {
                continue;
            }
            if prefix.is_empty() && self.below(3) == 0 {
                uri = "";
            }
            let colon = if prefix.is_empty() { "" } else { ":" };
            write!(tag, " xmlns{colon}{prefix}='{uri}'").unwrap();
            scope.retain(|(known, _)| *known != prefix);
            scope.push((prefix, uri));
        }
        let mut attributes = BTreeSet::new();
        for _ in 0..self.below(4) {
            let (prefix, uri) = scope[self.below(scope.len())];
            let uri = if prefix.is_empty() { "" } else { uri };
            let local = self.pick(LOCALS);
            if attributes.insert((uri, local)) {
                let quote = ["'", "\""][self.below(2)];
                let value = self.pieces(4).replace("]]", "]");
                let name = if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") };
                write!(tag, "{}{name} = {quote}{value}{quote}", ["  ", "\r\n"][self.below(2)]).unwrap();
            }
        }
        if self.xml_attributes && self.below(3) == 0 {
            tag.push_str([" xml:lang='zh'", " xml:space=\"preserve\" xml:lang='en'"][self.below(2)]);
        }
        let (prefix, _) = scope[self.below(scope.len())];
        let local = self.pick(LOCALS);
        let name = if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") };
        if self.below(5) == 0 {
            write!(text, "<{name}{tag}{}/>", ["", " ", "\n"][self.below(3)]).unwrap();
            return;
        }
        write!(text, "<{name}{tag}>").unwrap();
        for _ in 0..self.below(6) {
            match self.below(8) {
                0 => text.push_str("<!--in\r\nside-->"),
                1 => text.push_str("<?target  data \r\n?>"),
                2 => text.push_str("<![CDATA[<&>]] \r\n'\"\t]]>"),
                3..=5 if depth < 5 => self.element(text, &scope, depth + 1),
                _ => text.push_str(&self.pieces(5).replace("]]", "] ")),
            }
        }
        write!(text, "</{name}{}>", ["", " "][self.below(2)]).unwrap();
    }

    fn pieces(&mut self, most: usize) -> String {
        (0..self.below(most)).map(|_| self.pick(PIECES)).collect()
    }
}

fn gb18030(text: &str) -> Vec<u8> {
    let (bytes, _, lost) = encoding_rs::GB18030.encode(text);
    assert!(!lost);
    bytes.into_owned()
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}
