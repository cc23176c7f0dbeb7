//! The error catalogue: every `KOUAN-…` code with cause and repair, in both languages. Data in `catalogue/*.toml`,
//! one file a room; `cargo xtask tidy` checks that every code in the sources is in it, and the reverse.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// One error code.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What happened, Chinese.
    pub cause_zh: String,
    /// What happened, English.
    pub cause_en: String,
    /// What to do, Chinese.
    pub repair_zh: String,
    /// What to do, English.
    pub repair_en: String,
}

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../catalogue/", $name, ".toml")))),*] };
}

/// The catalogue's files, by room.
const FILES: &[(&str, &str)] = files![
    "business",
    "cli",
    "convert",
    "declarative",
    "dxp",
    "host",
    "journal",
    "kernel",
    "sandbox",
    "schema",
    "security",
    "transport",
    "xml"
];

/// All entries by code.
pub fn entries() -> &'static BTreeMap<String, Entry> {
    static ENTRIES: OnceLock<BTreeMap<String, Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        let mut all = BTreeMap::new();
        for (_, text) in FILES {
            // A broken file is caught by the test below; at run time the rest of the catalogue still serves.
            all.extend(toml::from_str::<BTreeMap<String, Entry>>(text).unwrap_or_default());
        }
        all
    })
}

/// The entry of `code`.
pub fn lookup(code: &str) -> Option<&'static Entry> {
    entries().get(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_reads_and_no_code_stands_twice() {
        let mut seen = BTreeMap::new();
        for (name, text) in FILES {
            let file: BTreeMap<String, Entry> = toml::from_str(text).unwrap_or_else(|e| panic!("{name}.toml: {e}"));
            for (code, entry) in file {
                assert!(code.starts_with("KOUAN-"), "{name}.toml: {code}");
                for text in [&entry.cause_zh, &entry.cause_en, &entry.repair_zh, &entry.repair_en] {
                    assert!(!text.is_empty(), "{name}.toml: {code} has an empty text");
                }
                assert_eq!(seen.insert(code.clone(), name), None, "{code} stands twice");
            }
        }
    }
}
