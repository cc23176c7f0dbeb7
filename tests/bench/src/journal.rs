//! The journal's steps, in batches of the gateway's size, against the same bytes appended to a file and made durable.

use crate::floor::{GROUP, raw_write};
use crate::table::Table;
use crate::timing::{Watch, cpu_of};
use crate::{Setup, samples};
use kouan_journal::model::{Accepted, AttemptEnd, Begin, Ended};
use kouan_journal::{Repeats, SqliteJournal, testing};
use kouan_sdk::SystemClock;
use std::hint::black_box;
use std::sync::Arc;

/// Bytes of an envelope around 10 KB, about: base64 and tags.
const SEALED: usize = 15 * 1024;

/// Runs the suite.
///
/// # Errors
/// The disk's.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let folder = setup.folder()?;
    let journal = SqliteJournal::open(testing::options(folder.path(), Arc::new(SystemClock)))?;
    let bodies = samples::declarations(setup.messages)?;
    let names: Vec<_> = (0..setup.messages).map(samples::number).collect();

    let watch = Watch::start();
    let mut ids = Vec::with_capacity(bodies.len());
    for (names, bodies) in names.chunks(GROUP).zip(bodies.chunks(GROUP)) {
        let batch = names.iter().zip(bodies).map(|(name, body)| testing::message(name, body)).collect();
        ids.extend(journal.accept(batch)?.into_iter().map(|accepted| match accepted {
            Accepted::New(id) | Accepted::Known(id) => id,
        }));
    }
    let (wall, cpu) = (watch.wall_each(ids.len()), watch.cpu_each(ids.len()));
    let raw = raw_write(folder.path(), bodies.chunks(GROUP).map(<[Vec<u8>]>::concat), ids.len())?;
    step(table, "accept", (wall, cpu), raw);

    let small = raw_write(folder.path(), names.chunks(GROUP).map(|names| vec![0; names.len() * 1024]), ids.len())?;
    let watch = Watch::start();
    for (ids, names) in ids.chunks(GROUP).zip(names.chunks(GROUP)) {
        let verdicts = ids.iter().zip(names).map(|(id, name)| testing::ready_document(*id, name)).collect();
        journal.record_checks(verdicts)?;
    }
    step(table, "record_checks", (watch.wall_each(ids.len()), watch.cpu_each(ids.len())), small);

    let sealed = raw_write(folder.path(), names.chunks(GROUP).map(|names| vec![7; names.len() * SEALED]), ids.len())?;
    send(table, &journal, ids.len(), sealed, small)?;

    let watch = Watch::start();
    let done = testing::do_effects(&journal, "erp")?;
    step(table, "effects (SentBox), without files", (watch.wall_each(done), watch.cpu_each(done)), small);
    let hashing = cpu_of(1, || {
        black_box(kouan_sm::sm3(bodies.first().map_or(&[][..], Vec::as_slice)));
    });
    table.plain("SM3 of the body", hashing, "µs/msg");
    Ok(())
}

fn send(table: &mut Table, journal: &SqliteJournal, count: usize, raw: f64, small: f64) -> anyhow::Result<()> {
    let (mut due_wall, mut begin, mut end) = (0.0, (0.0, 0.0), (0.0, 0.0));
    let mut sent = 0;
    loop {
        let watch = Watch::start();
        let mut filter = testing::all_due(Repeats::WireId);
        (filter.limit, filter.max_bytes) = (GROUP, 8 << 20);
        let due = journal.due(&filter)?;
        due_wall += watch.wall_each(1);
        if due.is_empty() {
            break;
        }
        let sealed = |payload: &[u8]| {
            let mut bytes = payload.to_vec();
            bytes.resize(SEALED, b'=');
            kouan_journal::model::Sealed { bytes: bytes.into(), certificate_serial: "01".to_owned() }
        };
        let begins: Vec<_> = due
            .iter()
            .map(|part| Begin { part: part.id, sealed: sealed(&part.payload), payload: None, repeats: Repeats::WireId })
            .collect();
        let watch = Watch::start();
        let attempts = journal.begin_attempts(begins)?;
        begin = (begin.0 + watch.wall_each(1), begin.1 + watch.cpu_each(1));
        let ends: Vec<_> =
            attempts.into_iter().flatten().map(|attempt| Ended { attempt, end: AttemptEnd::Confirmed }).collect();
        sent += ends.len();
        let watch = Watch::start();
        journal.end_attempts(ends)?;
        end = (end.0 + watch.wall_each(1), end.1 + watch.cpu_each(1));
    }
    anyhow::ensure!(sent == count, "{sent} of {count} were sent");
    let each = |sum: f64| sum / count as f64;
    table.plain("journal: due", each(due_wall), "µs/msg");
    step(table, "begin_attempts", (each(begin.0), each(begin.1)), raw);
    step(table, "end_attempts", (each(end.0), each(end.1)), small);
    Ok(())
}

fn step(table: &mut Table, name: &str, (wall, cpu): (f64, f64), raw: f64) {
    table.row(&format!("journal: {name}"), wall, "µs/msg", ("same bytes, write + fdatasync", raw));
    table.row(&format!("journal: {name}, of it CPU"), cpu, "µs/msg", ("its wall time", wall));
}
