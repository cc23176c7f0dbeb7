//! What is dropped into OutBox: good declarations, with and without attachments; such as the window refuses; bad and broken
//! ones; the same again; by writers that rename, that write at once, and that pause in the middle.

use crate::choices::Choices;
use crate::folders::OUTBOX;
use anyhow::Context as _;
use kouan_goods_declaration::{Sample, SampleKind, renumbered, samples};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Largest file that the site takes, in bytes; the samples are far smaller.
pub const MAX_FILE_BYTES: usize = 400_000;

/// Keys that begin so are refused by the window (the campaign's scenario).
pub const REJECTED: &str = "CRJCT";

/// How it must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expected {
    /// Sent and concluded, once for its key.
    Concluded,
    /// Sent, and refused by the window.
    Rejected,
    /// Refused here.
    Refused,
    /// Not even taken in: put aside by the directory.
    SetAside,
    /// Given up by the operator before it was ever attempted.
    GivenUp,
}

/// A dropped file.
#[derive(Debug, Clone)]
pub struct Dropped {
    pub name: String,
    /// SM3 of its bytes, hex.
    pub digest: String,
    /// Files of one number are one declaration.
    pub number: String,
    pub expected: Expected,
    bytes: Arc<[u8]>,
    manner: Manner,
}

#[derive(Debug, Clone, Copy)]
enum Manner {
    Renamed,
    AtOnce,
    InTwoSteps { pause_ms: u64 },
}

/// Makes the files of a campaign.
pub struct Maker {
    good: Vec<Sample>,
    bad: Vec<Sample>,
    next: u64,
}

impl Maker {
    /// Of the bundled samples, those that can be renumbered and end by themselves.
    pub fn of_samples() -> Self {
        let (bad, good): (Vec<_>, Vec<_>) = samples().into_iter().partition(|sample| sample.kind == SampleKind::Bad);
        let good = good.into_iter().filter(|sample| !carries_number(sample.document)).collect();
        // One that is wrong in nothing but its number would be right under another.
        let by_number = |sample: &Sample| sample.findings.is_some_and(|findings| findings.contains("/ClientSeqNo"));
        let bad = bad.into_iter().filter(|sample| !by_number(sample)).collect();
        Self { good, bad, next: 0 }
    }

    /// Three to ten files for one round; `earlier` are those of the rounds before.
    pub fn round(&mut self, choices: &Choices, earlier: &[Dropped], set_aside: bool) -> anyhow::Result<Vec<Dropped>> {
        let mut files: Vec<Dropped> = Vec::new();
        for index in 0..3 + choices.below(8, "files") {
            let choices = choices.of(format_args!("file {index}"));
            let file = match choices.below(16, "kind") {
                0 => Some(self.bad(&choices)?),
                1 => Some(self.cut(&choices)?),
                2 => Some(self.good(&choices, REJECTED, Expected::Rejected)?),
                3 | 4 => copy(&choices, &files, index),
                5 => again(&choices, earlier),
                _ => None,
            };
            // A writer that drops one name twice at once replaces its own file.
            let file = match file.filter(|new| files.iter().all(|file| file.name != new.name)) {
                Some(file) => file,
                None => self.good(&choices, "CRASH", Expected::Concluded)?,
            };
            files.push(file);
        }
        if set_aside {
            files.push(self.too_big());
        }
        Ok(files)
    }

    fn number(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{:013}", self.next)
    }

    fn good(&mut self, choices: &Choices, prefix: &str, expected: Expected) -> anyhow::Result<Dropped> {
        let number = self.number(prefix);
        let sample = choices.one_of(&self.good, "sample").context("no good samples")?;
        let document = renumbered(sample.document, &number)?;
        if sample.attachments.is_empty() {
            return Ok(file(choices, format!("{number}.xml"), number, expected, document));
        }
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{number}.xml"), options)?;
        zip.write_all(&document)?;
        for (name, bytes) in &sample.attachments {
            zip.start_file(name.as_str(), options)?;
            zip.write_all(bytes)?;
        }
        Ok(file(choices, format!("{number}.zip"), number, expected, zip.finish()?.into_inner()))
    }

    fn bad(&mut self, choices: &Choices) -> anyhow::Result<Dropped> {
        let number = self.number("CRBAD");
        let sample = choices.one_of(&self.bad, "sample").context("no bad samples")?;
        // One that is planted to be unreadable has no number to change.
        let document = renumbered(sample.document, &number).unwrap_or_else(|_| sample.document.to_vec());
        Ok(file(choices, format!("{number}.xml"), number, Expected::Refused, document))
    }

    /// A writer that renamed what it had not finished.
    fn cut(&mut self, choices: &Choices) -> anyhow::Result<Dropped> {
        let mut whole = self.good(choices, "CRCUT", Expected::Refused)?;
        whole.bytes = whole.bytes.iter().take(whole.bytes.len() / 2).copied().collect();
        whole.digest = digest(&whole.bytes);
        whole.manner = Manner::Renamed;
        Ok(whole)
    }

    fn too_big(&mut self) -> Dropped {
        let number = self.number("CRBIG");
        let bytes: Arc<[u8]> = vec![b' '; MAX_FILE_BYTES + 1].into();
        let (name, digest) = (format!("{number}.xml"), digest(&bytes));
        Dropped { name, digest, number, expected: Expected::SetAside, bytes, manner: Manner::Renamed }
    }
}

fn file(choices: &Choices, name: String, number: String, expected: Expected, bytes: Vec<u8>) -> Dropped {
    let manner = match choices.below(6, "manner") {
        0 => Manner::InTwoSteps { pause_ms: 5 + choices.below(60, "pause") },
        1 => Manner::AtOnce,
        _ => Manner::Renamed,
    };
    Dropped { name, digest: digest(&bytes), number, expected, bytes: bytes.into(), manner }
}

/// The same bytes under another name, in the same round.
fn copy(choices: &Choices, files: &[Dropped], index: u64) -> Option<Dropped> {
    let of = choices.one_of(files, "copy of")?;
    let extension = of.name.rsplit('.').next().unwrap_or("xml");
    Some(Dropped { name: format!("{}-copy{index}.{extension}", of.number), ..of.clone() })
}

/// The very same file again, long after the first. What was put aside would be put aside under a number; what was given
/// up would go through.
fn again(choices: &Choices, earlier: &[Dropped]) -> Option<Dropped> {
    choices
        .one_of(earlier, "again")
        .filter(|file| !matches!(file.expected, Expected::SetAside | Expected::GivenUp))
        .cloned()
}

impl Dropped {
    /// Drops it, as its writer does.
    pub fn drop_into(&self, folder: &Path) -> anyhow::Result<()> {
        let outbox = folder.join(OUTBOX);
        let target = outbox.join(&self.name);
        let wrong = || format!("drop {}", target.display());
        match self.manner {
            Manner::Renamed => {
                let temporary = outbox.join(format!("{}.tmp", self.name));
                fs::write(&temporary, &self.bytes).and_then(|()| fs::rename(&temporary, &target)).with_context(wrong)
            }
            Manner::AtOnce => fs::write(&target, &self.bytes).with_context(wrong),
            Manner::InTwoSteps { pause_ms } => {
                let (first, second) = self.bytes.split_at(self.bytes.len() / 2);
                let mut file = File::create(&target).with_context(wrong)?;
                file.write_all(first).with_context(wrong)?;
                std::thread::sleep(Duration::from_millis(pause_ms));
                file.write_all(second).with_context(wrong)
            }
        }
    }
}

/// SM3 in hex.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(kouan_sm::sm3(bytes))
}

fn carries_number(document: &[u8]) -> bool {
    let text = String::from_utf8_lossy(document);
    let Some((_, rest)) = text.split_once("<SeqNo>") else { return false };
    rest.split_once("</SeqNo>").is_some_and(|(value, _)| !value.trim().is_empty())
}
