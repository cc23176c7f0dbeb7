//! What a new table changes against the one in force.

use crate::lang::Lang;
use kouan_schema::{Code, CodeTable};
use serde::Serialize;
use std::collections::BTreeMap;

/// So many codes are named in one line; `--json` names all.
const NAMED: usize = 8;

/// A code whose name changed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Renamed {
    code: String,
    from: String,
    to: String,
}

/// Changes by code; its names are those of its last period.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub new: Vec<String>,
    pub removed: Vec<String>,
    pub renamed: Vec<Renamed>,
    /// Codes with other periods than before.
    pub periods: Vec<String>,
}

impl Changes {
    /// From `old`, or nothing, to `new`.
    pub fn between(old: Option<&CodeTable>, new: &CodeTable) -> Self {
        let (old, new) = (by_code(old), by_code(Some(new)));
        let mut changes = Self::default();
        for (code, rows) in &new {
            let Some(before) = old.get(code) else {
                changes.new.push((*code).to_owned());
                continue;
            };
            let (from, to) = (name(before), name(rows));
            if from != to {
                changes.renamed.push(Renamed { code: (*code).to_owned(), from: from.to_owned(), to: to.to_owned() });
            }
            let periods = |rows: &[&Code]| rows.iter().map(|r| (r.from.clone(), r.to.clone())).collect::<Vec<_>>();
            if periods(before) != periods(rows) {
                changes.periods.push((*code).to_owned());
            }
        }
        changes.removed = old.keys().filter(|code| !new.contains_key(*code)).map(|code| (*code).to_owned()).collect();
        changes
    }

    /// A line for each kind of change.
    pub fn told(&self, lang: Lang) -> String {
        let renamed: Vec<_> = self.renamed.iter().map(|r| format!("{} {} → {}", r.code, r.from, r.to)).collect();
        let lines = [
            ("新增", "new", &self.new),
            ("删除", "removed", &self.removed),
            ("改名", "renamed", &renamed),
            ("有效期变更", "other periods", &self.periods),
        ];
        let line = |(zh, en, all): (&str, &str, &Vec<String>)| {
            let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>();
            let more = if all.len() > NAMED { ", …" } else { "" };
            let all_named = if named.is_empty() { String::new() } else { format!(": {}{more}", named.join(", ")) };
            format!("  {} {}{all_named}", lang.pick(zh, en), all.len())
        };
        lines.map(line).join("\n")
    }
}

fn by_code(table: Option<&CodeTable>) -> BTreeMap<&str, Vec<&Code>> {
    let mut codes: BTreeMap<&str, Vec<&Code>> = BTreeMap::new();
    for row in table.into_iter().flat_map(|table| &table.rows) {
        codes.entry(&row.code).or_default().push(row);
    }
    codes
}

fn name<'c>(rows: &[&'c Code]) -> &'c str {
    rows.last().map_or("", |row| &row.zh)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &str) -> CodeTable {
        CodeTable::read("t.csv", format!("# table=t\n# complete=no\ncode,zh,en,from,to\n{rows}").as_bytes()).unwrap()
    }

    #[test]
    fn each_change_is_of_one_kind_or_two() {
        let old = table("A,甲,,,\nB,乙,,,\nC,丙,,,\n");
        let new = table("A,甲,,,\nB,乙乙,,2026-01-01,\nD,丁,,,\n");
        let changes = Changes::between(Some(&old), &new);
        assert_eq!(
            (changes.new, changes.removed, changes.periods),
            (vec!["D".into()], vec!["C".into()], vec!["B".into()])
        );
        assert_eq!(changes.renamed, [Renamed { code: "B".into(), from: "乙".into(), to: "乙乙".into() }]);
        assert_eq!(Changes::between(Some(&new), &new), Changes::default());
        assert_eq!(Changes::between(None, &old).new, ["A", "B", "C"]);
        let many = Changes { new: (0..20).map(|n| n.to_string()).collect(), ..Changes::default() };
        assert!(many.told(Lang::En).starts_with("  new 20: 0, 1, 2, 3, 4, 5, 6, 7, …\n  removed 0\n"));
    }
}
