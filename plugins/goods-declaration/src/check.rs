//! Judges a dropped declaration: one pass by kouan-schema for the document, then its attachments.

use crate::attachments;
use crate::config::Config;
use crate::data;
use crate::edoc;
use crate::facts::{ATTACHMENT, DECLARATION, Edoc, Facts, is_declared, key};
use kouan_declarative::{Level, Levels};
use kouan_schema::{CheckOptions, CodeTable, Outcome, Validator, ValidatorBuilder};
use kouan_sdk::business::{Key, Package, Report};
use kouan_sdk::{Error, ErrorKind, Finding, Result, Severity};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 申报 without a signing profile.
pub(crate) const NO_SIGNING_PROFILE: &str = "KOUAN-DEC-NO-SIGNING-PROFILE";

/// Fields that are read while the document is judged.
mod path {
    pub(super) const OPER_TYPE: &str = "/DecMessage/DecSign/OperType";
    pub(super) const CLIENT_SEQ_NO: &str = "/DecMessage/DecSign/ClientSeqNo";
    pub(super) const SEQ_NO: &str = "/DecMessage/DecHead/SeqNo";
    pub(super) const ENTRY_ID: &str = "/DecMessage/DecHead/EntryId";
    pub(super) const AGENT_CODE: &str = "/DecMessage/DecHead/AgentCode";
    pub(super) const COP_CODE: &str = "/DecMessage/DecHead/CopCode";
    pub(super) const TYPIST_NO: &str = "/DecMessage/DecHead/TypistNo";
    pub(super) const CUSTOM_MASTER: &str = "/DecMessage/DecHead/CustomMaster";
    pub(super) const DECLARE_NAME: &str = "/DecMessage/DecHead/DeclareName";
    pub(super) const INPUTER_NAME: &str = "/DecMessage/DecHead/InputerName";
    pub(super) const PRINT_DATE: &str = "/DecMessage/DecHead/PDate";
    pub(super) const EDOC: &str = "/DecMessage/EdocRealation";
    pub(super) const ONCE: [&str; 11] = [
        OPER_TYPE,
        CLIENT_SEQ_NO,
        SEQ_NO,
        ENTRY_ID,
        AGENT_CODE,
        COP_CODE,
        TYPIST_NO,
        CUSTOM_MASTER,
        DECLARE_NAME,
        INPUTER_NAME,
        PRINT_DATE,
    ];
    pub(super) const EDOC_FIELDS: [&str; 8] =
        ["EdocID", "EdocCode", "EdocFomatType", "OpNote", "EdocCopId", "EdocOwnerCode", "SignTime", "EdocSize"];
}

/// The validator over `files` and a site's code `tables`, asked for what this business reads.
pub(crate) fn validator(files: data::Files, tables: &[Arc<CodeTable>]) -> Result<Validator> {
    let with_files = files.into_iter().fold(Validator::builder(), |builder, (name, text)| builder.file(name, text));
    let with_files = tables.iter().cloned().fold(with_files, ValidatorBuilder::site_table);
    let once = path::ONCE.into_iter().map(str::to_owned);
    let edoc = path::EDOC_FIELDS.into_iter().map(|field| format!("{}/{field}", path::EDOC));
    let all = once.chain([path::EDOC.to_owned()]).chain(edoc);
    Ok(all.fold(with_files, ValidatorBuilder::capture).build()?)
}

/// The site's levels; refuses those for rules that do not exist, or that nobody may turn off.
pub(crate) fn levels(validator: &Validator, levels: &BTreeMap<String, Level>) -> Result<Levels> {
    let wrong = |why| Error::new(ErrorKind::Config, "KOUAN-DEC-CONFIG", format!("goods-declaration: {why}"));
    Levels::new(levels, [validator], &attachments::CODES, &[NO_SIGNING_PROFILE]).map_err(wrong)
}

/// What judging needs beside the message.
pub(crate) struct Judge<'a> {
    pub(crate) validator: &'a Validator,
    pub(crate) config: &'a Config,
    pub(crate) levels: &'a Levels,
}

impl Judge<'_> {
    /// The verdict.
    pub(crate) fn report(&self, package: &Package<'_>) -> Report {
        if is_ready_attachment(package) {
            return ready_attachment(package);
        }
        let options = CheckOptions { overrides: Some(self.levels.dropped()), ..CheckOptions::default() };
        let outcome = self.validator.check(package.document, &options);
        let facts = facts(&outcome);
        let own = self.own_findings(package, &outcome, &facts);
        let findings = self.levels.merged(outcome.findings, own);
        let message_type = if outcome.root == "DecMessage" { DECLARATION } else { "" };
        report(message_type, &facts, findings)
    }

    /// What the schema and its rules cannot see.
    fn own_findings(&self, package: &Package<'_>, outcome: &Outcome, facts: &Facts) -> Vec<Finding> {
        let mut findings = attachments::findings(package, &facts.edocs, self.config.attachment_limit_mb);
        for (finding, number) in &mut findings {
            if let Some(number) = number {
                mark(finding, outcome, &format!("{}[{}]/EdocCopId", path::EDOC, *number + 1));
            }
        }
        let mut findings: Vec<_> = findings.into_iter().map(|(finding, _)| finding).collect();
        if is_declared(&facts.oper_type) && self.config.signing_profile.is_none() {
            let mut finding = no_signing_profile(&facts.oper_type);
            mark(&mut finding, outcome, path::OPER_TYPE);
            findings.push(finding);
        }
        findings
    }
}

/// Puts a finding at the value of a captured field; without such a field it keeps no place.
fn mark(finding: &mut Finding, outcome: &Outcome, xpath: &str) {
    let Some(field) = outcome.values.iter().find(|field| field.xpath == xpath) else { return };
    (finding.line, finding.column, finding.offset) = (field.line, field.column, field.content.start);
    finding.length = u32::try_from(field.content.end - field.content.start).unwrap_or(u32::MAX);
    finding.xpath.clone_from(&field.xpath);
    xpath.rsplit('/').next().unwrap_or_default().clone_into(&mut finding.field);
    finding.value = Some(field.value.clone());
}

fn report(message_type: &str, facts: &Facts, findings: Vec<Finding>) -> Report {
    let key = |name: &str, value: &String| (!value.is_empty()).then(|| Key::new(name, value.clone()));
    let client_seq_no = key(key::CLIENT_SEQ_NO, &facts.client_seq_no);
    let seq_no = key(key::SEQ_NO, &facts.seq_no);
    let is_update = seq_no.is_some();
    let parties = [("AgentCode", &facts.agent_code), ("CopCode", &facts.cop_code), ("TypistNo", &facts.typist_no)];
    Report {
        message_type: message_type.into(),
        business_key: seq_no.clone().or_else(|| client_seq_no.clone()),
        is_update,
        keys: [client_seq_no, seq_no, key(key::ENTRY_ID, &facts.entry_id)].into_iter().flatten().collect(),
        // An update keeps our number, so that it leaves behind what it changes.
        order_key: facts.client_seq_no.clone(),
        parties: parties.into_iter().filter_map(|(name, value)| key(name, value)).collect(),
        findings,
        notes: facts.to_notes(),
    }
}

fn facts(outcome: &Outcome) -> Facts {
    let first = |path: &str| outcome.first(path).unwrap_or_default().to_owned();
    Facts {
        oper_type: first(path::OPER_TYPE),
        client_seq_no: first(path::CLIENT_SEQ_NO),
        seq_no: first(path::SEQ_NO),
        entry_id: first(path::ENTRY_ID),
        agent_code: first(path::AGENT_CODE),
        cop_code: first(path::COP_CODE),
        typist_no: first(path::TYPIST_NO),
        custom_master: first(path::CUSTOM_MASTER),
        declare_name: first(path::DECLARE_NAME),
        inputer_name: first(path::INPUTER_NAME),
        print_date: first(path::PRINT_DATE),
        edocs: edocs(outcome),
    }
}

fn edocs(outcome: &Outcome) -> Vec<Edoc> {
    let parents = outcome.all(path::EDOC);
    let mut fields =
        outcome.values.iter().filter(|c| c.path.len() > path::EDOC.len() && c.path.starts_with(path::EDOC));
    let mut next = fields.next();
    let read = |parent: &kouan_schema::Captured| {
        let mut edoc = Edoc::default();
        // Both are in document order, so the fields of a parent follow one another.
        while let Some(field) = next.filter(|field| field.element.start < parent.element.end) {
            edoc.set(field.path.get(path::EDOC.len() + 1..).unwrap_or_default(), &field.value);
            next = fields.next();
        }
        edoc
    };
    parents.map(read).collect()
}

fn no_signing_profile(oper_type: &str) -> Finding {
    Finding::whole(
        NO_SIGNING_PROFILE,
        Severity::Error,
        format!("操作类型 {oper_type} 为申报，需要数字签名，但没有配置签名方案"),
        format!("OperType {oper_type} declares and needs its own signature, but no signing profile is configured"),
    )
    .with_hint(
        "先以 G（暂存）导入，再在网页上申报；或在 [[business]] 中设置 signing_profile（签名覆盖的字节未公开，联调可用 sandbox-document）",
        "import as G (draft) and declare on the web page, or set signing_profile under [[business]] (which bytes are signed is not public; sandbox-document serves tests against the sandbox)",
    )
}

/// A file that is an EDOC already: bytes with a DataInfo trailer, dropped into its own folder
/// (`domain/goods-declaration.md` §3.4, second way).
fn is_ready_attachment(package: &Package<'_>) -> bool {
    package.form_id == Some(ATTACHMENT)
}

fn ready_attachment(package: &Package<'_>) -> Report {
    let base = Report { message_type: ATTACHMENT.into(), ..Report::default() };
    match edoc::read(package.document) {
        Err(error) => {
            let finding = Finding::whole(
                error.code.as_ref(),
                Severity::Error,
                "文件末尾没有可读的 DataInfo（2048 字节）",
                error.message,
            )
            .with_hint(
                "在 Deccus001 目录投递压缩包，由客户端拆分随附单据",
                "drop a zip into Deccus001; the client makes the attachments from it",
            );
            Report { findings: vec![finding], ..base }
        }
        Ok(info) => {
            let edoc_id = Key::new(key::EDOC_ID, info.file_name);
            let seq_no = (!info.pre_entry_id.is_empty()).then(|| Key::new(key::SEQ_NO, info.pre_entry_id));
            let party = |name: &str, value: String| (!value.is_empty()).then(|| Key::new(name, value));
            Report {
                business_key: Some(edoc_id.clone()),
                keys: std::iter::once(edoc_id).chain(seq_no).collect(),
                parties: [party("TypistNo", info.declared_by), party("AgentCode", info.trade_code)]
                    .into_iter()
                    .flatten()
                    .collect(),
                ..base
            }
        }
    }
}
