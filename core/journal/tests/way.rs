//! The way of a message through the store, theme by theme.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

mod common;

use common::{Bench, act, confirmed, unknown};
use kouan_journal::model::*;
use kouan_journal::testing::*;
use kouan_journal::{Delivery, Hold, JournalError, Kept, Repeats, SqliteJournal};
use kouan_sdk::business::{Key, Outcome};
use kouan_sdk::transport::{End, header, header_value};

#[test]
fn a_message_goes_the_whole_way_and_its_bytes_stay_exact() {
    let bench = Bench::new();
    let id = take(&bench.journal, "A1", b"<a>\xff\x00</a>").unwrap();
    assert_eq!(bench.journal.accept(vec![message("A1", b"<a>\xff\x00</a>")]).unwrap(), [Accepted::Known(id)]);
    let waiting = bench.journal.unchecked(MessageId(0), 10, 1 << 20).unwrap();
    assert_eq!((waiting.len(), &waiting[0].message.body[..]), (1, &b"<a>\xff\x00</a>"[..]));
    assert_eq!(bench.journal.record_checks(vec![ready_document(id, "A1")]).unwrap(), [CheckOutcome::Ready]);
    assert_eq!(bench.journal.record_checks(vec![ready_document(id, "A1")]).unwrap(), [CheckOutcome::AlreadyChecked]);

    let due = bench.journal.due(&all_due(Repeats::None)).unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(&due[0].payload[..], b"<a>\xff\x00</a>");
    assert!(due[0].wire_id.starts_with(IDENTITY) && due[0].wire_id.len() == IDENTITY.len() + 18, "{}", due[0].wire_id);
    assert_eq!(send_all(&bench.journal, Repeats::None, &confirmed()).unwrap(), 1);
    assert_eq!(bench.delivery(id), Delivery::Sent);
    assert!(bench.journal.due(&all_due(Repeats::None)).unwrap().is_empty());

    assert_eq!(
        bench.receive("w1", receipt(&[("ClientNo", "A1"), ("SeqNo", "S1")], 10, Outcome::Accepted)),
        Matched::To(id)
    );
    assert_eq!(
        bench.receive("w1", receipt(&[("ClientNo", "A1"), ("SeqNo", "S1")], 10, Outcome::Accepted)),
        Matched::Repeated
    );
    assert_eq!(bench.receive("w2", receipt(&[("SeqNo", "S1")], 20, Outcome::Concluded)), Matched::To(id));
    let effects = bench.journal.effects_due("erp", 100, usize::MAX).unwrap();
    let kinds: Vec<_> = effects.iter().map(|e| matches!(e.kind, EffectKind::Dispose { end: End::Sent, .. })).collect();
    assert_eq!(kinds, [true, false, false], "the end is shown once, two receipts are delivered");
    do_effects(&bench.journal, "erp").unwrap();

    let detail = bench.journal.detail(id).unwrap().unwrap();
    assert_eq!((detail.summary.outcome, detail.summary.stage.as_str()), (Outcome::Concluded, "stage 20"));
    assert!(detail.keys.contains(&Key::new("SeqNo", "S1")));
    assert_eq!(detail.receipts.iter().filter(|r| r.delivered_at.is_some()).count(), 2);
    assert_eq!(detail.pending_effects, 0);
    let kinds: Vec<_> = bench.journal.timeline(id).unwrap().into_iter().map(|e| e.kind).collect();
    for kind in ["received", "ready", "sending", "confirmed", "receipt", "learned", "outcome", "delivered", "disposed"]
    {
        assert!(kinds.iter().any(|k| k == kind), "{kind} is missing in {kinds:?}");
    }
    bench.assert_sound();
}

#[test]
fn bytes_are_read_as_they_were_and_refused_if_they_are_not() {
    let bench = Bench::new();
    let read = |kept| bench.journal.bytes(kept);
    let id = take(&bench.journal, "A1", b"<a>\xff</a>").unwrap();
    bench.journal.record_checks(vec![ready_document(id, "A1")]).unwrap();
    let part = bench.part(id);
    assert_eq!(read(Kept::Original(id)).unwrap().as_deref(), Some(&b"<a>\xff</a>"[..]));
    assert_eq!(read(Kept::Payload(part)).unwrap(), read(Kept::Original(id)).unwrap());
    assert_eq!(read(Kept::Sealed(part)).unwrap(), None);
    let wire_id = bench.journal.detail(id).unwrap().unwrap().parts[0].wire_id.clone();
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    assert_eq!(read(Kept::Sealed(part)).unwrap().as_deref(), Some(&sealed(&wire_id, b"<a>\xff</a>").bytes[..]));

    let came = bench.journal.accept_inbound(vec![inbound("1", b"<no/>\x00")]).unwrap();
    let InboundAccepted::New(came) = came[0] else { panic!("{came:?}") };
    assert_eq!(read(Kept::Received(came)).unwrap().as_deref(), Some(&b"<no/>\x00"[..]));
    assert_eq!(read(Kept::Opened(came)).unwrap(), None);
    assert!(matches!(read(Kept::Received(InboundId(99))), Err(JournalError::Unknown { .. })));

    let bench = bench.with_file(|file| {
        file.execute("UPDATE bodies SET bytes = x'00'", []).unwrap();
        file.execute("DELETE FROM inbound_bytes", []).unwrap();
    });
    assert!(matches!(bench.journal.bytes(Kept::Original(id)), Err(JournalError::Corrupt { .. })));
    assert!(matches!(bench.journal.bytes(Kept::Received(came)), Err(JournalError::Corrupt { .. })));
}

#[test]
fn a_refusal_is_delivered_before_its_file_goes_to_failbox() {
    let bench = Bench::new();
    let id = take(&bench.journal, "BAD1", b"<bad/>").unwrap();
    assert_eq!(bench.journal.record_checks(vec![refused(id, "BAD1")]).unwrap(), [CheckOutcome::Refused]);
    let effects = bench.journal.effects_due("erp", 100, usize::MAX).unwrap();
    let EffectKind::Deliver { headers, body, .. } = &effects[0].kind else { panic!("{effects:?}") };
    let name = header_value(headers, header::FILE_NAME).unwrap();
    assert!(name.starts_with("Failed_BAD1_") && name.ends_with(".xml"), "{name}");
    assert_eq!(name.len(), "Failed_BAD1_".len() + 21 + ".xml".len());
    assert_eq!(header_value(headers, header::FOLDER), Some("Sample"));
    assert_eq!(&body[..], b"<Failed/>");
    let EffectKind::Deliver { headers, .. } = &effects[1].kind else { panic!("{effects:?}") };
    assert_eq!(header_value(headers, header::FILE_NAME), Some("BAD1.json"));
    assert_eq!(header_value(headers, header::CONTENT), Some("verdict"));
    assert!(matches!(&effects[2].kind, EffectKind::Dispose { end: End::Failed, body, .. } if &body[..] == b"<bad/>"));
    assert_eq!(bench.journal.detail(id).unwrap().unwrap().summary.reason.unwrap().code, "SAMPLE-RULE");

    // A failed delivery holds back what follows of this message, and nothing of another.
    let other = take(&bench.journal, "BAD2", b"<bad2/>").unwrap();
    bench.journal.record_checks(vec![refused(other, "BAD2")]).unwrap();
    let later = bench.clock_now().plus_millis(5_000);
    let failed = EffectDone { id: effects[0].id, result: Err((Reason::new("X", "no"), later)) };
    bench.journal.record_effects(vec![failed]).unwrap();
    let due = bench.journal.effects_due("erp", 100, usize::MAX).unwrap();
    assert!(due.iter().all(|e| e.message == Some(other)) && due.len() == 3, "{due:?}");
    bench.clock.advance(5_000);
    let due = bench.journal.effects_due("erp", 100, usize::MAX).unwrap();
    assert_eq!((due.len(), due[0].tries), (6, 1));
    let again: Vec<_> = due.iter().filter(|e| e.id == effects[0].id).map(|e| format!("{:?}", e.kind)).collect();
    assert_eq!(again, [format!("{:?}", effects[0].kind)], "the name is stable");
    bench.assert_sound();
}

#[test]
fn duplicates_are_refused_only_while_the_earlier_one_may_take_effect() {
    let bench = Bench::new();
    let first = bench.ready("D1", "K1");
    let second = take(&bench.journal, "D2", b"<other/>").unwrap();
    assert_eq!(bench.check(second, "K1"), CheckOutcome::Duplicate(first), "same key, live");
    let shown = bench.journal.effects_due("erp", 100, usize::MAX).unwrap();
    let verdict = shown.iter().find_map(|e| match &e.kind {
        EffectKind::Deliver { headers, body, .. } if header_value(headers, header::CONTENT) == Some("verdict") => {
            Some(body)
        }
        _ => None,
    });
    let verdict = String::from_utf8_lossy(verdict.unwrap()).into_owned();
    assert!(verdict.contains("KOUAN-JOURNAL-DUPLICATE") && verdict.contains("\"verdict\":\"refused\""), "{verdict}");

    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    bench.receive("w1", receipt(&[("ClientNo", "K1")], 10, Outcome::Accepted));
    let third = take(&bench.journal, "D3", b"<third/>").unwrap();
    assert_eq!(bench.check(third, "K1"), CheckOutcome::Duplicate(first), "accepted unchanged");
    let same = take(&bench.journal, "D4", b"<D1/>").unwrap();
    assert_eq!(bench.check(same, "K4"), CheckOutcome::Duplicate(first), "same content, other key");

    bench.receive("w2", receipt(&[("ClientNo", "K1")], 20, Outcome::Rejected));
    let fourth = take(&bench.journal, "D5", b"<fifth/>").unwrap();
    assert_eq!(bench.check(fourth, "K1"), CheckOutcome::Ready, "rejected: a new attempt");
    let timeline = bench.journal.detail(fourth).unwrap().unwrap().attempts_of_declaration;
    assert_eq!(timeline, [first, second, third]);

    // An update is a repeat only with the content of the latest.
    let update = |stem: &str, body: &[u8]| {
        let id = take(&bench.journal, stem, body).unwrap();
        let mut report = report("K1");
        report.is_update = true;
        let parts = vec![part("document", PartPayload::Body, vec![], true)];
        bench.journal.record_checks(vec![ready(id, report, parts)]).unwrap()[0]
    };
    assert_eq!(update("U1", b"<u1/>"), CheckOutcome::Ready);
    assert!(matches!(update("U2", b"<u1/>"), CheckOutcome::Duplicate(_)));
    assert_eq!(update("U3", b"<u3/>"), CheckOutcome::Ready);
    assert_eq!(update("U4", b"<u1/>"), CheckOutcome::Ready, "changed in between");
    bench.assert_sound();
}

#[test]
fn lanes_keep_their_order_and_hold_no_other() {
    let bench = Bench::new();
    let a1 = bench.ready_in_lane("L1", "lane-a");
    let a2 = bench.ready_in_lane("L2", "lane-a");
    let b1 = bench.ready_in_lane("L3", "lane-b");
    let due = |repeats| -> Vec<_> { bench.journal.due(&all_due(repeats)).unwrap().iter().map(|p| p.message).collect() };
    assert_eq!(due(Repeats::None), [a1, b1]);
    let part = bench.part(a2);
    let begin = Begin { part, sealed: sealed("x", b"y"), payload: None, repeats: Repeats::None };
    assert!(bench.journal.begin_attempts(vec![begin]).unwrap()[0].is_err(), "the lane rule holds in the attempt too");
    send_all(&bench.journal, Repeats::None, &unknown(bench.clock_now())).unwrap();
    assert_eq!(due(Repeats::None), [], "in doubt blocks its lane, and is not repeated without a policy");
    assert_eq!(due(Repeats::WireId), [a1, b1]);
    assert_eq!(bench.journal.in_doubt(10).unwrap().len(), 2);
    bench.journal.record_inquiries(vec![(bench.part(a1), true), (bench.part(b1), false)]).unwrap();
    assert_eq!((bench.delivery(a1), bench.delivery(b1)), (Delivery::Sent, Delivery::Ready));
    assert_eq!(due(Repeats::None), [a2, b1]);
    bench.act(a2, Act::Park).unwrap();
    assert_eq!(due(Repeats::None), [b1]);
    assert_eq!(bench.summary(a2).hold, Hold::Parked);
    bench.act(a2, Act::Resend).unwrap();
    assert_eq!(due(Repeats::None), [a2, b1]);
    // An unchecked earlier message of the source holds everything behind it, but not what is before it.
    let late = take(&bench.journal, "L4", b"<l4/>").unwrap();
    let b2 = bench.ready_in_lane("L5", "lane-c");
    assert_eq!(due(Repeats::None), [a2, b1]);
    bench.check(late, "L4");
    assert_eq!(due(Repeats::None), [a2, b1, late, b2]);
    bench.assert_sound();
}

#[test]
fn attachments_wait_for_their_document_and_their_key() {
    let bench = Bench::new();
    let id = take(&bench.journal, "P1", b"<p1/>").unwrap();
    let parts = vec![
        part("document", PartPayload::Body, vec![], true),
        part("a.pdf", PartPayload::Bytes(b"pdf".to_vec()), vec![0], false),
        part("b.pdf", PartPayload::WaitsFor("SeqNo".to_owned()), vec![0], false),
    ];
    bench.journal.record_checks(vec![ready(id, report("P1"), parts)]).unwrap();
    let indexes =
        || -> Vec<_> { bench.journal.due(&all_due(Repeats::None)).unwrap().iter().map(|p| p.index).collect() };
    assert_eq!(indexes(), [0]);
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    assert_eq!(indexes(), [1]);
    assert_eq!(bench.delivery(id), Delivery::Ready);
    bench.receive("w1", receipt(&[("ClientNo", "P1"), ("SeqNo", "S1")], 10, Outcome::Accepted));
    assert_eq!(indexes(), [1, 2]);
    let due = bench.journal.due(&all_due(Repeats::None)).unwrap();
    assert_eq!(due[1].waits_for.as_deref(), Some("SeqNo"));
    assert!(due[1].known_keys.contains(&Key::new("SeqNo", "S1")));
    let begin = |payload: Option<&[u8]>| Begin {
        part: due[1].id,
        sealed: sealed(&due[1].wire_id, b"late"),
        payload: payload.map(<[u8]>::to_vec),
        repeats: Repeats::WireId,
    };
    assert!(bench.journal.begin_attempts(vec![begin(None)]).unwrap()[0].is_err(), "its payload is not known");
    let attempt = bench.journal.begin_attempts(vec![begin(Some(b"late"))]).unwrap()[0].unwrap();
    bench.journal.end_attempts(vec![Ended { attempt, end: unknown(bench.clock_now()) }]).unwrap();
    let again = bench.journal.due(&all_due(Repeats::WireId)).unwrap();
    assert_eq!((&again[1].payload[..], again[1].waits_for.as_ref()), (&b"late"[..], None));
    assert_eq!(again[1].sealed.as_ref().unwrap().bytes, sealed(&due[1].wire_id, b"late").bytes);
    // Other bytes under the same wire id are never sent: the part is held.
    assert!(bench.journal.begin_attempts(vec![begin(Some(b"else"))]).unwrap()[0].is_err());
    let detail = bench.journal.detail(id).unwrap().unwrap();
    assert_eq!(detail.parts[2].reason.as_ref().unwrap().code, "KOUAN-JOURNAL-WIRE-ID-TWO-PAYLOADS");
    assert!(detail.parts[2].state.parked);
    bench.assert_sound();
}

#[test]
fn sealed_bytes_change_only_while_every_attempt_failed_safely() {
    let bench = Bench::new();
    let id = bench.ready("S1", "S1");
    let part = bench.part(id);
    let try_with = |bytes: &[u8], end: AttemptEnd| {
        let sealed = Sealed { bytes: bytes.into(), certificate_serial: "02".to_owned() };
        let begin = Begin { part, sealed, payload: None, repeats: Repeats::WireId };
        let begun = bench.journal.begin_attempts(vec![begin]).unwrap()[0];
        if let Ok(attempt) = begun {
            bench.journal.end_attempts(vec![Ended { attempt, end }]).unwrap();
        }
        begun.is_ok()
    };
    let retry = || AttemptEnd::RefusedTransient { retry_at: Some(bench.clock_now()), reason: Reason::new("T", "busy") };
    assert!(try_with(b"one", retry()));
    assert!(try_with(b"two", retry()), "every attempt failed safely");
    assert!(try_with(b"two", unknown(bench.clock_now())));
    assert!(try_with(b"two", unknown(bench.clock_now())), "the same bytes may go again");
    assert!(!try_with(b"three", retry()));
    let summary = bench.summary(id);
    assert_eq!((summary.delivery, summary.hold), (Delivery::InDoubt, Hold::Parked));
    assert_eq!(summary.reason.unwrap().code, "KOUAN-JOURNAL-SEALED-CHANGED");
    bench.assert_sound();
}

#[test]
fn a_receipt_proves_arrival_in_every_state_and_lifts_the_overdue_mark() {
    let bench = Bench::new();
    let id = bench.ready("R1", "R1");
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    bench.clock.advance(3_599_000);
    assert_eq!(bench.journal.mark_overdue().unwrap(), 0);
    bench.clock.advance(1_000);
    assert_eq!(bench.journal.mark_overdue().unwrap(), 1);
    assert_eq!(bench.journal.mark_overdue().unwrap(), 0);
    assert_eq!(bench.summary(id).hold, Hold::Overdue);
    assert_eq!(bench.journal.alarms(10).unwrap().len(), 1);
    bench.receive("w1", receipt(&[("ClientNo", "R1")], 10, Outcome::Accepted));
    assert_eq!(bench.summary(id).hold, Hold::None);
    assert!(bench.journal.alarms(10).unwrap().is_empty());

    let doubted = bench.ready("R2", "R2");
    send_all(&bench.journal, Repeats::None, &unknown(bench.clock_now())).unwrap();
    assert_eq!(bench.delivery(doubted), Delivery::InDoubt);
    bench.receive("w2", receipt(&[("ClientNo", "R2")], 10, Outcome::None));
    assert_eq!(bench.delivery(doubted), Delivery::Sent);

    let skipped = bench.ready("R3", "R3");
    bench.act(skipped, Act::Skip).unwrap();
    assert_eq!(bench.delivery(skipped), Delivery::Skipped);
    bench.receive("w3", receipt(&[("ClientNo", "R3")], 10, Outcome::Accepted));
    assert_eq!(bench.delivery(skipped), Delivery::Sent);

    // A failure of the client itself proves nothing of the kind.
    let failing = bench.ready("R4", "R4");
    let mut failure = receipt(&[("ClientNo", "R4")], 1, Outcome::Rejected);
    failure.is_client_failure = true;
    bench.receive("w4", failure);
    assert_eq!((bench.delivery(failing), bench.summary(failing).outcome), (Delivery::Ready, Outcome::Rejected));
    bench.assert_sound();
}

#[test]
fn an_answer_to_our_own_repeat_counts_as_yes_and_does_not_look_like_a_failure() {
    let bench = Bench::new();
    let known = |key: &str| {
        let mut failure = receipt(&[("ClientNo", key), ("SeqNo", "S9")], 10, Outcome::Rejected);
        failure.is_repeat_of_known = true;
        failure.name.prefix = "Failed".to_owned();
        failure
    };
    let plain = bench.ready("Q1", "Q1");
    send_all(&bench.journal, Repeats::BusinessKey, &confirmed()).unwrap();
    bench.receive("w1", known("Q1"));
    assert_eq!(bench.summary(plain).outcome, Outcome::Rejected, "nothing was in doubt: a plain failure");
    assert!(!bench.journal.detail(plain).unwrap().unwrap().keys.contains(&Key::new("SeqNo", "S9")));

    let repeated = bench.ready("Q2", "Q2");
    send_all(&bench.journal, Repeats::BusinessKey, &unknown(bench.clock_now())).unwrap();
    send_all(&bench.journal, Repeats::BusinessKey, &unknown(bench.clock_now())).unwrap();
    bench.receive("w2", known("Q2"));
    assert_eq!((bench.delivery(repeated), bench.summary(repeated).outcome), (Delivery::Sent, Outcome::Accepted));
    assert!(bench.journal.detail(repeated).unwrap().unwrap().keys.contains(&Key::new("SeqNo", "S9")));
    let contents: Vec<_> = bench
        .journal
        .effects_due("erp", 100, usize::MAX)
        .unwrap()
        .into_iter()
        .filter_map(|e| match e.kind {
            EffectKind::Deliver { headers, .. } => header_value(&headers, header::CONTENT).map(str::to_owned),
            EffectKind::Dispose { .. } => None,
        })
        .collect();
    assert_eq!(contents, ["receipt", "verdict"]);
    // A second number means that the window took it twice.
    bench.receive("w3", receipt(&[("ClientNo", "Q2"), ("SeqNo", "S10")], 12, Outcome::Accepted));
    assert_eq!(bench.journal.alarms(10).unwrap()[0].code, "KOUAN-JOURNAL-TOOK-EFFECT-TWICE");
    bench.assert_sound();
}

#[test]
fn a_receipt_that_comes_too_early_is_matched_later_and_not_delivered_again() {
    let bench = Bench::new();
    let id = bench.ready("E1", "E1");
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    assert_eq!(
        bench.receive("w2", receipt(&[("SeqNo", "S1"), ("EntryId", "N1")], 30, Outcome::Concluded)),
        Matched::Unmatched
    );
    assert_eq!(bench.receive("w3", receipt(&[("EntryId", "N1")], 20, Outcome::Accepted)), Matched::Unmatched);
    assert_eq!(bench.journal.counts().unwrap().unmatched, 2);
    assert_eq!(
        bench.receive("w1", receipt(&[("ClientNo", "E1"), ("SeqNo", "S1")], 10, Outcome::Accepted)),
        Matched::To(id)
    );
    let detail = bench.journal.detail(id).unwrap().unwrap();
    assert_eq!(detail.receipts.len(), 3, "one key leads to the next");
    assert_eq!(detail.summary.outcome, Outcome::Concluded);
    let delivered = bench.journal.effects_due("erp", 100, usize::MAX).unwrap();
    let (others, own): (Vec<_>, Vec<_>) = delivered
        .iter()
        .filter_map(|e| match &e.kind {
            EffectKind::Deliver { headers, .. } => Some(header_value(headers, header::FORM_ID).unwrap()),
            EffectKind::Dispose { .. } => None,
        })
        .partition(|form| *form == "OTHERS");
    assert_eq!((others.len(), own.len()), (2, 1));
    bench.assert_sound();
}

#[test]
fn a_receipt_that_belongs_below_others_says_so_wherever_it_goes() {
    let bench = Bench::new();
    let id = bench.ready("O1", "O1");
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    let stranger = |key: &str| {
        let mut receipt = receipt(&[("ClientNo", key)], 10, Outcome::Accepted);
        receipt.name.others = Some("../INV".to_owned());
        receipt
    };
    assert_eq!(bench.receive("w1", stranger("O1")), Matched::To(id));
    assert_eq!(bench.receive("w2", stranger("O2")), Matched::Unmatched);
    let delivered = bench.journal.effects_due("erp", 100, usize::MAX).unwrap();
    let folders: Vec<_> = delivered
        .iter()
        .filter_map(|effect| match &effect.kind {
            EffectKind::Deliver { headers, .. } => Some(header_value(headers, header::OTHERS_FOLDER)),
            EffectKind::Dispose { .. } => None,
        })
        .collect();
    assert_eq!(folders, [Some("INV"), Some("INV")], "one plain name");
    bench.assert_sound();
}

#[test]
fn the_same_envelope_with_another_payload_is_an_alarm_and_is_kept() {
    let bench = Bench::new();
    bench.ready("T1", "T1");
    let first = take_inbound(&bench.journal, "src1").unwrap();
    let second = take_inbound(&bench.journal, "src2").unwrap();
    let answer = receipt(&[("ClientNo", "T1")], 10, Outcome::Accepted);
    bench.journal.record_opened(vec![opened(first, "W", answer.clone(), b"one")]).unwrap();
    bench.journal.record_opened(vec![opened(second, "W", answer, b"two")]).unwrap();
    assert_eq!(bench.journal.alarms(10).unwrap()[0].code, "KOUAN-JOURNAL-WIRE-ID-TWO-PAYLOADS");
    assert_eq!(bench.journal.counts().unwrap().inbound, 2);
    bench.assert_sound();
}

#[test]
fn what_is_quarantined_is_kept_never_delivered_and_tried_again() {
    let bench = Bench::new();
    let id = take_inbound(&bench.journal, "q1").unwrap();
    let quarantined = Opened { id, result: OpenResult::Quarantined(Reason::new("KOUAN-DXP-X", "bad signature")) };
    assert_eq!(bench.journal.record_opened(vec![quarantined]).unwrap(), [Matched::Quarantined]);
    assert!(bench.journal.unopened(InboundId(0), 10, usize::MAX).unwrap().is_empty());
    assert!(bench.journal.effects_due("erp", 10, usize::MAX).unwrap().is_empty());
    assert_eq!(bench.journal.inbound("quarantined", 10).unwrap()[0].reason.as_ref().unwrap().code, "KOUAN-DXP-X");
    bench.journal.act(&[], &act(Act::RetryQuarantine), false).unwrap();
    assert_eq!(bench.journal.unopened(InboundId(0), 10, usize::MAX).unwrap()[0].id, id);
    let unread = OpenResult::Unread {
        wire_id: None,
        message_type: "X".to_owned(),
        payload: b"?".to_vec(),
        file_name: "../ev/il.sub".to_owned(),
        reason: Reason::new("N", "nobody"),
    };
    assert_eq!(bench.journal.record_opened(vec![Opened { id, result: unread }]).unwrap(), [Matched::Unmatched]);
    let effects = bench.journal.effects_due("erp", 10, usize::MAX).unwrap();
    let EffectKind::Deliver { headers, .. } = &effects[0].kind else { panic!("{effects:?}") };
    let name = header_value(headers, header::FILE_NAME).unwrap();
    assert!(name.starts_with("Receipt_il_") && name.ends_with(".sub"), "{name}");
    bench.assert_sound();
}

#[test]
fn operators_acts_follow_the_lifecycle_and_leave_their_reason() {
    let bench = Bench::new();
    let id = bench.ready("O1", "O1");
    let mut without = act(Act::Park);
    without.reason = " ".to_owned();
    let refusal = bench.journal.act(&[id], &without, false).unwrap();
    assert_eq!(refusal[0].as_ref().unwrap_err().code, "KOUAN-JOURNAL-REASON-REQUIRED");
    let before = bench.journal.head().unwrap();
    let dry = bench.journal.act(&[id], &act(Act::Skip), true).unwrap();
    assert_eq!(dry[0].as_ref().unwrap().after, Delivery::Skipped);
    assert_eq!(
        (bench.delivery(id), bench.journal.head().unwrap()),
        (Delivery::Ready, before),
        "a dry run changes nothing"
    );
    assert_eq!(bench.act(id, Act::ResendAsNew).unwrap_err().code, "KOUAN-JOURNAL-MAY-STILL-TAKE-EFFECT");
    assert_eq!(bench.act(id, Act::ResolveSent).unwrap_err().code, "KOUAN-JOURNAL-ACT-NOT-ALLOWED");
    send_all(&bench.journal, Repeats::None, &unknown(bench.clock_now())).unwrap();
    assert_eq!(bench.act(id, Act::ResendAsNew).unwrap_err().code, "KOUAN-JOURNAL-MAY-STILL-TAKE-EFFECT");
    assert_eq!(bench.act(id, Act::ResolveNotSent).unwrap().after, Delivery::Ready);
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    bench.receive("w1", receipt(&[("ClientNo", "O1")], 10, Outcome::Accepted));
    assert_eq!(bench.act(id, Act::ResolveNotSent).unwrap_err().code, "KOUAN-JOURNAL-RECEIPT-PROVES");
    assert_eq!(bench.act(id, Act::ResendAsNew).unwrap_err().code, "KOUAN-JOURNAL-MAY-STILL-TAKE-EFFECT");
    bench.receive("w2", receipt(&[("ClientNo", "O1")], 20, Outcome::Rejected));
    let new = bench.act(id, Act::ResendAsNew).unwrap().new_message.unwrap();
    assert_eq!(bench.act(id, Act::ResendAsNew).unwrap_err().code, "KOUAN-JOURNAL-SUPERSEDED");
    assert_eq!(bench.check(new, "O1"), CheckOutcome::Ready);
    assert_eq!(bench.journal.detail(new).unwrap().unwrap().supersedes, Some(id));
    let said = bench.journal.timeline(id).unwrap().into_iter().find(|e| e.kind == "resolved_not_sent").unwrap();
    assert!(said.data.contains("\"operator\":\"li\"") && said.data.contains("because"), "{}", said.data);

    // Given up in doubt: it may still take effect, and a repeat of it is a duplicate.
    let doubt = bench.ready("O2", "O2");
    bench.act(new, Act::Skip).unwrap();
    send_all(&bench.journal, Repeats::None, &unknown(bench.clock_now())).unwrap();
    bench.act(doubt, Act::Skip).unwrap();
    let again = take(&bench.journal, "O3", b"<o3/>").unwrap();
    assert_eq!(bench.check(again, "O2"), CheckOutcome::Duplicate(doubt));
    assert_eq!(bench.act(doubt, Act::ResendAsNew).unwrap_err().code, "KOUAN-JOURNAL-MAY-STILL-TAKE-EFFECT");
    bench.act(doubt, Act::ResolveNotSent).unwrap();
    assert_eq!(bench.delivery(doubt), Delivery::Skipped);
    assert!(bench.act(doubt, Act::ResendAsNew).is_ok());
    bench.assert_sound();
}

#[test]
fn what_a_receipt_proves_to_have_arrived_is_not_sent_again_under_the_same_identity() {
    let bench = Bench::new();
    let again = OperatorAct { repeats: Repeats::WireId, ..act(Act::Resend) };
    let resend = |id| bench.journal.act(&[id], &again, false).unwrap().remove(0);
    let silent = bench.ready("P9", "P9");
    let cases = [(Outcome::Accepted, false), (Outcome::Concluded, false), (Outcome::Rejected, true)];
    for (n, (outcome, goes_as_new)) in cases.into_iter().enumerate() {
        let key = format!("P{n}");
        let id = bench.ready(&key, &key);
        send_all(&bench.journal, Repeats::WireId, &confirmed()).unwrap();
        bench.receive(&key, receipt(&[("ClientNo", &key)], 10, outcome));
        assert_eq!(resend(id).unwrap_err().code, "KOUAN-JOURNAL-RECEIPT-PROVES", "{outcome:?}");
        assert_eq!(bench.delivery(id), Delivery::Sent);
        assert_eq!(bench.act(id, Act::ResendAsNew).is_ok(), goes_as_new, "{outcome:?}");
        assert!(bench.journal.due(&all_due(Repeats::WireId)).unwrap().is_empty());
    }
    // Confirmed, and nobody has answered: it may go again.
    assert_eq!(resend(silent).unwrap().after, Delivery::InDoubt);
    bench.assert_sound();
}

#[test]
fn a_receipt_of_the_document_leaves_the_doubt_of_its_attachment_to_the_operator() {
    let bench = Bench::new();
    let id = take(&bench.journal, "E1", b"<e1/>").unwrap();
    let document = part("document", PartPayload::Body, vec![], true);
    let attachment = part("invoice.pdf", PartPayload::Bytes(b"pdf".to_vec()), vec![0], false);
    bench.journal.record_checks(vec![ready(id, report("E1"), vec![document, attachment])]).unwrap();
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    send_all(&bench.journal, Repeats::None, &unknown(bench.clock_now())).unwrap();
    bench.receive("w1", receipt(&[("ClientNo", "E1")], 10, Outcome::Accepted));
    let states = || -> Vec<_> {
        bench.journal.detail(id).unwrap().unwrap().parts.iter().map(|part| part.state.delivery).collect()
    };
    assert_eq!(states(), [Delivery::Sent, Delivery::InDoubt]);
    assert_eq!(bench.act(id, Act::ResolveNotSent).unwrap().after, Delivery::Ready);
    assert_eq!(states(), [Delivery::Sent, Delivery::Ready], "the document stays sent");
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    assert_eq!(states(), [Delivery::Sent, Delivery::Sent]);
    assert_eq!(bench.act(id, Act::ResolveNotSent).unwrap_err().code, "KOUAN-JOURNAL-RECEIPT-PROVES");
    bench.assert_sound();
}

#[test]
fn one_part_in_doubt_is_settled_without_the_others() {
    let bench = Bench::new();
    let id = take(&bench.journal, "E1", b"<e1/>").unwrap();
    let attachment = |name, n: u8| part(name, PartPayload::Bytes(vec![n]), vec![0], false);
    let document = part("document", PartPayload::Body, vec![], true);
    let parts = vec![document, attachment("a.pdf", 1), attachment("b.pdf", 2), attachment("b.pdf", 3)];
    bench.journal.record_checks(vec![ready(id, report("E1"), parts)]).unwrap();
    send_all(&bench.journal, Repeats::None, &confirmed()).unwrap();
    for _ in 0..3 {
        send_all(&bench.journal, Repeats::None, &unknown(bench.clock_now())).unwrap();
    }
    let parts = || bench.journal.detail(id).unwrap().unwrap().parts;
    let states = || -> Vec<_> { parts().iter().map(|part| part.state.delivery).collect() };
    let wire_ids: Vec<_> = parts().into_iter().map(|part| part.wire_id).collect();
    let settle = |what: Act, part: &str, dry: bool| {
        let wanted = OperatorAct { part: Some(part.to_owned()), ..act(what) };
        bench.journal.act(&[id], &wanted, dry).unwrap().remove(0)
    };
    use Delivery::{InDoubt, Ready, Sent};
    assert_eq!(states(), [Sent, InDoubt, InDoubt, InDoubt]);
    let refused = |done: Result<ActDone, Reason>| done.unwrap_err().code;
    assert_eq!(refused(settle(Act::ResolveSent, "c.pdf", false)), "KOUAN-JOURNAL-WHICH-PART");
    assert_eq!(refused(settle(Act::ResolveSent, "b.pdf", false)), "KOUAN-JOURNAL-WHICH-PART", "there are two");
    assert_eq!(refused(settle(Act::Skip, "a.pdf", false)), "KOUAN-JOURNAL-ACT-NOT-ALLOWED");
    settle(Act::ResolveSent, "a.pdf", true).unwrap();
    assert_eq!(states(), [Sent, InDoubt, InDoubt, InDoubt], "nothing is changed so far");

    settle(Act::ResolveSent, "a.pdf", false).unwrap();
    assert_eq!(states(), [Sent, Sent, InDoubt, InDoubt]);
    settle(Act::ResolveNotSent, &wire_ids[3], false).unwrap();
    assert_eq!(states(), [Sent, Sent, InDoubt, Ready]);
    let no_longer = settle(Act::ResolveSent, &wire_ids[3], false).unwrap_err();
    assert_eq!(no_longer.code, "KOUAN-JOURNAL-ACT-NOT-ALLOWED");
    assert!(no_longer.text.contains(&wire_ids[3]) && no_longer.text.contains("ready"), "{}", no_longer.text);
    // A receipt of the document says nothing of its attachments, and all of the document.
    bench.receive("w1", receipt(&[("ClientNo", "E1")], 10, Outcome::Accepted));
    assert_eq!(refused(settle(Act::ResolveNotSent, "document", false)), "KOUAN-JOURNAL-RECEIPT-PROVES");
    settle(Act::ResolveNotSent, &wire_ids[2], false).unwrap();
    assert_eq!(states(), [Sent, Sent, Ready, Ready]);
    let settled = bench.journal.timeline(id).unwrap();
    let settled: Vec<_> = settled.iter().filter(|e| e.kind.starts_with("resolved")).map(|e| e.part.unwrap()).collect();
    assert_eq!(settled, [1, 3, 2].map(|n: usize| parts()[n].id), "the evidence names each part");
    bench.assert_sound();
}

#[test]
fn an_operator_beside_a_running_gateway_writes_into_the_same_chain() {
    let bench = Bench::new();
    let id = bench.ready("C1", "C1");
    let beside = SqliteJournal::open_operator(bench.journal.path(), bench.clock.clone()).unwrap();
    beside.act(&[id], &act(Act::Park), false).unwrap()[0].as_ref().unwrap();
    assert_eq!(beside.accept(vec![message("C2", b"x")]).unwrap_err(), JournalError::ReadOnly);
    assert_eq!(bench.summary(id).hold, Hold::Parked);
    bench.ready("C3", "C3");
    beside.act(&[id], &act(Act::Skip), false).unwrap()[0].as_ref().unwrap();
    let effects = bench.journal.effects_due("erp", 10, usize::MAX).unwrap();
    assert!(matches!(&effects[0].kind, EffectKind::Dispose { end: End::Failed, verdict: Some(_), .. }), "{effects:?}");
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (journal, beside) = (bench.journal.clone(), beside.clone());
            std::thread::spawn(move || {
                for i in 0..10 {
                    let id = take(&journal, &format!("T{n}-{i}"), b"t").unwrap();
                    journal.record_checks(vec![ready_document(id, &format!("T{n}-{i}"))]).ok();
                    let _ = beside.act(&[id], &act(Act::Park), false).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    bench.assert_sound();
    let reading = SqliteJournal::open_read_only(bench.journal.path()).unwrap();
    assert_eq!(reading.counts().unwrap(), bench.journal.counts().unwrap());
    assert_eq!(reading.accept(vec![message("C9", b"x")]).unwrap_err(), JournalError::ReadOnly);
}

#[test]
fn opening_keeps_its_promises() {
    let bench = Bench::new();
    let id = bench.ready("X1", "X1");
    let due = bench.journal.due(&all_due(Repeats::None)).unwrap();
    let begin = Begin { part: due[0].id, sealed: sealed("w", b"p"), payload: None, repeats: Repeats::None };
    bench.journal.begin_attempts(vec![begin]).unwrap()[0].unwrap();
    assert!(matches!(SqliteJournal::open(bench.options()), Err(JournalError::InUse { .. })));
    let bench = bench.reopen();
    assert_eq!(bench.delivery(id), Delivery::InDoubt, "the attempt's answer is lost");
    assert_eq!(bench.summary(id).reason.unwrap().code, "KOUAN-JOURNAL-PROCESS-ENDED");
    let mut options = bench.options();
    options.environment = "production".to_owned();
    let folder = bench.close();
    let error = SqliteJournal::open(options).err().unwrap();
    assert_eq!(error.code(), "KOUAN-JOURNAL-ENVIRONMENT");
    assert!(kouan_sdk::catalogue::lookup(error.code()).is_some());
    drop(folder);
}
