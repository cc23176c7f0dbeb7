//! What plan, refusal and signing need to know of a checked message. Travels as [`kouan_sdk::business::Report::notes`].

use kouan_sdk::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// Wire type of the declaration.
pub(crate) const DECLARATION: &str = "DECCUS001";
/// Wire type of an attachment.
pub(crate) const ATTACHMENT: &str = "DECEDOC001";
/// DXP id of the declaration's receiver (`domain/goods-declaration.md` §3.1).
pub(crate) const DECLARATION_RECEIVER: &str = "DXPDSWDEC0000002";
/// DXP id of the attachments' receiver.
pub(crate) const ATTACHMENT_RECEIVER: &str = "DXPDSWDECEDOC002";
/// Namespace of DecMessage and DecImportResponse (§1.1).
pub(crate) const NAMESPACE: &str = "http://www.chinaport.gov.cn/dec";

/// Names of the business's keys.
pub(crate) mod key {
    /// 客户端报关单编号.
    pub(crate) const CLIENT_SEQ_NO: &str = "ClientSeqNo";
    /// 数据中心统一编号.
    pub(crate) const SEQ_NO: &str = "SeqNo";
    /// 海关编号.
    pub(crate) const ENTRY_ID: &str = "EntryId";
    /// 转关单统一编号.
    pub(crate) const TRN_PRE_ID: &str = "TrnPreId";
}

/// Facts of a message; a field that is absent is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    pub(crate) oper_type: String,
    pub(crate) kind: String,
    pub(crate) client_seq_no: String,
    pub(crate) seq_no: String,
    pub(crate) entry_id: String,
    pub(crate) agent_code: String,
    pub(crate) cop_code: String,
    pub(crate) typist_no: String,
    pub(crate) custom_master: String,
    pub(crate) declare_name: String,
    pub(crate) inputer_name: String,
    pub(crate) print_date: String,
    pub(crate) edocs: Vec<Edoc>,
}

/// An EdocRealation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Edoc {
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) format: String,
    pub(crate) op_note: String,
    pub(crate) file_name: String,
    pub(crate) owner_code: String,
    pub(crate) sign_time: String,
    pub(crate) size: String,
}

impl Edoc {
    /// Whether a file belongs to it; a structured one (S) lives in another system.
    pub(crate) fn has_file(&self) -> bool {
        !self.file_name.is_empty() && self.format != "S"
    }
}

impl Facts {
    /// From a report's notes.
    pub(crate) fn from_notes(notes: &str) -> Result<Self> {
        serde_json::from_str(notes).map_err(|e| {
            Error::new(ErrorKind::Internal, "KOUAN-DEC-NOTES", format!("the report's notes cannot be read: {e}"))
        })
    }

    /// As a report's notes.
    pub(crate) fn to_notes(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Position 3 of Type is 5: the summary of a two-step declaration (两步申报概要).
    pub(crate) fn is_two_step_summary(&self) -> bool {
        self.kind.chars().nth(2) == Some('5')
    }
}

/// Whether an OperType declares and so needs its own signature: C 申报, D 申报（含转关）.
pub(crate) fn is_declared(oper_type: &str) -> bool {
    matches!(oper_type, "C" | "D")
}
