//! `cargo xtask tidy`: the house's rules against the code. The dependency arrows stand in `xtask/tidy.toml`.

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The rules that are data.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// Crate → workspace crates it may depend on.
    arrows: BTreeMap<String, Vec<String>>,
    /// Words that no tracked file may hold.
    forbidden: Vec<String>,
}

/// Prints every violation; an error if there is one.
pub fn run() -> Result<()> {
    let rules: Rules = toml::from_str(&fs::read_to_string("xtask/tidy.toml")?)?;
    let mut faults = arrows(&rules)?;
    for file in tracked()? {
        if let Ok(text) = fs::read_to_string(&file) {
            faults.extend(hygiene(&rules, &file, &text));
        }
    }
    faults.extend(codes()?);
    if faults.is_empty() {
        return Ok(());
    }
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    bail!("{} violations of the house's rules", faults.len())
}

/// Dependency arrows, licences and lints, from cargo's metadata.
fn arrows(rules: &Rules) -> Result<Vec<String>> {
    let metadata = MetadataCommand::new().no_deps().exec()?;
    let ours: BTreeSet<_> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let mut faults = Vec::new();
    for package in &metadata.packages {
        let name = package.name.to_string();
        if package.license.as_deref() != Some("MIT OR Apache-2.0") {
            faults.push(format!("{}: licence is not MIT OR Apache-2.0", package.manifest_path));
        }
        if !fs::read_to_string(&package.manifest_path)?.contains("[lints]\nworkspace = true") {
            faults.push(format!("{}: does not take the workspace's lints", package.manifest_path));
        }
        let Some(allowed) = rules.arrows.get(&name) else {
            faults.push(format!("xtask/tidy.toml: no arrows for {name}"));
            continue;
        };
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        for dependency in normal.filter(|d| ours.contains(&d.name) && !allowed.contains(&d.name)) {
            faults.push(format!("{}: {name} must not depend on {}", package.manifest_path, dependency.name));
        }
    }
    Ok(faults)
}

/// What can be said of one file by itself.
fn hygiene(rules: &Rules, file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let rust = file.ends_with(".rs");
    if rust && (file.ends_with("src/lib.rs") || file.ends_with("src/main.rs")) {
        if !text.contains("#![forbid(unsafe_code)]") {
            faults.push(format!("{file}: does not forbid unsafe code"));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{file}: does not say what the room is for"));
        }
    }
    if rust && text.lines().count() > 700 {
        faults.push(format!("{file}: over 700 lines; is it about one thing?"));
    }
    for (index, line) in text.lines().enumerate() {
        if rust && line.ends_with(' ') {
            faults.push(format!("{file}:{}: trailing space", index + 1));
        }
        let forbidden = rules.forbidden.iter().filter(|word| line.contains(*word) && file != "xtask/tidy.toml");
        faults.extend(forbidden.map(|word| format!("{file}:{}: holds `{word}`", index + 1)));
    }
    faults
}

/// Every `KOUAN-…` code in the sources of the workspace's crates stands in the catalogue.
fn codes() -> Result<Vec<String>> {
    let mut known = BTreeSet::new();
    for entry in fs::read_dir("core/sdk/catalogue")? {
        let text = fs::read_to_string(entry?.path())?;
        known.extend(text.lines().filter_map(|l| Some(l.strip_prefix('[')?.strip_suffix(']')?.to_owned())));
    }
    let metadata = MetadataCommand::new().no_deps().exec()?;
    let root = metadata.workspace_root.as_std_path();
    let folders: Vec<_> = metadata
        .packages
        .iter()
        .filter_map(|package| package.manifest_path.as_std_path().parent()?.strip_prefix(root).ok())
        .map(|folder| folder.join("src"))
        .collect();
    let built = |file: &String| folders.iter().any(|folder| Path::new(file).starts_with(folder));
    let mut faults = Vec::new();
    for file in tracked()?.into_iter().filter(|file| file.ends_with(".rs") && built(file)) {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for literal in text.split('"').filter(|l| l.starts_with("KOUAN-") && l.len() > 8 && !l.ends_with('-')) {
            let code = literal.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-');
            // Tests make up errors under these codes.
            if code && !literal.starts_with("KOUAN-TEST") && !known.contains(literal) {
                faults.push(format!("{file}: {literal} is not in the catalogue"));
            }
        }
    }
    Ok(faults)
}

fn tracked() -> Result<Vec<String>> {
    let output = Command::new("git").args(["ls-files"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
