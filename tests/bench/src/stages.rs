//! Stages that need no disk, on one thread: judging, opening, planning, the envelope, the signature.

use crate::Setup;
use crate::samples::{self, TEN_KB};
use crate::table::Table;
use crate::timing::cpu_of;
use crate::world::{CLIENT, WINDOW, World};
use kouan_dxp::{DxpMsg, Policy, SignatureProfile, Trust, Unsigned, WireId};
use kouan_kernel::package::{self, PackageLimits};
use kouan_schema::CheckOptions;
use kouan_sdk::business::{Package, Payload};
use kouan_sdk::{Clock as _, SystemClock};
use std::hint::black_box;

/// Requests that a backend is asked at once.
const BATCH: usize = 64;

/// Runs the suite.
///
/// # Errors
/// A sample that is not right.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let world = World::new(setup.folder()?)?;
    for (name, items) in [("10 KB", TEN_KB), ("20 items", 20), ("50 items", 50)] {
        check(table, &world, name, items)?;
    }
    seal(table, &world)
}

fn check(table: &mut Table, world: &World, name: &str, items: usize) -> anyhow::Result<()> {
    let document = samples::declaration(items)?;
    let business = world.business()?;
    let validator = kouan_goods_declaration::validator(None)?;
    let file_name = "sample.xml";
    let opened = package::open(file_name, &document, &PackageLimits::default())?;
    let package = opened.package(None, &[]);
    let report = business.check(&package)?;
    anyhow::ensure!(report.findings.is_empty(), "the sample has findings: {:?}", report.findings);

    let validate = cpu_of(1, || drop(black_box(validator.check(&document, &CheckOptions::default()))));
    let decoded = read_events(&document);
    let events = cpu_of(1, decoded);
    table.row(&format!("validate with rules, {name}"), validate, "µs/msg", ("XML events of it", events));
    let whole = cpu_of(1, || drop(black_box(business.check(&package))));
    table.row(&format!("check, {name}"), whole, "µs/msg", ("validate with rules", validate));
    if items == TEN_KB {
        table.plain("size of the 10 KB message", document.len() as f64 / 1024.0, "KB");
        let open = cpu_of(1, || drop(black_box(package::open(file_name, &document, &PackageLimits::default()))));
        table.plain("package open", open, "µs/msg");
        table.plain("plan", plan(&*business, &package, &report), "µs/msg");
    }
    Ok(())
}

fn plan(business: &dyn kouan_sdk::Business, package: &Package<'_>, report: &kouan_sdk::business::Report) -> f64 {
    cpu_of(1, || {
        let parts = business.plan(package, report, &report.keys).unwrap_or_default();
        assert!(parts.iter().any(|part| matches!(part.payload, Payload::Bytes(_))), "nothing planned");
        black_box(parts);
    })
}

fn seal(table: &mut Table, world: &World) -> anyhow::Result<()> {
    let document = samples::declaration(TEN_KB)?;
    let id = WireId::new(CLIENT, SystemClock.now(), 0)?;
    let message = DxpMsg::new(&id, vec![WINDOW.to_owned()], SystemClock.now(), "DEC001", &document);
    let profile = SignatureProfile::transport();
    let envelope = || Unsigned::envelope(&message, &profile, &world.client.certificate);
    let unsigned = envelope()?;
    let bytes = unsigned.clone().seal(world.client.sign(unsigned.signed_info())?.as_bytes())?;

    let hashing = cpu_of(1, || {
        black_box(kouan_sm::sm3(&bytes));
    });
    table.plain("SM3 of the sealed bytes", hashing, "µs/msg");
    let made = cpu_of(1, || drop(black_box(envelope())));
    table.row("envelope", made, "µs/msg", ("SM3 of the sealed bytes", hashing));

    let security = world.security()?;
    let identities = security.identities()?;
    let key = &identities.iter().find(|one| one.signs).ok_or_else(|| anyhow::anyhow!("no key"))?.key;
    let batch: Vec<_> = (0..BATCH).map(|_| unsigned.request(key)).collect();
    anyhow::ensure!(security.sign(&batch).iter().all(Result::is_ok), "the backend does not sign");
    let one = cpu_of(1, || drop(black_box(world.client.sign(unsigned.signed_info()))));
    let signed = cpu_of(BATCH, || drop(black_box(security.sign(&batch))));
    table.row("sign, software backend, batch of 64", signed, "µs/msg", ("SM2 signature, library", one));

    let trust = Trust::new(vec![world.client.certificate.clone()]);
    let verify = || kouan_dxp::verify(&bytes, &Policy::strict(), &trust, SystemClock.now());
    verify().map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let kouan_sm::CertificateKey::Sm2(public) = world.client.certificate.public_key() else {
        anyhow::bail!("no SM2 key")
    };
    let signature = world.client.sign(b"bench")?;
    let library = cpu_of(1, || drop(black_box(public.verify(kouan_sm::DEFAULT_USER_ID, b"bench", &signature))));
    table.row(
        "open an envelope (verify, read)",
        cpu_of(1, || drop(black_box(verify()))),
        "µs/msg",
        ("SM2 verification + SM3", library + hashing),
    );
    Ok(())
}

/// Reads a document's events and forgets them.
fn read_events(document: &[u8]) -> impl FnMut() + '_ {
    move || {
        let limits = kouan_xml::Limits::default();
        let Ok(decoded) = kouan_xml::decode(document, &limits) else { return };
        let mut reader = kouan_xml::Reader::new(&decoded, &limits);
        while let Ok(Some(event)) = reader.next() {
            black_box(event);
        }
    }
}
