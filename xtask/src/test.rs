//! `cargo xtask test`: runs every suite, prints one line a suite and a summary.

use anyhow::{Context, Result, bail};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Name of a suite and its cargo arguments.
const SUITES: &[(&str, &[&str])] = &[
    ("fmt", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    ("docs", &["doc", "--workspace", "--no-deps", "--quiet"]),
    ("tidy", &["xtask", "tidy"]),
    // Tests say on their output what they skip, so it must not be captured.
    ("tests", &["test", "--workspace", "--no-fail-fast", "--", "--nocapture"]),
];

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: Vec<String>,
}

/// Runs everything; an error if anything failed.
pub fn run() -> Result<()> {
    let logs = Path::new("target/xtask-test");
    fs::create_dir_all(logs)?;
    let mut out = std::io::stdout().lock();
    let mut total = Counts::default();
    for (name, arguments) in SUITES {
        let started = Instant::now();
        let (counts, ok, log) = suite(name, arguments, logs)?;
        let verdict = if ok { "ok" } else { "FAILED" };
        let (passed, failed, skipped) = (counts.passed, counts.failed, counts.skipped.len());
        let seconds = started.elapsed().as_secs();
        writeln!(out, "{name:<8} {verdict:<6} {passed} passed, {failed} failed, {skipped} skipped ({seconds} s)")?;
        if !ok {
            writeln!(out, "{}", tail(&log, 60))?;
        }
        total.passed += counts.passed;
        total.failed += counts.failed;
        total.skipped.extend(counts.skipped);
    }
    total.skipped.iter().try_for_each(|why| writeln!(out, "skipped: {why}"))?;
    writeln!(out, "{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped.len())?;
    if total.failed > 0 {
        bail!("some suites failed; their logs are in {}", logs.display());
    }
    Ok(())
}

/// One suite; one that counts nothing itself counts as one test.
fn suite(name: &str, arguments: &[&str], logs: &Path) -> Result<(Counts, bool, String)> {
    let path = logs.join(format!("{name}.log"));
    let log = fs::File::create(&path)?;
    let status = Command::new("cargo")
        .args(arguments)
        .env("RUSTDOCFLAGS", "-D warnings")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .with_context(|| format!("start cargo for {name}"))?;
    let ok = status.success();
    let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    let mut counts = count(&text);
    if counts.passed + counts.failed == 0 {
        counts.passed = u64::from(ok);
    }
    if !ok && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok((counts, ok, text))
}

/// Reads cargo's own `test result:` lines and the tests' `SKIPPED:` lines.
fn count(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines() {
        if let Some(result) = line.strip_prefix("test result:") {
            let words: Vec<_> = result.split_whitespace().collect();
            let before = |unit| {
                let at = words.iter().position(|word| *word == unit)?;
                words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
            };
            counts.passed += before("passed;").unwrap_or(0);
            counts.failed += before("failed;").unwrap_or(0);
        }
        // The test of this reader names the mark itself; a skip begins its line.
        if let Some(why) = line.strip_prefix("SKIPPED:") {
            counts.skipped.push(why.trim().to_owned());
        }
    }
    counts
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_results_and_skips() {
        let counts = super::count(
            "test a ... ok\ntest result: ok. 6 passed; 1 failed; 0 ignored; 0 measured\nSKIPPED: no openssl\n\
             test result: ok. 2 passed; 0 failed; 0 ignored",
        );
        assert_eq!((counts.passed, counts.failed), (8, 1));
        assert_eq!(counts.skipped, ["no openssl"]);
    }
}
