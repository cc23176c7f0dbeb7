//! The business trait (业务): one business type's knowledge. No I/O, no clock, no global state.

use crate::{Finding, Result, Timestamp};
use std::borrow::Cow;

/// Root element of a document: namespace (empty = none) and local name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct RootName {
    /// Namespace URI; empty = no namespace; `*` = any.
    pub namespace: String,
    /// Local name; `*` = any.
    pub local: String,
}

impl RootName {
    /// A root name.
    pub fn new(namespace: impl Into<String>, local: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), local: local.into() }
    }

    /// Whether a document with this root is meant.
    pub fn matches(&self, namespace: &str, local: &str) -> bool {
        (self.is_any() || self.local == local) && (self.namespace == "*" || self.namespace == namespace)
    }

    /// Whether it takes every name; who names a root comes before.
    pub fn is_any(&self) -> bool {
        self.local == "*"
    }
}

/// One message type (报文类型) that a business sends.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MessageType {
    /// The type's name on the wire (`MsgType`), which is also the client's FormId, such as `DECCUS001`.
    pub id: String,
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
    /// Default folder below the site's root, such as `Deccus001`.
    pub folder: String,
    /// Roots by which such a document is known.
    pub roots: Vec<RootName>,
    /// DXP ids of the receivers, such as `DXPDSWDEC0000002`.
    pub receivers: Vec<String>,
    /// After this many seconds without any receipt the message is held as overdue (超时未回).
    pub receipt_deadline_s: u32,
}

/// What a business is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BusinessInfo {
    /// The plugin's id.
    pub id: String,
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
    /// The types it sends.
    pub types: Vec<MessageType>,
    /// Roots of the receipts it reads.
    pub receipt_roots: Vec<RootName>,
}

/// A file beside the document, in the zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment<'a> {
    /// Name inside the zip, exactly.
    pub name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What was dropped: one document and its attachments; the kernel has opened the zip, with limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package<'a> {
    /// Name of the dropped file.
    pub file_name: &'a str,
    /// Its stem: the site's own name for the message; receipts are named by it.
    pub stem: &'a str,
    /// FormId of the folder or queue that it came through, if known.
    pub form_id: Option<&'a str>,
    /// The document's original bytes.
    pub document: &'a [u8],
    /// Attachments; empty for a bare xml.
    pub attachments: &'a [Attachment<'a>],
}

/// A named business key, such as `ClientSeqNo` = `TEST202601120001`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Key {
    /// Name, as the field writes it.
    pub name: String,
    /// Value; never empty.
    pub value: String,
}

impl Key {
    /// A key.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// The verdict on a message, and what the kernel needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// One of the business's [`MessageType`] ids; empty if it could not be told.
    pub message_type: String,
    /// What the window knows the message by, and what a repeat of it would repeat
    /// (goods declaration: `ClientSeqNo`, or `SeqNo` for an update). `None` if it could not be read.
    pub business_key: Option<Key>,
    /// Whether the message changes an earlier one of the same business key (it carries a number that the window gave).
    pub is_update: bool,
    /// All keys in the message, the business key included; receipts are matched by these.
    pub keys: Vec<Key>,
    /// Messages with the same order key leave in their order (lane). Empty = the business key.
    pub order_key: String,
    /// Codes by which the identity is chosen, best first: enterprise codes, card numbers, such as
    /// `AgentCode` = `3101980001`.
    pub parties: Vec<Key>,
    /// What was found, in document order; at most 200.
    pub findings: Vec<Finding>,
    /// The plugin's own notes for [`Business::plan`] and [`Business::refusal`]; opaque JSON text.
    pub notes: String,
}

/// What a part carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload<'a> {
    /// These bytes; `Borrowed` when they are the document or an attachment as it stands.
    Bytes(Cow<'a, [u8]>),
    /// Not known yet: the part waits until a receipt has taught this key, then `plan` is asked again.
    WhenKnown {
        /// Name of the key, such as `SeqNo`.
        key: String,
    },
}

/// One part (部分) of a message: it gets its own wire id, sealed bytes, attempts and receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartPlan<'a> {
    /// Name among the parts, unique and stable: `document`, or the attachment's name.
    pub name: String,
    /// Wire type (`MsgType`).
    pub message_type: String,
    /// DXP ids of the receivers.
    pub receivers: Vec<String>,
    /// File name told to the receiver in `AddInfo`.
    pub file_name: String,
    /// What it carries.
    pub payload: Payload<'a>,
    /// Parts (by index, lower than this one's) that must be sent before.
    pub after: Vec<usize>,
    /// Whether receipts are expected for it.
    pub expects_receipt: bool,
    /// `AddInfo/BizKey` entries.
    pub biz_keys: Vec<Key>,
}

/// A message's own signature (DecSign), where its business asks for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureRequest {
    /// Sign these bytes with SM2/SM3 (or what the key's kind demands).
    Raw(Vec<u8>),
    /// Make an enveloped XML-DSig over the document, by a named profile.
    XmlDsig {
        /// Name of the profile.
        profile: String,
    },
}

/// What the client knows of the signer's certificate; these are fields of the message.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Signer {
    /// Serial number, lower-case hex.
    pub certificate_serial: String,
    /// Card number (IC 卡号), if the certificate carries one or the configuration names it.
    pub card_number: String,
    /// Operator's name as configured; may be empty.
    pub operator_name: String,
}

/// What a receipt says of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing yet.
    None,
    /// 入库.
    Accepted,
    /// 入库失败.
    Rejected,
    /// 办结.
    Concluded,
}

/// How a receipt's file is named.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReceiptName {
    /// `Successed`, `Failed`, `Receipt`.
    pub prefix: String,
    /// What stands in the middle: the answered file's stem if `None`, else this text.
    pub middle: Option<String>,
    /// Without the dot; `xml` for most.
    pub extension: String,
    /// Where a site is a folder tree: a folder below `Others/InBox` that it belongs in, such as `INV`, because it came from
    /// none of the business's own systems (`domain/client-notes.md`). `None`: where the answered message came from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub others: Option<String>,
}

/// A receipt (回执), read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// Kind, such as `DecImportResponse`, `DEC_RESULT`, `Root`.
    pub kind: String,
    /// Keys it carries; they match it to its message, and new ones are learned from it.
    pub keys: Vec<Key>,
    /// Place in the business's order of stages; the outcome is the fold over all receipts by (rank, time, digest),
    /// highest wins, so that the order of arrival does not matter.
    pub rank: u32,
    /// What it says of the message.
    pub outcome: Outcome,
    /// The business's own stage, shown to people, such as `海关已放行`.
    pub stage: String,
    /// Code, such as the CHANNEL or ResponseCode.
    pub code: String,
    /// Text from the other side.
    pub text: String,
    /// Whether nothing more is expected.
    pub is_final: bool,
    /// Whether the message may be sent again as a new attempt (refused, 退回修改).
    pub reopens: bool,
    /// A failure that says "I already have this key": under `repeats = "business-key"` it counts as yes.
    pub is_repeat_of_known: bool,
    /// Failure of the client itself (card, reader, signing), not of the content.
    pub is_client_failure: bool,
    /// When the other side made it, if it says so.
    pub noticed_at: Option<Timestamp>,
    /// How its file is named.
    pub name: ReceiptName,
}

/// One business type.
pub trait Business: Send + Sync {
    /// Types, folders, receivers, receipt kinds, deadlines.
    fn describe(&self) -> BusinessInfo;

    /// Judges a message. Whatever is wrong with it is a finding; `Err` only if the plugin itself cannot judge.
    fn check(&self, package: &Package<'_>) -> Result<Report>;

    /// Splits a checked message into parts. `known` = all keys known by now, from the message and its receipts.
    /// Asked again when a key is learned that a part waits for; names and order must not change.
    fn plan<'a>(&self, package: &Package<'a>, report: &Report, known: &[Key]) -> Result<Vec<PartPlan<'a>>>;

    /// What the message's own signature covers; `None` if it needs none.
    fn signature_request(&self, document: &[u8], signer: &Signer, at: Timestamp) -> Result<Option<SignatureRequest>> {
        let _ = (document, signer, at);
        Ok(None)
    }

    /// The document with its signature and signer's fields filled in.
    fn with_signature(&self, document: &[u8], signer: &Signer, at: Timestamp, signature: &[u8]) -> Result<Vec<u8>> {
        let _ = (document, signer, at, signature);
        Err(crate::Error::new(
            crate::ErrorKind::NotSupported,
            "KOUAN-BUSINESS-NO-SIGNATURE",
            "this business fills in no signature",
        ))
    }

    /// Reads a receipt. `Err` with kind `Invalid` if it is none of this business's.
    fn read_receipt(&self, bytes: &[u8]) -> Result<Receipt>;

    /// A refusal of content in the shape that the business's own failures have, and how its file is named.
    fn refusal(&self, report: &Report) -> Result<(ReceiptName, Vec<u8>)>;
}
