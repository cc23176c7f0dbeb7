//! Texts with places: `{Name}` is a value, `{?Name}…{/Name}` stands only with one, `{!Name}…{/Name}` only without,
//! `{n:9}` is padded to so many digits, `{{` is a brace.

use crate::data::broken;
use kouan_sdk::Result;
use kouan_xml::escape_text;
use std::collections::BTreeSet;

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place { name: String, digits: usize },
    If { name: String, present: bool, parts: Vec<Part> },
}

/// Gives the value of a place; `None` or empty = it has none.
pub(crate) type Lookup<'l> = dyn FnMut(&str) -> Result<Option<String>> + 'l;

impl Template {
    /// Reads a template; `owner` says whose it is in errors.
    pub(crate) fn read(owner: &str, text: &str) -> Result<Self> {
        let mut rest = text;
        let parts = parts(owner, &mut rest, None)?;
        Ok(Self(parts))
    }

    /// The text, its values as they are.
    pub(crate) fn plain(&self, lookup: &mut Lookup<'_>) -> Result<String> {
        let mut out = String::new();
        render(&self.0, &mut out, false, lookup)?;
        Ok(out)
    }

    /// The document, its values escaped.
    pub(crate) fn xml(&self, lookup: &mut Lookup<'_>) -> Result<Vec<u8>> {
        let mut out = String::new();
        render(&self.0, &mut out, true, lookup)?;
        Ok(out.into_bytes())
    }

    /// Names of its places.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        collect(&self.0, &mut names);
        names
    }
}

fn collect<'p>(parts: &'p [Part], names: &mut BTreeSet<&'p str>) {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Place { name, .. } => {
                names.insert(name);
            }
            Part::If { name, parts, .. } => {
                names.insert(name);
                collect(parts, names);
            }
        }
    }
}

fn render(parts: &[Part], out: &mut String, escape: bool, lookup: &mut Lookup<'_>) -> Result<()> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Place { name, digits } => {
                let value = lookup(name)?.unwrap_or_default();
                for _ in value.len()..*digits {
                    out.push('0');
                }
                // Values may come from a message that was not well-formed.
                let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                // A place may stand in an attribute as well as in text.
                if escape { out.push_str(&escape_text(&value).replace('"', "&quot;")) } else { out.push_str(&value) }
            }
            Part::If { name, present, parts } => {
                let has = lookup(name)?.is_some_and(|value| !value.is_empty());
                if has == *present {
                    render(parts, out, escape, lookup)?;
                }
            }
        }
    }
    Ok(())
}

/// Parts up to the end of `within`, or of the text.
fn parts(owner: &str, rest: &mut &str, within: Option<&str>) -> Result<Vec<Part>> {
    let wrong = |why: String| broken("business.toml", &format!("template {owner}: {why}"));
    let mut parts = Vec::new();
    let mut text = String::new();
    loop {
        let Some(at) = rest.find('{') else {
            if let Some(name) = within {
                return Err(wrong(format!("{{/{name}}} is missing")));
            }
            text.push_str(rest);
            *rest = "";
            break;
        };
        text.push_str(rest.get(..at).unwrap_or_default());
        *rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('{') {
            text.push('{');
            *rest = after;
            continue;
        }
        let Some((place, after)) = rest.split_once('}') else { return Err(wrong("a { without }".into())) };
        *rest = after;
        if let Some(name) = place.strip_prefix('/') {
            if within != Some(name) {
                return Err(wrong(format!("{{/{name}}} closes nothing")));
            }
            break;
        }
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(match (place.strip_prefix('?'), place.strip_prefix('!')) {
            (Some(name), _) | (None, Some(name)) => {
                let inner = self::parts(owner, rest, Some(name))?;
                Part::If { name: name.to_owned(), present: place.starts_with('?'), parts: inner }
            }
            (None, None) => {
                let (name, digits) = place.split_once(':').unwrap_or((place, "0"));
                let digits = digits.parse().ok().filter(|digits| *digits <= 30);
                let digits = digits.ok_or_else(|| wrong(format!("{{{place}}} has no number of digits")))?;
                Part::Place { name: name.to_owned(), digits }
            }
        });
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Result<Option<String>> {
        Ok(match name {
            "A" => Some("1 < 2\u{1}".into()),
            "n" => Some("42".into()),
            _ => None,
        })
    }

    #[test]
    fn fills_places_and_sections() {
        let template = Template::read("t", "<a>{A}</a>{?B}<b>{B}</b>{/B}{!B}<c/>{/B}{?A}{n:5}{/A}{{").unwrap();
        assert_eq!(template.xml(&mut lookup).unwrap(), b"<a>1 &lt; 2 </a><c/>00042{");
        assert_eq!(template.plain(&mut lookup).unwrap(), "<a>1 < 2 </a><c/>00042{");
        assert_eq!(template.names().into_iter().collect::<Vec<_>>(), ["A", "B", "n"]);
    }

    #[test]
    fn a_quote_does_not_end_an_attribute() {
        let template = Template::read("t", "<a b=\"{A}\"/>").unwrap();
        let mut quoted = |_: &str| Ok(Some("x\" y='1".to_owned()));
        assert_eq!(template.xml(&mut quoted).unwrap(), b"<a b=\"x&quot; y='1\"/>");
    }

    #[test]
    fn refuses_broken_ones() {
        for text in ["{A", "{?A}x", "{/A}", "{?A}{/B}", "{n:x}", "{n:99}"] {
            assert_eq!(Template::read("t", text).unwrap_err().code, "KOUAN-DECLARATIVE-DATA", "{text}");
        }
    }
}
