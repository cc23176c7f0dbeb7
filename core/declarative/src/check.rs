//! Judges a message: its type, then one pass by kouan-schema that also reads its keys, then what the zip holds.

use crate::business::{Compiled, STEM_KEY, Type};
use crate::config::Levels;
use crate::detect::{NO_TYPE, detect};
use crate::hooks::Hooks;
use crate::path::Source;
use crate::pick::{Condition, Pick};
use crate::tree::{Tree, decoded};
use kouan_schema::{CheckOptions, Outcome};
use kouan_sdk::business::{Key, Package, Report};
use kouan_sdk::{Error, ErrorKind, Finding, Result, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A message whose content nothing here can judge.
const NOT_CHECKED: &str = "KOUAN-DECLARATIVE-NOT-CHECKED";
/// A zip with more than its xml.
const EXTRA_FILE: &str = "KOUAN-DECLARATIVE-EXTRA-FILE";
/// A document above the type's limit.
const TOO_BIG: &str = "KOUAN-DECLARATIVE-TOO-BIG";
/// A message without a business key.
const NO_KEY: &str = "KOUAN-DECLARATIVE-NO-KEY";

/// Rules of the engine's own whose level a site may set.
pub(crate) const RULES: [&str; 2] = [NOT_CHECKED, EXTRA_FILE];
/// Those that nobody may change.
pub(crate) const FIXED: [&str; 3] = [NO_TYPE, TOO_BIG, NO_KEY];

/// What plan and refusal need to know of a checked message. Travels as [`Report::notes`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Notes {
    /// The file's stem.
    pub(crate) stem: String,
    /// The type's values.
    pub(crate) values: BTreeMap<String, String>,
}

impl Notes {
    /// From a report.
    pub(crate) fn of(report: &Report) -> Result<Self> {
        if report.notes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(&report.notes).map_err(|e| {
            let message = format!("the report's notes cannot be read: {e}");
            Error::new(ErrorKind::Internal, "KOUAN-DECLARATIVE-NOTES", message)
        })
    }
}

/// What judging needs beside the message.
pub(crate) struct Judge<'a> {
    pub(crate) compiled: &'a Compiled,
    pub(crate) levels: &'a Levels,
    pub(crate) hooks: &'a dyn Hooks,
}

impl Judge<'_> {
    /// The verdict; an error only if the business's own data cannot be used.
    pub(crate) fn report(&self, package: &Package<'_>) -> Result<Report> {
        let stem = Notes { stem: package.stem.into(), ..Notes::default() };
        let refused = |finding| Report { findings: vec![finding], notes: text(&stem), ..Report::default() };
        let document = match decoded(package.document) {
            Ok(document) => document,
            Err(error) => return Ok(refused(error.finding(None, ""))),
        };
        let of = match detect(self.compiled, &document, package.form_id) {
            Ok(of) => of,
            Err(finding) => return Ok(refused(*finding)),
        };
        if package.document.len() as u64 > of.max_bytes {
            return Ok(Report { message_type: of.info.id.clone(), ..refused(too_big(package, of)) });
        }
        let read = match of.validator.and_then(|at| self.compiled.validators.get(at)) {
            Some(validator) => {
                let options = CheckOptions { overrides: Some(self.levels.dropped()), ..CheckOptions::default() };
                let outcome = validator.built()?.check(package.document, &options);
                self.judged(package, of, outcome)
            }
            None => match Tree::of(&document) {
                Ok(tree) => self.unjudged(package, of, &tree),
                Err(error) => Report { message_type: of.info.id.clone(), ..refused(error.finding(None, "")) },
            },
        };
        let mut report = read;
        self.hooks.amend(package, &mut report);
        Ok(report)
    }

    fn judged(&self, package: &Package<'_>, of: &Type, mut outcome: Outcome) -> Report {
        let findings = std::mem::take(&mut outcome.findings);
        let mut own = extra_files(package, of);
        own.extend(self.hooks.check(package, &of.info.id, &outcome));
        let report = read(package, of, &outcome);
        if report.business_key.is_none() && !kouan_sdk::finding::has_error(&findings) {
            own.push(no_key(of));
        }
        Report { findings: self.levels.merged(findings, own), ..report }
    }

    fn unjudged(&self, package: &Package<'_>, of: &Type, tree: &Tree) -> Report {
        let report = read(package, of, tree);
        let mut own = vec![not_checked(of)];
        own.extend(extra_files(package, of));
        own.extend(self.hooks.check(package, &of.info.id, &Outcome::default()));
        if report.business_key.is_none() {
            own.push(no_key(of));
        }
        Report { findings: self.levels.merged(Vec::new(), own), ..report }
    }
}

/// Keys, parties and values, wherever they come from.
fn read(package: &Package<'_>, of: &Type, source: &dyn Source) -> Report {
    let mut keys = keys(&of.keys, source);
    let first_of = |name: &String| keys.iter().find(|key| key.name == *name).cloned();
    let mut business_key = of.business_key.iter().find_map(first_of);
    if business_key.is_none() && of.stem_key && !package.stem.is_empty() {
        business_key = Some(Key::new(STEM_KEY, package.stem));
        keys.extend(business_key.clone());
    }
    let parties = of.parties.iter().filter_map(|(name, pick)| Some(Key::new(name.clone(), pick.first(source)?)));
    let values: BTreeMap<String, String> = values(&of.values, source);
    let order_key = of.order_key.as_ref().and_then(|template| {
        let value = |name: &str| {
            let key = keys.iter().find(|key| key.name == name).map(|key| key.value.clone());
            Ok(key.or_else(|| values.get(name).cloned()))
        };
        template.plain(&mut { value }).ok()
    });
    Report {
        message_type: of.info.id.clone(),
        is_update: of.update.iter().any(|condition: &Condition| condition.holds(source)),
        parties: parties.collect(),
        order_key: order_key.unwrap_or_default(),
        notes: text(&Notes { stem: package.stem.into(), values }),
        business_key,
        keys,
        findings: Vec::new(),
    }
}

/// All values of some picks, as keys.
pub(crate) fn keys(picks: &[(String, Pick)], source: &dyn Source) -> Vec<Key> {
    let values = |(name, pick): &(String, Pick)| -> Vec<Key> {
        pick.values(source).into_iter().map(|value| Key::new(name.clone(), value)).collect()
    };
    picks.iter().flat_map(values).collect()
}

/// The first values of some picks, by name.
pub(crate) fn values(picks: &[(String, Pick)], source: &dyn Source) -> BTreeMap<String, String> {
    picks.iter().filter_map(|(name, pick)| Some((name.clone(), pick.first(source)?))).collect()
}

fn text(notes: &Notes) -> String {
    serde_json::to_string(notes).unwrap_or_default()
}

fn not_checked(of: &Type) -> Finding {
    Finding::whole(
        NOT_CHECKED,
        Severity::Warning,
        format!("{}（{}）的内容未检查：其格式未公开", of.info.name_zh, of.info.id),
        format!("the content of {} ({}) is not checked: its form is not public", of.info.name_en, of.info.id),
    )
    .with_hint(
        "只检查了 XML 格式与大小；请自行核对内容",
        "only form and size were looked at; look at the content yourself",
    )
}

fn extra_files(package: &Package<'_>, of: &Type) -> Vec<Finding> {
    let extra = |file: &kouan_sdk::business::Attachment<'_>| {
        Finding::whole(
            EXTRA_FILE,
            Severity::Error,
            format!("压缩包内的文件 {} 不会发送：{}的压缩包只含一个同名 xml", file.name, of.info.name_zh),
            format!(
                "the file {} in the zip would not be sent: a zip of {} holds its xml alone",
                file.name, of.info.name_en
            ),
        )
        .with_hint("从压缩包中移除", "leave it out")
    };
    let files = if of.extra_files { &[] } else { package.attachments };
    files.iter().take(kouan_schema::MOST_FINDINGS).map(extra).collect()
}

fn too_big(package: &Package<'_>, of: &Type) -> Finding {
    let (got, most) = (package.document.len(), of.max_bytes);
    Finding::whole(
        TOO_BIG,
        Severity::Error,
        format!("报文有 {got} 字节，{}最多 {most} 字节", of.info.name_zh),
        format!("the message has {got} bytes, {} takes {most} at most", of.info.name_en),
    )
    .with_hint("拆成几份报文", "split it into several messages")
}

fn no_key(of: &Type) -> Finding {
    let names = of.business_key.join(", ");
    Finding::whole(
        NO_KEY,
        Severity::Error,
        format!("报文没有可识别的编号（{names}），回执无法对应"),
        format!("the message carries none of its numbers ({names}), no receipt could be matched"),
    )
    .with_hint(format!("填写 {names} 之一"), format!("fill in one of {names}"))
}
