//! What can be wrong with a schema, a rule or a code table when it is loaded.

/// A schema, rule or code table that cannot be loaded, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message} [{code}]")]
pub struct LoadError {
    /// `KOUAN-SCHEMA-…`, see the catalogue.
    pub code: &'static str,
    /// File as it was named by the caller.
    pub file: String,
    /// Line from 1; 0 = the file as a whole.
    pub line: u32,
    /// Column in characters from 1; 0 = the file as a whole.
    pub column: u32,
    /// What is wrong: a lowercase fragment.
    pub message: String,
}

impl LoadError {
    /// An error about a whole file.
    pub(crate) fn whole(code: &'static str, file: &str, message: impl Into<String>) -> Self {
        Self { code, file: file.to_owned(), line: 0, column: 0, message: message.into() }
    }
}

impl From<LoadError> for kouan_sdk::Error {
    fn from(error: LoadError) -> Self {
        let message = format!("{}:{}:{}: {}", error.file, error.line, error.column, error.message);
        Self::new(kouan_sdk::ErrorKind::Config, error.code, message)
    }
}

/// The file is not XML in UTF-8.
pub(crate) const NOT_XML: &str = "KOUAN-SCHEMA-NOT-XML";
/// A construct outside the subset.
pub(crate) const UNSUPPORTED: &str = "KOUAN-SCHEMA-UNSUPPORTED";
/// A name that nothing defines.
pub(crate) const UNKNOWN_NAME: &str = "KOUAN-SCHEMA-UNKNOWN-NAME";
/// Two definitions of one name.
pub(crate) const DUPLICATE: &str = "KOUAN-SCHEMA-DUPLICATE";
/// A content model in which a name does not tell the particle.
pub(crate) const AMBIGUOUS: &str = "KOUAN-SCHEMA-AMBIGUOUS";
/// A value that its attribute or facet does not take.
pub(crate) const BAD_VALUE: &str = "KOUAN-SCHEMA-BAD-VALUE";
/// A path that the schema does not have.
pub(crate) const UNKNOWN_PATH: &str = "KOUAN-SCHEMA-UNKNOWN-PATH";
/// A code table that cannot be read.
pub(crate) const BAD_CODES: &str = "KOUAN-SCHEMA-BAD-CODES";
/// A rule that cannot be read or compiled.
pub(crate) const BAD_RULE: &str = "KOUAN-SCHEMA-BAD-RULE";
/// A rule without examples of both kinds.
pub(crate) const RULE_EXAMPLES: &str = "KOUAN-SCHEMA-RULE-EXAMPLES";
