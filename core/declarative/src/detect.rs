//! Which type a message is of: by its root, by what it says of itself, else by the folder that it came through.

use crate::business::{Compiled, Type};
use crate::path::{Path, Peeked, Source};
use crate::pick::Pick;
use kouan_sdk::{Finding, Severity};
use kouan_xml::{Decoded, XmlError};

/// A message whose type cannot be told.
pub(crate) const NO_TYPE: &str = "KOUAN-DECLARATIVE-NO-TYPE";

/// The type of a document, or why there is none.
pub(crate) fn detect<'c>(
    compiled: &'c Compiled,
    document: &Decoded<'_>,
    form_id: Option<&str>,
) -> Result<&'c Type, Box<Finding>> {
    let not_xml = |error: XmlError| Box::new(error.finding(None, ""));
    let root = Root::read(document).map_err(not_xml)?;
    let candidates: Vec<&Type> = compiled.types.iter().filter(|of| root.is_of(of)).collect();
    let detects: Vec<&Pick> = candidates.iter().filter_map(|of| of.detect.as_ref()).collect();
    let peeked = if detects.is_empty() { Peeked::default() } else { peek(document, &detects).map_err(not_xml)? };
    let says = |of: &&&Type| of.detect.as_ref().is_some_and(|d| d.first(&peeked).is_some_and(|v| of.is.contains(&v)));
    let said: Vec<&&Type> = candidates.iter().filter(says).collect();
    // Of two that are called so, the one in whose namespace it is.
    if let Some(of) = said.iter().find(|of| root.fits(of)).or_else(|| said.first()) {
        return Ok(of);
    }
    let silent: Vec<&&Type> = candidates.iter().filter(|of| of.detect.is_none()).collect();
    if let Some(of) = silent.iter().find(|of| root.fits(of)).or_else(|| silent.first().filter(|_| silent.len() == 1)) {
        return Ok(of);
    }
    // It does not say what it is, or something strange; its namespace may be one type's alone.
    let named: Vec<&&Type> = candidates.iter().filter(|of| root.names(of)).collect();
    if let [of] = named.as_slice() {
        return Ok(of);
    }
    let by_folder = |of: &&Type| form_id.is_some_and(|form| of.info.id.eq_ignore_ascii_case(form));
    match compiled.types.iter().filter(|of| of.info.roots.is_empty()).find(by_folder) {
        Some(of) => Ok(of),
        None => Err(Box::new(no_type(compiled, document, &root, &candidates, &peeked))),
    }
}

/// Reads until every candidate has said what it is, or all is read.
fn peek(document: &Decoded<'_>, detects: &[&Pick]) -> Result<Peeked, XmlError> {
    let mut paths: Vec<&Path> = Vec::new();
    for path in detects.iter().flat_map(|detect| detect.paths()) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let enough = |peeked: &Peeked| detects.iter().all(|d| d.paths().iter().any(|path| peeked.exists(path)));
    Peeked::read(document, &paths, &enough)
}

/// The root element.
struct Root {
    local: String,
    namespace: String,
    offset: usize,
}

impl Root {
    fn read(document: &Decoded<'_>) -> Result<Self, XmlError> {
        let mut reader = kouan_xml::Reader::new(document, &kouan_xml::Limits::default());
        match reader.next()? {
            Some(kouan_xml::Event::Start(tag)) => {
                Ok(Self { local: tag.local.into(), namespace: tag.namespace.into(), offset: tag.offset + 1 })
            }
            _ => Err(document.error(kouan_xml::XmlFault::Empty, 0)),
        }
    }

    /// The local name is the type's; a wrong namespace is the schema's to tell.
    fn is_of(&self, of: &Type) -> bool {
        of.info.roots.iter().any(|root| root.local == self.local)
    }

    fn fits(&self, of: &Type) -> bool {
        of.info.roots.iter().any(|root| root.matches(&self.namespace, &self.local))
    }

    /// The namespace is the type's by name.
    fn names(&self, of: &Type) -> bool {
        of.info
            .roots
            .iter()
            .any(|root| !["*", ""].contains(&root.namespace.as_str()) && root.matches(&self.namespace, &self.local))
    }
}

fn no_type(compiled: &Compiled, document: &Decoded<'_>, root: &Root, candidates: &[&Type], peeked: &Peeked) -> Finding {
    let info = &compiled.info;
    let path = candidates.iter().filter_map(|of| of.detect.as_ref()).flat_map(Pick::paths).next();
    let Some(path) = path else {
        let mut roots: Vec<&str> =
            compiled.types.iter().flat_map(|of| of.info.roots.iter().map(|root| root.local.as_str())).collect();
        roots.dedup();
        let roots = roots.join(", ");
        let finding = Finding::whole(
            NO_TYPE,
            Severity::Error,
            format!("根元素 {} 不是{}的报文", root.local, info.name_zh),
            format!("the root {} is none of the messages of {}", root.local, info.name_en),
        )
        .with_hint(format!("根元素应为 {roots}"), format!("the root is one of {roots}"));
        return placed(finding, document, root.offset, &format!("/{}", root.local), &root.local, None);
    };
    let field = path.text().rsplit('/').next().unwrap_or_default();
    let value = peeked.values(path).first().map(|value| kouan_schema::shortened(value));
    let known: Vec<&str> = candidates.iter().flat_map(|of| of.is.iter().map(String::as_str)).collect();
    let known = known.join(", ");
    let (zh, en) = match &value {
        Some(value) => (
            format!("报文类型 {field} 的值“{value}”不是{}的报文类型", info.name_zh),
            format!("{field} says {value:?}, which is no message type of {}", info.name_en),
        ),
        None => (format!("没有填写报文类型 {field}"), format!("{field} does not say the message type")),
    };
    let finding = Finding::whole(NO_TYPE, Severity::Error, zh, en)
        .with_hint(format!("填写其中之一：{known}"), format!("write one of {known}"));
    let offset = peeked.places.get(path.text()).copied().unwrap_or(root.offset);
    placed(finding, document, offset, path.text(), field, value)
}

fn placed(
    mut finding: Finding,
    document: &Decoded<'_>,
    offset: usize,
    xpath: &str,
    field: &str,
    value: Option<String>,
) -> Finding {
    let place = document.locate(offset);
    (finding.line, finding.column, finding.offset) = (place.line, place.column, place.offset);
    (finding.xpath, finding.field) = (xpath.into(), field.into());
    finding.value = value.map(|value| value.chars().take(80).collect());
    finding
}
