//! `kouan sandbox run` that must not start, and what `kouan demo --json` leaves behind.
#![allow(clippy::unwrap_used)]

mod common;

use common::service::Folder;
use std::process::Command;

/// `kouan sandbox run` in a folder of `kouan init`, where the environment names the gateway's configuration.
fn sandbox(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kouan"))
        .args(["sandbox", "run", "--lang", "en"])
        .args(arguments)
        .current_dir(folder.path("."))
        .env("KOUAN_CONFIG", "kouan.toml")
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_step_that_nobody_knows_and_a_sandbox_in_use_are_refused_at_the_start() {
    let folder = Folder::new();
    let scenario = "[[rule]]\nsteps = [\"7\", \"P\"]\n[[rule]]\nbusiness = \"goods-declaration\"\nsteps = [\"fly\"]\n";
    std::fs::write(folder.path("faults.toml"), scenario).unwrap();
    let (exit, said) = sandbox(&folder, &["--scenario", "faults.toml"]);
    assert_eq!(exit, Some(78), "{said}");
    for what in ["rule 2", "\"fly\"", "CHANNEL", "stop", "refuse:<text>", "[KOUAN-DEC-SCRIPT]"] {
        assert!(said.contains(what), "{what}: {said}");
    }
    let window = folder.window();
    window.says("runs");
    let (exit, said) = sandbox(&folder, &[]);
    assert!(exit == Some(3) && said.contains("[KOUAN-SANDBOX-IN-USE]"), "{exit:?}: {said}");
    window.stop();
}

#[test]
fn a_demo_for_programs_keeps_what_it_names() {
    let output = common::kouan(&["demo", "--messages", "1", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let path = |name: &str| std::path::PathBuf::from(told[name].as_str().unwrap_or_else(|| panic!("{name}: {told}")));
    assert!(path("journal").is_file() && path("imp_path").is_dir(), "{told}");
    std::fs::remove_dir_all(path("imp_path").parent().unwrap()).unwrap();
}
