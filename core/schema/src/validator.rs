//! What a business plugin holds: schema, code tables, rules and wanted values, compiled together.

use crate::codes::CodeTable;
use crate::error::{DUPLICATE, LoadError, UNKNOWN_NAME, UNKNOWN_PATH};
use crate::rules::RuleSet;
use crate::schema::{Mode, Schema};
use crate::wants::{WantId, Wants};
use kouan_sdk::Finding;
use kouan_xml::Limits;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Findings at most, the one that says so included.
pub const MOST_FINDINGS: usize = 200;

/// How a rule is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// As the rule says.
    Enforce,
    /// Errors become warnings.
    Observe,
    /// Not reported.
    Off,
}

/// What a check is told from outside; the validator has no clock and no configuration of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions<'a> {
    /// Today, yyyy-MM-dd, for code tables and rules with periods; `None` = periods do not count.
    pub date: Option<&'a str>,
    /// Rule by rule, by the ids of findings.
    pub overrides: Option<&'a BTreeMap<String, Enforcement>>,
    /// By the letter of XSD 1.0: empty is a value, blanks count, annotations and rules do not.
    pub strict: bool,
    /// File name to stand in the findings.
    pub file: Option<&'a str>,
    /// How much the document may ask of us; `None` = what a business message needs.
    pub limits: Option<Limits>,
}

/// A value that the plugin asked for, each time it occurs, in document order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Which of the asked paths.
    pub path: String,
    /// Where it stands, with indexes.
    pub xpath: String,
    /// Text without blanks around it; empty for an empty field and for elements with children.
    pub value: String,
    /// Bytes of the whole element in the original document; of the value for an attribute.
    pub element: Range<u64>,
    /// Bytes between start and end tag; empty at the end of `<X/>`.
    pub content: Range<u64>,
    /// Written as `<X/>`.
    pub self_closing: bool,
    /// Line of the content's beginning, from 1.
    pub line: u32,
    /// Its column in characters, from 1.
    pub column: u32,
}

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// In document order.
    pub findings: Vec<Finding>,
    /// What was asked for.
    pub values: Vec<Captured>,
    /// Local name of the root; empty if it could not be read.
    pub root: String,
    /// Namespace of the root.
    pub namespace: String,
    /// What is to be done with the message.
    pub mode: Option<Mode>,
}

impl Outcome {
    /// The first non-empty value of an asked path.
    pub fn first(&self, path: &str) -> Option<&str> {
        self.all(path).map(|c| c.value.as_str()).find(|v| !v.is_empty())
    }

    /// All occurrences of an asked path.
    pub fn all<'o>(&'o self, path: &str) -> impl Iterator<Item = &'o Captured> {
        self.values.iter().filter(move |c| c.path == path)
    }
}

/// Collects the files of one business.
#[derive(Debug, Default)]
pub struct ValidatorBuilder {
    schemas: Vec<(String, Vec<u8>)>,
    codes: Vec<(String, Vec<u8>)>,
    rules: Vec<(String, Vec<u8>)>,
    captures: Vec<String>,
    of_site: Vec<Arc<CodeTable>>,
}

impl ValidatorBuilder {
    /// Adds a file by its extension: `.xsd`, `.csv` (code table), `.toml` (rules). Others are not taken.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        let path = path.into();
        let list = match path.rsplit('.').next() {
            Some("xsd") => &mut self.schemas,
            Some("csv") => &mut self.codes,
            Some("toml") => &mut self.rules,
            _ => return self,
        };
        list.push((path, bytes.into()));
        self
    }

    /// Lays a site's code table over the one of that name, if there is one.
    #[must_use]
    pub fn site_table(mut self, table: Arc<CodeTable>) -> Self {
        self.of_site.push(table);
        self
    }

    /// Asks for the values at `path`, such as `/DecMessage/DecSign/ClientSeqNo` or `/DecMessage/@Version`.
    #[must_use]
    pub fn capture(mut self, path: impl Into<String>) -> Self {
        self.captures.push(path.into());
        self
    }

    /// Compiles everything; the first thing wrong is the error.
    pub fn build(self) -> Result<Validator, LoadError> {
        let mut schema = crate::xsd::load(self.schemas.iter().map(|(p, b)| (p.as_str(), b.as_slice())))?;
        let mut codes = BTreeMap::new();
        for (path, bytes) in &self.codes {
            let table = CodeTable::read(path, bytes)?;
            if let Some(other) = codes.insert(table.name.clone(), table) {
                return Err(LoadError::whole(
                    DUPLICATE,
                    path,
                    format!("the code table {} stands in two files", other.name),
                ));
            }
        }
        schema.bind_site_codes(|name| self.of_site.iter().any(|table| table.name == name));
        for table in &self.of_site {
            codes.insert(table.name.clone(), CodeTable { of_site: true, ..CodeTable::clone(table) });
        }
        if let Some(name) = schema.code_tables().find(|name| !codes.contains_key(*name)) {
            return Err(LoadError::whole(UNKNOWN_NAME, "codes", format!("there is no code table {name}")));
        }
        let mut wants = Wants::default();
        let mut modes = Vec::new();
        for (number, mode) in schema.modes.iter().enumerate() {
            let path = format!("/{}", mode.path.join("/"));
            let id = wants.want_beyond_rules(&schema, &path).ok_or_else(|| mode.place.clone())?;
            wants.wants[id as usize].mode = Some(number as u32);
            modes.push(id);
        }
        for (number, path) in self.captures.iter().enumerate() {
            let id = wants.want_beyond_rules(&schema, path);
            let id =
                id.ok_or_else(|| LoadError::whole(UNKNOWN_PATH, "captures", format!("the schema has no {path}")))?;
            wants.wants[id as usize].captures.push(number as u32);
        }
        let codes = Arc::new(codes);
        let rules = RuleSet::load(&schema, &mut wants, Arc::clone(&codes), &self.rules)?;
        Ok(Validator { schema, codes, wants: Arc::new(wants), modes, captures: self.captures, rules })
    }
}

/// A compiled business: checks documents. Pure: no I/O, no clock, no state.
pub struct Validator {
    pub(crate) schema: Schema,
    pub(crate) codes: Arc<BTreeMap<String, CodeTable>>,
    pub(crate) wants: Arc<Wants>,
    /// Where the mode stands, by the schema's `modes`.
    pub(crate) modes: Vec<WantId>,
    pub(crate) captures: Vec<String>,
    pub(crate) rules: RuleSet,
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validator").field("roots", &self.schema.roots().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl Validator {
    /// Starts collecting files.
    pub fn builder() -> ValidatorBuilder {
        ValidatorBuilder::default()
    }

    /// The compiled schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Code tables by name.
    pub fn codes(&self) -> &BTreeMap<String, CodeTable> {
        &self.codes
    }

    /// The rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Judges a document by its original bytes, whatever their encoding.
    pub fn check(&self, document: &[u8], options: &CheckOptions<'_>) -> Outcome {
        crate::run::check(self, document, options)
    }

    /// Runs the examples of all rules.
    pub fn test_rules(&self) -> Vec<crate::rules::RuleTest> {
        self.rules.test(self)
    }
}
