//! The store behind the face: each call as it is, with the one error that crosses rooms.

use crate::face::Journal;
use crate::lifecycle::{Illegal, Repeats};
use crate::model::{
    Accepted, ActDone, Alarm, AttemptId, Begin, CheckOutcome, Checked, Counts, DueFilter, DuePart, Effect, EffectDone,
    Ended, Event, Filter, InboundAccepted, InboundId, Matched, MessageDetail, MessageId, MessageSummary, NewInbound,
    NewMessage, Opened, OperatorAct, PartId, Reason, Unchecked, Unopened,
};
use crate::store::SqliteJournal;
use kouan_sdk::Timestamp;
use kouan_sdk::business::Report;

impl Journal for SqliteJournal {
    fn accept(&self, batch: Vec<NewMessage>) -> kouan_sdk::Result<Vec<Accepted>> {
        Ok(self.accept(batch)?)
    }
    fn unchecked(&self, after: MessageId, limit: usize, max_bytes: usize) -> kouan_sdk::Result<Vec<Unchecked>> {
        Ok(self.unchecked(after, limit, max_bytes)?)
    }
    fn record_checks(&self, batch: Vec<Checked>) -> kouan_sdk::Result<Vec<CheckOutcome>> {
        Ok(self.record_checks(batch)?)
    }
    fn original(&self, id: MessageId) -> kouan_sdk::Result<(Unchecked, Report)> {
        Ok(self.original(id)?)
    }
    fn due(&self, filter: &DueFilter) -> kouan_sdk::Result<Vec<DuePart>> {
        Ok(self.due(filter)?)
    }
    fn next_due_at(&self, repeats: Repeats) -> kouan_sdk::Result<Option<Timestamp>> {
        Ok(self.next_due_at(repeats)?)
    }
    fn begin_attempts(&self, batch: Vec<Begin>) -> kouan_sdk::Result<Vec<std::result::Result<AttemptId, Illegal>>> {
        Ok(self.begin_attempts(batch)?)
    }
    fn end_attempts(&self, batch: Vec<Ended>) -> kouan_sdk::Result<()> {
        Ok(self.end_attempts(batch)?)
    }
    fn park_parts(&self, batch: Vec<(PartId, Reason)>) -> kouan_sdk::Result<()> {
        Ok(self.park_parts(batch)?)
    }
    fn hold_identity(&self, identity: &str, why: Option<Reason>) -> kouan_sdk::Result<()> {
        Ok(self.hold_identity(identity, why)?)
    }
    fn in_doubt(&self, limit: usize) -> kouan_sdk::Result<Vec<(PartId, String)>> {
        Ok(self.in_doubt(limit)?)
    }
    fn record_inquiries(&self, batch: Vec<(PartId, bool)>) -> kouan_sdk::Result<()> {
        Ok(self.record_inquiries(batch)?)
    }
    fn accept_inbound(&self, batch: Vec<NewInbound>) -> kouan_sdk::Result<Vec<InboundAccepted>> {
        Ok(self.accept_inbound(batch)?)
    }
    fn unopened(&self, after: InboundId, limit: usize, max_bytes: usize) -> kouan_sdk::Result<Vec<Unopened>> {
        Ok(self.unopened(after, limit, max_bytes)?)
    }
    fn record_opened(&self, batch: Vec<Opened>) -> kouan_sdk::Result<Vec<Matched>> {
        Ok(self.record_opened(batch)?)
    }
    fn effects_due(&self, site: &str, limit: usize, max_bytes: usize) -> kouan_sdk::Result<Vec<Effect>> {
        Ok(self.effects_due(site, limit, max_bytes)?)
    }
    fn record_effects(&self, batch: Vec<EffectDone>) -> kouan_sdk::Result<()> {
        Ok(self.record_effects(batch)?)
    }
    fn mark_overdue(&self) -> kouan_sdk::Result<usize> {
        Ok(self.mark_overdue()?)
    }
    fn raise_alarm(&self, code: &str, text: &str, message: Option<MessageId>) -> kouan_sdk::Result<()> {
        Ok(self.raise_alarm(code, text, message)?)
    }
    fn alarms(&self, limit: usize) -> kouan_sdk::Result<Vec<Alarm>> {
        Ok(self.alarms(limit)?)
    }
    fn act(
        &self,
        ids: &[MessageId],
        act: &OperatorAct,
        dry_run: bool,
    ) -> kouan_sdk::Result<Vec<std::result::Result<ActDone, Reason>>> {
        Ok(self.act(ids, act, dry_run)?)
    }
    fn list(&self, filter: &Filter) -> kouan_sdk::Result<Vec<MessageSummary>> {
        Ok(self.list(filter)?)
    }
    fn detail(&self, id: MessageId) -> kouan_sdk::Result<Option<MessageDetail>> {
        Ok(self.detail(id)?)
    }
    fn timeline(&self, id: MessageId) -> kouan_sdk::Result<Vec<Event>> {
        Ok(self.timeline(id)?)
    }
    fn counts(&self) -> kouan_sdk::Result<Counts> {
        Ok(self.counts()?)
    }
    fn retain(&self, before: Timestamp) -> kouan_sdk::Result<u64> {
        Ok(self.retain(before)?.messages)
    }
    fn head(&self) -> kouan_sdk::Result<(i64, i64, String)> {
        Ok(self.head()?)
    }
    fn record_head(&self, segment: i64, seq: i64, signature: &[u8], certificate: &[u8]) -> kouan_sdk::Result<()> {
        Ok(self.record_head(segment, seq, signature, certificate)?)
    }
}
