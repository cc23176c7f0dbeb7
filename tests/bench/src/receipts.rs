//! The whole way in: sealed receipts that wait in the queue, until the last lies in InBox and the journal says so.

use crate::floor;
use crate::pipeline::{drop_all, sent, until};
use crate::table::Table;
use crate::timing::Watch;
use crate::world::{CLIENT, WINDOW, World};
use crate::{Setup, samples};

/// Runs the suite.
///
/// # Errors
/// The gateway's, or receipts that do not arrive.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let count = setup.messages;
    let world = World::new(setup.folder()?)?;
    let gateway = world.start()?;
    drop_all(&world, &samples::declarations(count)?)?;
    until(&gateway, count, |counts| counts.by_delivery[sent()])?;
    until(&gateway, count, |counts| count as u64 - counts.pending_effects.min(count as u64))?;

    let receipts = (0..count).map(samples::receipt).collect::<anyhow::Result<Vec<_>>>()?;
    let sealed = receipts.iter().enumerate().map(|(n, bytes)| world.window.seal(WINDOW, CLIENT, n, "DEC901", bytes));
    let sealed = sealed.collect::<anyhow::Result<Vec<_>>>()?;
    let floor = floor::inbound(&world.path(""), &world.window, &sealed, &receipts)?;
    let (_, sender) = world.ends()?;
    // One commit: all of them wait from the same moment on.
    world.enqueue(&*sender, &sealed)?;
    let watch = Watch::start();
    until(&gateway, count, |counts| counts.inbound - counts.unmatched - counts.quarantined)?;
    until(&gateway, count, |counts| count as u64 - counts.pending_effects.min(count as u64))?;
    let (wall, cpu) = (watch.wall_each(count), watch.cpu_each(count));
    let arrived = std::fs::read_dir(world.path("imp-path/Deccus001/InBox"))?.count();
    anyhow::ensure!(arrived == count, "{arrived} of {count} receipts lie in InBox");
    gateway.drain();
    table.row("receipts", wall, "µs/msg", ("floor of receipts, one thread", floor.wall));
    table.row("receipts, CPU of all threads", cpu, "µs/msg", ("CPU of their floor", floor.cpu));
    Ok(())
}
