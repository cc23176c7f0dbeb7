//! What the samples of a business by data come to: their usual way through its simulated window, walked in memory.

use super::drops::number;
use kouan_declarative::Declarative;
use kouan_sdk::business::Outcome;
use kouan_sdk::simulator::{Arrived, MemoryStore, Script};
use kouan_sdk::{Business, Result, Simulator, Timestamp};

/// How many messages come to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// Concluded.
    pub concluded: u64,
    /// Refused here.
    pub refused: u64,
}

/// Whether each document (type and bytes) is concluded when they are sent one after another, round after round; not one that
/// the window would refuse, because it refers to something that is not among them, or leaves to its officers.
///
/// # Errors
/// The window fails.
pub fn concluded(
    of: &Declarative,
    business: &dyn Business,
    simulator: &dyn Simulator,
    documents: &[(&str, &[u8])],
) -> Result<Vec<bool>> {
    let mut ends = vec![true; documents.len()];
    loop {
        let (mut store, mut count, before) = (MemoryStore::default(), 0, ends.clone());
        for _ in 0..2 {
            for (end, (message_type, document)) in ends.iter_mut().zip(documents) {
                if !*end {
                    continue;
                }
                count += 1;
                let payload = of.renumbered(document, None, &number(count))?.unwrap_or_default();
                *end = walked(business, simulator, &mut store, message_type, &payload)?;
            }
        }
        // What one left out did to the others is seen in the next walk.
        if ends == before {
            return Ok(ends);
        }
    }
}

/// Whether it took effect, and the receipt with the highest rank concludes it.
fn walked(
    business: &dyn Business,
    simulator: &dyn Simulator,
    store: &mut MemoryStore,
    message_type: &str,
    payload: &[u8],
) -> Result<bool> {
    let arrived = Arrived { message_type, file_name: "D.xml", payload, at: Timestamp::from_millis(1_768_181_710_000) };
    let effect = simulator.take(store, &arrived, &Script::default())?;
    if effect.effect_key.is_none() {
        return Ok(false);
    }
    let mut end = (0, Outcome::None);
    for answer in &effect.answers {
        let receipt = business.read_receipt(&answer.payload)?;
        if receipt.rank >= end.0 {
            end = (receipt.rank, receipt.outcome);
        }
    }
    Ok(end.1 == Outcome::Concluded)
}
