//! What goes wrong with receipts, decided by seed, subject and occurrence alone.

use crate::scenario::{Faults, Scenario};
use kouan_host::dice::Dice;
use kouan_sdk::simulator::Answer;

/// A code that no table of receipt codes knows.
const UNKNOWN_CODE: &str = "~";

/// Dice for one arrival.
pub(crate) struct Throws {
    dice: Dice,
    /// Business key, or the wire id of what has none.
    subject: String,
    /// How often the subject has come by now, from 1.
    occurrence: String,
}

impl Throws {
    pub(crate) fn new(seed: u64, subject: String, occurrence: u64) -> Self {
        Self { dice: Dice::new(seed), subject, occurrence: occurrence.to_string() }
    }

    /// Whether `what` happens to the arrival's receipt number `index`, or to the arrival itself.
    pub(crate) fn happens(&self, probability: f64, what: &str, index: usize) -> bool {
        self.dice.happens(probability, &[what, &self.subject, &self.occurrence, &index.to_string()])
    }

    fn fraction(&self, what: &str, index: usize) -> f64 {
        self.dice.throw(&[what, &self.subject, &self.occurrence, &index.to_string()])
    }
}

/// How an answer goes out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shipping {
    Once,
    Twice,
    Never,
    WronglySigned,
    /// Only this share of its bytes.
    Truncated(f64),
}

/// An answer and its fate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planned {
    pub(crate) answer: Answer,
    pub(crate) shipping: Shipping,
    /// What was done to it on purpose.
    pub(crate) faults: Vec<&'static str>,
}

/// The fates of an arrival's answers, in the order in which they are sent.
pub(crate) fn plan(answers: Vec<Answer>, faults: &Faults, scenario: &Scenario, throws: &Throws) -> Vec<Planned> {
    let mut planned = Vec::with_capacity(answers.len());
    for (index, mut answer) in answers.into_iter().enumerate() {
        let mut what = Vec::new();
        if throws.happens(faults.late, "late", index) {
            answer.after_ms = answer.after_ms.saturating_add(faults.delay_ms);
            what.push("late");
        }
        let stranger = throws
            .happens(faults.unknown_channel, "unknown-channel", index)
            .then(|| with_unknown_code(&answer, &scenario.channel_element))
            .flatten();
        let shipping = ship(faults, throws, index, &mut what);
        planned.push(Planned { answer, shipping, faults: what });
        planned.extend(stranger.map(|answer| Planned {
            answer,
            shipping: Shipping::Once,
            faults: vec!["unknown-channel"],
        }));
    }
    exchange(&mut planned, faults, throws);
    planned
}

fn ship(faults: &Faults, throws: &Throws, index: usize, what: &mut Vec<&'static str>) -> Shipping {
    let kinds = [
        (faults.missing, "missing", Shipping::Never),
        (faults.wrongly_signed, "wrongly-signed", Shipping::WronglySigned),
        (faults.truncated, "truncated", Shipping::Truncated(throws.fraction("cut", index))),
        (faults.duplicated, "duplicated", Shipping::Twice),
    ];
    let Some((_, name, shipping)) = kinds.into_iter().find(|(p, name, _)| throws.happens(*p, name, index)) else {
        return Shipping::Once;
    };
    what.push(name);
    shipping
}

/// Lets answers change places with their followers: in time, and in order where the time is the same.
fn exchange(planned: &mut [Planned], faults: &Faults, throws: &Throws) {
    let mut index = 0;
    while index + 1 < planned.len() {
        let happens = throws.happens(faults.out_of_order, "out-of-order", index);
        if let (true, Some([one, next])) = (happens, planned.get_mut(index..index + 2)) {
            std::mem::swap(&mut one.answer.after_ms, &mut next.answer.after_ms);
            std::mem::swap(one, next);
            next.faults.push("out-of-order");
            index += 1;
        }
        index += 1;
    }
}

/// A copy whose first `element` holds a code that nobody knows; `None` if it has no such element.
fn with_unknown_code(answer: &Answer, element: &str) -> Option<Answer> {
    let text = std::str::from_utf8(&answer.payload).ok()?;
    let open = format!("<{element}>");
    let start = text.find(&open)? + open.len();
    let length = text.get(start..)?.find("</")?;
    let payload = [text.get(..start)?, UNKNOWN_CODE, text.get(start + length..)?].concat().into_bytes();
    Some(Answer { payload, ..answer.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(n: u64) -> Vec<Answer> {
        (0..n)
            .map(|i| Answer {
                message_type: "R".into(),
                payload: format!("<R><CHANNEL>P</CHANNEL>{i}</R>").into_bytes(),
                after_ms: i * 10,
                biz_keys: Vec::new(),
            })
            .collect()
    }

    fn fate(faults: &Faults, seed: u64, subject: &str, occurrence: u64) -> Vec<Planned> {
        let throws = Throws::new(seed, subject.to_owned(), occurrence);
        plan(answers(6), faults, &Scenario::default(), &throws)
    }

    #[test]
    fn fates_are_a_function_of_seed_subject_and_occurrence() {
        let faults =
            Faults { late: 0.3, missing: 0.2, duplicated: 0.3, out_of_order: 0.3, truncated: 0.2, ..Faults::default() };
        let all = |seed| (0..50).map(|n| fate(&faults, seed, &n.to_string(), 1)).collect::<Vec<_>>();
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        assert_ne!((0..9).map(|n| fate(&faults, 1, "A", n)).collect::<Vec<_>>(), vec![fate(&faults, 1, "A", 0); 9]);
    }

    #[test]
    fn each_fault_does_what_it_says() {
        let only = |faults: Faults| fate(&faults, 1, "A", 1);
        let clean = only(Faults::default());
        assert!(clean.iter().all(|p| p.shipping == Shipping::Once && p.faults.is_empty()));
        let late = only(Faults { late: 1.0, delay_ms: 500, ..Faults::default() });
        assert_eq!((late[0].answer.after_ms, late[5].answer.after_ms), (500, 550));
        assert!(
            only(Faults { missing: 1.0, duplicated: 1.0, ..Faults::default() })
                .iter()
                .all(|p| p.shipping == Shipping::Never && p.faults == ["missing"])
        );
        assert!(only(Faults { duplicated: 1.0, ..Faults::default() }).iter().all(|p| p.shipping == Shipping::Twice));
        let swapped = only(Faults { out_of_order: 1.0, ..Faults::default() });
        let order = |planned: &[Planned]| planned.iter().map(|p| p.answer.payload.clone()).collect::<Vec<_>>();
        let (was, is) = (order(&clean), order(&swapped));
        assert_eq!([&is[0], &is[1], &is[2], &is[3]], [&was[1], &was[0], &was[3], &was[2]]);
        assert!(swapped.is_sorted_by_key(|p| p.answer.after_ms), "the times stay, the answers change places");
    }

    #[test]
    fn an_unknown_code_comes_as_a_copy_of_its_own() {
        let planned = fate(&Faults { unknown_channel: 1.0, ..Faults::default() }, 1, "A", 1);
        assert_eq!(planned.len(), 12);
        assert_eq!(planned[1].answer.payload, b"<R><CHANNEL>~</CHANNEL>0</R>");
        assert!(planned[0].faults.is_empty() && planned[1].faults == ["unknown-channel"]);
        let plain = Answer { payload: b"<R/>".to_vec(), ..planned[0].answer.clone() };
        assert_eq!(with_unknown_code(&plain, "CHANNEL"), None);
    }
}
