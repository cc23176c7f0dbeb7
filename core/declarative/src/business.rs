//! `business.toml`, compiled: names resolved, paths and templates read, schemas built.

use crate::data::{Place, broken, pattern};
use crate::format::{BusinessFile, MeaningText, ReceiptText, TypePart, TypeText, ZipWay};
use crate::path::Path;
use crate::pick::{Condition, Pick};
use crate::template::Template;
use crate::window::Window;
use kouan_schema::{CodeTable, Validator, ValidatorBuilder};
use kouan_sdk::Result;
use kouan_sdk::business::{BusinessInfo, MessageType, RootName};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// The file itself.
const FILE: &str = "business.toml";

/// Names of templates' places that are always there.
const PLACES: [&str; 14] =
    ["type", "text", "code", "stem", "value", "at", "at14", "at17", "at_blank", "yyyy", "yy", "date", "n", STEM_KEY];

/// The key of a message that has none: its file's stem.
pub(crate) const STEM_KEY: &str = "FileStem";

/// A message type.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) info: MessageType,
    pub(crate) detect: Option<Pick>,
    pub(crate) is: Vec<String>,
    /// Index into [`Compiled::validators`]; `None` = the content is not checked.
    pub(crate) validator: Option<usize>,
    /// What `~` stands for in its paths.
    pub(crate) body: Option<String>,
    pub(crate) keys: Vec<(String, Pick)>,
    pub(crate) values: Vec<(String, Pick)>,
    pub(crate) parties: Vec<(String, Pick)>,
    pub(crate) business_key: Vec<String>,
    pub(crate) order_key: Option<Template>,
    /// Name of the value that names the receiver.
    pub(crate) receiver: Option<String>,
    pub(crate) update: Vec<Condition>,
    pub(crate) zip: ZipWay,
    pub(crate) extra_files: bool,
    pub(crate) refusal: String,
    pub(crate) stem_key: bool,
    pub(crate) renumber: Vec<Path>,
    pub(crate) max_bytes: u64,
}

/// A kind of receipt.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) kind: String,
    pub(crate) roots: Vec<RootName>,
    pub(crate) when: Vec<Condition>,
    pub(crate) keys: Vec<(String, Pick)>,
    pub(crate) keyless: bool,
    pub(crate) code: Option<Pick>,
    pub(crate) text: Option<Pick>,
    pub(crate) noticed_at: Option<Pick>,
    pub(crate) meanings: String,
    pub(crate) prefix: String,
    pub(crate) middle: Option<Pick>,
    pub(crate) extension: String,
    pub(crate) extension_from: Option<Pick>,
    pub(crate) known_repeat: Vec<Regex>,
    pub(crate) client_failure: bool,
}

/// A validator that is built when the first message needs it: a business has many types, and most sites send a few.
#[derive(Debug)]
pub(crate) struct LazyValidator {
    files: crate::data::Files,
    captures: Vec<String>,
    /// Of a site, laid over those among the files.
    tables: Vec<Arc<CodeTable>>,
    built: OnceLock<Result<Arc<Validator>>>,
}

impl LazyValidator {
    /// The validator.
    pub(crate) fn built(&self) -> Result<Arc<Validator>> {
        let build = || {
            let files = self.files.iter().cloned();
            let builder = files.fold(Validator::builder(), |builder, (name, text)| builder.file(name, text));
            let builder = self.tables.iter().cloned().fold(builder, ValidatorBuilder::site_table);
            let builder = self.captures.iter().fold(builder, |builder, path| builder.capture(path.as_str()));
            Ok(Arc::new(builder.build()?))
        };
        self.built.get_or_init(build).clone()
    }
}

/// A business, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) info: BusinessInfo,
    pub(crate) types: Vec<Type>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) meanings: BTreeMap<String, BTreeMap<String, MeaningText>>,
    pub(crate) templates: BTreeMap<String, Template>,
    pub(crate) window: Window,
    pub(crate) validators: Vec<LazyValidator>,
}

impl Compiled {
    /// Reads and compiles a business, with a site's code tables laid over its own.
    pub(crate) fn load(place: Place<'_>, tables: &[Arc<CodeTable>]) -> Result<Self> {
        let file: BusinessFile = place.toml(FILE)?;
        let mut schemas = Schemas::new(place)?;
        let mut types = Vec::with_capacity(file.types.len());
        for text in &file.types {
            types.push(schemas.compile(text, &resolved(text, &file)?)?);
        }
        let validators = schemas.collect(&types, tables)?;
        if matches!(place, Place::Folder(_)) {
            // What a site wrote is held against its promises at the start; the built-in data by its tests.
            validators.iter().try_for_each(|validator| validator.built().map(drop))?;
        }
        let kinds = file.receipts.iter().map(kind).collect::<Result<Vec<_>>>()?;
        let template = |(name, text): (&String, &String)| Ok((name.clone(), Template::read(name, text)?));
        let templates = file.templates.iter().map(template).collect::<Result<BTreeMap<_, _>>>()?;
        let mut receipt_roots: Vec<RootName> = Vec::new();
        for root in kinds.iter().flat_map(|kind| &kind.roots) {
            if !receipt_roots.contains(root) {
                receipt_roots.push(root.clone());
            }
        }
        let info = BusinessInfo {
            id: file.business.id.clone(),
            name_zh: file.business.name_zh.clone(),
            name_en: file.business.name_en.clone(),
            types: types.iter().map(|of| of.info.clone()).collect(),
            receipt_roots,
        };
        let window = Window::read(&file.simulator)?;
        let compiled = Self { info, types, kinds, meanings: file.meanings, templates, window, validators };
        compiled.names_hold()?;
        Ok(compiled)
    }

    /// The type of this id.
    pub(crate) fn type_of(&self, id: &str) -> Option<&Type> {
        self.types.iter().find(|of| of.info.id == id)
    }

    /// Refuses names that nothing defines.
    fn names_hold(&self) -> Result<()> {
        let wrong = |why: String| Err(broken(FILE, &why));
        let mut places: BTreeSet<&str> = PLACES.into();
        for of in &self.types {
            places.extend(of.keys.iter().chain(&of.values).map(|(name, _)| name.as_str()));
            let has = |of: &Type, name: &String| of.keys.iter().any(|(known, _)| known == name);
            if let Some(name) = of.business_key.iter().find(|name| !self.types.iter().any(|of| has(of, name))) {
                return wrong(format!("type {}: business_key names {name}, which no type has", of.info.id));
            }
            if !of.stem_key && !of.business_key.iter().any(|name| has(of, name)) {
                return wrong(format!("type {} has none of its business_key", of.info.id));
            }
            if let Some(name) = of.receiver.iter().find(|name| !of.values.iter().any(|(known, _)| known == *name)) {
                return wrong(format!("type {}: receiver names {name}, which is none of its values", of.info.id));
            }
            if !self.templates.contains_key(&of.refusal) {
                return wrong(format!("type {}: there is no template {}", of.info.id, of.refusal));
            }
        }
        places.extend(self.kinds.iter().flat_map(|kind| kind.keys.iter().map(|(name, _)| name.as_str())));
        for kind in &self.kinds {
            if !self.meanings.get(&kind.meanings).is_some_and(|table| table.contains_key("*")) {
                return wrong(format!(
                    "receipt {}: meanings {} are not there, or lack \"*\"",
                    kind.kind, kind.meanings
                ));
            }
        }
        self.window.names_hold(self, &mut places)?;
        for (name, template) in &self.templates {
            if let Some(place) = template.names().into_iter().find(|place| !places.contains(place)) {
                return wrong(format!("template {name}: nothing gives {{{place}}}"));
            }
        }
        let orders = self.types.iter().filter_map(|of| of.order_key.as_ref());
        if let Some(place) = orders.flat_map(Template::names).find(|place| !places.contains(place)) {
            return wrong(format!("order_key: nothing gives {{{place}}}"));
        }
        Ok(())
    }
}

/// A type's settings with those of its family and the defaults behind them.
fn resolved(text: &TypeText, file: &BusinessFile) -> Result<TypePart> {
    let mut part = text.part.clone();
    if let Some(name) = &text.family {
        let family = file.families.get(name);
        let family = family.ok_or_else(|| broken(FILE, &format!("type {}: there is no family {name}", text.id)))?;
        part = over(part, family);
    }
    Ok(over(part, &file.defaults))
}

fn over(near: TypePart, far: &TypePart) -> TypePart {
    let joined = |near: BTreeMap<_, _>, far: &BTreeMap<_, _>| {
        let mut all = far.clone();
        all.extend(near);
        all
    };
    TypePart {
        folder: near.folder.or_else(|| far.folder.clone()),
        receivers: near.receivers.or_else(|| far.receivers.clone()),
        receiver: near.receiver.or_else(|| far.receiver.clone()),
        receipt_deadline_s: near.receipt_deadline_s.or(far.receipt_deadline_s),
        roots: near.roots.or_else(|| far.roots.clone()),
        detect: near.detect.or_else(|| far.detect.clone()),
        is: near.is.or_else(|| far.is.clone()),
        xsd: near.xsd.or_else(|| far.xsd.clone()),
        rules: near.rules.or_else(|| far.rules.clone()),
        body: near.body.or_else(|| far.body.clone()),
        keys: joined(near.keys, &far.keys),
        values: joined(near.values, &far.values),
        parties: near.parties.or_else(|| far.parties.clone()),
        business_key: near.business_key.or_else(|| far.business_key.clone()),
        order_key: near.order_key.or_else(|| far.order_key.clone()),
        update: near.update.or_else(|| far.update.clone()),
        zip: near.zip.or(far.zip),
        extra_files: near.extra_files.or(far.extra_files),
        refusal: near.refusal.or_else(|| far.refusal.clone()),
        stem_key: near.stem_key.or(far.stem_key),
        renumber: near.renumber.or_else(|| far.renumber.clone()),
        max_bytes: near.max_bytes.or(far.max_bytes),
    }
}

/// Reads `Name`, `{uri}Name`, `{}Name`.
fn root(text: &str) -> Result<RootName> {
    let (namespace, local) = match text.strip_prefix('{').map(|rest| rest.split_once('}')) {
        Some(Some((namespace, local))) => (namespace, local),
        Some(None) => return Err(broken(FILE, &format!("root {text} has a {{ without }}"))),
        None => ("*", text),
    };
    if local.is_empty() {
        return Err(broken(FILE, &format!("root {text:?} has no name")));
    }
    Ok(RootName::new(namespace, local))
}

fn picks(texts: &BTreeMap<String, crate::format::PickText>, body: Option<&str>) -> Result<Vec<(String, Pick)>> {
    texts.iter().map(|(name, text)| Ok((name.clone(), Pick::read(text, body)?))).collect()
}

fn pick(text: Option<&crate::format::PickText>, body: Option<&str>) -> Result<Option<Pick>> {
    text.map(|text| Pick::read(text, body)).transpose()
}

fn kind(text: &ReceiptText) -> Result<Kind> {
    let body = text.body.as_deref();
    Ok(Kind {
        kind: text.kind.clone(),
        roots: text.roots.iter().map(|text| root(text)).collect::<Result<_>>()?,
        when: Condition::read_all(&text.when, body)?,
        keys: picks(&text.keys, body)?,
        keyless: text.keyless,
        code: pick(text.code.as_ref(), body)?,
        text: pick(text.text.as_ref(), body)?,
        noticed_at: pick(text.noticed_at.as_ref(), body)?,
        meanings: text.meanings.clone(),
        prefix: text.prefix.clone(),
        middle: pick(text.middle.as_ref(), body)?,
        extension: text.extension.clone(),
        extension_from: pick(text.extension_from.as_ref(), body)?,
        known_repeat: text.known_repeat.iter().map(|text| pattern(FILE, text)).collect::<Result<_>>()?,
        client_failure: text.client_failure,
    })
}

/// Which files a validator is made of: names of schemas and rules; `None` = all.
type Group = (Option<Vec<String>>, Option<Vec<String>>);

/// The business's schemas, one validator for each choice of files.
struct Schemas {
    files: crate::data::Files,
    groups: Vec<Group>,
}

impl Schemas {
    fn new(place: Place<'_>) -> Result<Self> {
        Ok(Self { files: place.schema_files()?, groups: Vec::new() })
    }

    fn compile(&mut self, text: &TypeText, part: &TypePart) -> Result<Type> {
        let lacks = |what: &str| broken(FILE, &format!("type {} has no {what}", text.id));
        let body = part.body.as_deref();
        let is_checked = part.xsd.as_ref().is_none_or(|files| !files.is_empty());
        let validator = is_checked.then(|| self.group((part.xsd.clone(), part.rules.clone())));
        let parties = part.parties.as_deref().unwrap_or_default();
        let roots = part.roots.as_deref().unwrap_or_default();
        let of = Type {
            info: MessageType {
                id: text.id.clone(),
                name_zh: text.name_zh.clone(),
                name_en: text.name_en.clone(),
                folder: part.folder.clone().ok_or_else(|| lacks("folder"))?,
                roots: roots.iter().map(|text| root(text)).collect::<Result<_>>()?,
                receivers: part.receivers.clone().ok_or_else(|| lacks("receivers"))?,
                receipt_deadline_s: part.receipt_deadline_s.unwrap_or(3600),
            },
            detect: pick(part.detect.as_ref(), body)?,
            is: part.is.clone().unwrap_or_else(|| vec![text.id.clone()]),
            validator,
            body: part.body.clone(),
            keys: picks(&part.keys, body)?,
            values: picks(&part.values, body)?,
            parties: parties
                .iter()
                .map(|party| Ok((party.name.clone(), Pick::of_party(party, body)?)))
                .collect::<Result<_>>()?,
            business_key: part.business_key.clone().unwrap_or_default(),
            order_key: part.order_key.as_deref().map(|text| Template::read("order_key", text)).transpose()?,
            receiver: part.receiver.clone(),
            update: Condition::read_all(part.update.as_deref().unwrap_or_default(), body)?,
            zip: part.zip.unwrap_or_default(),
            extra_files: part.extra_files.unwrap_or(false),
            refusal: part.refusal.clone().ok_or_else(|| lacks("refusal"))?,
            stem_key: part.stem_key.unwrap_or(false),
            renumber: part.renumber.iter().flatten().map(|path| Path::read(path, body)).collect::<Result<_>>()?,
            max_bytes: part.max_bytes.unwrap_or(u64::MAX),
        };
        if is_checked && let Some(path) = of.paths().into_iter().find(|path| path.capture().is_none()) {
            return Err(broken(FILE, &format!("type {}: {} is no plain path of its schema", text.id, path.text())));
        }
        Ok(of)
    }

    fn group(&mut self, group: Group) -> usize {
        if let Some(at) = self.groups.iter().position(|known| *known == group) {
            return at;
        }
        self.groups.push(group);
        self.groups.len() - 1
    }

    /// What every validator is made of, asked for all that its types read.
    fn collect(self, types: &[Type], tables: &[Arc<CodeTable>]) -> Result<Vec<LazyValidator>> {
        let collect = |(at, (schemas, rules)): (usize, &Group)| {
            let mut files = self.with_included(self.chosen(schemas.as_deref(), "xsd")?);
            files.extend(self.chosen(rules.as_deref(), "toml")?);
            files.extend(self.chosen(None, "csv")?);
            let of_group = types.iter().filter(|of| of.validator == Some(at));
            let paths: BTreeSet<&str> = of_group.flat_map(Type::paths).filter_map(Path::capture).collect();
            Ok(LazyValidator {
                files: files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
                captures: paths.into_iter().map(str::to_owned).collect(),
                tables: tables.to_vec(),
                built: OnceLock::new(),
            })
        };
        self.groups.iter().enumerate().map(collect).collect()
    }

    /// These schema files and those that they include or import.
    fn with_included<'s>(&'s self, mut chosen: Vec<(&'s str, &'s str)>) -> Vec<(&'s str, &'s str)> {
        let mut at = 0;
        while let Some((_, text)) = chosen.get(at) {
            let named: Vec<&str> = text
                .split("schemaLocation=")
                .skip(1)
                .filter_map(|rest| rest.get(1..)?.split(['"', '\'']).next())
                .collect();
            for (name, text) in &self.files {
                if named.contains(&name.as_str()) && !chosen.iter().any(|(known, _)| known == name) {
                    chosen.push((name, text));
                }
            }
            at += 1;
        }
        chosen
    }

    /// The named files of a kind, or all of it.
    fn chosen(&self, names: Option<&[String]>, extension: &str) -> Result<Vec<(&str, &str)>> {
        let of_kind = || {
            let files = self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
            files.filter(move |(name, _)| name.rsplit('.').next() == Some(extension))
        };
        let Some(names) = names else { return Ok(of_kind().collect()) };
        let find = |wanted: &String| {
            of_kind()
                .find(|(name, _)| name == wanted)
                .ok_or_else(|| broken(FILE, &format!("there is no file {wanted}")))
        };
        names.iter().map(find).collect()
    }
}

impl Type {
    /// Every path that is read from a message of this type.
    fn paths(&self) -> Vec<&Path> {
        let picks = self.keys.iter().chain(&self.values).chain(&self.parties).map(|(_, pick)| pick);
        let picked = picks.chain(&self.detect).flat_map(Pick::paths);
        picked.chain(self.update.iter().flat_map(Condition::paths)).collect()
    }
}
