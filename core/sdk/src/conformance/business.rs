//! Conformance kit of the business trait.
//!
//! [`check`] holds a business against its own samples and against hostile bytes: what it promises in [`describe`],
//! that it judges the same every time and from many threads, that its plans are stable, and that what it refuses with
//! is readable by its own eyes. It panics with a sentence on the first promise that does not hold.
//!
//! [`describe`]: crate::Business::describe

use crate::business::{Attachment, Business, Key, Outcome, Package, PartPlan, Payload, Report, Signer};
use crate::{Error, ErrorKind, Severity, Timestamp, finding};
use std::collections::{BTreeMap, BTreeSet};

/// One dropped message, opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sample {
    /// File name, such as `import.xml` or `attachments.zip`.
    pub file_name: String,
    /// The document's bytes.
    pub document: Vec<u8>,
    /// Attachments: name and bytes.
    pub attachments: Vec<(String, Vec<u8>)>,
    /// FormId of the folder that it came through; needed only for types that are known by nothing else.
    pub form_id: Option<String>,
}

impl Sample {
    /// A bare document.
    pub fn document(file_name: impl Into<String>, document: impl Into<Vec<u8>>) -> Self {
        Self { file_name: file_name.into(), document: document.into(), ..Self::default() }
    }

    /// Calls `act` with this sample as a [`Package`].
    pub fn with_package<T>(&self, act: impl FnOnce(&Package<'_>) -> T) -> T {
        let attachments: Vec<Attachment<'_>> =
            self.attachments.iter().map(|(name, bytes)| Attachment { name, bytes }).collect();
        act(&Package {
            file_name: &self.file_name,
            stem: self.file_name.rsplit_once('.').map_or(self.file_name.as_str(), |(stem, _)| stem),
            form_id: self.form_id.as_deref(),
            document: &self.document,
            attachments: &attachments,
        })
    }
}

/// What a business is held against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Samples {
    /// Messages without an error.
    pub good: Vec<Sample>,
    /// Messages with at least one error.
    pub bad: Vec<Sample>,
    /// Receipts of the business: name and bytes.
    pub receipts: Vec<(String, Vec<u8>)>,
}

/// Holds a business against its promises; `factory` makes a fresh instance of it each time.
pub fn check(factory: &(dyn Fn() -> Box<dyn Business> + Sync), samples: &Samples) {
    assert!(!samples.good.is_empty(), "give the kit at least one good sample");
    assert!(!samples.bad.is_empty(), "give the kit at least one bad sample");
    assert!(!samples.receipts.is_empty(), "give the kit at least one receipt");
    let business = factory();
    describe_is_consistent(business.as_ref());
    for sample in &samples.good {
        good_sample_is_clean(business.as_ref(), sample);
        plan_is_stable(business.as_ref(), sample);
    }
    for sample in &samples.bad {
        bad_sample_is_refused(business.as_ref(), sample);
    }
    judging_is_deterministic(factory, samples);
    judging_is_thread_safe(business.as_ref(), samples);
    hostile_documents_are_findings(business.as_ref(), samples);
    receipts_are_read(business.as_ref(), samples);
    hostile_receipts_are_errors(business.as_ref(), samples);
    signing_never_panics(business.as_ref(), samples);
}

fn describe_is_consistent(business: &dyn Business) {
    let info = business.describe();
    assert_eq!(info, business.describe(), "describe must answer the same every time");
    assert!(!info.id.is_empty() && !info.name_zh.is_empty() && !info.name_en.is_empty(), "a business has id and names");
    assert!(!info.types.is_empty(), "a business sends at least one type");
    assert!(!info.receipt_roots.is_empty(), "a business reads at least one kind of receipt");
    let mut ids = BTreeSet::new();
    let mut folders = BTreeMap::new();
    for kind in &info.types {
        assert!(ids.insert(kind.id.as_str()), "type {} stands twice", kind.id);
        let spelt = *folders.entry(kind.folder.to_lowercase()).or_insert(kind.folder.as_str());
        assert!(spelt == kind.folder, "folder {spelt} is also spelt {}", kind.folder);
        assert!(!kind.id.is_empty() && !kind.folder.is_empty(), "a type has an id and a folder: {kind:?}");
        assert!(!kind.name_zh.is_empty() && !kind.name_en.is_empty(), "type {} has names in both languages", kind.id);
        assert!(!kind.receivers.is_empty(), "type {} has a receiver", kind.id);
        assert!(kind.receipt_deadline_s > 0, "type {} has a receipt deadline", kind.id);
        assert!(kind.roots.iter().all(|root| !root.local.is_empty()), "roots of {} have names", kind.id);
    }
}

fn good_sample_is_clean(business: &dyn Business, sample: &Sample) {
    let report = judge(business, sample);
    let name = &sample.file_name;
    let errors: Vec<_> = report.findings.iter().filter(|f| f.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "good sample {name} has errors: {errors:#?}");
    let known = business.describe().types.iter().any(|kind| kind.id == report.message_type);
    assert!(known, "good sample {name} has the type {:?}, which describe does not list", report.message_type);
    let Some(key) = &report.business_key else { panic!("good sample {name} has no business key") };
    assert!(report.keys.contains(key), "the business key of {name} is among its keys");
    assert!(report.keys.iter().all(|key| !key.value.is_empty()), "no key of {name} is empty: {:?}", report.keys);
    findings_are_placed(sample, &report);
}

fn findings_are_placed(sample: &Sample, report: &Report) {
    let name = &sample.file_name;
    assert!(report.findings.len() <= 200, "{name} has more than 200 findings");
    for found in &report.findings {
        assert!(!found.rule.is_empty(), "a finding of {name} has no rule: {found:?}");
        assert!(!found.message_zh.is_empty() && !found.message_en.is_empty(), "finding without both texts: {found:?}");
        assert!(found.offset <= sample.document.len() as u64, "a finding of {name} lies beyond its end: {found:?}");
        assert_eq!(found.line == 0, found.column == 0, "line and column of {name} stand together: {found:?}");
    }
}

fn plan_is_stable(business: &dyn Business, sample: &Sample) {
    let name = &sample.file_name;
    let report = judge(business, sample);
    sample.with_package(|package| {
        let parts = plan(business, package, &report, &report.keys);
        assert!(!parts.is_empty(), "{name} is planned into at least one part");
        let mut names = BTreeSet::new();
        for (index, part) in parts.iter().enumerate() {
            assert!(names.insert(part.name.as_str()), "{name} has two parts called {}", part.name);
            assert!(
                part.after.iter().all(|&other| other < index),
                "part {} of {name} waits for a later one",
                part.name
            );
            assert!(!part.message_type.is_empty() && !part.receivers.is_empty(), "part {} has no address", part.name);
            assert!(!part.file_name.is_empty(), "part {} of {name} has a file name", part.name);
        }
        assert_eq!(parts, plan(business, package, &report, &report.keys), "{name} is planned the same twice");
        parts_wait_for_keys_only(business, package, &report, &parts);
    });
}

/// Teaches every key that a part waits for: names and order stay, and the waiting parts get their payload.
fn parts_wait_for_keys_only(business: &dyn Business, package: &Package<'_>, report: &Report, parts: &[PartPlan<'_>]) {
    let mut known = report.keys.clone();
    for part in parts {
        if let Payload::WhenKnown { key } = &part.payload {
            known.push(Key::new(key.clone(), "I20260000000000001"));
        }
    }
    let later = plan(business, package, report, &known);
    let names = |parts: &[PartPlan<'_>]| parts.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(parts), names(&later), "names and order of parts must not change when a key is learned");
    for part in &later {
        assert!(matches!(part.payload, Payload::Bytes(_)), "part {} still waits though its key is known", part.name);
    }
}

fn bad_sample_is_refused(business: &dyn Business, sample: &Sample) {
    let report = judge(business, sample);
    assert!(
        finding::has_error(&report.findings),
        "bad sample {} has no error: {:#?}",
        sample.file_name,
        report.findings
    );
    findings_are_placed(sample, &report);
    refusal_is_readable(business, &report, &sample.file_name);
}

fn refusal_is_readable(business: &dyn Business, report: &Report, name: &str) {
    let (file, bytes) = business.refusal(report).unwrap_or_else(|e| panic!("refusing {name}: {e}"));
    let receipt = business.read_receipt(&bytes).unwrap_or_else(|e| panic!("reading the refusal of {name}: {e}"));
    assert_eq!(receipt.outcome, Outcome::Rejected, "the refusal of {name} reads as a rejection");
    assert!(!receipt.is_client_failure, "the refusal of {name} speaks of the content, not of the client");
    assert_eq!(receipt.name.prefix, file.prefix, "the refusal of {name} is named as its reader would name it");
    assert_eq!(receipt.name.extension, file.extension, "the refusal of {name} is named as its reader would name it");
    assert!(!receipt.text.is_empty(), "the refusal of {name} says why");
}

fn judging_is_deterministic(factory: &(dyn Fn() -> Box<dyn Business> + Sync), samples: &Samples) {
    let (one, other) = (factory(), factory());
    for sample in samples.good.iter().chain(&samples.bad) {
        let first = judge(one.as_ref(), sample);
        assert_eq!(first, judge(one.as_ref(), sample), "{} is judged the same twice", sample.file_name);
        assert_eq!(first, judge(other.as_ref(), sample), "{} is judged the same by two instances", sample.file_name);
        let refused = one.refusal(&first).ok();
        assert_eq!(refused, other.refusal(&first).ok(), "{} is refused the same twice", sample.file_name);
    }
}

fn judging_is_thread_safe(business: &dyn Business, samples: &Samples) {
    let all: Vec<&Sample> = samples.good.iter().chain(&samples.bad).collect();
    let alone: Vec<Report> = all.iter().map(|sample| judge(business, sample)).collect();
    std::thread::scope(|scope| {
        for shift in 0..8 {
            let (all, alone) = (&all, &alone);
            scope.spawn(move || {
                for step in 0..all.len() {
                    let at = (step + shift) % all.len();
                    let (sample, expected) = (all[at], &alone[at]);
                    assert_eq!(&judge(business, sample), expected, "{} differs among threads", sample.file_name);
                }
            });
        }
    });
}

fn hostile_documents_are_findings(business: &dyn Business, samples: &Samples) {
    let mut dice = Dice(0x5EED);
    let refused = |what: &str, document: Vec<u8>| {
        let sample = Sample::document("hostile.xml", document);
        let report = judge(business, &sample);
        assert!(finding::has_error(&report.findings), "{what} is not refused");
        findings_are_placed(&sample, &report);
        refusal_is_readable(business, &report, what);
    };
    refused("an empty document", Vec::new());
    refused("one byte", vec![b'<']);
    for length in [1_usize, 7, 64, 1024, 65_536] {
        refused("a document of random bytes", (0..length).map(|_| dice.byte()).collect());
    }
    refused("a document of another kind", b"<?xml version=\"1.0\"?><Unheard xmlns=\"urn:of\"><a/></Unheard>".to_vec());
    for sample in samples.good.iter().take(4) {
        let whole = sample.document.trim_ascii_end().len();
        for step in 0..24 {
            refused("a truncated document", sample.document[..whole * step / 24].to_vec());
        }
        for _ in 0..24 {
            let mut document = sample.document.clone();
            for _ in 0..4 {
                let at = dice.below(document.len());
                document[at] = dice.byte();
            }
            // May still be good by chance; only panics and misplaced findings count.
            let sample = Sample::document("mutated.xml", document);
            findings_are_placed(&sample, &judge(business, &sample));
        }
    }
}

fn receipts_are_read(business: &dyn Business, samples: &Samples) {
    for (name, bytes) in &samples.receipts {
        let receipt = business.read_receipt(bytes).unwrap_or_else(|e| panic!("reading receipt {name}: {e}"));
        assert_eq!(Ok(&receipt), business.read_receipt(bytes).as_ref(), "receipt {name} is read the same twice");
        assert!(!receipt.kind.is_empty(), "receipt {name} has a kind");
        assert!(!receipt.name.prefix.is_empty() && !receipt.name.extension.is_empty(), "receipt {name} gets a name");
        assert!(receipt.keys.iter().all(|key| !key.value.is_empty()), "receipt {name} has an empty key");
    }
}

fn hostile_receipts_are_errors(business: &dyn Business, samples: &Samples) {
    let mut dice = Dice(0xBAD);
    let strange: [Vec<u8>; 4] =
        [Vec::new(), b"<".to_vec(), b"<Unheard xmlns=\"urn:of\"/>".to_vec(), (0..4096).map(|_| dice.byte()).collect()];
    for bytes in strange {
        receipt_is_refused(business, &bytes);
    }
    for (_, bytes) in &samples.receipts {
        let whole = bytes.trim_ascii_end().len();
        for step in 0..24 {
            receipt_is_refused(business, &bytes[..whole * step / 24]);
        }
    }
}

fn receipt_is_refused(business: &dyn Business, bytes: &[u8]) {
    match business.read_receipt(bytes) {
        Ok(receipt) => panic!("broken bytes were read as a receipt: {receipt:?}"),
        Err(Error { kind, code, .. }) => {
            assert_eq!(kind, ErrorKind::Invalid, "a broken receipt is invalid, not {kind:?}");
            assert!(code.starts_with("KOUAN-"), "a broken receipt has a code of ours: {code}");
        }
    }
}

fn signing_never_panics(business: &dyn Business, samples: &Samples) {
    let signer = Signer {
        certificate_serial: "030a1b2c3d4e5f60".into(),
        card_number: "2100000000001".into(),
        operator_name: "张三".into(),
    };
    let at = Timestamp::from_millis(1_768_181_710_000);
    for sample in samples.good.iter().chain(&samples.bad) {
        for document in [&sample.document[..], &sample.document[..sample.document.len() / 2], b"<"] {
            let asked = business.signature_request(document, &signer, at);
            assert_eq!(asked, business.signature_request(document, &signer, at), "the same bytes are signed each time");
            // An error is a fine answer for half a document; a panic is not.
            let _ = business.with_signature(document, &signer, at, &[7; 64]);
        }
    }
}

fn judge(business: &dyn Business, sample: &Sample) -> Report {
    sample.with_package(|package| {
        business.check(package).unwrap_or_else(|e| panic!("{} must be judged, not failed on: {e}", sample.file_name))
    })
}

fn plan<'a>(business: &dyn Business, package: &Package<'a>, report: &Report, known: &[Key]) -> Vec<PartPlan<'a>> {
    business.plan(package, report, known).unwrap_or_else(|e| panic!("planning {}: {e}", package.file_name))
}

/// A small generator (xorshift), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::business::{BusinessInfo, MessageType, Receipt, ReceiptName, RootName};
    use crate::{Finding, Result};
    use std::borrow::Cow;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// What the business under test does wrong.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Fault {
        None,
        FolderSpeltTwice,
        BadPasses,
        ErrInsteadOfFinding,
        PlacedBeyondTheEnd,
        PartWaitsForItself,
        PartNamesChange,
        StillWaits,
        RefusalReadsAsAccepted,
        ReadsAnything,
    }

    /// Order slips of one line, `order <key> end`, and their receipts, `yes <key> end` or `no <key> end`.
    struct Slips(Fault);

    fn word(bytes: &[u8], first: &str) -> Option<String> {
        let text = std::str::from_utf8(bytes).ok()?.trim_ascii_end();
        let middle = text.strip_prefix(first)?.strip_prefix(' ')?.strip_suffix(" end")?;
        (!middle.is_empty()).then(|| middle.to_owned())
    }

    fn kind(id: &str, folder: &str) -> MessageType {
        MessageType {
            id: id.into(),
            name_zh: "单".into(),
            name_en: "slip".into(),
            folder: folder.into(),
            roots: vec![RootName::new("", "order")],
            receivers: vec!["W".into()],
            receipt_deadline_s: 60,
        }
    }

    impl Business for Slips {
        fn describe(&self) -> BusinessInfo {
            let other = if self.0 == Fault::FolderSpeltTwice { "slips" } else { "Notes" };
            BusinessInfo {
                id: "slips".into(),
                name_zh: "单".into(),
                name_en: "slips".into(),
                types: vec![kind("SLIP", "Slips"), kind("NOTE", other)],
                receipt_roots: vec![RootName::new("", "yes"), RootName::new("", "no")],
            }
        }

        fn check(&self, package: &Package<'_>) -> Result<Report> {
            let Some(value) = word(package.document, "order") else {
                let mut finding = Finding::whole("FORM", Severity::Error, "不成形", "not a slip");
                match self.0 {
                    Fault::BadPasses => return Ok(Report::default()),
                    Fault::ErrInsteadOfFinding => return Err(Error::new(ErrorKind::Invalid, "KOUAN-TEST", "no slip")),
                    Fault::PlacedBeyondTheEnd => finding.offset = 1 << 40,
                    _ => {}
                }
                return Ok(Report { findings: vec![finding], ..Report::default() });
            };
            let key = Key::new("Key", value);
            Ok(Report {
                message_type: "SLIP".into(),
                business_key: Some(key.clone()),
                keys: vec![key],
                ..Report::default()
            })
        }

        fn plan<'a>(&self, package: &Package<'a>, _: &Report, known: &[Key]) -> Result<Vec<PartPlan<'a>>> {
            let part = |name: &str, payload, after| PartPlan {
                name: name.into(),
                message_type: "SLIP".into(),
                receivers: vec!["W".into()],
                file_name: format!("{name}.txt"),
                payload,
                after,
                expects_receipt: true,
                biz_keys: Vec::new(),
            };
            let document = || Payload::Bytes(Cow::Borrowed(package.document));
            let is_known = known.iter().any(|key| key.name == "Number");
            let first = if is_known && self.0 == Fault::PartNamesChange { "renamed" } else { "slip" };
            let after = if self.0 == Fault::PartWaitsForItself { vec![1] } else { vec![0] };
            let waits = !is_known || self.0 == Fault::StillWaits;
            let late = if waits { Payload::WhenKnown { key: "Number".into() } } else { document() };
            Ok(vec![part(first, document(), vec![]), part("copy", late, after)])
        }

        fn read_receipt(&self, bytes: &[u8]) -> Result<Receipt> {
            let read = word(bytes, "yes").map(|v| (v, Outcome::Accepted));
            let read = read.or_else(|| word(bytes, "no").map(|v| (v, Outcome::Rejected)));
            let anything = || (self.0 == Fault::ReadsAnything).then(|| ("any".to_owned(), Outcome::Accepted));
            let Some((value, outcome)) = read.or_else(anything) else {
                return Err(Error::new(ErrorKind::Invalid, "KOUAN-TEST", "no receipt"));
            };
            Ok(Receipt {
                kind: "slip".into(),
                keys: vec![Key::new("Key", value.clone())],
                rank: 1,
                outcome,
                stage: String::new(),
                code: String::new(),
                text: value,
                is_final: true,
                reopens: false,
                is_repeat_of_known: false,
                is_client_failure: false,
                noticed_at: None,
                name: ReceiptName { prefix: "Answer".into(), middle: None, extension: "txt".into(), others: None },
            })
        }

        fn refusal(&self, _: &Report) -> Result<(ReceiptName, Vec<u8>)> {
            let word = if self.0 == Fault::RefusalReadsAsAccepted { "yes" } else { "no" };
            let name = ReceiptName { prefix: "Answer".into(), middle: None, extension: "txt".into(), others: None };
            Ok((name, format!("{word} unreadable end").into_bytes()))
        }
    }

    fn hold(fault: Fault) -> Result<(), String> {
        let samples = Samples {
            good: vec![Sample::document("a.xml", "order A1 end\n"), Sample::document("b.xml", "order B2 end")],
            bad: vec![Sample::document("c.xml", "order  end")],
            receipts: vec![("yes.txt".into(), b"yes A1 end".to_vec())],
        };
        let factory = move || Box::new(Slips(fault)) as Box<dyn Business>;
        catch_unwind(AssertUnwindSafe(|| check(&factory, &samples)))
            .map_err(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without text".into()))
    }

    #[test]
    fn a_business_that_keeps_its_promises_passes() {
        assert_eq!(hold(Fault::None), Ok(()));
    }

    #[test]
    fn each_broken_promise_is_found_and_named() {
        let broken = [
            (Fault::FolderSpeltTwice, "folder Slips is also spelt slips"),
            (Fault::BadPasses, "has no error"),
            (Fault::ErrInsteadOfFinding, "must be judged, not failed on"),
            (Fault::PlacedBeyondTheEnd, "lies beyond its end"),
            (Fault::PartWaitsForItself, "waits for a later one"),
            (Fault::PartNamesChange, "must not change when a key is learned"),
            (Fault::StillWaits, "still waits though its key is known"),
            (Fault::RefusalReadsAsAccepted, "reads as a rejection"),
            (Fault::ReadsAnything, "broken bytes were read as a receipt"),
        ];
        for (fault, says) in broken {
            let said = hold(fault).expect_err("a broken promise must be found");
            assert!(said.contains(says), "{said:?} does not say {says:?}");
        }
    }
}
