//! `cargo xtask tidy`: the house's rules, held against the code. The rules' data is `xtask/tidy.toml`.

mod catalogue;
mod crates;
mod documents;
mod files;
mod licences;
mod rules;
mod rust;

use crate::project;
use anyhow::Context as _;
use std::fmt;
use std::path::PathBuf;

/// One rule broken at one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// File below the root.
    pub file: String,
    /// Line, from 1; 0 = the whole file.
    pub line: usize,
    /// What is wrong, and what the rule is.
    pub why: String,
}

impl Violation {
    fn new(file: impl Into<String>, line: usize, why: impl Into<String>) -> Self {
        Self { file: file.into(), line, why: why.into() }
    }
}

/// All that was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Broken rules.
    pub violations: Vec<Violation>,
    /// Worth a look, broken no rule.
    pub remarks: Vec<Violation>,
    /// How many files were read.
    pub files: usize,
}

/// What every rule looks at.
struct Checkout {
    rules: rules::Rules,
    files: Vec<SourceFile>,
    metadata: cargo_metadata::Metadata,
}

/// A tracked (or about to be tracked) text file.
struct SourceFile {
    /// Path below the root, with `/`.
    path: String,
    text: String,
}

/// Prints what breaks the rules; whether nothing does.
pub fn run() -> anyhow::Result<bool> {
    let report = check()?;
    project::say(&report);
    Ok(report.violations.is_empty())
}

/// Holds every rule against the checkout.
pub fn check() -> anyhow::Result<Report> {
    let checkout = Checkout::read()?;
    let mut report = Report { files: checkout.files.len(), ..Report::default() };
    crates::check(&checkout, &mut report)?;
    licences::check(&checkout, &mut report);
    catalogue::check(&checkout, &mut report)?;
    documents::check(&checkout, &mut report);
    files::check(&checkout, &mut report);
    report.violations.sort();
    report.remarks.sort();
    Ok(report)
}

impl Checkout {
    fn read() -> anyhow::Result<Self> {
        let root = project::root();
        let mut files = Vec::new();
        for path in paths(&root)? {
            // What is no text (a zip among the samples) has no lines to hold rules against.
            if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
                files.push(SourceFile { path, text });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let metadata = cargo_metadata::MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .exec()
            .context("read the workspace's metadata")?;
        Ok(Self { rules: rules::Rules::read(&root)?, files, metadata })
    }
}

/// Tracked files and new ones that are not ignored.
fn paths(root: &PathBuf) -> anyhow::Result<Vec<String>> {
    let shell = xshell::Shell::new()?;
    shell.change_dir(root);
    let listed = xshell::cmd!(shell, "git ls-files -z --cached --others --exclude-standard").quiet().read();
    match listed {
        Ok(listed) => Ok(listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()),
        // An unpacked archive has no git: everything but what cargo builds.
        Err(_) => walk(root, root),
    }
}

fn walk(root: &PathBuf, folder: &PathBuf) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            if !name.starts_with("target") && name != ".git" {
                found.extend(walk(root, &path)?);
            }
        } else {
            found.push(name);
        }
    }
    Ok(found)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.why),
            line => write!(f, "{}:{line}: {}", self.file, self.why),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for remark in &self.remarks {
            writeln!(f, "note: {remark}")?;
        }
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        write!(f, "tidy: {} files, {} violations, {} notes", self.files, self.violations.len(), self.remarks.len())
    }
}
