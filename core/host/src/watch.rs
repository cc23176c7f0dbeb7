//! The record that the host keeps of one instance: its faults, and what follows from them.

use crate::Policy;
use kouan_sdk::{Clock, Error, ErrorKind, Kind};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// How an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// At work.
    Healthy,
    /// Broken or hanging; rebuilt after a wait, or well again when its call returns.
    Faulted,
    /// Broken too often (隔离): not used until somebody releases it or restarts.
    Quarantined,
}

/// What an operator sees of one instance.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PluginReport {
    /// The plugin's id.
    pub id: String,
    /// What it is used as.
    pub kind: Kind,
    /// The instance's name in the configuration.
    pub instance: String,
    /// See [`State`].
    pub state: State,
    /// Panics and abandoned calls since the start.
    pub faults: u64,
    /// How often it was made anew since the start.
    pub rebuilds: u64,
    /// Abandoned calls that have not returned yet.
    pub stuck: u32,
    /// The last fault.
    pub last_error: Option<Error>,
}

/// Watches one instance.
pub struct Watch {
    id: &'static str,
    kind: Kind,
    instance: String,
    policy: Policy,
    clock: Arc<dyn Clock>,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    faults: u64,
    rebuilds: u64,
    stuck: u32,
    recent: VecDeque<i64>,
    broken: bool,
    quarantined: bool,
    broken_at: i64,
    retry_at: i64,
    last_error: Option<Error>,
}

impl Watch {
    pub(crate) fn new(
        id: &'static str,
        kind: Kind,
        instance: impl Into<String>,
        policy: Policy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { id, kind, instance: instance.into(), policy, clock, record: Mutex::new(Record::default()) }
    }

    /// The report of now.
    pub fn report(&self) -> PluginReport {
        let record = self.record.lock();
        let state = match (record.quarantined, record.broken || record.stuck > 0) {
            (true, _) => State::Quarantined,
            (false, true) => State::Faulted,
            (false, false) => State::Healthy,
        };
        PluginReport {
            id: self.id.to_owned(),
            kind: self.kind,
            instance: self.instance.clone(),
            state,
            faults: record.faults,
            rebuilds: record.rebuilds,
            stuck: record.stuck,
            last_error: record.last_error.clone(),
        }
    }

    /// Lifts a quarantine: the next call tries to rebuild.
    pub fn release(&self) {
        let mut record = self.record.lock();
        record.quarantined = false;
        record.recent.clear();
        record.retry_at = record.broken_at;
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn is(&self, kind: Kind, instance: &str) -> bool {
        self.kind == kind && self.instance == instance
    }

    /// `directory "erp"`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} \"{}\"", self.id, self.instance)
    }

    /// A fault that breaks the instance: it is rebuilt after a wait, or quarantined if there were too many.
    pub(crate) fn broke(&self, error: &Error) {
        let mut record = self.record.lock();
        let recent = self.count_fault(&mut record, error);
        record.broken = true;
        record.broken_at = self.clock.now().millis();
        record.retry_at = record.broken_at.saturating_add(self.policy.backoff_ms(recent));
        record.quarantined |= recent >= self.policy.faults;
        let state = if record.quarantined { "quarantined" } else { "to be rebuilt" };
        tracing::error!(plugin = self.id, instance = self.instance, code = %error.code, state, "{}", error.message);
    }

    /// An abandoned call: the instance stays, and is stuck until [`Watch::returned`].
    pub(crate) fn stuck(&self, error: &Error) {
        let mut record = self.record.lock();
        self.count_fault(&mut record, error);
        record.stuck += 1;
        tracing::error!(plugin = self.id, instance = self.instance, code = %error.code, "{}", error.message);
    }

    /// An abandoned call came back.
    pub(crate) fn returned(&self) {
        let mut record = self.record.lock();
        record.stuck = record.stuck.saturating_sub(1);
        tracing::warn!(plugin = self.id, instance = self.instance, "an abandoned call has returned");
    }

    /// The instance was made anew.
    pub(crate) fn rebuilt(&self) {
        let mut record = self.record.lock();
        record.broken = false;
        record.rebuilds += 1;
        tracing::info!(plugin = self.id, instance = self.instance, rebuilds = record.rebuilds, "rebuilt");
    }

    /// Making it anew failed in an orderly way: wait again, without counting a fault.
    pub(crate) fn not_rebuilt(&self, error: &Error) {
        let mut record = self.record.lock();
        record.last_error = Some(error.clone());
        record.broken_at = self.clock.now().millis();
        let recent = record.recent.len().max(1);
        record.retry_at = record.broken_at.saturating_add(self.policy.backoff_ms(recent));
    }

    /// Why the instance cannot be rebuilt now; `None` if it may be tried.
    pub(crate) fn refusal(&self) -> Option<Error> {
        let record = self.record.lock();
        let last = record.last_error.as_ref().map(|e| format!(": {}", e.message)).unwrap_or_default();
        if record.quarantined {
            let text = format!("{} is quarantined after {} faults{last}", self.name(), record.faults);
            return Some(Error::new(ErrorKind::Unavailable, "KOUAN-HOST-PLUGIN-QUARANTINED", text));
        }
        let now = self.clock.now().millis();
        // A clock that was put back must not make the wait longer.
        let waiting = record.broken && now >= record.broken_at && now < record.retry_at;
        waiting.then(|| {
            let text = format!("{} waits to be rebuilt{last}", self.name());
            Error::new(ErrorKind::Unavailable, "KOUAN-HOST-PLUGIN-FAULTED", text)
        })
    }

    /// Counts a fault; how many stand in the window now.
    fn count_fault(&self, record: &mut Record, error: &Error) -> usize {
        let now = self.clock.now().millis();
        record.faults += 1;
        record.last_error = Some(error.clone());
        record.recent.retain(|at| now.saturating_sub(*at) < self.policy.window_ms);
        record.recent.push_back(now);
        record.recent.len()
    }
}
