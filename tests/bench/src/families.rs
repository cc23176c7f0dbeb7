//! Judging a message of each family, small and large, beside libxml2 on the same schema and the same bytes in the same
//! run: as a library (lxml) and as a program (xmllint). Also what rules cost, and the memory for a very large message.

mod libxml2;

use crate::table::Table;
use crate::timing::cpu_of;
use crate::{Setup, samples};
use anyhow::Context as _;
use kouan_schema::{CheckOptions, Validator};
use kouan_xml::Limits;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Sizes of messages, in bytes.
const SIZES: [(&str, usize); 2] = [("10 KB", 10 << 10), ("10 MB", 10 << 20)];

/// Bytes of the message whose memory is measured.
const HEAVY: usize = 100 << 20;

/// Memory for a message in the design, in multiples of its size.
const MOST_TIMES: f64 = 3.0;

/// Rules of a declaration of twenty items in the design, in microseconds.
const RULES_US: f64 = 150.0;

/// One family: where its data lies, and how a message of it is made longer.
struct Family {
    name: &'static str,
    /// The sample that is made longer, below the family's `samples/good`.
    sample: &'static str,
    /// The schema's first file, below `xsd`.
    xsd: &'static str,
    /// What is repeated.
    item: &'static str,
    /// The field that tells items apart, and what stands before its number.
    number: Option<(&'static str, &'static str)>,
    validators: fn() -> anyhow::Result<Vec<Arc<Validator>>>,
}

const FAMILIES: [Family; 4] = [
    Family {
        name: "goods declaration",
        sample: "goods-declaration/samples/good/fifty-items.xml",
        xsd: "goods-declaration/xsd/DecMessage.xsd",
        item: "DecList",
        number: Some(("GNo", "")),
        validators: || Ok(vec![kouan_goods_declaration::validator(None)?]),
    },
    Family {
        name: "manifest",
        sample: "manifest/samples/good/mt2101_fifty_bills.xml",
        xsd: "manifest/xsd/MT2101.xsd",
        item: "Consignment",
        number: Some(("ID", "EXLU")),
        validators: || Ok(kouan_manifest::BUSINESS.validators(None)?),
    },
    // Nothing in it may stand twice: what is longer is refused, by all of the three.
    Family {
        name: "transport means",
        sample: "transport-means/samples/good/csm005.xml",
        xsd: "transport-means/xsd/CSM005.xsd",
        item: "BorderTransPortMeans",
        number: None,
        validators: || Ok(kouan_transport_means::BUSINESS.validators(None)?),
    },
    Family {
        name: "processing trade",
        sample: "processing-trade/samples/good/inv101-fifty-items.xml",
        xsd: "processing-trade/xsd/processing-trade.xsd",
        item: "InvtListType",
        number: Some(("GdsSeqno", "")),
        validators: || Ok(kouan_processing_trade::BUSINESS.validators(None)?),
    },
];

/// Runs the suite.
///
/// # Errors
/// Data that is not there.
pub fn run(table: &mut Table, setup: &Setup) -> anyhow::Result<()> {
    let folder = setup.folder()?;
    for family in &FAMILIES {
        for (size, bytes) in SIZES {
            compare(table, folder.path(), family, size, &family.message(bytes)?)?;
        }
    }
    rules(table)?;
    FAMILIES.iter().try_for_each(|family| weigh(table, folder.path(), family))
}

fn compare(table: &mut Table, folder: &Path, family: &Family, size: &str, message: &[u8]) -> anyhow::Result<()> {
    let validator = family.validator(message)?;
    let by_the_letter = CheckOptions { strict: true, ..CheckOptions::default() };
    let is_valid = validator.check(message, &by_the_letter).findings.is_empty();
    let name = format!("{}, {size}{}", family.name, if is_valid { "" } else { " (refused)" });
    let letter = cpu_of(1, || drop(black_box(validator.check(message, &by_the_letter))));
    let whole = cpu_of(1, || drop(black_box(validator.check(message, &CheckOptions::default()))));

    let file = folder.join("message.xml");
    std::fs::write(&file, message)?;
    let schema = data(family.xsd);
    for (tool, judged) in [("lxml", libxml2::lxml(&schema, &file)?), ("xmllint", libxml2::xmllint(&schema, &file)?)] {
        let row = format!("parse + validate, {name}");
        match judged {
            Ok(theirs) => {
                anyhow::ensure!(theirs.is_valid == is_valid, "{tool} does not agree on {name}");
                table.row(&row, letter, "µs/msg", (tool, theirs.micros));
            }
            Err(why) => table.plain(&format!("{row} ({tool} skipped: {why})"), letter, "µs/msg"),
        }
    }
    table.row(&format!("… and rules, {name}"), whole, "µs/msg", ("parse + validate", letter));
    table.plain(&format!("… and rules, {name}"), message.len() as f64 / whole, "MB/s");
    Ok(())
}

/// What the rules add to a declaration of twenty items: with them less without them.
fn rules(table: &mut Table) -> anyhow::Result<()> {
    let declaration = samples::declaration(20)?;
    let cost = |kinds: &[&str]| -> anyhow::Result<f64> {
        let validator = of_folder(&data("goods-declaration"), kinds)?;
        let outcome = validator.check(&declaration, &CheckOptions::default());
        anyhow::ensure!(outcome.findings.is_empty(), "the sample has findings: {:?}", outcome.findings);
        Ok(cpu_of(1, || drop(black_box(validator.check(&declaration, &CheckOptions::default())))))
    };
    let rules = cost(&["xsd", "codes", "rules"])? - cost(&["xsd", "codes"])?;
    table.row("rules of a declaration of 20 items", rules, "µs/msg", ("limit", RULES_US));
    Ok(())
}

/// A validator out of some of a business's folders.
fn of_folder(folder: &Path, kinds: &[&str]) -> anyhow::Result<Validator> {
    let mut builder = Validator::builder();
    for kind in kinds {
        for entry in std::fs::read_dir(folder.join(kind))? {
            let path = entry?.path();
            builder = builder.file(path.to_string_lossy(), std::fs::read(&path)?);
        }
    }
    Ok(builder.build()?)
}

/// Judges a very large message in a process of its own, the limits raised.
fn weigh(table: &mut Table, folder: &Path, family: &Family) -> anyhow::Result<()> {
    let message = family.message(HEAVY)?;
    let file = folder.join("heavy.xml");
    std::fs::write(&file, &message)?;
    let child = Command::new(std::env::current_exe()?).args(["--weighs", family.name, "--dir"]).arg(&file).output()?;
    anyhow::ensure!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let most: f64 = String::from_utf8(child.stdout)?.trim().parse()?;
    let limit = MOST_TIMES * message.len() as f64 / 1e6;
    table.row(&format!("memory, 100 MB, {}", family.name), most / 1e6, "MB", ("three times its size", limit));
    Ok(())
}

/// The child: reads a message, judges it with all rules, and prints the most memory that it ever held.
///
/// # Errors
/// The file's, or a message that is not read to its end.
pub fn hold(name: &str, file: &Path) -> anyhow::Result<()> {
    let family = FAMILIES.iter().find(|family| family.name == name).context("no such family")?;
    let message = std::fs::read(file)?;
    let limits = Limits { max_bytes: usize::MAX, max_nodes: usize::MAX, ..Limits::default() };
    let options = CheckOptions { limits: Some(limits), ..CheckOptions::default() };
    let validator = family.validator(&family.message(0)?)?;
    let outcome = validator.check(&message, &options);
    anyhow::ensure!(!outcome.root.is_empty(), "it was not read: {:?}", outcome.findings.first());
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{}", kib * 1024)?;
    Ok(())
}

impl Family {
    /// The sample with so many items that it has about `size` bytes; without empty elements, which libxml2 takes for values.
    fn message(&self, size: usize) -> anyhow::Result<Vec<u8>> {
        let text = without_empty(&std::fs::read_to_string(data(self.sample))?);
        let (open, close) = (format!("<{}>", self.item), format!("</{}>", self.item));
        let first = text.find(&open).context("no item")?;
        let last = text.rfind(&close).context("no item")? + close.len();
        let items: Vec<&str> = text[first..last].split_inclusive(&close).collect();
        let mut message = text[..first].to_owned();
        for (number, item) in (1..).zip(items.iter().cycle()) {
            message.push_str(&self.numbered(item, number));
            if message.len() + (text.len() - last) >= size {
                break;
            }
        }
        message.push_str(&text[last..]);
        Ok(message.into_bytes())
    }

    /// An item under its number.
    fn numbered(&self, item: &str, number: usize) -> String {
        let Some((field, before)) = self.number else { return item.to_owned() };
        let open = format!("<{field}>");
        let place = item.split_once(&open).and_then(|(head, rest)| Some((head, rest.split_once('<')?.1)));
        let Some((head, tail)) = place else { return item.to_owned() };
        let digits = if before.is_empty() { number.to_string() } else { format!("{number:010}") };
        format!("{head}{open}{before}{digits}<{tail}")
    }

    /// The one of the family's validators that is meant.
    fn validator(&self, message: &[u8]) -> anyhow::Result<Arc<Validator>> {
        let options = CheckOptions { strict: true, ..CheckOptions::default() };
        let of = |validator: &Arc<Validator>| validator.check(message, &options).findings.len();
        (self.validators)()?.into_iter().min_by_key(of).context("no validator")
    }
}

/// Without `<Name/>`, whatever the name.
fn without_empty(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
        let tag = &rest[at..end];
        let is_empty = tag.ends_with("/>") && !tag.contains(char::is_whitespace);
        out.push_str(if is_empty { &rest[..at] } else { &rest[..end] });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../business-schemas").join(name)
}
