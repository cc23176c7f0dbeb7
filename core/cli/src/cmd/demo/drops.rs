//! What the demonstration drops: the good samples of every bundled business in turn, each under a number of its own, and of
//! every twenty one bad.

use super::expected::{Expected, concluded};
use crate::bundled;
use anyhow::Context as _;
use kouan_declarative::{Declarative, SampleKind as Kind};
use kouan_goods_declaration::{Sample, SampleKind, renumbered, samples};
use kouan_sdk::business::Package;
use kouan_sdk::{Business, Context, finding};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// Of so many, one is bad.
const ONE_BAD_OF: u32 = 20;

/// A sample, ready to be dropped under any number.
pub struct Item {
    /// Folder of its type.
    folder: String,
    what: What,
}

enum What {
    Declaration(Sample),
    Other { of: &'static Declarative, document: &'static [u8] },
}

/// The files, made one by one while they are dropped.
pub struct Drops {
    count: u32,
    /// Good ones, a list for each business.
    good: Vec<Vec<Item>>,
    bad: Vec<Item>,
}

impl Drops {
    /// `count` messages.
    ///
    /// # Errors
    /// A business that cannot be made.
    pub fn of_samples(count: u32) -> anyhow::Result<Self> {
        let (bad, good): (Vec<_>, Vec<_>) = samples().into_iter().partition(|sample| sample.kind == SampleKind::Bad);
        // A sample that changes an earlier declaration (it carries a SeqNo) has none to change here.
        let good = good.into_iter().filter(|sample| !carries_number(sample.document)).map(declaration).collect();
        // One whose mistake is its number would be right under another.
        let by_number = |sample: &Sample| sample.findings.is_some_and(|findings| findings.contains("ClientSeqNo"));
        let bad = bad.into_iter().filter(|sample| !by_number(sample)).map(declaration).collect();
        let mut drops = Self { count, good: vec![good], bad };
        for data in bundled::DATA {
            if let Some(declarative) = data.declarative {
                drops.add(declarative)?;
            }
        }
        Ok(drops)
    }

    /// The samples of a business by data, as far as they can be told apart and stand on their own.
    fn add(&mut self, of: &'static Declarative) -> anyhow::Result<()> {
        let registry = bundled::registry()?;
        let context = Context::standalone(of.id(), std::env::temp_dir());
        let business = registry.business(of.id(), &context, "{}")?;
        let mut good = Vec::new();
        for sample in of.samples().into_iter().filter(|sample| sample.form_id.is_none()) {
            // Under some number; one that is only right or wrong under its own is of no use here.
            let Ok(Some(probe)) = of.renumbered(sample.document, None, &number(0)) else { continue };
            let Some((folder, message_type, is_good, is_update)) = judged(business.as_ref(), &probe)? else { continue };
            let item = Item { folder, what: What::Other { of, document: sample.document } };
            match sample.kind {
                Kind::Good if is_good && !is_update => good.push((message_type, sample.document, item)),
                Kind::Bad if !is_good => self.bad.push(item),
                _ => {}
            }
        }
        let Some(simulator) = registry.simulator(of.id(), &context, "{}")? else { return Ok(()) };
        let documents: Vec<_> = good.iter().map(|(of, document, _)| (of.as_str(), *document)).collect();
        let ends = concluded(of, business.as_ref(), simulator.as_ref(), &documents)?;
        let kept = good.into_iter().zip(ends).filter(|(_, is_concluded)| *is_concluded);
        self.good.push(kept.map(|((_, _, item), _)| item).collect());
        self.good.retain(|items| !items.is_empty());
        Ok(())
    }

    /// What the messages must come to.
    pub fn expected(&self) -> Expected {
        let mut expected = Expected::default();
        for n in 0..self.count {
            match self.item(n) {
                (_, true) => expected.refused += 1,
                (_, false) => expected.concluded += 1,
            }
        }
        expected
    }

    /// The folders that files are dropped into.
    pub fn folders(&self) -> BTreeSet<&str> {
        self.good.iter().flatten().chain(&self.bad).map(|item| item.folder.as_str()).collect()
    }

    /// Drops them, each whole: under a temporary name first, then renamed.
    ///
    /// # Errors
    /// A folder cannot be written.
    pub fn drop_into(&self, root: &Path) -> anyhow::Result<()> {
        for folder in self.folders() {
            let outbox = root.join(folder).join("OutBox");
            fs::create_dir_all(&outbox).with_context(|| format!("make {}", outbox.display()))?;
        }
        for n in 0..self.count {
            let (Some(item), is_bad) = self.item(n) else { continue };
            let (name, bytes) = file(item, &number(n), is_bad)?;
            let outbox = root.join(&item.folder).join("OutBox");
            let temporary = outbox.join(format!("{name}.tmp"));
            fs::write(&temporary, bytes).with_context(|| format!("write {}", temporary.display()))?;
            fs::rename(&temporary, outbox.join(&name))?;
        }
        Ok(())
    }

    /// The n-th, and whether it is bad.
    fn item(&self, n: u32) -> (Option<&Item>, bool) {
        if n % ONE_BAD_OF == ONE_BAD_OF - 1 {
            return (self.bad.get((n / ONE_BAD_OF) as usize % self.bad.len().max(1)), true);
        }
        let businesses = self.good.len().max(1);
        let items = self.good.get(n as usize % businesses);
        (items.and_then(|items| items.get(n as usize / businesses % items.len().max(1))), false)
    }
}

/// The number of the n-th.
pub fn number(n: u32) -> String {
    format!("DEMO{n:014}")
}

fn declaration(sample: Sample) -> Item {
    Item { folder: "Deccus001".into(), what: What::Declaration(sample) }
}

/// Folder and type of a document, whether it is without an error, whether it changes an earlier one.
fn judged(business: &dyn Business, document: &[u8]) -> anyhow::Result<Option<(String, String, bool, bool)>> {
    let package = Package { file_name: "D.xml", stem: "D", form_id: None, document, attachments: &[] };
    let report = business.check(&package)?;
    let of = business.describe().types.into_iter().find(|of| of.id == report.message_type);
    let is_good = !finding::has_error(&report.findings);
    Ok(of.map(|of| (of.folder, of.id, is_good, report.is_update)))
}

fn carries_number(document: &[u8]) -> bool {
    let text = String::from_utf8_lossy(document);
    let Some((_, rest)) = text.split_once("<SeqNo>") else { return false };
    rest.split_once("</SeqNo>").is_some_and(|(value, _)| !value.trim().is_empty())
}

/// File name and bytes: a bare xml, or a zip with the attachments that the document names.
fn file(item: &Item, number: &str, is_bad: bool) -> anyhow::Result<(String, Vec<u8>)> {
    let sample = match &item.what {
        What::Declaration(sample) => sample,
        What::Other { of, document } => {
            let document = of.renumbered(document, None, number)?.unwrap_or_else(|| document.to_vec());
            return Ok((format!("{number}.xml"), document));
        }
    };
    // A sample that is planted to be unreadable has no number to change.
    let document = renumbered(sample.document, number).unwrap_or_else(|_| sample.document.to_vec());
    if sample.attachments.is_empty() || is_bad {
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
