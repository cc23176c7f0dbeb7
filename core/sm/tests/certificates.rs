//! Certificates: made here and read by OpenSSL, made by OpenSSL and read here, broken in every byte.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use common::{DISTID, OpenSsl};
use kouan_sdk::Timestamp;
use kouan_sdk::security::KeyKind;
use kouan_sm::{
    CardExtensions, Certificate, DEFAULT_USER_ID, DistinguishedName, Error, Issuer, LeafRequest, PrivateKey,
    TrustAnchors, certificate_request, issue_leaf, self_signed_ca,
};

/// 2026-01-12, and a year in milliseconds.
const NOW: Timestamp = Timestamp::from_millis(1_768_181_710_000);
const YEAR: i64 = 365 * 24 * 60 * 60 * 1000;

fn named(common_name: &str) -> DistinguishedName {
    DistinguishedName {
        country: "CN".into(),
        organization: "口岸, 示例 = \"测试\"".into(),
        unit: "Development".into(),
        common_name: common_name.into(),
    }
}

struct Pair {
    ca_key: PrivateKey,
    ca: Certificate,
    key: PrivateKey,
    leaf: Certificate,
}

/// A development issuer, and what it issued, valid from a year ago for two years (issuer: three).
fn pair() -> Pair {
    let ca_key = PrivateKey::generate().unwrap();
    let ca = self_signed_ca(&named("Issuer"), &ca_key, NOW.plus_millis(-YEAR), NOW.plus_millis(2 * YEAR)).unwrap();
    let key = PrivateKey::generate().unwrap();
    let leaf = leaf(&ca, &ca_key, &key, NOW.plus_millis(-YEAR), NOW.plus_millis(YEAR));
    Pair { ca_key, ca, key, leaf }
}

fn leaf(ca: &Certificate, ca_key: &PrivateKey, key: &PrivateKey, from: Timestamp, until: Timestamp) -> Certificate {
    let card = CardExtensions {
        card_number: Some("03-2100000000001".into()),
        enterprise: Some("口岸示例贸易有限公司".into()),
        organisation_code: Some("MA1KTEST9".into()),
    };
    let subject = named("DXPENT0000000001");
    let request = LeafRequest {
        subject: &subject,
        key: key.public_key(),
        not_before: from,
        not_after: until,
        card: &card,
        encrypts: true,
    };
    issue_leaf(Issuer { certificate: ca, key: ca_key }, &request).unwrap()
}

#[test]
fn what_was_written_is_read() {
    let Pair { ca, key, leaf, .. } = pair();
    let serial = leaf.serial();
    assert!(serial.len() == 16 && serial.starts_with("03") && serial.to_lowercase() == serial, "{serial}");
    assert_eq!((leaf.kind(), leaf.sm2_key()), (KeyKind::Sm2, Some(key.public_key())));
    assert_eq!((leaf.not_before(), leaf.not_after()), (NOW.plus_millis(-YEAR), NOW.plus_millis(YEAR)));
    assert!(leaf.subject().contains("CN=DXPENT0000000001") && leaf.issuer().contains("CN=Issuer"), "{leaf:?}");
    assert_eq!(leaf.card().enterprise.as_deref(), Some("口岸示例贸易有限公司"));
    assert_eq!(leaf.card().organisation_code.as_deref(), Some("MA1KTEST9"));
    assert_eq!(leaf.card().card_number.as_deref(), Some("03-2100000000001"));
    assert_eq!(leaf.card_number().as_deref(), Some("2100000000001"));
    let usage = leaf.key_usage().unwrap();
    assert!(usage.signs && usage.encrypts && !usage.issues && leaf.is_ca() == Some(false));
    assert!(ca.key_usage().unwrap().issues && ca.is_ca() == Some(true) && ca.card_number().is_none());
    assert_ne!(leaf.fingerprint(), ca.fingerprint());
}

#[test]
fn pem_texts_are_read_with_whatever_stands_around() {
    let Pair { ca, leaf, .. } = pair();
    let text = format!("Subject: x\r\n{}\n中文\n{}", leaf.to_pem().replace('\n', "\r\n"), ca.to_pem());
    assert_eq!(Certificate::all_from_pem(&text).unwrap(), [leaf.clone(), ca]);
    assert_eq!(Certificate::from_pem(&text).unwrap(), leaf);
    for broken in ["", "-----BEGIN CERTIFICATE-----\nAAAA", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----"]
    {
        assert!(matches!(Certificate::from_pem(broken), Err(Error::Certificate(_))), "{broken:?}");
    }
}

#[test]
fn trust_needs_the_right_issuer_and_time() {
    let Pair { ca_key, ca, key, leaf: good } = pair();
    let anchors = TrustAnchors::new(vec![ca.clone()]);
    let stranger = pair();
    assert_eq!(anchors.check(&good, NOW), Ok(()));
    assert_eq!(anchors.check(&ca, NOW), Ok(()), "an anchor is believed itself");
    assert_eq!(TrustAnchors::new(vec![good.clone()]).check(&good, NOW), Ok(()));
    // Same names, other key.
    assert_eq!(anchors.check(&stranger.leaf, NOW), Err(Error::SignatureInvalid));
    assert!(matches!(TrustAnchors::default().check(&good, NOW), Err(Error::Untrusted(_))));
    assert!(matches!(anchors.check(&good, NOW.plus_millis(-2 * YEAR)), Err(Error::NotYetValid(_))));
    assert!(matches!(anchors.check(&good, NOW.plus_millis(YEAR + 1000)), Err(Error::Expired(_))));
    let outlives = leaf(&ca, &ca_key, &key, NOW, NOW.plus_millis(9 * YEAR));
    assert!(matches!(anchors.check(&outlives, NOW.plus_millis(3 * YEAR)), Err(Error::Expired(_))));
    // A leaf is no issuer, even if it signs.
    let below = leaf(&good, &key, &PrivateKey::generate().unwrap(), NOW, NOW.plus_millis(YEAR));
    assert_eq!(below.verify_signed_by(&good), Ok(()), "the mathematics alone");
    assert!(TrustAnchors::new(vec![good]).check(&below, NOW).is_err());
}

#[test]
fn names_that_cannot_be_written_are_refused() {
    let key = PrivateKey::generate().unwrap();
    let made = |name: &DistinguishedName, until| self_signed_ca(name, &key, NOW, NOW.plus_millis(until));
    assert!(matches!(made(&DistinguishedName::default(), YEAR), Err(Error::Issue(_))));
    let chinese = DistinguishedName { country: "中国".into(), ..DistinguishedName::default() };
    assert!(matches!(made(&chinese, YEAR), Err(Error::Issue(_))));
    assert!(matches!(made(&named("x"), 0), Err(Error::Issue(_))));
}

#[test]
fn no_changed_byte_is_believed() {
    let Pair { ca, leaf, .. } = pair();
    let good = leaf.der();
    for at in 0..good.len() {
        for change in [0x01, 0x80, 0xFF] {
            let mut der = good.to_vec();
            der[at] ^= change;
            if let Ok(read) = Certificate::from_der(&der) {
                assert!(read.verify_signed_by(&ca).is_err(), "byte {at} changed by {change:#x} is still believed");
            }
        }
        assert!(Certificate::from_der(&good[..at]).is_err(), "cut at {at}");
    }
    assert!(Certificate::from_der(&[good, &[0]].concat()).is_err(), "a byte too many");
}

#[test]
fn openssl_reads_and_verifies_what_is_issued_here() {
    let Some(openssl) = OpenSsl::find() else { return };
    let Pair { ca, key, leaf, .. } = pair();
    openssl.write("ca.pem", ca.to_pem()).write("leaf.pem", leaf.to_pem()).write("leaf.der", leaf.der());
    let text = openssl.run("x509 -in leaf.pem -noout -text -nameopt utf8");
    for expected in ["SM2-with-SM3", "Digital Signature, Non Repudiation, Key Encipherment", "DXPENT0000000001"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert_eq!(
        openssl.run("x509 -in leaf.pem -noout -serial").trim().to_lowercase(),
        format!("serial={}", leaf.serial())
    );
    openssl.run(&format!("verify -vfyopt {DISTID} -attime 1768181710 -CAfile ca.pem leaf.pem"));
    // The signed part and the signature, cut out by OpenSSL and verified with the issuer's key.

    openssl.write("ca-pub.pem", openssl.run("x509 -in ca.pem -noout -pubkey"));
    openssl.run("asn1parse -inform DER -in leaf.der -strparse 4 -out tbs.der -noout");
    let listing = openssl.run("asn1parse -inform DER -in leaf.der");
    let last = listing.lines().rfind(|line| line.contains("BIT STRING")).unwrap();
    let offset = last.split(':').next().unwrap().trim();
    openssl.run(&format!("asn1parse -inform DER -in leaf.der -strparse {offset} -out signature.der -noout"));
    openssl.run(&format!("dgst -sm3 -verify ca-pub.pem -sigopt {DISTID} -signature signature.der tbs.der"));

    let request =
        certificate_request(&named("请求"), key.public_key(), |bytes| key.sign(DEFAULT_USER_ID, bytes)).unwrap();
    openssl.write("request.der", request);
    openssl.run(&format!("req -inform DER -in request.der -verify -noout -vfyopt {DISTID}"));
}

#[test]
fn what_openssl_issues_is_read_and_verified_here() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.write(
        "ext",
        "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,nonRepudiation\n\
         1.3.6.1.4.1.5315.100.5.9=ASN1:UTF8String:03-2100000000001\n\
         1.3.6.1.4.1.5315.100.5.8=ASN1:UTF8String:PERSONAL\n",
    );
    for (kind, make, hash) in [
        (KeyKind::Sm2, "genpkey -algorithm SM2", "-sm3 -sigopt distid:1234567812345678"),
        (KeyKind::Rsa, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-sha1"),
        (KeyKind::Rsa, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "-sha256"),
    ] {
        openssl.run(&format!("{make} -out ca.key"));
        openssl.run(&format!("{make} -out leaf.key"));
        openssl.run(&format!("req -x509 -new -key ca.key {hash} -subj /C=CN/O=CA -days 30 -out ca.pem"));
        openssl.run(&format!("req -new -key leaf.key {hash} -subj /C=CN/O=E-Port/CN=x -out leaf.csr"));
        let vfyopt = if kind == KeyKind::Sm2 { "-vfyopt distid:1234567812345678 " } else { "" };
        openssl.run(&format!(
            "x509 -req -in leaf.csr {vfyopt}-CA ca.pem -CAkey ca.key -set_serial 0xA3040506 {hash} -days 30 -extfile ext -out leaf.pem"
        ));
        let (ca, leaf) =
            (Certificate::from_pem(&openssl.text("ca.pem")), Certificate::from_pem(&openssl.text("leaf.pem")));
        let (ca, leaf) = (ca.unwrap(), leaf.unwrap());
        assert_eq!((leaf.kind(), leaf.serial()), (kind, "a3040506"));
        leaf.verify_signed_by(&ca).unwrap();
        ca.verify_signed_by(&ca).unwrap();
        assert_eq!(leaf.card_number().as_deref(), Some("2100000000001"));
        assert!(!format!("{leaf:?} {:?}", leaf.card()).contains("PERSONAL"), "the identity number is never read");
        assert!(leaf.verify_signed_by(&pair().ca).is_err());
    }
}

/// E-Port cards write the algorithm with NULL parameters (`domain/goods-declaration.md` §4.2b): the same certificate,
/// signed anew with NULL put in both places.
#[test]
fn a_null_parameter_is_accepted() {
    let Pair { ca_key, ca, leaf, .. } = pair();
    let plain = hex::decode("300a06082a811ccf55018375").unwrap();
    let with_null = hex::decode("300c06082a811ccf550183750500").unwrap();
    let (head, tbs) = (4, sequence_at(leaf.der(), 4));
    let at = tbs.windows(plain.len()).position(|window| window == plain).unwrap();
    let content = [&tbs[head..at], &with_null, &tbs[at + plain.len()..]].concat();
    let tbs = sequence(&content);
    let signature = ca_key.sign(DEFAULT_USER_ID, &tbs).unwrap().to_der();
    let bits = [&[0x03, u8::try_from(signature.len() + 1).unwrap(), 0][..], &signature].concat();
    let read = Certificate::from_der(&sequence(&[tbs, with_null, bits].concat())).unwrap();
    read.verify_signed_by(&ca).unwrap();
    assert_eq!(read.serial(), leaf.serial());
}

/// The long-form sequence that begins at `at`, header included.
fn sequence_at(der: &[u8], at: usize) -> Vec<u8> {
    assert_eq!(der[at..at + 2], [0x30, 0x82]);
    let length = usize::from(u16::from_be_bytes([der[at + 2], der[at + 3]]));
    der[at..at + 4 + length].to_vec()
}

fn sequence(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82, length[0], length[1]][..], content].concat()
}
