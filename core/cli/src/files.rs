//! Files that commands are asked to look at.

use crate::exit::{Exit, WrongUsage};
use kouan_sdk::{Error, ErrorKind};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

const UNREADABLE: &str = "KOUAN-CLI-FILE-UNREADABLE";

/// A file's bytes, at most `most` of them.
///
/// # Errors
/// `KOUAN-CLI-FILE-UNREADABLE`; `KOUAN-PACKAGE-TOO-LARGE` if there are more.
pub fn read(path: &Path, most: u64) -> kouan_sdk::Result<Vec<u8>> {
    let invalid = |code, why: String| Error::new(ErrorKind::Invalid, code, format!("{}: {why}", path.display()));
    let bytes = read_some(path, most.saturating_add(1)).map_err(|error| invalid(UNREADABLE, error.to_string()))?;
    if bytes.len() as u64 > most {
        return Err(invalid("KOUAN-PACKAGE-TOO-LARGE", format!("more than {most} bytes")));
    }
    Ok(bytes)
}

/// A new file, on the disk before it is said to be there; one that is there already stays as it is.
///
/// # Errors
/// The path cannot be written; the disk is full.
pub fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = File::create_new(path).map_err(|error| WrongUsage(format!("{}: {error}", path.display())))?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// A file's new content, all of it or none: on the disk under another name before it takes its own.
///
/// # Errors
/// `KOUAN-CLI-FILE-UNWRITABLE`.
pub fn replace(path: &Path, bytes: &[u8]) -> kouan_sdk::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        // What is left of a failed attempt is nobody's file.
        let _ = std::fs::remove_file(&temporary);
        unwritable(path, &error)
    })?;
    sync_folder(path)
}

/// Makes sure that the folder of `path` still knows what it knows now after a power cut.
///
/// # Errors
/// `KOUAN-CLI-FILE-UNWRITABLE`.
pub fn sync_folder(path: &Path) -> kouan_sdk::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(folder, &error))
}

/// A file or folder that cannot be written.
pub fn unwritable(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "KOUAN-CLI-FILE-UNWRITABLE", format!("{}: {error}", path.display()))
}

/// How a command ends that could not read its file: a name that is no file is wrong usage.
pub fn exit(error: &Error) -> Exit {
    if error.code == UNREADABLE { Exit::Usage } else { Exit::NotRight }
}

fn read_some(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.xml");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        let error = read(&path, 4).unwrap_err();
        assert_eq!((&*error.code, exit(&error)), ("KOUAN-PACKAGE-TOO-LARGE", Exit::NotRight));
        let error = read(folder.path(), 4).unwrap_err();
        assert_eq!((&*error.code, exit(&error)), (UNREADABLE, Exit::Usage));
    }
}
