//! OutBox: files are claimed, handed out, and stay in TempBox until their end is shown.

use crate::claims::Claims;
use crate::config::Config;
use crate::durable::{self, Touched};
use crate::error::{closed, named};
use crate::layout::{Folder, Layout, Place};
use crate::outbox::{self, Memory, Print, Ripe};
use crate::{ends, failpoint, names, whole};
use kouan_sdk::transport::{Disposition, Incoming, Receiver, Token, header};
use kouan_sdk::{Context, Error, ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Shortest pause between two looks, while something is going on.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// Ripe files remembered from one look; more are seen by the next.
const MAX_RIPE: usize = 20_000;

pub(crate) struct OutBoxReceiver {
    context: Context,
    config: Config,
    layout: Arc<Layout>,
    state: Mutex<State>,
    closed: AtomicBool,
    nap: (Mutex<()>, Condvar),
}

struct State {
    claims: Claims,
    /// Claimed and not handed out yet, lowest claim first.
    waiting: VecDeque<Claimed>,
    ripe: VecDeque<Ripe>,
    /// What `reject` needs.
    handed: BTreeMap<u64, Claimed>,
    memory: Memory,
    next_look: Instant,
    pause: Duration,
    /// One open lock file a folder: two gateways on one OutBox would each see half of it.
    locks: Vec<File>,
}

/// A file in TempBox.
#[derive(Debug, Clone)]
struct Claimed {
    claim: u64,
    folder: usize,
    name: String,
    /// As it was judged ripe; none for one that an earlier life claimed, or that changed since.
    ripe: Option<Print>,
    /// While it is not ripe: as it was last seen, and since when.
    seen: Option<(Print, Instant)>,
    redelivered: bool,
}

impl OutBoxReceiver {
    pub(crate) fn open(context: Context, config: Config, layout: Arc<Layout>) -> Result<Self> {
        let locks = layout.folders.iter().map(lock).collect::<Result<_>>()?;
        let mut waiting = left_over(&layout)?;
        waiting.sort_by_key(|claimed| claimed.claim);
        let highest = waiting.last().map_or(0, |claimed| claimed.claim);
        let state = State {
            claims: Claims::open(&context.data_dir, highest, context.clock.now()),
            waiting: waiting.into(),
            ripe: VecDeque::new(),
            handed: BTreeMap::new(),
            memory: Memory::default(),
            next_look: Instant::now(),
            pause: SHORTEST_PAUSE,
            locks,
        };
        let nap = (Mutex::new(()), Condvar::new());
        Ok(Self { context, config, layout, state: Mutex::new(state), closed: AtomicBool::new(false), nap })
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// One round: claim what is ripe, hand out what is whole.
    fn round(&self, max: usize, max_bytes: usize) -> Result<(Vec<Incoming>, Instant)> {
        let mut state = self.state.lock();
        if self.is_closed() {
            return Err(closed());
        }
        let mut got = self.hand_out(&mut state, max, max_bytes);
        if got.is_empty() {
            if state.ripe.is_empty() && Instant::now() >= state.next_look {
                self.look(&mut state);
            }
            self.claim(&mut state, max, max_bytes)?;
            failpoint!("directory::claimed");
            got = self.hand_out(&mut state, max, max_bytes);
        }
        Ok((got, state.next_look))
    }

    fn look(&self, state: &mut State) {
        let (mut ripe, soonest) = outbox::look(&self.layout, &self.config, &self.context, &mut state.memory);
        let longest = Duration::from_millis(self.config.scan_interval_ms);
        state.pause = if ripe.is_empty() { (state.pause * 2).min(longest) } else { SHORTEST_PAUSE.min(longest) };
        let pause = soonest.map_or(state.pause, |soonest| state.pause.min(soonest).max(SHORTEST_PAUSE.min(longest)));
        state.next_look = Instant::now() + pause;
        ripe.truncate(MAX_RIPE);
        state.ripe = ripe.into();
    }

    /// Renames ripe files into TempBox, then syncs each touched folder once. A file that vanished is nobody's loss.
    fn claim(&self, state: &mut State, max: usize, max_bytes: usize) -> Result<()> {
        let (mut count, mut bytes, mut touched) = (0, 0_u64, Touched::default());
        while count < max {
            let Some(ripe) = state.ripe.front() else { break };
            if count > 0 && bytes.saturating_add(ripe.print.length) > max_bytes as u64 {
                break;
            }
            bytes = bytes.saturating_add(ripe.print.length);
            let Some(ripe) = state.ripe.pop_front() else { break };
            let Some(folder) = self.layout.folders.get(ripe.folder) else { continue };
            let name = ripe.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if let Some(reason) = &ripe.refused {
                if let Err(e) = ends::set_aside(folder, &ripe.path, &name, self.context.clock.now(), reason) {
                    state.memory.tell_once(&self.context, &ripe.path, &e.to_string());
                }
                continue;
            }
            let claim = state.claims.next()?;
            let temp = folder.path(Place::TempBox).join(names::claimed(claim, &name));
            match durable::rename_new(&ripe.path, &temp) {
                Ok(()) => {
                    touched.add(&folder.path(Place::OutBox));
                    touched.add(&folder.path(Place::TempBox));
                    let (folder, ripe) = (ripe.folder, Some(ripe.print));
                    state.waiting.push_back(Claimed { claim, folder, name, ripe, seen: None, redelivered: false });
                    count += 1;
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => {
                    let text = named("claim", &ripe.path, &e).to_string();
                    state.memory.tell_once(&self.context, &ripe.path, &text);
                }
            }
        }
        failpoint!("directory::renamed-before-sync");
        // Before anything is handed out: a claim that a power cut could undo would come again under another number.
        match touched.sync().into_iter().next() {
            Some((folder, e)) => Err(named("sync", &folder, &e)),
            None => Ok(()),
        }
    }

    fn hand_out(&self, state: &mut State, max: usize, max_bytes: usize) -> Vec<Incoming> {
        let (mut got, mut bytes, mut later) = (Vec::<Incoming>::new(), 0_usize, VecDeque::new());
        while got.len() < max && (got.is_empty() || bytes < max_bytes) {
            let Some(mut claimed) = state.waiting.pop_front() else { break };
            let Some(folder) = self.layout.folders.get(claimed.folder) else { continue };
            match self.read(folder, &mut claimed) {
                Ok(Look::Whole(body)) if got.is_empty() || bytes.saturating_add(body.len()) <= max_bytes => {
                    bytes = bytes.saturating_add(body.len());
                    got.push(incoming(folder, &claimed, body));
                    state.handed.insert(claimed.claim, claimed);
                }
                Ok(Look::Whole(_)) => {
                    state.waiting.push_front(claimed);
                    break;
                }
                Ok(Look::Growing) => later.push_back(claimed),
                Ok(Look::Gone) => {}
                Ok(Look::TooBig(text)) => {
                    let mut without_body = incoming(folder, &claimed, Vec::new());
                    without_body.headers.push((header::REFUSED.to_owned(), format!("KOUAN-DIRECTORY-TOO-BIG {text}")));
                    got.push(without_body);
                    state.handed.insert(claimed.claim, claimed);
                }
                Err(error) => {
                    let temp = claimed.path(folder);
                    state.memory.tell_once(&self.context, &temp, &error.to_string());
                    later.push_back(claimed);
                }
            }
        }
        // Behind the others, so that one bad file holds nobody up.
        state.waiting.append(&mut later);
        got
    }

    /// Reads a claimed file, if it is what was seen before the claim and does not change under the reading.
    fn read(&self, folder: &Folder, claimed: &mut Claimed) -> Result<Look> {
        let path = claimed.path(folder);
        let failed = |e: io::Error| named("read", &path, &e);
        let mut file = match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Look::Gone),
            Err(e) => return Err(failed(e)),
            Ok(meta) if !meta.is_file() => {
                return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file")));
            }
            Ok(_) => File::open(&path).map_err(failed)?,
        };
        let before = Print::of(&file.metadata().map_err(failed)?);
        if claimed.ripe != Some(before) && !self.is_ripe_now(&mut file, claimed, before).map_err(failed)? {
            return Ok(Look::Growing);
        }
        claimed.ripe = Some(before);
        let most = self.config.max_file_bytes;
        if before.length > most {
            return Ok(Look::TooBig(format!("{} bytes, at most {most} are taken", before.length)));
        }
        io::Seek::rewind(&mut file).map_err(failed)?;
        let mut body = Vec::with_capacity(usize::try_from(before.length).unwrap_or(0));
        Read::take(&mut file, before.length + 1).read_to_end(&mut body).map_err(failed)?;
        let after = Print::of(&file.metadata().map_err(failed)?);
        if after != before || body.len() as u64 != before.length {
            (claimed.ripe, claimed.seen) = (None, Some((after, Instant::now())));
            return Ok(Look::Growing);
        }
        Ok(Look::Whole(body))
    }

    /// Whether a file in TempBox that was not judged before its claim, or changed since, has come to rest.
    fn is_ripe_now(&self, file: &mut File, claimed: &mut Claimed, print: Print) -> io::Result<bool> {
        let since = match claimed.seen {
            Some((before, since)) if before == print => since,
            _ => Instant::now(),
        };
        claimed.seen = Some((print, since));
        let is_whole = whole::is_whole(file, print.length, names::split(&claimed.name).1)?;
        Ok(outbox::quiet_for(print, since) >= outbox::quiet_needed(&self.config, is_whole, false))
    }
}

/// What a look at a claimed file found.
enum Look {
    Whole(Vec<u8>),
    /// Not read; why.
    TooBig(String),
    Growing,
    Gone,
}

impl Receiver for OutBoxReceiver {
    fn receive(&self, max: usize, max_bytes: usize, wait: Duration) -> Result<Vec<Incoming>> {
        let until = Instant::now() + wait;
        loop {
            let (got, next_look) = self.round(max.max(1), max_bytes)?;
            let now = Instant::now();
            if !got.is_empty() || now >= until {
                return Ok(got);
            }
            let pause = next_look.saturating_duration_since(now).max(Duration::from_millis(1));
            let mut guard = self.nap.0.lock();
            if self.is_closed() {
                return Ok(Vec::new());
            }
            self.nap.1.wait_for(&mut guard, pause.min(until - now));
        }
    }

    /// Nothing to lose: the file stays in TempBox until its end is shown.
    fn settle(&self, tokens: &[Token]) -> Result<()> {
        let mut state = self.state.lock();
        tokens.iter().for_each(|token| drop(state.handed.remove(&token.0)));
        Ok(())
    }

    fn reject(&self, token: Token, reason: &Error) -> Result<()> {
        let mut state = self.state.lock();
        if self.is_closed() {
            return Err(closed());
        }
        let Some(claimed) = state.handed.get(&token.0).cloned() else { return Ok(()) };
        let Some(folder) = self.layout.folders.get(claimed.folder) else { return Ok(()) };
        ends::set_aside(folder, &claimed.path(folder), &claimed.name, self.context.clock.now(), reason)?;
        state.handed.remove(&token.0);
        Ok(())
    }

    fn dispose(&self, batch: &[Disposition<'_>]) -> Vec<Result<()>> {
        if self.is_closed() {
            return batch.iter().map(|_| Err(closed())).collect();
        }
        ends::dispose(&self.layout, batch)
    }

    fn undisposed(&self) -> Result<Vec<String>> {
        let left = left_over(&self.layout)?;
        let id = |c: Claimed| Some(self.layout.folders.get(c.folder)?.source_id(c.claim));
        Ok(left.into_iter().filter_map(id).collect())
    }

    fn close(&self) {
        let guard = self.nap.0.lock();
        self.closed.store(true, Ordering::SeqCst);
        self.nap.1.notify_all();
        drop(guard);
        self.state.lock().locks.clear();
    }
}

impl Claimed {
    fn path(&self, folder: &Folder) -> PathBuf {
        folder.path(Place::TempBox).join(names::claimed(self.claim, &self.name))
    }
}

fn incoming(folder: &Folder, claimed: &Claimed, body: Vec<u8>) -> Incoming {
    let named =
        [(header::FILE_NAME, &claimed.name), (header::FORM_ID, &folder.form_id), (header::FOLDER, &folder.name)];
    let mut headers: Vec<_> = named.map(|(name, value)| (name.to_owned(), value.clone())).into();
    let made_at = claimed.ripe.and_then(|print| print.modified.duration_since(SystemTime::UNIX_EPOCH).ok());
    headers.extend(made_at.map(|at| (header::MADE_AT.to_owned(), at.as_millis().to_string())));
    Incoming {
        token: Token(claimed.claim),
        source_id: folder.source_id(claimed.claim),
        body,
        headers,
        redelivered: claimed.redelivered,
    }
}

/// Claims that lie in the TempBoxes. Files of other names are not ours and are left alone.
fn left_over(layout: &Layout) -> Result<Vec<Claimed>> {
    let mut left = Vec::new();
    for (index, folder) in layout.folders.iter().enumerate() {
        let temp = folder.path(Place::TempBox);
        let failed = |e: io::Error| named("list", &temp, &e);
        for entry in fs::read_dir(&temp).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if let Some((claim, name)) = name.to_str().and_then(names::read_claimed) {
                let name = name.to_owned();
                left.push(Claimed { claim, folder: index, name, ripe: None, seen: None, redelivered: true });
            }
        }
    }
    Ok(left)
}

/// Holds a folder for this gateway; the system lets go of it when the process ends, however it ends.
fn lock(folder: &Folder) -> Result<File> {
    let path = folder.path(Place::TempBox).join(".kouan.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| named("open", &path, &e))?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => {
            let text = format!("{} is held by another gateway", path.display());
            Err(Error::new(ErrorKind::Unavailable, "KOUAN-DIRECTORY-IN-USE", text))
        }
        // A share that knows no locks: one gateway a folder is the operator's promise there.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}
