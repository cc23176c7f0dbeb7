//! The envelope's fields.

use crate::{DxpError, WireId};
use kouan_sdk::Timestamp;
use kouan_sdk::business::Key;
use std::borrow::Cow;

/// An envelope (`DxpMsg`), its payload unpacked (`domain/goods-declaration.md` §4.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DxpMsg<'a> {
    /// `CopMsgId`; ours are [`WireId`]s, those of others need not be.
    pub cop_msg_id: String,
    /// `SenderId`, a DXP id.
    pub sender: String,
    /// `ReceiverIds/ReceiverId`, DXP ids; at least one.
    pub receivers: Vec<String>,
    /// `CreatTime` (sic) as written, `yyyy-MM-ddTHH:mm:ss` with or without an offset.
    pub created: String,
    /// `MsgType`, such as `DECCUS001`.
    pub message_type: String,
    /// What `Data` carries.
    pub payload: Cow<'a, [u8]>,
    /// Whether `Data` carries it gzipped.
    pub zipped: bool,
    /// `AddInfo/FileName`; may be empty.
    pub file_name: String,
    /// `AddInfo/IcCard`; may be empty.
    pub ic_card: String,
    /// `AddInfo/BizKey/Key`.
    pub biz_keys: Vec<BizKey>,
}

/// One `BizKey/Key`. Unlike [`Key`] it may be empty: receipts carry empty ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BizKey {
    /// `@name`.
    pub name: String,
    /// Its text.
    pub value: String,
}

impl<'a> DxpMsg<'a> {
    /// An envelope of ours around `payload`, made at `at`; the rest is set by its fields.
    pub fn new(id: &WireId, receivers: Vec<String>, at: Timestamp, message_type: &str, payload: &'a [u8]) -> Self {
        Self {
            cop_msg_id: id.as_str().to_owned(),
            sender: id.dxp_id().to_owned(),
            receivers,
            created: at.local(),
            message_type: message_type.to_owned(),
            payload: Cow::Borrowed(payload),
            ..Self::default()
        }
    }

    /// The wire id.
    ///
    /// # Errors
    /// If the sender numbers its messages in another way.
    pub fn wire_id(&self) -> Result<WireId, DxpError> {
        WireId::parse(&self.cop_msg_id)
    }

    /// When it was made, if that can be read.
    pub fn created_at(&self) -> Option<Timestamp> {
        Timestamp::parse_local(&self.created)
    }

    /// Checks what a receiver needs.
    ///
    /// # Errors
    /// The first field that is missing.
    pub fn check(&self) -> Result<(), DxpError> {
        let needed = [
            ("CopMsgId", &self.cop_msg_id),
            ("SenderId", &self.sender),
            ("CreatTime", &self.created),
            ("MsgType", &self.message_type),
        ];
        if let Some((name, _)) = needed.into_iter().find(|(_, value)| value.trim().is_empty()) {
            return Err(DxpError::FieldMissing(name));
        }
        if self.receivers.is_empty() || self.receivers.iter().any(|id| id.trim().is_empty()) {
            return Err(DxpError::FieldMissing("ReceiverId"));
        }
        Ok(())
    }
}

impl From<Key> for BizKey {
    fn from(key: Key) -> Self {
        Self { name: key.name, value: key.value }
    }
}
