//! How a cell becomes a value: dates, numbers, zeros, maps, code tables.

use crate::fault::{Fault, nearest};
use crate::mapping::{CodesText, FieldText, MapText, Mapping};
use crate::moment::{Moment, is_form};
use crate::number::{self, Marks, Wrong};
use crate::source::Cell;
use kouan_schema::{CodeTable, Form, Outline, Validator};
use std::collections::BTreeMap;

/// What is done with a cell on its way into an element.
#[derive(Debug, Default)]
pub(crate) struct Rule<'s> {
    default: Option<String>,
    date: Option<String>,
    to: Option<String>,
    decimals: Option<usize>,
    round: bool,
    marks: Option<Marks>,
    pad: Option<usize>,
    map: BTreeMap<String, String>,
    codes: Option<&'s CodeTable>,
    upper: bool,
    keep_blanks: bool,
    /// The element takes exactly so many digits.
    digits: Option<usize>,
}

impl<'s> Rule<'s> {
    /// Of what the mapping says of the element at `path`, and the schema.
    pub fn new(
        text: &FieldText,
        path: &str,
        outline: &Outline<'s>,
        mapping: &Mapping,
        validator: &'s Validator,
    ) -> Result<Self, Fault> {
        let wrong =
            |zh: &str, en: &str| Fault::new("KOUAN-CONVERT-MAP", format!("{path}：{zh}"), format!("{path}: {en}"));
        for form in text.date.iter().filter(|form| *form != "auto").chain(&text.to) {
            if !is_form(form) {
                return Err(wrong(&format!("“{form}”不是日期格式"), &format!("`{form}` is no form of dates")));
            }
        }
        let map = match &text.map {
            None => BTreeMap::new(),
            Some(MapText::Here(map)) => map.clone(),
            Some(MapText::Named(name)) => mapping
                .maps
                .get(name)
                .cloned()
                .ok_or_else(|| wrong(&format!("没有 [maps.{name}]"), &format!("there is no [maps.{name}]")))?,
        };
        let table = match &text.codes {
            None | Some(CodesText::Own(false)) => None,
            Some(CodesText::Own(true)) => Some(outline.codes().unwrap_or_default()),
            Some(CodesText::Named(name)) => Some(name.as_str()),
        };
        let codes = table.map(|name| {
            validator
                .codes()
                .get(name)
                .ok_or_else(|| wrong(&format!("没有代码表“{name}”"), &format!("there is no code table `{name}`")))
        });
        let marks = Marks {
            thousands: text.thousands.clone().unwrap_or_default(),
            point: text.point.clone().unwrap_or_default(),
        };
        let is_number = text.decimals.is_some() || text.thousands.is_some() || text.point.is_some();
        Ok(Self {
            default: text.default.clone(),
            date: text.date.clone().or_else(|| text.to.as_ref().map(|_| "auto".into())),
            to: text.to.clone().or_else(|| form_of(outline)),
            decimals: text.decimals.map(|decimals| decimals as usize),
            round: text.round,
            marks: is_number.then_some(marks),
            pad: text.pad,
            map,
            codes: codes.transpose()?,
            upper: text.upper,
            keep_blanks: text.keep_blanks,
            digits: digits_of(outline),
        })
    }

    /// The value, empty = none, and a warning; faults stand without a place.
    pub fn value(&self, cell: &Cell) -> Result<(String, Option<Fault>), Fault> {
        let text = match cell {
            Cell::Empty => String::new(),
            Cell::Error(error) => {
                let (zh, en) = (format!("单元格的公式出错：{error}"), format!("the cell's formula failed: {error}"));
                return Err(Fault::new("KOUAN-CONVERT-CELL-ERROR", zh, en));
            }
            Cell::Moment(moment) => return self.moment(*moment).map(|text| (text, None)),
            Cell::Text(text) | Cell::Number(text) if self.keep_blanks => text.clone(),
            Cell::Text(text) | Cell::Number(text) => text.trim_matches(is_blank).to_owned(),
        };
        if let Some(bad) =
            text.chars().find(|c| *c < ' ' && !"\t\r\n".contains(*c) || ('\u{fffe}'..='\u{ffff}').contains(c))
        {
            let code = u32::from(bad);
            return Err(Fault::new(
                "KOUAN-CONVERT-CHARACTER",
                format!("含有 XML 不允许的字符 U+{code:04X}"),
                format!("holds the character U+{code:04X}, which XML does not allow"),
            ));
        }
        if text.is_empty() {
            return Ok((self.default.clone().unwrap_or_default(), None));
        }
        let text = if self.upper { text.to_uppercase() } else { text };
        let text = self.mapped(text)?;
        let text = self.coded(text)?;
        let text = self.dated(text)?;
        let text = self.counted(text)?;
        Ok(self.padded(text))
    }

    fn moment(&self, moment: Moment) -> Result<String, Fault> {
        let form = self.to.as_ref().ok_or_else(|| {
            Fault::new(
                "KOUAN-CONVERT-DATE-FORM",
                "单元格是日期，但不知报文中怎样写",
                "the cell is a date, and how the message writes dates here is not known",
            )
        })?;
        Ok(moment.write(form))
    }

    fn dated(&self, text: String) -> Result<String, Fault> {
        let Some(form) = &self.date else { return Ok(text) };
        let moment = Moment::read(&text, form).ok_or_else(|| {
            let fault = Fault::new("KOUAN-CONVERT-DATE", format!("“{text}”不是日期"), format!("`{text}` is no date"));
            match form.as_str() {
                "auto" => fault,
                form => fault.hint(format!("按 {form} 填写"), format!("write it as {form}")),
            }
        })?;
        self.moment(moment)
    }

    fn counted(&self, text: String) -> Result<String, Fault> {
        let Some(marks) = &self.marks else { return Ok(text) };
        let not = || Fault::new("KOUAN-CONVERT-NUMBER", format!("“{text}”不是数字"), format!("`{text}` is no number"));
        let plain = number::plain(&text, marks).ok_or_else(not)?;
        let Some(decimals) = self.decimals else { return Ok(plain) };
        number::with_decimals(&plain, decimals, self.round).map_err(|why| match why {
            Wrong::NotANumber => not(),
            Wrong::Decimals(has) => Fault::new(
                "KOUAN-CONVERT-DECIMALS",
                format!("“{text}”有 {has} 位小数，只能写 {decimals} 位"),
                format!("`{text}` has {has} decimals, {decimals} are written"),
            ),
        })
    }

    fn padded(&self, text: String) -> (String, Option<Fault>) {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if let Some(pad) = self.pad.filter(|_| digits) {
            return (format!("{text:0>pad$}"), None);
        }
        let wanted = self.digits.filter(|wanted| digits && text.len() < *wanted && self.date.is_none());
        let warning = wanted.map(|wanted| {
            Fault::new(
                "KOUAN-CONVERT-LEADING-ZERO",
                format!("“{text}”应为 {wanted} 位，前面的零可能被 Excel 去掉了"),
                format!("`{text}` should have {wanted} digits; a sheet may have dropped zeros before it"),
            )
            .hint(
                format!("在映射中写 pad = {wanted}，或把该列设为文本"),
                format!("say pad = {wanted} in the mapping, or make the column text"),
            )
            .warning()
        });
        (text, warning)
    }

    fn mapped(&self, text: String) -> Result<String, Fault> {
        if self.map.is_empty() || self.map.values().any(|to| *to == text) {
            return Ok(text);
        }
        if let Some(to) = self.map.get(&text) {
            return Ok(to.clone());
        }
        let near = nearest(&text, self.map.keys().map(String::as_str));
        let fault =
            Fault::new("KOUAN-CONVERT-NOT-IN-MAP", format!("映射表中没有“{text}”"), format!("the map has no `{text}`"));
        Err(match near {
            Some(near) => fault.hint(format!("是否应为“{near}”？"), format!("is `{near}` meant?")),
            None => fault,
        })
    }

    fn coded(&self, text: String) -> Result<String, Fault> {
        let Some(table) = self.codes else { return Ok(text) };
        if table.rows.iter().any(|row| row.code == text) {
            return Ok(text);
        }
        let same = |row: &&kouan_schema::Code| row.zh == text || row.en.eq_ignore_ascii_case(&text);
        let mut found: Vec<&str> = table.rows.iter().filter(same).map(|row| row.code.as_str()).collect();
        found.dedup();
        match found[..] {
            [code] => return Ok(code.to_owned()),
            // What is no name may be a code that a table of some of the codes does not know.
            [] if !table.complete && text.is_ascii() => return Ok(text),
            _ => {}
        }
        let name = &table.name;
        let names = table.rows.iter().flat_map(|row| [row.zh.as_str(), row.en.as_str()]);
        let (zh, en) = match (&found[..], nearest(&text, names)) {
            ([], Some(near)) => (
                format!("是否应为“{near}”？kouan codes show {name}"),
                format!("is `{near}` meant? kouan codes show {name}"),
            ),
            ([], None) => {
                (format!("kouan codes show {name} 列出全部"), format!("kouan codes show {name} lists them all"))
            }
            (several, _) => {
                (format!("写代码：{}", several.join("、")), format!("write the code: {}", several.join(", ")))
            }
        };
        Err(Fault::new(
            "KOUAN-CONVERT-NO-CODE",
            format!("代码表 {name} 中没有唯一的“{text}”"),
            format!("the code table {name} has no one `{text}`"),
        )
        .hint(zh, en))
    }
}

/// Blanks around a value, the wide one and the one that does not break included.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}' || c == '\u{200b}'
}

/// How the element writes a moment, as far as its schema says.
fn form_of(outline: &Outline<'_>) -> Option<String> {
    let facets = outline.facets()?;
    let text = match facets.form {
        Form::Date => "yyyy-MM-dd",
        Form::DateTime => "yyyy-MM-ddTHH:mm:ss",
        Form::Text | Form::Integer => match facets.max_length.or(length_of(&facets.patterns)).or(facets.total_digits) {
            Some(8) => "yyyyMMdd",
            Some(12) => "yyyyMMddHHmm",
            Some(14) => "yyyyMMddHHmmss",
            Some(17) => "yyyyMMddHHmmssfff",
            _ => return None,
        },
        _ => return None,
    };
    Some(text.into())
}

/// Exactly how many digits the element takes.
fn digits_of(outline: &Outline<'_>) -> Option<usize> {
    let facets = outline.facets()?;
    length_of(&facets.patterns).map(|length| length as usize)
}

/// Of a pattern that is so many digits and nothing else.
fn length_of(patterns: &[&str]) -> Option<u32> {
    patterns.iter().find_map(|pattern| {
        let inner = pattern.strip_prefix(r"\d{").or_else(|| pattern.strip_prefix("[0-9]{"))?;
        inner.strip_suffix('}')?.parse().ok()
    })
}
