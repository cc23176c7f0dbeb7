//! Where the checkout is, how its cargo is called, and how we speak.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

/// The checkout's root.
pub fn root() -> PathBuf {
    // Set by `cargo run`; an executable started by hand works from the current folder.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    here.and_then(|dir| dir.parent().map(PathBuf::from)).unwrap_or_else(|| PathBuf::from("."))
}

/// The cargo that started us, in the root.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Whether this is a build server.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// Prints a line. A reader that has left (`| head`) is no reason to stop, so `println!` would be wrong.
pub fn say(text: impl fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
