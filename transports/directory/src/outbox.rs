//! One look at all OutBoxes: which files are ripe to be claimed (可领取).
//!
//! A file is ripe when it ends as a file of its kind does and either was renamed in or has not changed for `stable_ms`.
//! "Renamed in" is seen by an inode that changed after its last write: a writer that still writes moves both times
//! together. A file without its end is taken after `stable_ms` if it was renamed in, else after `incomplete_ms`: then its
//! writer is gone, and only the check can say to the site what is wrong. With `stable_ms` = 0 a writer that pauses right
//! behind the closed root is not waited for.

use crate::config::Config;
use crate::layout::{Folder, Layout, Place};
use crate::{names, whole};
use kouan_sdk::{Context, LogLevel};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A file at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    /// Bytes.
    pub(crate) length: u64,
    /// Last write.
    pub(crate) modified: SystemTime,
}

impl Print {
    pub(crate) fn of(meta: &Metadata) -> Self {
        Self { length: meta.len(), modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH) }
    }
}

/// A file that can be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ripe {
    /// Which of the layout's folders.
    pub(crate) folder: usize,
    /// Its name, or what the system calls it where that is no text.
    pub(crate) path: PathBuf,
    /// As it was seen.
    pub(crate) print: Print,
    /// Why it cannot be taken and goes to FailBox instead.
    pub(crate) refused: Option<kouan_sdk::Error>,
}

/// What earlier looks saw.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    unripe: BTreeMap<PathBuf, (Print, Instant)>,
    told: BTreeSet<PathBuf>,
}

impl Memory {
    /// Logs a failure at `path` the first time only.
    pub(crate) fn tell_once(&mut self, context: &Context, path: &Path, message: &str) {
        self.log_once(context, path, LogLevel::Error, message);
    }

    /// The same about what is no message and nobody's failure.
    fn left_alone(&mut self, context: &Context, path: &Path, message: &str) {
        self.log_once(context, path, LogLevel::Warn, &format!("{message}, left alone"));
    }

    fn log_once(&mut self, context: &Context, path: &Path, level: LogLevel, message: &str) {
        if self.told.insert(path.to_owned()) {
            context.log.line(level, &format!("{message}: {}", path.display()));
        }
    }

    /// Forgets what was told, so that it is told again if it happens again.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.told.remove(path);
    }
}

/// Ripe files, oldest first, and when the next unripe one may be.
pub(crate) fn look(
    layout: &Layout,
    config: &Config,
    context: &Context,
    memory: &mut Memory,
) -> (Vec<Ripe>, Option<Duration>) {
    let mut seen = BTreeMap::new();
    let (mut ripe, mut soonest) = (Vec::new(), None::<Duration>);
    for (index, folder) in layout.folders.iter().enumerate() {
        let out = folder.path(Place::OutBox);
        let entries = match fs::read_dir(&out) {
            Ok(entries) => entries,
            Err(e) => {
                memory.tell_once(context, &out, &format!("an OutBox cannot be listed ({e})"));
                continue;
            }
        };
        memory.forget(&out);
        let (first, mut held) = (ripe.len(), None::<(SystemTime, PathBuf)>);
        for entry in entries.flatten() {
            let path = entry.path();
            match judge(folder, config, context, memory, &path) {
                Ok(Verdict::Ignore) => {}
                Ok(Verdict::Take(print, refused)) => ripe.push(Ripe { folder: index, path, print, refused }),
                Ok(Verdict::Wait { print, since, left, is_whole }) => {
                    let place = (print.modified, path.clone());
                    if is_whole && held.as_ref().is_none_or(|h| place < *h) {
                        held = Some(place);
                    }
                    soonest = Some(soonest.map_or(left, |s| s.min(left)));
                    seen.insert(path, (print, since));
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => memory.tell_once(context, &path, &format!("a file cannot be read ({e})")),
            }
        }
        // The order of a folder is kept: behind a file that is whole and only has to hold still, younger ones wait, too.
        if let Some(held) = held {
            let tail = ripe.split_off(first);
            ripe.extend(tail.into_iter().filter(|r: &Ripe| (r.print.modified, &r.path) < (held.0, &held.1)));
        }
    }
    memory.unripe = seen;
    ripe.sort_by(|a, b| (a.print.modified, &a.path).cmp(&(b.print.modified, &b.path)));
    (ripe, soonest)
}

enum Verdict {
    Ignore,
    Take(Print, Option<kouan_sdk::Error>),
    Wait { print: Print, since: Instant, left: Duration, is_whole: bool },
}

fn judge(folder: &Folder, config: &Config, context: &Context, memory: &mut Memory, path: &Path) -> io::Result<Verdict> {
    let name = path.file_name().unwrap_or_default();
    let text = name.to_string_lossy();
    let (_, extension) = names::split(&text);
    if names::is_ignored(&text) {
        return Ok(Verdict::Ignore);
    }
    // Not followed: a link could lead to any file of this computer.
    let meta = fs::symlink_metadata(path)?;
    if meta.is_dir() {
        return Ok(Verdict::Ignore);
    }
    if !meta.is_file() {
        memory.left_alone(context, path, "not a plain file");
        return Ok(Verdict::Ignore);
    }
    if !folder.takes(extension) {
        memory.left_alone(context, path, "neither .xml nor .zip");
        return Ok(Verdict::Ignore);
    }
    let print = Print::of(&meta);
    let since = match memory.unripe.get(path) {
        Some((before, since)) if *before == print => *since,
        _ => Instant::now(),
    };
    let refused = refusal(name.to_str(), &text);
    let is_whole = refused.is_some() || whole::is_whole(&mut File::open(path)?, print.length, extension)?;
    memory.forget(path);
    let need = quiet_needed(config, is_whole, print.length > 0 && was_renamed(&meta));
    let quiet = quiet_for(print, since);
    Ok(if quiet >= need {
        Verdict::Take(print, refused)
    } else {
        Verdict::Wait { print, since, left: need - quiet, is_whole }
    })
}

/// How long a file must have been unchanged.
pub(crate) fn quiet_needed(config: &Config, is_whole: bool, renamed: bool) -> Duration {
    Duration::from_millis(match (is_whole, renamed) {
        (true, true) => 0,
        (true, false) | (false, true) => config.stable_ms,
        (false, false) => config.incomplete_ms.max(config.stable_ms),
    })
}

/// By our own looks, or by the file's time if that lies behind us; a share whose clock is ahead is only watched.
pub(crate) fn quiet_for(print: Print, since: Instant) -> Duration {
    let by_time = SystemTime::now().duration_since(print.modified).unwrap_or_default();
    by_time.max(since.elapsed())
}

#[cfg(unix)]
fn was_renamed(meta: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (meta.ctime(), meta.ctime_nsec()) > (meta.mtime(), meta.mtime_nsec())
}

#[cfg(not(unix))]
fn was_renamed(_meta: &Metadata) -> bool {
    false
}

fn refusal(name: Option<&str>, shown: &str) -> Option<kouan_sdk::Error> {
    if name.is_some_and(names::is_safe) {
        return None;
    }
    let text = format!("file name {shown:?}");
    Some(kouan_sdk::Error::new(kouan_sdk::ErrorKind::Invalid, "KOUAN-DIRECTORY-NAME-REFUSED", text))
}
