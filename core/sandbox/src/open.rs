//! What can be said of a delivery without the store: verified, opened, its business and rule found. Runs on many threads.

use crate::config::{Parts, SandboxConfig, Side};
use crate::parallel;
use crate::scenario::{Rule, Subject};
use kouan_dxp::{DxpMsg, verify};
use kouan_sdk::business::Key;
use kouan_sdk::simulator::Arrived;
use kouan_sdk::transport::Incoming;
use kouan_sdk::{Error, Timestamp};
use kouan_sm::sm3;
use std::borrow::Cow;

/// A delivery, looked at.
pub(crate) struct Opened<'a> {
    pub(crate) incoming: &'a Incoming,
    /// SM3 of the envelope as it came, hex.
    pub(crate) body_digest: String,
    pub(crate) content: Content<'a>,
}

/// What was in it.
pub(crate) enum Content<'a> {
    Good(Box<Message<'a>>),
    /// Not verified, not readable, or of a type that nobody here takes.
    Refused {
        wire_id: Option<String>,
        sender: Option<String>,
        code: Cow<'static, str>,
        message: String,
    },
}

/// A verified message for one of the businesses.
pub(crate) struct Message<'a> {
    pub(crate) envelope: DxpMsg<'static>,
    /// SM3 of the payload, hex.
    pub(crate) digest: String,
    pub(crate) side: &'a Side,
    /// The business's repeat key, or why it could not say.
    pub(crate) key: Result<Option<Key>, Error>,
    pub(crate) rule: Option<&'a Rule>,
}

impl Message<'_> {
    /// As a simulator sees it.
    pub(crate) fn arrived(&self, at: Timestamp) -> Arrived<'_> {
        arrived(&self.envelope, at)
    }

    pub(crate) fn wire_id(&self) -> &str {
        &self.envelope.cop_msg_id
    }
}

/// Looks at a batch.
pub(crate) fn open<'a>(
    batch: &'a [Incoming],
    config: &'a SandboxConfig,
    parts: &'a Parts,
    at: Timestamp,
) -> Vec<Opened<'a>> {
    parallel::map(batch, config.threads, |incoming| Opened {
        incoming,
        body_digest: hex::encode(sm3(&incoming.body)),
        content: look(incoming, config, parts, at),
    })
}

fn look<'a>(incoming: &Incoming, config: &'a SandboxConfig, parts: &'a Parts, at: Timestamp) -> Content<'a> {
    let envelope = match verify(&incoming.body, &config.policy, &parts.trust, at) {
        Ok(verified) => verified.message,
        Err(refusal) => {
            // Only for the record: nothing that was not verified is acted on.
            let claimed = kouan_dxp::read(&incoming.body).ok();
            let (wire_id, sender) = claimed.map(|claimed| (claimed.cop_msg_id, claimed.sender)).unzip();
            return Content::Refused { wire_id, sender, code: refusal.code.into(), message: refusal.message };
        }
    };
    let Some(side) = parts.simulators.iter().find(|side| side.types.contains(&envelope.message_type)) else {
        let message = format!("no business of this sandbox takes messages of type {}", envelope.message_type);
        let (wire_id, sender) = (Some(envelope.cop_msg_id), Some(envelope.sender));
        return Content::Refused { wire_id, sender, code: "KOUAN-SANDBOX-NO-SIMULATOR".into(), message };
    };
    let key = side.simulator.repeat_key(&arrived(&envelope, at));
    let named = key.as_ref().ok().and_then(Option::as_ref).map_or(&envelope.file_name, |key| &key.value);
    let subject = Subject { business: &side.business, message_type: &envelope.message_type, key: named };
    let rule = config.scenario.rule(&subject);
    let digest = hex::encode(sm3(&envelope.payload));
    Content::Good(Box::new(Message { envelope, digest, side, key, rule }))
}

fn arrived<'e>(envelope: &'e DxpMsg<'static>, at: Timestamp) -> Arrived<'e> {
    Arrived { message_type: &envelope.message_type, file_name: &envelope.file_name, payload: &envelope.payload, at }
}
