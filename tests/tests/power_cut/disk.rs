//! A disk that loses its power: what was written is kept, lost or torn unless it was synced; names likewise.
//!
//! Strict: a file's bytes last once that file was synced, a name once its folder was. Bytes that are not synced may be
//! there in any subset of sectors; names that are not synced are there up to some moment, in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SECTOR: usize = 512;

/// One thing that a process did.
#[derive(Debug, Clone)]
pub enum Step {
    Create(PathBuf),
    Folder(PathBuf),
    /// Without a place: at the end.
    Write {
        path: PathBuf,
        at: Option<usize>,
        bytes: Vec<u8>,
    },
    Truncate(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Remove(PathBuf),
    /// A sync of a file or folder begins; what comes before it is covered.
    SyncBegins(u64, PathBuf),
    /// It is done.
    SyncEnds(u64),
    /// A line that the process gave out.
    Said(String),
}

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    Everything,
    Nothing,
    /// Some of it, sector by sector.
    Torn,
}

#[derive(Debug, Clone)]
enum Change {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
    length: usize,
}

#[derive(Debug, Clone)]
struct Naming {
    step: Step,
    file: Option<usize>,
    unsynced: BTreeSet<PathBuf>,
}

type Names = BTreeMap<PathBuf, Option<usize>>;

/// The disk as it is, and what of it would be left.
#[derive(Debug, Default)]
pub struct Disk {
    files: Vec<File>,
    live: Names,
    durable: Names,
    namings: Vec<Naming>,
    syncs: BTreeMap<u64, (PathBuf, usize)>,
}

/// Numbers that look random and are the same for a seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

impl Disk {
    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Create(path) if self.live.contains_key(path) => {}
            Step::Create(path) => {
                self.files.push(File::default());
                self.name(step, &[path], Some(self.files.len() - 1));
            }
            Step::Folder(path) | Step::Remove(path) => self.name(step, &[path], None),
            Step::Rename(from, to) | Step::Link(from, to) => self.name(step, &[from, to], None),
            Step::Write { path, at, bytes } => {
                if let Some(file) = self.file(path) {
                    let at = at.unwrap_or(file.length);
                    file.length = file.length.max(at + bytes.len());
                    file.pending.push(Change::Bytes(at, bytes.clone()));
                }
            }
            Step::Truncate(path, length) => {
                if let Some(file) = self.file(path) {
                    file.length = *length;
                    file.pending.push(Change::Length(*length));
                }
            }
            Step::SyncBegins(id, path) => {
                let count = match self.file(path) {
                    Some(file) => file.pending.len(),
                    None => self.namings.len(),
                };
                self.syncs.insert(*id, (path.clone(), count));
            }
            Step::SyncEnds(id) => self.synced(*id),
            Step::Said(_) => {}
        }
    }

    fn file(&mut self, path: &Path) -> Option<&mut File> {
        let file = self.live.get(path).copied().flatten()?;
        self.files.get_mut(file)
    }

    fn name(&mut self, step: &Step, paths: &[&PathBuf], file: Option<usize>) {
        let unsynced = paths.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
        let naming = Naming { step: step.clone(), file, unsynced };
        rename(&mut self.live, &naming);
        self.namings.push(naming);
    }

    fn synced(&mut self, id: u64) {
        let Some((path, count)) = self.syncs.remove(&id) else { return };
        if let Some(file) = self.file(&path) {
            // A sync that began later may have covered more already.
            let count = count.min(file.pending.len());
            for change in file.pending.drain(..count).collect::<Vec<_>>() {
                change.apply(&mut file.durable, |_| true);
            }
            return;
        }
        for naming in self.namings.iter_mut().take(count) {
            naming.unsynced.remove(&path);
        }
        let (done, left) = std::mem::take(&mut self.namings).into_iter().partition(|naming| naming.unsynced.is_empty());
        self.namings = left;
        let done: Vec<Naming> = done;
        done.iter().for_each(|naming| rename(&mut self.durable, naming));
    }

    /// Lays down in `to` what is left of the folder `from` when the power goes now.
    pub fn cut(&self, from: &Path, to: &Path, loss: Loss, dice: &mut Dice) {
        let mut names = self.durable.clone();
        let kept = match loss {
            Loss::Everything => 0,
            Loss::Nothing => self.namings.len(),
            Loss::Torn => dice.below(self.namings.len() + 1),
        };
        self.namings.iter().take(kept).for_each(|naming| rename(&mut names, naming));
        for (path, file) in &names {
            let Ok(relative) = path.strip_prefix(from) else { continue };
            let place = to.join(relative);
            match file {
                None => std::fs::create_dir_all(&place).unwrap(),
                Some(file) => {
                    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                    std::fs::write(&place, self.files[*file].left(loss, dice)).unwrap();
                }
            }
        }
    }
}

impl File {
    fn left(&self, loss: Loss, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in self.pending.iter().filter(|_| loss != Loss::Everything) {
            // Whole writes are lost or kept more often than they are torn.
            let fate = if loss == Loss::Nothing { 0 } else { dice.below(3) };
            change.apply(&mut bytes, |_| fate == 0 || (fate == 2 && dice.below(2) == 0));
        }
        bytes
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>, mut keeps: impl FnMut(usize) -> bool) {
        match self {
            Self::Length(length) => {
                if keeps(0) {
                    to.resize(*length, 0);
                }
            }
            Self::Bytes(at, bytes) => {
                let (mut from, end) = (*at, at + bytes.len());
                while from < end {
                    let until = end.min((from / SECTOR + 1) * SECTOR);
                    if keeps(from / SECTOR) {
                        to.resize(to.len().max(until), 0);
                        to[from..until].copy_from_slice(&bytes[from - at..until - at]);
                    }
                    from = until;
                }
            }
        }
    }
}

fn rename(names: &mut Names, naming: &Naming) {
    match &naming.step {
        Step::Create(path) | Step::Folder(path) => {
            names.insert(path.clone(), naming.file);
        }
        Step::Remove(path) => {
            names.remove(path);
        }
        Step::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        Step::Link(from, to) => {
            if let Some(file) = names.get(from).copied() {
                names.insert(to.clone(), file);
            }
        }
        _ => {}
    }
}

#[test]
fn only_what_was_synced_is_sure_to_be_left() {
    let (root, to) = (PathBuf::from("/d"), tempfile::tempdir().unwrap());
    let path = root.join("a");
    let write = |at, byte| Step::Write { path: path.clone(), at: Some(at), bytes: vec![byte; 600] };
    let mut disk = Disk::default();
    let left = |disk: &Disk, loss| {
        let _ = std::fs::remove_file(to.path().join("a"));
        disk.cut(&root, to.path(), loss, &mut Dice(3));
        std::fs::read(to.path().join("a")).ok()
    };
    disk.apply(&Step::Create(path.clone()));
    disk.apply(&write(0, 1));
    disk.apply(&Step::SyncBegins(1, path.clone()));
    disk.apply(&write(600, 2));
    disk.apply(&Step::SyncEnds(1));
    assert_eq!(left(&disk, Loss::Everything), None, "its name was not synced");
    disk.apply(&Step::SyncBegins(2, root.clone()));
    disk.apply(&Step::SyncEnds(2));
    assert_eq!(left(&disk, Loss::Everything), Some(vec![1; 600]), "what was written during a sync is not covered");
    assert_eq!(left(&disk, Loss::Nothing), Some([vec![1; 600], vec![2; 600]].concat()));
    disk.apply(&Step::Rename(path.clone(), root.join("b")));
    assert_eq!(left(&disk, Loss::Nothing), None);
    assert_eq!(left(&disk, Loss::Everything), Some(vec![1; 600]));
}
