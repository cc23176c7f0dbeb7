//! Check and plan: each message taken in is judged by its business and split into parts; the verdicts are recorded in
//! the order of arrival. The judging itself runs on all cores.

use crate::config::CheckMode;
use crate::core::{BusinessSlot, Core, Phase};
use crate::package::{self, OpenedPackage};
use kouan_journal::model::{
    CheckOutcome, Checked, Deliverable, MessageId, PartPayload, Plan, PlannedPart, Unchecked, Verdict,
};
use kouan_sdk::business::{Attachment, PartPlan, Payload, Report};
use kouan_sdk::finding::{self, Finding, Severity};
use kouan_sdk::transport::{header, header_value};
use kouan_sdk::{Error, ErrorKind};
use std::borrow::Cow;
use std::time::Duration;

/// Longest nap between two looks.
const NAP: Duration = Duration::from_secs(1);

/// Messages judged together; enough to fill the cores and a commit.
const BATCH: usize = 64;

/// Runs until the gateway stops; while it drains, until everything is checked.
pub(crate) fn run(core: &Core) {
    let mut after = MessageId(0);
    while core.phase() != Phase::Stopped {
        let seen = core.checks.count();
        match round(core, &mut after) {
            Ok(true) => {}
            Ok(false) if core.phase() == Phase::Draining => break,
            Ok(false) => {
                // What a quarantined plugin could not judge is asked again from the beginning.
                core.checks.wait(seen, NAP);
                after = MessageId(0);
            }
            Err(error) => {
                tracing::error!(code = %error.code, "checking stops for a moment: {}", error.message);
                core.phases.wait(core.phases.count(), NAP);
            }
        }
    }
}

fn round(core: &Core, after: &mut MessageId) -> kouan_sdk::Result<bool> {
    let batch = core.journal.unchecked(*after, BATCH, core.config.limits.batch_bytes)?;
    // The verdicts stay in the order of arrival: one that could not be judged holds back those behind it.
    let checked: Vec<_> = judge_all(core, &batch).into_iter().map_while(|verdict| verdict).collect();
    let Some(last) = checked.last() else { return Ok(false) };
    *after = last.id;
    crate::failpoint!("kernel::checked-before-record");
    let outcomes = core.journal.record_checks(checked)?;
    if outcomes.contains(&CheckOutcome::Ready) {
        core.outbound.ring();
    }
    if outcomes.iter().any(|o| matches!(o, CheckOutcome::Refused | CheckOutcome::Duplicate(_))) {
        core.ring_effects();
    }
    Ok(true)
}

/// Judges a batch on all cores, keeping its order.
fn judge_all(core: &Core, batch: &[Unchecked]) -> Vec<Option<Checked>> {
    crate::parallel::map(batch, |unchecked| judge(core, unchecked))
}

/// The verdict on one message; `None` if its plugin cannot judge anything now.
fn judge(core: &Core, unchecked: &Unchecked) -> Option<Checked> {
    let message = &unchecked.message;
    let form_id = header_value(&message.headers, header::FORM_ID);
    let opened = match package::open(&message.file_name, &message.body, &limits(core)) {
        Ok(opened) => opened,
        Err(error) => {
            return Some(refuse(core, unchecked, core.business_for(None, form_id), Report::default(), &error));
        }
    };
    let root = kouan_xml::root_name(opened.document()).ok();
    let root_ref = root.as_ref().map(|r| (r.namespace.as_str(), r.local.as_str()));
    let Some(slot) = core.business_for(root_ref, form_id) else {
        let what = root_ref.map_or_else(|| "no root element".to_owned(), |(ns, local)| format!("<{local}> of `{ns}`"));
        let error =
            Error::new(ErrorKind::Invalid, "KOUAN-KERNEL-NO-BUSINESS", format!("no configured business takes {what}"));
        return Some(refuse(core, unchecked, None, Report::default(), &error));
    };
    let attachments = attachments(&opened);
    let package = opened.package(form_id, &attachments);
    match slot.plugin.check(&package) {
        Ok(report) => Some(weigh(core, unchecked, slot, report, &package)),
        Err(error) if error.is_transient() => None,
        Err(error) => Some(refuse(core, unchecked, Some(slot), Report::default(), &error)),
    }
}

/// From the business's report to a verdict: findings by the check mode, identity, plan.
fn weigh(
    core: &Core,
    unchecked: &Unchecked,
    slot: &BusinessSlot,
    mut report: Report,
    package: &kouan_sdk::business::Package<'_>,
) -> Checked {
    if slot.config.check == CheckMode::Off {
        report.findings.clear();
    }
    if slot.config.check == CheckMode::Enforce && finding::has_error(&report.findings) {
        return refused(unchecked, Some(slot), report);
    }
    let site = core.site(&unchecked.message.site).map(|site| &site.config);
    let Some(identity) = core.identities.choose(site, &report.parties) else {
        let codes: Vec<_> = report.parties.iter().map(|p| format!("{} {}", p.name, p.value)).collect();
        let error = Error::new(
            ErrorKind::Invalid,
            "KOUAN-KERNEL-NO-IDENTITY",
            format!("no identity acts for {}", codes.join(", ")),
        );
        return refuse(core, unchecked, Some(slot), report, &error);
    };
    let parts = match slot.plugin.plan(package, &report, &report.keys) {
        Ok(parts) if !parts.is_empty() => parts,
        Ok(_) => {
            let error = Error::new(ErrorKind::Internal, "KOUAN-KERNEL-EMPTY-PLAN", "the business planned no part");
            return refuse(core, unchecked, Some(slot), report, &error);
        }
        Err(error) => return refuse(core, unchecked, Some(slot), report, &error),
    };
    let plan = Plan {
        identity: identity.config.dxp_id.clone(),
        parts: parts.into_iter().map(|part| planned(part, &unchecked.message.body)).collect(),
        receipt_deadline_s: slot.receipt_deadline_s(&report.message_type),
        duplicates: slot.config.duplicates,
    };
    // A duplicate is found only when this is recorded; its refusal is made ready here, since only the plugin can.
    let refusal = duplicate_refusal(slot, &report);
    let shown = Some(verdict_json(unchecked, slot.info.id.as_str(), &report, true));
    Checked {
        id: unchecked.id,
        business: slot.info.id.clone(),
        report,
        verdict: Verdict::Ready(Box::new(plan)),
        shown,
        refusal,
    }
}

fn planned(part: PartPlan<'_>, body: &[u8]) -> PlannedPart {
    let payload = match part.payload {
        Payload::WhenKnown { key } => PartPayload::WaitsFor(key),
        Payload::Bytes(Cow::Borrowed(bytes)) if std::ptr::eq(bytes, body) => PartPayload::Body,
        Payload::Bytes(bytes) => PartPayload::Bytes(bytes.into_owned()),
    };
    PlannedPart {
        name: part.name,
        message_type: part.message_type,
        receivers: part.receivers,
        file_name: part.file_name,
        biz_keys: part.biz_keys,
        payload,
        after: part.after,
        expects_receipt: part.expects_receipt,
    }
}

/// A refusal for a reason that is not the business's own finding: the reason becomes one.
fn refuse(
    core: &Core,
    unchecked: &Unchecked,
    slot: Option<&BusinessSlot>,
    mut report: Report,
    error: &Error,
) -> Checked {
    let _ = core;
    report.findings.push(finding_of(error));
    refused(unchecked, slot, report)
}

fn refused(unchecked: &Unchecked, slot: Option<&BusinessSlot>, report: Report) -> Checked {
    let business = slot.map(|slot| slot.info.id.clone()).unwrap_or_default();
    let refusal = slot.and_then(|slot| deliverable(slot, &report));
    let shown = Some(verdict_json(unchecked, &business, &report, false));
    Checked { id: unchecked.id, business, report, verdict: Verdict::Refused, shown, refusal }
}

fn deliverable(slot: &BusinessSlot, report: &Report) -> Option<Deliverable> {
    match slot.plugin.refusal(report) {
        Ok((name, bytes)) => Some(Deliverable { name, bytes }),
        Err(error) => {
            tracing::warn!(business = slot.info.id, code = %error.code, "no refusal can be made: {}", error.message);
            None
        }
    }
}

fn duplicate_refusal(slot: &BusinessSlot, report: &Report) -> Option<Deliverable> {
    let error = Error::new(
        ErrorKind::Invalid,
        "KOUAN-KERNEL-DUPLICATE",
        "the same declaration is on its way or was taken already",
    );
    let mut report = report.clone();
    report.findings.insert(0, finding_of(&error));
    deliverable(slot, &report)
}

/// A catalogue error as a finding about the whole message, in both languages.
pub fn finding_of(error: &Error) -> Finding {
    let entry = kouan_sdk::catalogue::lookup(&error.code);
    let zh = entry.map_or_else(|| error.message.clone(), |e| format!("{}（{}）", e.cause_zh, error.message));
    let finding = Finding::whole(error.code.to_string(), Severity::Error, zh, error.message.clone());
    match entry {
        Some(entry) => finding.with_hint(entry.repair_zh.clone(), entry.repair_en.clone()),
        None => finding,
    }
}

/// The machine-readable verdict that lies in the Report folder.
fn verdict_json(unchecked: &Unchecked, business: &str, report: &Report, goes: bool) -> String {
    serde_json::json!({
        "message": unchecked.id,
        "file": unchecked.message.file_name,
        "received_at": unchecked.received_at.rfc3339(),
        "verdict": if goes { "ready" } else { "refused" },
        "business": business,
        "type": report.message_type,
        "keys": report.keys.iter().map(|k| (k.name.clone(), k.value.clone())).collect::<std::collections::BTreeMap<_, _>>(),
        "findings": report.findings,
        "next": format!("kouan message trace {}", unchecked.id.0),
    })
    .to_string()
}

/// How large a package may be.
pub(crate) fn limits(core: &Core) -> package::PackageLimits {
    package::PackageLimits {
        max_document_bytes: core.config.limits.max_document_bytes,
        max_total_bytes: core.config.limits.max_message_bytes,
        ..package::PackageLimits::default()
    }
}

/// The package's attachments, as a business wants them.
pub(crate) fn attachments<'a>(opened: &'a OpenedPackage<'_>) -> Vec<Attachment<'a>> {
    opened.attachments().map(|(name, bytes)| Attachment { name, bytes }).collect()
}
