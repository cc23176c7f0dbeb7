//! Files: read with their path in every error, written whole or not at all, for the owner only.

use crate::error;
use kouan_sdk::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use zeroize::Zeroizing;

/// Largest key or certificate file that is read: 1 MiB, far beyond any.
const MAX_BYTES: u64 = 1024 * 1024;

/// Reads a text file that may hold a secret.
pub(crate) fn read(what: &str, path: &Path) -> Result<Zeroizing<String>> {
    let named = |e: std::io::Error| error::file(what, path, e);
    let length = std::fs::metadata(path).map_err(named)?.len();
    if length > MAX_BYTES {
        return Err(error::file(what, path, format!("{length} bytes are too many")));
    }
    std::fs::read_to_string(path).map(Zeroizing::new).map_err(named)
}

/// Whether people other than the owner may read the file.
pub(crate) fn open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Writes a new file for the owner only: whole under a temporary name, synced, renamed, folder synced. Refuses to
/// overwrite.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<()> {
    if path.exists() {
        return Err(error::exists(path));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let named = |e: std::io::Error| -> Error { error::file("write", path, e) };
    let written = write_synced(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(e) = written {
        // Nothing may stay behind that looks like a key; the first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
        return Err(named(e));
    }
    sync_folder(path).map_err(named)
}

fn write_synced(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
        // A leftover of another mode would keep its mode.
        let _ = std::fs::remove_file(path);
    }
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes the rename durable; systems that cannot open a folder do that by themselves.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(())
    }
}
