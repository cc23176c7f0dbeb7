//! What lies in the site's folders.

use crate::drops::digest;
use anyhow::Context as _;
use std::fs;
use std::path::Path;

/// Where declarations are dropped, below a campaign's folder.
pub const OUTBOX: &str = "imp-path/Deccus001/OutBox";

/// A file: in which box, its name there, SM3 of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lying {
    /// OutBox, TempBox, SentBox, FailBox, InBox, Report.
    pub place: String,
    pub name: String,
    pub digest: String,
}

/// All files of the site, whatever their FormId and day.
pub fn all(folder: &Path) -> anyhow::Result<Vec<Lying>> {
    let mut found = Vec::new();
    for form in entries(&folder.join("imp-path"))? {
        for place in entries(&form)? {
            let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
            walk(&place, &name, &mut found)?;
        }
    }
    Ok(found)
}

/// Whether nothing waits to be taken, or to be cleared.
pub fn are_quiet(folder: &Path) -> anyhow::Result<bool> {
    for form in entries(&folder.join("imp-path"))? {
        for place in ["OutBox", "TempBox"] {
            let place = form.join(place);
            if place.is_dir() && entries(&place)?.iter().any(|path| !is_lock(path)) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn is_lock(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == ".kouan.lock")
}

fn walk(folder: &Path, place: &str, found: &mut Vec<Lying>) -> anyhow::Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            walk(&path, place, found)?;
        } else if !is_lock(&path) {
            let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push(Lying { place: place.to_owned(), name, digest: digest(&bytes) });
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let read = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let paths = read.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    paths.with_context(|| format!("list {}", folder.display()))
}
