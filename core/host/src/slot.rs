//! One instance of a plugin, replaceable: taken out after a panic, made anew from its maker.

use crate::Watch;
use crate::catch::{catch, drop_aside};
use kouan_sdk::{Error, ErrorKind, Result};
use parking_lot::RwLock;
use std::sync::{Arc, Weak};

/// Makes the instance.
pub(crate) type Maker<T> = Box<dyn Fn() -> Result<Box<T>> + Send + Sync>;

/// Whether an old instance may still be inside a call while the new one is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// Yes: instances do not meet.
    Allowed,
    /// No: both would hold one device. The new one waits until every call of the old one has returned.
    Never,
}

/// Holds the instance.
pub(crate) struct Slot<T: ?Sized> {
    watch: Arc<Watch>,
    make: Maker<T>,
    overlap: Overlap,
    live: RwLock<Live<T>>,
}

struct Live<T: ?Sized> {
    current: Option<Arc<T>>,
    retired: Option<Weak<T>>,
}

impl<T: ?Sized + Send + Sync + 'static> Slot<T> {
    /// Makes the first instance. A failure or panic here is the caller's: a configuration that cannot start.
    pub(crate) fn open(watch: Arc<Watch>, overlap: Overlap, make: Maker<T>) -> Result<Self> {
        let first = catch(|| format!("{}: constructor", watch.name()), &make)??;
        let live = Live { current: Some(Arc::from(first)), retired: None };
        Ok(Self { watch, make, overlap, live: RwLock::new(live) })
    }

    pub(crate) fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// The instance, made anew if it was taken out and the wait is over.
    pub(crate) fn instance(&self) -> Result<Arc<T>> {
        if let Some(current) = &self.live.read().current {
            return Ok(current.clone());
        }
        self.rebuild()
    }

    /// The instance as it stands, without making one.
    pub(crate) fn present(&self) -> Option<Arc<T>> {
        self.live.read().current.clone()
    }

    /// Calls into the instance on this thread. `Err` = there is none, or the call panicked.
    pub(crate) fn call<R>(&self, what: &str, call: impl FnOnce(&T) -> R) -> Result<R> {
        let instance = self.instance()?;
        let outcome = catch(|| format!("{}: {what}", self.watch.name()), || call(&instance));
        if let Err(error) = &outcome {
            self.retire(instance, error);
        }
        outcome
    }

    /// Takes a broken instance out.
    pub(crate) fn retire(&self, broken: Arc<T>, error: &Error) {
        let mut live = self.live.write();
        // Several threads may have been inside the same instance; it breaks once.
        if live.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &broken)) {
            live.retired = Some(Arc::downgrade(&broken));
            live.current.take().into_iter().for_each(drop_aside);
            self.watch.broke(error);
        }
        drop_aside(broken);
    }

    fn rebuild(&self) -> Result<Arc<T>> {
        let mut live = self.live.write();
        if let Some(current) = &live.current {
            return Ok(current.clone());
        }
        if let Some(refusal) = self.watch.refusal() {
            return Err(refusal);
        }
        let still_inside = live.retired.as_ref().is_some_and(|old| old.strong_count() > 0);
        if self.overlap == Overlap::Never && still_inside {
            let text = format!("{} is not rebuilt before its old calls have returned", self.watch.name());
            return Err(Error::new(ErrorKind::Unavailable, "KOUAN-HOST-PLUGIN-STUCK", text));
        }
        match catch(|| format!("{}: constructor", self.watch.name()), &self.make) {
            Ok(Ok(made)) => {
                let made: Arc<T> = Arc::from(made);
                *live = Live { current: Some(made.clone()), retired: None };
                self.watch.rebuilt();
                Ok(made)
            }
            Ok(Err(error)) => {
                self.watch.not_rebuilt(&error);
                Err(error)
            }
            Err(panicked) => {
                self.watch.broke(&panicked);
                Err(panicked)
            }
        }
    }
}
