//! Messages of rules: text with `{this.Path}`, `{root.Path}` and `{mode}` in it.

use super::view::{Item, Node};

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    This(Vec<String>),
    Root(Vec<String>),
    Mode,
}

impl Template {
    /// Reads a message; the error says which place holder is not understood.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, behind) = after.split_once('}').ok_or("a { without its }")?;
            parts.push(Part::Text(before.to_owned()));
            let names = |path: &str| path.split('.').filter(|n| !n.is_empty()).map(str::to_owned).collect();
            let inside = inside.trim();
            parts.push(match inside.split_once('.').map_or((inside, ""), |(head, path)| (head, path)) {
                ("this", path) => Part::This(names(path)),
                ("root", path) if !path.is_empty() => Part::Root(names(path)),
                ("mode", "") => Part::Mode,
                _ => return Err(format!("{{{inside}}} is neither {{this.…}} nor {{root.…}} nor {{mode}}")),
            });
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The paths below `this` and below `root`.
    pub(super) fn paths(&self) -> impl Iterator<Item = (bool, &[String])> {
        self.0.iter().filter_map(|part| match part {
            Part::This(path) => Some((true, &path[..])),
            Part::Root(path) => Some((false, &path[..])),
            Part::Text(_) | Part::Mode => None,
        })
    }

    pub(super) fn fill(&self, this: &Item, root: Option<&Item>, mode: &str) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Mode => out.push_str(mode),
                Part::This(path) => out.push_str(&look_up(Some(this), path)),
                Part::Root(path) => out.push_str(&look_up(root, path)),
            }
        }
        out
    }
}

fn look_up(from: Option<&Item>, path: &[String]) -> String {
    let found = from.and_then(|from| path.iter().try_fold(from, |item, name| child(item, name)));
    found.map(|item| crate::wording::shortened(&item.shown())).unwrap_or_default()
}

fn child<'i>(item: &'i Item, name: &str) -> Option<&'i Item> {
    match item {
        Item::Node(node) => Node::field(node, name),
        _ => None,
    }
}
