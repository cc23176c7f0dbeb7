//! What a refusal says: the first errors in one line.

use kouan_sdk::{Finding, Severity};
use std::fmt::Write as _;

/// So many findings stand in the text; the report beside it has all.
const SHOWN: usize = 3;
/// Characters of one finding.
const FINDING_CHARS: usize = 120;

/// The first errors in one line of Chinese, and how many there are.
pub fn summary(findings: &[Finding]) -> String {
    let errors: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    if errors.is_empty() {
        return "报文校验不通过".into();
    }
    let mut text: Vec<String> = errors.iter().take(SHOWN).map(|finding| line(finding)).collect();
    if errors.len() > SHOWN {
        text.push(format!("共 {} 处错误，详见 Report 目录", errors.len()));
    }
    text.join("；")
}

fn line(finding: &Finding) -> String {
    let mut text = String::new();
    if finding.line > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, "第 {} 行：", finding.line);
    }
    text.push_str(&finding.message_zh);
    if !finding.hint_zh.is_empty() {
        let _ = write!(text, "（{}）", finding.hint_zh);
    }
    if text.chars().count() > FINDING_CHARS {
        text = text.chars().take(FINDING_CHARS - 1).chain(['…']).collect();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_first_errors_and_how_many_there_are() {
        let error = |n: u32| {
            let whole = Finding::whole("R", Severity::Error, format!("错误{n}"), format!("error {n}"));
            Finding { line: n, column: 1, ..whole }
        };
        let mut findings: Vec<Finding> = (1..=5).map(error).collect();
        findings.insert(0, Finding::whole("W", Severity::Warning, "提醒", "note"));
        let said = "第 1 行：错误1；第 2 行：错误2；第 3 行：错误3；共 5 处错误，详见 Report 目录";
        assert_eq!(summary(&findings), said);
        assert_eq!(summary(&findings[..1]), "报文校验不通过");
    }

    #[test]
    fn a_long_finding_is_cut() {
        let finding = Finding::whole("R", Severity::Error, "长".repeat(500), "long");
        assert_eq!(summary(&[finding]).chars().count(), FINDING_CHARS);
    }
}
