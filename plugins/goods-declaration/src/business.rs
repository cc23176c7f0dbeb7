//! The plugin: its declaration, its instances, and what the command line reads of it.

use crate::check::{self, Judge};
use crate::config::{self, Config};
use crate::data::{Data, broken, schema_files};
use crate::facts::{ATTACHMENT, ATTACHMENT_RECEIVER, DECLARATION, DECLARATION_RECEIVER, Facts, NAMESPACE};
use crate::sign::Signing;
use crate::simulate::Window;
use crate::{plan, receipt, refusal};
use kouan_declarative::{Levels, MessageForm, SiteData};
use kouan_schema::{RuleInfo, Validator};
use kouan_sdk::business::{
    BusinessInfo, Key, MessageType, Package, PartPlan, Receipt, ReceiptName, Report, RootName, SignatureRequest, Signer,
};
use kouan_sdk::{Business, Context, PluginDecl, Result, Simulator, Timestamp};
use std::sync::{Arc, OnceLock};

/// The plugin's id in the configuration.
pub const ID: &str = "goods-declaration";

/// Seconds without any receipt after which a declaration is overdue (超时未回), unless the site's configuration says
/// otherwise.
const RECEIPT_DEADLINE_S: u32 = 3600;

/// The plugin.
pub static PLUGIN: PluginDecl = PluginDecl {
    id: ID,
    version: env!("CARGO_PKG_VERSION"),
    summary: ("货物申报（报关单及随附单据）", "goods declarations and their attachments"),
    config_schema: config::schema,
    business: Some(make_business),
    transport: None,
    security: None,
    simulator: Some(make_simulator),
};

/// The compiled schema, rules and code tables: the built-in ones, compiled once in a process, or with what a site has of
/// its own (`schemas` and `codes` in the configuration).
///
/// # Errors
/// `KOUAN-DEC-DATA` or `KOUAN-SCHEMA-…` with the place in the file.
pub fn validator(site: Option<&SiteData>) -> Result<Arc<Validator>> {
    static BUILT_IN: OnceLock<Result<Arc<Validator>>> = OnceLock::new();
    match site.filter(|site| !site.is_none()) {
        Some(site) => check::validator(schema_files(site.folder.as_deref())?, &site.tables).map(Arc::new),
        None => BUILT_IN.get_or_init(|| check::validator(schema_files(None)?, &[]).map(Arc::new)).clone(),
    }
}

/// The built-in rules, for a list of them.
///
/// # Errors
/// As [`validator`].
pub fn rules() -> Result<Vec<RuleInfo>> {
    Ok(validator(None)?.rules().list().cloned().collect())
}

fn make_business(context: &Context, config: &str) -> Result<Box<dyn Business>> {
    Ok(Box::new(GoodsDeclaration::new(context, config::parse(config)?)?))
}

fn make_simulator(context: &Context, config: &str) -> Result<Box<dyn Simulator>> {
    let config = config::parse(config)?;
    let folder = config.schemas.as_ref().map(|folder| context.resolve(folder));
    let data = Data::load(&config, folder.as_deref())?;
    Ok(Box::new(Window { data: Arc::new(data) }))
}

/// One configured instance. Everything is read at the start; calls share it without a lock.
struct GoodsDeclaration {
    config: Config,
    data: Data,
    validator: Arc<Validator>,
    levels: Levels,
}

impl GoodsDeclaration {
    fn new(context: &Context, config: Config) -> Result<Self> {
        let site = SiteData::read(&context.base_dir, ID, config.schemas.as_deref(), config.codes.as_deref())?;
        let data = Data::load(&config, site.folder.as_deref())?;
        let validator = validator(Some(&site))?;
        let levels = check::levels(&validator, &config.rules)?;
        if let Some(name) = &config.signing_profile
            && !data.profiles.contains_key(name)
        {
            return Err(broken("signing.toml", &format!("it has no profile {name}")));
        }
        Ok(Self { levels, config, data, validator })
    }

    fn signing(&self) -> Signing<'_> {
        let profile = self.config.signing_profile.as_ref().and_then(|name| self.data.profiles.get(name));
        Signing { profile, fill_operator_name: self.config.fill_operator_name }
    }
}

/// What a declaration and its attachments look like, for one who writes the first.
///
/// # Errors
/// As [`validator`].
pub fn forms(site: &SiteData) -> Result<Vec<MessageForm>> {
    let validated = validator(Some(site))?;
    let form = |info: MessageType| {
        let validator = (!info.roots.is_empty()).then(|| validated.clone());
        Ok(MessageForm { info, validator, constants: Vec::new(), body: None, foreign: Vec::new() })
    };
    describe().types.into_iter().map(form).collect()
}

fn describe() -> BusinessInfo {
    let any = |local: &str| RootName::new("*", local);
    let declaration = MessageType {
        id: DECLARATION.into(),
        name_zh: "报关单".into(),
        name_en: "goods declaration".into(),
        folder: "Deccus001".into(),
        roots: vec![RootName::new(NAMESPACE, "DecMessage")],
        receivers: vec![DECLARATION_RECEIVER.into()],
        receipt_deadline_s: RECEIPT_DEADLINE_S,
    };
    let attachment = MessageType {
        id: ATTACHMENT.into(),
        name_zh: "随附单据".into(),
        name_en: "attachment of a goods declaration".into(),
        folder: "Decedoc001".into(),
        roots: Vec::new(),
        receivers: vec![ATTACHMENT_RECEIVER.into()],
        receipt_deadline_s: RECEIPT_DEADLINE_S,
    };
    BusinessInfo {
        id: ID.into(),
        name_zh: "货物申报".into(),
        name_en: "goods declaration".into(),
        types: vec![declaration, attachment],
        receipt_roots: ["DecImportResponse", "DEC_RESULT", "DEC_DATA", "Root", "DecMessage"].map(any).into(),
    }
}

impl Business for GoodsDeclaration {
    fn describe(&self) -> BusinessInfo {
        describe()
    }

    fn check(&self, package: &Package<'_>) -> Result<Report> {
        Ok(Judge { validator: &self.validator, config: &self.config, levels: &self.levels }.report(package))
    }

    fn plan<'a>(&self, package: &Package<'a>, report: &Report, known: &[Key]) -> Result<Vec<PartPlan<'a>>> {
        if report.message_type == ATTACHMENT {
            return Ok(vec![plan::ready_attachment(package)]);
        }
        plan::parts(package, &Facts::from_notes(&report.notes)?, self.config.attachments_wait_for, known)
    }

    fn signature_request(&self, document: &[u8], signer: &Signer, at: Timestamp) -> Result<Option<SignatureRequest>> {
        self.signing().request(document, signer, at)
    }

    fn with_signature(&self, document: &[u8], signer: &Signer, at: Timestamp, signature: &[u8]) -> Result<Vec<u8>> {
        self.signing().fill(document, signer, at, signature)
    }

    fn read_receipt(&self, bytes: &[u8]) -> Result<Receipt> {
        receipt::read(&self.data, bytes)
    }

    fn refusal(&self, report: &Report) -> Result<(ReceiptName, Vec<u8>)> {
        Ok(refusal::write(report))
    }
}
