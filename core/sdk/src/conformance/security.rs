//! Conformance kit of the security trait.
//!
//! [`check`] holds a backend against its contract: what it answers when locked, that its signatures verify in order and
//! item by item, that a wrong PIN or key is an error and no more, that threads and a concurrent `close` do no harm. It
//! panics with a sentence on the first promise that does not hold.
//!
//! This room knows no cryptography, so the backend's author hands in who verifies, digests and wraps: software of another
//! origin than the backend, where there is one.

use crate::security::{KeyId, KeyKind, Scheme, SecurityIdentity, SignInput, SignRequest, UnwrapRequest, Wrapped};
use crate::{Error, ErrorKind, Light, Result, Security, catalogue};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroizing;

const USER_ID: &[u8] = b"1234567812345678";
const OTHER_USER_ID: &[u8] = b"kouan@example.invalid";
const THREADS: usize = 8;

/// Verifies a signature: identity, scheme, user id, input, signature.
pub type Verify<'a> = dyn Fn(&SecurityIdentity, Scheme, &[u8], SignInput<'_>, &[u8]) -> bool + Sync + 'a;
/// The digest that is signed for a message: identity, scheme, user id, message.
pub type Digest<'a> = dyn Fn(&SecurityIdentity, Scheme, &[u8], &[u8]) -> Vec<u8> + Sync + 'a;
/// Wraps a content key for an identity.
pub type Wrap<'a> = dyn Fn(&SecurityIdentity, &[u8]) -> Wrapped + Sync + 'a;

/// A backend under test, and what the kit cannot know by itself.
pub struct Subject<'a> {
    /// Opens the backend anew, locked. At least one of its keys signs.
    pub open: &'a (dyn Fn() -> Box<dyn Security> + Sync),
    /// The right PIN or password.
    pub secret: &'a str,
    /// A wrong one; `None` where a wrong try costs something (a real card counts them).
    pub wrong_secret: Option<&'a str>,
    /// Verifies.
    pub verify: &'a Verify<'a>,
    /// Digests.
    pub digest: &'a Digest<'a>,
    /// Wraps.
    pub wrap: &'a Wrap<'a>,
}

/// Holds a backend against its contract.
pub fn check(subject: &Subject<'_>) {
    a_locked_backend_says_so(subject);
    a_wrong_secret_changes_nothing(subject);
    identities_are_plausible(subject);
    signatures_verify(subject);
    the_user_id_counts(subject);
    batches_keep_order_and_errors_apart(subject);
    wrong_requests_are_errors(subject);
    content_keys_are_unwrapped(subject);
    threads_do_no_harm(subject);
    logout_locks_and_login_opens(subject);
    close_may_come_any_time(subject);
}

fn a_locked_backend_says_so(subject: &Subject<'_>) {
    let backend = (subject.open)();
    let key = match backend.identities() {
        Ok(all) => all.into_iter().find(|i| i.signs).map_or(KeyId("unknown".into()), |identity| identity.key),
        Err(error) => {
            assert_eq!(
                error.kind,
                ErrorKind::Auth,
                "a locked backend shows its identities, or asks for the PIN: {error}"
            );
            KeyId("unknown".into())
        }
    };
    let request = |message| request(&key, Scheme::Sm2Sm3, USER_ID, SignInput::Message(message));
    let answers = backend.sign(&[request(b"one"), request(b"two")]);
    assert_eq!(answers.len(), 2, "one answer for each request, also when locked");
    for answer in answers {
        refused(subject, answer, if key.0 == "unknown" { None } else { Some(ErrorKind::Auth) }, "signing when locked");
    }
    let wrapped = Wrapped::Rsa(vec![1; 128]);
    let answers = backend.unwrap(&[UnwrapRequest { key: &key, wrapped: &wrapped }]);
    assert_eq!(answers.len(), 1, "one answer for each request, also when locked");
    for answer in answers {
        refused(subject, answer, None, "unwrapping when locked");
    }
    probe_is_honest(backend.as_ref(), |light| light != Light::Green, "a locked backend is not green");
}

fn a_wrong_secret_changes_nothing(subject: &Subject<'_>) {
    let Some(wrong) = subject.wrong_secret else { return };
    assert_ne!(wrong, subject.secret, "the wrong secret is the right one");
    let backend = (subject.open)();
    for secret in [wrong, ""] {
        refused(subject, backend.login(&secret_text(secret)), Some(ErrorKind::Auth), "login with a wrong secret");
    }
    probe_is_honest(backend.as_ref(), |light| light != Light::Green, "after a wrong secret it is still locked");
    login(subject, backend.as_ref());
    sign_one(subject, backend.as_ref(), b"after a wrong and a right secret");
    refused(subject, backend.login(&secret_text(wrong)), Some(ErrorKind::Auth), "a wrong secret while logged in");
}

fn identities_are_plausible(subject: &Subject<'_>) {
    let backend = opened(subject);
    let all = identities(backend.as_ref());
    assert!(!all.is_empty(), "a backend that is logged in has an identity");
    assert!(all.iter().any(|identity| identity.signs), "a backend under test has a key that signs");
    let mut keys = BTreeSet::new();
    for identity in &all {
        assert!(keys.insert(&identity.key), "key {:?} stands twice", identity.key);
        assert!(!identity.key.0.is_empty(), "a key has a name");
        assert!(!identity.certificate.is_empty(), "key {:?} has a certificate", identity.key);
        assert!(identity.max_batch >= 1, "key {:?} takes at least one request in a call", identity.key);
    }
    assert_eq!(all, identities(backend.as_ref()), "identities are the same when asked twice");
    assert_eq!(all, identities(opened(subject).as_ref()), "identities are the same for two instances");
    probe_is_honest(backend.as_ref(), |light| light != Light::Red, "a backend that is logged in is not red");
}

fn signatures_verify(subject: &Subject<'_>) {
    let backend = opened(subject);
    for identity in signing(backend.as_ref()) {
        let scheme = scheme_of(&identity);
        let messages = [Vec::new(), b"x".to_vec(), "报关单".as_bytes().to_vec(), vec![0xA5; 300_000]];
        for message in &messages {
            let by_message = SignInput::Message(message);
            let signature = sign(backend.as_ref(), &request(&identity.key, scheme, USER_ID, by_message));
            let signature = signature.unwrap_or_else(|e| panic!("signing {} bytes: {e}", message.len()));
            if scheme == Scheme::Sm2Sm3 {
                assert_eq!(signature.len(), 64, "an sm2 signature is raw r‖s");
            }
            assert!((subject.verify)(&identity, scheme, USER_ID, by_message, &signature), "a signature verifies");
            let other = SignInput::Message(b"another message");
            assert!(!(subject.verify)(&identity, scheme, USER_ID, other, &signature), "and for this message only");
            let digest = (subject.digest)(&identity, scheme, USER_ID, message);
            let by_digest = SignInput::Digest(&digest);
            assert!((subject.verify)(&identity, scheme, USER_ID, by_digest, &signature), "message and digest agree");
            match sign(backend.as_ref(), &request(&identity.key, scheme, USER_ID, by_digest)) {
                Ok(signature) => {
                    let good = (subject.verify)(&identity, scheme, USER_ID, by_message, &signature);
                    assert!(good, "a signature over the digest is one over the message");
                }
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::NotSupported, "a digest is signed or not supported: {error}")
                }
            }
        }
    }
}

fn the_user_id_counts(subject: &Subject<'_>) {
    let backend = opened(subject);
    for identity in signing(backend.as_ref()).into_iter().filter(|identity| identity.kind == KeyKind::Sm2) {
        let input = SignInput::Message(b"under another user id");
        match sign(backend.as_ref(), &request(&identity.key, Scheme::Sm2Sm3, OTHER_USER_ID, input)) {
            Ok(signature) => {
                let verify = |user_id| (subject.verify)(&identity, Scheme::Sm2Sm3, user_id, input, &signature);
                assert!(verify(OTHER_USER_ID), "a signature verifies under its user id");
                assert!(!verify(USER_ID), "and under no other");
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::NotSupported, "a user id is taken or not supported: {error}");
            }
        }
    }
}

fn batches_keep_order_and_errors_apart(subject: &Subject<'_>) {
    let backend = opened(subject);
    assert!(backend.sign(&[]).is_empty() && backend.unwrap(&[]).is_empty(), "no requests, no answers");
    let nobody = KeyId("no-such-key".into());
    for identity in signing(backend.as_ref()) {
        let scheme = scheme_of(&identity);
        let size = identity.max_batch.clamp(1, 32);
        let messages: Vec<Vec<u8>> = (0..size).map(|number| format!("message {number}").into_bytes()).collect();
        let is_wrong = |number: usize| size > 1 && number % 5 == 1;
        let requests: Vec<SignRequest<'_>> = messages
            .iter()
            .enumerate()
            .map(|(number, message)| {
                let key = if is_wrong(number) { &nobody } else { &identity.key };
                request(key, scheme, USER_ID, SignInput::Message(message))
            })
            .collect();
        let answers = backend.sign(&requests);
        assert_eq!(answers.len(), size, "one answer for each request");
        for (number, answer) in answers.into_iter().enumerate() {
            if is_wrong(number) {
                refused(subject, answer, Some(ErrorKind::Invalid), "an unknown key in the middle of a batch");
            } else {
                let signature = answer.unwrap_or_else(|e| panic!("item {number} of a batch: {e}"));
                let input = SignInput::Message(&messages[number]);
                let good = (subject.verify)(&identity, scheme, USER_ID, input, &signature);
                assert!(good, "answer {number} of a batch belongs to request {number}");
            }
        }
    }
}

fn wrong_requests_are_errors(subject: &Subject<'_>) {
    let backend = opened(subject);
    let nobody = KeyId("no-such-key".into());
    let message = SignInput::Message(b"m");
    let answer = sign(backend.as_ref(), &request(&nobody, Scheme::Sm2Sm3, USER_ID, message));
    refused(subject, answer, Some(ErrorKind::Invalid), "signing with an unknown key");
    for identity in signing(backend.as_ref()) {
        let scheme = scheme_of(&identity);
        for length in [0, 19, 31, 33, 64] {
            let digest = vec![7; length];
            let answer = sign(backend.as_ref(), &request(&identity.key, scheme, USER_ID, SignInput::Digest(&digest)));
            refused(subject, answer, None, "signing a digest of the wrong length");
        }
        let other = if scheme == Scheme::Sm2Sm3 { Scheme::RsaSha1 } else { Scheme::Sm2Sm3 };
        let answer = sign(backend.as_ref(), &request(&identity.key, other, USER_ID, message));
        refused(subject, answer, None, "signing in a scheme that does not fit the key");
        if scheme == Scheme::Sm2Sm3 {
            let endless = vec![b'1'; 10_000];
            let answer = sign(backend.as_ref(), &request(&identity.key, scheme, &endless, message));
            refused(subject, answer, None, "a user id that is too long for Z");
        }
    }
}

fn content_keys_are_unwrapped(subject: &Subject<'_>) {
    let backend = opened(subject);
    let unwrapping = identities(backend.as_ref()).into_iter().filter(|identity| identity.unwraps);
    for identity in unwrapping {
        let keys: Vec<Vec<u8>> = [16_u8, 24, 32].iter().map(|&length| vec![length; usize::from(length)]).collect();
        let wrapped: Vec<Wrapped> = keys.iter().map(|key| (subject.wrap)(&identity, key)).collect();
        for (key, wrapped) in keys.iter().zip(&wrapped) {
            let opened = unwrap(backend.as_ref(), &identity.key, wrapped);
            assert_eq!(opened.as_deref(), Ok(key), "a content key comes back as it was wrapped");
        }
        for broken in broken_forms(&wrapped[0]) {
            // Implicit rejection may answer an RSA ciphertext with bytes; they must not be the key.
            match unwrap(backend.as_ref(), &identity.key, &broken) {
                Ok(opened) => assert_ne!(*opened, keys[0], "a changed ciphertext opened to the same key"),
                error => refused(subject, error, None, "unwrapping a changed ciphertext"),
            }
        }
        let nobody = KeyId("no-such-key".into());
        let mixed = [
            UnwrapRequest { key: &identity.key, wrapped: &wrapped[0] },
            UnwrapRequest { key: &nobody, wrapped: &wrapped[0] },
            UnwrapRequest { key: &identity.key, wrapped: &wrapped[2] },
        ];
        let mut answers = Vec::new();
        for piece in mixed.chunks(identity.max_batch.max(1)) {
            answers.extend(backend.unwrap(piece));
        }
        assert_eq!(answers.len(), 3, "one answer for each request");
        assert_eq!(answers[0].as_deref(), Ok(&keys[0]), "answers stand in the order of requests");
        assert_eq!(answers[2].as_deref(), Ok(&keys[2]), "answers stand in the order of requests");
        refused(subject, answers.swap_remove(1), Some(ErrorKind::Invalid), "unwrapping with an unknown key");
    }
}

/// The same ciphertext with one part changed, emptied, or of the other kind.
fn broken_forms(wrapped: &Wrapped) -> Vec<Wrapped> {
    match wrapped.clone() {
        Wrapped::Sm2 { x, y, c3, c2 } => {
            let flipped = |mut bytes: [u8; 32]| {
                bytes[31] ^= 1;
                bytes
            };
            let mut text = c2.clone();
            text[0] ^= 1;
            vec![
                Wrapped::Sm2 { x: flipped(x), y, c3, c2: c2.clone() },
                Wrapped::Sm2 { x, y: flipped(y), c3, c2: c2.clone() },
                Wrapped::Sm2 { x, y, c3: flipped(c3), c2: c2.clone() },
                Wrapped::Sm2 { x, y, c3, c2: text },
                Wrapped::Sm2 { x: [0; 32], y: [0; 32], c3, c2: Vec::new() },
                Wrapped::Rsa(c2),
            ]
        }
        Wrapped::Rsa(bytes) => {
            let mut flipped = bytes.clone();
            flipped[10] ^= 1;
            let short = bytes[..bytes.len() - 1].to_vec();
            let other = Wrapped::Sm2 { x: [1; 32], y: [2; 32], c3: [3; 32], c2: vec![4; 16] };
            vec![Wrapped::Rsa(flipped), Wrapped::Rsa(short), Wrapped::Rsa(Vec::new()), other]
        }
    }
}

fn threads_do_no_harm(subject: &Subject<'_>) {
    let backend = opened(subject);
    let all = signing(backend.as_ref());
    let backend = backend.as_ref();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let all = &all;
            scope.spawn(move || {
                for round in 0..4 {
                    let identity = &all[(thread + round) % all.len()];
                    let message = format!("thread {thread}, round {round}").into_bytes();
                    let input = SignInput::Message(&message);
                    let scheme = scheme_of(identity);
                    let signature = sign(backend, &request(&identity.key, scheme, USER_ID, input));
                    let signature = signature.unwrap_or_else(|e| panic!("signing among threads: {e}"));
                    assert!((subject.verify)(identity, scheme, USER_ID, input, &signature), "threads get their own");
                    let _ = (backend.probe(), backend.identities());
                }
            });
        }
    });
}

fn logout_locks_and_login_opens(subject: &Subject<'_>) {
    let backend = opened(subject);
    sign_one(subject, backend.as_ref(), b"before logout");
    for _ in 0..2 {
        backend.logout().unwrap_or_else(|e| panic!("logout: {e}"));
    }
    let key = signing(opened(subject).as_ref()).swap_remove(0);
    let input = SignInput::Message(b"after logout");
    let answer = sign(backend.as_ref(), &request(&key.key, scheme_of(&key), USER_ID, input));
    refused(subject, answer, Some(ErrorKind::Auth), "signing after logout");
    for _ in 0..2 {
        login(subject, backend.as_ref());
    }
    sign_one(subject, backend.as_ref(), b"after logging in again");
}

fn close_may_come_any_time(subject: &Subject<'_>) {
    let backend = opened(subject);
    let identity = signing(backend.as_ref()).swap_remove(0);
    let backend = backend.as_ref();
    let started = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (identity, started) = (&identity, &started);
        let signer = scope.spawn(move || {
            let mut answers = 0;
            for round in 0..64_u32 {
                let message = round.to_be_bytes();
                let input = SignInput::Message(&message);
                let request = request(&identity.key, scheme_of(identity), USER_ID, input);
                let answer = backend.sign(std::slice::from_ref(&request));
                assert_eq!(answer.len(), 1, "one answer for each request, also while closing");
                answers += 1;
                started.store(true, Ordering::SeqCst);
            }
            answers
        });
        while !started.load(Ordering::SeqCst) && !signer.is_finished() {
            std::thread::yield_now();
        }
        backend.close();
        backend.close();
        assert_eq!(signer.join().unwrap_or_else(|_| panic!("signing panicked while closing")), 64);
    });
    let input = SignInput::Message(b"after close");
    let answer = sign(backend, &request(&identity.key, scheme_of(&identity), USER_ID, input));
    refused(subject, answer, None, "signing after close");
    refused(subject, backend.login(&secret_text(subject.secret)), None, "login after close");
    let _ = (backend.probe(), backend.identities(), backend.logout());
}

fn opened(subject: &Subject<'_>) -> Box<dyn Security> {
    let backend = (subject.open)();
    login(subject, backend.as_ref());
    backend
}

fn login(subject: &Subject<'_>, backend: &dyn Security) {
    backend.login(&secret_text(subject.secret)).unwrap_or_else(|e| panic!("login with the right secret: {e}"));
}

fn secret_text(secret: &str) -> Zeroizing<String> {
    Zeroizing::new(secret.to_owned())
}

fn identities(backend: &dyn Security) -> Vec<SecurityIdentity> {
    backend.identities().unwrap_or_else(|e| panic!("identities of a backend that is logged in: {e}"))
}

fn signing(backend: &dyn Security) -> Vec<SecurityIdentity> {
    identities(backend).into_iter().filter(|identity| identity.signs).collect()
}

fn scheme_of(identity: &SecurityIdentity) -> Scheme {
    match identity.kind {
        KeyKind::Sm2 => Scheme::Sm2Sm3,
        KeyKind::Rsa => Scheme::RsaSha1,
    }
}

fn request<'a>(key: &'a KeyId, scheme: Scheme, user_id: &'a [u8], input: SignInput<'a>) -> SignRequest<'a> {
    SignRequest { key, scheme, user_id, input }
}

fn sign(backend: &dyn Security, request: &SignRequest<'_>) -> Result<Vec<u8>> {
    let mut answers = backend.sign(std::slice::from_ref(request));
    assert_eq!(answers.len(), 1, "one answer for each request");
    answers.swap_remove(0)
}

fn sign_one(subject: &Subject<'_>, backend: &dyn Security, message: &[u8]) {
    let identity = signing(backend).swap_remove(0);
    let (scheme, input) = (scheme_of(&identity), SignInput::Message(message));
    let signature = sign(backend, &request(&identity.key, scheme, USER_ID, input));
    let signature = signature.unwrap_or_else(|e| panic!("signing: {e}"));
    assert!((subject.verify)(&identity, scheme, USER_ID, input, &signature), "a signature verifies");
}

fn unwrap(backend: &dyn Security, key: &KeyId, wrapped: &Wrapped) -> Result<Zeroizing<Vec<u8>>> {
    let mut answers = backend.unwrap(&[UnwrapRequest { key, wrapped }]);
    assert_eq!(answers.len(), 1, "one answer for each request");
    answers.swap_remove(0)
}

/// An error of the right kind, with a code of the catalogue, that does not give the secret away.
fn refused<T>(subject: &Subject<'_>, answer: Result<T>, kind: Option<ErrorKind>, what: &str) {
    let Err(error) = answer else { panic!("{what} must be refused") };
    if let Some(kind) = kind {
        assert_eq!(error.kind, kind, "{what}: {error}");
    }
    error_is_proper(&error, what);
    for secret in [Some(subject.secret), subject.wrong_secret].into_iter().flatten().filter(|s| s.len() > 3) {
        assert!(!error.message.contains(secret), "{what}: the error tells the secret");
    }
}

fn error_is_proper(error: &Error, what: &str) {
    assert_ne!(error.kind, ErrorKind::Panicked, "{what} panicked: {error}");
    assert!(!error.message.is_empty(), "{what}: an error says what is wrong");
    let bundled = error.code.starts_with("KOUAN-");
    assert!(!bundled || catalogue::lookup(&error.code).is_some(), "{what}: {} is not in the catalogue", error.code);
}

fn probe_is_honest(backend: &dyn Security, expected: impl Fn(Light) -> bool, what: &str) {
    let health = backend.probe();
    assert!(expected(health.light), "{what}: {health:?}");
    assert!(!health.detail.is_empty(), "a probe says what was found");
    assert!(health.light != Light::Red || health.code.is_some(), "a red probe has a code: {health:?}");
    let code = health.code.as_deref().filter(|code| code.starts_with("KOUAN-"));
    assert!(code.is_none_or(|code| catalogue::lookup(code).is_some()), "{code:?} is not in the catalogue");
}
