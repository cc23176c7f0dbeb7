//! What a test run's output says: counts, failures, and what was skipped.

/// Sums of one suite or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that ran and were content.
    pub passed: usize,
    /// Tests that were not.
    pub failed: usize,
    /// Tests that did not run, ignored ones included.
    pub skipped: usize,
    /// Why, a line each.
    pub reasons: Vec<String>,
}

impl Counts {
    /// One check that is content or not.
    pub fn single(passed: bool) -> Self {
        Self { passed: usize::from(passed), failed: usize::from(!passed), ..Self::default() }
    }

    /// One check that was left out.
    pub fn left_out(why: impl Into<String>) -> Self {
        Self { skipped: 1, reasons: vec![why.into()], ..Self::default() }
    }

    /// Adds the numbers, not the reasons.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Reads the output of `cargo test -- --show-output`.
///
/// A test that leaves itself out prints `SKIPPED: <why>` and passes for libtest; it is counted as skipped here, once,
/// however often it says so. `content` is the run's exit status: a run that failed without a failed test (a build error,
/// an abort) counts as one failure.
pub fn counts(output: &str, content: bool) -> Counts {
    let mut sums = Counts::default();
    let mut left_out = 0;
    let mut test = "";
    let mut said = false;
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----")) {
            (test, said) = (name, false);
        } else if let Some(why) = line.trim_start().strip_prefix("SKIPPED:") {
            if !said {
                left_out += 1;
                sums.reasons.push(reason(test, why));
                said = !test.is_empty();
            }
        } else if let Some(result) = line.strip_prefix("test result: ") {
            sums.passed += number(result, "passed");
            sums.failed += number(result, "failed");
            sums.skipped += number(result, "ignored");
            test = "";
        } else if let Some((name, why)) = ignored(line) {
            sums.reasons.push(reason(name, why));
        }
    }
    sums.passed = sums.passed.saturating_sub(left_out);
    sums.skipped += left_out;
    if !content && sums.failed == 0 {
        sums.failed = 1;
    }
    sums
}

/// Names of the tests that failed.
pub fn failures(output: &str) -> Vec<&str> {
    output.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED")).collect()
}

fn reason(test: &str, why: &str) -> String {
    let why = why.trim();
    if test.is_empty() { why.to_owned() } else { format!("{test}: {why}") }
}

/// The number before `what` in `ok. 3 passed; 0 failed; …`.
fn number(result: &str, what: &str) -> usize {
    let before = result.split(what).next().unwrap_or_default();
    before.trim_end().rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Name and reason of `test name ... ignored, reason`.
fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, why) = line.strip_prefix("test ")?.split_once(" ... ignored")?;
    Some((name, why.strip_prefix(", ").unwrap_or("ignored, without a reason")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "\
running 4 tests
test a ... ok
test b ... ok
test c ... ignored, needs a card
test d ... FAILED

successes:

---- b stdout ----
SKIPPED: xmllint is not installed
SKIPPED: still not

successes:
    a

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

running 1 test
---- e stdout ----
SKIPPED: no openssl
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn a_test_that_leaves_itself_out_is_not_counted_as_passed() {
        let sums = counts(RUN, false);
        assert_eq!((sums.passed, sums.failed, sums.skipped), (1, 1, 3));
        assert_eq!(sums.reasons, ["c: needs a card", "b: xmllint is not installed", "e: no openssl"]);
        assert_eq!(failures(RUN), ["d"]);
    }

    #[test]
    fn a_run_that_fails_without_a_failed_test_is_a_failure() {
        assert_eq!(counts("error: could not compile", false).failed, 1);
        assert_eq!(counts("", true), Counts::default());
    }
}
