//! Rules about files: unsafe, unfinished work, names of plugins, white space, length, paths of one machine.

use super::{Checkout, Report, SourceFile, Violation, rust};

/// Samples and their like are data of other houses; they stand as they came.
const DATA: &[&str] = &["business-schemas/"];

/// Files of cargo's own making.
const GENERATED: &[&str] = &["Cargo.lock"];

/// Holds the names of folders that must not stand anywhere else.
const LIST_OF_PATHS: &str = "xtask/tidy.toml";

pub fn check(checkout: &Checkout, report: &mut Report) {
    let businesses = businesses(checkout);
    for file in &checkout.files {
        if GENERATED.contains(&file.path.as_str()) {
            continue;
        }
        machine_paths(checkout, file, report);
        if DATA.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        white_space(checkout, file, report);
        if file.path.ends_with(".rs") {
            rust_code(checkout, file, report);
            plugin_names(checkout, file, &businesses, report);
            length(checkout, file, report);
        }
    }
    for (path, _) in checkout.rules.long.iter().filter(|(path, _)| !checkout.files.iter().any(|f| &f.path == *path)) {
        report.violations.push(Violation::new(LIST_OF_PATHS, 0, format!("[long] names {path}, which is not there")));
    }
}

fn machine_paths(checkout: &Checkout, file: &SourceFile, report: &mut Report) {
    if file.path == LIST_OF_PATHS {
        return;
    }
    for (line, text) in lines(&file.text) {
        for path in checkout.rules.machine_paths.iter().filter(|path| text.contains(path.as_str())) {
            report.violations.push(Violation::new(&file.path, line, format!("`{path}` is a path of one machine")));
        }
    }
}

fn white_space(checkout: &Checkout, file: &SourceFile, report: &mut Report) {
    let is_verbatim = checkout.rules.verbatim.keys().any(|folder| file.path.starts_with(&format!("{folder}/")));
    if is_verbatim && !file.path.ends_with(".md") {
        return;
    }
    for (line, text) in lines(&file.text) {
        if text.ends_with([' ', '\t', '\r']) {
            report.violations.push(Violation::new(&file.path, line, "white space at the end of the line"));
        }
    }
    if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
        report.violations.push(Violation::new(&file.path, 0, "a file ends with one line break"));
    }
}

fn rust_code(checkout: &Checkout, file: &SourceFile, report: &mut Report) {
    let may_be_unsafe = checkout.rules.unsafe_in.keys().any(|room| file.path.starts_with(&format!("{room}/")));
    for (line, text) in lines(&rust::code(&file.text)) {
        let mut complain = |why: &str| report.violations.push(Violation::new(&file.path, line, why));
        if !may_be_unsafe && rust::has_word(text, "unsafe") {
            complain("`unsafe` may stand only in the rooms listed under [unsafe_in] in xtask/tidy.toml");
        }
        for unfinished in ["todo!", "unimplemented!", "dbg!"].into_iter().filter(|word| text.contains(word)) {
            complain(&format!("`{unfinished}` is unfinished work"));
        }
    }
}

/// Ids of the business plugins, as the configuration names them.
fn businesses(checkout: &Checkout) -> Vec<String> {
    let folders =
        checkout.files.iter().filter_map(|file| file.path.strip_prefix("plugins/")?.strip_suffix("/Cargo.toml"));
    folders.map(str::to_owned).collect()
}

fn plugin_names(checkout: &Checkout, file: &SourceFile, businesses: &[String], report: &mut Report) {
    if !checkout.rules.nameless.rooms.iter().any(|room| file.path.starts_with(&format!("{room}/src/"))) {
        return;
    }
    for (line, text) in lines(rust::before_tests(&file.text)) {
        if text.trim_start().starts_with("//") {
            continue;
        }
        for name in businesses.iter().filter(|name| text.contains(&format!("\"{name}\""))) {
            let why = format!("this room must not know the plugin `{name}`; only core/cli names plugins");
            report.violations.push(Violation::new(&file.path, line, why));
        }
    }
}

fn length(checkout: &Checkout, file: &SourceFile, report: &mut Report) {
    let lines = file.text.lines().count();
    let limits = &checkout.rules.length;
    if checkout.rules.long.contains_key(&file.path) || lines <= limits.warn {
        return;
    }
    if lines > limits.refuse {
        let why = format!("{lines} lines; a file is about one thing (at most {}, or [long] says why)", limits.refuse);
        report.violations.push(Violation::new(&file.path, 0, why));
    } else {
        report.remarks.push(Violation::new(&file.path, 0, format!("{lines} lines; over {} is long", limits.warn)));
    }
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // Not `lines()`: it would hide a carriage return.
    text.split('\n').enumerate().map(|(index, line)| (index + 1, line))
}
