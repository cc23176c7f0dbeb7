//! How many messages are in each state.

use crate::app::App;
use crate::exit::Exit;
use crate::table::table;
use kouan_journal::Delivery;
use kouan_journal::model::Counts;
use serde_json::{Map, Value, json};

/// Every delivery state, in the order of its number.
const STATES: [Delivery; 7] = [
    Delivery::Received,
    Delivery::Refused,
    Delivery::Ready,
    Delivery::Sending,
    Delivery::InDoubt,
    Delivery::Sent,
    Delivery::Skipped,
];

/// Outcomes in the order in which the journal counts them: as programs and as people call them.
const OUTCOMES: [(&str, &str); 4] =
    [("none", "尚无结果"), ("accepted", "入库"), ("rejected", "入库失败"), ("concluded", "办结")];

/// Shows the counts.
pub fn show(app: &App, counts: &Counts) -> anyhow::Result<Exit> {
    if app.json {
        app.print_json(&named(counts)?)?;
        return Ok(Exit::Done);
    }
    let delivery = STATES.iter().zip(counts.by_delivery).map(|(state, count)| (state.names(), count));
    let outcome = OUTCOMES.iter().zip(counts.by_outcome).map(|((en, zh), count)| ((*zh, *en), count));
    let rest = [
        (("挂起", "parked"), counts.parked),
        (("超时未回", "overdue"), counts.overdue),
        (("回执", "received from the window"), counts.inbound),
        (("其中隔离", "of these quarantined"), counts.quarantined),
        (("其中未匹配", "of these unmatched"), counts.unmatched),
        (("待写出的文件", "files still to be written"), counts.pending_effects),
    ];
    let rows: Vec<_> = delivery
        .chain(outcome)
        .chain(rest)
        .map(|((zh, en), count)| [app.lang.pick(zh, en).to_owned(), count.to_string()])
        .collect();
    app.print(table(&rows))?;
    Ok(Exit::Done)
}

/// The counts with a name for each, so that a program need not know an order.
fn named(counts: &Counts) -> anyhow::Result<Value> {
    let mut delivery = Map::new();
    for (state, count) in STATES.iter().zip(counts.by_delivery) {
        if let Value::String(name) = serde_json::to_value(state)? {
            delivery.insert(name, json!(count));
        }
    }
    let outcome: Map<_, _> =
        OUTCOMES.iter().zip(counts.by_outcome).map(|((name, _), count)| ((*name).to_owned(), json!(count))).collect();
    let mut named = serde_json::to_value(counts)?;
    named["by_delivery"] = delivery.into();
    named["by_outcome"] = outcome.into();
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_stands_under_the_state_whose_number_it_has() {
        for (place, state) in STATES.iter().enumerate() {
            assert_eq!(usize::try_from(state.number()).unwrap(), place, "{state:?}");
        }
        let counts = Counts { by_delivery: [1, 2, 3, 4, 5, 6, 7], by_outcome: [8, 9, 10, 11], ..Counts::default() };
        let named = named(&counts).unwrap();
        assert_eq!((&named["by_delivery"]["refused"], &named["by_delivery"]["in_doubt"]), (&json!(2), &json!(5)));
        assert_eq!((&named["by_outcome"]["none"], &named["by_outcome"]["concluded"]), (&json!(8), &json!(11)));
    }
}
