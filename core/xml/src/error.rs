//! What can be wrong with XML, each with its own code.

use crate::Place;
use kouan_sdk::{ErrorKind, Finding, Severity};

/// What is wrong, without the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlFault {
    /// Longer than [`Limits::max_bytes`](crate::Limits::max_bytes).
    #[error("document of {got} bytes, at most {limit} are taken")]
    TooBig {
        /// Its length.
        got: usize,
        /// The limit.
        limit: usize,
    },
    /// Nested deeper than [`Limits::max_depth`](crate::Limits::max_depth).
    #[error("elements nested deeper than {0}")]
    TooDeep(usize),
    /// More attributes than [`Limits::max_attributes`](crate::Limits::max_attributes).
    #[error("more than {0} attributes on one element")]
    TooManyAttributes(usize),
    /// More declarations in scope than [`Limits::max_namespaces`](crate::Limits::max_namespaces).
    #[error("more than {0} namespace declarations in scope")]
    TooManyNamespaces(usize),
    /// A name longer than [`Limits::max_name`](crate::Limits::max_name).
    #[error("name longer than {0} bytes")]
    NameTooLong(usize),
    /// Text longer than [`Limits::max_text`](crate::Limits::max_text).
    #[error("text longer than {0} bytes")]
    TextTooLong(usize),
    /// More nodes than [`Limits::max_nodes`](crate::Limits::max_nodes).
    #[error("more than {0} elements, attributes and texts")]
    TooManyNodes(usize),
    /// A document type declaration; refused whole, so no entity is ever defined.
    #[error("document type declaration (DOCTYPE) is not taken")]
    Doctype,
    /// An encoding that nobody here reads.
    #[error("encoding `{0}` is not read")]
    EncodingUnknown(String),
    /// The declaration names one encoding, the bytes are in another.
    #[error("declared encoding is {declared}, but the bytes are {found}")]
    EncodingConflict {
        /// As the declaration says.
        declared: String,
        /// As the byte order mark or its absence shows.
        found: &'static str,
    },
    /// Bytes that are no character in the document's encoding.
    #[error("byte 0x{byte:02X} does not fit the encoding {encoding}")]
    EncodingBadBytes {
        /// The encoding used.
        encoding: &'static str,
        /// The first byte at fault.
        byte: u8,
    },
    /// A character that XML 1.0 does not allow, raw or as a reference.
    #[error("character U+{0:04X} is not allowed in XML")]
    BadCharacter(u32),
    /// Not well-formed in some other way.
    #[error("not well-formed: {0}")]
    NotWellFormed(String),
    /// An end tag for another element than the open one.
    #[error("end tag `{found}` where `{expected}` is open")]
    MismatchedEndTag {
        /// The open element.
        expected: String,
        /// What the tag says.
        found: String,
    },
    /// An entity other than the five that XML defines.
    #[error("entity `&{0};` is not defined")]
    UnknownEntity(String),
    /// The document ends in the middle.
    #[error("document ends in the middle")]
    Truncated,
    /// No element at all.
    #[error("document has no element")]
    Empty,
    /// Something after the root element.
    #[error("content after the root element")]
    ContentAfterRoot,
    /// A prefix without declaration.
    #[error("prefix `{0}` is not declared")]
    UndeclaredPrefix(String),
    /// A namespace declaration that is not allowed.
    #[error("namespace declaration is wrong: {0}")]
    BadNamespace(String),
    /// A relative namespace URI, which canonical XML does not take.
    #[error("namespace `{0}` is a relative URI, which canonical XML does not take")]
    RelativeNamespace(String),
    /// One attribute twice, also by way of two prefixes for one namespace.
    #[error("attribute `{0}` stands twice")]
    DuplicateAttribute(String),
}

/// An XML error with its place in the original bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at line {}, column {} (byte {})", place.line, place.column, place.offset)]
pub struct XmlError {
    /// What is wrong.
    pub fault: XmlFault,
    /// Where it begins.
    pub place: Place,
}

impl XmlFault {
    /// The stable code; a key of the catalogue.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooBig { .. } => "KOUAN-XML-TOO-BIG",
            Self::TooDeep(_) => "KOUAN-XML-TOO-DEEP",
            Self::TooManyAttributes(_) => "KOUAN-XML-TOO-MANY-ATTRIBUTES",
            Self::TooManyNamespaces(_) => "KOUAN-XML-TOO-MANY-NAMESPACES",
            Self::NameTooLong(_) => "KOUAN-XML-NAME-TOO-LONG",
            Self::TextTooLong(_) => "KOUAN-XML-TEXT-TOO-LONG",
            Self::TooManyNodes(_) => "KOUAN-XML-TOO-MANY-NODES",
            Self::Doctype => "KOUAN-XML-DOCTYPE",
            Self::EncodingUnknown(_) => "KOUAN-XML-ENCODING-UNKNOWN",
            Self::EncodingConflict { .. } => "KOUAN-XML-ENCODING-CONFLICT",
            Self::EncodingBadBytes { .. } => "KOUAN-XML-ENCODING-BAD-BYTES",
            Self::BadCharacter(_) => "KOUAN-XML-BAD-CHARACTER",
            Self::NotWellFormed(_) => "KOUAN-XML-NOT-WELL-FORMED",
            Self::MismatchedEndTag { .. } => "KOUAN-XML-MISMATCHED-END-TAG",
            Self::UnknownEntity(_) => "KOUAN-XML-UNKNOWN-ENTITY",
            Self::Truncated => "KOUAN-XML-TRUNCATED",
            Self::Empty => "KOUAN-XML-EMPTY",
            Self::ContentAfterRoot => "KOUAN-XML-CONTENT-AFTER-ROOT",
            Self::UndeclaredPrefix(_) => "KOUAN-XML-UNDECLARED-PREFIX",
            Self::BadNamespace(_) => "KOUAN-XML-BAD-NAMESPACE",
            Self::RelativeNamespace(_) => "KOUAN-XML-RELATIVE-NAMESPACE",
            Self::DuplicateAttribute(_) => "KOUAN-XML-DUPLICATE-ATTRIBUTE",
        }
    }

    /// What is wrong, Chinese; the counterpart of the English `Display`.
    pub fn zh(&self) -> String {
        match self {
            Self::TooBig { got, limit } => format!("报文有 {got} 字节，最多允许 {limit} 字节"),
            Self::TooDeep(limit) => format!("元素嵌套超过 {limit} 层"),
            Self::TooManyAttributes(limit) => format!("一个元素的属性超过 {limit} 个"),
            Self::TooManyNamespaces(limit) => format!("同时有效的命名空间声明超过 {limit} 个"),
            Self::NameTooLong(limit) => format!("名称超过 {limit} 字节"),
            Self::TextTooLong(limit) => format!("文本超过 {limit} 字节"),
            Self::TooManyNodes(limit) => format!("元素、属性和文本合计超过 {limit} 个"),
            Self::Doctype => "不接受文档类型声明（DOCTYPE）".into(),
            Self::EncodingUnknown(name) => format!("不支持编码“{name}”"),
            Self::EncodingConflict { declared, found } => format!("声明的编码是 {declared}，实际字节却是 {found}"),
            Self::EncodingBadBytes { encoding, byte } => format!("字节 0x{byte:02X} 不符合编码 {encoding}"),
            Self::BadCharacter(code) => format!("XML 不允许字符 U+{code:04X}"),
            Self::NotWellFormed(detail) => format!("XML 格式不正确：{detail}"),
            Self::MismatchedEndTag { expected, found } => {
                format!("结束标签“{found}”与未结束的元素“{expected}”不匹配")
            }
            Self::UnknownEntity(name) => format!("实体“&{name};”没有定义"),
            Self::Truncated => "报文不完整，中途结束".into(),
            Self::Empty => "报文中没有任何元素".into(),
            Self::ContentAfterRoot => "根元素之后还有内容".into(),
            Self::UndeclaredPrefix(prefix) => format!("命名空间前缀“{prefix}”没有声明"),
            Self::BadNamespace(detail) => format!("命名空间声明不正确：{detail}"),
            Self::RelativeNamespace(uri) => format!("命名空间“{uri}”是相对 URI，不能规范化"),
            Self::DuplicateAttribute(name) => format!("属性“{name}”重复出现"),
        }
    }
}

impl XmlError {
    /// The stable code; a key of the catalogue.
    pub fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// Byte offset in the original bytes.
    pub fn offset(&self) -> u64 {
        self.place.offset
    }

    /// The error as a finding about `file`, with the catalogue's repair as hint. `xpath` may be empty.
    pub fn finding(&self, file: Option<&str>, xpath: &str) -> Finding {
        let mut finding = Finding::whole(self.code(), Severity::Error, self.fault.zh(), self.fault.to_string());
        finding.file = file.map(str::to_owned);
        (finding.line, finding.column, finding.offset) = (self.place.line, self.place.column, self.place.offset);
        finding.xpath = xpath.to_owned();
        match kouan_sdk::catalogue::lookup(self.code()) {
            Some(entry) => finding.with_hint(&entry.repair_zh, &entry.repair_en),
            None => finding,
        }
    }
}

impl From<XmlError> for kouan_sdk::Error {
    fn from(error: XmlError) -> Self {
        kouan_sdk::Error::new(ErrorKind::Invalid, error.code(), error.to_string())
    }
}
