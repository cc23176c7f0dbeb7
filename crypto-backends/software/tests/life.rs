//! Files, lights, replaced certificates, policies: what happens to a key over its life.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use common::{DAY, NOW, PASSWORD, context, has_openssl, openssl, pair, settings, wanted};
use kouan_sdk::security::{KeyId, Scheme, SignInput, SignRequest};
use kouan_sdk::{Error, ErrorKind, Light, Security, Timestamp};
use kouan_security_software::{PLUGIN, generate_development, list};
use kouan_sm::{AnyPrivateKey, Certificate, DEFAULT_USER_ID, TrustAnchors};
use std::path::Path;
use zeroize::Zeroizing;

fn make(folder: &Path, at: Timestamp, settings: &str) -> Result<Box<dyn Security>, Error> {
    (PLUGIN.security.unwrap())(&context(folder, at), settings)
}

fn open(folder: &Path, name: &str, at: Timestamp) -> Box<dyn Security> {
    make(folder, at, &settings(name, "")).unwrap()
}

fn login(backend: &dyn Security) {
    backend.login(&Zeroizing::new(PASSWORD.to_owned())).unwrap();
}

fn sign(backend: &dyn Security, scheme: Scheme) -> Result<Vec<u8>, Error> {
    let key = backend.identities().map_or(KeyId("none".into()), |all| all[0].key.clone());
    let request = SignRequest { key: &key, scheme, user_id: DEFAULT_USER_ID, input: SignInput::Message(b"m") };
    backend.sign(&[request]).remove(0)
}

fn light(backend: &dyn Security) -> (Light, String) {
    let health = backend.probe();
    (health.light, health.code.unwrap_or_default())
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.code.into_owned())
}

#[test]
fn generated_files_serve_the_backend_and_openssl() {
    let folder = tempfile::tempdir().unwrap();
    let client = pair(folder.path(), "client");
    let window = pair(folder.path(), "window");
    assert_eq!(client.ca_certificate, window.ca_certificate, "one issuer a folder");
    let read = |path: &Path| Certificate::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap();
    let anchors = TrustAnchors::new(vec![read(&client.ca_certificate)]);
    for files in [&client, &window] {
        anchors.check(&read(&files.certificate), NOW).unwrap();
        assert_eq!(read(&files.certificate).card_number().as_deref(), Some("2100000000001"));
    }
    assert_ne!(read(&client.certificate).serial(), read(&window.certificate).serial());
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert!(!file.file_name().to_string_lossy().ends_with(".tmp"), "a temporary file stayed behind");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
        }
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("BEGIN PRIVATE KEY"), "no key stands in the clear");
    }
    if has_openssl() {
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        openssl(folder.path(), "pkey -in client.key.pem -passin file:password -noout -check");
        let distid = "distid:1234567812345678";
        openssl(
            folder.path(),
            &format!("verify -vfyopt {distid} -attime 1768181710 -CAfile development-ca.cert.pem client.cert.pem"),
        );
    }
}

#[test]
fn a_pair_is_never_overwritten_and_a_bad_wish_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = pair(folder.path(), "client");
    let before = std::fs::read(&files.key).unwrap();
    let again = generate_development(&wanted(folder.path(), "client"));
    assert_eq!(code(again), (ErrorKind::Invalid, "KOUAN-SECURITY-KEY-EXISTS".into()));
    assert_eq!(std::fs::read(&files.key).unwrap(), before);

    let mut other = wanted(folder.path(), "other");
    other.password = "another password";
    assert_eq!(code(generate_development(&other)), (ErrorKind::Auth, "KOUAN-SECURITY-WRONG-PASSWORD".into()));
    for (name, password) in [("../other", PASSWORD), ("", PASSWORD), ("development-ca", PASSWORD), ("other", "")] {
        let mut bad = wanted(folder.path(), name);
        bad.password = password;
        assert_eq!(code(generate_development(&bad)), (ErrorKind::Config, "KOUAN-SECURITY-CONFIG".into()));
    }
    assert_eq!(list(folder.path()).unwrap().len(), 2, "issuer and client, nothing else");
}

#[test]
fn list_shows_each_pair_and_what_is_wrong_with_it() {
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path(), "client");
    std::fs::write(folder.path().join("broken.cert.pem"), "no certificate").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "x").unwrap();
    let all = list(folder.path()).unwrap();
    let names: Vec<&str> = all.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["broken", "client", "development-ca"]);
    assert_eq!(code(all[0].content.clone()).1, "KOUAN-SM-CERT-UNREADABLE");
    assert!(all[0].key.is_none() && all[1].key.is_some() && all[1].encrypted);
    let client = all[1].content.as_ref().unwrap();
    assert!(client.development && client.subject.contains("DXPENT0000000001"));
    assert_eq!(code(list(&folder.path().join("nowhere"))).1, "KOUAN-SECURITY-FILE");
}

#[test]
fn the_light_tells_locked_open_expiring_expired_and_too_early() {
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path(), "client");
    let backend = open(folder.path(), "client", NOW);
    assert_eq!(light(backend.as_ref()), (Light::Red, "KOUAN-SECURITY-LOCKED".into()));
    login(backend.as_ref());
    assert_eq!(light(backend.as_ref()), (Light::Green, String::new()));
    for (days, expected) in [
        (3650 - 29, (Light::Yellow, "KOUAN-SECURITY-CERT-EXPIRING")),
        (3651, (Light::Red, "KOUAN-SM-CERT-EXPIRED")),
        (-2, (Light::Red, "KOUAN-SM-CERT-NOT-YET-VALID")),
    ] {
        let backend = open(folder.path(), "client", NOW.plus_millis(days * DAY));
        login(backend.as_ref());
        assert_eq!(light(backend.as_ref()), (expected.0, expected.1.to_owned()), "after {days} days");
    }
}

#[test]
fn a_replaced_certificate_counts_at_once_and_must_belong_to_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let client = pair(folder.path(), "client");
    let other = pair(folder.path(), "other");
    let backend = open(folder.path(), "client", NOW);
    login(backend.as_ref());
    let before = backend.identities().unwrap().remove(0);
    // Renewed: another certificate for the same key.
    let renewed = {
        let open =
            |path: &Path| AnyPrivateKey::from_pem(&std::fs::read_to_string(path).unwrap(), Some(PASSWORD)).unwrap();
        let (AnyPrivateKey::Sm2(ca), AnyPrivateKey::Sm2(key)) =
            (open(&folder.path().join("development-ca.key.pem")), open(&client.key))
        else {
            panic!("sm2 keys")
        };
        let issuer = Certificate::from_pem(&std::fs::read_to_string(&client.ca_certificate).unwrap()).unwrap();
        let subject = kouan_sm::DistinguishedName { common_name: "renewed".into(), ..Default::default() };
        let request = kouan_sm::LeafRequest {
            subject: &subject,
            key: key.public_key(),
            not_before: NOW,
            not_after: NOW.plus_millis(DAY * 365),
            card: &Default::default(),
            encrypts: false,
        };
        kouan_sm::issue_leaf(kouan_sm::Issuer { certificate: &issuer, key: &ca }, &request).unwrap()
    };
    std::fs::write(&client.certificate, renewed.to_pem()).unwrap();
    let after = backend.identities().unwrap().remove(0);
    assert_eq!((before.key, after.key), (KeyId("client.key.pem".into()), KeyId("client.key.pem".into())));
    assert_eq!(after.certificate, renewed.der());
    assert!(before.unwraps && !after.unwraps, "the new key usage counts");
    sign(backend.as_ref(), Scheme::Sm2Sm3).unwrap();

    std::fs::copy(&other.certificate, &client.certificate).unwrap();
    assert_ne!(backend.identities().unwrap()[0].certificate, renewed.der());
    assert_eq!(code(sign(backend.as_ref(), Scheme::Sm2Sm3)).1, "KOUAN-SECURITY-CERT-KEY-MISMATCH");
    assert_eq!(light(backend.as_ref()), (Light::Red, "KOUAN-SECURITY-CERT-KEY-MISMATCH".into()));
    // Its key follows, and the next login puts it right.
    std::fs::copy(&other.key, &client.key).unwrap();
    login(backend.as_ref());
    sign(backend.as_ref(), Scheme::Sm2Sm3).unwrap();
    assert_eq!(light(backend.as_ref()).0, Light::Green);
}

#[test]
fn a_key_in_the_clear_needs_a_word_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let files = pair(folder.path(), "client");
    let text = std::fs::read_to_string(&files.key).unwrap();
    let clear = AnyPrivateKey::from_pem(&text, Some(PASSWORD)).unwrap().to_clear_pem().unwrap();
    std::fs::write(&files.key, clear.as_bytes()).unwrap();

    let strict = open(folder.path(), "client", NOW);
    let answer = strict.login(&Zeroizing::new(PASSWORD.to_owned()));
    assert_eq!(code(answer), (ErrorKind::Config, "KOUAN-SECURITY-KEY-UNENCRYPTED".into()));
    assert_eq!(code(sign(strict.as_ref(), Scheme::Sm2Sm3)).0, ErrorKind::Auth);

    let lax = make(folder.path(), NOW, &settings("client", r#","unencrypted":true"#)).unwrap();
    sign(lax.as_ref(), Scheme::Sm2Sm3).unwrap();
    assert_eq!(light(lax.as_ref()), (Light::Yellow, "KOUAN-SECURITY-KEY-UNENCRYPTED".into()));
    lax.logout().unwrap();
    assert_eq!(code(sign(lax.as_ref(), Scheme::Sm2Sm3)).0, ErrorKind::Auth);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_may_read_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let files = pair(folder.path(), "client");
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let backend = open(folder.path(), "client", NOW);
    login(backend.as_ref());
    assert_eq!(light(backend.as_ref()), (Light::Yellow, "KOUAN-SECURITY-KEY-FILE-MODE".into()));
}

#[test]
fn development_certificates_are_refused_in_production() {
    let folder = tempfile::tempdir().unwrap();
    pair(folder.path(), "client");
    let made = make(folder.path(), NOW, &settings("client", r#","environment":"production""#));
    assert_eq!(made.err().map(|e| e.code.into_owned()).as_deref(), Some("KOUAN-SECURITY-DEVELOPMENT-CERT"));
    assert!(make(folder.path(), NOW, &settings("client", r#","environment":"test""#)).is_ok());
}

#[test]
fn missing_and_broken_files_are_named_errors_and_the_backend_still_starts() {
    let folder = tempfile::tempdir().unwrap();
    let backend = open(folder.path(), "nobody", NOW);
    let secret = Zeroizing::new(PASSWORD.to_owned());
    assert_eq!(light(backend.as_ref()), (Light::Red, "KOUAN-SECURITY-FILE".into()));
    assert_eq!(code(backend.identities()), (ErrorKind::Unavailable, "KOUAN-SECURITY-FILE".into()));
    assert_eq!(code(backend.login(&secret)), (ErrorKind::Unavailable, "KOUAN-SECURITY-FILE".into()));

    // The files come later.
    pair(folder.path(), "nobody");
    login(backend.as_ref());
    sign(backend.as_ref(), Scheme::Sm2Sm3).unwrap();

    let key = folder.path().join("nobody.key.pem");
    let good = std::fs::read_to_string(&key).unwrap();
    for broken in ["", "x", &good[..good.len() / 2], &good.replace("ENCRYPTED ", ""), &"A".repeat(2_000_000)] {
        std::fs::write(&key, broken).unwrap();
        let error = backend.login(&secret).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Config | ErrorKind::Unavailable), "{error}");
    }
    std::fs::write(&key, [0xFF, 0xFE, 0x00]).unwrap();
    assert_eq!(code(backend.login(&secret)).1, "KOUAN-SECURITY-FILE");
    sign(backend.as_ref(), Scheme::Sm2Sm3).unwrap();
}

#[test]
fn rsa_with_sha1_is_refused_unless_the_policy_allows_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(certificate) = common::openssl_rsa(folder.path()) else { return };
    let key = std::fs::read_to_string(folder.path().join("rsa.pem")).unwrap();
    let encrypted = AnyPrivateKey::from_pem(&key, None).unwrap().to_encrypted_pem(PASSWORD).unwrap();
    std::fs::write(folder.path().join("legacy.key.pem"), encrypted.as_bytes()).unwrap();
    std::fs::write(folder.path().join("legacy.cert.pem"), certificate).unwrap();
    let backend = open(folder.path(), "legacy", NOW);
    login(backend.as_ref());
    assert!(!backend.identities().unwrap()[0].signs);
    let refused = code(sign(backend.as_ref(), Scheme::RsaSha1));
    assert_eq!(refused, (ErrorKind::NotSupported, "KOUAN-SECURITY-RSA-SHA1-OFF".into()));
    assert_eq!(code(sign(backend.as_ref(), Scheme::Sm2Sm3)), (ErrorKind::Invalid, "KOUAN-SECURITY-KEY-KIND".into()));
}
