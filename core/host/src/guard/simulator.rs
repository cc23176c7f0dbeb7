//! Guard of a business's simulator. The sandbox rolls back what a call wrote before it panicked.

use crate::slot::Slot;
use kouan_sdk::Result;
use kouan_sdk::business::Key;
use kouan_sdk::simulator::{Answer, Arrived, Effect, Script, Simulator, StateStore};

/// A simulator whose panics are errors.
pub struct GuardedSimulator {
    slot: Slot<dyn Simulator>,
}

impl GuardedSimulator {
    pub(crate) fn new(slot: Slot<dyn Simulator>) -> Self {
        Self { slot }
    }
}

impl Simulator for GuardedSimulator {
    fn repeat_key(&self, arrived: &Arrived<'_>) -> Result<Option<Key>> {
        self.slot.call("repeat_key", |simulator| simulator.repeat_key(arrived))?
    }

    fn changes(&self, key: &Key) -> bool {
        // Without an answer the stricter reading holds: a second effect is the graver fault.
        self.slot.call("changes", |simulator| simulator.changes(key)).unwrap_or(false)
    }

    fn take(&self, store: &mut dyn StateStore, arrived: &Arrived<'_>, script: &Script) -> Result<Effect> {
        self.slot.call("take", |simulator| simulator.take(store, arrived, script))?
    }

    fn content<'a>(&self, arrived: &Arrived<'a>) -> &'a [u8] {
        self.slot.call("content", |simulator| simulator.content(arrived)).unwrap_or(arrived.payload)
    }

    fn known_already(&self, store: &dyn StateStore, arrived: &Arrived<'_>, key: &Key) -> Result<Vec<Answer>> {
        self.slot.call("known_already", |simulator| simulator.known_already(store, arrived, key))?
    }
}
