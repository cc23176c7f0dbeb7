//! What comes from the window: early, late, repeated, in any order.

use crate::driver::Driver;
use crate::reference::{self, Inbound};
use kouan_journal::model::*;
use kouan_journal::testing::{inbound, opened, receipt};
use kouan_sdk::Timestamp;
use kouan_sdk::business::Outcome;
use sm3::Digest as _;

fn bytes_of(receipt: &kouan_sdk::business::Receipt) -> Vec<u8> {
    format!("{receipt:?}").into_bytes()
}

impl Driver {
    pub fn receive(&mut self, m: usize, by: u8, kind: u8, rank: u32, noticed: i64, text: u8) {
        let Some(target) = self.model.messages.get(m) else { return };
        let (client, number, second) = (target.key.clone(), format!("S{m}"), format!("T{m}"));
        let keys: Vec<(&str, &str)> = match by {
            0 => vec![("ClientNo", &client)],
            1 => vec![("ClientNo", &client), ("SeqNo", &number)],
            2 => vec![("SeqNo", &number)],
            _ => vec![("SeqNo", &number), ("SeqNo", &second)],
        };
        let outcome = [Outcome::None, Outcome::Accepted, Outcome::Rejected, Outcome::Concluded][usize::from(kind % 4)];
        let mut said = receipt(&keys, rank, outcome);
        said.reopens = kind == 4;
        said.is_repeat_of_known = kind == 6;
        said.is_client_failure = kind == 7;
        said.noticed_at = (noticed > 0).then(|| Timestamp::from_millis(noticed));
        said.text = format!("text {text} of {}", self.model.inbound.len());
        let source_id = format!("in-{}", self.model.inbound.len());
        let next = InboundId(self.model.inbound.len() as i64 + 1);
        let new = inbound(&source_id, source_id.as_bytes());
        let taken = self.bench.journal.accept_inbound(vec![new.clone()]).unwrap();
        assert_eq!(taken, [InboundAccepted::New(next)]);
        assert_eq!(self.bench.journal.accept_inbound(vec![new]).unwrap(), [InboundAccepted::Known(next)]);
        self.model.arrivals += 1;
        self.model.inbound.push(Inbound { arrival: self.model.arrivals, receipt: None, matched: None });
        self.unopened.push((next.0, said));
        if text > 0 {
            self.open(self.unopened.len() - 1);
        }
    }

    pub fn open(&mut self, nth: usize) {
        if nth >= self.unopened.len() {
            return;
        }
        let (id, said) = self.unopened.remove(nth);
        let wire_id = format!("w{id}");
        let payload = bytes_of(&said);
        let opening = || vec![opened(InboundId(id), &wire_id, said.clone(), &payload)];
        let matched = self.bench.journal.record_opened(opening()).unwrap().remove(0);
        assert_eq!(self.bench.journal.record_opened(opening()).unwrap()[0], matched, "opened once");
        let receipt = reference::Receipt {
            keys: said.keys.iter().map(|key| format!("{}={}", key.name, key.value)).collect(),
            rank: said.rank,
            noticed: said.noticed_at.map(Timestamp::millis),
            digest: sm3::Sm3::digest(&payload).into(),
            outcome: said.outcome,
            reopens: said.reopens,
            known: said.is_repeat_of_known,
            client: said.is_client_failure,
        };
        let expected = match self.model.receive(id as usize - 1, receipt) {
            Some(m) => Matched::To(MessageId(m as i64 + 1)),
            None => {
                self.others_pending += 1;
                Matched::Unmatched
            }
        };
        assert_eq!(matched, expected, "inbound {id}");
        self.opened.push((wire_id, said));
    }

    pub fn repeat_envelope(&mut self, nth: usize) {
        let Some((wire_id, said)) = self.opened.get(nth).cloned() else { return };
        let source_id = format!("in-{}", self.model.inbound.len());
        let taken = self.bench.journal.accept_inbound(vec![inbound(&source_id, b"again")]).unwrap();
        let InboundAccepted::New(id) = taken[0] else { panic!("{taken:?}") };
        self.model.arrivals += 1;
        self.model.inbound.push(Inbound { arrival: self.model.arrivals, receipt: None, matched: None });
        let opening = vec![opened(id, &wire_id, said.clone(), &bytes_of(&said))];
        assert_eq!(self.bench.journal.record_opened(opening).unwrap(), [Matched::Repeated]);
    }
}
