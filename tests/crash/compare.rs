//! Holds what the window's ledger says against what the journal and the folders say. Everything so far in a campaign is
//! compared anew each time, so that nothing that was right becomes wrong later.

use crate::drops::{Dropped, Expected};
use crate::folders::{self, Lying};
use crate::mode::Mode;
use crate::processes;
use crate::report::Figures;
use crate::settle;
use anyhow::bail;
use kouan_journal::model::{Alarm, Filter, MessageDetail, MessageId};
use kouan_journal::{Delivery, Journal};
use kouan_sandbox::{Ledger, Repeats};
use kouan_sdk::business::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A window that takes a repeat twice is noticed by this.
const TWICE: &str = "KOUAN-JOURNAL-TOOK-EFFECT-TWICE";

/// Differences shown, at the most.
const SHOWN: usize = 20;

/// What differs, of one theme.
type Check = fn(&Facts<'_>) -> Vec<String>;

/// Both sides, looked at once everything has come to its end.
struct Facts<'a> {
    mode: Mode,
    dropped: &'a [Dropped],
    messages: Vec<MessageDetail>,
    alarms: Vec<Alarm>,
    files: Vec<Lying>,
    ledger: Ledger,
}

/// Compares everything; an error lists what differs.
pub fn all(kouan: &Path, folder: &Path, mode: Mode, dropped: &[Dropped]) -> anyhow::Result<Figures> {
    for arguments in [["evidence", "verify"], ["store", "check"]] {
        let done = processes::command(kouan, folder, &arguments)?;
        if !done.status.success() {
            let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
            bail!("kouan {} ended with {}\n{out}{err}", arguments.join(" "), done.status);
        }
    }
    let facts = Facts::read(folder, mode, dropped)?;
    let checks: [(&str, Check); 6] = [
        ("files", ends_of_files),
        ("states", states),
        ("effects", effects),
        ("wire ids and lanes", wire_ids),
        ("receipts", receipts),
        ("alarms", alarms),
    ];
    let differences: Vec<_> = checks
        .into_iter()
        .flat_map(|(theme, check)| check(&facts).into_iter().map(move |what| format!("\n  {theme}: {what}")))
        .collect();
    if !differences.is_empty() {
        let shown: String = differences.iter().take(SHOWN).map(String::as_str).collect();
        bail!("{} differences{shown}", differences.len());
    }
    Ok(facts.figures())
}

impl<'a> Facts<'a> {
    fn read(folder: &Path, mode: Mode, dropped: &'a [Dropped]) -> anyhow::Result<Self> {
        let journal = settle::journal(folder)?;
        let filter = Filter { limit: usize::MAX >> 1, ..Filter::default() };
        let mut messages = Vec::new();
        for line in Journal::list(&journal, &filter)?.into_iter().rev() {
            messages.extend(Journal::detail(&journal, line.id)?);
        }
        Ok(Self {
            mode,
            dropped,
            messages,
            alarms: Journal::alarms(&journal, 10_000)?,
            files: folders::all(folder)?,
            ledger: Ledger::read(&settle::ledger_path(folder))?,
        })
    }

    /// Messages of one declaration, oldest first.
    fn of_number(&self, number: &str) -> Vec<&MessageDetail> {
        let names: BTreeSet<_> =
            self.dropped.iter().filter(|file| file.number == number).map(|file| file.name.as_str()).collect();
        self.messages.iter().filter(|message| names.contains(message.summary.file_name.as_str())).collect()
    }

    /// Declarations that must end so.
    fn numbers(&self, expected: Expected) -> BTreeSet<&str> {
        self.dropped.iter().filter(|file| file.expected == expected).map(|file| file.number.as_str()).collect()
    }

    fn figures(&self) -> Figures {
        let parts = || self.messages.iter().flat_map(|message| &message.parts);
        let refused = |m: &&MessageDetail| m.summary.delivery == Delivery::Refused;
        Figures {
            files: self.dropped.len() as u64,
            messages: self.messages.len() as u64,
            refused: self.messages.iter().filter(refused).count() as u64,
            attempts: parts().map(|part| u64::from(part.state.attempts)).sum(),
            effects: self.ledger.effects.iter().map(|effect| effect.count).sum(),
            doubled: self.ledger.effects.iter().filter(|effect| effect.count > 1).count() as u64,
            repeats: self.ledger.inbound.iter().map(|arrival| arrival.count - 1).sum(),
            receipts: self.ledger.receipts.len() as u64,
            alarms: self.alarms.len() as u64,
        }
    }
}

/// Every dropped file lies in exactly one box, the one that its state in the journal says; none is left half written.
fn ends_of_files(facts: &Facts<'_>) -> Vec<String> {
    let end = |message: &MessageDetail| match message.summary.delivery {
        Delivery::Sent => "SentBox",
        Delivery::Refused => "FailBox",
        _ => "no end",
    };
    let of_messages =
        facts.messages.iter().map(|m| (end(m).to_owned(), m.summary.file_name.clone(), m.body_digest.clone()));
    let set_aside = facts.dropped.iter().filter(|file| file.expected == Expected::SetAside);
    let set_aside = set_aside.map(|file| ("FailBox".to_owned(), file.name.clone(), file.digest.clone()));
    // The same name and bytes with the same end are one file.
    let expected: BTreeSet<_> = of_messages.chain(set_aside).collect();
    let lying = |file: &&Lying| !matches!(file.place.as_str(), "InBox" | "Report");
    let found = facts.files.iter().filter(lying);
    let found: BTreeSet<_> = found.map(|f| (f.place.clone(), f.name.clone(), f.digest.clone())).collect();
    let mut differences: Vec<_> = expected
        .difference(&found)
        .map(|(place, name, _)| format!("{name} is not in {place} as it was dropped"))
        .collect();
    differences.extend(found.difference(&expected).map(|(place, name, _)| format!("{name} should not be in {place}")));
    let half = facts.files.iter().filter(|file| file.name.ends_with(".tmp"));
    differences.extend(half.map(|file| format!("{} was left in {}", file.name, file.place)));
    differences
}

/// Every file is one message, in the state that its content calls for; what was refused has its verdict.
fn states(facts: &Facts<'_>) -> Vec<String> {
    let mut differences = Vec::new();
    let mut dropped: BTreeMap<(&str, &str), (usize, bool)> = BTreeMap::new();
    for file in facts.dropped {
        let entry = dropped.entry((&file.name, &file.digest)).or_insert((0, file.expected == Expected::SetAside));
        entry.0 += 1;
    }
    for ((name, digest), (times, set_aside)) in dropped {
        let same = |m: &&MessageDetail| m.summary.file_name == name && m.body_digest == digest;
        let found = facts.messages.iter().filter(same).count();
        if found != if set_aside { 0 } else { times } {
            differences.push(format!("{name} was dropped {times} times and is {found} messages"));
        }
    }
    for (expected, outcome) in [(Expected::Concluded, Outcome::Concluded), (Expected::Rejected, Outcome::Rejected)] {
        for number in facts.numbers(expected) {
            let all = facts.of_number(number);
            let (sent, others): (Vec<&MessageDetail>, Vec<_>) =
                all.iter().partition(|m| m.summary.delivery == Delivery::Sent);
            // After a rejection the same again is a new attempt; while it is live, or succeeded, a duplicate.
            let enough = sent.len() == 1 || (outcome == Outcome::Rejected && sent.len() > 1);
            let right = enough
                && sent.iter().all(|m| m.summary.outcome == outcome)
                && others.iter().all(|m| m.summary.delivery == Delivery::Refused);
            if !right {
                let lines: Vec<_> = all.iter().map(|m| (m.summary.delivery, m.summary.outcome)).collect();
                differences.push(format!("{number} should be sent and {outcome:?}, and is {lines:?}"));
            }
        }
    }
    for number in facts.numbers(Expected::Refused) {
        let wrong = facts.of_number(number).into_iter().filter(|m| m.summary.delivery != Delivery::Refused);
        differences.extend(wrong.map(|m| format!("{number} should be refused, and is {:?}", m.summary.delivery)));
    }
    differences.extend(verdicts(facts));
    differences
}

fn verdicts(facts: &Facts<'_>) -> Vec<String> {
    let reports: BTreeSet<_> =
        facts.files.iter().filter(|file| file.place == "Report").map(|file| file.name.as_str()).collect();
    let refused = facts.messages.iter().filter(|m| m.summary.delivery == Delivery::Refused);
    let refused = refused.map(|m| m.summary.file_name.as_str());
    let set_aside = facts.dropped.iter().filter(|file| file.expected == Expected::SetAside).map(|f| f.name.as_str());
    refused
        .chain(set_aside)
        .filter(|name| !reports.contains(format!("{}.json", stem(name)).as_str()))
        .map(|name| format!("{name} was refused without a report"))
        .collect()
}

/// Each declaration took effect once, by the message that the journal says, with the bytes that it says.
fn effects(facts: &Facts<'_>) -> Vec<String> {
    let mut differences = Vec::new();
    let concluded = facts.numbers(Expected::Concluded);
    for effect in &facts.ledger.effects {
        if !concluded.contains(effect.key.value.as_str()) {
            differences.push(format!("{} took effect, and should not", effect.key.value));
        }
        if effect.count != 1 && !facts.mode.misbehaves() {
            differences.push(format!("{} took effect {} times", effect.key.value, effect.count));
        }
        let sent = facts.of_number(&effect.key.value).into_iter().find(|m| m.summary.delivery == Delivery::Sent);
        let document = sent.and_then(|message| message.parts.first());
        let same = |part: &kouan_journal::model::PartDetail| {
            effect.wire_ids.iter().all(|id| *id == part.wire_id)
                && effect.digests.iter().all(|digest| *digest == part.payload_digest)
        };
        if !document.is_some_and(same) {
            differences
                .push(format!("{} took effect as {:?}, which is not what was sent", effect.key.value, effect.wire_ids));
        }
    }
    let found: BTreeSet<_> = facts.ledger.effects.iter().map(|effect| effect.key.value.as_str()).collect();
    differences.extend(concluded.difference(&found).map(|number| format!("{number} never took effect")));
    differences
}

/// A wire id carries one payload, the one that the journal says, and all of them arrived; attachments after their
/// document, and the messages of a lane in their order.
fn wire_ids(facts: &Facts<'_>) -> Vec<String> {
    let mut differences = Vec::new();
    let mut arrived: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
    for (place, arrival) in facts.ledger.inbound.iter().enumerate() {
        if arrived.insert(&arrival.wire_id, (place, &arrival.digest)).is_some() {
            differences.push(format!("{} came with two payloads", arrival.wire_id));
        }
        if arrival.count > 1 && facts.mode.client == Repeats::None {
            differences
                .push(format!("{} came {} times, though nothing may be repeated", arrival.wire_id, arrival.count));
        }
    }
    let mut lanes: BTreeMap<String, (MessageId, usize)> = BTreeMap::new();
    for message in facts.messages.iter().filter(|m| m.summary.delivery == Delivery::Sent) {
        let mut places = Vec::new();
        for part in &message.parts {
            match arrived.remove(part.wire_id.as_str()) {
                Some((place, digest)) if digest == part.payload_digest => places.push(place),
                Some(_) => differences.push(format!("{} arrived with another payload", part.wire_id)),
                None => differences.push(format!("{} is sent and never arrived", part.wire_id)),
            }
        }
        let (Some(first), Some(last)) = (places.first().copied(), places.iter().max().copied()) else { continue };
        if places.iter().any(|place| *place < first) {
            differences.push(format!("an attachment of message {} came before it", message.summary.id.0));
        }
        let lane = message.summary.business_key.as_ref().map(|key| key.value.clone()).unwrap_or_default();
        if let Some((before, its_last)) = lanes.insert(lane, (message.summary.id, last))
            && its_last > first
        {
            differences.push(format!("message {} overtook message {}", message.summary.id.0, before.0));
        }
    }
    differences.extend(arrived.keys().map(|wire_id| format!("{wire_id} arrived, and no sent message has it")));
    let refused = facts.ledger.refused.iter();
    differences
        .extend(refused.map(|refused| format!("the window refused an envelope: {} {}", refused.code, refused.message)));
    differences
}

/// Every receipt lies at the site once under a name of its own, with the bytes that the window sent; and so does every
/// refusal of ours; and nothing else does.
fn receipts(facts: &Facts<'_>) -> Vec<String> {
    let mut promised: BTreeMap<&str, i64> = BTreeMap::new();
    for receipt in facts.ledger.receipts.iter().filter(|receipt| receipt.must_arrive) {
        *promised.entry(&receipt.digest).or_default() += 1;
    }
    let mut left = promised.clone();
    let mut others = 0;
    for file in facts.files.iter().filter(|file| matches!(file.place.as_str(), "InBox" | "Report")) {
        match left.get_mut(file.digest.as_str()) {
            Some(count) => *count -= 1,
            None if file.place == "InBox" => others += 1,
            None => {}
        }
    }
    let mut differences: Vec<_> = left
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|(digest, count)| {
            let receipt = facts.ledger.receipts.iter().find(|receipt| receipt.digest == digest);
            let about = receipt.map(|r| format!("{} {} for {:?}", r.wire_id, r.kind, r.key)).unwrap_or_default();
            format!("{about}: {} promised, {count} too few (or too many, if below 0)", promised[digest])
        })
        .collect();
    // What never became a message, being too big, is answered as well.
    let set_aside = facts.dropped.iter().filter(|file| file.expected == Expected::SetAside).count();
    let refused = facts.messages.iter().filter(|m| m.summary.delivery == Delivery::Refused).count() + set_aside;
    if others != refused {
        differences.push(format!("{refused} files were refused here, and {others} refusals lie in InBox"));
    }
    differences
}

/// No alarm but where the window was configured to misbehave; there, one for each effect that it doubled.
fn alarms(facts: &Facts<'_>) -> Vec<String> {
    let of_ledger = facts.ledger.alarms.iter().map(|alarm| format!("the window: {} {}", alarm.code, alarm.message));
    let mut differences: Vec<_> = of_ledger.collect();
    let mut doubled: BTreeSet<_> =
        facts.ledger.effects.iter().filter(|effect| effect.count > 1).map(|effect| effect.key.value.as_str()).collect();
    for alarm in &facts.alarms {
        let message = facts.messages.iter().find(|m| Some(m.summary.id) == alarm.message);
        let key = message.and_then(|m| m.summary.business_key.as_ref()).map(|key| key.value.as_str());
        let is_due = alarm.code == TWICE && key.is_some_and(|key| doubled.contains(key));
        if !is_due {
            differences.push(format!("{} {} ({key:?})", alarm.code, alarm.text));
        }
    }
    for alarm in &facts.alarms {
        let message = facts.messages.iter().find(|m| Some(m.summary.id) == alarm.message);
        if let Some(key) = message.and_then(|m| m.summary.business_key.as_ref()) {
            doubled.remove(key.value.as_str());
        }
    }
    differences.extend(doubled.iter().map(|key| format!("{key} took effect twice, and nobody noticed")));
    differences
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}
