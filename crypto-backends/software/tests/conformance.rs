//! The software backend passes the kit, with an SM2 key and with a legacy RSA key.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use common::{NOW, PASSWORD, context, pair, settings};
use kouan_sdk::Context;
use kouan_sdk::conformance::security::{Subject, check};
use kouan_sdk::security::{Scheme, SecurityIdentity, SignInput, Wrapped};
use kouan_security_software::PLUGIN;
use kouan_sm::{AnyPrivateKey, Certificate, CertificateKey, RawSignature, sha1};

fn verify(identity: &SecurityIdentity, scheme: Scheme, user_id: &[u8], input: SignInput<'_>, signature: &[u8]) -> bool {
    let certificate = Certificate::from_der(&identity.certificate).unwrap();
    match (scheme, certificate.public_key(), input) {
        (Scheme::Sm2Sm3, CertificateKey::Sm2(key), SignInput::Message(message)) => {
            RawSignature::from_slice(signature).is_ok_and(|s| key.verify(user_id, message, &s).is_ok())
        }
        (Scheme::Sm2Sm3, CertificateKey::Sm2(key), SignInput::Digest(e)) => {
            RawSignature::from_slice(signature).is_ok_and(|s| key.verify_digest(e.try_into().unwrap(), &s).is_ok())
        }
        (Scheme::RsaSha1, CertificateKey::Rsa(key), SignInput::Message(message)) => {
            key.verify_sha1(message, signature).is_ok()
        }
        (Scheme::RsaSha1, CertificateKey::Rsa(key), SignInput::Digest(digest)) => {
            key.verify_sha1_digest(digest.try_into().unwrap(), signature).is_ok()
        }
        _ => false,
    }
}

fn digest(identity: &SecurityIdentity, scheme: Scheme, user_id: &[u8], message: &[u8]) -> Vec<u8> {
    match (scheme, Certificate::from_der(&identity.certificate).unwrap().public_key()) {
        (Scheme::Sm2Sm3, CertificateKey::Sm2(key)) => key.e(user_id, message).unwrap().to_vec(),
        _ => sha1(message).to_vec(),
    }
}

fn wrap(identity: &SecurityIdentity, content_key: &[u8]) -> Wrapped {
    match Certificate::from_der(&identity.certificate).unwrap().public_key() {
        CertificateKey::Sm2(key) => key.encrypt(content_key).unwrap().into(),
        CertificateKey::Rsa(key) => Wrapped::Rsa(key.encrypt(content_key).unwrap()),
    }
}

#[test]
fn an_sm2_key_passes_the_kit() {
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path(), "client");
    let context = context(folder.path(), NOW);
    let open = || (PLUGIN.security.unwrap())(&context, &settings("client", "")).unwrap();
    check(&Subject {
        open: &open,
        secret: PASSWORD,
        wrong_secret: Some("not the password"),
        verify: &verify,
        digest: &digest,
        wrap: &wrap,
    });
}

#[test]
fn a_legacy_rsa_key_passes_the_kit() {
    let folder = tempfile::tempdir().unwrap();
    let Some(certificate) = common::openssl_rsa(folder.path()) else { return };
    let key = std::fs::read_to_string(folder.path().join("rsa.pem")).unwrap();
    let encrypted = AnyPrivateKey::from_pem(&key, None).unwrap().to_encrypted_pem(PASSWORD).unwrap();
    std::fs::write(folder.path().join("legacy.key.pem"), encrypted.as_bytes()).unwrap();
    std::fs::write(folder.path().join("legacy.cert.pem"), certificate).unwrap();
    // OpenSSL dates the certificate by the computer's clock, so this test goes by it, too.
    let context = Context::standalone("software", folder.path());
    let open = || (PLUGIN.security.unwrap())(&context, &settings("legacy", r#","legacy_rsa_sha1":true"#)).unwrap();
    check(&Subject {
        open: &open,
        secret: PASSWORD,
        wrong_secret: Some("not the password"),
        verify: &verify,
        digest: &digest,
        wrap: &wrap,
    });
}
