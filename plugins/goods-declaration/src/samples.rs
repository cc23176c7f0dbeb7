//! The bundled samples: what a demonstration drops, and what a test must find.

use crate::facts::Edoc;
use crate::fill::Form;
use include_dir::{Dir, include_dir};
use kouan_declarative::Tree;
use kouan_sdk::Result;

static SAMPLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/goods-declaration/samples");

/// What kind of sample it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleKind {
    /// Without an error.
    Good,
    /// Without an error, but OperType C: needs a signing profile.
    Declare,
    /// With planted errors.
    Bad,
}

/// A sample message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// File name, such as `import.xml`.
    pub name: String,
    /// What kind it is.
    pub kind: SampleKind,
    /// The document's bytes.
    pub document: &'static [u8],
    /// For a bad one: what must be found, as JSON (rule, line, column, xpath, severity).
    pub findings: Option<&'static str>,
    /// A made-up PDF for each attachment that the document names, so that it can be dropped as a zip.
    pub attachments: Vec<(String, Vec<u8>)>,
}

/// All samples, by kind and name.
pub fn samples() -> Vec<Sample> {
    let kinds = [("good", SampleKind::Good), ("declare", SampleKind::Declare), ("bad", SampleKind::Bad)];
    let mut all: Vec<Sample> = kinds.into_iter().flat_map(|(folder, kind)| of_kind(folder, kind)).collect();
    all.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    all
}

/// Sample receipts: file name and bytes. The DataInfo trailer and the encrypted push are none and are left out.
pub fn receipts() -> Vec<(String, &'static [u8])> {
    let files = SAMPLES.get_dir("receipts").into_iter().flat_map(Dir::files);
    let named = files.filter_map(|file| Some((file.path().file_name()?.to_str()?.to_owned(), file.contents())));
    let mut all: Vec<_> =
        named.filter(|(name, _)| !name.starts_with("edoc_") && !name.starts_with("subscription_")).collect();
    all.sort();
    all
}

/// The same declaration under another client number (ClientSeqNo); all other bytes stay. For demonstrations and load.
///
/// # Errors
/// `KOUAN-DEC-UNREADABLE` if it is no declaration.
pub fn renumbered(document: &[u8], client_seq_no: &str) -> Result<Vec<u8>> {
    Form::read(document)?.filled(&[("ClientSeqNo", client_seq_no)])
}

fn of_kind(folder: &'static str, kind: SampleKind) -> impl Iterator<Item = Sample> {
    let files = SAMPLES.get_dir(folder).into_iter().flat_map(Dir::files);
    files.filter(|file| file.path().extension().is_some_and(|e| e == "xml")).filter_map(move |file| {
        let findings = SAMPLES.get_file(file.path().with_extension("findings.json"));
        Some(Sample {
            name: file.path().file_name()?.to_str()?.to_owned(),
            kind,
            document: file.contents(),
            findings: findings.and_then(include_dir::File::contents_utf8),
            attachments: attachments(file.contents()),
        })
    })
}

/// A file for each EdocRealation, of the size that it says.
fn attachments(document: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Ok(tree) = Tree::read(document) else { return Vec::new() };
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (at, _) in tree.children(0).filter(|(_, node)| node.name == "EdocRealation") {
        let mut edoc = Edoc::default();
        tree.children(at).for_each(|(_, field)| edoc.set(&field.name, field.text.trim()));
        if edoc.has_file() && files.iter().all(|(name, _)| *name != edoc.file_name) {
            files.push((edoc.file_name.clone(), pdf(edoc.size.parse().unwrap_or(0))));
        }
    }
    files
}

/// An empty page, padded with a comment to at least so many bytes.
fn pdf(size: usize) -> Vec<u8> {
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
    ];
    let mut file = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (number, object) in (1..).zip(objects) {
        places.push(file.len());
        file.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
    }
    let rows: String = places.iter().map(|place| format!("{place:010} 00000 n \n")).collect();
    // Of one length, wherever the cross-reference table comes to stand.
    let tail = |at: usize| {
        format!("xref\n0 4\n0000000000 65535 f \n{rows}trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n{at:010}\n%%EOF\n")
    };
    let padding = size.saturating_sub(file.len() + "%\n".len() + tail(0).len());
    file.push_str(&format!("%{}\n", " ".repeat(padding)));
    file.push_str(&tail(file.len()));
    file.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_samples_are_there_and_each_bad_one_says_what_is_to_be_found() {
        let all = samples();
        let count = |kind| all.iter().filter(|sample| sample.kind == kind).count();
        assert!(count(SampleKind::Good) >= 15 && count(SampleKind::Declare) >= 2 && count(SampleKind::Bad) >= 25);
        assert!(all.iter().all(|sample| sample.findings.is_some() == (sample.kind == SampleKind::Bad)));
        assert!(receipts().len() >= 11);
    }

    #[test]
    fn made_up_attachments_are_pdfs_of_the_size_that_the_message_says() {
        let all = samples();
        let sample = all.iter().find(|sample| sample.name == "dec_sample.xml").unwrap();
        let sizes: Vec<_> = sample.attachments.iter().map(|(name, bytes)| (name.as_str(), bytes.len())).collect();
        assert_eq!(sizes, [("TEST-2026-001-发票.pdf", 10_240), ("TEST-2026-001-箱单.pdf", 9876)]);
        for (_, bytes) in &sample.attachments {
            let text = std::str::from_utf8(bytes).unwrap();
            let at: usize = text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
            assert!(text[at..].starts_with("xref\n") && text.ends_with("%%EOF\n"));
        }
    }

    #[test]
    fn renumbering_changes_the_number_only() {
        for sample in samples().iter().filter(|sample| sample.kind == SampleKind::Good) {
            let other = renumbered(sample.document, "DEMO000001").unwrap();
            let form = Form::read(&other).unwrap();
            assert_eq!(form.value("ClientSeqNo"), "DEMO000001", "{}", sample.name);
            let back = renumbered(&other, Form::read(sample.document).unwrap().value("ClientSeqNo")).unwrap();
            assert_eq!(back, sample.document, "{}", sample.name);
        }
    }
}
