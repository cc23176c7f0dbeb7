//! Paths to values: what of XPath business data needs. Local names, so that a prefix or a namespace is no matter.

use crate::data::broken;
use crate::tree::Tree;
use kouan_schema::Outcome;
use kouan_sdk::Result;
use kouan_xml::{Event, Limits, Reader, XmlError};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A compiled path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    /// `None` = any element.
    steps: Vec<Option<String>>,
    attribute: Option<String>,
    anywhere: bool,
}

impl Path {
    /// Reads `/A/B`, `/A/@b`, `/A/*/C`, `//A`; `~` at the start stands for `body`.
    pub(crate) fn read(text: &str, body: Option<&str>) -> Result<Self> {
        let wrong = |why: &str| broken("business.toml", &format!("path {text}: {why}"));
        let full = match (text.strip_prefix('~'), body) {
            (Some(rest), Some(body)) => format!("{body}{rest}"),
            (Some(_), None) => return Err(wrong("~ stands for nothing here, there is no body")),
            (None, _) => text.to_owned(),
        };
        let (anywhere, inner) = match (full.strip_prefix("//"), full.strip_prefix('/')) {
            (Some(inner), _) => (true, inner),
            (None, Some(inner)) => (false, inner),
            (None, None) => return Err(wrong("it does not begin with /")),
        };
        let mut names: Vec<&str> = inner.split('/').collect();
        let attribute = names.last().and_then(|last| last.strip_prefix('@')).map(str::to_owned);
        if attribute.is_some() {
            names.pop();
        }
        if names.is_empty() || names.iter().any(|name| name.is_empty() || name.contains(['@', '[', '{', ' '])) {
            return Err(wrong("it is not made of names"));
        }
        if anywhere && names.len() > 1 {
            return Err(wrong("// takes one name"));
        }
        let step = |name: &str| (name != "*").then(|| name.to_owned());
        Ok(Self { steps: names.into_iter().map(step).collect(), attribute, anywhere, text: full })
    }

    /// As it is asked of a validator; `None` for a path with a wildcard.
    pub(crate) fn capture(&self) -> Option<&str> {
        (!self.anywhere && self.steps.iter().all(Option::is_some)).then_some(self.text.as_str())
    }

    /// The path, `~` resolved.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether an element called `name` at `depth` (1 = root), whose parents fit, fits too.
    fn fits(&self, depth: usize, name: &str) -> bool {
        self.steps.get(depth - 1).is_some_and(|step| step.as_deref().is_none_or(|step| step == name))
    }

    fn is_whole(&self, depth: usize) -> bool {
        depth == self.steps.len()
    }
}

/// Where values are read from.
pub(crate) trait Source {
    /// Values at a path, blanks around them dropped, empty ones left out, in document order.
    fn values(&self, path: &Path) -> Vec<Cow<'_, str>>;

    /// Whether there is a value, or an element that holds something.
    fn exists(&self, path: &Path) -> bool;
}

impl Source for Outcome {
    fn values(&self, path: &Path) -> Vec<Cow<'_, str>> {
        self.all(path.text()).map(|c| c.value.as_str()).filter(|v| !v.is_empty()).map(Cow::Borrowed).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        self.all(path.text()).any(|captured| !captured.value.is_empty() || !captured.content.is_empty())
    }
}

impl Source for Tree {
    fn values(&self, path: &Path) -> Vec<Cow<'_, str>> {
        let value = |at: usize| {
            let node = self.node(at)?;
            let value = match &path.attribute {
                Some(name) => {
                    node.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())?
                }
                None => node.text.as_str(),
            };
            Some(value.trim()).filter(|value| !value.is_empty()).map(Cow::Borrowed)
        };
        self.at(path).into_iter().filter_map(value).collect()
    }

    fn exists(&self, path: &Path) -> bool {
        let held = |at: usize| self.node(at).is_some_and(|node| !node.inner.is_empty());
        if path.attribute.is_some() { !self.values(path).is_empty() } else { self.at(path).into_iter().any(held) }
    }
}

impl Tree {
    /// Elements at a path that hold text.
    pub(crate) fn with_text(&self, path: &Path) -> Vec<usize> {
        let has_text = |at: &usize| self.node(*at).is_some_and(|node| !node.text.trim().is_empty());
        if path.attribute.is_some() { Vec::new() } else { self.at(path).into_iter().filter(has_text).collect() }
    }

    /// Elements at a path, in one walk.
    fn at(&self, path: &Path) -> Vec<usize> {
        // How deep each element fits the path so far; 0 = not at all.
        let mut depths = vec![0_usize; self.nodes().len()];
        let mut found = Vec::new();
        for (at, node) in self.nodes().iter().enumerate() {
            if path.anywhere {
                if path.fits(1, &node.name) {
                    found.push(at);
                }
                continue;
            }
            let above = match node.parent {
                None => 0,
                Some(parent) => match depths.get(parent) {
                    Some(0) | None => continue,
                    Some(&depth) => depth,
                },
            };
            if path.fits(above + 1, &node.name) {
                if let Some(depth) = depths.get_mut(at) {
                    *depth = above + 1;
                }
                if path.is_whole(above + 1) {
                    found.push(at);
                }
            }
        }
        found
    }
}

/// Values at the head of a document, read no further than needed.
#[derive(Debug, Default)]
pub(crate) struct Peeked {
    values: BTreeMap<String, String>,
    /// Where each stands in the decoded text.
    pub(crate) places: BTreeMap<String, usize>,
}

impl Peeked {
    /// Reads until `enough`; element paths only. A document that breaks off gives what came before.
    pub(crate) fn read(
        document: &kouan_xml::Decoded<'_>,
        paths: &[&Path],
        enough: &dyn Fn(&Self) -> bool,
    ) -> Result<Self, XmlError> {
        let mut reader = Reader::new(document, &Limits::default());
        let mut peeked = Self::default();
        // For each path, how many of the open elements fit it.
        let mut fits = vec![0_usize; paths.len()];
        let mut depth = 0;
        while let Some(event) = reader.next()? {
            match event {
                Event::Start(tag) => {
                    depth += 1;
                    for (fit, path) in fits.iter_mut().zip(paths) {
                        if *fit + 1 == depth && path.fits(depth, tag.local) {
                            *fit = depth;
                        }
                    }
                }
                Event::Text(text) => {
                    for (fit, path) in fits.iter().zip(paths) {
                        if *fit == depth && path.is_whole(depth) && !text.text.trim().is_empty() {
                            peeked.values.entry(path.text.clone()).or_insert_with(|| text.text.trim().to_owned());
                            peeked.places.entry(path.text.clone()).or_insert(text.offset);
                        }
                    }
                    if enough(&peeked) {
                        return Ok(peeked);
                    }
                }
                Event::End(_) => {
                    fits.iter_mut().for_each(|fit| *fit = (*fit).min(depth - 1));
                    depth -= 1;
                }
            }
        }
        Ok(peeked)
    }
}

impl Source for Peeked {
    fn values(&self, path: &Path) -> Vec<Cow<'_, str>> {
        self.values.get(path.text()).map(|value| Cow::Borrowed(value.as_str())).into_iter().collect()
    }

    fn exists(&self, path: &Path) -> bool {
        self.values.contains_key(path.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::read(text, Some("/a/b")).unwrap()
    }

    #[test]
    fn finds_values_by_local_names() {
        let xml = b"<x:a xmlns:x='u' n='7'><x:b><c> 1 </c><c/><c>2</c></x:b><d><c>3</c></d><b><c>4</c></b></x:a>";
        let tree = Tree::read(xml).unwrap();
        let values = |text: &str| tree.values(&path(text)).join(",");
        assert_eq!(values("/a/b/c"), "1,2,4");
        assert_eq!(values("~/c"), "1,2,4");
        assert_eq!(values("/a/*/c"), "1,2,3,4");
        assert_eq!(values("//c"), "1,2,3,4");
        assert_eq!(values("/a/@n"), "7");
        assert_eq!(values("/b/c"), "");
        assert!(tree.exists(&path("/a/d")) && !tree.exists(&path("/a/e")) && !tree.exists(&path("/a/@m")));
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in ["a/b", "/", "/a//b", "//a/b", "/a/@b/c", "/a[1]", "/a/ b", ""] {
            assert_eq!(Path::read(text, None).unwrap_err().code, "KOUAN-DECLARATIVE-DATA", "{text}");
        }
        assert!(Path::read("~/a", None).is_err());
        assert_eq!(path("/a/b/@c").capture(), Some("/a/b/@c"));
        assert_eq!((path("/a/*").capture(), path("//a").capture()), (None, None));
    }

    #[test]
    fn peeks_no_further_than_needed() {
        let document = crate::tree::decoded(b"<a><b><c>1</c></b><b><c>2</c></b>broken").unwrap();
        let wanted = path("~/c");
        let peeked = Peeked::read(&document, &[&wanted], &|p| p.exists(&wanted)).unwrap();
        assert_eq!((peeked.values(&wanted).join(","), peeked.places["/a/b/c"]), ("1".into(), 9));
        assert!(Peeked::read(&document, &[&wanted], &|_| false).is_err());
    }
}
