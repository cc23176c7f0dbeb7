//! Inbound: what the window sends is made durable and settled; then it is opened (verified, unpacked, read by its
//! business) and matched. What cannot be verified is kept back (隔离) with the reason, never delivered.

use crate::core::{Core, Phase};
use crate::parallel;
use crate::retry::backoff_ms;
use kouan_dxp::{DxpMsg, Policy};
use kouan_journal::model::{InboundId, NewInbound, OpenResult, Opened, OpenedReceipt, Reason, Unopened};
use kouan_sdk::transport::Receiver;
use kouan_sdk::{ErrorKind, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Longest wait for a first envelope; bounds how soon a stop is seen.
const WAIT: Duration = Duration::from_millis(200);

/// Longest nap between two looks for something to open.
const NAP: Duration = Duration::from_secs(1);

/// Envelopes opened together.
const BATCH: usize = 64;

/// Codes, by how they begin, of what failed for want of the right trust or key: another one may mend it. What is malformed
/// stays so.
pub const MENDED_BY_KEYS: &[&str] =
    &["KOUAN-DXP-CERTIFICATE-", "KOUAN-DXP-SIGNATURE-INVALID", "KOUAN-SM-", "KOUAN-KERNEL-NOT-FOR-US"];

/// Receives from the window until the gateway drains.
pub fn receive(core: &Core) {
    let mut failures = 0;
    while core.phase() == Phase::Running {
        match core.window.open_receiver().and_then(|receiver| pump(core, &*receiver)) {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                tracing::warn!(code = %error.code, "receiving stops for a while: {}", error.message);
                let wait = backoff_ms(&core.config.retry, failures, 1);
                core.phases.wait(core.phases.count(), Duration::from_millis(wait.unsigned_abs()));
            }
        }
    }
}

fn pump(core: &Core, receiver: &dyn Receiver) -> Result<()> {
    let result = pump_open(core, receiver);
    receiver.close();
    result
}

fn pump_open(core: &Core, receiver: &dyn Receiver) -> Result<()> {
    while core.phase() == Phase::Running {
        let batch = receiver.receive(core.config.limits.batch, core.config.limits.batch_bytes, WAIT)?;
        if batch.is_empty() {
            continue;
        }
        let tokens: Vec<_> = batch.iter().map(|incoming| incoming.token).collect();
        let inbound = batch
            .into_iter()
            .map(|incoming| NewInbound {
                source_id: incoming.source_id,
                headers: incoming.headers,
                raw: incoming.body.into(),
            })
            .collect();
        core.journal.accept_inbound(inbound)?;
        crate::failpoint!("kernel::received-before-settle");
        receiver.settle(&tokens)?;
        core.opens.ring();
    }
    Ok(())
}

/// Opens what was received, until the gateway stops; while it drains, until nothing is left.
pub fn open(core: &Core) {
    let mut after = InboundId(0);
    while core.phase() != Phase::Stopped {
        let seen = core.opens.count();
        match open_batch(core, &mut after) {
            Ok(true) => {}
            Ok(false) if core.phase() == Phase::Draining => break,
            Ok(false) => {
                // What an operator lets be tried again lies behind us.
                core.opens.wait(seen, NAP);
                after = InboundId(0);
            }
            Err(error) => {
                tracing::error!(code = %error.code, "opening stops for a moment: {}", error.message);
                core.phases.wait(core.phases.count(), NAP);
            }
        }
    }
}

fn open_batch(core: &Core, after: &mut InboundId) -> Result<bool> {
    let limit = core.config.limits.batch_bytes;
    let batch = core.journal.unopened(*after, BATCH, limit)?;
    if batch.is_empty() {
        return Ok(false);
    }
    // Payloads may be packed: once enough came out of some, the others are left for the next batch.
    let unpacked = AtomicUsize::new(0);
    let looked = parallel::map(&batch, |unopened| {
        (unpacked.load(Ordering::Relaxed) <= limit).then(|| {
            let opened = open_one(core, unopened);
            unpacked.fetch_add(opened.as_ref().map_or(0, |opened| opened.result.payload_bytes()), Ordering::Relaxed);
            opened
        })
    });
    let passed = batch.iter().zip(&looked).take_while(|(_, looked)| looked.is_some());
    *after = passed.last().map_or(*after, |(unopened, _)| unopened.id);
    let opened: Vec<_> = looked.into_iter().flatten().flatten().collect();
    if opened.is_empty() {
        return Ok(true);
    }
    for Opened { id, result } in &opened {
        if let OpenResult::Quarantined(reason) = result {
            tracing::warn!(inbound = id.0, code = %reason.code, "an envelope is kept in quarantine: {}", reason.text);
        }
    }
    crate::failpoint!("kernel::opened-before-record");
    core.journal.record_opened(opened)?;
    core.ring_effects();
    // A receipt may free a lane, settle a doubt, or teach the key that an attachment waits for.
    core.outbound.ring();
    Ok(true)
}

/// `None` if its business cannot read anything now; asked again later.
fn open_one(core: &Core, unopened: &Unopened) -> Option<Opened> {
    let policy = if core.config.window.legacy_signatures { Policy::legacy() } else { Policy::strict() };
    let max_payload = usize::try_from(core.config.limits.max_message_bytes).unwrap_or(usize::MAX);
    let policy = Policy { max_payload: policy.max_payload.min(max_payload), ..policy };
    let result = match kouan_dxp::verify(&unopened.raw, &policy, &core.trust, core.clock.now()) {
        Ok(verified) => read(core, verified.message)?,
        Err(refused) => OpenResult::Quarantined(Reason::new(refused.code, refused.message)),
    };
    Some(Opened { id: unopened.id, result })
}

fn read(core: &Core, envelope: DxpMsg<'static>) -> Option<OpenResult> {
    let ours = envelope.receivers.iter().find(|id| core.identities.by_dxp_id(id).is_some());
    let Some(receiver) = ours.cloned() else {
        let text = format!("addressed to {}", envelope.receivers.join(", "));
        return Some(OpenResult::Quarantined(Reason::new("KOUAN-KERNEL-NOT-FOR-US", text)));
    };
    let root = match kouan_xml::root_name(&envelope.payload) {
        Ok(root) => root,
        Err(error) => return Some(unread(envelope, &error.into())),
    };
    let Some(slot) = core.reader_of(&envelope.message_type, &root.namespace, &root.local) else {
        let text = format!("<{}> of `{}`", root.local, root.namespace);
        let error = kouan_sdk::Error::new(ErrorKind::NotSupported, "KOUAN-KERNEL-NO-READER", text);
        return Some(unread(envelope, &error));
    };
    match slot.plugin.read_receipt(&envelope.payload) {
        Ok(receipt) => Some(OpenResult::Receipt(Box::new(OpenedReceipt {
            wire_id: Some(envelope.cop_msg_id),
            sender: envelope.sender,
            receiver,
            business: slot.info.id.clone(),
            receipt,
            payload: envelope.payload.into_owned(),
            answers_file: (!envelope.file_name.is_empty()).then_some(envelope.file_name),
        }))),
        Err(error) if error.is_transient() => None,
        Err(error) => Some(unread(envelope, &error)),
    }
}

fn unread(envelope: DxpMsg<'static>, error: &kouan_sdk::Error) -> OpenResult {
    OpenResult::Unread {
        wire_id: Some(envelope.cop_msg_id),
        message_type: envelope.message_type,
        payload: envelope.payload.into_owned(),
        file_name: envelope.file_name,
        reason: Reason::from(error),
    }
}
