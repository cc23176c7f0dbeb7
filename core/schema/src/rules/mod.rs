//! Rules (规则): what spans fields, written in CEL, checked and compiled at load, each with its own examples.

mod check_digits;
mod checker;
mod decimal;
mod example;
mod functions;
mod patterns;
mod quick;
mod read;
mod template;
mod view;

use crate::codes::{CodeTable, in_force};
use crate::error::LoadError;
use crate::run::{Seen, SeenList};
use crate::schema::{Mode, Schema};
use crate::validator::{Enforcement, Validator};
use crate::wants::{WantId, Wants};
use crate::wording::Texts;
use cel::common::types::{CelBool, CelString};
use cel::{Context, ExecutionError, IdedExpr, Program};
use kouan_sdk::Severity;
use patterns::Patterns;
use quick::{Ground, Quick};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use template::Template;
use view::{Item, Shared, View};

/// Rule id of the finding that says that a rule could not be evaluated.
const FAULT: &str = "KOUAN-SCHEMA-RULE-FAULT";

/// A compiled rule.
struct Rule {
    info: RuleInfo,
    /// Where it applies, and where its mark goes there.
    selects: Vec<(WantId, Option<WantId>)>,
    /// By select: what it says, resolved there.
    conditions: Vec<Conditions>,
    when: Option<Program>,
    assert: Program,
    message_zh: Template,
    message_en: Template,
    examples: Vec<example::Example>,
}

/// What a rule says at one of its places.
struct Conditions {
    when: Option<Quick>,
    assert: Quick,
}

/// What a rule says of itself.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RuleInfo {
    /// Id, as findings carry it.
    pub id: String,
    /// File that it stands in.
    pub file: String,
    /// Line that it begins on.
    pub line: u32,
    /// How bad breaking it is.
    pub severity: Severity,
    /// Where it applies.
    pub select: Vec<String>,
    /// Paths of the values that it reads, and of what it marks.
    pub fields: Vec<String>,
    /// Condition, if any.
    pub when: Option<String>,
    /// What must hold.
    pub assert: String,
    /// Message with place holders, Chinese.
    pub message_zh: String,
    /// The same, English.
    pub message_en: String,
    /// What to do, Chinese.
    pub hint_zh: String,
    /// What to do, English.
    pub hint_en: String,
    /// Where it comes from.
    pub source: String,
    /// First day in force; empty = always was.
    pub effective_from: String,
    /// Last day in force; empty = still is.
    pub effective_to: String,
    /// How many examples it has.
    pub examples: usize,
}

/// What became of one example.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RuleTest {
    /// Rule id.
    pub rule: String,
    /// Number of the example, from 1.
    pub example: usize,
    /// What the example says: whether the rule holds for it.
    pub expected: bool,
    /// What the rule says; `None` if it could not be evaluated.
    pub found: Option<bool>,
    /// Why it could not.
    pub fault: String,
}

impl RuleTest {
    /// Whether the rule says what the example says.
    pub fn is_ok(&self) -> bool {
        self.found == Some(self.expected)
    }
}

/// The rules of one business.
pub struct RuleSet {
    rules: Vec<Rule>,
    /// By wanted place: whether a rule selects it.
    selected: Vec<bool>,
    context: Context<'static, 'static>,
}

/// A document as rules see it.
pub(crate) struct Document<'d> {
    pub(crate) wants: &'d Arc<Wants>,
    pub(crate) seen: &'d SeenList<'d>,
    pub(crate) mode: Mode,
    pub(crate) date: Option<&'d str>,
}

/// A broken rule, or one that could not be evaluated.
pub(crate) struct Verdict<'r> {
    pub(crate) rule: &'r str,
    pub(crate) severity: Severity,
    pub(crate) texts: Texts,
    pub(crate) hints: Texts,
    pub(crate) want: Option<WantId>,
    pub(crate) seen: Option<u32>,
    pub(crate) mark: Range<usize>,
    pub(crate) value: Option<String>,
}

/// What evaluating a rule once gives.
enum Judged {
    Holds,
    Broken,
    Fault(String),
    /// A value has a wrong form, which the schema has told already.
    WrongValue,
}

impl RuleSet {
    /// Reads, checks and compiles rules. The places that they mention are added to `wants`.
    pub(crate) fn load(
        schema: &Schema,
        wants: &mut Wants,
        codes: Arc<BTreeMap<String, CodeTable>>,
        files: &[(String, Vec<u8>)],
    ) -> Result<Self, LoadError> {
        let mut rules: Vec<Rule> = Vec::new();
        for (path, bytes) in files {
            for rule in read::file(schema, wants, &codes, path, bytes)? {
                if let Some(other) = rules.iter().find(|r| r.info.id == rule.info.id) {
                    let message =
                        format!("the rule {} stands also in {}:{}", rule.info.id, other.info.file, other.info.line);
                    return Err(LoadError {
                        line: rule.info.line,
                        ..LoadError::whole(crate::error::DUPLICATE, path, message)
                    });
                }
                rules.push(rule);
            }
        }
        let mut patterns = Patterns::default();
        for rule in &rules {
            rule.when.iter().chain([&rule.assert]).for_each(|program| patterns.collect(program.expression()));
        }
        let mut selected = vec![false; wants.wants.len()];
        for (want, _) in rules.iter().flat_map(|rule| &rule.selects) {
            if let Some(selected) = selected.get_mut(*want as usize) {
                *selected = true;
            }
        }
        Ok(Self { rules, selected, context: functions::context(codes, patterns) })
    }

    /// All rules, in the order of their files.
    pub fn list(&self) -> impl Iterator<Item = &RuleInfo> {
        self.rules.iter().map(|rule| &rule.info)
    }

    /// Runs all examples.
    pub(crate) fn test(&self, validator: &Validator) -> Vec<RuleTest> {
        let mut tests = Vec::new();
        for rule in &self.rules {
            for (at, example) in rule.examples.iter().enumerate() {
                let (found, fault) = match self.example(validator, rule, example) {
                    Judged::Holds => (Some(true), String::new()),
                    Judged::Broken => (Some(false), String::new()),
                    Judged::Fault(fault) => (None, fault),
                    Judged::WrongValue => (None, "a value is not a number".to_owned()),
                };
                tests.push(RuleTest {
                    rule: rule.info.id.clone(),
                    example: at + 1,
                    expected: example.ok,
                    found,
                    fault,
                });
            }
        }
        tests
    }

    fn example(&self, validator: &Validator, rule: &Rule, example: &example::Example) -> Judged {
        match &example.given {
            example::Given::Data { select: number, this, root } => {
                let shared = Shared::new(Arc::clone(&validator.wants));
                let select = rule.selects.get(*number).map_or(0, |(want, _)| *want);
                let this = example::item(&shared, select, this);
                let root = root.as_ref().map(|root| example::item(&shared, example::root_of(&shared, select), root));
                let date =
                    if rule.info.effective_from.is_empty() { None } else { Some(rule.info.effective_from.as_str()) };
                let mode = example.mode.unwrap_or(Mode::Declare);
                let on = Ground { this: &this, root: root.as_ref(), mode: mode.as_str() };
                rule.judge(*number, on, &self.scope(root.as_ref(), mode, date))
            }
            example::Given::Xml(xml) => {
                let outcome = validator.check(xml.as_bytes(), &crate::CheckOptions::default());
                if let Some(fault) =
                    outcome.findings.iter().find(|f| f.rule == FAULT && f.message_en.contains(&rule.info.id))
                {
                    return Judged::Fault(fault.message_en.clone());
                }
                if outcome.findings.iter().any(|f| f.rule == rule.info.id) { Judged::Broken } else { Judged::Holds }
            }
        }
    }

    /// Judges a document by all rules. `wrong_values`: the schema found values of a wrong form, so that a rule that
    /// stumbles over one says nothing.
    pub(crate) fn judge<'r>(
        &'r self,
        document: &Document<'_>,
        overrides: Option<&BTreeMap<String, Enforcement>>,
        wrong_values: bool,
    ) -> Vec<Verdict<'r>> {
        let mut verdicts = Vec::new();
        if self.rules.is_empty() {
            return verdicts;
        }
        let shared = Shared::new(Arc::clone(document.wants));
        let view = view::build(&shared, document.seen, &self.selected);
        let root = view.root.as_ref();
        let scope = self.scope(root, document.mode, document.date);
        for rule in &self.rules {
            let off = overrides.and_then(|o| o.get(&rule.info.id)) == Some(&Enforcement::Off);
            let in_force =
                document.date.is_none_or(|d| in_force(d, &rule.info.effective_from, &rule.info.effective_to));
            if off || !in_force {
                continue;
            }
            for (at, this, select) in rule.applies(&view) {
                let Some(seen) = document.seen.list.get(at) else { continue };
                let on = Ground { this, root, mode: document.mode.as_str() };
                match rule.judge(select, on, &scope) {
                    Judged::Holds => {}
                    Judged::WrongValue if wrong_values => {}
                    Judged::Broken => verdicts.push(broken(rule, document, at, select, on)),
                    Judged::WrongValue => verdicts.push(faulty(rule, at, seen, "a value is not a number")),
                    Judged::Fault(fault) => verdicts.push(faulty(rule, at, seen, &fault)),
                }
                if shared.is_spent() {
                    return verdicts;
                }
            }
        }
        verdicts
    }

    /// What all rules of one document share.
    fn scope(&self, root: Option<&Item>, mode: Mode, date: Option<&str>) -> Context<'_, 'static> {
        let mut scope = self.context.new_inner_scope();
        if let Some(root) = root {
            scope.add_variable_as_val("root", root.boxed());
        }
        scope.add_variable_as_val("mode", Box::new(CelString::from(mode.as_str())));
        scope.add_variable_as_val(functions::TODAY, Box::new(CelString::from(date.unwrap_or("").to_owned())));
        scope
    }
}

impl Rule {
    /// Where it applies in a document, in document order, on what, and by which of its selects.
    fn applies<'v>(&self, view: &'v View) -> Vec<(usize, &'v Item, usize)> {
        let of = |(select, (want, _)): (usize, &(WantId, Option<WantId>))| {
            view.places(*want).iter().map(move |(at, this)| (*at, this, select))
        };
        let mut all: Vec<_> = self.selects.iter().enumerate().flat_map(of).collect();
        if self.selects.len() > 1 {
            all.sort_by_key(|(at, ..)| *at);
            all.dedup_by_key(|(at, ..)| *at);
        }
        all
    }

    /// Judges one element, by the select through which the rule applies to it.
    fn judge(&self, select: usize, ground: Ground<'_>, scope: &Context<'_, 'static>) -> Judged {
        // Most elements are judged without CEL, and need no scope.
        let context = OnceCell::new();
        let cel = |expr: &IdedExpr| truth(expr, context.get_or_init(|| on(scope, ground.this)));
        let decide = |quick: Option<&Quick>, program: &Program| {
            let quick = quick.and_then(|quick| quick.answer(ground, &|leaf| cel(leaf).ok()));
            quick.map_or_else(|| cel(program.expression()), Ok)
        };
        let conditions = self.conditions.get(select);
        if let Some(when) = &self.when {
            match decide(conditions.and_then(|c| c.when.as_ref()), when) {
                Ok(true) => {}
                Ok(false) => return Judged::Holds,
                Err(error) => return failed(&error),
            }
        }
        match decide(conditions.map(|c| &c.assert), &self.assert) {
            Ok(true) => Judged::Holds,
            Ok(false) => Judged::Broken,
            Err(error) => failed(&error),
        }
    }
}

/// The scope in which `this` is one element.
fn on<'s>(scope: &'s Context<'s, 'static>, this: &Item) -> Context<'s, 'static> {
    let mut inner = scope.new_inner_scope();
    inner.add_variable_as_val("this", this.boxed());
    inner
}

fn truth(expr: &IdedExpr, context: &Context<'_, '_>) -> Result<bool, ExecutionError> {
    let value = cel::Value::resolve_val(expr, context)?;
    let truth = value.downcast_ref::<CelBool>().map(|b| *b.inner());
    truth.ok_or_else(|| ExecutionError::function_error("rule", "the result is neither true nor false"))
}

fn failed(error: &ExecutionError) -> Judged {
    match error {
        ExecutionError::FunctionError { function, .. } if function == "dec" || function == "int" => Judged::WrongValue,
        other => Judged::Fault(other.to_string()),
    }
}

/// The verdict of a broken rule, marked at its target if that is there.
fn broken<'r>(rule: &'r Rule, document: &Document<'_>, at: usize, select: usize, on: Ground<'_>) -> Verdict<'r> {
    let target = rule.selects.get(select).and_then(|(_, target)| *target);
    let place = target.and_then(|target| {
        let inside = |mut place: usize| loop {
            if place == at {
                return true;
            }
            match document.seen.list.get(place) {
                Some(seen) if (seen.parent as usize) < place => place = seen.parent as usize,
                _ => return false,
            }
        };
        let mut places = document.seen.list.iter().enumerate().filter(|(_, seen)| seen.want == target);
        places.find(|(place, _)| inside(*place)).map(|(place, _)| place)
    });
    let place = place.unwrap_or(at);
    let seen = document.seen.list.get(place);
    let Ground { this, root, mode } = on;
    Verdict {
        rule: &rule.info.id,
        severity: rule.info.severity,
        texts: (rule.message_zh.fill(this, root, mode), rule.message_en.fill(this, root, mode)),
        hints: (rule.info.hint_zh.clone(), rule.info.hint_en.clone()),
        want: seen.map(|s| s.want),
        seen: Some(place as u32),
        mark: seen.map_or(0..0, |s| s.mark.range()),
        value: seen.and_then(|s| document.seen.value(s)).filter(|v| !v.is_empty()).map(str::to_owned),
    }
}

fn faulty<'r>(rule: &'r Rule, at: usize, seen: &Seen, fault: &str) -> Verdict<'r> {
    let id = &rule.info.id;
    Verdict {
        rule: FAULT,
        severity: Severity::Info,
        texts: (
            format!("规则 {id} 无法执行，未作判断：{fault}"),
            format!("the rule {id} could not be evaluated and was left out: {fault}"),
        ),
        hints: (String::new(), String::new()),
        want: Some(seen.want),
        seen: Some(at as u32),
        mark: seen.mark.range(),
        value: None,
    }
}

#[cfg(test)]
mod tests;
