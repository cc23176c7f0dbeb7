//! Housekeeping: what comes due by time alone. Overdue messages are marked, parts in doubt are asked after, heads of
//! the evidence chain are signed, old bodies are dropped.

use crate::core::{Core, Phase};
use kouan_sdk::security::{Scheme, SignInput, SignRequest};
use kouan_sdk::transport::Inquiry;
use kouan_sdk::{Error, ErrorKind, Timestamp};
use std::time::Duration;

/// How often it looks.
const TICK: Duration = Duration::from_secs(1);

/// Parts asked after in one inquiry.
const INQUIRY_BATCH: usize = 100;

/// How often retention looks for old bodies.
const RETENTION_EVERY_MS: i64 = 3_600_000;

/// Runs until the gateway drains; then signs the last head.
pub fn run(core: &Core) {
    let mut next_head = core.clock.now().plus_millis(i64::from(core.config.journal.sign_head_every_s) * 1000);
    let mut next_retention = core.clock.now();
    while core.phase() == Phase::Running {
        let seen = core.phases.count();
        let now = core.clock.now();
        report("overdue messages are not marked", core.journal.mark_overdue().map(drop));
        report("parts in doubt are not asked after", inquire(core));
        if now >= next_head {
            report("the head of the chain is not signed", sign_head(core));
            next_head = now.plus_millis(i64::from(core.config.journal.sign_head_every_s) * 1000);
        }
        if core.config.journal.retention_days > 0 && now >= next_retention {
            report("old bodies are not dropped", retain(core, now));
            next_retention = now.plus_millis(RETENTION_EVERY_MS);
        }
        core.phases.wait(seen, TICK);
    }
}

fn report(what: &str, result: kouan_sdk::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(code = %error.code, "{what}: {}", error.message);
    }
}

/// Asks the window after parts in doubt, where it can tell and nothing else settles them: where repeats are allowed, the
/// repeat does.
fn inquire(core: &Core) -> kouan_sdk::Result<()> {
    if core.config.window.repeats.may_repeat() || !core.window.capabilities().inquires {
        return Ok(());
    }
    let doubted = core.journal.in_doubt(INQUIRY_BATCH)?;
    if doubted.is_empty() {
        return Ok(());
    }
    let sender = core.window.open_sender()?;
    let wire_ids: Vec<_> = doubted.iter().map(|(_, wire_id)| wire_id.as_str()).collect();
    let answers = sender.inquire(&wire_ids);
    sender.close();
    let found = doubted
        .iter()
        .zip(answers?)
        .filter_map(|((part, _), answer)| match answer {
            Inquiry::Present => Some((*part, true)),
            Inquiry::Absent => Some((*part, false)),
            Inquiry::Unknown => None,
        })
        .collect::<Vec<_>>();
    if !found.is_empty() {
        crate::failpoint!("kernel::inquired-before-record");
        core.journal.record_inquiries(found)?;
        core.outbound.ring();
        core.ring_effects();
    }
    Ok(())
}

/// Signs the chain's head with the first identity that can.
pub fn sign_head(core: &Core) -> kouan_sdk::Result<()> {
    let (segment, seq, hash) = core.journal.head()?;
    if seq == 0 {
        return Ok(());
    }
    let mut last = Error::new(ErrorKind::Unavailable, "KOUAN-KERNEL-NO-SIGNING-KEY", "no identity can sign");
    for identity in core.identities.all() {
        let signed = identity.refresh().and_then(|key| {
            let request = SignRequest {
                key: &key.identity.key,
                scheme: Scheme::Sm2Sm3,
                user_id: kouan_sm::DEFAULT_USER_ID,
                input: SignInput::Message(hash.as_bytes()),
            };
            let signature = identity.security.sign(&[request]).pop().unwrap_or_else(|| Err(last.clone()))?;
            Ok((signature, key))
        });
        match signed {
            Ok((signature, key)) => {
                let certificate = &key.identity.certificate;
                crate::failpoint!("kernel::head-signed-before-record");
                return core.journal.record_head(segment, seq, &signature, certificate);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn retain(core: &Core, now: Timestamp) -> kouan_sdk::Result<()> {
    let days = i64::from(core.config.journal.retention_days);
    core.journal.retain(now.plus_millis(-days * 86_400_000)).map(drop)
}
