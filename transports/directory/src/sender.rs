//! InBox: receipts for the site, written as `.tmp` and renamed, never over another file.

use crate::durable::{self, Found, Touched};
use crate::ends::write_report;
use crate::error::{closed, named};
use crate::layout::{Layout, Place};
use crate::{failpoint, names};
use kouan_sdk::transport::{Outgoing, SendOutcome, Sender, header, header_value};
use kouan_sdk::{Error, ErrorKind};
use std::fs;
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

    /// Writes one file; the folder is yet to be synced.
    fn write(&self, message: &Outgoing<'_>, until: Instant) -> Result<PathBuf, Error> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        if Instant::now() > until {
            let text = "the deadline passed before this file's turn";
            return Err(Error::new(ErrorKind::Unavailable, "KOUAN-DIRECTORY-DEADLINE", text));
        }
        let folder = self.layout.of_headers(message.headers)?;
        let name = header_value(message.headers, header::FILE_NAME).unwrap_or(message.id);
        if !names::is_safe(name) || names::is_ignored(name) {
            let text = format!("file name {name:?}");
            return Err(Error::new(ErrorKind::Invalid, "KOUAN-DIRECTORY-NAME-REFUSED", text));
        }
        if header_value(message.headers, header::CONTENT) == Some("verdict") {
            return write_report(folder, name, message.body);
        }
        let inbox = folder.path(Place::InBox);
        fs::create_dir_all(&inbox).map_err(|e| named("make", &inbox, &e))?;
        deliver(&inbox.join(name), message.body)?;
        Ok(inbox)
    }
}

impl Sender for InBoxSender {
    fn send(&self, batch: &[Outgoing<'_>], deadline: Duration) -> Vec<SendOutcome> {
        let until = Instant::now() + deadline;
        let written: Vec<_> = batch.iter().map(|message| self.write(message, until)).collect();
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

/// The same name and bytes again are the same delivery; the same name and other bytes are never written.
fn deliver(target: &Path, body: &[u8]) -> Result<(), Error> {
    let failed = |e: io::Error| named("write", target, &e);
    match durable::compare(target, body).map_err(failed)? {
        Found::Same => return Ok(()),
        Found::Other => return Err(taken(target)),
        Found::Nothing => {}
    }
    let temporary = durable::temporary(target);
    durable::write_synced(&temporary, body).map_err(failed)?;
    failpoint!("directory::written-before-rename");
    durable::rename_new(&temporary, target).map_err(|e| {
        let _ = fs::remove_file(&temporary);
        if e.kind() == io::ErrorKind::AlreadyExists { taken(target) } else { failed(e) }
    })
}

fn taken(target: &Path) -> Error {
    let text = format!("{} is there with other content", target.display());
    Error::new(ErrorKind::Invalid, "KOUAN-DIRECTORY-NAME-TAKEN", text)
}
