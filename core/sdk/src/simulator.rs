//! A business's side of the sandbox: what the Single Window would answer. Never built into a production path;
//! only the sandbox calls it.

use crate::business::Key;
use crate::{Result, Timestamp};
use std::collections::BTreeMap;

/// The sandbox's durable key-value store, one name space a business. Changes are committed with the message's effect.
pub trait StateStore {
    /// The value of `key`.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;
    /// Sets `key`.
    fn put(&mut self, key: &str, value: &[u8]) -> Result<()>;
    /// The next number of a named counter, from 1.
    fn next(&mut self, counter: &str) -> Result<u64>;
}

/// A store in memory, gone with the process: for walks through a simulator that nothing is to remember.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    values: BTreeMap<String, Vec<u8>>,
    counters: BTreeMap<String, u64>,
}

impl StateStore for MemoryStore {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.values.get(key).cloned())
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<()> {
        self.values.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    fn next(&mut self, counter: &str) -> Result<u64> {
        let last = self.counters.entry(counter.to_owned()).or_default();
        *last += 1;
        Ok(*last)
    }
}

/// One payload that reached the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// Wire type.
    pub message_type: &'a str,
    /// File name in `AddInfo`.
    pub file_name: &'a str,
    /// The payload, opened.
    pub payload: &'a [u8],
    /// When it arrived.
    pub at: Timestamp,
}

/// One step of a scenario: what happens to messages that match. Kept by the plugin's own words in `step`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The business's steps in order, such as CHANNEL codes `["7", "L", "J", "P", "R"]`, or `["refuse:关区代码不存在"]`;
    /// empty = the plugin's usual way to the end.
    #[serde(default)]
    pub steps: Vec<String>,
    /// Milliseconds between two steps.
    #[serde(default)]
    pub step_delay_ms: u64,
}

/// One receipt to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Wire type of the answer.
    pub message_type: String,
    /// The receipt's bytes.
    pub payload: Vec<u8>,
    /// Milliseconds after the arrival.
    pub after_ms: u64,
    /// `AddInfo/BizKey`.
    pub biz_keys: Vec<Key>,
}

/// What the window made of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The business key that it took effect under; `None` if it had no effect (refused, or an attachment).
    pub effect_key: Option<Key>,
    /// What to answer, in order.
    pub answers: Vec<Answer>,
}

/// A business's simulator.
pub trait Simulator: Send + Sync {
    /// The key under which a repeat of this payload would be one; `None` if repeats do not matter (attachments).
    fn repeat_key(&self, arrived: &Arrived<'_>) -> Result<Option<Key>>;

    /// Whether a payload under this key changes what stands there already (an update), so that another payload is a new
    /// one, and a repeat only what took effect before byte for byte. Otherwise whatever comes again under the key is one.
    fn changes(&self, key: &Key) -> bool {
        let _ = key;
        false
    }

    /// Takes a payload in: gives numbers, plans the receipts.
    fn take(&self, store: &mut dyn StateStore, arrived: &Arrived<'_>, script: &Script) -> Result<Effect>;

    /// Whether every step of a scenario is known, asked before the first message comes.
    ///
    /// # Errors
    /// A step is not known; the text says which are.
    fn check_script(&self, script: &Script) -> Result<()> {
        let _ = script;
        Ok(())
    }

    /// What the site handed over of a payload, without what its business put around it on the way, such as a trailer.
    fn content<'a>(&self, arrived: &Arrived<'a>) -> &'a [u8] {
        arrived.payload
    }

    /// The official failure text for a business key that is known already; it names the key and the number given.
    fn known_already(&self, store: &dyn StateStore, arrived: &Arrived<'_>, key: &Key) -> Result<Vec<Answer>>;
}
