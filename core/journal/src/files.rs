//! The files beside the journal: the lock, the reserve of space, and what can be told of the journal's file before SQLite
//! opens it.

use crate::error::{JournalError, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// `<journal><suffix>`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes the journal's lock for as long as the file lives. The file itself stays; it means nothing by being there.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let lock_path = beside(path, ".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&lock_path)
        .map_err(|e| JournalError::io(lock_path.display(), &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { path: path.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(JournalError::io(lock_path.display(), &error)),
    }
}

/// Makes the folder of `path` if it is not there, durably: a folder whose name is lost takes all that is in it along.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) else {
        return Ok(());
    };
    make_folder(folder)?;
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(JournalError::io(folder.display(), &error))
        }
        _ => sync_folder(folder),
    }
}

/// Makes a change of names in the folder of `path` durable.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| JournalError::io(folder.display(), &e))
}

/// Replaces a small file whole: either the old or the new content is found afterwards.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let fresh = beside(path, ".tmp");
    let write = || {
        let mut file = File::create(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        crate::failpoint!("journal::replacement-before-rename");
        std::fs::rename(&fresh, path)
    };
    write().map_err(|e| JournalError::io(path.display(), &e))?;
    sync_folder(path)
}

/// What the first bytes and the length say, without reading the whole file. Only a header that promises more pages than
/// the file has is a fault, and only without a write-ahead log that may still hold them.
pub(crate) fn quick_check(path: &Path) -> Result<()> {
    let mut header = [0u8; 100];
    let mut file = File::open(path).map_err(|e| JournalError::io(path.display(), &e))?;
    let length = file.metadata().map_err(|e| JournalError::io(path.display(), &e))?.len();
    if length < 100 {
        return Err(JournalError::corrupt(format!("{} has only {length} bytes", path.display())));
    }
    file.read_exact(&mut header).map_err(|e| JournalError::io(path.display(), &e))?;
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(JournalError::NotAJournal { path: path.display().to_string() });
    }
    let page_size = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    let log = std::fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
    if log == 0 && length < pages * page_size {
        let wanted = pages * page_size;
        return Err(JournalError::corrupt(format!("{} has {length} bytes of {wanted}", path.display())));
    }
    Ok(())
}

/// Gives the reserve of a journal up that does not open; whether there was one. Only whoever can take the lock may.
pub(crate) fn give_up_reserve(journal: &Path) -> bool {
    lock(journal).is_ok_and(|_lock| std::fs::remove_file(beside(journal, ".reserve")).is_ok())
}

/// Space kept back: given up when the disk is full, so that confirms and changes of state can still be written.
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
    held: bool,
}

impl Reserve {
    /// Takes the space, if there is any; without, the journal starts all the same and refuses intake.
    pub(crate) fn open(journal: &Path, bytes: u64) -> Self {
        let mut reserve = Self { path: beside(journal, ".reserve"), bytes, held: false };
        reserve.restore();
        reserve
    }

    pub(crate) fn is_given_up(&self) -> bool {
        !self.held
    }

    /// Gives the space up; false if that was done before.
    pub(crate) fn give_up(&mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        if held && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!("the reserve {} cannot be given up: {error}", self.path.display());
        }
        held
    }

    /// Takes the space again; whether it is held now.
    pub(crate) fn restore(&mut self) -> bool {
        if self.held || self.bytes == 0 {
            self.held = true;
            return true;
        }
        if std::fs::metadata(&self.path).is_ok_and(|file| file.len() == self.bytes) {
            self.held = true;
            return true;
        }
        if !self.there_is_room() {
            return false;
        }
        match self.fill() {
            Ok(()) => self.held = true,
            Err(_) => {
                let _ = std::fs::remove_file(&self.path);
            }
        }
        self.held
    }

    /// Room for the reserve and as much again. A try that fails would take for a moment, and on some file systems until
    /// later, the very space that what goes on needs.
    fn there_is_room(&self) -> bool {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let free = rustix::fs::statvfs(folder).map(|free| free.f_bavail.saturating_mul(free.f_frsize));
        free.is_ok_and(|free| free >= self.bytes.saturating_mul(2))
    }

    /// Zeros are written, not only promised, so that no file system keeps them as a hole.
    fn fill(&self) -> std::io::Result<()> {
        let mut file = File::create(&self.path)?;
        let block = [0u8; 65_536];
        let mut left = self.bytes;
        while left > 0 {
            let step = left.min(block.len() as u64);
            file.write_all(&block[..step as usize])?;
            left -= step;
        }
        file.sync_all()
    }
}
