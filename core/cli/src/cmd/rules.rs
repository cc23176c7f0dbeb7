//! `kouan rules`: the rules of a business, shown, and tested by their own examples.

use crate::app::App;
use crate::data::{BusinessRules, Source};
use crate::exit::Exit;
use crate::table::table;
use serde_json::json;

#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Test(Source),
    List(Source),
}

/// Does what is asked.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    match &args.action {
        Action::Test(source) => test(&source.load(app)?, app),
        Action::List(source) => list(&source.load(app)?, app),
    }
}

/// Runs every rule's examples; 1 if one of them fails.
fn test(businesses: &[BusinessRules], app: &App) -> anyhow::Result<Exit> {
    let tests: Vec<_> = businesses.iter().flat_map(|b| b.tests().into_iter().map(|test| (&b.business, test))).collect();
    let failed: Vec<_> = tests.iter().filter(|(_, test)| !test.is_ok()).collect();
    let passed = tests.len() - failed.len();
    if app.json {
        let shown = |(business, test): &(&String, kouan_schema::RuleTest)| {
            json!({"business": business, "rule": test.rule, "example": test.example, "ok": test.is_ok(),
                   "expected": test.expected, "found": test.found, "fault": test.fault})
        };
        let tests: Vec<_> = tests.iter().map(shown).collect();
        app.print_json(&json!({"ok": failed.is_empty(), "passed": passed, "failed": failed.len(), "tests": tests}))?;
    } else {
        for (_, test) in &failed {
            app.print(said(test, app))?;
        }
        let summary = app.lang.pick(
            format!("规则例子：{passed} 个通过，{} 个不通过", failed.len()),
            format!("examples of rules: {passed} passed, {} failed", failed.len()),
        );
        app.print(summary)?;
    }
    Ok(if failed.is_empty() { Exit::Done } else { Exit::NotRight })
}

fn said(test: &kouan_schema::RuleTest, app: &App) -> String {
    let word = |holds| match holds {
        true => app.lang.pick("成立", "holds"),
        false => app.lang.pick("不成立", "is broken"),
    };
    let found = test.found.map_or_else(|| test.fault.as_str(), word);
    let expected = word(test.expected);
    app.lang.pick(
        format!("{} 第 {} 个例子：应为{expected}，实为{found}", test.rule, test.example),
        format!("{} example {}: expected that it {expected}, but it {found}", test.rule, test.example),
    )
}

fn list(businesses: &[BusinessRules], app: &App) -> anyhow::Result<Exit> {
    if app.json {
        let mut rules = Vec::new();
        for business in businesses {
            for rule in business.rules() {
                let mut shown = serde_json::to_value(rule)?;
                if let Some(fields) = shown.as_object_mut() {
                    fields.insert("business".into(), business.business.clone().into());
                }
                rules.push(shown);
            }
        }
        app.print_json(&json!({"rules": rules}))?;
        return Ok(Exit::Done);
    }
    let infos = businesses.iter().flat_map(BusinessRules::rules);
    let rows: Vec<_> = infos
        .map(|rule| {
            let message = app.lang.pick(&rule.message_zh, &rule.message_en);
            [rule.id.clone(), app.severity(rule.severity).to_owned(), message.clone()]
        })
        .collect();
    app.print(table(&rows))?;
    Ok(Exit::Done)
}
