//! `kouan convert`: tables into messages, each judged before it is written.

use crate::app::App;
use crate::businesses::Businesses;
use crate::draw::Source;
use crate::exit::{Exit, WrongUsage};
use crate::files;
use crate::skeleton_map;
use clap::ValueEnum;
use kouan_convert::{Encoding, Fault, Format, Made, Mapping, Moment, Options, Plan, Tables, Target};
use kouan_declarative::MessageForm;
use kouan_sdk::business::Package;
use kouan_sdk::{Finding, Severity};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    #[arg(required_unless_present = "new_map", value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    #[arg(long, value_name = "FILE", required_unless_present = "new_map")]
    map: Option<PathBuf>,
    #[arg(short, long, value_name = "FOLDER", required_unless_present_any = ["new_map", "dry_run"])]
    out: Option<PathBuf>,
    #[arg(long)]
    from: Option<From>,
    #[arg(long, value_parser = ["xml"], default_value = "xml")]
    to: String,
    #[arg(long)]
    encoding: Option<Written>,
    #[arg(long)]
    dry_run: bool,
    #[arg(long)]
    no_check: bool,
    #[arg(long)]
    force: bool,
    #[arg(long, num_args = 2, value_names = ["BUSINESS", "TYPE"], conflicts_with_all = ["inputs", "map", "out"])]
    new_map: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum From {
    Csv,
    Json,
    Xlsx,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Written {
    #[value(name = "utf-8")]
    Utf8,
    #[value(name = "gb18030", alias = "gbk", alias = "gb2312")]
    Gb18030,
    #[value(name = "utf-16le")]
    Utf16Le,
    #[value(name = "utf-16be")]
    Utf16Be,
}

/// Mapping files are written by hand.
const MAP_BYTES: u64 = 4 << 20;

/// Messages between two words about how far it is.
const STRIDE: usize = 5000;

/// Converts; 1 if a row or a message is refused.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    if let [business, message_type] = args.new_map.as_slice() {
        return new_map(business, message_type, app);
    }
    let Some(path) = &args.map else { return Err(WrongUsage("--map FILE".into()).into()) };
    let name = path.display().to_string();
    let bytes = files::read(path, MAP_BYTES)?;
    let read = || {
        let mapping = Mapping::read(&name, &String::from_utf8_lossy(&bytes))?;
        Ok::<_, Fault>(mapping)
    };
    let mapping = match read() {
        Ok(mapping) => mapping,
        Err(fault) => return stopped(&fault, app),
    };
    let form = form(&mapping.business, &mapping.message_type, app)?;
    let constants: Vec<_> = form.constants.iter().map(|of| (of.path.clone(), of.value.clone())).collect();
    let Some(validator) = &form.validator else {
        return Err(WrongUsage(format!("{} has no public structure", form.info.id)).into());
    };
    let target = Target { roots: &form.info.roots, validator, constants: &constants };
    let plan = match Plan::new(&mapping, target) {
        Ok(plan) => plan,
        Err(fault) => return stopped(&fault.at(kouan_convert::Place::file(name)), app),
    };
    if let Some(folder) = args.out.as_ref().filter(|_| !args.dry_run) {
        std::fs::create_dir_all(folder).map_err(|e| WrongUsage(format!("{}: {e}", folder.display())))?;
    }
    let mut work = Work {
        args,
        app,
        businesses: Businesses::load(app)?,
        business: &mapping.business,
        names: HashSet::new(),
        made: 0,
        rows: 0,
        refused: 0,
        told: Vec::new(),
    };
    let options = Options {
        format: args.from.map(format),
        encoding: args.encoding.map(encoding),
        now: now(),
        ..Options::default()
    };
    match kouan_convert::convert(&plan, &args.inputs, &options, &mut |made, tables| work.take(made, tables)) {
        Ok(()) => {}
        Err(Stop::Fault(fault)) => work.stop(&fault)?,
        Err(Stop::Other(error)) => return Err(error),
    }
    work.end()
}

/// What ends a conversion early.
enum Stop {
    Fault(Box<Fault>),
    Other(anyhow::Error),
}

impl std::convert::From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

struct Work<'w> {
    args: &'w Args,
    app: &'w App,
    businesses: Businesses,
    business: &'w str,
    /// Names given in this run.
    names: HashSet<String>,
    made: usize,
    rows: u64,
    refused: usize,
    /// For `--json`.
    told: Vec<Value>,
}

impl Work<'_> {
    fn take(&mut self, made: Made, tables: &Tables<'_, '_>) -> Result<(), Stop> {
        self.message(made, tables).map_err(Stop::Other)
    }

    fn message(&mut self, mut made: Made, tables: &Tables<'_, '_>) -> anyhow::Result<()> {
        self.rows += u64::from(made.rows);
        if !made.name.is_empty() && !self.names.insert(made.name.clone()) {
            let fault =
                taken(&made.name, "本次转换中另一份报文也叫这个名字", "another message of this run has the name");
            made.faults.push(fault);
            made.document = None;
        }
        let mut findings = Vec::new();
        if let Some(document) = made.document.as_ref().filter(|_| !self.args.no_check) {
            findings = self.check(&made.name, &document.xml)?;
        }
        let is_wrong = kouan_sdk::finding::has_error(&findings);
        let mut state = "refused";
        if let Some(document) = made.document.as_ref().filter(|_| !is_wrong) {
            state = match self.args.out.as_ref().filter(|_| !self.args.dry_run) {
                None => "good",
                Some(folder) => match write(&folder.join(&made.name), document.xml.as_bytes(), self.args.force)? {
                    Some(state) => state,
                    None => {
                        made.faults.push(taken(&made.name, "内容与已有文件不同", "the file that is there differs"));
                        "refused"
                    }
                },
            };
        }
        if state == "refused" {
            self.refused += 1;
        } else {
            self.made += 1;
        }
        self.tell(&made, &findings, state, tables)?;
        if (self.made + self.refused).is_multiple_of(STRIDE) && !self.app.json {
            let (messages, rows) = (self.made + self.refused, self.rows);
            self.app.say(
                self.app
                    .lang
                    .pick(format!("… {messages} 份报文，{rows} 行"), format!("… {messages} messages, {rows} rows")),
            );
        }
        Ok(())
    }

    fn check(&self, name: &str, xml: &str) -> anyhow::Result<Vec<Finding>> {
        let Some(business) = self.businesses.named(self.business) else { return Ok(Vec::new()) };
        let stem = name.strip_suffix(".xml").unwrap_or(name);
        let package = Package { file_name: name, stem, form_id: None, document: xml.as_bytes(), attachments: &[] };
        Ok(business.check(&package)?.findings)
    }

    fn tell(&mut self, made: &Made, findings: &[Finding], state: &str, tables: &Tables<'_, '_>) -> anyhow::Result<()> {
        let (app, lang) = (self.app, self.app.lang);
        let place = |finding: &Finding| made.document.as_ref().and_then(|document| tables.place(document, finding));
        if app.json {
            let shown = |finding: &Finding| {
                let mut value = serde_json::to_value(finding).unwrap_or_default();
                value["source"] = json!(place(finding));
                value
            };
            let findings: Vec<_> = findings.iter().map(shown).collect();
            self.told.push(json!({"file": made.name, "state": state, "rows": made.rows, "faults": made.faults, "findings": findings}));
            return Ok(());
        }
        for fault in &made.faults {
            app.print(drawn(fault, app))?;
        }
        let xml = made.document.as_ref().map(|document| document.xml.as_bytes()).unwrap_or_default();
        let source = Source::new(&made.name, xml);
        for finding in findings {
            app.print(source.draw(finding, lang))?;
            let from = place(finding).map(|place| lang.pick(place.zh(), place.en()));
            app.print(format_args!("  = {}: {}\n", lang.pick("来自", "from"), from.unwrap_or_else(|| "-".into())))?;
        }
        Ok(())
    }

    /// The rest cannot be read.
    fn stop(&mut self, fault: &Fault) -> anyhow::Result<()> {
        self.refused += 1;
        if self.app.json {
            self.told.push(json!({"file": "", "state": "refused", "rows": 0, "faults": [fault], "findings": []}));
        } else {
            self.app.print(drawn(fault, self.app))?;
        }
        Ok(())
    }

    fn end(self) -> anyhow::Result<Exit> {
        if let Some(folder) = self.args.out.as_ref().filter(|_| !self.args.dry_run && self.made > 0) {
            std::fs::File::open(folder)?.sync_all()?;
        }
        let (made, refused, rows) = (self.made, self.refused, self.rows);
        if self.app.json {
            let all =
                json!({"ok": refused == 0, "made": made, "refused": refused, "rows": rows, "messages": self.told});
            self.app.print_json(&all)?;
        } else {
            self.app.say(self.app.lang.pick(
                format!(
                    "{rows} 行：{made} 份报文{}，{refused} 份有错误未写入",
                    if self.args.dry_run { "可写" } else { "" }
                ),
                format!("{rows} rows: {made} messages, {refused} refused"),
            ));
        }
        Ok(if refused == 0 { Exit::Done } else { Exit::NotRight })
    }
}

/// A file in its place, whole or not at all: `written` or `unchanged`; `None` if another one is there and may not go.
fn write(path: &Path, bytes: &[u8], force: bool) -> anyhow::Result<Option<&'static str>> {
    use std::io::Write as _;
    match std::fs::read(path) {
        Ok(known) if known == bytes => return Ok(Some("unchanged")),
        Ok(_) if !force => return Ok(None),
        _ => {}
    }
    // The official client and the gateway leave such names alone.
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let mut file = std::fs::File::create(&name)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&name, path)?;
    Ok(Some("written"))
}

fn taken(name: &str, zh: &str, en: &str) -> Fault {
    Fault::new("KOUAN-CONVERT-FILE-EXISTS", format!("{name}：{zh}"), format!("{name}: {en}"))
}

fn stopped(fault: &Fault, app: &App) -> anyhow::Result<Exit> {
    if app.json {
        let told = json!({"file": "", "state": "refused", "rows": 0, "faults": [fault], "findings": []});
        app.print_json(&json!({"ok": false, "made": 0, "refused": 1, "rows": 0, "messages": [told]}))?;
    } else {
        app.print(drawn(fault, app))?;
    }
    Ok(Exit::NotRight)
}

/// A fault as findings are drawn, without a line under it.
fn drawn(fault: &Fault, app: &App) -> String {
    let lang = app.lang;
    let place = lang.pick(fault.place.zh(), fault.place.en());
    let mut text = format!(
        "{}[{}]: {}",
        app.severity(fault.severity),
        fault.code,
        lang.pick(&fault.message_zh, &fault.message_en)
    );
    if !place.is_empty() {
        text.push_str(&format!("\n --> {place}"));
    }
    let hint = lang.pick(&fault.hint_zh, &fault.hint_en);
    if !hint.is_empty() {
        text.push_str(&format!("\n  = {}: {hint}", lang.pick("建议", "help")));
    }
    debug_assert!(matches!(fault.severity, Severity::Error | Severity::Warning));
    text
}

fn form(business: &str, message_type: &str, app: &App) -> anyhow::Result<MessageForm> {
    let forms = super::template::forms(business, app)?;
    let known: Vec<String> = forms.iter().map(|form| form.info.id.clone()).collect();
    forms.into_iter().find(|form| form.info.id.eq_ignore_ascii_case(message_type)).ok_or_else(|| {
        let meant = kouan_host::nearest(message_type, known.iter().map(String::as_str));
        let meant = meant.map(|id| format!("; did you mean `{id}`?")).unwrap_or_default();
        WrongUsage(format!("{business} has no type `{message_type}`{meant} (kouan template {business})")).into()
    })
}

fn new_map(business: &str, message_type: &str, app: &App) -> anyhow::Result<Exit> {
    let form = form(business, message_type, app)?;
    let Some(map) = skeleton_map::write(business, &form, app.lang) else {
        return Err(WrongUsage(format!("{} has no public structure", form.info.id)).into());
    };
    if app.json {
        app.print_json(&json!({"business": business, "type": form.info.id, "map": map}))?;
    } else {
        app.print(map.trim_end())?;
    }
    Ok(Exit::Done)
}

fn now() -> Moment {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Moment::in_china(i64::try_from(ms).unwrap_or(0))
}

fn format(from: From) -> Format {
    match from {
        From::Csv => Format::Csv,
        From::Json => Format::Json,
        From::Xlsx => Format::Xlsx,
    }
}

fn encoding(written: Written) -> Encoding {
    match written {
        Written::Utf8 => Encoding::Utf8,
        Written::Gb18030 => Encoding::Gb18030,
        Written::Utf16Le => Encoding::Utf16Le,
        Written::Utf16Be => Encoding::Utf16Be,
    }
}
