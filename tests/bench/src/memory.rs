//! Memory of a gateway that holds many messages, in a process of its own.

use crate::floor::lay;
use crate::pipeline::until;
use crate::table::Table;
use crate::world::{self, World};
use crate::{Setup, samples};
use kouan_journal::Delivery;
use std::path::Path;
use std::process::Command;

/// Messages that wait.
const QUEUED: usize = 10_000;

/// Largest resident size in the design: so many MB, and twice the largest message.
const LIMIT_MB: f64 = 64.0;

/// Runs the suite.
///
/// # Errors
/// The child's.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let world = World::new(setup.folder()?)?;
    let bodies = samples::declarations(QUEUED)?;
    let largest = bodies.iter().map(Vec::len).max().unwrap_or(0);
    lay(&world.path("imp-path/Deccus001/OutBox"), &bodies)?;
    let child = Command::new(std::env::current_exe()?)
        .arg("--holds")
        .arg(world.path(""))
        .args(["--messages", &QUEUED.to_string()])
        .output()?;
    anyhow::ensure!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let text = String::from_utf8(child.stdout)?;
    let limit = LIMIT_MB + 2.0 * largest as f64 / 1e6;
    for (line, name) in text.lines().zip(["memory, 10,000 queued", "memory, most at any time"]) {
        table.row(name, line.parse::<f64>()? / 1e6, "MB", ("64 MB + twice the largest", limit));
    }
    Ok(())
}

/// The child: a gateway that cannot sign takes all in and holds; prints its resident size, and the most it ever was.
///
/// # Errors
/// The gateway's.
pub fn hold(folder: &Path, count: usize) -> anyhow::Result<()> {
    let gateway = world::start(folder, false, 1)?;
    let ready = usize::try_from(Delivery::Ready.number())?;
    until(&gateway, count, |counts| counts.by_delivery[ready])?;
    // The outbound stage looks at what waits, and tries to sign, again and again.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let status = std::fs::read_to_string("/proc/self/status")?;
    use std::io::Write as _;
    for field in ["VmRSS:", "VmHWM:"] {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        writeln!(std::io::stdout(), "{}", kib * 1024)?;
    }
    Ok(())
}
