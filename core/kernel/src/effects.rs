//! Effects at a site: receipts, refusals and verdicts delivered, ends shown. The journal lists them, in order; each is
//! idempotent, so doing one twice after a crash does no harm.

use crate::core::{Core, Phase, SiteSlot};
use crate::retry::backoff_ms;
use kouan_journal::model::{Effect, EffectDone, EffectKind, Reason};
use kouan_sdk::transport::{Disposition, Outgoing, SendOutcome, Sender};
use std::time::Duration;

/// Longest nap between two looks: effects that failed come due by time alone.
const NAP: Duration = Duration::from_millis(500);

/// How long one batch of deliveries may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Runs until the gateway stops; while it drains, until nothing is left.
pub fn run(core: &Core, site: &SiteSlot) {
    let mut sender: Option<Box<dyn Sender>> = None;
    while core.phase() != Phase::Stopped {
        let seen = site.effects.count();
        match round(core, site, &mut sender) {
            Ok(0) if core.phase() == Phase::Draining => break,
            Ok(0) => site.effects.wait(seen, NAP),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(site = site.config.name, code = %error.code, "deliveries wait: {}", error.message);
                sender = None;
                if core.phase() == Phase::Draining {
                    break;
                }
                site.effects.wait(seen, NAP);
            }
        }
    }
    if let Some(sender) = sender {
        sender.close();
    }
}

/// One batch; returns how many effects were tried.
fn round(core: &Core, site: &SiteSlot, sender: &mut Option<Box<dyn Sender>>) -> kouan_sdk::Result<usize> {
    let limits = &core.config.limits;
    let due = core.journal.effects_due(&site.config.name, limits.batch, limits.batch_bytes)?;
    if due.is_empty() {
        return Ok(0);
    }
    let count = due.len();
    let (deliveries, ends): (Vec<_>, Vec<_>) =
        due.into_iter().partition(|effect| matches!(effect.kind, EffectKind::Deliver { .. }));
    let mut done = Vec::with_capacity(count);
    // Deliveries first: a message's refusal is in InBox before its file appears in FailBox.
    if !deliveries.is_empty() {
        let sender = match sender {
            Some(sender) => sender,
            None => sender.insert(site.transport.open_sender()?),
        };
        done.extend(deliver(core, &**sender, &deliveries));
    }
    let failed: Vec<_> = done.iter().filter(|d: &&EffectDone| d.result.is_err()).map(|d| d.id).collect();
    let blocked: Vec<_> = deliveries.iter().filter(|e| failed.contains(&e.id)).filter_map(|e| e.message).collect();
    let ends: Vec<_> = ends.into_iter().filter(|e| e.message.is_none_or(|m| !blocked.contains(&m))).collect();
    crate::failpoint!("kernel::delivered-before-dispose");
    if !ends.is_empty() {
        done.extend(dispose(core, site, &ends));
    }
    crate::failpoint!("kernel::effects-before-record");
    core.journal.record_effects(done)?;
    Ok(count)
}

fn deliver(core: &Core, sender: &dyn Sender, effects: &[Effect]) -> Vec<EffectDone> {
    let batch: Vec<_> = effects
        .iter()
        .filter_map(|effect| match &effect.kind {
            EffectKind::Deliver { id, headers, body } => Some(Outgoing { id, body, headers }),
            EffectKind::Dispose { .. } => None,
        })
        .collect();
    let outcomes = sender.send(&batch, DEADLINE);
    effects
        .iter()
        .zip(outcomes)
        .map(|(effect, outcome)| match outcome {
            SendOutcome::Confirmed => EffectDone { id: effect.id, result: Ok(()) },
            // Doubt does no harm here: the same name and bytes again are the same delivery.
            SendOutcome::Refused { reason, .. } | SendOutcome::Unknown { reason } => failed(core, effect, &reason),
        })
        .collect()
}

fn dispose(core: &Core, site: &SiteSlot, effects: &[Effect]) -> Vec<EffectDone> {
    let Some(receiver) = site.receiver.lock().clone() else {
        let closed = kouan_sdk::Error::new(
            kouan_sdk::ErrorKind::Unavailable,
            "KOUAN-KERNEL-SITE-CLOSED",
            format!("site {} is not open", site.config.name),
        );
        return effects.iter().map(|effect| failed(core, effect, &closed)).collect();
    };
    let batch: Vec<_> = effects
        .iter()
        .filter_map(|effect| match &effect.kind {
            EffectKind::Dispose { source_id, headers, body, end, at, verdict } => {
                Some(Disposition { source_id, headers, body, end: *end, at: *at, verdict: verdict.as_deref() })
            }
            EffectKind::Deliver { .. } => None,
        })
        .collect();
    let results = receiver.dispose(&batch);
    effects
        .iter()
        .zip(results)
        .map(|(effect, result)| match result {
            Ok(()) => EffectDone { id: effect.id, result: Ok(()) },
            Err(reason) => failed(core, effect, &reason),
        })
        .collect()
}

fn failed(core: &Core, effect: &Effect, reason: &kouan_sdk::Error) -> EffectDone {
    let wait = backoff_ms(&core.config.retry, effect.tries + 1, effect.id.0.unsigned_abs());
    EffectDone { id: effect.id, result: Err((Reason::from(reason), core.clock.now().plus_millis(wait))) }
}
