//! Sealing, and reading back what was sealed.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Party, message, moment};
use kouan_dxp::{DigestMethod, DxpMsg, Policy, SignatureMethod, SignatureProfile, SignatureState, Trust, TrustState};
use kouan_dxp::{Unsigned, ValueForm, limits, read, verify, verify_any};
use kouan_sdk::security::{KeyId, Scheme, SignInput};
use kouan_xml::c14n::{self, Part};
use kouan_xml::decode;

#[test]
fn what_is_sealed_verifies_and_reads_back() {
    let party = Party::new(1);
    for size in [0, 1, 2, 3, 1000, 3 << 20] {
        let payload: Vec<u8> = (0..size).map(|n: usize| (n * 7) as u8).collect();
        for profile in [SignatureProfile::transport(), SignatureProfile::business()] {
            let sealed = party.seal(&message(&payload), &profile);
            let verified = verify(&sealed, &Policy::strict(), &party.trust(), moment()).unwrap();
            assert_eq!(verified.message, message(&payload).clone());
            assert_eq!(verified.message.wire_id().unwrap().counter(), 7);
            assert_eq!(verified.verification.signature, SignatureState::Valid);
            assert_eq!(verified.verification.trust, TrustState::Trusted);
            assert_eq!(verified.verification.key_name, party.certificate.serial());
            assert_eq!(sealed.windows(15).any(|w| w == b"X509Certificate"), profile.certificate);
            assert_eq!(read(&sealed).unwrap(), verified.message);
        }
    }
}

#[test]
fn a_zipped_payload_is_smaller_deterministic_and_unpacked_on_reading() {
    let party = Party::new(1);
    let payload = "<x>示例</x>".repeat(5000).into_bytes();
    let zipped = DxpMsg { zipped: true, ..message(&payload) };
    let (once, again) =
        (party.seal(&zipped, &SignatureProfile::transport()), party.seal(&zipped, &SignatureProfile::transport()));
    let body =
        |sealed: &[u8]| String::from_utf8(sealed.to_vec()).unwrap().split("<ds:Signature>").next().unwrap().to_owned();
    assert_eq!(body(&once), body(&again));
    assert!(once.len() < payload.len() / 10);
    let verified = verify(&once, &Policy::strict(), &party.trust(), moment()).unwrap();
    assert_eq!(verified.message.payload, payload);
    assert!(verified.message.zipped);
}

#[test]
fn the_one_pass_digest_is_the_digest_of_the_canonical_form() {
    let party = Party::new(2);
    for (payload, zipped) in [(&b""[..], false), (b"payload", false), (b"payload", true)] {
        let message = DxpMsg { zipped, ..message(payload) };
        let unsigned = Unsigned::envelope(&message, &SignatureProfile::business(), &party.certificate).unwrap();
        let signed_info = unsigned.signed_info().to_vec();
        let sealed = unsigned.seal(&[7; 64]).unwrap();
        let decoded = decode(&sealed, &limits()).unwrap();
        let at = |what: &str| decoded.text().find(what).unwrap();
        // Generic canonicalisation of what was written, against what was hashed and signed without a parser.
        let canonical = c14n::to_vec(&decoded, &limits(), Part::Without(at("<ds:Signature>"))).unwrap();
        let expected = sealed.split_at(at("<DxpMsg")).1.to_vec();
        let text = String::from_utf8(expected).unwrap();
        let (before, after) = (&text[..text.find("<ds:Signature>").unwrap()], "</DxpMsg>");
        assert_eq!(String::from_utf8(canonical.clone()).unwrap(), format!("{before}{after}"));
        assert_eq!(c14n::to_vec(&decoded, &limits(), Part::Element(at("<ds:SignedInfo>"))).unwrap(), signed_info);
        let claimed = text.split("<ds:DigestValue>").nth(1).unwrap().split('<').next().unwrap();
        use base64::Engine as _;
        assert_eq!(claimed, base64::engine::general_purpose::STANDARD.encode(kouan_sm::sm3(&canonical)));
    }
}

#[test]
fn a_batch_is_asked_for_in_one_go() {
    let party = Party::new(3);
    let key = KeyId("card".into());
    let profile = SignatureProfile::transport();
    let payloads: Vec<Vec<u8>> = (0..5u8).map(|n| vec![n; 100]).collect();
    let unsigned: Vec<Unsigned> =
        payloads.iter().map(|p| Unsigned::envelope(&message(p), &profile, &party.certificate).unwrap()).collect();
    let requests: Vec<_> = unsigned.iter().map(|unsigned| unsigned.request(&key)).collect();
    let signatures: Vec<_> = requests
        .iter()
        .map(|request| match request.input {
            SignInput::Message(bytes) => party.key.sign(request.user_id, bytes).unwrap(),
            SignInput::Digest(_) => unreachable!(),
        })
        .collect();
    assert!(requests.iter().all(|request| request.scheme == Scheme::Sm2Sm3 && request.user_id == b"1234567812345678"));
    // A device that takes a digest gives the same.
    let e = unsigned[0].e().unwrap().unwrap();
    unsigned[0].check(party.key.sign_digest(&e).unwrap().as_bytes()).unwrap();
    assert_eq!(unsigned[0].check(signatures[1].as_bytes()).unwrap_err().code(), "KOUAN-SM-SIGNATURE-INVALID");
    for ((unsigned, signature), payload) in unsigned.into_iter().zip(signatures).zip(&payloads) {
        let sealed = unsigned.seal(signature.as_bytes()).unwrap();
        let verified = verify(&sealed, &Policy::strict(), &party.trust(), moment()).unwrap();
        assert_eq!(verified.message.payload, payload.as_slice());
    }
}

#[test]
fn any_document_can_be_signed_and_keeps_its_bytes() {
    let party = Party::new(4);
    let profile = SignatureProfile::business();
    let gbk = [
        &b"<?xml version='1.0' encoding='GBK'?>\r\n<c:\xB5\xA5 xmlns:c='urn:c' xml:lang='zh'> <c:x y=\"1\"/>"[..],
        b"\xD6\xD0\r\n</c:\xB5\xA5>\n",
    ]
    .concat();
    let trailing = b"<a><!--<ds:SignedInfo>--><![CDATA[<ds:SignedInfo>]]></a><!--<ds:SignedInfo>-->".to_vec();
    let cases: [Vec<u8>; 6] = [
        b"<a/>".to_vec(),
        b"\xEF\xBB\xBF<a xmlns='urn:a' b = '1' />".to_vec(),
        b"<ds:a xmlns:ds='urn:other'><ds:b/></ds:a>".to_vec(),
        "<单 xmlns:q='urn:q'/>".into(),
        gbk,
        trailing,
    ];
    for document in cases {
        let shown = String::from_utf8_lossy(&document).into_owned();
        let unsigned = Unsigned::document(&document, &limits(), &profile, &party.certificate).unwrap();
        let signature = party.key.sign(&profile.user_id, unsigned.signed_info()).unwrap();
        let sealed = unsigned.seal(signature.as_bytes()).unwrap();
        let examined = verify_any(&sealed, &Policy::strict(), &party.trust(), moment()).unwrap();
        assert_eq!(
            examined.verification.signature,
            SignatureState::Valid,
            "{shown}: {:?}",
            examined.verification.steps
        );
        let at = sealed.windows(13).position(|w| w == b"<ds:Signature").unwrap();
        let end = sealed.windows(15).rposition(|w| w == b"</ds:Signature>").unwrap() + 15;
        let left = [&sealed[..at], &sealed[end..]].concat();
        let kept =
            left == document || String::from_utf8_lossy(&left).replace("></a>", "/>").replace("></单>", "/>") == shown;
        assert!(kept, "{shown}: {}", String::from_utf8_lossy(&left));
        assert_eq!(
            Unsigned::document(&sealed, &limits(), &profile, &party.certificate).unwrap_err().code(),
            "KOUAN-DXP-ALREADY-SIGNED"
        );
    }
    let utf16: Vec<u8> = "\u{FEFF}<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let refused = Unsigned::document(&utf16, &limits(), &profile, &party.certificate).unwrap_err();
    assert_eq!(refused.code(), "KOUAN-DXP-ENCODING-NOT-SIGNED");
}

#[test]
fn the_old_dialects_are_read_by_policy_only() {
    let party = Party::new(5);
    let old = SignatureProfile {
        signature: SignatureMethod::Sm2Sm3OldName,
        digest: DigestMethod::Sha1,
        value: ValueForm::Der,
        ..SignatureProfile::business()
    };
    let sealed = party.seal(&message(b"x"), &old);
    assert!(verify(&sealed, &Policy::legacy(), &party.trust(), moment()).is_ok());
    let refused = verify(&sealed, &Policy::strict(), &party.trust(), moment()).unwrap_err();
    // Policy is not mathematics.
    let verification = refused.verification.unwrap();
    assert_eq!((verification.signature, verification.trust), (SignatureState::Valid, TrustState::Trusted));
    let failed: Vec<_> = verification.steps.iter().filter(|step| !step.ok).map(|step| step.code).collect();
    assert_eq!(
        failed,
        ["KOUAN-DXP-SIGNATURE-VALUE-FORM", "KOUAN-DXP-DIGEST-METHOD-REFUSED", "KOUAN-DXP-SIGNATURE-METHOD-REFUSED"]
    );
}

#[test]
fn trust_comes_from_configuration_only() {
    let party = Party::new(6);
    let sealed = party.seal(&message(b"x"), &SignatureProfile::business());
    let code = |trust: &Trust, at| verify(&sealed, &Policy::strict(), trust, at).err().map(|error| error.code);
    assert_eq!(code(&party.trust(), moment()), None);
    assert_eq!(code(&Trust::new(vec![party.issuer.clone()]), moment()), None);
    assert_eq!(code(&Trust::new(vec![party.certificate.clone()]), moment()), None);
    assert_eq!(code(&Trust::default(), moment()), Some("KOUAN-SM-CERT-UNTRUSTED"));
    assert_eq!(code(&Party::new(7).trust(), moment()), Some("KOUAN-SM-CERT-UNTRUSTED"));
    let late = moment().plus_millis(10 * 86_400_000);
    assert_eq!(code(&party.trust(), late), Some("KOUAN-SM-CERT-EXPIRED"));
    // The mathematics does not change with trust.
    let examined = verify_any(&sealed, &Policy::strict(), &Trust::default(), moment()).unwrap();
    assert_eq!(examined.verification.signature, SignatureState::Valid);
    assert!(matches!(examined.verification.trust, TrustState::Untrusted { code: "KOUAN-SM-CERT-UNTRUSTED", .. }));
    // Without the certificate nothing can be computed but the digest.
    let sealed = party.seal(&message(b"x"), &SignatureProfile::transport());
    let examined = verify_any(&sealed, &Policy::strict(), &Trust::default(), moment()).unwrap();
    assert_eq!(examined.verification.signature, SignatureState::Unknown);
    let refused = verify(&sealed, &Policy::strict(), &Trust::default(), moment()).unwrap_err();
    assert_eq!(refused.code, "KOUAN-DXP-CERTIFICATE-UNKNOWN");
}

#[test]
fn wrong_input_for_sealing_is_refused() {
    let party = Party::new(8);
    let profile = SignatureProfile::transport();
    let code = |message: &DxpMsg<'_>, profile: &SignatureProfile| {
        Unsigned::envelope(message, profile, &party.certificate).unwrap_err().code()
    };
    assert_eq!(code(&DxpMsg { receivers: vec![], ..message(b"") }, &profile), "KOUAN-DXP-FIELD-MISSING");
    assert_eq!(code(&DxpMsg { message_type: " ".into(), ..message(b"") }, &profile), "KOUAN-DXP-FIELD-MISSING");
    assert_eq!(code(&DxpMsg { file_name: "a\u{1}".into(), ..message(b"") }, &profile), "KOUAN-DXP-FIELD-INVALID");
    assert_eq!(code(&message(b""), &profile.clone().with_rsa_sha1()), "KOUAN-DXP-PROFILE-MISMATCH");
    let unsigned = Unsigned::envelope(&message(b""), &profile, &party.certificate).unwrap();
    assert_eq!(unsigned.seal(&[0; 63]).unwrap_err().code(), "KOUAN-DXP-SIGNATURE-LENGTH");
    for name in ["transport", "business", "transport-rsa", "business-rsa"] {
        assert_eq!(SignatureProfile::named(name).unwrap().name, name);
    }
    assert_eq!(SignatureProfile::named("other"), None);
}
