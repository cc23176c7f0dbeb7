//! Intake: one thread a site. Receive a batch, make it durable, and only then settle the source.

use crate::core::{Core, Phase, SiteSlot};
use crate::retry::backoff_ms;
use kouan_journal::model::NewMessage;
use kouan_sdk::transport::{Incoming, Receiver, header, header_value};
use kouan_sdk::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a first message; bounds how soon a stop is seen.
const WAIT: Duration = Duration::from_millis(200);

/// Runs until the gateway drains.
pub fn run(core: &Core, site: &SiteSlot) {
    let mut failures = 0;
    while core.phase() == Phase::Running {
        match open(site).and_then(|receiver| pump(core, site, &*receiver)) {
            Ok(()) => failures = 0,
            Err(error) => {
                failures += 1;
                tracing::warn!(site = site.config.name, code = %error.code, "intake stops for a while: {}", error.message);
                close(site);
                let wait = backoff_ms(&core.config.retry, failures, 0);
                core.phases.wait(core.phases.count(), Duration::from_millis(wait.unsigned_abs()));
            }
        }
    }
}

/// The site's receiver; effects share it.
fn open(site: &SiteSlot) -> kouan_sdk::Result<Arc<dyn Receiver>> {
    let mut slot = site.receiver.lock();
    if let Some(receiver) = &*slot {
        return Ok(receiver.clone());
    }
    let receiver: Arc<dyn Receiver> = Arc::from(site.transport.open_receiver()?);
    *slot = Some(receiver.clone());
    site.effects.ring();
    Ok(receiver)
}

fn close(site: &SiteSlot) {
    if let Some(receiver) = site.receiver.lock().take() {
        receiver.close();
    }
}

/// Batches until something fails. After a failure the receiver is opened anew, so that what was handed out and not
/// settled is handed out again.
fn pump(core: &Core, site: &SiteSlot, receiver: &dyn Receiver) -> kouan_sdk::Result<()> {
    while core.phase() == Phase::Running {
        let batch = receiver.receive(core.config.limits.batch, core.config.limits.batch_bytes, WAIT)?;
        if batch.is_empty() {
            continue;
        }
        let (taken, refused): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|incoming| incoming.body.len() as u64 <= core.config.limits.max_message_bytes);
        for incoming in refused {
            receiver.reject(incoming.token, &too_big(core, &incoming))?;
        }
        let tokens: Vec<_> = taken.iter().map(|incoming| incoming.token).collect();
        let messages = taken.into_iter().map(|incoming| message(site, incoming)).collect();
        core.journal.accept(messages)?;
        crate::failpoint!("kernel::accepted-before-settle");
        receiver.settle(&tokens)?;
        core.checks.ring();
    }
    Ok(())
}

fn message(site: &SiteSlot, incoming: Incoming) -> NewMessage {
    let file_name = header_value(&incoming.headers, header::FILE_NAME).unwrap_or(&incoming.source_id).to_owned();
    NewMessage {
        site: site.config.name.clone(),
        source_id: incoming.source_id,
        file_name,
        headers: incoming.headers,
        body: incoming.body.into(),
    }
}

fn too_big(core: &Core, incoming: &Incoming) -> Error {
    let text = format!("{} bytes, at most {} are taken", incoming.body.len(), core.config.limits.max_message_bytes);
    Error::new(ErrorKind::Invalid, "KOUAN-KERNEL-MESSAGE-TOO-BIG", text)
}
