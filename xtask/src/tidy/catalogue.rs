//! The error catalogue: every code in the sources stands in it, and every entry is used.

use super::{Checkout, Report, Violation};
use anyhow::Context as _;
use std::collections::{BTreeMap, BTreeSet};

const CATALOGUE: &str = "core/sdk/catalogue/";

/// Codes that tests invent.
const INVENTED: &str = "KOUAN-TEST-";

pub fn check(checkout: &Checkout, report: &mut Report) -> anyhow::Result<()> {
    let mut entries: BTreeMap<String, &str> = BTreeMap::new();
    for file in checkout.files.iter().filter(|file| file.path.starts_with(CATALOGUE)) {
        let table: toml::Table = toml::from_str(&file.text).with_context(|| format!("read {}", file.path))?;
        entries.extend(table.into_iter().map(|(code, _)| (code, file.path.as_str())));
    }
    let rooms = super::crates::rooms(checkout);
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for file in checkout.files.iter().filter(|file| speaks_of_codes(&file.path)) {
        for (index, line) in file.text.lines().enumerate() {
            for code in codes(line) {
                let is_new = used.insert(code);
                let is_known = entries.contains_key(code) || code.starts_with(INVENTED);
                if is_new && !is_known && is_built(&rooms, &file.path) {
                    let why = format!("{code} stands in no catalogue ({CATALOGUE})");
                    report.violations.push(Violation::new(&file.path, index + 1, why));
                }
            }
        }
    }
    for (code, path) in entries.iter().filter(|(code, _)| !used.contains(code.as_str())) {
        let found = Violation::new(*path, 0, format!("{code} is used nowhere"));
        let is_growing = checkout.rules.catalogue.growing.iter().any(|file| file == path);
        if is_growing { report.remarks.push(found) } else { report.violations.push(found) }
    }
    Ok(())
}

/// Whether users can meet what `path` says: sources of the workspace's crates, and rules. Tests may invent codes.
fn is_built(rooms: &[String], path: &str) -> bool {
    path.starts_with("business-schemas/") || rooms.iter().any(|room| path.starts_with(&format!("{room}/src/")))
}

/// Sources and rules; documents may speak of codes to come.
fn speaks_of_codes(path: &str) -> bool {
    (path.ends_with(".rs") && !path.starts_with("xtask/"))
        || (path.starts_with("business-schemas/") && path.ends_with(".toml"))
}

/// Codes of the form `KOUAN-<ROOM>-<WHAT>` in a line.
fn codes(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("KOUAN-").filter_map(|(at, _)| {
        let rest = &line[at..];
        let end =
            rest.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
        let code = rest[..end].trim_end_matches('-');
        // `KOUAN-XML-` or `KOUAN-<ROOM>` speak of codes and are none.
        (code.len() == end && code.matches('-').count() >= 2).then_some(code)
    })
}

#[cfg(test)]
mod tests {
    use super::codes;

    #[test]
    fn codes_are_told_from_talk_about_codes() {
        let found: Vec<_> =
            codes("\"KOUAN-XML-TOO-DEEP\" or KOUAN-SM-2, not KOUAN-XML- nor KOUAN-<ROOM> nor KOUAN-XML").collect();
        assert_eq!(found, ["KOUAN-XML-TOO-DEEP", "KOUAN-SM-2"]);
    }
}
