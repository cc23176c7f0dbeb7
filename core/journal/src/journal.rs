//! The journal's face: what the kernel and the operator's commands call. Each writing call takes a batch, and returns
//! when the batch is durable. Calls from many threads meet in one commit.

use crate::lifecycle::Repeats;
use crate::model::*;
use kouan_sdk::{Clock, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;

/// How to open a journal.
#[derive(Clone)]
pub struct JournalOptions {
    /// The SQLite file; made if it is not there.
    pub path: PathBuf,
    /// `test` or `production`: bound to the file when it is made; another one refuses to open.
    pub environment: String,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
    /// Site that gets what belongs to nobody; empty = none.
    pub default_site: String,
    /// Site name → whether its transport shows the ends of messages (`Capabilities::disposes`).
    pub disposing_sites: Vec<String>,
}

/// A handle; cheap to clone.
#[derive(Clone)]
pub struct Journal {}

/// Result of a journal call.
pub type Result<T, E = JournalError> = std::result::Result<T, E>;

/// placeholder
#[derive(Debug, thiserror::Error)]
#[error("")]
pub struct JournalError {}

#[allow(missing_docs, unused_variables)]
impl Journal {
    /// Opens, checks the file, upgrades it, ends attempts that a dead process left open as Unknown (in doubt).
    pub fn open(options: JournalOptions) -> Result<Self> {
        loop {}
    }
    /// Opens for reading only (commands beside a running gateway).
    pub fn open_read_only(path: &std::path::Path) -> Result<Self> {
        loop {}
    }

    // intake
    pub fn accept(&self, batch: Vec<NewMessage>) -> Result<Vec<Accepted>> {
        loop {}
    }
    pub fn unchecked(&self, after: MessageId, limit: usize) -> Result<Vec<Unchecked>> {
        loop {}
    }
    pub fn record_checks(&self, batch: Vec<Checked>) -> Result<Vec<CheckOutcome>> {
        loop {}
    }
    /// The report and original of a message, for planning a late payload.
    pub fn original(&self, id: MessageId) -> Result<(Unchecked, kouan_sdk::business::Report)> {
        loop {}
    }

    // sending
    pub fn due(&self, filter: &DueFilter) -> Result<Vec<DuePart>> {
        loop {}
    }
    /// When the next part becomes due by time alone.
    pub fn next_due_at(&self, repeats: Repeats) -> Result<Option<Timestamp>> {
        loop {}
    }
    /// One attempt each; `Err(Illegal)` for a part that may not begin now (somebody parked it meanwhile).
    pub fn begin_attempts(
        &self,
        batch: Vec<Begin>,
    ) -> Result<Vec<std::result::Result<AttemptId, crate::lifecycle::Illegal>>> {
        loop {}
    }
    pub fn end_attempts(&self, batch: Vec<Ended>) -> Result<()> {
        loop {}
    }
    /// Parts held by the kernel itself, with a reason (bad certificate, …).
    pub fn park_parts(&self, batch: Vec<(PartId, Reason)>) -> Result<()> {
        loop {}
    }
    /// Parts in doubt, for an inquiry: (part, wire id).
    pub fn in_doubt(&self, limit: usize) -> Result<Vec<(PartId, String)>> {
        loop {}
    }
    /// What an inquiry found: true = present, false = absent for good.
    pub fn record_inquiries(&self, batch: Vec<(PartId, bool)>) -> Result<()> {
        loop {}
    }

    // inbound
    pub fn accept_inbound(&self, batch: Vec<NewInbound>) -> Result<Vec<InboundAccepted>> {
        loop {}
    }
    pub fn unopened(&self, after: InboundId, limit: usize) -> Result<Vec<Unopened>> {
        loop {}
    }
    pub fn record_opened(&self, batch: Vec<Opened>) -> Result<Vec<Matched>> {
        loop {}
    }

    // effects
    pub fn effects_due(&self, site: &str, limit: usize, max_bytes: usize) -> Result<Vec<Effect>> {
        loop {}
    }
    pub fn record_effects(&self, batch: Vec<EffectDone>) -> Result<()> {
        loop {}
    }

    // holds, alarms, operators
    /// Marks what is overdue by now; returns how many.
    pub fn mark_overdue(&self) -> Result<usize> {
        loop {}
    }
    pub fn raise_alarm(&self, code: &str, text: &str, message: Option<MessageId>) -> Result<()> {
        loop {}
    }
    pub fn alarms(&self, limit: usize) -> Result<Vec<Alarm>> {
        loop {}
    }
    pub fn act(
        &self,
        ids: &[MessageId],
        act: &OperatorAct,
        dry_run: bool,
    ) -> Result<Vec<std::result::Result<ActDone, Reason>>> {
        loop {}
    }

    // queries (own read connections; never wait for the writer)
    pub fn list(&self, filter: &Filter) -> Result<Vec<MessageSummary>> {
        loop {}
    }
    pub fn detail(&self, id: MessageId) -> Result<Option<MessageDetail>> {
        loop {}
    }
    pub fn timeline(&self, id: MessageId) -> Result<Vec<Event>> {
        loop {}
    }
    pub fn counts(&self) -> Result<Counts> {
        loop {}
    }

    // evidence
    /// Unsigned head of the chain: (segment, seq, hash).
    pub fn head(&self) -> Result<(i64, i64, String)> {
        loop {}
    }
    /// Records the signature of a head and closes its segment.
    pub fn record_head(&self, segment: i64, seq: i64, signature: &[u8], certificate: &[u8]) -> Result<()> {
        loop {}
    }
}
