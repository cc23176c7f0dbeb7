//! The envelope's text. What stands after the XML declaration is its own canonical form, so that the digest needs no parser.

use crate::{BizKey, DSIG_NAMESPACE, DXP_NAMESPACE, DxpError, DxpMsg, base64};
use kouan_xml::{escape_attribute, escape_text};
use std::io::Write as _;

/// The XML declaration; not part of the canonical form.
pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
/// The end of the envelope.
pub(crate) const CLOSE: &str = "</DxpMsg>";
/// The name of the BizKey that says that the payload is gzipped. One public program calls its flag so
/// (`domain/goods-declaration.md` §4.2); readers here also go by the payload's first bytes.
pub(crate) const ZIPPED_KEY: &str = "messageZiped";

/// The envelope up to, not including, its end tag; begins with [`DECLARATION`].
pub(crate) fn open_envelope(message: &DxpMsg<'_>) -> Result<String, DxpError> {
    message.check()?;
    let zipped;
    let payload: &[u8] = if message.zipped {
        zipped = gzip(&message.payload)?;
        &zipped
    } else {
        &message.payload
    };
    let mut out = String::with_capacity(payload.len() / 3 * 4 + 1536);
    out.push_str(DECLARATION);
    out.push_str("<DxpMsg xmlns=\"");
    out.push_str(DXP_NAMESPACE);
    out.push_str("\" xmlns:ds=\"");
    out.push_str(DSIG_NAMESPACE);
    out.push_str("\" ver=\"1.0\"><TransInfo>");
    element(&mut out, "CopMsgId", &message.cop_msg_id)?;
    element(&mut out, "SenderId", &message.sender)?;
    out.push_str("<ReceiverIds>");
    for receiver in &message.receivers {
        element(&mut out, "ReceiverId", receiver)?;
    }
    out.push_str("</ReceiverIds>");
    element(&mut out, "CreatTime", &message.created)?;
    element(&mut out, "MsgType", &message.message_type)?;
    out.push_str("</TransInfo><Data>");
    base64::encode_into(payload, &mut out);
    out.push_str("</Data><AddInfo>");
    element(&mut out, "FileName", &message.file_name)?;
    element(&mut out, "IcCard", &message.ic_card)?;
    out.push_str("<BizKey>");
    for key in &message.biz_keys {
        biz_key(&mut out, key)?;
    }
    if message.zipped && !message.biz_keys.iter().any(|key| key.name == ZIPPED_KEY) {
        biz_key(&mut out, &BizKey { name: ZIPPED_KEY.into(), value: "true".into() })?;
    }
    out.push_str("</BizKey></AddInfo>");
    Ok(out)
}

fn element(out: &mut String, name: &'static str, value: &str) -> Result<(), DxpError> {
    refuse_unwritable(name, value)?;
    for piece in ["<", name, ">", &escape_text(value), "</", name, ">"] {
        out.push_str(piece);
    }
    Ok(())
}

fn biz_key(out: &mut String, key: &BizKey) -> Result<(), DxpError> {
    refuse_unwritable("Key", &key.name)?;
    refuse_unwritable("Key", &key.value)?;
    for piece in ["<Key name=\"", &escape_attribute(&key.name), "\">", &escape_text(&key.value), "</Key>"] {
        out.push_str(piece);
    }
    Ok(())
}

/// Characters that XML cannot carry even as references.
fn refuse_unwritable(name: &'static str, value: &str) -> Result<(), DxpError> {
    let bad = |c: char| matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}');
    match value.chars().find(|c| bad(*c)) {
        None => Ok(()),
        Some(c) => {
            Err(DxpError::FieldInvalid { name, why: format!("character U+{:04X} cannot be written", u32::from(c)) })
        }
    }
}

/// Deterministic: no time, no name; the same payload always gives the same bytes.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>, DxpError> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|error| DxpError::BadGzip(error.to_string()))
}
