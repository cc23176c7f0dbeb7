//! `business.toml`, as it is written. `README.md` beside this crate is the author's reference; [`schema`] is the same as a
//! JSON Schema.

use kouan_sdk::business;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Error as _;
use std::collections::BTreeMap;

/// A business, given by data.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BusinessFile {
    /// Who it is.
    pub business: Head,
    /// What every type has unless its family or itself says otherwise.
    #[serde(default)]
    pub defaults: TypePart,
    /// What the types of a family share, by the family's name.
    #[serde(default)]
    pub families: BTreeMap<String, TypePart>,
    /// The message types.
    #[serde(rename = "type")]
    pub types: Vec<TypeText>,
    /// Kinds of receipts, in the order in which they are tried.
    #[serde(rename = "receipt")]
    pub receipts: Vec<ReceiptText>,
    /// What codes mean, by the table's name and the code; `*` = any other code.
    #[serde(default)]
    pub meanings: BTreeMap<String, BTreeMap<String, MeaningText>>,
    /// Texts with `{Name}` places, by name: receipts that the sandbox sends, refusals.
    #[serde(default)]
    pub templates: BTreeMap<String, String>,
    /// How the window behaves in the sandbox.
    #[serde(default)]
    pub simulator: SimulatorText,
}

/// Who the business is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The plugin's id.
    pub id: String,
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
}

/// One message type.
#[derive(Debug, Clone, JsonSchema)]
pub struct TypeText {
    /// Wire type (`MsgType`).
    pub id: String,
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
    /// The family whose settings it shares.
    #[schemars(default)]
    pub family: Option<String>,
    /// Everything else; also in `[defaults]` and `[families.NAME]`.
    #[schemars(flatten)]
    pub part: TypePart,
}

impl<'de> Deserialize<'de> for TypeText {
    /// By hand: a flattened struct would let unknown keys pass.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = toml::Table::deserialize(deserializer)?;
        let mut text = |name: &'static str| match table.remove(name) {
            Some(toml::Value::String(text)) => Ok(Some(text)),
            None => Ok(None),
            Some(_) => Err(D::Error::custom(format!("{name} of a type is no text"))),
        };
        let id = text("id")?.ok_or_else(|| D::Error::missing_field("id"))?;
        let lacks = |name: &str| D::Error::custom(format!("type {id} has no {name}"));
        let name_zh = text("name_zh")?.ok_or_else(|| lacks("name_zh"))?;
        let name_en = text("name_en")?.ok_or_else(|| lacks("name_en"))?;
        let family = text("family")?;
        let part = TypePart::deserialize(table).map_err(|e| D::Error::custom(format!("type {id}: {e}")))?;
        Ok(Self { id, name_zh, name_en, family, part })
    }
}

/// What a type may say, or its family, or the defaults: the nearest one counts; tables (`keys`, `values`) are joined.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TypePart {
    /// Folder below the site's root; types may share one.
    pub folder: Option<String>,
    /// DXP ids of the receivers.
    pub receivers: Option<Vec<String>>,
    /// Name of a value by which the message itself names one of the receivers; without it, or if it names a stranger, the
    /// first is the one. Absent = all of them.
    pub receiver: Option<String>,
    /// Overdue after this many seconds without any receipt; default 3600.
    pub receipt_deadline_s: Option<u32>,
    /// Roots: `Name` (any namespace), `{uri}Name`, `{}Name` (no namespace). None: known by its folder only.
    pub roots: Option<Vec<String>>,
    /// Where a message says its type. Needed where types share a root.
    pub detect: Option<PickText>,
    /// Values of `detect` that mean this type; default: its id.
    pub is: Option<Vec<String>>,
    /// Schema files of `xsd/`; absent = all of them, `[]` = the content is not checked.
    pub xsd: Option<Vec<String>>,
    /// Rule files of `rules/`; absent = all of them.
    pub rules: Option<Vec<String>>,
    /// What `~` at the start of a path stands for.
    pub body: Option<String>,
    /// Keys: receipts are matched by these.
    pub keys: BTreeMap<String, PickText>,
    /// Other values that templates and the simulator need.
    pub values: BTreeMap<String, PickText>,
    /// Codes by which the identity is chosen, best first.
    pub parties: Option<Vec<PartyText>>,
    /// Names of keys: the first that the message has is what a repeat would repeat.
    pub business_key: Option<Vec<String>>,
    /// Messages with the same text leave in their order; `{Name}` of keys and values. Default: the business key.
    pub order_key: Option<String>,
    /// The message changes an earlier one if any of these holds.
    pub update: Option<Vec<ConditionText>>,
    /// What goes out of a zip: its xml, or a zip with the xml alone.
    pub zip: Option<ZipWay>,
    /// Whether a zip may hold more than the xml; what is more is not sent.
    pub extra_files: Option<bool>,
    /// Template of a refusal.
    pub refusal: Option<String>,
    /// Where the type has no key in the message, the file's stem is its key (`FileStem`).
    pub stem_key: Option<bool>,
    /// Paths of numbers that a sample sent again must change beside its business key, because receipts name them.
    pub renumber: Option<Vec<String>>,
    /// Largest document in bytes.
    pub max_bytes: Option<u64>,
}

/// A code by which the identity is chosen.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartyText {
    /// Name of the code.
    pub name: String,
    /// Where it stands; the first with a value counts.
    pub path: OneOrMany,
    /// As in [`PickSpec`].
    #[serde(default)]
    pub take: Option<String>,
}

/// What goes out of a dropped zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ZipWay {
    /// The xml.
    #[default]
    Unpack,
    /// A zip with the xml alone, whether it came as a zip or not.
    Pass,
}

/// Where values stand: one path, several (the first with a value counts), or more exactly.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PickText {
    /// One path.
    Path(String),
    /// The first with a value counts.
    Paths(Vec<String>),
    /// More exactly.
    Spec(PickSpec),
}

/// Where values stand, exactly.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PickSpec {
    /// Paths; the first with a value counts.
    pub path: OneOrMany,
    /// Parts that are put together; if one is absent there is no value.
    pub join: Vec<PickText>,
    /// What stands between the parts; default `/`.
    pub with: Option<String>,
    /// Every occurrence counts, not only the first.
    pub each: bool,
    /// Characters at which a value is cut into several.
    pub split: Option<String>,
    /// Regular expression: group 1 (or the whole match) is the value; without a match there is none.
    pub take: Option<String>,
}

/// A text or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Many.
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl OneOrMany {
    /// As a list.
    pub fn list(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// Something that may hold of a document.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConditionText {
    /// Where to look.
    pub path: OneOrMany,
    /// Any value is one of these; without it: there is a value, or an element with children.
    pub is: OneOrMany,
    /// The reverse.
    pub not: bool,
}

/// A kind of receipt.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptText {
    /// Kind, shown and journalled.
    pub kind: String,
    /// Roots, as of a type.
    pub roots: Vec<String>,
    /// All of these must hold.
    #[serde(default)]
    pub when: Vec<ConditionText>,
    /// What `~` at the start of a path stands for.
    #[serde(default)]
    pub body: Option<String>,
    /// Keys, under the same names as the types' keys.
    #[serde(default)]
    pub keys: BTreeMap<String, PickText>,
    /// A receipt of this kind may come without any key; its file's name matches it.
    #[serde(default)]
    pub keyless: bool,
    /// The code.
    #[serde(default)]
    pub code: Option<PickText>,
    /// Its text from the other side.
    #[serde(default)]
    pub text: Option<PickText>,
    /// When the other side made it: yyyyMMddHHmmss…, yyyy-MM-ddTHH:mm:ss, or with a blank.
    #[serde(default)]
    pub noticed_at: Option<PickText>,
    /// Table of `[meanings]` for the code.
    pub meanings: String,
    /// `Receipt`, or what the code's meaning says.
    #[serde(default = "receipt_prefix")]
    pub prefix: String,
    /// What stands in the middle of the file's name; absent = the answered file's stem.
    #[serde(default)]
    pub middle: Option<PickText>,
    /// Ending of the file's name.
    #[serde(default = "xml")]
    pub extension: String,
    /// Where the ending stands in the receipt, if it does.
    #[serde(default)]
    pub extension_from: Option<PickText>,
    /// Regular expressions for a text that says "I have this already"; named groups are key names.
    #[serde(default)]
    pub known_repeat: Vec<String>,
    /// It speaks of the client (card, reader, signing), not of the content.
    #[serde(default)]
    pub client_failure: bool,
}

fn receipt_prefix() -> String {
    "Receipt".into()
}

fn xml() -> String {
    "xml".into()
}

/// What a code means to a message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeaningText {
    /// Place in the order of stages; the receipt with the highest (rank, time) shows.
    pub rank: u32,
    /// What it says of the message.
    pub outcome: OutcomeText,
    /// Nothing more is expected.
    #[serde(rename = "final", default)]
    pub is_final: bool,
    /// The message may be sent again as a new attempt.
    #[serde(default)]
    pub reopens: bool,
    /// The stage, for people; `{code}` stands for the code.
    pub zh: String,
    /// `Successed`, `Failed`; absent = the kind's.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// What a receipt says of the message, as data writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeText {
    /// Nothing yet.
    None,
    /// 入库.
    Accepted,
    /// 入库失败.
    Rejected,
    /// 办结.
    Concluded,
}

impl From<OutcomeText> for business::Outcome {
    fn from(outcome: OutcomeText) -> Self {
        match outcome {
            OutcomeText::None => Self::None,
            OutcomeText::Accepted => Self::Accepted,
            OutcomeText::Rejected => Self::Rejected,
            OutcomeText::Concluded => Self::Concluded,
        }
    }
}

/// How the window behaves in the sandbox.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorText {
    /// Numbers that the window gives, by key name; kept over updates.
    pub numbers: BTreeMap<String, NumberText>,
    /// Names of keys under which a message may be changed again and again.
    pub changes: Vec<String>,
    /// Ways of types through the window.
    #[serde(rename = "flow")]
    pub flows: Vec<FlowText>,
    /// Answers by their step's name.
    #[serde(rename = "step")]
    pub steps: Vec<StepText>,
    /// References to earlier messages that must be known.
    #[serde(rename = "requires")]
    pub requires: Vec<RequiresText>,
    /// Messages after which a key is known no more.
    #[serde(rename = "forgets")]
    pub forgets: Vec<ForgetsText>,
}

/// A number that the window gives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberText {
    /// Text with `{yyyy}`, `{yy}`, `{date}`, `{n:9}` (a counter of so many digits), `{Name}` of keys and values.
    pub form: String,
    /// Only these types; empty = all.
    #[serde(default)]
    pub types: Vec<String>,
    /// Steps from which on it is known; empty = from the first.
    #[serde(default)]
    pub from_step: Vec<String>,
}

/// The way of some types through the window.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowText {
    /// These types; empty = all.
    #[serde(default)]
    pub types: Vec<String>,
    /// Only if all of these hold.
    #[serde(default)]
    pub when: Vec<ConditionText>,
    /// The step that comes before all others, also before those of a scenario.
    #[serde(default)]
    pub first: Option<String>,
    /// Steps without a scenario.
    pub usual: Vec<String>,
    /// The step by which the window refuses (no effect); its `{text}` is the reason.
    pub refuse: String,
    /// The step that answers a repeat of a known key.
    pub known: String,
}

/// One answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepText {
    /// Name in scenarios.
    pub name: String,
    /// Only for these types; empty = all. The first step of the name that fits counts.
    #[serde(default)]
    pub types: Vec<String>,
    /// Wire type of the answer; default: that of the message.
    #[serde(default)]
    pub message_type: Option<String>,
    /// Template.
    pub template: String,
    /// Places of the template: `code`, `text` and whatever it has; themselves with `{Name}` places.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

/// A reference to an earlier message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiresText {
    /// Only for these types; empty = all.
    #[serde(default)]
    pub types: Vec<String>,
    /// Only if all of these hold.
    #[serde(default)]
    pub when: Vec<ConditionText>,
    /// Where the references stand.
    pub path: PickText,
    /// What each must be: a key of this name that took effect.
    pub known: String,
    /// Only keys of messages of these types; empty = of all.
    #[serde(default)]
    pub of_types: Vec<String>,
    /// Why it is refused; `{value}` is the reference.
    pub text: String,
}

/// A message after which keys are known no more.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetsText {
    /// Only these types; empty = all.
    #[serde(default)]
    pub types: Vec<String>,
    /// If all of these hold.
    pub when: Vec<ConditionText>,
    /// Names of the keys.
    pub keys: Vec<String>,
}

/// JSON Schema of `business.toml`.
pub fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(BusinessFile)).unwrap_or_default()
}
