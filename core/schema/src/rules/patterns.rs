//! Patterns (正则) of `matches`, compiled once. CEL's own function compiles its pattern anew at each call, which takes
//! longer than all else that judging a declaration does.

use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use regex::Regex;
use std::collections::BTreeMap;

/// Name of the function.
const MATCHES: &str = "matches";

/// The patterns that rules write down.
#[derive(Debug, Default)]
pub(super) struct Patterns(BTreeMap<String, Regex>);

impl Patterns {
    /// Compiles every literal pattern in `expr`.
    pub(super) fn collect(&mut self, expr: &IdedExpr) {
        match &expr.expr {
            Expr::Call(call) => {
                if call.func_name == MATCHES
                    && let Some(Expr::Literal(LiteralValue::String(text))) = call.args.last().map(|arg| &arg.expr)
                    && let Ok(regex) = Regex::new(text.inner())
                {
                    self.0.entry(text.inner().to_owned()).or_insert(regex);
                }
                call.target.iter().for_each(|target| self.collect(target));
                call.args.iter().for_each(|arg| self.collect(arg));
            }
            Expr::Comprehension(inner) => {
                let parts = [&inner.iter_range, &inner.accu_init, &inner.loop_cond, &inner.loop_step, &inner.result];
                parts.into_iter().for_each(|part| self.collect(part));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.collect(element)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.collect(&entry.key);
                        self.collect(&entry.value);
                    }
                }
            }
            Expr::Select(select) => self.collect(&select.operand),
            Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) | Expr::Unspecified => {}
        }
    }

    /// Whether `pattern` is found in `text`. A pattern that no rule writes down is one that a rule put together.
    pub(super) fn is_match(&self, pattern: &str, text: &str) -> Result<bool, regex::Error> {
        match self.0.get(pattern) {
            Some(regex) => Ok(regex.is_match(text)),
            None => Ok(Regex::new(pattern)?.is_match(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Patterns;

    #[test]
    fn literal_patterns_are_found_wherever_they_stand() {
        let source = r#"[1].all(i, this.a.matches("^1$") && !matches(this.b, "^2$")) ? {"k": "x".matches("^3$")}.k
            : ["y".matches("^4$")][0] || has(this.c.d) && this.c.matches("^" + this.e)"#;
        let program = cel::Env::stdlib().compile(source).unwrap();
        let mut patterns = Patterns::default();
        patterns.collect(program.expression());
        assert_eq!(patterns.0.keys().collect::<Vec<_>>(), ["^1$", "^2$", "^3$", "^4$"]);
        assert!(patterns.is_match("^1$", "1").unwrap() && !patterns.is_match("^1$", "11").unwrap());
        assert!(patterns.is_match("^5", "55").unwrap() && patterns.is_match("(", "").is_err());
    }
}
