//! What a process did to its files, as `strace` saw it: `-f -y -xx`, one line a call, cut in two where threads overlap.

use crate::disk::Step;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls that change files, or tell somebody.
const CALLS: &str = "trace=openat,creat,pwrite64,write,fdatasync,fsync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,\
                     mkdir,mkdirat,link,linkat";

/// Runs this test binary's test `child` under strace; its steps, or why it cannot be done here.
pub fn record(child: &str, variable: &str, folder: &Path) -> Result<Vec<Step>, String> {
    let log = tempfile::tempdir().map_err(|e| e.to_string())?;
    let path = log.path().join("trace");
    let done = Command::new("strace")
        .args(["-f", "-y", "-xx", "-s", "200000", "-e", CALLS, "-e", "signal=none", "-o"])
        .arg(&path)
        .arg(std::env::current_exe().map_err(|e| e.to_string())?)
        .args([child, "--exact", "--nocapture", "--test-threads=1"])
        .env(variable, folder)
        .output()
        .map_err(|e| format!("strace: {e}"))?;
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    if text.is_empty() {
        return Err(format!("strace: {}", String::from_utf8_lossy(&done.stderr)));
    }
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    let mut reader = Reader { folder, steps: Vec::new(), open: BTreeMap::new(), syncs: BTreeMap::new(), next: 0 };
    text.lines().for_each(|line| reader.line(line));
    Ok(reader.steps)
}

struct Reader<'a> {
    folder: &'a Path,
    steps: Vec<Step>,
    /// Thread → the call it is in, as far as it is written.
    open: BTreeMap<String, String>,
    syncs: BTreeMap<String, u64>,
    next: u64,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) {
        let Some((thread, rest)) = line.trim_start().split_once(' ') else { return };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            self.begins(thread, begun);
            self.open.insert(thread.to_owned(), begun.to_owned());
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((_, tail)) = resumed.split_once("resumed>") else { return };
            let whole = self.open.remove(thread).unwrap_or_default() + tail;
            self.ends(thread, &whole);
        } else {
            self.begins(thread, rest);
            self.ends(thread, rest);
        }
    }

    /// What takes effect as early as it can: bytes, words, the moment that a sync covers.
    fn begins(&mut self, thread: &str, call: &str) {
        let Some((name, arguments)) = call.split_once('(') else { return };
        match name {
            "write" | "pwrite64" => {
                let Some(bytes) = strings(arguments).into_iter().next() else { return };
                if name == "write" && arguments.starts_with("1<") {
                    let said = String::from_utf8_lossy(&bytes).into_owned();
                    let lines = said.lines().filter_map(|line| line.split_once('@'));
                    self.steps.extend(lines.map(|(_, said)| Step::Said(said.to_owned())));
                } else if let Some(path) = self.descriptor(arguments) {
                    let at = (name == "pwrite64").then(|| last_number(arguments));
                    self.steps.push(Step::Write { path, at, bytes });
                }
            }
            "ftruncate" => {
                if let Some(path) = self.descriptor(arguments) {
                    self.steps.push(Step::Truncate(path, last_number(arguments)));
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(path) = self.descriptor(arguments) {
                    self.next += 1;
                    self.syncs.insert(thread.to_owned(), self.next);
                    self.steps.push(Step::SyncBegins(self.next, path));
                }
            }
            _ => {}
        }
    }

    /// What takes effect when the call is done, if it did not fail.
    fn ends(&mut self, thread: &str, call: &str) {
        let Some((arguments, result)) = call.rsplit_once(" = ") else { return };
        let sync = self.syncs.remove(thread);
        if result.starts_with('-') || result.starts_with('?') {
            return;
        }
        if let Some(sync) = sync {
            self.steps.push(Step::SyncEnds(sync));
        }
        let Some((name, arguments)) = arguments.split_once('(') else { return };
        let paths: Vec<_> = match name {
            "write" | "pwrite64" | "ftruncate" | "fsync" | "fdatasync" => return,
            _ => strings(arguments).into_iter().map(|bytes| PathBuf::from(OsString::from_vec(bytes))).collect(),
        };
        if !paths.iter().all(|path| path.starts_with(self.folder)) {
            return;
        }
        match (name, &paths[..]) {
            ("openat" | "creat", [path]) => {
                if arguments.contains("O_CREAT") || name == "creat" {
                    self.steps.push(Step::Create(path.clone()));
                }
                if arguments.contains("O_TRUNC") || name == "creat" {
                    self.steps.push(Step::Truncate(path.clone(), 0));
                }
            }
            ("rename" | "renameat" | "renameat2", [from, to]) => {
                self.steps.push(Step::Rename(from.clone(), to.clone()));
            }
            ("link" | "linkat", [from, to]) => self.steps.push(Step::Link(from.clone(), to.clone())),
            ("unlink" | "unlinkat", [path]) => self.steps.push(Step::Remove(path.clone())),
            ("mkdir" | "mkdirat", [path]) => self.steps.push(Step::Folder(path.clone())),
            _ => {}
        }
    }

    /// The file behind the first argument, `7</path>`, if it lies in the folder and has a name still.
    fn descriptor(&self, arguments: &str) -> Option<PathBuf> {
        let (_, rest) = arguments.split_once('<')?;
        let (path, after) = rest.split_once('>')?;
        let path = PathBuf::from(OsString::from_vec(unescape(path)));
        (path.starts_with(self.folder) && !after.starts_with("(deleted)")).then_some(path)
    }
}

/// The quoted strings among the arguments.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    arguments.split('"').skip(1).step_by(2).map(unescape).collect()
}

/// `\x41` is A; what is not escaped stands for itself.
fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len() / 4);
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'\\').then(|| text.get(at + 2..at + 4)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 4;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    plain
}

fn last_number(arguments: &str) -> usize {
    let digits = arguments.rsplit(", ").next().unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap()
}
