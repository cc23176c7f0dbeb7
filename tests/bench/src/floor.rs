//! The floor (下限): what the same work costs in a straight line of code, on one thread, with nothing remembered: read and
//! rename the file, one validation pass with rules, SM3 over the sealed bytes, one signature, and the bytes that must not
//! be lost written in groups of the same size, each made durable by one fdatasync.

use crate::timing::Watch;
use crate::world::{CLIENT, Pair, WINDOW};
use kouan_schema::{CheckOptions, Validator};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Messages in one group: the gateway's own batch.
pub const GROUP: usize = 256;

/// What a floor came to, in microseconds a message.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// Wall time.
    pub wall: f64,
    /// Processor time.
    pub cpu: f64,
}

/// The way out. `files` lie in a folder of their own and are moved within it; the sealed bytes are ready before the clock
/// starts, since base64 and a few tags are no work to speak of.
///
/// # Errors
/// The disk's, or a sample that is not right.
pub fn outbound(folder: &Path, client: &Pair, bodies: &[Vec<u8>]) -> anyhow::Result<Floor> {
    let (from, to) = (folder.join("floor-out"), folder.join("floor-temp"));
    let files = lay(&from, bodies)?;
    fs::create_dir_all(&to)?;
    let sealed = bodies.iter().enumerate().map(|(n, body)| client.seal(CLIENT, WINDOW, n, "DEC001", body));
    let sealed = sealed.collect::<anyhow::Result<Vec<_>>>()?;
    let validator: Arc<Validator> = kouan_goods_declaration::validator(None)?;
    let mut log = File::create(folder.join("floor-log"))?;
    let watch = Watch::start();
    for (files, sealed) in files.chunks(GROUP).zip(sealed.chunks(GROUP)) {
        let mut intake = Vec::new();
        for path in files {
            let moved = to.join(path.file_name().unwrap_or_default());
            fs::rename(path, &moved)?;
            intake.extend(fs::read(&moved)?);
        }
        log.write_all(&intake)?;
        log.sync_data()?;
        let mut group = Vec::new();
        let length = intake.len() / files.len().max(1);
        for (body, (_, bytes)) in intake.chunks(length.max(1)).zip(sealed) {
            let outcome = validator.check(body, &CheckOptions::default());
            anyhow::ensure!(outcome.findings.is_empty(), "the sample has findings: {:?}", outcome.findings);
            let digest = kouan_sm::sm3(bytes);
            client.sign(&digest)?;
            group.extend_from_slice(bytes);
        }
        log.write_all(&group)?;
        log.sync_data()?;
    }
    Ok(Floor { wall: watch.wall_each(bodies.len()), cpu: watch.cpu_each(bodies.len()) })
}

/// The way in: verify each envelope's signature (SM3 over it, one SM2 verification), write it durably in groups, write
/// each receipt as a file of its own under another name, rename it, and make each group's files durable by one fsync of
/// the folder.
///
/// # Errors
/// The disk's, or a signature that is none.
pub fn inbound(
    folder: &Path,
    window: &Pair,
    envelopes: &[(String, Vec<u8>)],
    receipts: &[Vec<u8>],
) -> anyhow::Result<Floor> {
    let inbox = folder.join("floor-in");
    fs::create_dir_all(&inbox)?;
    let signed = window.sign(b"floor")?;
    let kouan_sm::CertificateKey::Sm2(key) = window.certificate.public_key() else { anyhow::bail!("no SM2 key") };
    let mut log = File::create(folder.join("floor-log-in"))?;
    let watch = Watch::start();
    for (group, receipts) in envelopes.chunks(GROUP).zip(receipts.chunks(GROUP)) {
        let bytes: Vec<u8> = group.iter().flat_map(|(_, body)| body.iter().copied()).collect();
        log.write_all(&bytes)?;
        log.sync_data()?;
        for ((id, body), receipt) in group.iter().zip(receipts) {
            kouan_sm::sm3(body);
            key.verify(kouan_sm::DEFAULT_USER_ID, b"floor", &signed)?;
            let temporary = inbox.join(format!("{id}.tmp"));
            fs::write(&temporary, receipt)?;
            fs::rename(&temporary, inbox.join(format!("{id}.xml")))?;
        }
        File::open(&inbox)?.sync_all()?;
    }
    Ok(Floor { wall: watch.wall_each(envelopes.len()), cpu: watch.cpu_each(envelopes.len()) })
}

/// Lays files down, each under the number of its message.
///
/// # Errors
/// The disk's.
pub fn lay(folder: &Path, bodies: &[Vec<u8>]) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)?;
    let lay = |(n, body): (usize, &Vec<u8>)| {
        let path = folder.join(format!("{}.xml", crate::samples::number(n)));
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, body)?;
        fs::rename(&temporary, &path)?;
        Ok(path)
    };
    let files = bodies.iter().enumerate().map(lay).collect::<anyhow::Result<Vec<_>>>()?;
    // What the drop itself still has to write is not the gateway's to wait for.
    rustix::fs::sync();
    Ok(files)
}

/// Writes `bytes` in groups, each made durable; microseconds of wall time for each of `count`.
///
/// # Errors
/// The disk's.
pub fn raw_write(folder: &Path, groups: impl Iterator<Item = Vec<u8>>, count: usize) -> anyhow::Result<f64> {
    let groups: Vec<_> = groups.collect();
    let mut file = File::create(folder.join("raw-log"))?;
    let watch = Watch::start();
    for group in &groups {
        file.write_all(group)?;
        file.sync_data()?;
    }
    Ok(watch.wall_each(count))
}
