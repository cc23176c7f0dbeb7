//! The mapping file (映射文件), as it is written.

use crate::fault::{Fault, Place};
use serde::Deserialize;
use serde::de::Error as _;
use std::collections::BTreeMap;

/// Which column fills which element.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The business's id.
    pub business: String,
    /// The message type.
    #[serde(rename = "type")]
    pub message_type: String,
    /// Local name of the root where the type has several.
    pub root: Option<String>,
    /// Name of a message's file, with `{column}` places of the first table; `{n}` = the message's number.
    #[serde(default = "numbered")]
    pub file: String,
    /// Own tables from what a cell says to what the element takes.
    #[serde(default)]
    pub maps: BTreeMap<String, BTreeMap<String, String>>,
    /// The tables, the message's head first.
    #[serde(rename = "table")]
    pub(crate) tables: Vec<TableText>,
}

/// One sheet or file, and where its rows go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableText {
    /// Name of the sheet, or the end of the file's stem; without it the first one that is visible.
    pub sheet: Option<String>,
    /// JSON: where the objects are; `*` stands for each of an array.
    #[serde(default)]
    pub rows: String,
    /// Row of the column names; 0 = there are none.
    #[serde(default = "one")]
    pub header: u32,
    /// Columns that say to which message a row belongs; none = a message a row.
    #[serde(default)]
    pub key: Columns,
    /// The element that a row makes; the root if it is not named.
    pub element: Option<String>,
    /// Repeated elements above, and the columns that say to which of them a row belongs.
    #[serde(default)]
    pub within: BTreeMap<String, Columns>,
    /// Whether the table may be missing.
    #[serde(default)]
    pub optional: bool,
    /// Whether columns of elements that are not required may be missing.
    #[serde(default)]
    pub may_lack: bool,
    /// Between the values of a CSV; found out where it is not said.
    pub delimiter: Option<char>,
    /// Element → what fills it.
    #[serde(deserialize_with = "fields")]
    pub fields: BTreeMap<String, FieldText>,
}

/// One column or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Columns(pub Vec<ColumnName>);

/// How a column is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ColumnName {
    /// By its name in the header, or its path for JSON.
    Header(String),
    /// By its place, from 0.
    Place(usize),
}

/// What fills an element.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldText {
    /// Name, or number from 1, of the column.
    pub column: Option<ColumnName>,
    /// Its letter in a sheet.
    pub letter: Option<String>,
    /// A constant.
    pub value: Option<String>,
    /// Text with `{column}`, `{now:yyyyMMdd}` and `{n}` places.
    pub text: Option<String>,
    /// The number of the element among its like, from 1.
    #[serde(default)]
    pub sequence: bool,
    /// What is written for an empty cell.
    pub default: Option<String>,
    /// How dates are written in the table; `auto` takes every form that begins with the year.
    pub date: Option<String>,
    /// How the message writes them; the schema's form where it is not said.
    pub to: Option<String>,
    /// Decimals that are written.
    pub decimals: Option<u32>,
    /// Whether further decimals are rounded away, half up.
    #[serde(default)]
    pub round: bool,
    /// What stands between thousands.
    pub thousands: Option<String>,
    /// What stands before decimals.
    pub point: Option<String>,
    /// Zeros are put before digits up to this length.
    pub pad: Option<usize>,
    /// A table of `[maps]`, or one written here.
    pub map: Option<MapText>,
    /// The code for a name, from the business's code table: `true` = the field's own, or the table's name.
    pub codes: Option<CodesText>,
    /// Letters in upper case.
    #[serde(default)]
    pub upper: bool,
    /// Whether blanks around the value stay.
    #[serde(default)]
    pub keep_blanks: bool,
}

/// A map, or the name of one.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum MapText {
    Named(String),
    Here(BTreeMap<String, String>),
}

/// Whether, or which.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum CodesText {
    Own(bool),
    Named(String),
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// `KOUAN-CONVERT-MAP` with the place in the file.
    pub fn read(path: &str, text: &str) -> Result<Self, Fault> {
        let wrong = |zh: String, en: String| Fault::new("KOUAN-CONVERT-MAP", zh, en).at(Place::file(path));
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mapping: Self = toml::from_str(text).map_err(|e| {
            let row = e.span().map_or(0, |span| text.get(..span.start).unwrap_or("").matches('\n').count() + 1);
            let place = Place { row: u32::try_from(row).unwrap_or(0), ..Place::file(path) };
            let why = e.message().to_owned();
            wrong(format!("映射文件读不懂：{why}"), format!("the mapping cannot be read: {why}")).at(place)
        })?;
        if mapping.tables.is_empty() {
            return Err(wrong("映射文件没有 [[table]]".into(), "the mapping has no [[table]]".into()));
        }
        Ok(mapping)
    }
}

fn one() -> u32 {
    1
}

fn numbered() -> String {
    "{n}.xml".into()
}

impl<'de> Deserialize<'de> for ColumnName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(name) => Ok(Self::Header(name)),
            toml::Value::Integer(number) => usize::try_from(number - 1)
                .map(Self::Place)
                .map_err(|_| D::Error::custom("columns are numbered from 1")),
            _ => Err(D::Error::custom("a column is named by a text or a number")),
        }
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = toml::Value::deserialize(deserializer)?;
        let list = match value {
            toml::Value::Array(list) => list,
            one => vec![one],
        };
        let read = |value: toml::Value| ColumnName::deserialize(value).map_err(D::Error::custom);
        list.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }
}

/// Each is a column's name or a table; by hand, so that an unknown key is named.
fn fields<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, FieldText>, D::Error> {
    let mut fields = BTreeMap::new();
    for (path, value) in BTreeMap::<String, toml::Value>::deserialize(deserializer)? {
        let field = match value {
            toml::Value::String(name) => FieldText { column: Some(ColumnName::Header(name)), ..FieldText::default() },
            other => FieldText::deserialize(other).map_err(|e| D::Error::custom(format!("{path}: {}", e.message())))?,
        };
        fields.insert(path, field);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_read_and_what_is_wrong_is_placed() {
        let text = "business = 'b'\ntype = 'T'\n[[table]]\nkey = ['单号', 2]\n[table.fields]\n'A' = '甲'\n'B' = { letter = 'C', pad = 4 }\n";
        let mapping = Mapping::read("m.toml", text).unwrap();
        let table = &mapping.tables[0];
        assert_eq!(table.key.0, [ColumnName::Header("单号".into()), ColumnName::Place(1)]);
        assert_eq!(table.fields["A"].column, Some(ColumnName::Header("甲".into())));
        assert_eq!((mapping.file.as_str(), table.fields["B"].pad), ("{n}.xml", Some(4)));
        for (wrong, told, row) in [
            (text.replace("pad", "pat"), "pat", 3),
            (text.replace("[[table]]", "[[tabel]]"), "tabel", 3),
            (text.replace("2]", "0]"), "numbered from 1", 4),
            ("business = ".into(), "", 1),
        ] {
            let fault = Mapping::read("m.toml", &wrong).unwrap_err();
            assert!(fault.message_en.contains(told) && fault.place.row >= row, "{fault}");
            assert_eq!(fault.code, "KOUAN-CONVERT-MAP");
        }
    }
}
