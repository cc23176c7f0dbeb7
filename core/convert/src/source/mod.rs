//! Where rows come from: one cell at a time, typed as far as the file knows types.

mod csv;
mod decoding;
mod json;
mod sheet;

use crate::fault::{Fault, Place};
use crate::mapping::{ColumnName, TableText};
use crate::moment::Moment;
use crate::plan::TablePlan;
use std::path::{Path, PathBuf};

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Values between commas, semicolons or tabs.
    Csv,
    /// Objects in arrays.
    Json,
    /// Office Open XML workbook.
    Xlsx,
}

/// How a CSV's characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// GB18030, and with it GBK and GB2312.
    Gb18030,
    /// UTF-16, the low byte first.
    Utf16Le,
    /// UTF-16, the high byte first.
    Utf16Be,
}

/// How much a file may ask of us.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a workbook, unpacked; and of a JSON file.
    pub unpacked_bytes: u64,
    /// Rows of a table.
    pub rows: u32,
    /// Bytes of a row.
    pub row_bytes: usize,
    /// Rows of one message, and all rows that must be held because a message's rows stand apart.
    pub held_rows: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked_bytes: 512 << 20, rows: 5_000_000, row_bytes: 1 << 20, held_rows: 1_000_000 }
    }
}

/// What stands in a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    Empty,
    Text(String),
    /// A number, as the sheet shows it.
    Number(String),
    Moment(Moment),
    /// `#N/A` and its like.
    Error(String),
}

impl Cell {
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }
}

/// The cells that a table's plan asks for, in its order.
#[derive(Debug)]
pub(crate) struct Row {
    /// As the table's own program counts it.
    pub number: u32,
    pub cells: Vec<Cell>,
    /// What is wrong with the row as a whole.
    pub fault: Option<Fault>,
}

/// Takes rows; an error ends the reading.
pub(crate) type Taker<'t> = &'t mut dyn FnMut(Row) -> Result<(), Fault>;

/// A file, opened as far as is needed to know what is in it.
#[derive(Debug)]
pub(crate) struct Input {
    pub path: PathBuf,
    pub name: String,
    format: Format,
    encoding: Option<Encoding>,
    /// Sheets of a workbook, visible or not.
    sheets: Vec<(String, bool)>,
    limits: Limits,
}

/// A table of an input.
#[derive(Debug)]
pub(crate) struct Found<'i> {
    pub input: &'i Input,
    /// The sheet of a workbook.
    sheet: String,
    /// Which cells of a row are asked for, and what the columns are called.
    picks: Vec<Pick>,
    header: u32,
    delimiter: Option<u8>,
    rows: String,
}

/// A column that is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pick {
    /// From 0; `None` = the table has no such column, and need not.
    at: Option<usize>,
    name: String,
}

impl Input {
    /// Looks at a file; `format` overrides its extension.
    pub fn open(
        path: &Path,
        format: Option<Format>,
        encoding: Option<Encoding>,
        limits: Limits,
    ) -> Result<Self, Fault> {
        let name = path.display().to_string();
        let by_name = || match path.extension().and_then(|e| e.to_str()).map(str::to_lowercase).as_deref() {
            Some("csv" | "tsv" | "txt") => Some(Format::Csv),
            Some("json") => Some(Format::Json),
            Some("xlsx" | "xlsm") => Some(Format::Xlsx),
            _ => None,
        };
        let Some(format) = format.or_else(by_name) else {
            let fault =
                Fault::new("KOUAN-CONVERT-FORMAT", "从文件名看不出格式", "the file's name does not tell its format");
            return Err(fault.at(Place::file(name)));
        };
        if let Err(e) = std::fs::File::open(path) {
            return Err(unreadable(&name, &e));
        }
        let sheets = if format == Format::Xlsx { sheet::names(path, &name, &limits)? } else { Vec::new() };
        Ok(Self { path: path.to_owned(), name, format, encoding, sheets, limits })
    }

    /// Whether the table is meant to be in here, and in which sheet: by its name, or the first that can be seen.
    fn sheet(&self, table: &TableText) -> Option<String> {
        match (&table.sheet, self.format) {
            (None, Format::Xlsx) => self.sheets.iter().find(|(_, seen)| *seen).map(|(name, _)| name.clone()),
            (Some(wanted), Format::Xlsx) => {
                let same = |(name, _): &&(String, bool)| name.trim() == wanted.trim();
                self.sheets.iter().find(same).map(|(name, _)| name.clone())
            }
            (Some(wanted), Format::Csv) => {
                let stem = self.path.file_stem()?.to_string_lossy().into_owned();
                stem.ends_with(wanted.as_str()).then(String::new)
            }
            _ => Some(String::new()),
        }
    }

    /// Names by which a table could be asked for.
    fn sheet_names(&self) -> Vec<String> {
        match self.format {
            Format::Xlsx => self.sheets.iter().map(|(name, _)| name.clone()).collect(),
            _ => self.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).into_iter().collect(),
        }
    }
}

/// Finds the table among the inputs and its columns in it; `None` if it may be missing and is.
pub(crate) fn find<'i>(inputs: &'i [Input], plan: &TablePlan, only: bool) -> Result<Option<Found<'i>>, Fault> {
    let table = &plan.text;
    let named = |input: &'i Input| input.sheet(table).map(|sheet| (input, sheet));
    // One CSV for the one table may be called anything.
    let alone = || match inputs {
        [one] if only && one.format == Format::Csv => Some((one, String::new())),
        _ => None,
    };
    let Some((input, sheet)) = inputs.iter().find_map(named).or_else(alone) else {
        if table.optional {
            return Ok(None);
        }
        return Err(no_sheet(inputs, table.sheet.as_deref().unwrap_or_default()));
    };
    let delimiter = table.delimiter.and_then(|c| u8::try_from(c).ok());
    let mut found =
        Found { input, sheet, picks: Vec::new(), header: table.header, delimiter, rows: table.rows.clone() };
    found.picks = match input.format {
        Format::Json => plan.columns.iter().map(|column| Pick { at: None, name: column_name(&column.name) }).collect(),
        Format::Csv => picks(&found, plan, &csv::header(&found)?)?,
        Format::Xlsx => picks(&found, plan, &sheet::header(&found)?)?,
    };
    Ok(Some(found))
}

impl Found<'_> {
    /// Gives every row that is not empty to `taker`.
    pub fn rows(&self, taker: Taker<'_>) -> Result<(), Fault> {
        let (mut seen, limit) = (0, self.input.limits.rows);
        let taker: Taker<'_> = &mut |row: Row| {
            if row.fault.is_none() && row.cells.iter().all(Cell::is_empty) {
                return Ok(());
            }
            seen += 1;
            if seen > limit {
                let (zh, en) = (format!("超过 {limit} 行"), format!("more than {limit} rows"));
                return Err(Fault::new("KOUAN-CONVERT-TOO-BIG", zh, en).at(self.place(row.number, None)));
            }
            taker(row)
        };
        match self.input.format {
            Format::Csv => csv::rows(self, taker),
            Format::Json => json::rows(self, taker),
            Format::Xlsx => sheet::rows(self, taker),
        }
    }

    /// Where a cell stands; by the pick's number.
    pub fn place(&self, row: u32, pick: Option<usize>) -> Place {
        let pick = pick.and_then(|at| self.picks.get(at));
        Place {
            file: self.input.name.clone(),
            sheet: self.sheet.clone(),
            row,
            column: pick.map(|pick| pick.name.clone()).unwrap_or_default(),
            letter: pick.and_then(|pick| pick.at).map(letter).unwrap_or_default(),
        }
    }

    /// The picked cells of a whole row.
    fn pick(&self, mut cells: Vec<Cell>) -> Vec<Cell> {
        // A column may be asked for once only: it is moved.
        let mut take = |pick: &Pick| match pick.at.and_then(|at| cells.get_mut(at)) {
            Some(cell) => std::mem::replace(cell, Cell::Empty),
            None => Cell::Empty,
        };
        self.picks.iter().map(&mut take).collect()
    }
}

/// Where each asked column stands in the header.
fn picks(found: &Found<'_>, plan: &TablePlan, header: &[String]) -> Result<Vec<Pick>, Fault> {
    let mut picks = Vec::new();
    for column in &plan.columns {
        let name = column_name(&column.name);
        let place = || Place { column: name.clone(), ..found.place(found.header, None) };
        let at = match &column.name {
            ColumnName::Place(at) => Some(*at),
            ColumnName::Header(wanted) => {
                let mut same = header.iter().enumerate().filter(|(_, name)| name.as_str() == wanted.trim());
                let first = same.next();
                if first.is_some() && same.next().is_some() {
                    let (zh, en) = (format!("有两列都叫“{wanted}”"), format!("two columns are called `{wanted}`"));
                    return Err(Fault::new("KOUAN-CONVERT-COLUMN-TWICE", zh, en).at(place()));
                }
                if first.is_none() && !column.may_lack {
                    return Err(no_column(wanted, header).at(place()));
                }
                first.map(|(at, _)| at)
            }
        };
        let name = at.and_then(|at| header.get(at)).filter(|name| !name.is_empty()).cloned().unwrap_or(name);
        picks.push(Pick { at, name });
    }
    Ok(picks)
}

fn no_column(wanted: &str, header: &[String]) -> Fault {
    let known: Vec<&str> = header.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let fault = Fault::new(
        "KOUAN-CONVERT-NO-COLUMN",
        format!("没有名为“{wanted}”的列"),
        format!("there is no column `{wanted}`"),
    );
    let list = known.join("、");
    match crate::fault::nearest(wanted, known.iter().copied()) {
        Some(near) => fault
            .hint(format!("是否应为“{near}”？表中的列：{list}"), format!("is `{near}` meant? the table has: {list}")),
        None => fault.hint(format!("表中的列：{list}"), format!("the table has: {list}")),
    }
}

fn no_sheet(inputs: &[Input], wanted: &str) -> Fault {
    let names: Vec<String> = inputs.iter().flat_map(Input::sheet_names).collect();
    let near = crate::fault::nearest(wanted, names.iter().map(String::as_str));
    let near_zh = near.map(|near| format!("是否应为“{near}”？")).unwrap_or_default();
    let near_en = near.map(|near| format!("is `{near}` meant? ")).unwrap_or_default();
    let list = names.join("、");
    let place = match inputs {
        [one] => Place::file(&one.name),
        _ => Place::default(),
    };
    Fault::new(
        "KOUAN-CONVERT-NO-SHEET",
        format!("没有名为“{wanted}”的工作表或文件"),
        format!("there is no sheet or file called `{wanted}`"),
    )
    .hint(format!("{near_zh}现有：{list}"), format!("{near_en}there are: {list}"))
    .at(place)
}

fn unreadable(name: &str, error: &std::io::Error) -> Fault {
    Fault::new("KOUAN-CONVERT-UNREADABLE", format!("读不到文件：{error}"), format!("the file cannot be read: {error}"))
        .at(Place::file(name))
}

fn column_name(name: &ColumnName) -> String {
    match name {
        ColumnName::Header(name) => name.clone(),
        ColumnName::Place(at) => (at + 1).to_string(),
    }
}

/// A column's letter in a sheet, by its number from 0.
pub(crate) fn letter(at: usize) -> String {
    let (mut at, mut letters) = (at + 1, Vec::new());
    while at > 0 {
        letters.push(b'A' + ((at - 1) % 26) as u8);
        at = (at - 1) / 26;
    }
    letters.iter().rev().map(|letter| char::from(*letter)).collect()
}

/// A column's number from 0, by its letter.
pub(crate) fn of_letter(letters: &str) -> Option<usize> {
    let digit = |b: u8| b.is_ascii_uppercase().then(|| usize::from(b - b'A') + 1);
    let upper = letters.to_ascii_uppercase();
    if upper.is_empty() || upper.len() > 3 {
        return None;
    }
    let number = upper.bytes().try_fold(0, |number, b| Some(number * 26 + digit(b)?))?;
    Some(number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_a_sheet() {
        for (at, text) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")] {
            assert_eq!((letter(at).as_str(), of_letter(text)), (text, Some(at)));
        }
        assert_eq!((of_letter(""), of_letter("A1"), of_letter("ABCD")), (None, None, None));
    }
}
