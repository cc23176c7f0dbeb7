//! Whether the folders work: there, writable, room left, and OutBox and TempBox on one file system.

use crate::config::Config;
use crate::durable::rename_new;
use crate::error::named;
use crate::layout::{Folder, Layout, Place};
use kouan_sdk::{Error, ErrorKind, Health, Result};
use std::fs;
use std::path::Path;

/// Below this many free bytes receipts may not be written any more.
const LEAST_FREE: u64 = 64 << 20;

/// Looks, and moves a dot-file the way a claim goes; makes no folder.
pub(crate) fn probe(root: &Path, config: &Config) -> Health {
    // Something else in its place is not missing: it is told by what fails on it.
    let missing = |path: &Path| !path.exists();
    if missing(root) {
        return Health::yellow(format!("{} is not there yet; it is made at the first start", root.display()))
            .zh(format!("{} 尚不存在；首次启动时建立", root.display()));
    }
    let layout = match Layout::find(root, config) {
        Ok(layout) => layout,
        Err(error) => return Health::red(&error),
    };
    let absent = layout.folders.iter().flat_map(|f| Place::ALL.map(|p| f.path(p))).find(|p| missing(p));
    if let Some(path) = absent {
        return Health::yellow(format!("{} is not there yet; it is made at the next start", path.display()))
            .zh(format!("{} 尚不存在；下次启动时建立", path.display()));
    }
    match free_bytes(root).and_then(|free| layout.folders.iter().try_for_each(try_folder).map(|()| free)) {
        Ok(free) => {
            let (root, folders, free) = (root.display(), layout.folders.len(), free >> 20);
            Health::green(format!("{root}: {folders} folders writable, {free} MiB free"))
                .zh(format!("{root}：{folders} 个文件夹可写，剩余 {free} MiB"))
        }
        Err(error) => Health::red(&error),
    }
}

/// OutBox is listed; a dot-file goes from there to TempBox as a claim would, and one is written to every other place.
fn try_folder(folder: &Folder) -> Result<()> {
    let out = folder.path(Place::OutBox);
    fs::read_dir(&out).map_err(|e| named("list", &out, &e))?;
    let name = format!(".kouan-probe-{}", std::process::id());
    for place in Place::ALL.into_iter().filter(|p| *p != Place::TempBox) {
        let file = folder.path(place).join(&name);
        fs::write(&file, b"").map_err(|e| named("write", &file, &e))?;
        if place != Place::OutBox {
            fs::remove_file(&file).map_err(|e| named("remove", &file, &e))?;
            continue;
        }
        let target = folder.path(Place::TempBox).join(&name);
        let _ = fs::remove_file(&target);
        let moved = rename_new(&file, &target).map_err(|e| named("move", &file, &e));
        let _ = fs::remove_file(if moved.is_ok() { &target } else { &file });
        moved?;
    }
    Ok(())
}

#[cfg(unix)]
fn free_bytes(root: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(root).map_err(|e| named("look at", root, &e.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < LEAST_FREE {
        let text = format!("{} has {} MiB free", root.display(), free >> 20);
        return Err(Error::new(ErrorKind::Unavailable, "KOUAN-DIRECTORY-DISK-FULL", text));
    }
    Ok(free)
}

#[cfg(not(unix))]
fn free_bytes(_root: &Path) -> Result<u64> {
    Ok(u64::MAX)
}
