//! Pairs in temporary folders, and a clock that stands.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each test file uses its share, and stops when it cannot go on"
)]

use kouan_sdk::{Context, ManualClock, Timestamp};
use kouan_security_software::{Development, DevelopmentFiles, generate_development};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// 2026-01-12.
pub const NOW: Timestamp = Timestamp::from_millis(1_768_181_710_000);
pub const DAY: i64 = 24 * 60 * 60 * 1000;
pub const PASSWORD: &str = "开发口令 1";

pub fn wanted<'a>(folder: &'a Path, name: &'a str) -> Development<'a> {
    Development::new(folder, name, "DXPENT0000000001", PASSWORD, NOW)
}

pub fn pair(folder: &Path, name: &str) -> DevelopmentFiles {
    generate_development(&wanted(folder, name)).unwrap()
}

pub fn context(folder: &Path, at: Timestamp) -> Context {
    Context { clock: Arc::new(ManualClock::new(at)), ..Context::standalone("software", folder) }
}

/// The configuration of a pair; `more` begins with a comma.
pub fn settings(name: &str, more: &str) -> String {
    format!(r#"{{"key":"{name}.key.pem","certificate":"{name}.cert.pem"{more}}}"#)
}

/// Whether there is an OpenSSL 3; says so if not.
pub fn has_openssl() -> bool {
    let out = Command::new("openssl").arg("version").output();
    let found = out.is_ok_and(|out| out.stdout.starts_with(b"OpenSSL 3"));
    let required = std::env::var_os("KOUAN_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(found || !required, "openssl 3 is required");
    if !found {
        println!("SKIPPED: no openssl 3 on this machine");
    }
    found
}

pub fn openssl(folder: &Path, line: &str) -> String {
    let out = Command::new("openssl").args(line.split(' ')).current_dir(folder).output().unwrap();
    assert!(out.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Makes `rsa.pem` in the folder; gives its self-signed certificate.
pub fn openssl_rsa(folder: &Path) -> Option<String> {
    if !has_openssl() {
        return None;
    }
    openssl(folder, "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa.pem");
    Some(openssl(folder, "req -x509 -new -key rsa.pem -sha1 -subj /C=CN/O=Legacy -days 3650"))
}
