//! The failpoints: every place between two steps that move, send, confirm, record, deliver or dispose.

/// Which process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// `kouan run`.
    Client,
    /// `kouan sandbox run`.
    Sandbox,
}

impl Who {
    /// In a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Sandbox => "sandbox",
        }
    }
}

/// When a point can be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// While messages flow.
    Flow,
    /// As [`When::Flow`], about once in a process's life.
    Seldom,
    /// When there is no journal yet.
    Fresh,
    /// After an attempt was left open by a kill.
    Doubt,
    /// As [`When::Doubt`], and the window can be asked.
    Inquiry,
    /// While a file is dropped that the directory refuses.
    SetAside,
    /// After an operator gave a message up: only then an end is shown with its verdict.
    GivenUp,
}

/// A failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub name: &'static str,
    pub who: Who,
    pub when: When,
}

const fn at(name: &'static str, who: Who, when: When) -> Point {
    Point { name, who, when }
}

/// All. The test below holds the list against the sources.
pub const POINTS: &[Point] = &[
    at("directory::claimed", Who::Client, When::Flow),
    at("directory::cleared-before-sync", Who::Client, When::Flow),
    at("directory::delivered-before-sync", Who::Client, When::Flow),
    at("directory::disposed-before-clear", Who::Client, When::Flow),
    at("directory::placed", Who::Client, When::Flow),
    at("directory::renamed-before-sync", Who::Client, When::Flow),
    at("directory::replacement-before-rename", Who::Client, When::Flow),
    at("directory::reported", Who::Client, When::GivenUp),
    at("directory::reported-before-set-aside", Who::Client, When::SetAside),
    at("directory::reserved-before-claim", Who::Client, When::Seldom),
    at("directory::written-before-rename", Who::Client, When::Flow),
    at("embedded::committed-before-confirm", Who::Client, When::Flow),
    at("embedded::committed-before-confirm", Who::Sandbox, When::Flow),
    at("embedded::enqueued-before-commit", Who::Client, When::Flow),
    at("embedded::enqueued-before-commit", Who::Sandbox, When::Flow),
    at("embedded::handed-out", Who::Client, When::Flow),
    at("embedded::handed-out", Who::Sandbox, When::Flow),
    at("embedded::settled", Who::Client, When::Flow),
    at("embedded::settled", Who::Sandbox, When::Flow),
    at("embedded::settled-before-commit", Who::Client, When::Flow),
    at("embedded::settled-before-commit", Who::Sandbox, When::Flow),
    at("journal::after-commit", Who::Client, When::Flow),
    at("journal::before-commit", Who::Client, When::Flow),
    at("journal::before-reply", Who::Client, When::Flow),
    at("journal::leased-before-commit", Who::Client, When::Seldom),
    at("journal::made-before-rename", Who::Client, When::Fresh),
    at("journal::opened-before-orphans", Who::Client, When::Doubt),
    at("journal::replacement-before-rename", Who::Client, When::Seldom),
    at("kernel::accepted-before-settle", Who::Client, When::Flow),
    at("kernel::answered-before-reject", Who::Client, When::SetAside),
    at("kernel::begun-before-send", Who::Client, When::Flow),
    at("kernel::checked-before-record", Who::Client, When::Flow),
    at("kernel::delivered-before-dispose", Who::Client, When::Flow),
    at("kernel::effects-before-record", Who::Client, When::Flow),
    at("kernel::head-signed-before-record", Who::Client, When::Seldom),
    at("kernel::inquired-before-record", Who::Client, When::Inquiry),
    at("kernel::opened-before-record", Who::Client, When::Flow),
    at("kernel::received-before-settle", Who::Client, When::Flow),
    at("kernel::sealed-before-begin", Who::Client, When::Flow),
    at("kernel::sent-before-record", Who::Client, When::Flow),
    at("sandbox::before-commit", Who::Sandbox, When::Flow),
    at("sandbox::recorded-before-commit", Who::Sandbox, When::Flow),
    at("sandbox::sent-before-record", Who::Sandbox, When::Flow),
    at("sandbox::taken-before-settle", Who::Sandbox, When::Flow),
];

#[cfg(test)]
mod tests {
    use super::POINTS;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn the_list_is_what_the_sources_have() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
        let mut found = BTreeSet::new();
        for room in ["core", "transports", "plugins", "crypto-backends"] {
            collect(&root.join(room), &mut found);
        }
        let known: BTreeSet<_> = POINTS.iter().map(|point| point.name.to_owned()).collect();
        assert!(!found.is_empty());
        assert_eq!(known, found);
    }

    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let source = std::fs::read_to_string(&path).unwrap_or_default();
                let names = source.split("failpoint!(\"").skip(1).filter_map(|rest| rest.split('"').next());
                found.extend(names.map(str::to_owned));
            }
        }
    }
}
