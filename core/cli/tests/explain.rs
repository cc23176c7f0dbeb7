//! `kouan explain` and `kouan key` as a user runs them.

#![allow(clippy::unwrap_used)]

mod common;

use common::{kouan, samples};
use kouan_dxp::{DxpMsg, SignatureProfile, Unsigned, WireId};
use kouan_sdk::{Clock as _, SystemClock};
use kouan_sm::{AnyPrivateKey, Certificate};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const PASSWORD: &str = "only for this test";

fn explained(args: &[&str]) -> (Option<i32>, Value) {
    let output = kouan(&[&["explain", "--json"], args].concat());
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"));
    (output.status.code(), value)
}

#[test]
fn a_message_tells_its_keys_and_its_route() {
    let (exit, told) = explained(&["good/import.xml"]);
    assert_eq!(exit, Some(0), "{told}");
    assert_eq!((&told["kind"], &told["business"]), (&json!("message"), &json!("goods-declaration")));
    assert_eq!(
        (&told["type"], &told["signature"], &told["trust"]),
        (&json!("DECCUS001"), &json!("absent"), &json!(null))
    );
    assert_eq!(told["keys"][0], json!({"name": "ClientSeqNo", "value": "TEST202601120001"}));
    assert_eq!(told["message"]["parts"][0]["receivers"], json!(["DXPDSWDEC0000002"]));
    let bytes = std::fs::read(samples().join("good/import.xml")).unwrap();
    assert_eq!(
        (&told["message"]["parts"][0]["bytes"], &told["sm3"]),
        (&json!(bytes.len()), &json!(hex::encode(kouan_sm::sm3(&bytes))))
    );
}

#[test]
fn a_zip_tells_a_part_for_each_attachment() {
    let (exit, told) = explained(&["good/attachments.zip"]);
    assert_eq!((exit, &told["kind"]), (Some(0), &json!("message")));
    assert!(told["message"]["parts"].as_array().unwrap().len() > 1, "{told}");
}

#[test]
fn receipts_tell_their_outcome() {
    for (file, type_name, outcome) in [
        ("Successed_TEST202601120001_202601120935104383412.xml", "DecImportResponse", "accepted"),
        ("Failed_TEST202601120001_202601120935204383412.xml", "DecImportResponse", "rejected"),
        ("Receipt_I20260000000000001_20260112100600000000.xml", "DEC_RESULT", "concluded"),
    ] {
        let (exit, told) = explained(&[&format!("receipts/{file}")]);
        assert_eq!((exit, &told["kind"], &told["type"]), (Some(0), &json!("receipt"), &json!(type_name)), "{file}");
        assert_eq!(told["outcome"], outcome, "{file}: {told}");
        assert!(!told["keys"].as_array().unwrap().is_empty(), "{file}");
    }
}

#[test]
fn what_gets_signed_is_told_or_why_nothing_can_be() {
    let (_, told) = explained(&["declare/import.xml"]);
    assert_eq!(told["message"]["to_sign_problem"]["code"], "KOUAN-DEC-NO-SIGNING-PROFILE", "{told}");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("kouan.toml");
    let text = "[[identity]]\ndxp_id = \"DXPENT0000000001\"\n[[business]]\nplugin = \"goods-declaration\"\nsigning_profile = \"sandbox-document\"\n";
    std::fs::write(&config, text).unwrap();
    let (exit, told) = explained(&["--config", config.to_str().unwrap(), "declare/import.xml"]);
    let to_sign = &told["message"]["to_sign"];
    assert_eq!((exit, &to_sign["form"]), (Some(0), &json!("raw")), "{told}");
    let text = to_sign["text"].as_str().unwrap();
    assert_eq!(to_sign["sm3"], hex::encode(kouan_sm::sm3(text.as_bytes())));
}

#[test]
fn what_nobody_knows_is_unknown() {
    let (exit, told) = explained(&["receipts/subscription_EncryptedData_skeleton.xml"]);
    assert_eq!((exit, &told["kind"], &told["root"]["local"]), (Some(0), &json!("unknown"), &json!("EncryptedData")));
    let (exit, told) = explained(&["../README.md"]);
    assert_eq!((exit, &told["kind"]), (Some(1), &json!("unknown")));
    assert_eq!(told["problem"]["code"], "KOUAN-XML-NOT-WELL-FORMED");
}

/// A pair made by the binary itself.
fn generate(folder: &Path) -> (AnyPrivateKey, Certificate) {
    let output = Command::new(env!("CARGO_BIN_EXE_kouan"))
        .args(["key", "generate", "client", "--dxp-id", "DXPENT0000000001", "--folder"])
        .arg(folder)
        .env("KOUAN_KEY_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let key = AnyPrivateKey::from_pem(&text("client.key.pem"), Some(PASSWORD)).unwrap();
    (key, Certificate::from_pem(&text("client.cert.pem")).unwrap())
}

/// A declaration in a signed envelope.
fn sealed(key: &AnyPrivateKey, certificate: &Certificate, payload: &[u8]) -> Vec<u8> {
    let AnyPrivateKey::Sm2(key) = key else { panic!("not an SM2 key") };
    let now = SystemClock.now();
    let id = WireId::new("DXPENT0000000001", now, 1).unwrap();
    let message = DxpMsg::new(&id, vec!["DXPDSWDEC0000002".into()], now, "DECCUS001", payload);
    let profile = SignatureProfile { certificate: true, ..SignatureProfile::transport() };
    let unsigned = Unsigned::envelope(&message, &profile, certificate).unwrap();
    let signature = key.sign(&profile.user_id, unsigned.signed_info()).unwrap();
    unsigned.seal(signature.as_bytes()).unwrap()
}

#[test]
fn an_envelope_is_verified_step_by_step_and_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (key, certificate) = generate(folder.path());
    let payload = std::fs::read(samples().join("good/import.xml")).unwrap();
    let envelope = sealed(&key, &certificate, &payload);
    let path = folder.path().join("envelope.xml");
    std::fs::write(&path, &envelope).unwrap();
    let file = path.to_str().unwrap();

    let (exit, told) = explained(&[file]);
    assert_eq!((exit, &told["kind"], &told["type"]), (Some(0), &json!("envelope"), &json!("DECCUS001")), "{told}");
    assert_eq!((&told["signature"], &told["trust"]), (&json!("valid"), &json!("untrusted")));
    assert_eq!(told["business"], "goods-declaration");
    assert_eq!(told["keys"][0]["value"], "TEST202601120001");
    assert_eq!(told["envelope"]["payload"]["kind"], "message");
    assert!(told["trust_why"].as_str().unwrap().contains("KOUAN-"), "{told}");

    let ca = folder.path().join("development-ca.cert.pem");
    let (_, told) = explained(&[file, "--trust", ca.to_str().unwrap()]);
    assert_eq!((&told["signature"], &told["trust"]), (&json!("valid"), &json!("trusted")), "{told}");
    assert!(told["steps"].as_array().unwrap().iter().all(|step| step["ok"] == true), "{told}");

    let forged = String::from_utf8(envelope).unwrap().replacen("DXPDSWDEC0000002", "DXPDSWDEC0000003", 1);
    std::fs::write(&path, forged).unwrap();
    let (exit, told) = explained(&[file]);
    assert_eq!((exit, &told["signature"]), (Some(1), &json!("invalid")));
    let failed: Vec<_> = told["steps"].as_array().unwrap().iter().filter(|step| step["ok"] == false).collect();
    assert_eq!(failed[0]["name"], "digest", "{told}");
    assert_ne!(failed[0]["expected"], failed[0]["got"]);
    let zh = String::from_utf8(kouan(&["explain", "--lang", "zh", file]).stdout).unwrap();
    let untrusted = kouan_sdk::catalogue::lookup(told["trust_code"].as_str().unwrap()).unwrap();
    for text in [&*untrusted.cause_zh, "不通过  摘要", "应为", "可信"] {
        assert!(zh.contains(text), "{text}: {zh}");
    }
    for english in ["expected", "trusted", "digest", "certificate"] {
        assert!(!zh.contains(english), "{english}: {zh}");
    }
}

#[test]
fn people_read_it_in_their_language() {
    let zh = String::from_utf8(kouan(&["explain", "--lang", "zh", "good/import.xml"]).stdout).unwrap();
    assert!(zh.starts_with("类别      报文\n"), "{zh}");
    let en = String::from_utf8(kouan(&["explain", "good/import.xml"]).stdout).unwrap();
    assert!(en.starts_with("kind"), "{en}");
}

#[test]
fn keys_are_listed_and_a_password_is_asked_for_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("keys");
    generate(&folder);
    let output = kouan(&["key", "list", "--json", folder.to_str().unwrap()]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["client", "development-ca"]);
    assert!(listed["keys"].as_array().unwrap().iter().all(|key| key["encrypted"] == true), "{listed}");
    let without = kouan(&["key", "generate", "x", "--dxp-id", "DXPENT0000000001", "--password-env", "KOUAN_NOT_SET"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(String::from_utf8(without.stderr).unwrap().contains("KOUAN_NOT_SET"));
    let twice = Command::new(env!("CARGO_BIN_EXE_kouan"))
        .args(["key", "generate", "client", "--dxp-id", "DXPENT0000000001", "--folder"])
        .arg(&folder)
        .env("KOUAN_KEY_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    assert_eq!(twice.status.code(), Some(1));
}
