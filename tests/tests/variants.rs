//! However a message is written (GB18030, byte order mark, no declaration, CDATA, comments, empty elements in either form),
//! the same is found in it: every good and bad sample of every business, judged in each way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking

use kouan_declarative::{Declarative, SampleKind, proof};
use kouan_sdk::business::Business;
use kouan_sdk::conformance::business::Sample;
use kouan_sdk::{Finding, PluginDecl};

/// What is found, and what the message is taken for: all but the places.
fn judged(business: &dyn Business, sample: &Sample, document: &[u8]) -> (String, Vec<String>) {
    let written = Sample { document: document.to_vec(), ..sample.clone() };
    let report = written.with_package(|package| business.check(package).unwrap());
    let told = |f: &Finding| {
        let (rule, severity, field, value) = (&f.rule, f.severity, &f.field, &f.value);
        format!("{rule} {severity:?} {} {field} {value:?} {} | {}", f.xpath, f.message_zh, f.message_en)
    };
    let mut found: Vec<_> = report.findings.iter().map(told).collect();
    found.sort();
    (format!("{} {:?} {:?} {:?}", report.message_type, report.keys, report.parties, report.order_key), found)
}

/// The document's text without its declaration; `None` if it is in no known encoding.
fn body(document: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(document.get(..80.min(document.len()))?).to_ascii_lowercase();
    let encoding = if head.contains("encoding=\"gb") { encoding_rs::GB18030 } else { encoding_rs::UTF_8 };
    let (text, _, broken) = encoding.decode(document);
    let body = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1,
        None => &text,
    };
    (!broken).then(|| body.to_owned())
}

/// `body` with the text of each element that holds nothing else changed. CDATA and comments that are there already are not
/// understood here, so such a body stays as it is.
fn with_texts(body: &str, change: impl Fn(&str) -> String) -> String {
    if body.contains("<!") {
        return body.to_owned();
    }
    let pieces: Vec<&str> = body.split('<').collect();
    let mut out = pieces[0].to_owned();
    for (at, piece) in pieces.iter().enumerate().skip(1) {
        let closes = pieces.get(at + 1).is_some_and(|next| next.starts_with('/'));
        out.push('<');
        match piece.split_once('>') {
            Some((tag, text)) if closes && !tag.starts_with('/') && !tag.ends_with('/') => {
                out.push_str(tag);
                out.push('>');
                out.push_str(&change(text));
            }
            _ => out.push_str(piece),
        }
    }
    out
}

/// The ways to write one message, each with its name.
fn written(body: &str) -> Vec<(&'static str, Vec<u8>)> {
    let cdata = |text: &str| {
        let plain = !text.is_empty() && !text.contains('&');
        if plain { format!("<![CDATA[{text}]]>") } else { text.to_owned() }
    };
    // Between two characters, so that the text comes in two pieces.
    let comment = |text: &str| {
        let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
        let whole = text.contains('&') || text.trim().is_empty();
        if whole { text.to_owned() } else { format!("{}<!-- 注 -->{}", &text[..half], &text[half..]) }
    };
    let mut ways = vec![
        ("UTF-8, declared", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}").into_bytes()),
        ("without declaration", body.trim_start().as_bytes().to_vec()),
        ("with a byte order mark", format!("\u{FEFF}<?xml version=\"1.0\" encoding=\"utf-8\"?>{body}").into_bytes()),
        ("with a byte order mark, without declaration", format!("\u{FEFF}{}", body.trim_start()).into_bytes()),
        ("in CDATA", with_texts(body, cdata).into_bytes()),
        ("with comments", with_texts(body, comment).into_bytes()),
        ("with line ends of Windows", body.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()),
        ("with both tags of what is empty", both_tags(body).into_bytes()),
    ];
    for name in ["GBK", "GB18030", "gb2312"] {
        let declared = format!("<?xml version=\"1.0\" encoding=\"{name}\"?>{body}");
        let encoding = if name == "GB18030" { encoding_rs::GB18030 } else { encoding_rs::GBK };
        let (bytes, _, lossy) = encoding.encode(&declared);
        if !lossy {
            ways.push(("in a Chinese encoding", bytes.into_owned()));
        }
    }
    ways
}

/// `<X/>` as `<X></X>`.
fn both_tags(body: &str) -> String {
    if body.contains("<!") {
        return body.to_owned();
    }
    let rewritten = |piece: &str| match piece.split_once("/>") {
        Some((tag, after)) if !tag.contains('>') => {
            let name = tag.split_whitespace().next().unwrap_or_default();
            format!("{tag}></{name}>{after}")
        }
        _ => piece.to_owned(),
    };
    body.split('<').map(rewritten).collect::<Vec<_>>().join("<")
}

/// Judges `samples` in every way; how many documents that were.
fn agree(name: &str, business: &dyn Business, samples: &[Sample]) -> usize {
    let mut count = 0;
    for sample in samples {
        let Some(body) = body(&sample.document) else { continue };
        let plain = judged(business, sample, &sample.document);
        // A text of the parser's about broken XML tells of the bytes themselves.
        if plain.1.iter().any(|f| f.starts_with("KOUAN-XML")) {
            continue;
        }
        for (way, document) in written(&body) {
            let other = judged(business, sample, &document);
            assert_eq!(plain, other, "{name}: {} {way}", sample.file_name);
            count += 1;
        }
    }
    println!("{name}: {} samples, {count} documents", samples.len());
    count
}

fn by_data(plugin: &PluginDecl, declarative: &Declarative) {
    let all = declarative.samples();
    let samples: Vec<_> = all.iter().map(proof::for_kit).collect();
    assert!(all.iter().any(|sample| sample.kind == SampleKind::Bad));
    let count = agree(plugin.id, proof::business(plugin, "{}").as_ref(), &samples);
    assert!(count > samples.len() * 5, "{}: only {count}", plugin.id);
}

#[test]
fn a_manifest_says_the_same_however_it_is_written() {
    by_data(&kouan_manifest::PLUGIN, &kouan_manifest::BUSINESS);
}

#[test]
fn a_bonded_message_says_the_same_however_it_is_written() {
    by_data(&kouan_processing_trade::PLUGIN, &kouan_processing_trade::BUSINESS);
}

#[test]
fn a_transport_message_says_the_same_however_it_is_written() {
    by_data(&kouan_transport_means::PLUGIN, &kouan_transport_means::BUSINESS);
}

fn declarations() -> Vec<Sample> {
    let kit = |sample: kouan_goods_declaration::Sample| Sample {
        file_name: match sample.attachments.is_empty() {
            true => sample.name.clone(),
            false => format!("{}.zip", sample.name.trim_end_matches(".xml")),
        },
        document: sample.document.to_vec(),
        attachments: sample.attachments,
        form_id: None,
    };
    kouan_goods_declaration::samples().into_iter().map(kit).collect()
}

#[test]
fn a_declaration_says_the_same_however_it_is_written() {
    let business = proof::business(&kouan_goods_declaration::PLUGIN, "{}");
    let samples = declarations();
    let count = agree("goods-declaration", business.as_ref(), &samples);
    assert!(count > samples.len() * 5, "only {count}");
}

/// Practice writes `version` in lower case, too: at most a warning more.
#[test]
fn a_declaration_says_the_same_with_its_version_in_either_case() {
    let business = proof::business(&kouan_goods_declaration::PLUGIN, "{}");
    let mut count = 0;
    for sample in declarations() {
        let Some(body) = body(&sample.document).filter(|body| body.contains(" Version=\"")) else { continue };
        let lower = body.replacen(" Version=\"", " version=\"", 1);
        let (plain, other) =
            (judged(business.as_ref(), &sample, body.as_bytes()), judged(business.as_ref(), &sample, lower.as_bytes()));
        let more: Vec<_> = other.1.iter().filter(|f| !plain.1.contains(f)).collect();
        assert!(more.len() <= 1 && more.iter().all(|f| f.contains(" Warning ")), "{}: {more:#?}", sample.file_name);
        assert!(plain.1.iter().all(|f| other.1.contains(f)), "{}", sample.file_name);
        assert_eq!(plain.0, other.0, "{}", sample.file_name);
        count += 1;
    }
    assert!(count > 10, "only {count} have a Version");
}
