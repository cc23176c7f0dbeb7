//! `kouan evidence`: the chain, checked and exported, without the gateway.

use crate::app::App;
use crate::exit::{Exit, WrongUsage};
use crate::journal;
use kouan_journal::evidence::{self, SignedHead, Verification};
use kouan_sm::{Certificate, DEFAULT_USER_ID, RawSignature};
use std::collections::BTreeSet;
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
        #[arg(long, value_name = "CERT")]
        signer: Vec<PathBuf>,
    },
    Export {
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
}

/// Verifies or exports.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    match &args.act {
        Act::Verify { file, signer } => verify(app, file.as_ref(), &believed(signer)?),
        Act::Export { output } => export(app, output.as_ref()),
    }
}

fn believed(files: &[PathBuf]) -> anyhow::Result<Vec<Certificate>> {
    let read = |file: &PathBuf| {
        let wrong = |why: String| WrongUsage(format!("{}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
        Ok(Certificate::from_pem(&text).map_err(|e| wrong(e.to_string()))?)
    };
    files.iter().map(read).collect()
}

fn verify(app: &App, export: Option<&PathBuf>, believed: &[Certificate]) -> anyhow::Result<Exit> {
    let mut signers = BTreeSet::new();
    let mut signed = |head: &SignedHead| {
        signers.insert(signer(head, believed)?);
        Ok(())
    };
    let found = match export {
        Some(file) => {
            let wrong = |error| WrongUsage(format!("{}: {error}", file.display()));
            evidence::verify_export(&mut BufReader::new(File::open(file).map_err(wrong)?), &mut signed)
        }
        None => evidence::verify(&journal::path(&app.config()?)?, &mut signed),
    }
    .map_err(kouan_sdk::Error::from)?;
    if app.json {
        let mut told = serde_json::to_value(&found)?;
        told["signers"] = serde_json::to_value(&signers)?;
        app.print_json(&told)?;
    } else {
        report(app, &found, &signers)?;
    }
    Ok(if found.holds() { Exit::Done } else { Exit::NotRight })
}

/// Whose signature the head bears, if it is one. The certificate stands inside the head, so anybody may have signed:
/// whether it is the gateway's is for the reader of the report, who is told the name, or says beforehand whom to believe.
fn signer(head: &SignedHead, believed: &[Certificate]) -> Result<String, String> {
    let certificate = Certificate::from_der(&head.certificate).map_err(|e| e.to_string())?;
    let key = certificate.sm2_key().ok_or("the head is not signed with an SM2 key")?;
    let signature = RawSignature::from_slice(&head.signature).map_err(|e| e.to_string())?;
    key.verify(DEFAULT_USER_ID, head.hash.as_bytes(), &signature).map_err(|e| e.to_string())?;
    let name = format!("{} ({})", certificate.subject(), certificate.serial());
    if believed.is_empty() || believed.iter().any(|one| one.der() == certificate.der()) {
        Ok(name)
    } else {
        Err(format!("signed by {name}, who is none of --signer"))
    }
}

fn report(app: &App, found: &Verification, signers: &BTreeSet<String>) -> anyhow::Result<()> {
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
    for signer in signers {
        app.print(format!("{} {signer}", app.lang.pick("签名者", "signed by")))?;
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
    let journal = journal::read(&app.config()?)?;
    match output {
        Some(file) => {
            let wrong = |error| WrongUsage(format!("{}: {error}", file.display()));
            let mut out = io::BufWriter::new(File::create_new(file).map_err(wrong)?);
            journal.export(&mut out).map_err(kouan_sdk::Error::from)?;
            out.flush()?;
            out.get_ref().sync_all()?;
        }
        None => journal.export(&mut io::BufWriter::new(io::stdout().lock())).map_err(kouan_sdk::Error::from)?,
    }
    Ok(Exit::Done)
}
