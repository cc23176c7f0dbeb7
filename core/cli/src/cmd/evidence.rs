//! `kouan evidence`: the chain, checked and exported, without the gateway.

use crate::app::App;
use crate::exit::Exit;
use anyhow::Context as _;
use kouan_journal::SqliteJournal;
use kouan_journal::evidence::{self, SignedHead, Verification};
use kouan_sm::{Certificate, DEFAULT_USER_ID, RawSignature};
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(clap::Subcommand)]
enum Act {
    Verify {
        file: Option<PathBuf>,
    },
    Export {
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
}

/// Verifies or exports.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    match &args.act {
        Act::Verify { file } => verify(app, file.as_ref()),
        Act::Export { output } => export(app, output.as_ref()),
    }
}

fn verify(app: &App, export: Option<&PathBuf>) -> anyhow::Result<Exit> {
    let found = match export {
        Some(file) => {
            let from = File::open(file).with_context(|| format!("open {}", file.display()))?;
            evidence::verify_export(&mut BufReader::new(from), &mut head_is_signed)
        }
        None => evidence::verify(&kouan_kernel::journal_path(&app.config()?), &mut head_is_signed),
    }
    .map_err(kouan_sdk::Error::from)?;
    if app.json {
        app.print_json(&found)?;
    } else {
        report(app, &found)?;
    }
    Ok(if found.holds() { Exit::Done } else { Exit::NotRight })
}

/// The certificate inside the head says whose signature it is; whom to believe is for the reader of the report.
fn head_is_signed(head: &SignedHead) -> Result<(), String> {
    let certificate = Certificate::from_der(&head.certificate).map_err(|e| e.to_string())?;
    let key = certificate.sm2_key().ok_or("the head is not signed with an SM2 key")?;
    let signature = RawSignature::from_slice(&head.signature).map_err(|e| e.to_string())?;
    key.verify(DEFAULT_USER_ID, head.hash.as_bytes(), &signature).map_err(|e| e.to_string())
}

fn report(app: &App, found: &Verification) -> anyhow::Result<()> {
    let lines = match app.lang.pick(true, false) {
        true => [
            format!(
                "事件 {}，分段 {}（已清理 {}），签名 {}",
                found.events, found.segments, found.dropped_segments, found.heads
            ),
            format!("报文 {}，回执 {}", found.messages, found.inbound),
            format!("签名覆盖到事件 {}；链尾 {} {}", found.signed_through, found.head.0, found.head.1),
        ],
        false => [
            format!(
                "{} events, {} segments ({} dropped), {} signed heads",
                found.events, found.segments, found.dropped_segments, found.heads
            ),
            format!("{} messages, {} inbound", found.messages, found.inbound),
            format!("signed through event {}; head {} {}", found.signed_through, found.head.0, found.head.1),
        ],
    };
    for line in lines {
        app.print(line)?;
    }
    for fault in &found.faults {
        let place = fault.seq.map_or(String::new(), |seq| format!("#{seq} "));
        app.print(format!("✗ {place}{}", fault.what))?;
    }
    let verdict = if found.holds() {
        ("✓ 证据链完整", "✓ the chain holds")
    } else {
        ("✗ 证据链被改动", "✗ the chain does not hold")
    };
    app.print(app.lang.pick(verdict.0, verdict.1))?;
    Ok(())
}

fn export(app: &App, output: Option<&PathBuf>) -> anyhow::Result<Exit> {
    let path = kouan_kernel::journal_path(&app.config()?);
    let journal = SqliteJournal::open_read_only(&path).map_err(kouan_sdk::Error::from)?;
    match output {
        Some(file) => {
            let mut out =
                io::BufWriter::new(File::create_new(file).with_context(|| format!("make {}", file.display()))?);
            journal.export(&mut out).map_err(kouan_sdk::Error::from)?;
            out.flush()?;
            out.get_ref().sync_all()?;
        }
        None => journal.export(&mut io::BufWriter::new(io::stdout().lock())).map_err(kouan_sdk::Error::from)?,
    }
    Ok(Exit::Done)
}
