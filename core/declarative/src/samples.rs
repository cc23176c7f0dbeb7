//! The samples of a business: what a demonstration drops, and what a test must find.

use include_dir::Dir;

/// What kind of sample it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleKind {
    /// Without an error.
    Good,
    /// With planted errors.
    Bad,
}

/// A sample message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// File name, such as `csm002.xml`.
    pub name: String,
    /// What kind it is.
    pub kind: SampleKind,
    /// The document's bytes.
    pub document: &'static [u8],
    /// For a bad one: what must be found, as JSON (rule, line, column, xpath, severity).
    pub findings: Option<&'static str>,
    /// The folder's FormId, where the sample lies in a folder of that name below `good` or `bad`.
    pub form_id: Option<String>,
}

/// All samples of `dir` (a business's folder), by kind and name.
pub fn samples(dir: &'static Dir<'static>) -> Vec<Sample> {
    let kinds = [("good", SampleKind::Good), ("bad", SampleKind::Bad)];
    let mut all: Vec<Sample> = Vec::new();
    for (folder, kind) in kinds {
        let Some(folder) = dir.get_dir(format!("samples/{folder}")) else { continue };
        all.extend(of_folder(dir, folder, kind, None));
        for inner in folder.dirs() {
            let form_id = inner.path().file_name().and_then(|name| name.to_str()).map(str::to_owned);
            all.extend(of_folder(dir, inner, kind, form_id));
        }
    }
    all.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    all
}

/// Sample receipts of `dir`: file name and bytes.
pub fn receipts(dir: &'static Dir<'static>) -> Vec<(String, &'static [u8])> {
    let files = dir.get_dir("samples/receipts").into_iter().flat_map(Dir::files);
    let named = files.filter(|file| file.path().extension().is_some_and(|e| e == "xml"));
    let mut all: Vec<_> =
        named.filter_map(|file| Some((file.path().file_name()?.to_str()?.to_owned(), file.contents()))).collect();
    all.sort();
    all
}

fn of_folder(
    dir: &'static Dir<'static>,
    folder: &'static Dir<'static>,
    kind: SampleKind,
    form_id: Option<String>,
) -> impl Iterator<Item = Sample> {
    let documents = folder.files().filter(|file| file.path().extension().is_some_and(|e| e == "xml"));
    documents.filter_map(move |file| {
        let findings = dir.get_file(file.path().with_extension("findings.json"));
        Some(Sample {
            name: file.path().file_name()?.to_str()?.to_owned(),
            kind,
            document: file.contents(),
            findings: findings.and_then(include_dir::File::contents_utf8),
            form_id: form_id.clone(),
        })
    })
}
