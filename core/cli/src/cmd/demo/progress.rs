//! How a demonstration stands: a live line for a person, a table at the end.

use super::Outcome;
use crate::app::App;
use indicatif::{ProgressBar, ProgressStyle};
use kouan_journal::Delivery;
use kouan_journal::model::Counts;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// Counts that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub sent: u64,
    pub concluded: u64,
    pub refused: u64,
    pub parked: u64,
    pub receipts: u64,
    pub pending: u64,
}

impl Standing {
    pub fn of(counts: &Counts) -> Self {
        let delivery = |state: Delivery| {
            usize::try_from(state.number()).ok().and_then(|n| counts.by_delivery.get(n)).copied().unwrap_or_default()
        };
        let [_, _, _, concluded] = counts.by_outcome;
        Self {
            sent: delivery(Delivery::Sent),
            concluded,
            refused: delivery(Delivery::Refused),
            parked: counts.parked,
            receipts: counts.inbound,
            pending: counts.pending_effects,
        }
    }

    /// Messages that have come to their end.
    pub fn ended(&self) -> u64 {
        self.concluded + self.refused
    }
}

/// The live line; where stderr is no terminal, nothing until the end.
pub struct Progress {
    bar: ProgressBar,
    zh: bool,
}

impl Progress {
    pub fn new(app: &App, messages: u64) -> Self {
        let bar = ProgressBar::new(messages);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}  {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, zh: app.lang.pick(true, false) }
    }

    pub fn show(&mut self, now: &Standing) {
        self.bar.set_position(now.ended());
        self.bar.set_message(if self.zh {
            format!("已发送 {}  办结 {}  校验不通过 {}  回执 {}", now.sent, now.concluded, now.refused, now.receipts)
        } else {
            format!(
                "sent {}  concluded {}  refused {}  receipts {}",
                now.sent, now.concluded, now.refused, now.receipts
            )
        });
    }

    pub fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The table that a person reads.
pub fn table(app: &App, outcome: &Outcome) -> std::io::Result<()> {
    let head = ["业务", "类型", "报文", "办结", "入库", "校验不通过"];
    let head_en = ["business", "type", "messages", "concluded", "accepted", "refused"];
    let head = if app.lang.pick(true, false) { head } else { head_en };
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(outcome.types.iter().map(|row| {
        let counts = [row.messages, row.concluded, row.accepted, row.refused].map(|n| n.to_string());
        let [messages, concluded, accepted, refused] = counts;
        [row.business.clone(), row.message_type.clone(), messages, concluded, accepted, refused]
    }));
    app.print(crate::table::table(&lines))?;
    app.print("")?;
    let rows = [
        (("报文", "messages"), outcome.messages.to_string()),
        (("办结", "concluded"), outcome.concluded.to_string()),
        (("校验不通过（故意的错误）", "refused (planted mistakes)"), outcome.refused.to_string()),
        (("挂起", "parked"), outcome.parked.to_string()),
        (("回执", "receipts"), outcome.receipts.to_string()),
        (("窗口侧生效", "took effect at the window"), outcome.effects.to_string()),
        (("用时（秒）", "seconds"), format!("{:.1}", outcome.seconds)),
        (("每秒", "per second"), format!("{:.0}", outcome.per_second)),
    ];
    for ((zh, en), value) in rows {
        let name = app.lang.pick(zh, en);
        let fill = " ".repeat(44usize.saturating_sub(name.width()));
        app.print(format!("{name}{fill}{value:>10}"))?;
    }
    let verdict = if outcome.is_right() {
        ("✓ 每票只生效一次，没有丢失", "✓ each took effect once, nothing was lost")
    } else {
        ("✗ 有报文没有到达应有的结果", "✗ some messages did not come to the end they should")
    };
    app.print(app.lang.pick(verdict.0, verdict.1))
}
