//! Licences and sources of everything that is built in, held against `deny.toml`.

use super::{Checkout, Report, Violation};

const LIST: &str = "deny.toml";

pub fn check(checkout: &Checkout, report: &mut Report) {
    for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "README.zh-CN.md", LIST] {
        if !checkout.files.iter().any(|f| f.path == file && !f.text.is_empty()) {
            report.violations.push(Violation::new(file, 0, "is missing or empty"));
        }
    }
    let text = checkout.files.iter().find(|file| file.path == LIST).map_or("", |file| file.text.as_str());
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let allowed = strings(&table, "licenses", "allow");
    let registries = strings(&table, "sources", "allow-registry");
    for package in &checkout.metadata.packages {
        let what = format!("{} {}", package.name, package.version);
        match &package.license {
            Some(licence) if may_be_used(licence, &allowed) => {}
            Some(licence) => {
                report.violations.push(Violation::new(LIST, 0, format!("{what}: licence `{licence}` is not allowed")));
            }
            None => report.violations.push(Violation::new(LIST, 0, format!("{what} names no licence"))),
        }
        let source = package.source.as_ref().map(|source| source.repr.as_str());
        if source.is_some_and(|s| !registries.iter().any(|r| s.strip_prefix("registry+") == Some(r))) {
            report.violations.push(Violation::new(LIST, 0, format!("{what} comes from a source that is not allowed")));
        }
    }
}

fn strings(table: &toml::Table, section: &str, key: &str) -> Vec<String> {
    let list = table.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
    list.into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// Whether an SPDX expression can be met with `allowed` licences alone. Older manifests write `/` for OR.
fn may_be_used(expression: &str, allowed: &[String]) -> bool {
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = text.split_whitespace().rev().collect();
    let may = any_of(&mut words, allowed);
    may && words.is_empty()
}

fn any_of(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut may = all_of(words, allowed);
    while words.pop_if(|word| *word == "OR").is_some() {
        may |= all_of(words, allowed);
    }
    may
}

fn all_of(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut may = one(words, allowed);
    while words.pop_if(|word| *word == "AND").is_some() {
        may &= one(words, allowed);
    }
    may
}

fn one(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    match words.pop() {
        Some("(") => {
            let may = any_of(words, allowed);
            words.pop() == Some(")") && may
        }
        Some(licence) => {
            let exception = words.pop_if(|word| *word == "WITH").and_then(|_| words.pop());
            let name = exception.map_or_else(|| licence.to_owned(), |e| format!("{licence} WITH {e}"));
            allowed.contains(&name)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_used;

    #[test]
    fn expressions_are_weighed() {
        let allowed: Vec<_> = ["MIT", "BSD-3-Clause", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(Apache-2.0 OR MIT) AND BSD-3-Clause",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        ] {
            assert!(may_be_used(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT)", "Apache-2.0", "Apache-2.0 WITH Other", "MIT MIT"]
        {
            assert!(!may_be_used(bad, &allowed), "{bad}");
        }
    }
}
