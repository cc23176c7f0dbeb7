//! Rules (规则): what spans fields, written in CEL, checked and compiled at load, each with its own examples.

mod check_digits;
mod checker;
mod decimal;
mod example;
mod functions;
mod patterns;
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
use cel::{Context, ExecutionError, Program};
use kouan_sdk::Severity;
use patterns::Patterns;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use template::Template;
use view::{Item, Shared};

/// Rule id of the finding that says that a rule could not be evaluated.
const FAULT: &str = "KOUAN-SCHEMA-RULE-FAULT";

/// A compiled rule.
struct Rule {
    info: RuleInfo,
    /// Where it applies, and where its mark goes there.
    selects: Vec<(WantId, Option<WantId>)>,
    when: Option<Program>,
    assert: Program,
    message_zh: Template,
    message_en: Template,
    examples: Vec<example::Example>,
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
        Ok(Self { rules, context: functions::context(codes, patterns) })
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
            example::Given::Data { select, this, root } => {
                let shared = Shared::new(Arc::clone(&validator.wants));
                let select = rule.selects.get(*select).map_or(0, |(want, _)| *want);
                let this = example::item(&shared, select, this);
                let root = root.as_ref().map(|root| example::item(&shared, example::root_of(&shared, select), root));
                let date =
                    if rule.info.effective_from.is_empty() { None } else { Some(rule.info.effective_from.as_str()) };
                self.judge_one(rule, &this, root.as_ref(), example.mode.unwrap_or(Mode::Declare), date)
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
        let items = view::build(&shared, document.seen);
        let root = items.first().and_then(Option::as_ref);
        let places = places(document, &items);
        let scope = self.scope(root, document.mode, document.date);
        // One scope for each element, shared by all rules that apply there.
        let mut scopes: Vec<Option<Context<'_, '_>>> = Vec::new();
        scopes.resize_with(items.len(), || None);
        for rule in &self.rules {
            let off = overrides.and_then(|o| o.get(&rule.info.id)) == Some(&Enforcement::Off);
            let in_force =
                document.date.is_none_or(|d| in_force(d, &rule.info.effective_from, &rule.info.effective_to));
            if off || !in_force {
                continue;
            }
            for (at, target) in rule.applies(&places) {
                let (Some(Some(this)), Some(seen), Some(slot)) =
                    (items.get(at), document.seen.list.get(at), scopes.get_mut(at))
                else {
                    continue;
                };
                let inner = slot.get_or_insert_with(|| on(&scope, this));
                match judge_in(rule, inner) {
                    Judged::Holds => {}
                    Judged::WrongValue if wrong_values => {}
                    Judged::Broken => verdicts.push(broken(rule, document, at, target, this, root)),
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

    fn judge_one(&self, rule: &Rule, this: &Item, root: Option<&Item>, mode: Mode, date: Option<&str>) -> Judged {
        judge_in(rule, &on(&self.scope(root, mode, date), this))
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
    /// Where it applies in a document, in document order, and where its mark goes there.
    fn applies(&self, places: &[Vec<usize>]) -> Vec<(usize, Option<WantId>)> {
        let of = |(want, target): &(WantId, Option<WantId>)| {
            let target = *target;
            places.get(*want as usize).into_iter().flatten().map(move |at| (*at, target))
        };
        let mut all: Vec<_> = self.selects.iter().flat_map(of).collect();
        if self.selects.len() > 1 {
            all.sort_by_key(|(at, _)| *at);
            all.dedup_by_key(|(at, _)| *at);
        }
        all
    }
}

/// By wanted place: which of the seen ones, that are not empty, are there.
fn places(document: &Document<'_>, items: &[Option<Item>]) -> Vec<Vec<usize>> {
    let mut places: Vec<Vec<usize>> = Vec::new();
    places.resize_with(document.wants.wants.len(), Vec::new);
    for (at, (seen, item)) in document.seen.list.iter().zip(items).enumerate() {
        if let (Some(_), Some(list)) = (item, places.get_mut(seen.want as usize)) {
            list.push(at);
        }
    }
    places
}

/// The scope in which `this` is one element.
fn on<'s>(scope: &'s Context<'s, 'static>, this: &Item) -> Context<'s, 'static> {
    let mut inner = scope.new_inner_scope();
    inner.add_variable_as_val("this", this.boxed());
    inner
}

fn judge_in(rule: &Rule, context: &Context<'_, '_>) -> Judged {
    if let Some(when) = &rule.when {
        match truth(when, context) {
            Ok(true) => {}
            Ok(false) => return Judged::Holds,
            Err(error) => return failed(&error),
        }
    }
    match truth(&rule.assert, context) {
        Ok(true) => Judged::Holds,
        Ok(false) => Judged::Broken,
        Err(error) => failed(&error),
    }
}

fn truth(program: &Program, context: &Context<'_, '_>) -> Result<bool, ExecutionError> {
    let value = cel::Value::resolve_val(program.expression(), context)?;
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
fn broken<'r>(
    rule: &'r Rule,
    document: &Document<'_>,
    at: usize,
    target: Option<WantId>,
    this: &Item,
    root: Option<&Item>,
) -> Verdict<'r> {
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
    let mode = document.mode.as_str();
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
