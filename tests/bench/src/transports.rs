//! The bundled transports: files received from OutBox, messages sent through the embedded queue, receipts put in InBox.

use crate::floor::{GROUP, lay, raw_write};
use crate::table::Table;
use crate::timing::Watch;
use crate::world::World;
use crate::{Setup, samples};
use kouan_sdk::transport::{Disposition, End, Outgoing, SendOutcome, header};
use kouan_sdk::{Clock as _, Context, SystemClock, Transport};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Runs the suite.
///
/// # Errors
/// The disk's.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let world = World::new(setup.folder()?)?;
    let bodies = samples::declarations(setup.messages)?;
    directory(table, &world, &bodies)?;
    embedded(table, &world, &bodies)
}

fn directory(table: &mut Table, world: &World, bodies: &[Vec<u8>]) -> anyhow::Result<()> {
    let make = kouan_transport_directory::PLUGIN.transport.ok_or_else(|| anyhow::anyhow!("no transport"))?;
    let config = r#"{"root":"imp","stable_ms":0,"folders":[{"form_id":"DEC001","folder":"Deccus001"}]}"#;
    let transport = make(&Context::standalone("erp", world.path("")), config)?;
    let receiver = transport.open_receiver()?;
    let raw = renamed(&world.path("raw"), bodies)?;
    lay(&world.path("imp/Deccus001/OutBox"), bodies)?;
    let (mut got, mut took) = (Vec::with_capacity(bodies.len()), 0.0);
    while got.len() < bodies.len() {
        let watch = Watch::start();
        let batch = receiver.receive(GROUP, 8 << 20, Duration::from_secs(5))?;
        receiver.settle(&batch.iter().map(|one| one.token).collect::<Vec<_>>())?;
        took += watch.wall_each(1);
        anyhow::ensure!(!batch.is_empty(), "only {} files came", got.len());
        got.extend(batch);
    }
    table.row("directory: receive", took / got.len() as f64, "µs/msg", ("read + rename, folder fsync a group", raw));

    let watch = Watch::start();
    for batch in got.chunks(GROUP) {
        let ends: Vec<_> = batch
            .iter()
            .map(|one| Disposition {
                source_id: &one.source_id,
                headers: &one.headers,
                body: &one.body,
                end: End::Sent,
                at: SystemClock.now(),
                verdict: None,
            })
            .collect();
        anyhow::ensure!(receiver.dispose(&ends).iter().all(Result::is_ok), "an end was not shown");
    }
    table.plain("directory: dispose into SentBox", watch.wall_each(got.len()), "µs/msg");
    deliver(table, &*transport, world, got.len())
}

fn deliver(table: &mut Table, transport: &dyn Transport, world: &World, count: usize) -> anyhow::Result<()> {
    let sender = transport.open_sender()?;
    let receipts = (0..count).map(samples::receipt).collect::<anyhow::Result<Vec<_>>>()?;
    let names: Vec<_> = (0..count).map(|n| format!("Receipt_{n}.xml")).collect();
    let headers: Vec<_> = names
        .iter()
        .map(|name| {
            vec![(header::FILE_NAME.to_owned(), name.clone()), (header::FORM_ID.to_owned(), "DEC001".to_owned())]
        })
        .collect();
    let batch: Vec<_> =
        names.iter().zip(&receipts).zip(&headers).map(|((id, body), headers)| Outgoing { id, body, headers }).collect();
    let watch = Watch::start();
    for batch in batch.chunks(GROUP) {
        let outcomes = sender.send(batch, Duration::from_secs(30));
        anyhow::ensure!(outcomes.iter().all(|one| *one == SendOutcome::Confirmed), "a receipt was not delivered");
    }
    let wall = watch.wall_each(count);
    let folder = world.path("raw-in");
    fs::create_dir_all(&folder)?;
    let watch = Watch::start();
    for (names, receipts) in names.chunks(GROUP).zip(receipts.chunks(GROUP)) {
        for (name, receipt) in names.iter().zip(receipts) {
            fs::write(folder.join(format!("{name}.tmp")), receipt)?;
            fs::rename(folder.join(format!("{name}.tmp")), folder.join(name))?;
        }
        fs::File::open(&folder)?.sync_all()?;
    }
    table.row(
        "directory: deliver into InBox",
        wall,
        "µs/msg",
        ("write + rename, folder fsync a group", watch.wall_each(count)),
    );
    Ok(())
}

/// Reads and renames files; the folder made durable once a group.
fn renamed(folder: &Path, bodies: &[Vec<u8>]) -> anyhow::Result<f64> {
    let files = lay(&folder.join("out"), bodies)?;
    let temp = folder.join("temp");
    fs::create_dir_all(&temp)?;
    let watch = Watch::start();
    for group in files.chunks(GROUP) {
        for file in group {
            let moved = temp.join(file.file_name().unwrap_or_default());
            fs::rename(file, &moved)?;
            std::hint::black_box(fs::read(&moved)?);
        }
        fs::File::open(&temp)?.sync_all()?;
    }
    Ok(watch.wall_each(files.len()))
}

fn embedded(table: &mut Table, world: &World, bodies: &[Vec<u8>]) -> anyhow::Result<()> {
    let sender = world.queue("client")?.open_sender()?;
    let names: Vec<_> = (0..bodies.len()).map(samples::number).collect();
    let raw = raw_write(&world.path(""), bodies.chunks(GROUP).map(<[Vec<u8>]>::concat), bodies.len())?;
    let watch = Watch::start();
    for (names, bodies) in names.chunks(GROUP).zip(bodies.chunks(GROUP)) {
        let batch: Vec<_> = names.iter().zip(bodies).map(|(id, body)| Outgoing { id, body, headers: &[] }).collect();
        let outcomes = sender.send(&batch, Duration::from_secs(30));
        anyhow::ensure!(outcomes.iter().all(|one| *one == SendOutcome::Confirmed), "the queue refused");
    }
    table.row("embedded: send", watch.wall_each(bodies.len()), "µs/msg", ("same bytes, write + fdatasync", raw));
    Ok(())
}
