//! Envelopes that are broken or forged: each kind is refused by its own code.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Party, message, moment};
use kouan_dxp::{DxpMsg, Policy, SignatureProfile, SignatureState, Step, Unsigned, limits, read, verify, verify_any};

fn sealed(party: &Party) -> String {
    String::from_utf8(party.seal(&message(b"<payload/>"), &SignatureProfile::business())).unwrap()
}

fn code(party: &Party, envelope: &str) -> &'static str {
    let refused = verify(envelope.as_bytes(), &Policy::strict(), &party.trust(), moment());
    let refused = refused.err().unwrap_or_else(|| panic!("accepted: {envelope}"));
    assert!(kouan_sdk::catalogue::lookup(refused.code).is_some(), "{} is not in the catalogue", refused.code);
    if let Some(verification) = &refused.verification {
        let first = verification.steps.iter().find(|step| !step.ok);
        assert!(first.is_none_or(|step| step.code == refused.code));
        verification.steps.iter().for_each(is_told_in_chinese);
    }
    refused.code
}

/// Values are the same in every language; words are not.
fn is_told_in_chinese(step: &Step) {
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    for (text, zh) in [(&step.expected, step.expected_zh()), (&step.got, step.got_zh())] {
        let left: Vec<_> = zh.split(' ').filter(is_word).collect();
        assert!(
            left.len() < 2 && (zh != *text || left.is_empty() || *text == "base64"),
            "{}: {text:?} → {zh}",
            step.code
        );
    }
}

/// Replaces the one occurrence of `from`.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replace(from, to)
}

/// The Signature element.
fn signature(text: &str) -> &str {
    let (start, end) = (text.find("<ds:Signature>").unwrap(), text.find("</ds:Signature>").unwrap());
    &text[start..end + "</ds:Signature>".len()]
}

fn canonical(bytes: &[u8]) -> Vec<u8> {
    let decoded = kouan_xml::decode(bytes, &limits()).unwrap();
    kouan_xml::c14n::to_vec(&decoded, &limits(), kouan_xml::c14n::Part::Document).unwrap()
}

#[test]
fn changed_content() {
    let party = Party::new(11);
    let good = sealed(&party);
    let changes = [
        ("<MsgType>DECCUS001", "<MsgType>DECCUS002"),
        ("<SenderId>DXPENT0000000001", "<SenderId>DXPENT0000000002"),
        ("</TransInfo>", " </TransInfo>"),
        ("</Data>", "AAAA</Data>"),
        (" ver=\"1.0\"", " ver=\"1.1\""),
        ("</AddInfo>", "</AddInfo><?pi x?>"),
        ("</DxpMsg>", "\n</DxpMsg>"),
        ("</AddInfo>", "</AddInfo><Other/>"),
    ];
    for (from, to) in changes {
        assert_eq!(code(&party, &replace(&good, from, to)), "KOUAN-DXP-DIGEST-MISMATCH", "{to}");
    }
    // What has the same canonical form is the same.
    for (from, to) in [(" ver=\"1.0\"", "  ver='1&#46;0' "), ("<MsgType>DECCUS001", "<MsgType><![CDATA[DECCUS]]>001")] {
        assert!(
            verify(replace(&good, from, to).as_bytes(), &Policy::strict(), &party.trust(), moment()).is_ok(),
            "{to}"
        );
    }
}

#[test]
fn moved_doubled_and_nested_signatures() {
    let party = Party::new(12);
    let good = sealed(&party);
    let element = signature(&good).to_owned();
    let bare = good.replace(&element, "");
    assert_eq!(code(&party, &bare), "KOUAN-DXP-SIGNATURE-ABSENT");
    let examined = verify_any(bare.as_bytes(), &Policy::strict(), &party.trust(), moment()).unwrap();
    assert_eq!(examined.verification.signature, SignatureState::Absent);
    assert_eq!(
        code(&party, &replace(&bare, "</AddInfo>", &format!("{element}</AddInfo>"))),
        "KOUAN-DXP-SIGNATURE-MISPLACED"
    );
    assert_eq!(code(&party, &good.replace(&element, &element.repeat(2))), "KOUAN-DXP-SIGNATURE-NOT-ONE");
    let nested = replace(&good, "</ds:Signature>", &format!("<ds:Object>{element}</ds:Object></ds:Signature>"));
    assert_eq!(code(&party, &nested), "KOUAN-DXP-SIGNATURE-NOT-ONE");
    // The whole signed document wrapped in a forged one.
    let inner = &good[good.find("<DxpMsg").unwrap()..];
    let wrapped =
        format!("<DxpMsg xmlns=\"http://www.chinaport.gov.cn/dxp\">{}<Old>{inner}</Old></DxpMsg>", "<Data>AAAA</Data>");
    assert_eq!(code(&party, &wrapped), "KOUAN-DXP-SIGNATURE-MISPLACED");
    // As root.
    let alone = element.replace("<ds:Signature>", "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">");
    assert_eq!(code(&party, &alone), "KOUAN-DXP-SIGNATURE-MISPLACED");
}

#[test]
fn other_references_transforms_and_methods() {
    let party = Party::new(13);
    let good = sealed(&party);
    let ds = "http://www.w3.org/2000/09/xmldsig#";
    let transform = format!("<ds:Transform Algorithm=\"{ds}enveloped-signature\"></ds:Transform>");
    let cases = [
        ("URI=\"\"", "URI=\"#x\"", "KOUAN-DXP-REFERENCE-REFUSED"),
        (" URI=\"\"", "", "KOUAN-DXP-REFERENCE-REFUSED"),
        ("URI=\"\"", "URI=\"file:///etc/passwd\"", "KOUAN-DXP-REFERENCE-REFUSED"),
        ("</ds:Reference>", "</ds:Reference><ds:Reference URI=\"\"></ds:Reference>", "KOUAN-DXP-REFERENCE-REFUSED"),
        ("#enveloped-signature", "#base64", "KOUAN-DXP-TRANSFORM-REFUSED"),
        (&transform, "", "KOUAN-DXP-TRANSFORM-REFUSED"),
        (
            "</ds:Transforms>",
            "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\"></ds:Transform></ds:Transforms>",
            "KOUAN-DXP-TRANSFORM-REFUSED",
        ),
        (
            "REC-xml-c14n-20010315\"></ds:C",
            "REC-xml-c14n-20010315#WithComments\"></ds:C",
            "KOUAN-DXP-CANONICALIZATION-REFUSED",
        ),
        ("xmldsig#sm3\"", "xmldsig#none\"", "KOUAN-DXP-DIGEST-METHOD-REFUSED"),
        ("xmldsig#sm2-sm3\"", "xmldsig#none\"", "KOUAN-DXP-SIGNATURE-METHOD-REFUSED"),
        (
            "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3\"",
            "http://www.w3.org/2000/09/xmldsig#sha1\"",
            "KOUAN-DXP-DIGEST-MISMATCH",
        ),
        ("</ds:SignedInfo>", "<ds:Evil></ds:Evil></ds:SignedInfo>", "KOUAN-DXP-SIGNATURE-FORM"),
        ("<ds:SignedInfo>", "<ds:KeyInfo></ds:KeyInfo><ds:SignedInfo>", "KOUAN-DXP-SIGNATURE-FORM"),
        (
            "<ds:SignatureValue>",
            "<ds:SignatureValue></ds:SignatureValue><ds:SignatureValue>",
            "KOUAN-DXP-SIGNATURE-FORM",
        ),
        ("</ds:DigestMethod>", "</ds:DigestMethod><ds:DigestValue>AA==</ds:DigestValue>", "KOUAN-DXP-SIGNATURE-FORM"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(code(&party, &replace(&good, from, to)), expected, "{to}");
    }
}

#[test]
fn algorithms_are_not_downgraded() {
    let party = Party::new(14);
    let weak = SignatureProfile { digest: kouan_dxp::DigestMethod::Sha1, ..SignatureProfile::business() };
    let sealed = String::from_utf8(party.seal(&message(b"x"), &weak)).unwrap();
    assert_eq!(code(&party, &sealed), "KOUAN-DXP-DIGEST-METHOD-REFUSED");
    let old = SignatureProfile { signature: kouan_dxp::SignatureMethod::Sm2Sm3OldName, ..SignatureProfile::business() };
    let sealed = String::from_utf8(party.seal(&message(b"x"), &old)).unwrap();
    assert_eq!(code(&party, &sealed), "KOUAN-DXP-SIGNATURE-METHOD-REFUSED");
    // A method for another kind of key than the certificate's.
    let renamed = replace(
        &self::sealed(&party),
        "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3",
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    );
    assert_eq!(code(&party, &renamed), "KOUAN-DXP-SIGNATURE-INVALID");
}

#[test]
fn comments_user_ids_keys_and_values() {
    let party = Party::new(15);
    let good = sealed(&party);
    // A comment does not change what is signed, nor what is read; it is refused all the same.
    assert_eq!(code(&party, &replace(&good, "<SenderId>DXPENT", "<SenderId>DXP<!--x-->ENT")), "KOUAN-DXP-COMMENT");
    let lenient = Policy { comments: true, ..Policy::strict() };
    let commented = replace(&good, "<SenderId>DXPENT", "<SenderId>DXP<!--x-->ENT");
    let verified = verify(commented.as_bytes(), &lenient, &party.trust(), moment()).unwrap();
    assert_eq!(verified.message.sender, "DXPENT0000000001");
    let outside = replace(&good, "<DxpMsg", "<!--before--><DxpMsg");
    assert!(verify(outside.as_bytes(), &Policy::strict(), &party.trust(), moment()).is_ok());

    let other = SignatureProfile { user_id: vec![], ..SignatureProfile::business() };
    let empty_id = String::from_utf8(party.seal(&message(b"x"), &other)).unwrap();
    assert_eq!(code(&party, &empty_id), "KOUAN-DXP-WRONG-USER-ID");
    let unusual = SignatureProfile { user_id: b"somebody".to_vec(), ..SignatureProfile::business() };
    let unusual = String::from_utf8(party.seal(&message(b"x"), &unusual)).unwrap();
    assert_eq!(code(&party, &unusual), "KOUAN-DXP-SIGNATURE-INVALID");
    let policy = Policy { user_id: b"somebody".to_vec(), ..Policy::strict() };
    assert!(verify(unusual.as_bytes(), &policy, &party.trust(), moment()).is_ok());

    // Signed by another key than the certificate's.
    let profile = SignatureProfile::business();
    let unsigned = Unsigned::envelope(&message(b"x"), &profile, &party.certificate).unwrap();
    let foreign = Party::new(99).key.sign(&profile.user_id, unsigned.signed_info()).unwrap();
    let forged = String::from_utf8(unsigned.seal(foreign.as_bytes()).unwrap()).unwrap();
    assert_eq!(code(&party, &forged), "KOUAN-DXP-SIGNATURE-INVALID");

    let value = good.split("<ds:SignatureValue>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    for wrong in ["", "AAAA", "%%%%"] {
        assert_eq!(code(&party, &replace(&good, &value, wrong)), "KOUAN-DXP-SIGNATURE-VALUE-FORM", "{wrong}");
    }
    let zeros = format!("{}==", "A".repeat(86));
    assert_eq!(code(&party, &replace(&good, &value, &zeros)), "KOUAN-DXP-SIGNATURE-INVALID");
}

#[test]
fn bits_flipped_anywhere() {
    let party = Party::new(16);
    let good = sealed(&party).into_bytes();
    let body = good.windows(8).position(|w| w == b"?>\n<DxpM").unwrap() + 3;
    let key_info = good.windows(12).position(|w| w == b"<ds:KeyInfo>").unwrap();
    let key_info_end = good.windows(13).position(|w| w == b"</ds:KeyInfo>").unwrap() + 13;
    let mut accepted = Vec::new();
    for at in (body..good.len()).filter(|at| !(key_info..key_info_end).contains(at)) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        if verify(&bad, &Policy::strict(), &party.trust(), moment()).is_ok() && canonical(&bad) != canonical(&good) {
            accepted.push(String::from_utf8_lossy(&bad[at.saturating_sub(10)..at + 10]).into_owned());
        }
    }
    // KeyInfo only selects, so it is not covered; everything else is, but for `&#xd;` instead of `&#xD;` and the like.
    assert!(accepted.is_empty(), "{accepted:?}");
}

#[test]
fn fields_that_are_missing_twice_or_broken() {
    let good = String::from_utf8(Party::new(17).seal(&message(b"x"), &SignatureProfile::transport())).unwrap();
    let code = |text: &str| read(text.as_bytes()).unwrap_err().code();
    assert_eq!(code("<DecMessage xmlns='http://www.chinaport.gov.cn/dec'/>"), "KOUAN-DXP-NOT-DXPMSG");
    assert_eq!(code("<DxpMsg/>"), "KOUAN-DXP-NOT-DXPMSG");
    assert_eq!(code("<DxpMsg xmlns='http://www.chinaport.gov.cn/dxp'/>"), "KOUAN-DXP-FIELD-MISSING");
    assert_eq!(code(&replace(&good, "<Data>eA==</Data>", "")), "KOUAN-DXP-FIELD-MISSING");
    assert_eq!(code(&replace(&good, "<ReceiverId>DXPDSWDEC0000002</ReceiverId>", "")), "KOUAN-DXP-FIELD-MISSING");
    assert_eq!(code(&replace(&good, "<MsgType>", "<MsgType>A</MsgType><MsgType>")), "KOUAN-DXP-FIELD-TWICE");
    assert_eq!(code(&replace(&good, "<Data>", "<Data></Data><Data>")), "KOUAN-DXP-FIELD-TWICE");
    let error = read(replace(&good, "eA==", "eA=*").as_bytes()).unwrap_err();
    assert_eq!(error.code(), "KOUAN-DXP-BAD-BASE64");
    let column = good.lines().nth(1).unwrap().find("eA==").unwrap() + 4;
    assert!(
        error
            .to_string()
            .contains(&format!("line 2, column {}", good.lines().nth(1).unwrap()[..column].chars().count())),
        "{error}"
    );
    assert_eq!(code(&replace(&good, "eA==", "H4sIAAAAAAAA")), "KOUAN-DXP-BAD-GZIP");
    assert_eq!(code("<DxpMsg"), "KOUAN-XML-TRUNCATED");
}

#[test]
fn a_bomb_is_not_unpacked() {
    use base64::Engine as _;
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..65 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = base64::engine::general_purpose::STANDARD.encode(encoder.finish().unwrap());
    let party = Party::new(18);
    let good = String::from_utf8(party.seal(&message(b"x"), &SignatureProfile::transport())).unwrap();
    let planted = replace(&good, "eA==", &bomb);
    assert_eq!(read(planted.as_bytes()).unwrap_err().code(), "KOUAN-DXP-PAYLOAD-TOO-BIG");
    // Whoever cannot sign is told so before anything is unpacked.
    let refused = verify(planted.as_bytes(), &Policy::strict(), &party.trust(), moment()).unwrap_err();
    assert_eq!(refused.code, "KOUAN-DXP-DIGEST-MISMATCH");
}

#[test]
fn a_payload_longer_than_the_policy_takes_is_refused_though_it_is_signed() {
    let party = Party::new(18);
    for zipped in [false, true] {
        let sealed = party.seal(&DxpMsg { zipped, ..message(&[b' '; 1000]) }, &SignatureProfile::transport());
        let with = |max_payload| verify(&sealed, &Policy { max_payload, ..Policy::strict() }, &party.trust(), moment());
        assert_eq!(with(1000).unwrap().message.payload.len(), 1000);
        assert_eq!(with(999).unwrap_err().code, "KOUAN-DXP-PAYLOAD-TOO-BIG");
    }
}

#[test]
fn the_field_s_own_layout_is_read() {
    let sample = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>
<DxpMsg xmlns=\"http://www.chinaport.gov.cn/dxp\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" ver=\"1.0\">
  <TransInfo>
    <CopMsgId>DXPDSWDEC0000002202601120935100001</CopMsgId>
    <SenderId>DXPDSWDEC0000002</SenderId>
    <ReceiverIds><ReceiverId>DXPENT0000000001</ReceiverId><ReceiverId>DXPENT0000000002</ReceiverId></ReceiverIds>
    <CreatTime>2026-01-12T09:35:10Z</CreatTime>
    <MsgType>DECCUS001</MsgType>
  </TransInfo>
  <Data>\r\n\u{FEFF}aGVs&#xD;\nbG8=\r\n</Data>
  <AddInfo>
    <FileName>TEST202601120001.xml</FileName>
    <IcCard>2100000000001</IcCard>
    <BizKey><Key name=\"RetType\"></Key><Key name=\"DealFlag\">1</Key></BizKey>
  </AddInfo>
</DxpMsg>\n";
    let message = read(sample.as_bytes()).unwrap();
    assert_eq!(message.payload, &b"hello"[..]);
    assert_eq!(message.receivers, ["DXPENT0000000001", "DXPENT0000000002"]);
    assert_eq!(message.created_at(), Some(moment()));
    assert_eq!((message.file_name.as_str(), message.ic_card.as_str()), ("TEST202601120001.xml", "2100000000001"));
    assert_eq!(message.biz_keys.len(), 2);
    assert_eq!((message.biz_keys[0].name.as_str(), message.biz_keys[0].value.as_str()), ("RetType", ""));
    assert_eq!(message.biz_keys[1].value, "1");
    assert!(!message.zipped);
}
