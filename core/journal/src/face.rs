//! The journal's face: what the kernel and the operator's commands call. Each writing call takes a batch, and returns
//! when the batch is durable. Calls from many threads meet in one commit.

use crate::lifecycle::Repeats;
use crate::model::*;
use kouan_sdk::{Clock, Result, Timestamp};
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

/// What every store of the journal promises, and the same tests ask of each.
pub trait Journal: Send + Sync {
    // intake
    /// Takes messages in. The same site and source id again with the same bytes is `Known`; with other bytes it is a new
    /// message, and an alarm.
    fn accept(&self, batch: Vec<NewMessage>) -> Result<Vec<Accepted>>;
    /// Messages that wait for their check, after this number, oldest first: at most `limit`, about `max_bytes`.
    fn unchecked(&self, after: MessageId, limit: usize, max_bytes: usize) -> Result<Vec<Unchecked>>;
    /// Records verdicts in the order of arrival: refused, duplicate, or ready with its parts and their wire ids.
    fn record_checks(&self, batch: Vec<Checked>) -> Result<Vec<CheckOutcome>>;
    /// The report and original of a message, for planning a late payload.
    fn original(&self, id: MessageId) -> Result<(Unchecked, kouan_sdk::business::Report)>;

    // sending
    /// Parts whose turn it is; a batch holds one message of each lane.
    fn due(&self, filter: &DueFilter) -> Result<Vec<DuePart>>;
    /// When the next part becomes due by time alone.
    fn next_due_at(&self, repeats: Repeats) -> Result<Option<Timestamp>>;
    /// One attempt each; `Err(Illegal)` for a part that may not begin now (somebody parked it meanwhile).
    fn begin_attempts(
        &self,
        batch: Vec<Begin>,
    ) -> Result<Vec<std::result::Result<AttemptId, crate::lifecycle::Illegal>>>;
    /// Records how attempts ended.
    fn end_attempts(&self, batch: Vec<Ended>) -> Result<()>;
    /// Parts held by the kernel itself, with a reason (bad certificate, …).
    fn park_parts(&self, batch: Vec<(PartId, Reason)>) -> Result<()>;
    /// Why an identity cannot sign now, with an alarm; with `None`, that it signs (again). Messages that wait for it say so.
    fn hold_identity(&self, identity: &str, why: Option<Reason>) -> Result<()>;
    /// Parts in doubt, for an inquiry: (part, wire id).
    fn in_doubt(&self, limit: usize) -> Result<Vec<(PartId, String)>>;
    /// What an inquiry found: true = present, false = absent for good.
    fn record_inquiries(&self, batch: Vec<(PartId, bool)>) -> Result<()>;

    // inbound
    /// Takes in what the window sent; a source id that comes again counts as in [`Self::accept`].
    fn accept_inbound(&self, batch: Vec<NewInbound>) -> Result<Vec<InboundAccepted>>;
    /// Inbound that waits to be opened, after this number, oldest first: at most `limit`, and about `max_bytes` (at least
    /// one).
    fn unopened(&self, after: InboundId, limit: usize, max_bytes: usize) -> Result<Vec<Unopened>>;
    /// Records what opening led to: matched, unmatched, repeated or quarantined.
    fn record_opened(&self, batch: Vec<Opened>) -> Result<Vec<Matched>>;

    // effects
    /// What is to be done at a site now, in the order of the numbers within one message.
    fn effects_due(&self, site: &str, limit: usize, max_bytes: usize) -> Result<Vec<Effect>>;
    /// Records how effects went.
    fn record_effects(&self, batch: Vec<EffectDone>) -> Result<()>;

    // holds, alarms, operators
    /// Marks what is overdue by now; returns how many.
    fn mark_overdue(&self) -> Result<usize>;
    /// Raises an alarm; it stays until acknowledged.
    fn raise_alarm(&self, code: &str, text: &str, message: Option<MessageId>) -> Result<()>;
    /// Alarms not acknowledged, newest first.
    fn alarms(&self, limit: usize) -> Result<Vec<Alarm>>;
    /// An operator's act on some messages; `dry_run` only says what it would do.
    fn act(
        &self,
        ids: &[MessageId],
        act: &OperatorAct,
        dry_run: bool,
    ) -> Result<Vec<std::result::Result<ActDone, Reason>>>;

    // queries (own read connections; never wait for the writer)
    /// Messages, newest first: by the moment of receipt, then by number.
    fn list(&self, filter: &Filter) -> Result<Vec<MessageSummary>>;
    /// All that is known of one message.
    fn detail(&self, id: MessageId) -> Result<Option<MessageDetail>>;
    /// One message's events, oldest first.
    fn timeline(&self, id: MessageId) -> Result<Vec<Event>>;
    /// Counts for health and lists.
    fn counts(&self) -> Result<Counts>;

    // retention and evidence
    /// Drops the bytes of what ended before this moment, and old signed segments; returns how many messages were dropped.
    fn retain(&self, before: Timestamp) -> Result<u64>;
    /// Unsigned head of the chain: (segment, seq, hash).
    fn head(&self) -> Result<(i64, i64, String)>;
    /// Records the signature of a head and closes its segment.
    fn record_head(&self, segment: i64, seq: i64, signature: &[u8], certificate: &[u8]) -> Result<()>;
}
