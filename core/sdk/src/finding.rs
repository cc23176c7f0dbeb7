//! A finding: one thing wrong with a message, said so that a declarant can mend it.

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The message will be refused.
    Error,
    /// Goes out; somebody should look.
    Warning,
    /// For the reader's information.
    Info,
}

/// One finding (检查结果). Positions speak of the original bytes, whatever their encoding.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// Rule id: `XSD-…` for the schema, `KOUAN-…` for limits and form, else the rule's own id in `rules/*.toml`.
    pub rule: String,
    /// See [`Severity`].
    pub severity: Severity,
    /// File name, if the message came as a file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub file: Option<String>,
    /// Line, from 1; 0 = no place.
    pub line: u32,
    /// Column in characters, from 1; 0 = no place.
    pub column: u32,
    /// Byte offset in the original bytes.
    pub offset: u64,
    /// Length in original bytes of what is marked; 0 = a point.
    pub length: u32,
    /// Indexed path, such as `/DecMessage/DecLists/DecList[2]/GQty`.
    pub xpath: String,
    /// Element or attribute name.
    pub field: String,
    /// Its Chinese name; empty if none is known.
    pub field_zh: String,
    /// The value at fault, shortened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub value: Option<String>,
    /// What is wrong, Chinese.
    pub message_zh: String,
    /// What is wrong, English.
    pub message_en: String,
    /// What to write instead, Chinese; empty if the message says it.
    pub hint_zh: String,
    /// What to write instead, English.
    pub hint_en: String,
}

impl Finding {
    /// A finding about a whole message, without a place.
    pub fn whole(rule: impl Into<String>, severity: Severity, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            severity,
            file: None,
            line: 0,
            column: 0,
            offset: 0,
            length: 0,
            xpath: String::new(),
            field: String::new(),
            field_zh: String::new(),
            value: None,
            message_zh: zh.into(),
            message_en: en.into(),
            hint_zh: String::new(),
            hint_en: String::new(),
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.hint_zh = zh.into();
        self.hint_en = en.into();
        self
    }
}

/// Whether any of `findings` refuses the message.
pub fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}
