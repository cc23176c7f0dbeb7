//! Picks: where a value stands, and how it is cut out or put together.

use crate::data::{broken, pattern};
use crate::format::{ConditionText, PartyText, PickSpec, PickText};
use crate::path::{Path, Source};
use kouan_sdk::Result;
use regex::Regex;

/// So many values of one pick at most; more would be no keys but a list.
const MOST_VALUES: usize = 500;

/// A compiled pick.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    paths: Vec<Path>,
    join: Vec<Pick>,
    with: String,
    each: bool,
    split: Vec<char>,
    take: Option<Regex>,
}

impl Pick {
    /// Compiles a pick; `body` is what `~` stands for.
    pub(crate) fn read(text: &PickText, body: Option<&str>) -> Result<Self> {
        match text {
            PickText::Path(path) => Self::of_paths(std::slice::from_ref(path), body),
            PickText::Paths(paths) => Self::of_paths(paths, body),
            PickText::Spec(spec) => Self::of_spec(spec, body),
        }
    }

    /// Compiles a party's.
    pub(crate) fn of_party(party: &PartyText, body: Option<&str>) -> Result<Self> {
        let take = party.take.as_deref().map(|text| pattern("business.toml", text)).transpose()?;
        Ok(Self { take, ..Self::of_paths(party.path.list(), body)? })
    }

    fn of_paths(paths: &[String], body: Option<&str>) -> Result<Self> {
        if paths.is_empty() {
            return Err(broken("business.toml", "a pick has neither path nor join"));
        }
        Ok(Self {
            paths: paths.iter().map(|path| Path::read(path, body)).collect::<Result<_>>()?,
            join: Vec::new(),
            with: String::new(),
            each: false,
            split: Vec::new(),
            take: None,
        })
    }

    fn of_spec(spec: &PickSpec, body: Option<&str>) -> Result<Self> {
        let base = match (spec.path.list(), spec.join.as_slice()) {
            (paths, []) => Self::of_paths(paths, body)?,
            ([], join) => Self {
                paths: Vec::new(),
                join: join.iter().map(|part| Self::read(part, body)).collect::<Result<_>>()?,
                with: spec.with.clone().unwrap_or_else(|| "/".into()),
                each: false,
                split: Vec::new(),
                take: None,
            },
            _ => return Err(broken("business.toml", "a pick has both path and join")),
        };
        let take = spec.take.as_deref().map(|text| pattern("business.toml", text)).transpose()?;
        let split = spec.split.as_deref().unwrap_or_default().chars().collect();
        Ok(Self { each: spec.each, split, take, ..base })
    }

    /// All values, each once; only the first unless it is a pick of each.
    pub(crate) fn values(&self, source: &dyn Source) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        for raw in self.raw(source) {
            for part in raw.split(|c| self.split.contains(&c)) {
                let Some(value) = self.taken(part.trim()) else { continue };
                if !values.iter().any(|known| known == value) {
                    values.push(value.to_owned());
                }
                if values.len() == MOST_VALUES {
                    return values;
                }
            }
            // A pick of one is of the first that gives a value.
            if !self.each && !values.is_empty() {
                break;
            }
        }
        values
    }

    /// The first value.
    pub(crate) fn first(&self, source: &dyn Source) -> Option<String> {
        self.values(source).into_iter().next()
    }

    fn raw(&self, source: &dyn Source) -> Vec<String> {
        if self.join.is_empty() {
            let found = self.paths.iter().map(|path| source.values(path)).find(|values| !values.is_empty());
            return found.unwrap_or_default().into_iter().map(std::borrow::Cow::into_owned).collect();
        }
        let mut joined = vec![String::new()];
        for (at, part) in self.join.iter().enumerate() {
            let with = if at == 0 { "" } else { self.with.as_str() };
            let values = part.values(source);
            let next = joined.iter().flat_map(|left| values.iter().map(move |right| format!("{left}{with}{right}")));
            joined = next.take(MOST_VALUES).collect();
        }
        joined
    }

    fn taken<'t>(&self, text: &'t str) -> Option<&'t str> {
        let Some(take) = &self.take else { return (!text.is_empty()).then_some(text) };
        let found = take.captures(text)?;
        found.get(1).or_else(|| found.get(0)).map(|m| m.as_str()).filter(|value| !value.is_empty())
    }

    /// Every path in it.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        self.paths.iter().chain(self.join.iter().flat_map(Self::paths)).collect()
    }
}

/// A compiled condition.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    paths: Vec<Path>,
    is: Vec<String>,
    not: bool,
}

impl Condition {
    /// Compiles a condition.
    pub(crate) fn read(text: &ConditionText, body: Option<&str>) -> Result<Self> {
        let paths: Vec<Path> = text.path.list().iter().map(|path| Path::read(path, body)).collect::<Result<_>>()?;
        if paths.is_empty() {
            return Err(broken("business.toml", "a condition has no path"));
        }
        Ok(Self { paths, is: text.is.list().to_vec(), not: text.not })
    }

    /// Compiles several.
    pub(crate) fn read_all(texts: &[ConditionText], body: Option<&str>) -> Result<Vec<Self>> {
        texts.iter().map(|text| Self::read(text, body)).collect()
    }

    /// Whether it holds.
    pub(crate) fn holds(&self, source: &dyn Source) -> bool {
        let holds = if self.is.is_empty() {
            self.paths.iter().any(|path| source.exists(path))
        } else {
            let is = |value: &str| self.is.iter().any(|known| known == value);
            self.paths.iter().any(|path| source.values(path).iter().any(|value| is(value)))
        };
        holds != self.not
    }

    /// Every path in it.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn values(spec: &str, xml: &str) -> Vec<String> {
        #[derive(serde::Deserialize)]
        struct Holder {
            pick: PickText,
        }
        let holder: Holder = toml::from_str(&format!("pick = {spec}")).unwrap();
        Pick::read(&holder.pick, Some("/a")).unwrap().values(&Tree::read(xml.as_bytes()).unwrap())
    }

    #[test]
    fn cuts_joins_and_repeats() {
        let xml = "<a><id>UN9000001/2225</id><v>012W</v><r>X1\\X2/X1</r><bill>B1</bill><bill>B2</bill><empty/></a>";
        assert_eq!(values(r#""~/v""#, xml), ["012W"]);
        assert_eq!(values(r#"["~/empty", "~/v"]"#, xml), ["012W"]);
        assert_eq!(values(r#"{ path = "~/id", take = "^([^/]+)" }"#, xml), ["UN9000001"]);
        assert_eq!(values(r#"{ path = "~/r", split = "/\\" }"#, xml), ["X1", "X2"]);
        assert_eq!(values(r#""~/bill""#, xml), ["B1"]);
        assert_eq!(values(r#"{ path = "~/bill", each = true }"#, xml), ["B1", "B2"]);
        let joined = r#"{ join = ["~/v", { path = "~/bill", each = true }], each = true }"#;
        assert_eq!(values(joined, xml), ["012W/B1", "012W/B2"]);
        assert_eq!(values(r#"{ join = ["~/v", "~/empty"] }"#, xml), [] as [&str; 0]);
        assert_eq!(values(r#"{ path = "~/v", take = "^X" }"#, xml), [] as [&str; 0]);
    }

    #[test]
    fn conditions_hold_or_not() {
        let holds = |spec: &str| {
            let text: ConditionText = toml::from_str(spec).unwrap();
            Condition::read(&text, None).unwrap().holds(&Tree::read(b"<a><f>3</f><g><h/></g><i/></a>").unwrap())
        };
        assert!(holds("path = '/a/f'\nis = ['3', '5']") && !holds("path = '/a/f'\nis = '5'"));
        assert!(holds("path = '/a/g'") && !holds("path = '/a/i'") && holds("path = '/a/i'\nnot = true"));
        assert!(Condition::read(&ConditionText::default(), None).is_err());
    }
}
