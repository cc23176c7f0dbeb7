//! Scenarios (剧本): which messages go which way, and what goes wrong on it. A TOML file, described in README.md.

use crate::error;
use kouan_sdk::Result;
use kouan_sdk::simulator::Script;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A scenario; the default one lets every message go its business's usual way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Every random choice is a function of it and of what the choice is about.
    #[serde(default)]
    pub seed: u64,
    /// Element of a receipt that `unknown_channel` replaces.
    #[serde(default = "channel")]
    pub channel_element: String,
    /// The first rule that selects a message counts.
    #[serde(default, rename = "rule")]
    pub rules: Vec<Rule>,
}

/// What happens to the messages that it selects. A selector that is absent selects all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// The business's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business: Option<String>,
    /// Wire type (`MsgType`).
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub message_type: Option<String>,
    /// Business key, or the file name of what has none; `*` stands for any text, `?` for one character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// About one in so many, drawn by seed and business key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_n: Option<u64>,
    /// The business's steps, in its own words; empty = its usual way.
    pub steps: Vec<String>,
    /// Milliseconds between two steps.
    pub step_delay_ms: u64,
    /// What goes wrong with receipts.
    pub faults: Faults,
    /// What goes wrong with the message itself.
    pub intake: Intake,
}

/// How often what goes wrong with a receipt: probabilities from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Milliseconds by which a late receipt is late.
    pub delay_ms: u64,
    /// It comes `delay_ms` later.
    pub late: f64,
    /// It never comes.
    pub missing: f64,
    /// Its envelope comes twice.
    pub duplicated: f64,
    /// It changes places with the one that follows it.
    pub out_of_order: f64,
    /// Its signature is wrong.
    pub wrongly_signed: f64,
    /// Its envelope breaks off.
    pub truncated: f64,
    /// It is followed by a copy of itself with a code that nobody knows.
    pub unknown_channel: f64,
}

/// What goes wrong with a message: probabilities from 0 to 1.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Intake {
    /// Taken from the queue, and that was all.
    pub ignore: f64,
    /// Takes effect, and no receipt ever comes.
    pub silent: f64,
    /// Milliseconds that taking a batch with such a message lasts longer.
    pub slow_ms: u64,
}

/// What a rule may select by.
pub(crate) struct Subject<'a> {
    pub(crate) business: &'a str,
    pub(crate) message_type: &'a str,
    /// Business key's value, else the file name.
    pub(crate) key: &'a str,
}

fn channel() -> String {
    "CHANNEL".to_owned()
}

impl Default for Scenario {
    fn default() -> Self {
        Self { seed: 0, channel_element: channel(), rules: Vec::new() }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay_ms: 2000,
            late: 0.0,
            missing: 0.0,
            duplicated: 0.0,
            out_of_order: 0.0,
            wrongly_signed: 0.0,
            truncated: 0.0,
            unknown_channel: 0.0,
        }
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// `KOUAN-SANDBOX-SCENARIO` with line and column, or with the rule's number and the value at fault.
    pub fn from_toml(text: &str) -> Result<Self> {
        let scenario: Self = toml::from_str(text).map_err(|e| error::scenario(e.to_string()))?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Reads a scenario from a file.
    ///
    /// # Errors
    /// As [`Self::from_toml`]; also if the file cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| error::scenario(format!("{}: {e}", path.display())))?;
        Self::from_toml(&text)
            .map_err(|e| kouan_sdk::Error { message: format!("{}: {}", path.display(), e.message), ..e })
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check().map_err(|what| error::scenario(format!("rule {}: {what}", index + 1)))?;
        }
        Ok(())
    }

    /// The rule that counts for `subject`.
    pub(crate) fn rule(&self, subject: &Subject<'_>) -> Option<&Rule> {
        self.rules
            .iter()
            .enumerate()
            .find(|(index, rule)| rule.selects(subject, self.seed, *index))
            .map(|(_, rule)| rule)
    }
}

impl Rule {
    /// What the business is told.
    pub(crate) fn script(&self) -> Script {
        Script { steps: self.steps.clone(), step_delay_ms: self.step_delay_ms }
    }

    fn selects(&self, subject: &Subject<'_>, seed: u64, index: usize) -> bool {
        let is = |wanted: &Option<String>, got: &str| wanted.as_deref().is_none_or(|wanted| wanted == got);
        let drawn = |n: u64| {
            let what = ["every-n", &index.to_string(), subject.key];
            kouan_host::dice::Dice::new(seed).number(&what).is_multiple_of(n)
        };
        is(&self.business, subject.business)
            && is(&self.message_type, subject.message_type)
            && self.key.as_deref().is_none_or(|pattern| glob(pattern, subject.key))
            && self.every_n.is_none_or(drawn)
    }

    fn check(&self) -> Result<(), String> {
        let Faults { late, missing, duplicated, out_of_order, wrongly_signed, truncated, unknown_channel, .. } =
            &self.faults;
        let probabilities = [
            ("faults.late", late),
            ("faults.missing", missing),
            ("faults.duplicated", duplicated),
            ("faults.out_of_order", out_of_order),
            ("faults.wrongly_signed", wrongly_signed),
            ("faults.truncated", truncated),
            ("faults.unknown_channel", unknown_channel),
            ("intake.ignore", &self.intake.ignore),
            ("intake.silent", &self.intake.silent),
        ];
        for (name, value) in probabilities {
            if !(0.0..=1.0).contains(value) {
                return Err(format!("{name} = {value} is no probability from 0 to 1"));
            }
        }
        if self.every_n == Some(0) {
            return Err("every_n = 0 selects nothing; 1 selects all".to_owned());
        }
        Ok(())
    }
}

/// Whether `text` has the form of `pattern`.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => (p, t) = (p + 1, t + 1),
            // Let the last star take one character more.
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_select_whole_texts() {
        for (pattern, text, yes) in [
            ("*", "", true),
            ("", "", true),
            ("", "A", false),
            ("TEST*", "TEST1", true),
            ("TEST*", "XTEST1", false),
            ("*1", "T1T1", true),
            ("*1*2", "a1b2c2", true),
            ("*1*2", "a1b2c", false),
            ("T?ST", "T单ST", true),
            ("T?ST", "TST", false),
        ] {
            assert_eq!(glob(pattern, text), yes, "{pattern} on {text}");
        }
    }

    #[test]
    fn the_first_rule_that_selects_counts() {
        let text = r#"
            seed = 7
            [[rule]]
            business = "goods"
            key = "BAD*"
            steps = ["refuse:关区代码不存在"]
            [[rule]]
            type = "DECCUS001"
            step_delay_ms = 5
            faults = { late = 1, delay_ms = 30 }
            [[rule]]
            every_n = 4
            intake = { silent = 0.5 }
        "#;
        let scenario = Scenario::from_toml(text).unwrap();
        let rule = |business: &str, message_type: &str, key: &str| {
            let subject = Subject { business, message_type, key };
            scenario.rule(&subject).and_then(|found| scenario.rules.iter().position(|rule| rule == found))
        };
        assert_eq!(rule("goods", "DECCUS001", "BAD1"), Some(0));
        assert_eq!(rule("goods", "DECCUS001", "GOOD1"), Some(1));
        let drawn = (0..1000).filter(|n| rule("other", "X", &n.to_string()) == Some(2)).count();
        assert!((200..300).contains(&drawn), "{drawn} of 1000 at one in four");
        assert_eq!(scenario.rules[1].script().step_delay_ms, 5);
        let again = toml::to_string(&scenario).unwrap();
        assert_eq!(Scenario::from_toml(&again).unwrap(), scenario);
    }

    #[test]
    fn the_example_in_the_readme_is_a_scenario() {
        let readme = include_str!("../README.md");
        let example = readme.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let scenario = Scenario::from_toml(example).unwrap();
        assert_eq!((scenario.seed, scenario.rules.len()), (7, 2));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (text, place) in [
            ("sead = 1", "sead"),
            ("[[rule]]\nkeys = \"A\"", "line 2"),
            ("[[rule]]\n[[rule]]\nfaults = { late = 1.5 }", "rule 2: faults.late = 1.5"),
            ("[[rule]]\nintake = { ignore = -1 }", "rule 1: intake.ignore"),
            ("[[rule]]\nevery_n = 0", "rule 1: every_n"),
            ("[[rule]]\nfaults = { lost = 1 }", "lost"),
        ] {
            let error = Scenario::from_toml(text).expect_err(text);
            assert_eq!(error.code, "KOUAN-SANDBOX-SCENARIO");
            assert!(error.message.contains(place), "{text}: {}", error.message);
        }
    }
}
