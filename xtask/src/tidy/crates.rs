//! Rules about crates: arrows, inheritance, and who may know which library.

use super::rules::{Rules, matches};
use super::{Checkout, Report, Violation, rust};
use anyhow::Context as _;
use cargo_metadata::{DependencyKind, Package, TargetKind};
use std::collections::BTreeMap;

pub fn check(checkout: &Checkout, report: &mut Report) -> anyhow::Result<()> {
    let root = checkout.metadata.workspace_root.as_str();
    let members = checkout.metadata.workspace_packages();
    let rooms: BTreeMap<&str, String> =
        members.iter().filter_map(|p| Some((p.name.as_str(), room(root, p.manifest_path.as_str())?))).collect();
    for package in members {
        let Some(room) = rooms.get(package.name.as_str()) else { continue };
        let manifest = format!("{room}/Cargo.toml");
        arrows(&checkout.rules, package, room, &rooms, &manifest, report);
        libraries(&checkout.rules, package, room, &manifest, report);
        inheritance(checkout, &manifest, report)?;
        roots(checkout, package, room, report);
    }
    Ok(())
}

/// The folders of the workspace's crates.
pub fn rooms(checkout: &Checkout) -> Vec<String> {
    let root = checkout.metadata.workspace_root.as_str();
    let members = checkout.metadata.workspace_packages();
    members.iter().filter_map(|package| room(root, package.manifest_path.as_str())).collect()
}

/// The folder of a manifest, below the root.
fn room(root: &str, manifest: &str) -> Option<String> {
    let folder = manifest.strip_prefix(root)?.strip_suffix("Cargo.toml")?;
    Some(folder.replace('\\', "/").trim_matches('/').to_owned())
}

fn arrows(
    rules: &Rules,
    package: &Package,
    room: &str,
    rooms: &BTreeMap<&str, String>,
    manifest: &str,
    report: &mut Report,
) {
    let Some(allowed) = rules.arrows_of(room) else {
        report.violations.push(Violation::new(manifest, 0, "this room has no arrows in xtask/tidy.toml"));
        return;
    };
    for dependency in &package.dependencies {
        let Some(used) = rooms.get(dependency.name.as_str()) else { continue };
        let is_allowed = allowed.iter().any(|pattern| matches(pattern, used));
        // A test may use more, but even there the kernel must not meet a plugin.
        let is_test_only = dependency.kind == DependencyKind::Development;
        let may_test_with = room != "core/kernel" || used.starts_with("core/");
        if is_allowed || (is_test_only && may_test_with) {
            continue;
        }
        let why = format!("{room} must not use {used}: it may use {}", allowed.join(", "));
        report.violations.push(Violation::new(manifest, 0, why));
    }
}

fn libraries(rules: &Rules, package: &Package, room: &str, manifest: &str, report: &mut Report) {
    for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
        let Some(knowing) = rules.only.get(dependency.name.as_str()) else { continue };
        if !knowing.iter().any(|pattern| matches(pattern, room)) {
            let why = format!("only {} may know {}", knowing.join(", "), dependency.name);
            report.violations.push(Violation::new(manifest, 0, why));
        }
    }
}

/// Versions, lints and licence come from the workspace, so that there is one place for each.
fn inheritance(checkout: &Checkout, manifest: &str, report: &mut Report) -> anyhow::Result<()> {
    let path = checkout.metadata.workspace_root.join(manifest);
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let table: toml::Table = toml::from_str(&text).with_context(|| format!("read {path}"))?;
    let inherits =
        |value: Option<&toml::Value>| value.and_then(|v| v.get("workspace")).is_some_and(|w| w.as_bool() == Some(true));
    let mut complain = |why: String| report.violations.push(Violation::new(manifest, 0, why));
    if !inherits(table.get("lints")) {
        complain("lints.workspace = true is missing".to_owned());
    }
    for key in ["version", "edition", "rust-version", "license", "publish"] {
        if !inherits(table.get("package").and_then(|package| package.get(key))) {
            complain(format!("package.{key}.workspace = true is missing"));
        }
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let dependencies = table.get(section).and_then(toml::Value::as_table).into_iter().flatten();
        // A crate that takes itself into its tests, with a feature more, names its path.
        let own = |name: &str| package_name(&table) == Some(name);
        for (name, _) in dependencies.filter(|(name, value)| !inherits(Some(value)) && !own(name)) {
            complain(format!("{section}.{name} names its own version; versions stand in the workspace's Cargo.toml"));
        }
    }
    Ok(())
}

fn package_name(manifest: &toml::Table) -> Option<&str> {
    manifest.get("package")?.get("name")?.as_str()
}

/// Every library and binary forbids unsafe code, unless its room is on the list.
fn roots(checkout: &Checkout, package: &Package, room: &str, report: &mut Report) {
    if checkout.rules.unsafe_in.contains_key(room) {
        return;
    }
    let kinds = [TargetKind::Lib, TargetKind::RLib, TargetKind::CDyLib, TargetKind::Bin, TargetKind::ProcMacro];
    for target in package.targets.iter().filter(|target| target.kind.iter().any(|kind| kinds.contains(kind))) {
        let path = target.src_path.as_str().strip_prefix(checkout.metadata.workspace_root.as_str());
        let path = path.unwrap_or_default().trim_start_matches(['/', '\\']).replace('\\', "/");
        let Some(file) = checkout.files.iter().find(|file| file.path == path) else { continue };
        if !rust::code(&file.text).contains("#![forbid(unsafe_code)]") {
            report.violations.push(Violation::new(path, 0, "a crate root begins with #![forbid(unsafe_code)]"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn a_room_is_its_folder() {
        assert_eq!(room("/a/b", "/a/b/core/sdk/Cargo.toml").as_deref(), Some("core/sdk"));
        assert_eq!(room("/a/b", "/elsewhere/Cargo.toml"), None);
    }
}
