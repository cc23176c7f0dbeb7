//! xlsx, row by row; the workbook's strings are held, its sheets are not.

use super::{Cell, Found, Limits, Row, Taker, unreadable};
use crate::fault::{Fault, Place};
use crate::moment::Moment;
use crate::number;
use calamine::{DataRef, Dimensions, Reader as _, SheetVisible, Xlsx, XlsxError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

type Workbook = Xlsx<BufReader<File>>;

/// Names of the sheets, and whether they can be seen.
pub(super) fn names(path: &Path, name: &str, limits: &Limits) -> Result<Vec<(String, bool)>, Fault> {
    measure(path, name, limits)?;
    guarded(name, || {
        let workbook = open(path).map_err(|e| broken(name, &e))?;
        let sheets = workbook.sheets_metadata().iter();
        Ok(sheets.map(|sheet| (sheet.name.clone(), sheet.visible == SheetVisible::Visible)).collect())
    })
}

/// Names of the columns.
pub(super) fn header(found: &Found<'_>) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    if found.header == 0 {
        return Ok(names);
    }
    each(found, &mut |number, cells| {
        if number == found.header {
            names = cells.into_iter().map(|cell| text(cell).trim().to_owned()).collect();
        }
        Ok(number < found.header)
    })?;
    if names.iter().all(String::is_empty) {
        return Err(Fault::new("KOUAN-CONVERT-NO-HEADER", "工作表没有表头行", "the sheet has no row of column names")
            .at(found.place(found.header, None)));
    }
    Ok(names)
}

pub(super) fn rows(found: &Found<'_>, taker: Taker<'_>) -> Result<(), Fault> {
    each(found, &mut |number, cells| {
        if number > found.header {
            taker(Row { number, cells: found.pick(cells), fault: None })?;
        }
        Ok(true)
    })
}

/// Every row that has cells, until `each` has seen enough.
fn each(found: &Found<'_>, each: &mut dyn FnMut(u32, Vec<Cell>) -> Result<bool, Fault>) -> Result<(), Fault> {
    let name = &found.input.name;
    guarded(name, || {
        let wrong = |e: XlsxError| broken(name, &e);
        let mut workbook = open(&found.input.path).map_err(wrong)?;
        let merged = workbook.merge_cells_by_sheet_name(&found.sheet).map_err(wrong)?;
        let mut merged = Merged(merged.into_iter().map(|of| (of, Cell::Empty)).collect());
        let mut reader = workbook.worksheet_cells_reader(&found.sheet).map_err(wrong)?;
        let (mut row, mut cells, mut held) = (0, BTreeMap::new(), 0_usize);
        loop {
            let next = reader.next_cell().map_err(wrong)?;
            let at = next.as_ref().map(|cell| cell.get_position());
            if at.is_none_or(|(next_row, _)| next_row != row) && !cells.is_empty() {
                held = 0;
                if !each(row + 1, merged.whole(row, std::mem::take(&mut cells)))? {
                    return Ok(());
                }
            }
            let (Some(cell), Some((next_row, column))) = (next, at) else { return Ok(()) };
            if next_row < row {
                return Err(Fault::new("KOUAN-CONVERT-NOT-XLSX", "行的次序是乱的", "the rows are out of order")
                    .at(Place::file(name)));
            }
            row = next_row;
            let cell = value(cell.get_value());
            held += if let Cell::Text(text) = &cell { text.len() } else { 8 };
            if held > found.input.limits.row_bytes {
                let limit = found.input.limits.row_bytes;
                let (zh, en) = (format!("一行超过 {limit} 字节"), format!("a row of more than {limit} bytes"));
                return Err(Fault::new("KOUAN-CONVERT-ROW-TOO-BIG", zh, en).at(found.place(row + 1, None)));
            }
            cells.insert(column, cell);
        }
    })
}

/// Merged cells: what the first of them says, all of them say.
struct Merged(Vec<(Dimensions, Cell)>);

impl Merged {
    /// The row from its first column on, merged cells filled.
    fn whole(&mut self, row: u32, mut cells: BTreeMap<u32, Cell>) -> Vec<Cell> {
        for (of, says) in self.0.iter_mut().filter(|(of, _)| (of.start.0..=of.end.0).contains(&row)) {
            if row == of.start.0 {
                *says = cells.get(&of.start.1).cloned().unwrap_or(Cell::Empty);
            }
            // A title across a whole sheet is no reason to make a row of thousands.
            for column in of.start.1..=of.end.1.min(of.start.1 + 255) {
                let cell = cells.entry(column).or_insert(Cell::Empty);
                if cell.is_empty() {
                    *cell = says.clone();
                }
            }
        }
        let width = cells.last_key_value().map_or(0, |(column, _)| column + 1);
        (0..width.min(COLUMNS)).map(|column| cells.remove(&column).unwrap_or(Cell::Empty)).collect()
    }
}

/// Columns of a sheet at most.
const COLUMNS: u32 = 16_384;

fn value(data: &DataRef<'_>) -> Cell {
    match data {
        DataRef::Empty => Cell::Empty,
        DataRef::Int(number) => Cell::Number(number.to_string()),
        DataRef::Float(float) => number::of_sheet(*float).map_or(Cell::Error("#NUM!".into()), Cell::Number),
        DataRef::String(text) => Cell::Text(text.clone()),
        DataRef::SharedString(text) => Cell::Text((*text).to_owned()),
        DataRef::Bool(flag) => Cell::Text(flag.to_string()),
        DataRef::DateTime(when) => {
            let (year, month, day, hour, minute, second, milli) = when.to_ymd_hms_milli();
            let moment = Moment { year, month, day, hour, minute, second, milli };
            if when.is_datetime() && moment.is_real() {
                Cell::Moment(moment)
            } else {
                number::of_sheet(when.as_f64()).map_or(Cell::Error("#NUM!".into()), Cell::Number)
            }
        }
        DataRef::DateTimeIso(text) => Moment::read(text, "auto").map_or(Cell::Text(text.clone()), Cell::Moment),
        DataRef::DurationIso(text) => Cell::Text(text.clone()),
        DataRef::Error(error) => Cell::Error(error.to_string()),
    }
}

fn text(cell: Cell) -> String {
    match cell {
        Cell::Empty | Cell::Error(_) => String::new(),
        Cell::Text(text) | Cell::Number(text) => text,
        Cell::Moment(moment) => moment.write("yyyy-MM-dd"),
    }
}

fn open(path: &Path) -> Result<Workbook, XlsxError> {
    let file = File::open(path).map_err(XlsxError::Io)?;
    Xlsx::new(BufReader::new(file))
}

/// Unpacks everything once into nothing: what a file says of its own size is not believed.
fn measure(path: &Path, name: &str, limits: &Limits) -> Result<(), Fault> {
    let file = File::open(path).map_err(|e| unreadable(name, &e))?;
    let not = |e: &dyn std::fmt::Display| {
        Fault::new("KOUAN-CONVERT-NOT-XLSX", format!("不是 xlsx 文件：{e}"), format!("no xlsx file: {e}"))
            .at(Place::file(name))
    };
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| not(&e))?;
    let mut left = limits.unpacked_bytes;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(|e| not(&e))?;
        left -= io::copy(&mut entry.take(left), &mut io::sink()).map_err(|e| not(&e))?;
        if left == 0 {
            let limit = limits.unpacked_bytes;
            let (zh, en) = (format!("解压后超过 {limit} 字节"), format!("more than {limit} bytes, unpacked"));
            return Err(Fault::new("KOUAN-CONVERT-TOO-BIG", zh, en).at(Place::file(name)));
        }
    }
    Ok(())
}

/// A workbook that makes its reader stumble is a broken workbook.
fn guarded<T>(name: &str, read: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Fault::new("KOUAN-CONVERT-NOT-XLSX", "工作簿的内部结构是坏的", "the workbook is broken inside")
            .at(Place::file(name)))
    })
}

fn broken(name: &str, error: &XlsxError) -> Fault {
    Fault::new("KOUAN-CONVERT-NOT-XLSX", format!("不是 xlsx 文件：{error}"), format!("no xlsx file: {error}"))
        .at(Place::file(name))
}
