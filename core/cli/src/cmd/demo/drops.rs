//! What the demonstration drops: every good sample in turn, each under a number of its own, and of every twenty one bad.

use anyhow::Context as _;
use kouan_goods_declaration::{Sample, SampleKind, renumbered, samples};
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Of so many, one is bad.
const ONE_BAD_OF: u32 = 20;

/// The files, made one by one while they are dropped.
pub struct Drops {
    count: u32,
    good: Vec<Sample>,
    bad: Vec<Sample>,
}

impl Drops {
    /// `count` messages.
    pub fn of_samples(count: u32) -> Self {
        let (bad, good): (Vec<_>, Vec<_>) = samples().into_iter().partition(|sample| sample.kind == SampleKind::Bad);
        // A sample that changes an earlier declaration (it carries a SeqNo) has none to change here.
        let good = good.into_iter().filter(|sample| !carries_number(sample.document)).collect();
        // One whose mistake is its number would be right under another.
        let by_number = |sample: &Sample| sample.findings.is_some_and(|findings| findings.contains("ClientSeqNo"));
        let bad = bad.into_iter().filter(|sample| !by_number(sample)).collect();
        Self { count, good, bad }
    }

    /// How many of them are bad.
    pub fn planted(&self) -> u64 {
        u64::from(self.count / ONE_BAD_OF)
    }

    /// Drops them, each whole: under a temporary name first, then renamed.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn drop_into(&self, outbox: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(outbox).with_context(|| format!("make {}", outbox.display()))?;
        for n in 0..self.count {
            let number = format!("DEMO{n:014}");
            let of = if n % ONE_BAD_OF == ONE_BAD_OF - 1 { (&self.bad, n / ONE_BAD_OF) } else { (&self.good, n) };
            let Some(sample) = of.0.get(of.1 as usize % of.0.len().max(1)) else { continue };
            let (name, bytes) = file(sample, &number)?;
            let temporary = outbox.join(format!("{name}.tmp"));
            fs::write(&temporary, bytes).with_context(|| format!("write {}", temporary.display()))?;
            fs::rename(&temporary, outbox.join(&name))?;
        }
        Ok(())
    }
}

fn carries_number(document: &[u8]) -> bool {
    let text = String::from_utf8_lossy(document);
    let Some((_, rest)) = text.split_once("<SeqNo>") else { return false };
    rest.split_once("</SeqNo>").is_some_and(|(value, _)| !value.trim().is_empty())
}

/// File name and bytes: a bare xml, or a zip with the attachments that the document names.
fn file(sample: &Sample, number: &str) -> anyhow::Result<(String, Vec<u8>)> {
    // A sample that is planted to be unreadable has no number to change.
    let document = renumbered(sample.document, number).unwrap_or_else(|_| sample.document.to_vec());
    if sample.attachments.is_empty() || sample.kind == SampleKind::Bad {
        return Ok((format!("{number}.xml"), document));
    }
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file(format!("{number}.xml"), options)?;
    zip.write_all(&document)?;
    for (name, bytes) in &sample.attachments {
        zip.start_file(name.as_str(), options)?;
        zip.write_all(bytes)?;
    }
    Ok((format!("{number}.zip"), zip.finish()?.into_inner()))
}
