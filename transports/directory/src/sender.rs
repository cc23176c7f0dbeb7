//! InBox: receipts for the site, written as `.tmp` and renamed, never over another file.

use crate::durable::{self, Found, Touched};
use crate::ends::write_report;
use crate::error::{closed, named};
use crate::layout::{Layout, Place};
use crate::{failpoint, names};
use kouan_sdk::transport::{Outgoing, SendOutcome, Sender, header, header_value};
use kouan_sdk::{Error, ErrorKind};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) struct InBoxSender {
    layout: Arc<Layout>,
    closed: AtomicBool,
}

impl InBoxSender {
    pub(crate) fn new(layout: Arc<Layout>) -> Self {
        Self { layout, closed: AtomicBool::new(false) }
    }

    /// Writes one file under its temporary name, unless it is there already; all else is yet to be done.
    fn write(&self, message: &Outgoing<'_>, until: Instant, open: &[Written]) -> Result<Step, Error> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        if Instant::now() > until {
            let text = "the deadline passed before this file's turn";
            return Err(Error::new(ErrorKind::Unavailable, "KOUAN-DIRECTORY-DEADLINE", text));
        }
        let folder = self.layout.of_headers(message.headers)?;
        let others = header_value(message.headers, header::OTHERS_FOLDER);
        let name = header_value(message.headers, header::FILE_NAME).unwrap_or(message.id);
        if !names::is_safe(name) || names::is_ignored(name) {
            let text = format!("file name {name:?}");
            return Err(Error::new(ErrorKind::Invalid, "KOUAN-DIRECTORY-NAME-REFUSED", text));
        }
        if header_value(message.headers, header::CONTENT) == Some("verdict") {
            return write_report(folder, name, message.body).map(Step::There);
        }
        let inbox = match others {
            Some(below) => self.below_others(below)?,
            None => folder.path(Place::InBox),
        };
        fs::create_dir_all(&inbox).map_err(|e| named("make", &inbox, &e))?;
        let target = inbox.join(name);
        if open.iter().any(|written| written.target == target) {
            return Ok(Step::Again);
        }
        match begin(&target, message.body)? {
            None => Ok(Step::There(inbox)),
            Some(file) => Ok(Step::Written(Written { file, temporary: durable::temporary(&target), target, inbox })),
        }
    }

    /// `Others/InBox/<below>`, where receipts of strangers belong; its name is durable before a file's in it can be.
    fn below_others(&self, below: &str) -> Result<PathBuf, Error> {
        if !names::is_safe(below) || names::is_ignored(below) {
            let text = format!("folder name {below:?}");
            return Err(Error::new(ErrorKind::Invalid, "KOUAN-DIRECTORY-NAME-REFUSED", text));
        }
        let inbox = self.layout.of_headers(&[])?.path(Place::InBox);
        let folder = inbox.join(below);
        if !folder.is_dir() {
            fs::create_dir_all(&folder).map_err(|e| named("make", &folder, &e))?;
            durable::sync_folder(&inbox).map_err(|e| named("sync", &inbox, &e))?;
        }
        Ok(folder)
    }

    /// Writes, syncs and renames a batch; the folders of those that succeeded.
    fn write_all(&self, batch: &[Outgoing<'_>], until: Instant) -> Vec<Result<PathBuf, Error>> {
        let mut results: Vec<Option<Result<PathBuf, Error>>> = batch.iter().map(|_| None).collect();
        let (mut open, mut numbers) = (Vec::new(), Vec::new());
        for (number, message) in batch.iter().enumerate() {
            let mut step = self.write(message, until, &open);
            if matches!(step, Ok(Step::Again)) || open.len() >= durable::TOGETHER {
                // The same name twice in one batch: the second finds the first in its place.
                finish(&mut open, &mut numbers, &mut results);
                if matches!(step, Ok(Step::Again)) {
                    step = self.write(message, until, &open);
                }
            }
            let result = match step {
                Ok(Step::Written(written)) => {
                    open.push(written);
                    numbers.push(number);
                    continue;
                }
                Ok(Step::There(folder)) => Ok(folder),
                Ok(Step::Again) => Err(closed()),
                Err(error) => Err(error),
            };
            if let Some(slot) = results.get_mut(number) {
                *slot = Some(result);
            }
        }
        finish(&mut open, &mut numbers, &mut results);
        results.into_iter().map(|result| result.unwrap_or_else(|| Err(closed()))).collect()
    }
}

/// A file under its temporary name, not synced yet.
struct Written {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    inbox: PathBuf,
}

/// How far a message got at once.
enum Step {
    /// To be synced and renamed.
    Written(Written),
    /// In place already, but for the sync of its folder.
    There(PathBuf),
    /// Its name is that of one that is under way.
    Again,
}

/// Syncs what was written, all together, and gives each file its name.
fn finish(open: &mut Vec<Written>, numbers: &mut Vec<usize>, results: &mut [Option<Result<PathBuf, Error>>]) {
    let synced = durable::sync_files(&open.iter().map(|written| &written.file).collect::<Vec<_>>());
    for ((number, written), synced) in numbers.drain(..).zip(open.drain(..)).zip(synced) {
        failpoint!("directory::written-before-rename");
        let placed = synced.and_then(|()| durable::rename_new(&written.temporary, &written.target));
        let result = placed.map(|()| written.inbox).map_err(|e| {
            let _ = fs::remove_file(&written.temporary);
            match e.kind() {
                io::ErrorKind::AlreadyExists => taken(&written.target),
                _ => named("write", &written.target, &e),
            }
        });
        if let Some(slot) = results.get_mut(number) {
            *slot = Some(result);
        }
    }
}

impl Sender for InBoxSender {
    fn send(&self, batch: &[Outgoing<'_>], deadline: Duration) -> Vec<SendOutcome> {
        let until = Instant::now() + deadline;
        let written = self.write_all(batch, until);
        failpoint!("directory::delivered-before-sync");
        let mut touched = Touched::default();
        written.iter().flatten().for_each(|folder| touched.add(folder));
        let failed = touched.sync();
        let outcome = |one: Result<PathBuf, Error>| match one {
            Err(reason) => SendOutcome::Refused { transient: reason.is_transient(), reason },
            // The file is there, but a power cut may take its name away: doubt. The same name again is harmless.
            Ok(folder) => match failed.iter().find(|(f, _)| *f == folder) {
                Some((_, e)) => SendOutcome::Unknown { reason: named("sync", &folder, e) },
                None => SendOutcome::Confirmed,
            },
        };
        written.into_iter().map(outcome).collect()
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

/// The same name and bytes again are the same delivery; the same name and other bytes are never written. `None`: it is
/// there already.
fn begin(target: &Path, body: &[u8]) -> Result<Option<File>, Error> {
    let failed = |e: io::Error| named("write", target, &e);
    match durable::compare(target, body).map_err(failed)? {
        Found::Same => Ok(None),
        Found::Other => Err(taken(target)),
        Found::Nothing => durable::write_new(&durable::temporary(target), body).map(Some).map_err(failed),
    }
}

fn taken(target: &Path) -> Error {
    let text = format!("{} is there with other content", target.display());
    Error::new(ErrorKind::Invalid, "KOUAN-DIRECTORY-NAME-TAKEN", text)
}
