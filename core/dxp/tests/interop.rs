//! Against an implementation that shares nothing with ours: libxml2 canonicalises, openssl hashes, signs and verifies.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use common::{Party, interop_tools, message, moment};
use kouan_dxp::{DxpMsg, Policy, SignatureProfile, SignatureState, Trust, Unsigned, limits, verify, verify_any};
use kouan_sdk::Timestamp;
use kouan_sm::Certificate;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/dsig.py");

fn script(arguments: &[&Path]) -> Result<String, String> {
    let output = Command::new("python3").arg("-B").arg(SCRIPT).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(said) } else { Err(said + &String::from_utf8_lossy(&output.stderr)) }
}

#[test]
fn what_is_sealed_here_verifies_there() {
    if !interop_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let party = Party::new(21);
    let certificate = folder.path().join("certificate.pem");
    std::fs::write(&certificate, party.certificate.to_pem()).unwrap();
    let mut files: Vec<Vec<u8>> = Vec::new();
    for zipped in [false, true] {
        let message = DxpMsg { zipped, ..message("中文 payload".as_bytes()) };
        files.push(party.seal(&message, &SignatureProfile::transport()));
        files.push(party.seal(&message, &SignatureProfile::business()));
    }
    let profile = SignatureProfile::business();
    let document =
        "<?xml version='1.0' encoding='GBK'?><c:a xmlns:c='urn:c' xmlns='urn:d' xmlns:ds='urn:e'>\r\n<b/> x</c:a>";
    let unsigned = Unsigned::document(document.as_bytes(), &limits(), &profile, &party.certificate).unwrap();
    let signature = party.key.sign(&profile.user_id, unsigned.signed_info()).unwrap();
    files.push(unsigned.seal(signature.as_bytes()).unwrap());
    for (number, bytes) in files.iter().enumerate() {
        let path = folder.path().join(format!("{number}.xml"));
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(script(&[Path::new("verify"), &path, &certificate]).unwrap().trim(), "OK", "file {number}");
    }
    // The judge does judge.
    let path = folder.path().join("bad.xml");
    std::fs::write(&path, String::from_utf8(files[0].clone()).unwrap().replace("DECCUS001", "DECCUS002")).unwrap();
    assert!(script(&[Path::new("verify"), &path, &certificate]).unwrap_err().contains("digest does not match"));
}

#[test]
fn what_is_signed_there_verifies_here() {
    if !interop_tools() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    script(&[Path::new("make"), folder.path()]).unwrap();
    let trust = |name: &str| {
        let pem = std::fs::read_to_string(folder.path().join(format!("{name}.pem"))).unwrap();
        Trust::new(vec![Certificate::from_pem(&pem).unwrap()])
    };
    let file = |name: &str| std::fs::read(folder.path().join(format!("{name}.xml"))).unwrap();
    // These certificates begin to be valid now.
    let now = Timestamp::from_millis(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64,
    );
    for name in ["sm-plain", "sm-pretty", "sm-gb"] {
        let verified =
            verify(&file(name), &Policy::strict(), &trust("sm"), now).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(verified.message.file_name, "发票 & <1>.xml", "{name}");
        assert_eq!(verified.message.biz_keys[1].name, "a\t<b");
        let payload = std::str::from_utf8(&verified.message.payload).unwrap();
        assert_eq!(payload, "<DecMessage xmlns='http://www.chinaport.gov.cn/dec'>示例</DecMessage>");
    }
    let refused = verify(&file("sm-empty-id"), &Policy::strict(), &trust("sm"), now).unwrap_err();
    assert_eq!(refused.code, "KOUAN-DXP-WRONG-USER-ID");
    for name in ["old-sm", "mixed-sm", "rsa"] {
        let envelope = file(&format!("{name}-plain"));
        assert!(verify(&envelope, &Policy::legacy(), &trust(name), now).is_ok(), "{name}");
        let refused = verify(&envelope, &Policy::strict(), &trust(name), now).unwrap_err();
        assert!(refused.code.ends_with("-METHOD-REFUSED"), "{name}: {}", refused.code);
    }
    // Any root, both generations, with nobody trusted: the mathematics alone.
    for name in ["sm", "old-sm", "mixed-sm", "rsa"] {
        let document = file(&format!("{name}-business"));
        let examined = verify_any(&document, &Policy::legacy(), &Trust::default(), moment()).unwrap();
        assert_eq!(examined.root.local, "CEB311Message");
        assert_eq!(examined.verification.signature, SignatureState::Valid, "{name}: {:?}", examined.verification.steps);
        let text = String::from_utf8(document).unwrap().replace("示例", "示范");
        let examined = verify_any(text.as_bytes(), &Policy::legacy(), &Trust::default(), moment()).unwrap();
        assert_eq!(examined.verification.signature, SignatureState::Invalid, "{name}");
    }
}
