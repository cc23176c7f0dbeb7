//! Very many files dropped at once: how long until the first of them is sent, and the last.

use crate::pipeline::{drop_all, sent, until};
use crate::table::Table;
use crate::timing::median;
use crate::world::World;
use crate::{Setup, samples};

/// Files dropped at one moment.
const FILES: usize = 10_000;

/// Longest time until the first is sent in the design, in milliseconds.
const FIRST_MS: f64 = 2000.0;

/// Runs; the middle one counts.
const RUNS: usize = 3;

/// Runs the suite.
///
/// # Errors
/// The gateway's, or messages that do not leave.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let bodies = samples::declarations(FILES)?;
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let world = World::new(setup.folder()?)?;
        let gateway = world.start()?;
        let watch = drop_all(&world, &bodies)?;
        until(&gateway, 1, |counts| counts.by_delivery[sent()])?;
        first.push(watch.wall_each(1) / 1000.0);
        until(&gateway, FILES, |counts| counts.by_delivery[sent()])?;
        last.push(watch.wall_each(1) / 1000.0);
        gateway.drain();
    }
    table.row("10,000 files dropped, first sent", median(first), "ms", ("limit", FIRST_MS));
    table.plain("10,000 files dropped, all sent", median(last), "ms");
    Ok(())
}
