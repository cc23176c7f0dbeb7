//! Puts a finding at a field that the validator captured.

use kouan_schema::Outcome;
use kouan_sdk::Finding;
use kouan_xml::{Limits, decode};

/// Marks the value at `xpath`; without such a field the finding keeps no place. An index of 1 may be left out.
pub(crate) fn mark(finding: &mut Finding, document: &[u8], outcome: &Outcome, xpath: &str) {
    let Some(field) = outcome.values.iter().find(|field| field.xpath == xpath) else { return };
    let Ok(start) = usize::try_from(field.content.start) else { return };
    let Some((line, column)) = line_and_column(document, start) else { return };
    (finding.line, finding.column) = (line, column);
    finding.offset = field.content.start;
    finding.length = u32::try_from(field.content.end - field.content.start).unwrap_or(0);
    finding.xpath = field.xpath.clone();
    finding.field = xpath.rsplit('/').next().unwrap_or_default().to_owned();
    finding.value = Some(field.value.clone());
}

/// What stands before `offset` decodes like the whole: it has the mark and the declaration, and is cut at a tag.
fn line_and_column(document: &[u8], offset: usize) -> Option<(u32, u32)> {
    let before = decode(document.get(..offset)?, &Limits::default()).ok()?;
    let place = before.locate(before.text().len());
    Some((place.line, place.column))
}
