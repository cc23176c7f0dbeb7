//! Bad files, dropped into a whole gateway: each ends in FailBox with its code in Report and a refusal in InBox in the
//! business's own shape; the good file behind it goes through.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod port;

use kouan_journal::Delivery;
use kouan_kernel::Gateway;
use port::{Port, Setup, concluded, import, replaced, sample, until, zip_of};
use serde_json::Value;
use std::io::Write as _;
use std::time::Duration;

/// A file that must be refused, and the code that says why.
struct Bad {
    name: &'static str,
    bytes: Vec<u8>,
    code: &'static str,
}

fn bad(name: &'static str, code: &'static str, bytes: impl Into<Vec<u8>>) -> Bad {
    Bad { name, bytes: bytes.into(), code }
}

/// Drops them all, good files among them, and sees what became of each.
fn refused_and_the_next_goes_through(all: &[Bad]) {
    let port = Port::new(Setup::default());
    let gateway = port.start();
    port.drop_import("BEFORE");
    for Bad { name, bytes, .. } in all {
        port.drop_file(name, bytes);
    }
    port.drop_import("AFTER");
    concluded(&gateway, "BEFORE");
    concluded(&gateway, "AFTER");
    for bad in all {
        is_refused(&port, bad);
    }
    assert_eq!(port.names("FailBox").len(), all.len());
    assert_eq!(gateway.journal().counts().unwrap().parked, 0);
    until("the folders are clear", || port.names("OutBox").is_empty() && port.names("TempBox").is_empty());
    let effects = port.ledger().effects;
    assert!(effects.len() == 2 && effects.iter().all(|effect| effect.count == 1), "{effects:?}");
    gateway.drain();
}

fn is_refused(port: &Port, Bad { name, bytes, code }: &Bad) {
    let stem = name.rsplit_once('.').unwrap().0;
    until(&format!("{name} is in FailBox"), || port.names("FailBox").iter().any(|file| file == name));
    let original = port::files(&port.place("FailBox")).into_iter().find(|path| path.ends_with(name)).unwrap();
    assert!(std::fs::read(original).unwrap() == *bytes, "{name} is kept as it was");
    let report = port.report(stem).unwrap_or_else(|| panic!("{name} has no report"));
    let found = codes(&report);
    assert!(found.iter().any(|rule| rule == code), "{name}: {found:?} without {code}");
    assert!(kouan_sdk::catalogue::lookup(code).is_some(), "{code} stands in no catalogue");
    until(&format!("a refusal of {name} is in InBox"), || !port.inbox(&format!("Failed_{stem}_")).is_empty());
    let refusal = &port.inbox(&format!("Failed_{stem}_"))[0];
    assert!(refusal.contains("<DecImportResponse") && refusal.contains("<ResponseCode>1</ResponseCode>"), "{refusal}");
}

fn codes(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().into_iter().flatten().map(|finding| &finding["rule"]);
    findings.chain([&report["code"]]).filter_map(|code| code.as_str().map(str::to_owned)).collect()
}

#[test]
fn what_is_not_xml_or_too_much_of_it() {
    let document = import("X1");
    let truncated = &document[..document.len() / 2];
    let deep = [b"<DecMessage>".repeat(100_000), b"</DecMessage>".repeat(100_000)].concat();
    let attributes: String = (0..60_000).map(|n| format!(" a{n}=\"\"")).collect();
    let attributes = replaced(&document, "<DecHead>", &format!("<DecHead{attributes}>"));
    let spaces = replaced(&document, "<NoteS/>", &format!("<NoteS/>{}", " ".repeat(21 << 20)));
    refused_and_the_next_goes_through(&[
        bad("truncated.xml", "KOUAN-XML-TRUNCATED", truncated),
        bad("empty.xml", "KOUAN-PACKAGE-EMPTY", ""),
        bad("deep.xml", "KOUAN-XML-TOO-DEEP", deep),
        bad("attributes.xml", "KOUAN-XML-TOO-MANY-ATTRIBUTES", attributes),
        bad("large.xml", "KOUAN-PACKAGE-TOO-LARGE", spaces),
        bad("text.xml", "KOUAN-XML-NOT-WELL-FORMED", "a declaration, as text"),
        bad("picture.xml", "KOUAN-XML-ENCODING-BAD-BYTES", b"\x89PNG\r\n\x1a\n and more".to_vec()),
    ]);
}

#[test]
fn entities_are_neither_expanded_nor_fetched() {
    let document = import("E1");
    let with = |doctype: &str, name: &str| {
        let with_doctype = replaced(&document, "<DecMessage ", &format!("{doctype}\n<DecMessage "));
        replaced(&with_doctype, "<NoteS/>", &format!("<NoteS>&{name};</NoteS>"))
    };
    let mut laughs = String::from("<!DOCTYPE DecMessage [<!ENTITY l0 \"lol\">");
    for n in 1..=9 {
        laughs += &format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10));
    }
    laughs += "]>";
    let secret = "<!DOCTYPE DecMessage [<!ENTITY x SYSTEM \"file:///etc/hostname\">]>";
    // Somebody listens, and must not be asked.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let remote = format!("<!DOCTYPE DecMessage SYSTEM \"http://{}/dec.dtd\">", listener.local_addr().unwrap());
    refused_and_the_next_goes_through(&[
        bad("laughs.xml", "KOUAN-XML-DOCTYPE", with(&laughs, "l9")),
        bad("xxe.xml", "KOUAN-XML-DOCTYPE", with(secret, "x")),
        bad("dtd.xml", "KOUAN-XML-DOCTYPE", with(&remote, "x")),
        bad("entity.xml", "KOUAN-XML-UNKNOWN-ENTITY", replaced(&document, "<NoteS/>", "<NoteS>&nbsp;</NoteS>")),
    ]);
    assert!(listener.accept().is_err(), "the document's own address was asked");
}

#[test]
fn an_encoding_that_is_not_the_one_declared_is_named() {
    let document = import("C1");
    let declared = |encoding: &str| replaced(&document, "encoding=\"UTF-8\"", &format!("encoding=\"{encoding}\""));
    let gbk = String::from_utf8_lossy(sample("gbk.xml").document).contains("GBK");
    assert!(gbk, "the sample says that it is GBK");
    let gbk_as_utf8 = bytes_replaced(sample("gbk.xml").document, b"GBK", b"UTF-8");
    refused_and_the_next_goes_through(&[
        bad("gbk-as-utf8.xml", "KOUAN-XML-ENCODING-BAD-BYTES", gbk_as_utf8),
        bad("utf8-as-utf16.xml", "KOUAN-XML-ENCODING-CONFLICT", declared("UTF-16")),
        bad("unknown.xml", "KOUAN-XML-ENCODING-UNKNOWN", declared("KLINGON")),
    ]);
}

fn bytes_replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn gbk_and_a_byte_order_mark_are_no_fault() {
    let port = Port::new(Setup::default());
    let gateway = port.start();
    for name in ["gbk.xml", "byte-order-mark.xml"] {
        port.drop_file(name, sample(name).document);
        concluded(&gateway, name);
    }
    let sent = port.ledger().effects.iter().flat_map(|effect| effect.digests.clone()).collect::<Vec<_>>();
    assert_eq!(sent, ["gbk.xml", "byte-order-mark.xml"].map(|n| hex(sample(n).document)), "byte for byte");
}

#[test]
fn a_zip_that_means_harm_or_is_none() {
    let document = import("Z1");
    let blanks = vec![b' '; 30 << 20];
    let with_attachments = sample("dec_sample.xml");
    let (name, first) = &with_attachments.attachments[0];
    let zip =
        |document_name: &str, more: &[(&str, &[u8])]| zip_of(&[&[(document_name, document.as_slice())], more].concat());
    let mut cut = zip("cut.xml", &[]);
    cut.truncate(cut.len() - 30);
    refused_and_the_next_goes_through(&[
        bad("bomb.zip", "KOUAN-PACKAGE-BOMB", zip("bomb.xml", &[("blanks.pdf", &blanks)])),
        bad("climbs.zip", "KOUAN-PACKAGE-UNSAFE-NAME", zip("climbs.xml", &[("../../OutBox/evil.xml", b"x")])),
        bad("two.zip", "KOUAN-PACKAGE-TWO-DOCUMENTS", zip("two.xml", &[("other.xml", &document)])),
        bad("none.zip", "KOUAN-PACKAGE-NO-DOCUMENT", zip_of(&[("a.pdf", b"%PDF-1.4")])),
        bad("cut.zip", "KOUAN-PACKAGE-BROKEN", cut),
        bad("no-zip.zip", "KOUAN-PACKAGE-NOT-A-ZIP", import("Z2")),
        bad(
            "missing.zip",
            "KOUAN-DEC-ATTACHMENT-MISSING",
            zip_of(&[("missing.xml", with_attachments.document), (name, first)]),
        ),
        bad("extra.zip", "KOUAN-DEC-ATTACHMENT-EXTRA", zip("extra.xml", &[("nobodys.pdf", b"%PDF-1.4")])),
    ]);
}

#[test]
fn a_hundred_megabytes_are_put_aside_unread() {
    let blanks = " ".repeat(100 << 20);
    let bytes = replaced(&import("H1"), "<NoteS/>", &format!("<NoteS/>{blanks}"));
    refused_and_the_next_goes_through(&[bad("huge.xml", "KOUAN-DIRECTORY-TOO-BIG", bytes)]);
}

#[test]
fn a_file_that_grows_while_it_is_looked_at_is_taken_once_and_whole() {
    let port = Port::new(Setup::default());
    let gateway = started(&port, &[("incomplete_ms", 60_000)]);
    let document = import("G1");
    let mut file = std::fs::File::create(port.place("OutBox").join("grows.xml")).unwrap();
    // Slower than any look, and without its end it is left to its writer.
    for chunk in document.chunks(document.len() / 40) {
        file.write_all(chunk).unwrap();
        file.sync_all().unwrap();
        std::thread::sleep(Duration::from_millis(12));
    }
    drop(file);
    taken_once_and_whole(&port, &gateway, "grows.xml", &document);
}

#[test]
fn a_file_that_is_whole_at_every_moment_and_grows_is_taken_when_it_rests() {
    let port = Port::new(Setup::default());
    let gateway = started(&port, &[("stable_ms", 1500)]);
    let mut document = import("G2");
    let mut file = std::fs::File::create(port.place("OutBox").join("rests.xml")).unwrap();
    file.write_all(&document).unwrap();
    // Large enough that a look and a write meet.
    let comment = format!("<!-- {} -->\n", "x".repeat(64 << 10));
    for _ in 0..100 {
        file.write_all(comment.as_bytes()).unwrap();
        document.extend(comment.as_bytes());
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(file);
    taken_once_and_whole(&port, &gateway, "rests.xml", &document);
}

#[test]
fn a_file_that_goes_on_growing_after_it_was_renamed_in_is_taken_once_and_whole() {
    let port = Port::new(Setup::default());
    let gateway = started(&port, &[("stable_ms", 1500), ("incomplete_ms", 60_000)]);
    let document = import("G3");
    let outbox = port.place("OutBox");
    let mut file = std::fs::File::create(outbox.join("renamed.xml.tmp")).unwrap();
    let (first, second) = document.split_at(document.len() / 2);
    file.write_all(first).unwrap();
    std::fs::rename(outbox.join("renamed.xml.tmp"), outbox.join("renamed.xml")).unwrap();
    for chunk in second.chunks(second.len() / 20) {
        std::thread::sleep(Duration::from_millis(12));
        file.write_all(chunk).unwrap();
    }
    drop(file);
    taken_once_and_whole(&port, &gateway, "renamed.xml", &document);
}

/// A gateway whose site has these keys otherwise.
fn started(port: &Port, keys: &[(&str, u64)]) -> Gateway {
    let mut config = port.config();
    let settings = &mut config.site[0].settings;
    settings.extend(keys.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
    Gateway::start(config, &Port::registry(), port.setup.clock.clone()).unwrap()
}

fn taken_once_and_whole(port: &Port, gateway: &Gateway, name: &str, document: &[u8]) {
    concluded(gateway, name);
    let effects = port.ledger().effects;
    assert_eq!((effects.len(), effects[0].count, effects[0].digests.len()), (1, 1, 1));
    assert_eq!(effects[0].digests[0], hex(document), "what was sent is what was written");
    assert_eq!(refused(gateway), 0);
    until("it is in SentBox", || port.names("SentBox") == [name]);
    assert!(std::fs::read(&port::files(&port.place("SentBox"))[0]).unwrap() == document, "{name} is kept as it was");
    until("the folders are clear", || port.names("OutBox").is_empty() && port.names("TempBox").is_empty());
}

fn hex(bytes: &[u8]) -> String {
    kouan_sm::sm3(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refused(gateway: &Gateway) -> u64 {
    gateway.journal().counts().unwrap().by_delivery[Delivery::Refused.number() as usize]
}
