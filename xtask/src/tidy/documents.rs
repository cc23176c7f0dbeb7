//! Documents say what can be done: the commands they show exist.

use super::{Checkout, Report, Violation};

pub fn check(checkout: &Checkout, report: &mut Report) {
    let tasks = crate::command_names();
    for file in checkout.files.iter().filter(|file| file.path.ends_with(".md")) {
        for (index, line) in file.text.lines().enumerate() {
            for task in words_after(line, "cargo xtask ").filter(|task| !tasks.iter().any(|known| known == task)) {
                let why = format!("there is no `cargo xtask {task}`");
                report.violations.push(Violation::new(&file.path, index + 1, why));
            }
            for command in words_after(line, "`kouan ").chain(words_after(line, "$ kouan ")) {
                // One file a subcommand; `help` is clap's own.
                let source = format!("core/cli/src/cmd/{}.rs", command.replace('-', "_"));
                if command != "help" && !checkout.files.iter().any(|f| f.path == source) {
                    let why = format!("there is no `kouan {command}` ({source})");
                    report.violations.push(Violation::new(&file.path, index + 1, why));
                }
            }
        }
    }
}

/// The words that follow `lead`; `<name>` and the like are no words.
fn words_after<'a>(line: &'a str, lead: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(lead).filter_map(move |(at, _)| {
        let rest = &line[at + lead.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '-')).unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::words_after;

    #[test]
    fn commands_are_found_in_prose() {
        let line = "run `cargo xtask demo`, then `cargo xtask <name>` or `cargo xtask test --offline`";
        assert_eq!(words_after(line, "cargo xtask ").collect::<Vec<_>>(), ["demo", "test"]);
    }
}
