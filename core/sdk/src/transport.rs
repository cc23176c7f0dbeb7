//! The transport trait (传输): moves opaque messages, at least once, and says honestly what it knows.

use crate::{Error, Health, Result, Timestamp};
use std::time::Duration;

/// Well-known header names. Values are text.
pub mod header {
    /// File name as the site gave it, or as it is to be written.
    pub const FILE_NAME: &str = "file-name";
    /// FormId of the folder or queue.
    pub const FORM_ID: &str = "form-id";
    /// Folder below the site's root, where a site is a folder tree.
    pub const FOLDER: &str = "folder";
    /// Where a site is a folder tree: the folder below `Others/InBox` that a receipt belongs in, instead of `folder`.
    pub const OTHERS_FOLDER: &str = "others-folder";
    /// Wire id of an envelope.
    pub const WIRE_ID: &str = "wire-id";
    /// Messages with equal keys keep their order.
    pub const ORDER_KEY: &str = "order-key";
    /// Kind of content, such as `receipt` or `verdict`.
    pub const CONTENT: &str = "content";
    /// On the way in: code, a blank and text of why the source does not hand out the body (too big, say). The body is
    /// empty; such a message is never journalled, only answered and rejected.
    pub const REFUSED: &str = "refused";
}

/// Name and value.
pub type Header = (String, String);

/// The value of the first header called `name`.
pub fn header_value<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// What a transport can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Capabilities {
    /// The other end signs and seals (the official client); it gets plain documents.
    pub seals_itself: bool,
    /// Its sender can [`Sender::inquire`].
    pub inquires: bool,
    /// Its receiver shows the end of a message ([`Receiver::dispose`] does something).
    pub disposes: bool,
}

/// A message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Stable over repeats: wire id of an envelope, delivery id of a receipt. The receiver may drop repeats by it.
    pub id: &'a str,
    /// Exactly these bytes.
    pub body: &'a [u8],
    /// See [`header`].
    pub headers: &'a [Header],
}

/// What became of one message of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// The other side has it durably.
    Confirmed,
    /// It certainly does not have it.
    Refused {
        /// Whether trying again later, unchanged, may help.
        transient: bool,
        /// Why.
        reason: Error,
    },
    /// It may or may not have it.
    Unknown {
        /// What was seen.
        reason: Error,
    },
}

/// What the other side knows of a wire id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inquiry {
    /// It has it.
    Present,
    /// It certainly does not have it, and will not.
    Absent,
    /// It cannot tell.
    Unknown,
}

/// Names a received, not yet settled message of one receiver; worthless after it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub u64);

/// A message on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Settles it.
    pub token: Token,
    /// Stable over redelivery (claim number, offset, message id); same id = same delivery.
    pub source_id: String,
    /// Its bytes, exactly.
    pub body: Vec<u8>,
    /// See [`header`].
    pub headers: Vec<Header>,
    /// Whether the source says that it was delivered before.
    pub redelivered: bool,
}

/// How a taken message ended, for sources that show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Sent: SentBox.
    Sent,
    /// Refused or given up: FailBox.
    Failed,
}

/// Asks a source to show the end of a message. Idempotent: may come again after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition<'a> {
    /// The [`Incoming::source_id`] it was taken under.
    pub source_id: &'a str,
    /// The headers it was taken with.
    pub headers: &'a [Header],
    /// The original bytes, for the case that the source lost its own copy.
    pub body: &'a [u8],
    /// How it ended.
    pub end: End,
    /// When it ended; the day's folder is named by it.
    pub at: Timestamp,
    /// Machine-readable verdict (JSON), if one is to be shown.
    pub verdict: Option<&'a [u8]>,
}

/// Sends. Used from one thread at a time, except [`Sender::close`].
pub trait Sender: Send + Sync {
    /// One outcome for each message, in order. Never panics on refusal, never hides doubt: after a time-out the
    /// outcome is [`SendOutcome::Unknown`]. Order within the batch is kept.
    fn send(&self, batch: &[Outgoing<'_>], deadline: Duration) -> Vec<SendOutcome>;

    /// What the other side knows of these wire ids.
    fn inquire(&self, wire_ids: &[&str]) -> Result<Vec<Inquiry>> {
        Ok(vec![Inquiry::Unknown; wire_ids.len()])
    }

    /// Ends a `send` that waits, and releases everything. May be called concurrently, and twice.
    fn close(&self);
}

/// Receives. `receive`, `settle` and `reject` come from one thread; `dispose` and `undisposed` may come from another
/// at the same time, `close` from any.
pub trait Receiver: Send + Sync {
    /// Up to `max` messages and about `max_bytes` (at least one message); waits up to `wait` for the first.
    /// An empty answer means that nothing came. Unsettled messages are not handed out again until reopened.
    fn receive(&self, max: usize, max_bytes: usize, wait: Duration) -> Result<Vec<Incoming>>;

    /// The journal has these; the source may forget them.
    fn settle(&self, tokens: &[Token]) -> Result<()>;

    /// This one can never be journalled (too big, say); the source puts it aside, visible, with the reason.
    fn reject(&self, token: Token, reason: &Error) -> Result<()>;

    /// Shows the ends of taken messages; one result each. Idempotent.
    fn dispose(&self, batch: &[Disposition<'_>]) -> Vec<Result<()>> {
        batch.iter().map(|_| Ok(())).collect()
    }

    /// Source ids that were taken and not yet disposed of, as the source itself sees them (files in TempBox).
    fn undisposed(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Ends a `receive` that waits, and releases everything. May be called concurrently, and twice.
    fn close(&self);
}

/// One transport instance: one site, or one side of the window.
pub trait Transport: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Opens the sending side. Kind `Unavailable` if the other end cannot be reached now.
    fn open_sender(&self) -> Result<Box<dyn Sender>>;

    /// Opens the receiving side.
    fn open_receiver(&self) -> Result<Box<dyn Receiver>>;

    /// Whether the other end can be reached, without moving a message.
    fn probe(&self) -> Health;
}
