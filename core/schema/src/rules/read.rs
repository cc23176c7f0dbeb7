//! Reads `rules/*.toml`: everything about a rule that can be wrong is wrong here, not when a message comes.

use super::checker::{Checker, Ty};
use super::example::{self, Example, Given};
use super::quick::Resolver;
use super::template::Template;
use super::{Conditions, Rule, RuleInfo};
use crate::codes::{CodeTable, is_day};
use crate::error::{BAD_RULE, LoadError, RULE_EXAMPLES, UNKNOWN_PATH};
use crate::schema::{Mode, Schema};
use crate::wants::{WantId, Wants};
use cel::{Env, Program};
use kouan_sdk::Severity;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<toml::Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    severity: Severity,
    #[serde(default)]
    select: Option<Select>,
    when: Option<String>,
    assert: String,
    target: Option<String>,
    message_zh: String,
    message_en: String,
    #[serde(default)]
    hint_zh: String,
    #[serde(default)]
    hint_en: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    effective_from: String,
    #[serde(default)]
    effective_to: String,
    #[serde(default)]
    example: Vec<WrittenExample>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Select {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenExample {
    ok: bool,
    xml: Option<String>,
    this: Option<toml::Value>,
    root: Option<toml::Value>,
    mode: Option<Mode>,
    /// Which of several selects `this` is; the first without.
    select: Option<String>,
}

/// All rules of a file, compiled.
pub(super) fn file(
    schema: &Schema,
    wants: &mut Wants,
    codes: &BTreeMap<String, CodeTable>,
    path: &str,
    bytes: &[u8],
) -> Result<Vec<Rule>, LoadError> {
    let text = std::str::from_utf8(bytes).map_err(|_| LoadError::whole(BAD_RULE, path, "not UTF-8"))?;
    let file: File = toml::from_str(text).map_err(|e| {
        let line = e.span().map_or(0, |span| line_of(text, span.start));
        LoadError { line, column: 1, ..LoadError::whole(BAD_RULE, path, e.message()) }
    })?;
    let mut reader = Reader { schema, wants, codes, path, text, line: 0, spoken: Vec::new(), env: Env::stdlib() };
    file.rule.into_iter().map(|written| reader.rule(written)).collect()
}

fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|b| **b == b'\n').count() as u32 + 1
}

struct Reader<'a> {
    schema: &'a Schema,
    wants: &'a mut Wants,
    codes: &'a BTreeMap<String, CodeTable>,
    path: &'a str,
    text: &'a str,
    line: u32,
    /// Places that the rule being read speaks of.
    spoken: Vec<WantId>,
    /// With the optional syntax (`.?name`).
    env: Env,
}

impl Reader<'_> {
    fn error(&self, code: &'static str, message: impl Into<String>) -> LoadError {
        LoadError { line: self.line, column: 1, ..LoadError::whole(code, self.path, message) }
    }

    fn rule(&mut self, written: toml::Spanned<Written>) -> Result<Rule, LoadError> {
        self.line = line_of(self.text, written.span().start);
        let written = written.into_inner();
        let id = written.id.clone();
        if !id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-') || id.is_empty() {
            return Err(self.error(BAD_RULE, format!("the id {id} is not of capitals, digits and hyphens")));
        }
        for day in [&written.effective_from, &written.effective_to] {
            if !day.is_empty() && !is_day(day) {
                return Err(self.error(BAD_RULE, format!("{id}: {day} is not a day yyyy-MM-dd")));
            }
        }
        self.spoken.clear();
        let paths = self.select_paths(&id, written.select)?;
        let mut selects = Vec::new();
        for path in &paths {
            let Some(select) = self.wants.want_path(self.schema, path) else {
                return Err(self.error(UNKNOWN_PATH, format!("{id}: the schema has no {path}")));
            };
            selects.push((select, self.target(&id, select, written.target.as_deref())?));
        }
        let when = written.when.as_deref().map(|when| self.compile(&id, "when", when, &selects)).transpose()?;
        let assert = self.compile(&id, "assert", &written.assert, &selects)?;
        let message_zh = self.template(&id, &written.message_zh, &selects)?;
        let message_en = self.template(&id, &written.message_en, &selects)?;
        let examples = self.examples(&id, written.example, &paths, &selects)?;
        let info = RuleInfo {
            id,
            file: self.path.to_owned(),
            line: self.line,
            severity: written.severity,
            fields: self.fields(&selects),
            select: paths,
            when: written.when,
            assert: written.assert,
            message_zh: written.message_zh,
            message_en: written.message_en,
            hint_zh: written.hint_zh,
            hint_en: written.hint_en,
            source: written.source,
            effective_from: written.effective_from,
            effective_to: written.effective_to,
            examples: examples.len(),
        };
        let conditions = selects.iter().map(|(select, _)| {
            let resolver = Resolver { wants: self.wants, this: *select, root: self.root_of(*select) };
            let when = when.as_ref().map(|when| resolver.condition(when.expression()));
            Conditions { when, assert: resolver.condition(assert.expression()) }
        });
        let conditions = conditions.collect();
        Ok(Rule { info, selects, conditions, when, assert, message_zh, message_en, examples })
    }

    fn select_paths(&self, id: &str, select: Option<Select>) -> Result<Vec<String>, LoadError> {
        match select {
            Some(Select::One(path)) => Ok(vec![path]),
            Some(Select::Several(paths)) if !paths.is_empty() => Ok(paths),
            _ => {
                let roots: Vec<String> = self.schema.roots().map(|(_, name)| format!("/{name}")).collect();
                if roots.len() == 1 {
                    Ok(roots)
                } else {
                    Err(self.error(BAD_RULE, format!("{id}: no select, and the schema has several roots")))
                }
            }
        }
    }

    fn target(&mut self, id: &str, select: WantId, target: Option<&str>) -> Result<Option<WantId>, LoadError> {
        let Some(target) = target else { return Ok(None) };
        let found = target.split('/').try_fold(select, |at, name| self.wants.want_child(self.schema, at, name));
        match found {
            Some(want) => Ok(Some(want)),
            None => {
                Err(self.error(UNKNOWN_PATH, format!("{id}: there is no {target} in {}", self.wants.get(select).name)))
            }
        }
    }

    /// Compiles an expression and checks it for each select.
    fn compile(
        &mut self,
        id: &str,
        what: &str,
        source: &str,
        selects: &[(WantId, Option<WantId>)],
    ) -> Result<Program, LoadError> {
        let program = self.env.compile(source).map_err(|e| self.error(BAD_RULE, format!("{id}: {what}: {e}")))?;
        for (select, _) in selects {
            let root = self.root_of(*select);
            let this = if self.wants.get(*select).text { Ty::Text } else { Ty::Node(*select) };
            let codes = self.codes;
            let mut checker = Checker {
                schema: self.schema,
                wants: self.wants,
                spoken: &mut self.spoken,
                tables: &|name| codes.contains_key(name),
                variables: vec![("this".into(), this), ("root".into(), Ty::Node(root)), ("mode".into(), Ty::Text)],
            };
            let message = match checker.check(program.expression()) {
                Ok(Ty::Bool) => continue,
                Ok(other) => format!("{id}: {what} is neither true nor false: {other:?}"),
                Err(wrong) => {
                    let column = program.source_info().offset_for(wrong.id).map_or(0, |(start, _)| start);
                    format!("{id}: {what}, at character {column}: {}", wrong.message)
                }
            };
            return Err(self.error(BAD_RULE, message));
        }
        Ok(program)
    }

    /// Paths of the values that the rule being read speaks of, and of what it marks.
    fn fields(&self, selects: &[(WantId, Option<WantId>)]) -> Vec<String> {
        let marked = selects.iter().map(|(select, target)| target.unwrap_or(*select));
        let read = self.spoken.iter().copied().filter(|want| self.wants.get(*want).text);
        marked.chain(read).map(|want| self.wants.path(want)).collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn root_of(&self, want: WantId) -> WantId {
        let mut at = want;
        while self.wants.get(at).parent != 0 {
            at = self.wants.get(at).parent;
        }
        at
    }

    fn template(&mut self, id: &str, text: &str, selects: &[(WantId, Option<WantId>)]) -> Result<Template, LoadError> {
        let template = Template::parse(text).map_err(|e| self.error(BAD_RULE, format!("{id}: {e}")))?;
        for (select, _) in selects {
            for (this, path) in template.paths() {
                let from = if this { *select } else { self.root_of(*select) };
                let found = path.iter().try_fold(from, |at, name| self.wants.want_child(self.schema, at, name));
                if found.is_none() {
                    return Err(self.error(
                        UNKNOWN_PATH,
                        format!("{id}: a message speaks of {}, which is not there", path.join(".")),
                    ));
                }
            }
        }
        Ok(template)
    }

    fn examples(
        &self,
        id: &str,
        written: Vec<WrittenExample>,
        paths: &[String],
        selects: &[(WantId, Option<WantId>)],
    ) -> Result<Vec<Example>, LoadError> {
        for ok in [true, false] {
            if !written.iter().any(|e| e.ok == ok) {
                let kind = if ok { "ok = true" } else { "ok = false" };
                return Err(self.error(RULE_EXAMPLES, format!("{id} has no example with {kind}")));
            }
        }
        let mut examples = Vec::new();
        for (at, example) in written.into_iter().enumerate() {
            let wrong = |message: String| self.error(BAD_RULE, format!("{id}: example {}: {message}", at + 1));
            let given = match (example.xml, example.this) {
                (Some(xml), None) => Given::Xml(xml),
                (None, this) => {
                    let this = this.unwrap_or_else(|| toml::Value::Table(toml::Table::new()));
                    let select = match &example.select {
                        None => 0,
                        Some(path) => paths
                            .iter()
                            .position(|p| p == path)
                            .ok_or_else(|| wrong(format!("{path} is none of the selects")))?,
                    };
                    let want = selects.get(select).map_or(0, |(want, _)| *want);
                    example::check(self.schema, self.wants, want, &this).map_err(&wrong)?;
                    if let Some(root) = &example.root {
                        example::check(self.schema, self.wants, self.root_of(want), root).map_err(&wrong)?;
                    }
                    Given::Data { select, this, root: example.root }
                }
                (Some(_), Some(_)) => return Err(wrong("both this and xml".into())),
            };
            examples.push(Example { ok: example.ok, mode: example.mode, given });
        }
        Ok(examples)
    }
}
