//! The rules' data.

use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::Path;

/// `xtask/tidy.toml`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    pub machine_paths: Vec<String>,
    pub length: Length,
    /// File → why it is long.
    pub long: BTreeMap<String, String>,
    /// Room → why it needs `unsafe`.
    pub unsafe_in: BTreeMap<String, String>,
    /// Folders of bytes that are what they are, and why: white space is not looked at.
    pub verbatim: BTreeMap<String, String>,
    /// Room → rooms it may use; `*` = one folder name.
    pub arrows: BTreeMap<String, Vec<String>>,
    /// Library → rooms that may know it.
    pub only: BTreeMap<String, Vec<String>>,
    pub catalogue: Catalogue,
    pub nameless: Nameless,
}

/// The error catalogue's files.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Files whose entries may be ahead of the sources.
    pub growing: Vec<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    pub warn: usize,
    pub refuse: usize,
}

/// Rooms without a plugin's name.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nameless {
    pub rooms: Vec<String>,
}

impl Rules {
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let path = root.join("xtask/tidy.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("read {}", path.display()))
    }

    /// What `room` may use: its own entry, else that of its kind.
    pub fn arrows_of(&self, room: &str) -> Option<&[String]> {
        let own = self.arrows.get(room);
        own.or_else(|| self.arrows.iter().find(|(pattern, _)| matches(pattern, room)).map(|(_, to)| to))
            .map(Vec::as_slice)
    }
}

/// Whether `room` is meant by `pattern`: itself, or `folder/*` for the rooms in a folder.
pub fn matches(pattern: &str, room: &str) -> bool {
    match pattern.strip_suffix("/*") {
        Some(folder) => {
            room.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).is_some_and(|r| !r.contains('/'))
        }
        None => pattern == room,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_means_one_folder_name() {
        assert!(matches("plugins/*", "plugins/manifest"));
        assert!(!matches("plugins/*", "plugins/manifest/deep"));
        assert!(!matches("plugins/*", "plugins"));
        assert!(matches("core/cli", "core/cli"));
        assert!(!matches("core/cli", "core/cli2"));
    }
}
