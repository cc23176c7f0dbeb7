//! For tests and benches: messages, verdicts and receipts of a business that means nothing, and a filler.

use crate::error::Result;
use crate::face::JournalOptions;
use crate::lifecycle::Repeats;
use crate::model::{
    Accepted, AttemptEnd, Begin, Checked, Deliverable, DueFilter, DuplicatePolicy, EffectDone, Ended, InboundAccepted,
    InboundId, MessageId, NewInbound, NewMessage, OpenResult, Opened, OpenedReceipt, PartPayload, Plan, PlannedPart,
    Sealed, Verdict,
};
use crate::store::SqliteJournal;
use kouan_sdk::business::{Key, Outcome, Receipt, ReceiptName, Report};
use kouan_sdk::finding::{Finding, Severity};
use kouan_sdk::{Clock, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// The business's name.
pub const BUSINESS: &str = "sample";

/// DXP id that sends everything.
pub const IDENTITY: &str = "DXPENT0000000001";

/// Hundreds of steps that SQLite's machine has done in this process.
#[cfg(feature = "testing")]
static HUNDREDS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Counts the steps of a connection.
#[cfg(feature = "testing")]
pub(crate) fn count_steps(conn: &mut rusqlite::Connection) -> Result<()> {
    let count = || {
        HUNDREDS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        false
    };
    Ok(conn.progress_handler(100, Some(count))?)
}

/// Steps of SQLite's machine so far, on all connections of this process; counted in hundreds.
#[cfg(feature = "testing")]
pub fn steps() -> u64 {
    HUNDREDS.load(std::sync::atomic::Ordering::Relaxed) * 100
}

/// Options of a test journal in `folder`: environment `test`, site `erp` shows ends and gets what belongs to nobody.
pub fn options(folder: &Path, clock: Arc<dyn Clock>) -> JournalOptions {
    JournalOptions {
        path: folder.join("journal.db"),
        environment: "test".to_owned(),
        clock,
        default_site: "erp".to_owned(),
        disposing_sites: vec!["erp".to_owned()],
    }
}

/// A message from site `erp`, named by `stem`.
pub fn message(stem: &str, body: &[u8]) -> NewMessage {
    NewMessage {
        site: "erp".to_owned(),
        source_id: format!("claim-{stem}"),
        file_name: format!("{stem}.xml"),
        headers: vec![("form-id".to_owned(), "SAMPLE001".to_owned()), ("folder".to_owned(), "Sample".to_owned())],
        body: body.into(),
    }
}

/// A report with this client number as its key.
pub fn report(key: &str) -> Report {
    let key = Key::new("ClientNo", key);
    Report {
        message_type: "SAMPLE001".to_owned(),
        business_key: Some(key.clone()),
        keys: vec![key],
        ..Report::default()
    }
}

/// A part that carries `payload`.
pub fn part(name: &str, payload: PartPayload, after: Vec<usize>, expects_receipt: bool) -> PlannedPart {
    PlannedPart {
        name: name.to_owned(),
        message_type: "SAMPLE001".to_owned(),
        receivers: vec!["DXPSAMPLE0000001".to_owned()],
        file_name: format!("{name}.xml"),
        biz_keys: Vec::new(),
        payload,
        after,
        expects_receipt,
    }
}

/// A verdict that lets a message go in these parts.
pub fn ready(id: MessageId, report: Report, parts: Vec<PlannedPart>) -> Checked {
    let plan =
        Plan { identity: IDENTITY.to_owned(), parts, receipt_deadline_s: 3600, duplicates: DuplicatePolicy::Refuse };
    Checked {
        id,
        business: BUSINESS.to_owned(),
        report,
        verdict: Verdict::Ready(Box::new(plan)),
        shown: Some("{\"verdict\":\"ready\",\"findings\":[]}".to_owned()),
        refusal: Some(refusal()),
    }
}

/// A verdict that lets a message go as one document.
pub fn ready_document(id: MessageId, key: &str) -> Checked {
    ready(id, report(key), vec![part("document", PartPayload::Body, Vec::new(), true)])
}

/// A verdict that refuses.
pub fn refused(id: MessageId, key: &str) -> Checked {
    let mut report = report(key);
    report.findings.push(Finding::whole("SAMPLE-RULE", Severity::Error, "不对", "not right"));
    let shown = Some("{\"verdict\":\"refused\"}".to_owned());
    Checked { id, business: BUSINESS.to_owned(), report, verdict: Verdict::Refused, shown, refusal: Some(refusal()) }
}

fn refusal() -> Deliverable {
    let name = ReceiptName { prefix: "Failed".to_owned(), middle: None, extension: "xml".to_owned(), others: None };
    Deliverable { name, bytes: b"<Failed/>".to_vec() }
}

/// A receipt with these keys.
pub fn receipt(keys: &[(&str, &str)], rank: u32, outcome: Outcome) -> Receipt {
    Receipt {
        kind: "SampleResponse".to_owned(),
        keys: keys.iter().map(|(name, value)| Key::new(*name, *value)).collect(),
        rank,
        outcome,
        stage: format!("stage {rank}"),
        code: rank.to_string(),
        text: String::new(),
        is_final: outcome == Outcome::Concluded,
        reopens: false,
        is_repeat_of_known: false,
        is_client_failure: false,
        noticed_at: None,
        name: ReceiptName { prefix: "Receipt".to_owned(), middle: None, extension: "xml".to_owned(), others: None },
    }
}

/// The verified envelope `wire_id` around a receipt.
pub fn opened(id: InboundId, wire_id: &str, receipt: Receipt, payload: &[u8]) -> Opened {
    let opened = OpenedReceipt {
        wire_id: Some(wire_id.to_owned()),
        sender: "DXPSAMPLE0000001".to_owned(),
        receiver: IDENTITY.to_owned(),
        business: BUSINESS.to_owned(),
        receipt,
        payload: payload.to_vec(),
        answers_file: None,
    };
    Opened { id, result: OpenResult::Receipt(Box::new(opened)) }
}

/// An inbound from the window.
pub fn inbound(source_id: &str, raw: &[u8]) -> NewInbound {
    NewInbound { source_id: source_id.to_owned(), headers: Vec::new(), raw: raw.into() }
}

/// Sealed bytes for a payload: the same each time.
pub fn sealed(wire_id: &str, payload: &[u8]) -> Sealed {
    let mut bytes = format!("sealed {wire_id} ").into_bytes();
    bytes.extend_from_slice(payload);
    Sealed { bytes: bytes.into(), certificate_serial: "01".to_owned() }
}

/// All parts, whatever their size.
pub fn all_due(repeats: Repeats) -> DueFilter {
    DueFilter { repeats, blocked_identities: Vec::new(), limit: usize::MAX, max_bytes: usize::MAX }
}

/// Takes one message in.
pub fn take(journal: &SqliteJournal, stem: &str, body: &[u8]) -> Result<MessageId> {
    match journal.accept(vec![message(stem, body)])?.first() {
        Some(Accepted::New(id) | Accepted::Known(id)) => Ok(*id),
        None => Ok(MessageId(0)),
    }
}

/// Takes one inbound in.
pub fn take_inbound(journal: &SqliteJournal, source_id: &str) -> Result<InboundId> {
    match journal.accept_inbound(vec![inbound(source_id, source_id.as_bytes())])?.first() {
        Some(InboundAccepted::New(id) | InboundAccepted::Known(id)) => Ok(*id),
        None => Ok(InboundId(0)),
    }
}

/// Begins an attempt for everything that is due, and ends each as `end` says.
pub fn send_all(journal: &SqliteJournal, repeats: Repeats, end: &AttemptEnd) -> Result<usize> {
    let due = journal.due(&all_due(repeats))?;
    let begins = due
        .iter()
        .map(|part| Begin { part: part.id, sealed: sealed(&part.wire_id, &part.payload), payload: None, repeats })
        .collect();
    let begun: Vec<_> = journal.begin_attempts(begins)?.into_iter().flatten().collect();
    let count = begun.len();
    journal.end_attempts(begun.into_iter().map(|attempt| Ended { attempt, end: end.clone() }).collect())?;
    Ok(count)
}

/// Does everything that is due at a site.
pub fn do_effects(journal: &SqliteJournal, site: &str) -> Result<usize> {
    let mut all = 0;
    loop {
        let due = journal.effects_due(site, 1000, usize::MAX)?;
        if due.is_empty() {
            return Ok(all);
        }
        all += due.len();
        journal.record_effects(due.iter().map(|effect| EffectDone { id: effect.id, result: Ok(()) }).collect())?;
    }
}

/// Fills a journal with `count` messages that went the whole way: taken in, checked, sent, answered, delivered.
/// `body_bytes` is the size of each body. Names continue after what is there.
pub fn fill(journal: &SqliteJournal, count: usize, body_bytes: usize) -> Result<()> {
    let first = usize::try_from(journal.stats()?.messages).unwrap_or(0);
    for start in (first..first + count).step_by(1000) {
        let names: Vec<_> = (start..(start + 1000).min(first + count)).map(|n| format!("FILL{n:09}")).collect();
        let body = |name: &String| {
            let mut body = name.clone().into_bytes();
            body.resize(body_bytes.max(name.len()), b' ');
            body
        };
        let taken = journal.accept(names.iter().map(|name| message(name, &body(name))).collect())?;
        let ids = taken.iter().map(|accepted| match accepted {
            Accepted::New(id) | Accepted::Known(id) => *id,
        });
        journal.record_checks(ids.zip(&names).map(|(id, name)| ready_document(id, name)).collect())?;
        send_all(journal, Repeats::None, &AttemptEnd::Confirmed)?;
        let came = journal.accept_inbound(names.iter().map(|name| inbound(name, name.as_bytes())).collect())?;
        let ids = came.iter().map(|accepted| match accepted {
            InboundAccepted::New(id) | InboundAccepted::Known(id) => *id,
        });
        let answers = ids.zip(&names).map(|(id, name)| {
            let keys = [("ClientNo", name.as_str()), ("Number", name.as_str())];
            let mut receipt = receipt(&keys, 10, Outcome::Concluded);
            receipt.noticed_at = Some(Timestamp::from_millis(0));
            opened(id, &format!("answer-{name}"), receipt, name.as_bytes())
        });
        journal.record_opened(answers.collect())?;
        do_effects(journal, "erp")?;
    }
    Ok(())
}
