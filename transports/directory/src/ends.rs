//! How a taken file ends: SentBox or FailBox, and Report. Every step may be done again after a crash.
//!
//! Order: verdicts, originals, one sync for each touched folder, and only then TempBox is cleared and synced. While a
//! file lies in TempBox its end can be shown again; once it is gone everything else is durable.

use crate::durable::{self, Found, Touched};
use crate::error::named;
use crate::layout::{Folder, Layout, Place};
use crate::{failpoint, names};
use kouan_sdk::transport::{Disposition, End, header, header_value};
use kouan_sdk::{Error, ErrorKind, Result, Timestamp, catalogue};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How many files of one name and day are told apart.
const MAX_SAME_NAME: u32 = 10_000;

/// One disposition on its way: the file to clear and the folders that must be synced first.
pub(crate) struct Shown {
    temp: PathBuf,
    folders: Vec<PathBuf>,
}

/// Shows the ends of a batch and clears TempBox.
pub(crate) fn dispose(layout: &Layout, batch: &[Disposition<'_>]) -> Vec<Result<()>> {
    let shown = show(layout, batch);
    failpoint!("directory::disposed-before-clear");
    clear(shown)
}

/// The first half: verdicts and originals are in place and durable.
pub(crate) fn show(layout: &Layout, batch: &[Disposition<'_>]) -> Vec<Result<Shown>> {
    let mut shown: Vec<Result<Shown>> = batch.iter().map(|one| show_one(layout, one)).collect();
    let mut touched = Touched::default();
    shown.iter().flatten().flat_map(|one| &one.folders).for_each(|folder| touched.add(folder));
    let failed = touched.sync();
    for one in &mut shown {
        let hit = |s: &Shown| failed.iter().find(|(folder, _)| s.folders.contains(folder));
        if let Some((folder, error)) = one.as_ref().ok().and_then(hit) {
            *one = Err(named("sync", folder, error));
        }
    }
    shown
}

/// The second half: TempBox forgets them.
pub(crate) fn clear(shown: Vec<Result<Shown>>) -> Vec<Result<()>> {
    let mut touched = Touched::default();
    let cleared: Vec<Result<PathBuf>> = shown
        .into_iter()
        .map(|one| {
            let temp = one?.temp;
            durable::remove_if_there(&temp).map_err(|e| named("clear", &temp, &e))?;
            let folder = temp.parent().unwrap_or(Path::new("")).to_owned();
            touched.add(&folder);
            Ok(folder)
        })
        .collect();
    failpoint!("directory::cleared-before-sync");
    let failed = touched.sync();
    let durable = |folder: PathBuf| match failed.iter().find(|(f, _)| *f == folder) {
        Some((_, error)) => Err(named("sync", &folder, error)),
        None => Ok(()),
    };
    cleared.into_iter().map(|one| one.and_then(durable)).collect()
}

fn show_one(layout: &Layout, one: &Disposition<'_>) -> Result<Shown> {
    let (folder, claim) = layout.of_source(one.source_id)?;
    let name = header_value(one.headers, header::FILE_NAME).filter(|name| names::is_safe(name)).ok_or_else(|| {
        let text = format!("{} has no usable file name", one.source_id);
        Error::new(ErrorKind::Invalid, "KOUAN-DIRECTORY-NAME-REFUSED", text)
    })?;
    let mut folders = Vec::new();
    if let Some(verdict) = one.verdict {
        folders.push(write_report(folder, name, verdict)?);
        failpoint!("directory::reported");
    }
    let temp = folder.path(Place::TempBox).join(names::claimed(claim, name));
    let place = match one.end {
        End::Sent => Place::SentBox,
        End::Failed => Place::FailBox,
    };
    folders.extend(place_original(folder, place, one.at, name, &temp, one.body)?);
    failpoint!("directory::placed");
    Ok(Shown { temp, folders })
}

/// Writes `Report/<stem>.json`; returns the folder to sync.
pub(crate) fn write_report(folder: &Folder, name: &str, verdict: &[u8]) -> Result<PathBuf> {
    let target = folder.path(Place::Report).join(names::report(name));
    let written = match durable::compare(&target, verdict) {
        Ok(Found::Same) => Ok(()),
        _ => durable::replace(&target, verdict),
    };
    written.map_err(|e| named("write", &target, &e))?;
    Ok(folder.path(Place::Report))
}

/// Puts the original into the day's folder under its name, or a numbered one if other content has the name; returns the
/// folders to sync.
fn place_original(
    folder: &Folder,
    place: Place,
    at: Timestamp,
    name: &str,
    temp: &Path,
    body: &[u8],
) -> Result<Vec<PathBuf>> {
    let day = day_folder(folder, place, at)?;
    for n in 1..=MAX_SAME_NAME {
        let target = day.join(names::numbered(name, n));
        match durable::compare(&target, body).map_err(|e| named("compare", &target, &e))? {
            Found::Same => return Ok(vec![folder.path(place), day]),
            Found::Other => continue,
            Found::Nothing => {}
        }
        match put(&target, temp, body) {
            Ok(()) => return Ok(vec![folder.path(place), day]),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(named("write", &target, &e)),
        }
    }
    Err(taken(&day.join(name)))
}

/// A second name for the file in TempBox if it still is what was taken, else a new file from the journal's bytes.
fn put(target: &Path, temp: &Path, body: &[u8]) -> io::Result<()> {
    if matches!(durable::compare(temp, body), Ok(Found::Same)) {
        // The site may never have synced its bytes.
        let linked = File::open(temp).and_then(|f| f.sync_all()).and_then(|()| fs::hard_link(temp, target));
        match linked {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(e),
            // File systems without links get a copy.
            Err(_) => {}
        }
    }
    let temporary = durable::temporary(target);
    durable::write_synced(&temporary, body)?;
    durable::rename_new(&temporary, target).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Moves a file that cannot be journalled to FailBox, with the reason in Report. The report comes first, so that a file
/// in FailBox always has one.
pub(crate) fn set_aside(folder: &Folder, file: &Path, name: &str, at: Timestamp, reason: &Error) -> Result<()> {
    let name = names::made_safe(name);
    let report = write_report(folder, &name, &reason_json(&name, at, reason))?;
    durable::sync_folder(&report).map_err(|e| named("sync", &report, &e))?;
    failpoint!("directory::reported-before-set-aside");
    let day = day_folder(folder, Place::FailBox, at)?;
    for n in 1..=MAX_SAME_NAME {
        let target = day.join(names::numbered(&name, n));
        match durable::rename_new(file, &target) {
            Ok(()) => {
                let mut touched = Touched::default();
                let from = file.parent().unwrap_or(Path::new(""));
                [&folder.path(Place::FailBox), &day, from].into_iter().for_each(|f| touched.add(f));
                let failed = touched.sync().into_iter().next();
                return failed.map_or(Ok(()), |(folder, e)| Err(named("sync", &folder, &e)));
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            // Somebody else has moved it: nothing is left to put aside.
            Err(e) if e.kind() == io::ErrorKind::NotFound && !file.exists() => return Ok(()),
            Err(e) => return Err(named("move", file, &e)),
        }
    }
    Err(taken(&day.join(name)))
}

fn reason_json(name: &str, at: Timestamp, reason: &Error) -> Vec<u8> {
    let entry = catalogue::lookup(&reason.code);
    serde_json::json!({
        "file": name,
        "at": at.rfc3339(),
        "verdict": "rejected",
        "code": reason.code,
        "message": reason.message,
        "cause_zh": entry.map(|e| &e.cause_zh),
        "cause_en": entry.map(|e| &e.cause_en),
        "repair_zh": entry.map(|e| &e.repair_zh),
        "repair_en": entry.map(|e| &e.repair_en),
    })
    .to_string()
    .into_bytes()
}

fn day_folder(folder: &Folder, place: Place, at: Timestamp) -> Result<PathBuf> {
    let day = folder.path(place).join(at.date());
    fs::create_dir_all(&day).map_err(|e| named("make", &day, &e))?;
    Ok(day)
}

fn taken(path: &Path) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "KOUAN-DIRECTORY-NAME-TAKEN",
        format!("{} is there with other content", path.display()),
    )
}
