//! Intake: one thread a site. Receive a batch, make it durable, and only then settle the source.

use crate::check;
use crate::core::{Core, Phase, SiteSlot};
use crate::package;
use crate::retry::backoff_ms;
use kouan_journal::model::NewMessage;
use kouan_sdk::business::Report;
use kouan_sdk::transport::{Header, Incoming, Outgoing, Receiver, SendOutcome, header, header_value};
use kouan_sdk::{Error, ErrorKind, Timestamp};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait for a first message; bounds how soon a stop is seen.
const WAIT: Duration = Duration::from_millis(200);

/// How long the answer to a message that cannot be taken in may be on its way.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Headers that an answer does not take over.
const OF_THE_SOURCE: [&str; 3] = [header::REFUSED, header::FILE_NAME, header::MADE_AT];

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
    let mut refused = Refused { waiting: Vec::new(), failures: 0, next: Instant::now() };
    while core.phase() == Phase::Running {
        let batch = receiver.receive(core.config.limits.batch, core.config.limits.batch_bytes, WAIT)?;
        let mut taken = Vec::with_capacity(batch.len());
        for incoming in batch {
            match untakable(core, &incoming) {
                Some(reason) => refused.waiting.push((Incoming { body: Vec::new(), ..incoming }, reason)),
                None => taken.push(incoming),
            }
        }
        if !taken.is_empty() {
            let tokens: Vec<_> = taken.iter().map(|incoming| incoming.token).collect();
            let messages = taken.into_iter().map(|incoming| message(site, incoming)).collect();
            core.journal.accept(messages)?;
            crate::failpoint!("kernel::accepted-before-settle");
            receiver.settle(&tokens)?;
            core.checks.ring();
        }
        refused.end(core, site, receiver);
    }
    Ok(())
}

/// What cannot be taken in and has no answer yet: its source keeps it meanwhile, and hands it out again to the next
/// receiver.
struct Refused {
    waiting: Vec<(Incoming, Error)>,
    failures: u32,
    next: Instant,
}

impl Refused {
    /// Answers each, then puts it aside. An answer that cannot be delivered is tried again later, and holds up no other
    /// message.
    fn end(&mut self, core: &Core, site: &SiteSlot, receiver: &dyn Receiver) {
        if self.waiting.is_empty() || Instant::now() < self.next {
            return;
        }
        let mut failed = None;
        self.waiting.retain(|(incoming, reason)| {
            let done = answer(core, site, incoming, reason).and_then(|()| {
                crate::failpoint!("kernel::answered-before-reject");
                receiver.reject(incoming.token, reason)
            });
            done.map_err(|error| failed = Some(error)).is_err()
        });
        let Some(error) = failed else {
            self.failures = 0;
            return;
        };
        if self.failures == 0 {
            tracing::warn!(site = site.config.name, code = %error.code, "a refusal waits: {}", error.message);
        }
        self.failures = self.failures.saturating_add(1);
        let wait = backoff_ms(&core.config.retry, self.failures, 0);
        self.next = Instant::now() + Duration::from_millis(wait.unsigned_abs());
    }
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

/// Why a message cannot be journalled; `None` if it can.
fn untakable(core: &Core, incoming: &Incoming) -> Option<Error> {
    if let Some(reason) = header_value(&incoming.headers, header::REFUSED) {
        let (code, text) = reason.split_once(' ').unwrap_or((reason, ""));
        return Some(Error::new(ErrorKind::Invalid, code.to_owned(), text));
    }
    (incoming.body.len() as u64 > core.config.limits.max_message_bytes).then(|| too_big(core, incoming))
}

/// Tells the site in its business's own shape that a message was not taken in. It has no place in the journal that could
/// remember the answer: after a kill it is given again, so its name follows from the source alone.
fn answer(core: &Core, site: &SiteSlot, incoming: &Incoming, reason: &Error) -> kouan_sdk::Result<()> {
    let form_id = header_value(&incoming.headers, header::FORM_ID);
    let Some(slot) = core.business_for(None, form_id) else { return Ok(()) };
    let report = Report { findings: vec![check::finding_of(reason)], ..Report::default() };
    let (name, body) = slot.plugin.refusal(&report)?;
    let file = header_value(&incoming.headers, header::FILE_NAME).unwrap_or(&incoming.source_id);
    let middle = name.middle.as_deref().unwrap_or(package::stem(file));
    let made_at = header_value(&incoming.headers, header::MADE_AT).and_then(|at| at.parse().ok());
    let moment = made_at.map_or_else(|| core.clock.now(), Timestamp::from_millis).compact_fraction(0);
    let mut headers: Vec<Header> =
        incoming.headers.iter().filter(|(name, _)| !OF_THE_SOURCE.contains(&name.as_str())).cloned().collect();
    headers.push((header::FILE_NAME.to_owned(), format!("{}_{middle}_{moment}.{}", name.prefix, name.extension)));
    headers.push((header::CONTENT.to_owned(), "receipt".to_owned()));
    let sender = site.transport.open_sender()?;
    let id = format!("refusal/{}", incoming.source_id);
    let outcome = sender.send(&[Outgoing { id: &id, body: &body, headers: &headers }], ANSWER_DEADLINE).pop();
    sender.close();
    match outcome {
        Some(SendOutcome::Refused { transient: true, reason } | SendOutcome::Unknown { reason }) => Err(reason),
        Some(SendOutcome::Refused { reason, .. }) => {
            tracing::warn!(site = site.config.name, code = %reason.code, "a refusal is not delivered: {}", reason.message);
            Ok(())
        }
        Some(SendOutcome::Confirmed) | None => Ok(()),
    }
}

fn too_big(core: &Core, incoming: &Incoming) -> Error {
    let text = format!("{} bytes, at most {} are taken", incoming.body.len(), core.config.limits.max_message_bytes);
    Error::new(ErrorKind::Invalid, "KOUAN-KERNEL-MESSAGE-TOO-BIG", text)
}
