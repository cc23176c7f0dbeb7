//! A kill does not prove a sync. Here the power goes: a process is recorded while it works, and at many moments the
//! disk is laid down as it might be found, what was not synced lost, kept or torn. What was answered by then must be there.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test fails by panicking, and says what it skips

mod directory;
mod disk;
mod journal;
mod trace;

use disk::{Dice, Disk, Loss, Step};
use std::io::Write;
use std::path::Path;

/// One line to whoever listens: an answer that must hold from now on.
fn say(line: &str) {
    std::io::stdout().write_all(format!("@{line}\n").as_bytes()).unwrap();
}

/// Records `child`, and cuts its power: after each word, and at `cuts` moments in between. `check` gets the folder that
/// is left and all that was said by then.
fn cut_everywhere(child: &str, variable: &str, cuts: usize, check: impl Fn(&Path, &[String])) {
    let folder = tempfile::tempdir().unwrap();
    let steps = match trace::record(child, variable, folder.path()) {
        Ok(steps) => steps,
        Err(why) => {
            assert!(std::env::var_os("KOUAN_REQUIRE_TOOLS").is_none_or(|required| required != "1"), "{why}");
            println!("SKIPPED: nothing can be recorded here: {why}");
            return;
        }
    };
    let words = steps.iter().filter(|step| matches!(step, Step::Said(_))).count();
    let syncs = steps.iter().filter(|step| matches!(step, Step::SyncEnds(_))).count();
    assert!(words > 20 && syncs > 20, "{words} words, {syncs} syncs in {} steps", steps.len());

    let seed = std::env::var("KOUAN_POWER_CUT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x9e37_79b9);
    let mut dice = Dice(seed);
    let (mut disk, mut said) = (Disk::default(), Vec::new());
    for (place, step) in steps.iter().enumerate() {
        disk.apply(step);
        let word = matches!(step, Step::Said(_));
        if let Step::Said(line) = step {
            said.push(line.clone());
        }
        // Words are where a promise begins; a moment in between is as good as another.
        if !(word && dice.below(words) < cuts) && dice.below(steps.len()) >= cuts {
            continue;
        }
        for loss in [Loss::Everything, Loss::Torn] {
            let left = tempfile::tempdir_in(memory()).unwrap();
            disk.cut(folder.path(), left.path(), loss, &mut dice);
            let told = format!("step {place} of {}, {loss:?}, seed {seed:#x}, said {}", steps.len(), said.len());
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(left.path(), &said)));
            assert!(checked.is_ok(), "the power went at {told}");
        }
    }
    let left = tempfile::tempdir_in(memory()).unwrap();
    disk.cut(folder.path(), left.path(), Loss::Nothing, &mut dice);
    check(left.path(), &said);
}

/// Where no disk is needed, if the system has such a place.
fn memory() -> std::path::PathBuf {
    let place = Path::new("/dev/shm");
    if place.is_dir() { place.to_owned() } else { std::env::temp_dir() }
}
