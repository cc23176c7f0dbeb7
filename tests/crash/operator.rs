//! The operator, who may settle a doubt under `repeats = "none"`: looks into the window's ledger once nothing is on its way
//! any more, and tells the client by the command line. Nothing else is ever done by hand.

use crate::processes;
use crate::settle::{self, Standing};
use anyhow::bail;
use kouan_journal::model::{Filter, MessageId, PartDetail};
use kouan_journal::{Delivery, Journal};
use kouan_sandbox::Ledger;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// So long nothing must have moved before the ledger is believed.
const QUIET: Duration = Duration::from_millis(150);

/// Watches for a doubt that nothing but a person can settle.
#[derive(Default)]
pub struct Operator {
    still: Option<(Standing, Instant)>,
    /// Acts done.
    pub acts: u64,
}

impl Operator {
    /// Acts if there is a doubt and everything stands still.
    pub fn look(&mut self, kouan: &Path, folder: &Path, now: &Standing) -> anyhow::Result<()> {
        let since = match &self.still {
            Some((before, since)) if before == now => *since,
            _ => self.still.insert((now.clone(), Instant::now())).1,
        };
        if now.in_doubt == 0 || !now.nothing_on_its_way() || since.elapsed() < QUIET {
            return Ok(());
        }
        self.still = None;
        self.resolve_all(kouan, folder)
    }

    fn resolve_all(&mut self, kouan: &Path, folder: &Path) -> anyhow::Result<()> {
        let ledger = Ledger::read(&settle::ledger_path(folder))?;
        let arrived: BTreeSet<_> = ledger.inbound.iter().map(|arrival| arrival.wire_id.as_str()).collect();
        let journal = settle::journal(folder)?;
        let doubted = Journal::list(
            &journal,
            &Filter { delivery: Some(Delivery::InDoubt), limit: usize::MAX >> 1, ..Filter::default() },
        )?;
        for message in doubted {
            let Some(detail) = Journal::detail(&journal, message.id)? else { continue };
            for part in detail.parts.iter().filter(|part| part.state.delivery == Delivery::InDoubt) {
                let verdict = if arrived.contains(part.wire_id.as_str()) { "--sent" } else { "--not-sent" };
                self.resolve(kouan, folder, message.id, &part.wire_id, verdict)?;
            }
        }
        Ok(())
    }

    fn resolve(
        &mut self,
        kouan: &Path,
        folder: &Path,
        id: MessageId,
        wire_id: &str,
        verdict: &str,
    ) -> anyhow::Result<()> {
        let number = format!("#{}", id.0);
        let reason = "looked into the window's ledger";
        let arguments = ["message", "resolve", &number, "--part", wire_id, verdict, "--reason", reason];
        let done = processes::command(kouan, folder, &arguments)?;
        let still_in_doubt = || {
            let detail = Journal::detail(&settle::journal(folder)?, id)?;
            let parts = detail.iter().flat_map(|detail| &detail.parts);
            let doubted = |part: &PartDetail| part.wire_id == wire_id && part.state.delivery == Delivery::InDoubt;
            anyhow::Ok(parts.into_iter().any(doubted))
        };
        // A receipt may have settled it meanwhile.
        if !done.status.success() && still_in_doubt()? {
            bail!("resolve {number} {wire_id} {verdict}: {}", String::from_utf8_lossy(&done.stderr));
        }
        self.acts += 1;
        Ok(())
    }
}
