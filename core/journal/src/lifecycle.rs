//! The state machine of a message and its parts: what may follow what. Pure: no clock, no storage.
//!
//! A part (部分) moves by [`step`]; a message is the [`fold`] of its parts. The journal calls both inside the
//! transaction that records the change, so no two callers can decide on the same old state.

use serde::{Deserialize, Serialize};

/// First column of a message's state: how far its delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// 已接收: the bytes are durable, nothing else is known yet.
    Received,
    /// 校验不通过: will never be sent. Terminal.
    Refused,
    /// 待发送.
    Ready,
    /// 发送中: an attempt is under way; its sealed bytes are durable.
    Sending,
    /// 待确认: an attempt ended without a yes or a no.
    InDoubt,
    /// 已发送: the other side has it.
    Sent,
    /// 已跳过: an operator gave it up, with a reason. Terminal, but for a receipt that proves otherwise.
    Skipped,
}

impl Delivery {
    /// Whether the message may still leave; it blocks its lane.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Received | Self::Ready | Self::Sending | Self::InDoubt)
    }

    /// Stable number in the journal's file.
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// From the number in the journal's file.
    pub const fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Received,
            1 => Self::Refused,
            2 => Self::Ready,
            3 => Self::Sending,
            4 => Self::InDoubt,
            5 => Self::Sent,
            6 => Self::Skipped,
            _ => return None,
        })
    }

    /// Chinese and English name, for people.
    pub const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Received => ("已接收", "received"),
            Self::Refused => ("校验不通过", "refused"),
            Self::Ready => ("待发送", "ready"),
            Self::Sending => ("发送中", "sending"),
            Self::InDoubt => ("待确认", "in doubt"),
            Self::Sent => ("已发送", "sent"),
            Self::Skipped => ("已跳过", "skipped"),
        }
    }
}

/// Third column: why nothing moves, though it might. A hold never changes delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Nothing holds it.
    None,
    /// 挂起: retries are spent, a refusal is permanent, or an operator wants it so.
    Parked,
    /// 超时未回: sent, and no receipt within the business's deadline. An alarm, never a resend by itself.
    Overdue,
}

/// What a repeat of the same wire id meets at the window (`[window] repeats`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeats {
    /// The window drops a repeated wire id: send the same bytes again.
    WireId,
    /// It answers a repeat with a failure that names our own business key: that counts as yes.
    BusinessKey,
    /// Nothing is known of it: a part in doubt waits for a receipt, an inquiry or an operator.
    #[default]
    None,
}

impl Repeats {
    /// Whether the same bytes may go out again while an earlier attempt is unresolved.
    pub const fn may_repeat(self) -> bool {
        !matches!(self, Self::None)
    }
}

/// What the rules need to know of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartState {
    /// `Ready`, `Sending`, `InDoubt`, `Sent` or `Skipped`.
    pub delivery: Delivery,
    /// Held by an operator or by spent retries.
    pub parked: bool,
    /// Attempts begun so far.
    pub attempts: u32,
    /// Attempts that ended without a yes or a no, and are not resolved since.
    pub unresolved: u32,
    /// Whether any attempt ever ended in doubt; the other side may have met a repeat.
    pub doubted: bool,
}

impl PartState {
    /// A part just planned.
    pub const NEW: Self = Self { delivery: Delivery::Ready, parked: false, attempts: 0, unresolved: 0, doubted: false };

    /// Whether its sealed bytes may be made anew: only while every attempt failed safely.
    pub const fn may_reseal(&self) -> bool {
        self.unresolved == 0 && matches!(self.delivery, Delivery::Ready)
    }
}

/// What can happen to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartEvent {
    /// An attempt begins, under this policy.
    Begin(Repeats),
    /// The transport said yes.
    Confirmed,
    /// The transport said no, and may say yes later. `spent`: the retries are used up.
    RefusedTransient {
        /// Retries are used up: park it.
        spent: bool,
    },
    /// The transport said no for good.
    RefusedPermanent,
    /// The transport does not know; or the process died in between.
    Unknown,
    /// A verified receipt for it came.
    Receipt,
    /// An inquiry says that the other side has it.
    FoundPresent,
    /// An inquiry says that the other side does not have it and never will.
    FoundAbsent,
    /// An operator, or the kernel with a reason, holds it.
    Park,
    /// An operator sends it again under the same identity (`resend`): lifts the hold; what was confirmed goes out again
    /// only where the window is known to tell repeats.
    Resend(Repeats),
    /// An operator gives it up.
    Skip,
    /// An operator knows that it arrived.
    ResolveSent,
    /// An operator knows that it did not arrive (the journal refuses this where a receipt proves otherwise).
    ResolveNotSent,
}

/// The lifecycle forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot follow {delivery:?}")]
pub struct Illegal {
    /// State it was in.
    pub delivery: Delivery,
    /// What was tried.
    pub event: PartEvent,
}

/// The part's next state. The same state again means that the event changes nothing (a late or repeated one).
pub fn step(part: &PartState, event: PartEvent) -> Result<PartState, Illegal> {
    use Delivery::{InDoubt, Ready, Sending, Sent, Skipped};
    let illegal = Err(Illegal { delivery: part.delivery, event });
    let mut next = *part;
    match (part.delivery, event) {
        (Ready, PartEvent::Begin(_)) if !part.parked => begin(&mut next),
        (InDoubt, PartEvent::Begin(repeats)) if !part.parked && repeats.may_repeat() => begin(&mut next),

        (Sending, PartEvent::Confirmed) => arrived(&mut next),
        (Sending, PartEvent::RefusedTransient { spent }) => {
            failed_safely(&mut next);
            next.parked = spent;
        }
        (Sending, PartEvent::RefusedPermanent) => {
            failed_safely(&mut next);
            next.parked = true;
        }
        (Sending, PartEvent::Unknown) => {
            next.delivery = InDoubt;
            next.unresolved += 1;
            next.doubted = true;
        }
        // The attempt that these speak of was overtaken by a receipt or by an operator; what they know is settled.
        (
            Sent | Skipped,
            PartEvent::Confirmed
            | PartEvent::RefusedTransient { .. }
            | PartEvent::RefusedPermanent
            | PartEvent::Unknown,
        ) => {}

        // A verified receipt proves arrival, whatever we thought before.
        (_, PartEvent::Receipt) => arrived(&mut next),
        (InDoubt | Sent, PartEvent::FoundPresent | PartEvent::ResolveSent) => arrived(&mut next),
        (InDoubt, PartEvent::FoundAbsent) | (InDoubt | Sent, PartEvent::ResolveNotSent) => {
            next.delivery = Ready;
            next.unresolved = 0;
        }

        (Ready | InDoubt, PartEvent::Park) => next.parked = true,
        (Ready | InDoubt, PartEvent::Resend(_)) => next.parked = false,
        (Sent, PartEvent::Resend(repeats)) if repeats.may_repeat() => {
            // The confirmed attempt counts as unresolved from now on, so that the bytes stay the same.
            next.delivery = InDoubt;
            next.unresolved = 1;
            next.doubted = true;
        }
        (Ready | InDoubt, PartEvent::Skip) => {
            next.delivery = Skipped;
            next.parked = false;
        }
        (Skipped, PartEvent::Skip) => {}
        // It stays given up, and is known to have no effect.
        (Skipped, PartEvent::ResolveNotSent) => next.unresolved = 0,
        _ => return illegal,
    }
    Ok(next)
}

fn begin(part: &mut PartState) {
    part.delivery = Delivery::Sending;
    part.attempts += 1;
}

fn arrived(part: &mut PartState) {
    part.delivery = Delivery::Sent;
    part.unresolved = 0;
    part.parked = false;
}

fn failed_safely(part: &mut PartState) {
    part.delivery = if part.unresolved == 0 { Delivery::Ready } else { Delivery::InDoubt };
}

/// A message's delivery and whether it is parked, from its parts. The first part is the document.
/// A message without parts is not planned yet; its own column says `Received` or `Refused`.
pub fn fold(parts: &[PartState]) -> Option<(Delivery, bool)> {
    let document = parts.first()?;
    let has = |delivery| parts.iter().any(|part| part.delivery == delivery);
    let delivery = [Delivery::Sending, Delivery::InDoubt, Delivery::Ready]
        .into_iter()
        .find(|&delivery| has(delivery))
        .unwrap_or(document.delivery);
    Some((delivery, parts.iter().any(|part| part.parked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(events: &[PartEvent]) -> Result<PartState, Illegal> {
        events.iter().try_fold(PartState::NEW, |part, &event| step(&part, event))
    }

    #[test]
    fn a_safe_failure_goes_back_to_ready_or_to_doubt_while_an_earlier_attempt_is_unresolved() {
        use PartEvent::{Begin, RefusedTransient, Unknown};
        let safe = after(&[Begin(Repeats::WireId), RefusedTransient { spent: false }]).unwrap();
        assert_eq!((safe.delivery, safe.may_reseal()), (Delivery::Ready, true));
        let doubt =
            after(&[Begin(Repeats::WireId), Unknown, Begin(Repeats::WireId), RefusedTransient { spent: false }])
                .unwrap();
        assert_eq!((doubt.delivery, doubt.may_reseal()), (Delivery::InDoubt, false));
    }

    #[test]
    fn without_a_declared_policy_nothing_in_doubt_is_repeated() {
        use PartEvent::{Begin, Resend, ResolveNotSent, Unknown};
        assert!(after(&[Begin(Repeats::None), Unknown, Begin(Repeats::None)]).is_err());
        assert!(after(&[Begin(Repeats::None), Unknown, Resend(Repeats::None), Begin(Repeats::None)]).is_err());
        let resolved = after(&[Begin(Repeats::None), Unknown, ResolveNotSent, Begin(Repeats::None)]).unwrap();
        assert_eq!((resolved.delivery, resolved.doubted), (Delivery::Sending, true));
    }

    #[test]
    fn a_resend_of_what_was_confirmed_keeps_the_bytes_and_needs_a_policy() {
        use PartEvent::{Begin, Confirmed, Resend};
        assert!(after(&[Begin(Repeats::None), Confirmed, Resend(Repeats::None)]).is_err());
        let again = after(&[Begin(Repeats::WireId), Confirmed, Resend(Repeats::WireId)]).unwrap();
        assert_eq!((again.delivery, again.may_reseal()), (Delivery::InDoubt, false));
    }

    #[test]
    fn a_receipt_sets_sent_from_every_state_and_lifts_the_hold() {
        for delivery in (0..7).filter_map(Delivery::from_number) {
            let part = PartState { delivery, parked: true, attempts: 1, unresolved: 1, doubted: true };
            let next = step(&part, PartEvent::Receipt).unwrap();
            assert_eq!((next.delivery, next.parked, next.unresolved), (Delivery::Sent, false, 0));
        }
    }

    #[test]
    fn a_late_answer_never_takes_back_what_a_receipt_proved() {
        let sent = after(&[PartEvent::Begin(Repeats::None), PartEvent::Receipt]).unwrap();
        for late in [PartEvent::Unknown, PartEvent::RefusedPermanent, PartEvent::Confirmed] {
            assert_eq!(step(&sent, late).unwrap(), sent);
        }
    }

    #[test]
    fn what_was_given_up_in_doubt_can_be_resolved_and_stays_given_up() {
        use PartEvent::{Begin, ResolveNotSent, Skip, Unknown};
        let skipped = after(&[Begin(Repeats::None), Unknown, Skip]).unwrap();
        assert_eq!((skipped.delivery, skipped.unresolved), (Delivery::Skipped, 1));
        let resolved = step(&skipped, ResolveNotSent).unwrap();
        assert_eq!((resolved.delivery, resolved.unresolved), (Delivery::Skipped, 0));
    }

    #[test]
    fn a_message_is_sent_when_all_parts_are() {
        let sent = PartState { delivery: Delivery::Sent, ..PartState::NEW };
        let skipped = PartState { delivery: Delivery::Skipped, ..PartState::NEW };
        let parked = PartState { parked: true, ..PartState::NEW };
        assert_eq!(fold(&[]), None);
        assert_eq!(fold(&[sent, sent]), Some((Delivery::Sent, false)));
        assert_eq!(fold(&[sent, parked]), Some((Delivery::Ready, true)));
        assert_eq!(fold(&[sent, skipped]), Some((Delivery::Sent, false)));
        assert_eq!(fold(&[skipped, sent]), Some((Delivery::Skipped, false)));
    }
}
