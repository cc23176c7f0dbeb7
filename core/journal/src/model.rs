//! What goes into the journal and what comes out: plain values, no behaviour.

use crate::lifecycle::{Delivery, Hold, PartState, Repeats};
use kouan_sdk::Timestamp;
use kouan_sdk::business::{Key, Outcome, Receipt, Report};
use kouan_sdk::transport::{End, Header};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A message (报文), by its number in the journal: increasing in the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub i64);

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartId(pub i64);

/// One attempt to send a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub i64);

/// Something that came from the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InboundId(pub i64);

/// Something to do at a site: a file to deliver, an end to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EffectId(pub i64);

// ---------------------------------------------------------------- intake

/// A message as its source gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Name of the site it came from.
    pub site: String,
    /// Stable over redelivery; the same one again with the same bytes is dropped.
    pub source_id: String,
    /// File name as the site gave it; its stem is the site's own name for the message.
    pub file_name: String,
    /// All headers of the delivery (form id, folder, …).
    pub headers: Vec<Header>,
    /// The original bytes.
    pub body: Arc<[u8]>,
}

/// What intake made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Durable, and new.
    New(MessageId),
    /// This delivery is known already; settle it and forget it.
    Known(MessageId),
}

/// A message that waits for its check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// Number.
    pub id: MessageId,
    /// As it came.
    pub message: NewMessage,
    /// When it was taken in.
    pub received_at: Timestamp,
}

// ---------------------------------------------------------------- check and plan

/// The verdict on one message, to be recorded. Record them in the order of their numbers, site by site.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Which message.
    pub id: MessageId,
    /// The business that judged it; empty if none recognised it.
    pub business: String,
    /// The business's report. Findings decide nothing here: `verdict` does.
    pub report: Report,
    /// What follows.
    pub verdict: Verdict,
    /// Machine-readable verdict for the Report folder (JSON text), if the site shows one.
    pub shown: Option<String>,
    /// Name and bytes of the refusal in the business's own shape. With `Verdict::Ready` it is used when the message
    /// turns out to be a duplicate.
    pub refusal: Option<Deliverable>,
}

/// Goes or does not go.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Goes.
    Ready(Box<Plan>),
    /// Will never go.
    Refused,
}

/// How a message goes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// DXP id of the identity that sends it.
    pub identity: String,
    /// Its parts; the first is the document.
    pub parts: Vec<PlannedPart>,
    /// Without any receipt this many seconds after it was sent, it is overdue.
    pub receipt_deadline_s: u32,
    /// What to do with a duplicate.
    pub duplicates: DuplicatePolicy,
}

/// One planned part; its wire id is given by the journal when this is recorded.
#[derive(Debug, Clone)]
pub struct PlannedPart {
    /// See [`kouan_sdk::business::PartPlan`].
    pub name: String,
    /// Wire type.
    pub message_type: String,
    /// DXP ids of the receivers.
    pub receivers: Vec<String>,
    /// File name told to the receiver.
    pub file_name: String,
    /// `AddInfo/BizKey`.
    pub biz_keys: Vec<Key>,
    /// What it carries.
    pub payload: PartPayload,
    /// Indexes of the parts that must be sent before.
    pub after: Vec<usize>,
    /// Whether receipts are expected.
    pub expects_receipt: bool,
}

/// What a part carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartPayload {
    /// The message's body as it stands; stored once.
    Body,
    /// These bytes.
    Bytes(Vec<u8>),
    /// Not known until this key is learned.
    WaitsFor(String),
}

/// What to do with a message whose content or business key is known and still live, or succeeded unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicatePolicy {
    /// Refuse it, and say of which message it is a duplicate.
    #[default]
    Refuse,
    /// Take it as a new message (the window will tell).
    Send,
}

/// What recording a check led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOutcome {
    /// Ready to go.
    Ready,
    /// Refused, as the verdict said.
    Refused,
    /// Refused as a duplicate of this one.
    Duplicate(MessageId),
    /// It was checked before; nothing changed.
    AlreadyChecked,
}

/// Bytes for a site and how the file is named: `<prefix>_<middle or stem>_<time>.<extension>`, or `name` when fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliverable {
    /// How it is named.
    pub name: kouan_sdk::business::ReceiptName,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

// ---------------------------------------------------------------- sending

/// Which parts are wanted.
#[derive(Debug, Clone, Default)]
pub struct DueFilter {
    /// The window's policy; parts in doubt are due only under one that allows repeats.
    pub repeats: Repeats,
    /// Identities that cannot sign now; their parts stay.
    pub blocked_identities: Vec<String>,
    /// At the most so many.
    pub limit: usize,
    /// Stop after about so many payload bytes (at least one part).
    pub max_bytes: usize,
}

/// A part whose turn it is: its lane's earlier messages are sent or never will be, everything earlier of its source is
/// checked, the parts before it are sent, and its time has come.
#[derive(Debug, Clone)]
pub struct DuePart {
    /// Part.
    pub id: PartId,
    /// Message.
    pub message: MessageId,
    /// Index among the message's parts.
    pub index: usize,
    /// Business.
    pub business: String,
    /// DXP id that sends it.
    pub identity: String,
    /// Lane.
    pub lane: String,
    /// Wire id; never changes.
    pub wire_id: String,
    /// Wire type.
    pub message_type: String,
    /// Receivers.
    pub receivers: Vec<String>,
    /// File name in `AddInfo`.
    pub file_name: String,
    /// `AddInfo/BizKey`.
    pub biz_keys: Vec<Key>,
    /// Its bytes; empty while `waits_for` is set.
    pub payload: Arc<[u8]>,
    /// The key it waited for is learned by now, and the payload must be planned with [`Self::known_keys`].
    pub waits_for: Option<String>,
    /// Keys known of the message; filled only with `waits_for`.
    pub known_keys: Vec<Key>,
    /// Sealed bytes of an earlier attempt.
    pub sealed: Option<Sealed>,
    /// State.
    pub state: PartState,
}

/// Sealed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The envelope, exactly as it leaves.
    pub bytes: Arc<[u8]>,
    /// Serial number of the certificate it was signed with, lower-case hex.
    pub certificate_serial: String,
}

/// An attempt that begins: recorded with its sealed bytes before the first byte leaves.
#[derive(Debug, Clone)]
pub struct Begin {
    /// Part.
    pub part: PartId,
    /// The bytes that will leave. Equal to the part's earlier ones unless it `may_reseal`.
    pub sealed: Sealed,
    /// Payload planned late, for a part that waited for a key.
    pub payload: Option<Vec<u8>>,
    /// The window's policy.
    pub repeats: Repeats,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Attempt.
    pub attempt: AttemptId,
    /// How.
    pub end: AttemptEnd,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The other side has it.
    Confirmed,
    /// It does not; try again at this time, or park if `None`.
    RefusedTransient {
        /// Next try.
        retry_at: Option<Timestamp>,
        /// Code and text.
        reason: Reason,
    },
    /// It never will; parked.
    RefusedPermanent(Reason),
    /// Nobody knows. Under a policy that allows repeats, the next try is at this time.
    Unknown {
        /// Next try, where repeats are allowed.
        retry_at: Timestamp,
        /// Code and text.
        reason: Reason,
    },
}

/// Why: a catalogue code and a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable code; empty for an operator's own words.
    pub code: String,
    /// Text.
    pub text: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into() }
    }
}

impl From<&kouan_sdk::Error> for Reason {
    fn from(error: &kouan_sdk::Error) -> Self {
        Self::new(error.code.to_string(), error.message.clone())
    }
}

// ---------------------------------------------------------------- inbound

/// An envelope (or a bare receipt) as the window's transport gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInbound {
    /// Stable over redelivery.
    pub source_id: String,
    /// Headers.
    pub headers: Vec<Header>,
    /// The bytes, exactly.
    pub raw: Arc<[u8]>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboundAccepted {
    /// Durable, and new.
    New(InboundId),
    /// This delivery is known already.
    Known(InboundId),
}

/// An inbound that waits to be opened.
#[derive(Debug, Clone)]
pub struct Unopened {
    /// Number.
    pub id: InboundId,
    /// The bytes.
    pub raw: Arc<[u8]>,
    /// Headers.
    pub headers: Vec<Header>,
    /// When it came.
    pub received_at: Timestamp,
}

/// What opening led to.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Which inbound.
    pub id: InboundId,
    /// Result.
    pub result: OpenResult,
}

/// What opening led to.
#[derive(Debug, Clone)]
pub enum OpenResult {
    /// Verified and read.
    Receipt(Box<OpenedReceipt>),
    /// Verified, but no business reads it: goes to the default site, OTHERS.
    Unread {
        /// Wire id of the envelope, if it had one.
        wire_id: Option<String>,
        /// Wire type.
        message_type: String,
        /// The payload.
        payload: Vec<u8>,
        /// File name told in the envelope.
        file_name: String,
        /// Why no business reads it.
        reason: Reason,
    },
    /// A signature or decryption failed (隔离): kept, never delivered, tried again once keys change.
    Quarantined(Reason),
}

/// A verified receipt.
#[derive(Debug, Clone)]
pub struct OpenedReceipt {
    /// Wire id of the envelope. The same wire id with the same payload again is not delivered twice.
    pub wire_id: Option<String>,
    /// DXP id it came from.
    pub sender: String,
    /// DXP id it was sent to: one of our identities.
    pub receiver: String,
    /// Business that read it.
    pub business: String,
    /// What it says.
    pub receipt: Receipt,
    /// The payload, exactly: this is what the site gets.
    pub payload: Vec<u8>,
    /// File name told in the envelope; its stem names the answered file.
    pub answers_file: Option<String>,
}

/// What recording an opened inbound led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matched {
    /// It belongs to this message.
    To(MessageId),
    /// Nobody's yet; delivered to the default site, matched later without another delivery if a key is learned.
    Unmatched,
    /// The same envelope came before.
    Repeated,
    /// Kept back.
    Quarantined,
}

// ---------------------------------------------------------------- effects at sites

/// Something to do at a site, in the order of the numbers within one message. Idempotent.
#[derive(Debug, Clone)]
pub struct Effect {
    /// Number.
    pub id: EffectId,
    /// Site.
    pub site: String,
    /// Message it belongs to, if any.
    pub message: Option<MessageId>,
    /// What.
    pub kind: EffectKind,
    /// Failed tries so far.
    pub tries: u32,
}

/// What to do at a site.
#[derive(Debug, Clone)]
pub enum EffectKind {
    /// Write a file or message: a receipt, a refusal, a verdict.
    Deliver {
        /// Stable over repeats.
        id: String,
        /// `file-name`, `form-id`, `folder`, `content` (`receipt`, `verdict`).
        headers: Vec<Header>,
        /// Bytes.
        body: Arc<[u8]>,
    },
    /// Show the end of a taken message.
    Dispose {
        /// Source id it was taken under.
        source_id: String,
        /// Headers it was taken with.
        headers: Vec<Header>,
        /// Original bytes.
        body: Arc<[u8]>,
        /// How it ended.
        end: End,
        /// When.
        at: Timestamp,
        /// Verdict JSON.
        verdict: Option<Vec<u8>>,
    },
}

/// How an effect went.
#[derive(Debug, Clone)]
pub struct EffectDone {
    /// Which.
    pub id: EffectId,
    /// Done, or the reason and when to try again.
    pub result: Result<(), (Reason, Timestamp)>,
}

// ---------------------------------------------------------------- operators

/// What an operator wants of a message (all its parts that the act fits).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Hold it.
    Park,
    /// Send it again under the same identity.
    Resend,
    /// Send its content again as a new message that supersedes it; refused while the old one may still take effect.
    ResendAsNew,
    /// Give it up.
    Skip,
    /// It arrived.
    ResolveSent,
    /// It did not arrive.
    ResolveNotSent,
    /// Take the overdue or alarm mark off.
    Acknowledge,
    /// Try to open quarantined inbound again (message = none).
    RetryQuarantine,
}

/// An operator's act, with who and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorAct {
    /// What.
    pub act: Act,
    /// Wire id or name of the one part meant; only a doubt is settled part by part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Who, as the system knows them.
    pub operator: String,
    /// Why; required.
    pub reason: String,
    /// The window's policy in force.
    pub repeats: Repeats,
}

/// What an act did, or would do (`dry_run`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActDone {
    /// Message.
    pub message: MessageId,
    /// Delivery before.
    pub before: Delivery,
    /// Delivery after.
    pub after: Delivery,
    /// The new message, for `ResendAsNew`.
    pub new_message: Option<MessageId>,
}

// ---------------------------------------------------------------- queries

/// Which messages are wanted; all conditions hold together.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Any key's value, the stem or the file name equals this.
    pub key: Option<String>,
    /// Delivery state.
    pub delivery: Option<Delivery>,
    /// Outcome.
    pub outcome: Option<Outcome>,
    /// Hold.
    pub hold: Option<Hold>,
    /// Business.
    pub business: Option<String>,
    /// Received from this moment on.
    pub since: Option<Timestamp>,
    /// Received before this moment.
    pub until: Option<Timestamp>,
    /// What follows this one in the list (paging).
    pub before: Option<MessageId>,
    /// At the most so many; 0 = 100.
    pub limit: usize,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MessageSummary {
    /// Number.
    pub id: MessageId,
    /// Site.
    pub site: String,
    /// File name.
    pub file_name: String,
    /// Business; empty if unknown.
    pub business: String,
    /// Type.
    pub message_type: String,
    /// Business key.
    pub business_key: Option<Key>,
    /// Identity.
    pub identity: String,
    /// First column.
    pub delivery: Delivery,
    /// Second column.
    pub outcome: Outcome,
    /// The business's own stage.
    pub stage: String,
    /// Third column.
    pub hold: Hold,
    /// Why it is held or refused.
    pub reason: Option<Reason>,
    /// Taken in.
    pub received_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// All that is known of one message.
#[derive(Debug, Clone, Serialize)]
pub struct MessageDetail {
    /// The line.
    pub summary: MessageSummary,
    /// SM3 of the original bytes, hex.
    pub body_digest: String,
    /// Length of the original bytes.
    pub body_length: u64,
    /// Keys, learned ones included.
    pub keys: Vec<Key>,
    /// The report.
    pub report: Option<Report>,
    /// Parts.
    pub parts: Vec<PartDetail>,
    /// Receipts.
    pub receipts: Vec<ReceiptDetail>,
    /// The message it supersedes.
    pub supersedes: Option<MessageId>,
    /// Other messages of the same business key, oldest first (one timeline a declaration).
    pub attempts_of_declaration: Vec<MessageId>,
    /// Effects not done yet.
    pub pending_effects: u64,
}

/// One part.
#[derive(Debug, Clone, Serialize)]
pub struct PartDetail {
    /// Number.
    pub id: PartId,
    /// Name.
    pub name: String,
    /// Wire type.
    pub message_type: String,
    /// Wire id.
    pub wire_id: String,
    /// State.
    pub state: PartState,
    /// Why it is held.
    pub reason: Option<Reason>,
    /// SM3 of the payload, hex; empty while it is not known.
    pub payload_digest: String,
    /// SM3 of the sealed bytes, hex; empty while there are none.
    pub sealed_digest: String,
    /// Next try.
    pub next_at: Option<Timestamp>,
}

/// One receipt or other inbound.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptDetail {
    /// Number.
    pub id: InboundId,
    /// `received`, `unmatched`, `matched`, `quarantined`, `repeated`.
    pub state: String,
    /// Wire id of the envelope.
    pub wire_id: Option<String>,
    /// What it says.
    pub receipt: Option<Receipt>,
    /// Name it is delivered under.
    pub file_name: Option<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// When it was delivered to the site.
    pub delivered_at: Option<Timestamp>,
    /// Why it is quarantined or unread.
    pub reason: Option<Reason>,
}

/// One line of a message's timeline, or of the whole chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Number, from 1, without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What: `received`, `checked`, `refused`, `sending`, `confirmed`, …
    pub kind: String,
    /// Message it speaks of.
    pub message: Option<MessageId>,
    /// Part it speaks of.
    pub part: Option<PartId>,
    /// What else it says, JSON: digests (SM3 hex) of the bytes it speaks of, wire id, reason.
    pub data: String,
    /// SM3 over the event before, and this one; hex.
    pub hash: String,
}

/// Counts for the health page and `message list --stats`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages by delivery state number (see [`Delivery::number`]).
    pub by_delivery: [u64; 7],
    /// Messages by outcome: none, accepted, rejected, concluded.
    pub by_outcome: [u64; 4],
    /// Parked.
    pub parked: u64,
    /// Overdue.
    pub overdue: u64,
    /// Receipts and other inbound, all.
    pub inbound: u64,
    /// Of these, quarantined.
    pub quarantined: u64,
    /// Of these, unmatched.
    pub unmatched: u64,
    /// Effects not done yet.
    pub pending_effects: u64,
    /// Oldest message that waits for its turn.
    pub oldest_waiting: Option<Timestamp>,
}

/// Something that somebody must look at; stays until acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Catalogue code.
    pub code: String,
    /// Text.
    pub text: String,
    /// Message it speaks of.
    pub message: Option<MessageId>,
}
