//! OpenSSL as an independent implementation; its absence skips a test, unless KOUAN_REQUIRE_TOOLS=1.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "each test file uses its share, and stops when it cannot go on"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The user id as an OpenSSL option.
pub const DISTID: &str = "distid:1234567812345678";

/// A temporary folder and the openssl command in it.
pub struct OpenSsl {
    folder: tempfile::TempDir,
}

impl OpenSsl {
    /// `None`, and a line that says why, if there is no OpenSSL 3 with SM2.
    pub fn find() -> Option<Self> {
        let version = Command::new("openssl").arg("version").output();
        let text = version.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
        if text.starts_with("OpenSSL 3") {
            return Some(Self { folder: tempfile::tempdir().unwrap() });
        }
        assert!(
            std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none_or(|v| v != "1"),
            "openssl 3 is required, found {text:?}"
        );
        println!("SKIPPED: no openssl 3 on this machine");
        None
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), bytes).unwrap();
        self
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs `openssl` with words split at spaces, in the folder; gives stdout.
    pub fn run(&self, line: &str) -> String {
        let (good, text) = self.attempt(line);
        assert!(good, "openssl {line}: {text}");
        text
    }

    /// The same, whether it went well or not.
    pub fn attempt(&self, line: &str) -> (bool, String) {
        let out = Command::new("openssl").args(line.split(' ')).current_dir(self.folder()).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        (out.status.success(), text)
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}
