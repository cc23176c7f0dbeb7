//! What the tests need beside the toolchain: found, installed, or named.

use crate::project;
use anyhow::Context as _;
use std::ffi::OsString;
use std::process::{Command, Stdio};

/// A program that some tests compare with.
struct Tool {
    name: &'static str,
    /// A command that succeeds where the tool is good enough.
    probe: &'static [&'static str],
    /// What its output must begin with; empty = anything.
    says: &'static str,
    /// The system package that brings it.
    package: &'static str,
    why: &'static str,
}

/// libxml2 itself is called past lxml, too.
const LXML: &str = "import lxml.etree, ctypes.util; assert ctypes.util.find_library('xml2')";

const TOOLS: &[Tool] = &[
    Tool {
        name: "python3 with lxml",
        probe: &["python3", "-c", LXML],
        says: "",
        package: "python3-lxml",
        why: "an independent canonical XML and schema validator",
    },
    Tool {
        name: "openssl 3",
        probe: &["openssl", "version"],
        says: "OpenSSL 3",
        package: "openssl",
        why: "an independent SM2, SM3 and SM4",
    },
    Tool {
        name: "xmllint",
        probe: &["xmllint", "--version"],
        says: "",
        package: "libxml2-utils",
        why: "a schema validator at hand",
    },
    Tool {
        name: "faketime",
        probe: &["faketime", "2026-01-01", "true"],
        says: "",
        package: "faketime",
        why: "clocks that go wrong",
    },
];

/// What there is.
pub struct Tools {
    /// The search path that finds them.
    pub path: OsString,
    /// What is still missing, a line each.
    pub missing: Vec<String>,
}

/// Looks for every tool and installs the missing ones if `install` says so and the machine allows it.
pub fn prepare(install: bool) -> anyhow::Result<Tools> {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    let mut missing = absent(&path);
    if !missing.is_empty() {
        let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
        if install && can_install() {
            apt(&["update"]);
            apt(&[&["install", "-y", "--no-install-recommends"], &packages[..]].concat());
        } else {
            project::say(format_args!("some tests will be skipped; to run them: {}", by_hand(&packages)));
        }
        if let Some(with_system_python) = prefer_system_python(&path)? {
            path = with_system_python;
        }
        missing = absent(&path);
    }
    let missing = missing.iter().map(|t| format!("missing: {} ({}; package {})", t.name, t.why, t.package)).collect();
    Ok(Tools { path, missing })
}

fn absent(path: &OsString) -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| !tool.is_there(path)).collect()
}

impl Tool {
    fn is_there(&self, path: &OsString) -> bool {
        let [program, args @ ..] = self.probe else { return false };
        let output = Command::new(program).args(args).env("PATH", path).stdin(Stdio::null()).output();
        output.is_ok_and(|o| o.status.success() && o.stdout.starts_with(self.says.as_bytes()))
    }
}

/// Only root with apt: nothing else is done to a machine without being asked.
fn can_install() -> bool {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0");
    is_root && Command::new("apt-get").arg("--version").output().is_ok_and(|o| o.status.success())
}

/// A step that fails is said and not fatal: what is missing afterwards decides.
fn apt(args: &[&str]) {
    let outcome = Command::new("apt-get").arg("-qq").args(args).env("DEBIAN_FRONTEND", "noninteractive").output();
    match outcome {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let last = text.lines().last().unwrap_or("no reason given");
            project::say(format_args!("apt-get {} failed: {last}", args.join(" ")));
        }
        Err(error) => project::say(format_args!("apt-get does not start: {error}")),
    }
}

fn by_hand(packages: &[&str]) -> String {
    format!("sudo apt-get install {}   (or: cargo xtask test --install, as root)", packages.join(" "))
}

/// Where another python3 stands before the system's, and only the system's has the library, puts the latter first.
fn prefer_system_python(path: &OsString) -> anyhow::Result<Option<OsString>> {
    const SYSTEM: &str = "/usr/bin/python3";
    let works = |program: &str| {
        let run = Command::new(program).args(["-c", LXML]).env("PATH", path).output();
        run.is_ok_and(|o| o.status.success())
    };
    if works("python3") || !works(SYSTEM) {
        return Ok(None);
    }
    let folder = project::root().join("target/xtask-test/bin");
    let link = folder.join("python3");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    // A wrapper, not a link: python finds its library by the name it is called by.
    std::fs::write(&link, format!("#!/bin/sh\nexec {SYSTEM} \"$@\"\n"))?;
    #[cfg(unix)]
    std::fs::set_permissions(&link, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let parts = std::iter::once(folder).chain(std::env::split_paths(path));
    Ok(Some(std::env::join_paths(parts).context("extend PATH")?))
}
