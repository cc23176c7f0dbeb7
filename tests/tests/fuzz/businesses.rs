//! A business with all that it is asked: check, plan, refusal, signature, receipts, and its window.

use crate::mutate::Random;
use kouan_declarative::Declarative;
use kouan_schema::{CheckOptions, MOST_FINDINGS, Validator};
use kouan_sdk::business::{Attachment, Package, Payload, Report, Signer};
use kouan_sdk::simulator::{Arrived, MemoryStore, Script};
use kouan_sdk::{Context, Finding, PluginDecl, Simulator, Timestamp};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// Longest text of one finding, in bytes: values are shortened, names are bounded by the reader.
const LONGEST_FINDING: usize = 16 << 10;

/// Some moment.
const NOW: Timestamp = Timestamp::from_millis(1_768_200_000_000);

/// One business and what its inputs begin with.
pub struct Business {
    /// Sample messages, good and bad.
    pub messages: Vec<Cow<'static, [u8]>>,
    /// Sample receipts.
    pub receipts: Vec<Cow<'static, [u8]>>,
    ways: Vec<Box<dyn kouan_sdk::Business>>,
    window: Box<dyn Simulator>,
    validators: Vec<Arc<Validator>>,
    types: Vec<String>,
}

impl Business {
    /// With and without a profile to sign by.
    pub fn goods_declaration() -> Self {
        let samples = kouan_goods_declaration::samples();
        let signing = r#"{"signing_profile":"sandbox-document","attachments_wait_for":"seq-no"}"#;
        Self::new(
            &kouan_goods_declaration::PLUGIN,
            &["{}", signing],
            samples.iter().map(|sample| sample.document).collect(),
            kouan_goods_declaration::receipts(),
            vec![kouan_goods_declaration::validator(None).unwrap()],
        )
    }

    /// Of one that is given by data.
    pub fn by_data(plugin: &PluginDecl, data: &Declarative) -> Self {
        let messages = data.samples().iter().map(|sample| sample.document).collect();
        Self::new(plugin, &["{}"], messages, data.receipts(), data.validators(None).unwrap())
    }

    fn new(
        plugin: &PluginDecl,
        configs: &[&str],
        messages: Vec<&'static [u8]>,
        receipts: Vec<(String, &'static [u8])>,
        validators: Vec<Arc<Validator>>,
    ) -> Self {
        let context = Context::standalone(plugin.id, Path::new("."));
        let ways: Vec<_> = configs.iter().map(|config| plugin.business.unwrap()(&context, config).unwrap()).collect();
        let types = ways[0].describe().types.into_iter().map(|kind| kind.id).collect();
        Self {
            messages: messages.into_iter().map(Cow::Borrowed).collect(),
            receipts: receipts.into_iter().map(|(_, bytes)| Cow::Borrowed(bytes)).collect(),
            window: plugin.simulator.unwrap()(&context, "{}").unwrap(),
            ways,
            validators,
            types,
        }
    }

    /// Checks a message as dropped in some folder with some attachments, then all that follows a check; whether its type
    /// could be told.
    pub fn judge(&self, document: &[u8], random: &mut Random) -> bool {
        let business = random.pick(&self.ways);
        let form_id = (random.below(3) == 0).then(|| random.pick(&self.types).as_str());
        let noise = random.bytes(300);
        let attachments =
            [Attachment { name: "a.pdf", bytes: b"%PDF-1.4 %%EOF" }, Attachment { name: "发票.PDF", bytes: &noise }];
        let attachments = &attachments[..random.below(3)];
        let file_name = *random.pick(&["a.xml", "单证 (1).zip", ".xml", "x"]);
        let stem = kouan_kernel::package::stem(file_name);
        let package = Package { file_name, stem, form_id, document, attachments };
        let report = business.check(&package).unwrap();
        sane(&report.findings, document);
        assert!(report.keys.iter().all(|key| !key.value.is_empty()), "an empty key");
        follow(business.as_ref(), &package, &report);
        self.validate(document, random);
        !report.message_type.is_empty()
    }

    /// The validators by the letter, and on a day.
    fn validate(&self, document: &[u8], random: &mut Random) {
        if self.validators.is_empty() {
            return;
        }
        let validator = random.pick(&self.validators);
        let strict = random.below(2) == 0;
        let options = CheckOptions { strict, date: Some("2026-01-12"), file: Some("a.xml"), ..CheckOptions::default() };
        let outcome = validator.check(document, &options);
        sane(&outcome.findings, document);
        for value in &outcome.values {
            assert!(
                value.element.end <= document.len() as u64
                    && value.content.end <= value.element.end.max(value.content.end)
            );
        }
    }

    /// Reads a receipt; whether it is one.
    pub fn read(&self, bytes: &[u8]) -> bool {
        let Ok(receipt) = self.ways[0].read_receipt(bytes) else { return false };
        assert!(receipt.keys.iter().all(|key| !key.value.is_empty()), "an empty key");
        assert!(!receipt.name.prefix.is_empty() && !receipt.name.prefix.contains(['/', '\\']));
        let texts = [&receipt.text, &receipt.stage, &receipt.code, &receipt.kind];
        let most = 16 * bytes.len() + LONGEST_FINDING;
        assert!(texts.iter().map(|text| text.len()).sum::<usize>() <= most, "a receipt grows");
        true
    }

    /// What the window is sent: messages, in zips and with trailers too.
    pub fn payloads(&self) -> Vec<Cow<'static, [u8]>> {
        let zipped = self.messages.iter().take(4).map(|message| {
            let zip = crate::readers::zip_of(&[("a.xml", message)]);
            Cow::Owned(zip)
        });
        let trailers = crate::readers::edocs().into_iter().map(Cow::Owned);
        self.messages.iter().cloned().chain(zipped).chain(trailers).collect()
    }

    /// A payload as the window takes it; whether it has an effect.
    pub fn arrive(&self, payload: &[u8], random: &mut Random) -> bool {
        let message_type = random.pick(&self.types).as_str();
        let arrived = Arrived { message_type, file_name: "a.xml", payload, at: NOW };
        let _ = self.window.repeat_key(&arrived);
        let content = self.window.content(&arrived);
        assert!(content.len() <= payload.len().max(64 << 20));
        let mut store = MemoryStore::default();
        let Ok(effect) = self.window.take(&mut store, &arrived, &Script::default()) else { return false };
        // What it answers can be read.
        for answer in &effect.answers {
            assert!(self.read(&answer.payload), "its own answer is none: {}", String::from_utf8_lossy(&answer.payload));
        }
        let Some(key) = &effect.effect_key else { return false };
        let _ = self.window.known_already(&store, &arrived, key);
        true
    }
}

/// Plan, refusal and signature, as far as the check allows them and farther.
fn follow(business: &dyn kouan_sdk::Business, package: &Package<'_>, report: &Report) {
    if let Ok(parts) = business.plan(package, report, &report.keys) {
        for (at, part) in parts.iter().enumerate() {
            assert!(part.after.iter().all(|before| *before < at), "a part before itself");
            let limit = 2 * package.document.len() + (64 << 10);
            assert!(!matches!(&part.payload, Payload::Bytes(bytes) if bytes.len() > limit), "a payload grows");
        }
    }
    let (name, bytes) = business.refusal(report).unwrap();
    assert!(!name.prefix.is_empty());
    assert!(bytes.len() <= MOST_FINDINGS * LONGEST_FINDING, "a refusal of {} bytes", bytes.len());
    let signer = Signer { certificate_serial: "0a".into(), card_number: "<&>".into(), operator_name: "张三".into() };
    if let Ok(Some(_)) = business.signature_request(package.document, &signer, NOW) {
        let signed = business.with_signature(package.document, &signer, NOW, &[0xFF; 64]).unwrap();
        assert!(signed.len() <= package.document.len() + (16 << 10), "a signature grows");
    }
}

/// Few, short, and each at a place that is there.
fn sane(findings: &[Finding], document: &[u8]) {
    assert!(findings.len() <= MOST_FINDINGS, "{} findings", findings.len());
    for finding in findings {
        let texts = [
            &finding.rule,
            &finding.xpath,
            &finding.field,
            &finding.field_zh,
            &finding.message_zh,
            &finding.message_en,
            &finding.hint_zh,
            &finding.hint_en,
        ];
        let size: usize =
            texts.iter().map(|text| text.len()).sum::<usize>() + finding.value.as_ref().map_or(0, String::len);
        assert!(size <= LONGEST_FINDING, "a finding of {size} bytes: {}", finding.rule);
        assert!(!finding.message_zh.is_empty() && !finding.message_en.is_empty(), "{} says nothing", finding.rule);
        let end = finding.offset + u64::from(finding.length);
        assert!(end <= document.len() as u64, "{} ends at {end} of {}", finding.rule, document.len());
    }
}
