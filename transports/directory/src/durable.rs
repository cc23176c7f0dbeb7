//! Small durable steps on files: written and synced, moved without overwriting, folders synced once a batch.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Folders that changed and are not synced yet.
#[derive(Debug, Default)]
pub(crate) struct Touched(BTreeSet<PathBuf>);

impl Touched {
    /// Remembers a folder.
    pub(crate) fn add(&mut self, folder: &Path) {
        if !self.0.contains(folder) {
            self.0.insert(folder.to_owned());
        }
    }

    /// Syncs each folder once; the folders that failed, and why.
    pub(crate) fn sync(self) -> Vec<(PathBuf, io::Error)> {
        self.0.into_iter().filter_map(|folder| sync_folder(&folder).err().map(|e| (folder, e))).collect()
    }
}

/// Makes the names in a folder durable. Some network shares cannot; there the share's own promise must do.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|f| f.sync_all()) {
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Writes a file of its own at `path` (a left-over of a crash is replaced) and syncs its bytes; on failure nothing stays.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    remove_if_there(path)?;
    // `create_new` follows no symbolic link that somebody might have put there.
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

/// Writes `bytes` at `target`, replacing what was there in one step. The folder is not synced.
pub(crate) fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary(target);
    write_synced(&temporary, bytes)?;
    crate::failpoint!("directory::replacement-before-rename");
    fs::rename(&temporary, target).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// The name a file has while it is written: ends in `.tmp`, which every watcher skips (`domain/goods-declaration.md` §3.2).
pub(crate) fn temporary(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    target.with_file_name(name)
}

/// Renames without ever overwriting; `AlreadyExists` if the target is there.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Network file systems may not know the flag.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            result => return result.map_err(io::Error::from),
        }
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(e) => Err(e),
    }
}

/// Removes a file; one that is not there is fine.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// What lies at a path, compared with `bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    Nothing,
    /// A plain file of exactly these bytes.
    Same,
    /// Anything else.
    Other,
}

/// Compares what lies at `path` with `bytes`.
pub(crate) fn compare(path: &Path, bytes: &[u8]) -> io::Result<Found> {
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(e) => return Err(e),
        Ok(meta) if !meta.is_file() || meta.len() != bytes.len() as u64 => return Ok(Found::Other),
        Ok(_) => {}
    }
    let mut there = Vec::with_capacity(bytes.len());
    File::open(path)?.take(bytes.len() as u64 + 1).read_to_end(&mut there)?;
    Ok(if there == bytes { Found::Same } else { Found::Other })
}
