//! Reading the envelope's fields.

use crate::write::ZIPPED_KEY;
use crate::{BizKey, DSIG_NAMESPACE, DXP_NAMESPACE, DxpError, DxpMsg, base64};
use kouan_sdk::business::RootName;
use kouan_xml::{Decoded, Event, Limits, Reader, decode};
use std::borrow::Cow;
use std::io::Read as _;

/// Longest payload, unpacked, in bytes, where nobody says less.
pub(crate) const MAX_PAYLOAD: usize = 64 << 20;
/// What a gzip stream begins with.
const GZIP_MAGIC: &[u8] = &[0x1F, 0x8B, 8];

/// Limits for envelopes: as for any message, but for one long text, the payload in base64.
pub fn limits() -> Limits {
    let max_text = MAX_PAYLOAD / 3 * 4 + (4 << 20);
    Limits { max_bytes: max_text + (1 << 20), max_text, ..Limits::default() }
}

/// Reads an envelope **without looking at its signature**; [`verify`](crate::verify) is the way for what comes from outside.
///
/// # Errors
/// Not readable as XML, no DxpMsg, fields missing or twice, a payload that does not decode or unpack.
pub fn read(bytes: &[u8]) -> Result<DxpMsg<'static>, DxpError> {
    let limits = limits();
    let decoded = decode(bytes, &limits)?;
    let mut reader = Reader::new(&decoded, &limits);
    let mut collector = Collector::new(&decoded);
    while let Some(event) = reader.next()? {
        collector.event(&event);
    }
    collector.finish(MAX_PAYLOAD)
}

/// Gathers fields from events.
pub(crate) struct Collector<'a> {
    decoded: &'a Decoded<'a>,
    /// Local names of the open elements.
    path: Vec<&'a str>,
    root: Option<RootName>,
    /// Depth of an element that is none of ours, while inside it.
    foreign: Option<usize>,
    message: DxpMsg<'static>,
    data: Option<Vec<u8>>,
    /// Fields met so far; each may stand once.
    seen: Vec<&'a str>,
    error: Option<DxpError>,
}

impl<'a> Collector<'a> {
    pub fn new(decoded: &'a Decoded<'a>) -> Self {
        Self {
            decoded,
            path: Vec::new(),
            root: None,
            foreign: None,
            message: DxpMsg::default(),
            data: None,
            seen: Vec::new(),
            error: None,
        }
    }

    /// The root element, once it was met.
    pub fn root(&self) -> Option<&RootName> {
        self.root.as_ref()
    }

    /// Whether the root is an envelope's.
    pub fn is_envelope(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.matches(DXP_NAMESPACE, "DxpMsg"))
    }

    pub fn event(&mut self, event: &Event<'_, 'a>) {
        match event {
            Event::Start(start) => {
                if start.depth == 1 {
                    self.root = Some(RootName::new(start.namespace, start.local));
                }
                self.path.push(start.local);
                let own = start.namespace == DXP_NAMESPACE;
                if self.foreign.is_none() && !own {
                    self.foreign = Some(start.depth);
                }
                if self.foreign.is_none() {
                    self.start(start.attribute("name"), start.offset);
                }
            }
            Event::Text(text) if self.foreign.is_none() => self.text(text.text, text.offset),
            Event::Text(_) => {}
            Event::End(end) => {
                self.path.pop();
                if self.foreign == Some(end.depth) {
                    self.foreign = None;
                }
            }
        }
    }

    /// The message, if the root is an envelope's and everything was in order; its payload unpacked, to `max_payload` bytes
    /// at the most.
    pub fn finish(mut self, max_payload: usize) -> Result<DxpMsg<'static>, DxpError> {
        if !self.is_envelope() {
            let RootName { namespace, local } = self.root.unwrap_or_else(|| RootName::new("", ""));
            return Err(DxpError::NotDxpMsg { namespace, local });
        }
        if let Some(error) = self.error {
            return Err(error);
        }
        self.message.check()?;
        let data = self.data.ok_or(DxpError::FieldMissing("Data"))?;
        let flagged = self.message.biz_keys.iter().any(|key| key.name == ZIPPED_KEY && is_true(&key.value));
        self.message.zipped = flagged || data.starts_with(GZIP_MAGIC);
        let payload = if self.message.zipped { gunzip(&data, max_payload)? } else { data };
        if payload.len() > max_payload {
            return Err(DxpError::PayloadTooBig(max_payload));
        }
        self.message.payload = Cow::Owned(payload);
        Ok(self.message)
    }

    fn start(&mut self, name: Option<&str>, offset: usize) {
        match self.path[..] {
            [_, "TransInfo", "ReceiverIds", "ReceiverId"] => self.message.receivers.push(String::new()),
            [_, "AddInfo", "BizKey", "Key"] => {
                self.message.biz_keys.push(BizKey { name: name.unwrap_or_default().into(), value: String::new() });
            }
            [_, .., last] => {
                if self.seen.contains(&last) {
                    let place = self.decoded.locate(offset);
                    self.fail(DxpError::FieldTwice { name: last.into(), place });
                }
                self.seen.push(last);
                if self.path[1..] == ["Data"] {
                    self.data = Some(Vec::new());
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str, offset: usize) {
        let message = &mut self.message;
        let field = match self.path[..] {
            [_, "TransInfo", "CopMsgId"] => &mut message.cop_msg_id,
            [_, "TransInfo", "SenderId"] => &mut message.sender,
            [_, "TransInfo", "CreatTime"] => &mut message.created,
            [_, "TransInfo", "MsgType"] => &mut message.message_type,
            [_, "AddInfo", "FileName"] => &mut message.file_name,
            [_, "AddInfo", "IcCard"] => &mut message.ic_card,
            [_, "TransInfo", "ReceiverIds", "ReceiverId"] => match message.receivers.last_mut() {
                Some(receiver) => receiver,
                None => return,
            },
            [_, "AddInfo", "BizKey", "Key"] => match message.biz_keys.last_mut() {
                Some(key) => &mut key.value,
                None => return,
            },
            [_, "Data"] => {
                match base64::decode(text, "Data", self.decoded, offset) {
                    Ok(bytes) => self.data = Some(bytes),
                    Err(error) => self.fail(error),
                }
                return;
            }
            _ => return,
        };
        // Text around a child element comes in several pieces; none of these fields has children.
        if field.is_empty() {
            *field = text.trim().to_owned();
        }
    }

    fn fail(&mut self, error: DxpError) {
        self.error.get_or_insert(error);
    }
}

fn is_true(value: &str) -> bool {
    ["1", "true", "y", "yes"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// Unpacks, never to more than `limit` bytes.
pub(crate) fn gunzip(data: &[u8], limit: usize) -> Result<Vec<u8>, DxpError> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(data).take(limit as u64 + 1);
    decoder.read_to_end(&mut out).map_err(|error| DxpError::BadGzip(error.to_string()))?;
    if out.len() > limit {
        return Err(DxpError::PayloadTooBig(limit));
    }
    Ok(out)
}

/// Whether an element belongs to a signature.
pub(crate) fn is_signature(namespace: &str, local: &str) -> bool {
    namespace == DSIG_NAMESPACE && local == "Signature"
}
