//! Keys, signatures and ciphertexts go to OpenSSL and come back.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod common;

use common::{DISTID, OpenSsl};
use kouan_sm::{
    AnyPrivateKey, CipherForm, ContentCipher, DEFAULT_USER_ID, Padding, PrivateKey, PublicKey, RawSignature,
    RsaPublicKey, Sm2Cipher, sm3,
};

const ROUNDS: usize = 12;

fn pem_of(key: &PrivateKey) -> String {
    AnyPrivateKey::Sm2(PrivateKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap()).to_clear_pem().unwrap().to_string()
}

/// Gives a key of ours to OpenSSL as `key.pem` and `pub.pem`.
fn share(openssl: &OpenSsl) -> PrivateKey {
    let key = PrivateKey::generate().unwrap();
    openssl.write("key.pem", pem_of(&key));
    openssl.run("pkey -in key.pem -pubout -out pub.pem");
    key
}

#[test]
fn openssl_verifies_our_signatures_and_we_verify_its() {
    let Some(openssl) = OpenSsl::find() else { return };
    let key = share(&openssl);
    for round in 0..ROUNDS {
        let message = format!("第 {round} 票").into_bytes();
        openssl.write("message", &message);
        let ours = key.sign(DEFAULT_USER_ID, &message).unwrap();
        openssl.write("ours.sig", ours.to_der());
        openssl.run(&format!("dgst -sm3 -verify pub.pem -sigopt {DISTID} -signature ours.sig message"));
        openssl.run(&format!("dgst -sm3 -sign key.pem -sigopt {DISTID} -out theirs.sig message"));
        let theirs = RawSignature::from_der(&openssl.read("theirs.sig")).unwrap();
        key.public_key().verify(DEFAULT_USER_ID, &message, &theirs).unwrap();
        assert!(key.public_key().verify(DEFAULT_USER_ID, b"other", &theirs).is_err());
        assert!(key.public_key().verify(b"", &message, &theirs).is_err());
    }
    // Without a distid OpenSSL signs under the empty user id.
    openssl.run("dgst -sm3 -sign key.pem -out empty.sig message");
    let empty = RawSignature::from_der(&openssl.read("empty.sig")).unwrap();
    key.public_key().verify(b"", &openssl.read("message"), &empty).unwrap();
}

#[test]
fn key_files_are_read_both_ways() {
    let Some(openssl) = OpenSsl::find() else { return };
    let key = share(&openssl);
    openssl.run("pkey -in key.pem -pubout -outform DER -out pub.der");
    assert_eq!(openssl.read("pub.der"), key.public_key().to_spki());
    assert_eq!(PublicKey::from_spki(&openssl.read("pub.der")).as_ref(), Ok(key.public_key()));

    let ours = AnyPrivateKey::from_pem(&openssl.text("key.pem"), None).unwrap();
    openssl.write("ours.pem", ours.to_encrypted_pem("口令 123").unwrap().as_bytes());
    openssl.run("pkey -in key.pem -out clear.pem");
    openssl.write("password", "口令 123\n");
    openssl.run("pkey -in ours.pem -passin file:password -out opened.pem");
    assert_eq!(openssl.text("opened.pem"), openssl.text("clear.pem"));

    openssl.run("genpkey -algorithm SM2 -out theirs.pem");
    let clear = AnyPrivateKey::from_pem(&openssl.text("theirs.pem"), None).unwrap();
    for (name, how) in
        [("pbkdf2.pem", "-v2 aes-256-cbc"), ("scrypt.pem", "-scrypt"), ("sha512.pem", "-v2prf hmacWithSHA512")]
    {
        openssl.run(&format!("pkcs8 -topk8 -in theirs.pem -passout pass:secret {how} -out {name}"));
        let text = openssl.text(name);
        assert!(AnyPrivateKey::is_encrypted(&text));
        let opened = AnyPrivateKey::from_pem(&text, Some("secret")).unwrap();
        assert_eq!(*opened.to_clear_pem().unwrap(), *clear.to_clear_pem().unwrap());
        assert_eq!(AnyPrivateKey::from_pem(&text, Some("Secret")).unwrap_err(), kouan_sm::Error::WrongPassword);
        assert_eq!(AnyPrivateKey::from_pem(&text, None).unwrap_err(), kouan_sm::Error::PasswordMissing);
    }
    openssl.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem");
    let other = AnyPrivateKey::from_pem(&openssl.text("p256.pem"), None);
    assert!(matches!(other, Err(kouan_sm::Error::PrivateKey(_))), "{other:?}");
}

#[test]
fn ciphertexts_open_both_ways() {
    let Some(openssl) = OpenSsl::find() else { return };
    let key = share(&openssl);
    for round in 1..=ROUNDS {
        let text: Vec<u8> = (0..round * 7).map(|n| n.to_le_bytes()[0] ^ 0x5A).collect();
        let ours = key.public_key().encrypt(&text).unwrap();
        openssl.write("ours.bin", ours.to_bytes(CipherForm::Der));
        openssl.run("pkeyutl -decrypt -inkey key.pem -in ours.bin -out opened.bin");
        assert_eq!(openssl.read("opened.bin"), text);
        openssl.write("text.bin", &text);
        openssl.run("pkeyutl -encrypt -pubin -inkey pub.pem -in text.bin -out theirs.bin");
        let theirs = Sm2Cipher::detect(&openssl.read("theirs.bin")).unwrap();
        assert_eq!(**key.decrypt(&theirs).unwrap(), text);
        assert_eq!(PrivateKey::generate().unwrap().decrypt(&theirs).unwrap_err(), kouan_sm::Error::Decryption);
    }
}

#[test]
fn content_ciphers_and_digests_agree() {
    let Some(openssl) = OpenSsl::find() else { return };
    let text: Vec<u8> = (0..10_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    openssl.write("text", &text);
    assert!(openssl.run("dgst -sm3 text").trim().ends_with(&hex::encode(sm3(&text))));
    let iv = [3; 16];
    for (name, cipher) in [
        ("sm4-cbc", ContentCipher::Sm4Cbc),
        ("aes-128-cbc", ContentCipher::Aes128Cbc),
        ("aes-192-cbc", ContentCipher::Aes192Cbc),
        ("aes-256-cbc", ContentCipher::Aes256Cbc),
    ] {
        let key = cipher.generate_key().unwrap();
        openssl.run(&format!("enc -{name} -K {} -iv {} -in text -out theirs", hex::encode(&*key), hex::encode(iv)));
        let ours = cipher.encrypt_with(&key, &iv, &text, Padding::Pkcs7).unwrap();
        assert_eq!(openssl.read("theirs"), ours, "{name}");
        assert_eq!(**cipher.decrypt_with(&key, &iv, &ours, Padding::Pkcs7).unwrap(), text, "{name}");
    }
}

#[test]
fn legacy_rsa_goes_both_ways() {
    let Some(openssl) = OpenSsl::find() else { return };
    openssl.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa.pem");
    openssl.run("pkey -in rsa.pem -pubout -out rsa-pub.pem");
    openssl.run("pkey -in rsa.pem -pubout -outform DER -out rsa-pub.der");
    openssl.write("message", "报文");
    let public = RsaPublicKey::from_spki(&openssl.read("rsa-pub.der")).unwrap();
    assert_eq!(public.size(), 128);
    let AnyPrivateKey::Rsa(key) = AnyPrivateKey::from_pem(&openssl.text("rsa.pem"), None).unwrap() else {
        panic!("an rsa key")
    };
    assert_eq!(key.public_key(), public);

    openssl.run("dgst -sha1 -sign rsa.pem -out theirs.sig message");
    let theirs = openssl.read("theirs.sig");
    public.verify_sha1("报文".as_bytes(), &theirs).unwrap();
    assert!(public.verify_sha1(b"other", &theirs).is_err());
    assert_eq!(key.sign_sha1("报文".as_bytes()).unwrap(), theirs, "pkcs#1 v1.5 signatures are unique");

    openssl.write("content-key", [7; 16]);
    openssl.run("pkeyutl -encrypt -pubin -inkey rsa-pub.pem -in content-key -out wrapped");
    assert_eq!(**key.decrypt(&openssl.read("wrapped")).unwrap(), [7; 16]);
    openssl.write("ours.bin", public.encrypt(&[9; 32]).unwrap());
    openssl.run("pkeyutl -decrypt -inkey rsa.pem -in ours.bin -out opened");
    assert_eq!(openssl.read("opened"), [9; 32]);

    let encrypted = AnyPrivateKey::Rsa(key).to_encrypted_pem("secret").unwrap();
    openssl.write("enc.pem", encrypted.as_bytes());
    openssl.run("pkey -in enc.pem -passin pass:secret -pubout -outform DER -out again.der");
    assert_eq!(openssl.read("again.der"), openssl.read("rsa-pub.der"));
}
