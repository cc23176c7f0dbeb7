//! The whole way out: files that appear in OutBox at one moment, until the window has confirmed the last of them.

use crate::floor::{self, Floor};
use crate::table::Table;
use crate::timing::{Watch, median};
use crate::world::World;
use crate::{Setup, samples};
use kouan_journal::Delivery;
use kouan_kernel::Gateway;
use std::fs;
use std::time::{Duration, Instant};

/// How often the journal is asked; too often would be a part of what is measured.
const LOOK: Duration = Duration::from_millis(10);

/// Without any progress for so long, the bench fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs of gateway and floor, one after the other; the middle one counts.
const RUNS: usize = 3;

/// Runs the suite.
///
/// # Errors
/// The gateway's, or messages that do not leave.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let bodies = samples::declarations(setup.messages)?;
    let (mut wall, mut cpu, mut shown, mut floors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let world = World::new(setup.folder()?)?;
        floors.push(floor::outbound(&world.path(""), &world.client, &bodies)?);
        let gateway = world.start()?;
        let watch = drop_all(&world, &bodies)?;
        until(&gateway, bodies.len(), |counts| counts.by_delivery[sent()])?;
        wall.push(watch.wall_each(bodies.len()));
        cpu.push(watch.cpu_each(bodies.len()));
        until(&gateway, bodies.len(), |counts| bodies.len() as u64 - counts.pending_effects)?;
        shown.push(watch.wall_each(bodies.len()));
        gateway.drain();
    }
    let of = |pick: fn(&Floor) -> f64| median(floors.iter().map(pick).collect());
    let (floor_wall, floor_cpu) = (of(|floor| floor.wall), of(|floor| floor.cpu));
    table.row("pipeline", median(wall), "µs/msg", ("floor, one thread", floor_wall));
    table.row("pipeline, CPU of all threads", median(cpu), "µs/msg", ("CPU of the floor", floor_cpu));
    table.row("pipeline, until SentBox shows it", median(shown), "µs/msg", ("floor, one thread", floor_wall));
    Ok(())
}

/// The files lie ready in a folder beside OutBox, which then takes its place: the drop itself costs nothing.
///
/// # Errors
/// The disk's.
pub fn drop_all(world: &World, bodies: &[Vec<u8>]) -> anyhow::Result<Watch> {
    let outbox = world.path("imp-path/Deccus001/OutBox");
    let ready = outbox.with_file_name("Ready");
    floor::lay(&ready, bodies)?;
    let until = Instant::now() + PATIENCE;
    while !outbox.exists() {
        anyhow::ensure!(Instant::now() < until, "the gateway makes no OutBox");
        std::thread::sleep(LOOK);
    }
    let watch = Watch::start();
    fs::rename(&ready, &outbox)?;
    Ok(watch)
}

/// Waits until `count` are done.
///
/// # Errors
/// Nothing moves any more.
pub fn until(
    gateway: &Gateway,
    count: usize,
    done: impl Fn(&kouan_journal::model::Counts) -> u64,
) -> anyhow::Result<()> {
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        let now = done(&gateway.journal().counts()?);
        if now >= count as u64 {
            return Ok(());
        }
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        anyhow::ensure!(moved.elapsed() < PATIENCE, "only {now} of {count} came to their end");
        std::thread::sleep(LOOK);
    }
}

/// Number of the state sent.
pub fn sent() -> usize {
    usize::try_from(Delivery::Sent.number()).unwrap_or_default()
}
