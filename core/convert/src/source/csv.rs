//! CSV, row by row: nothing but the row at hand is held.

use super::decoding::{Decoding, detect};
use super::{Cell, Found, Row, Taker, unreadable};
use crate::fault::{Fault, Place};
use csv::{Reader, ReaderBuilder, StringRecord};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};

/// Names of the columns; empty if the table has none.
pub(super) fn header(found: &Found<'_>) -> Result<Vec<String>, Fault> {
    if found.header == 0 {
        return Ok(Vec::new());
    }
    let mut reader = open(found)?;
    let mut record = StringRecord::new();
    while read(found, &mut reader, &mut record)? {
        if line(&record) >= found.header {
            return Ok(record.iter().map(|name| name.trim().to_owned()).collect());
        }
    }
    Err(Fault::new("KOUAN-CONVERT-NO-HEADER", "文件没有表头行", "the file has no row of column names")
        .at(Place::file(&found.input.name)))
}

pub(super) fn rows(found: &Found<'_>, taker: Taker<'_>) -> Result<(), Fault> {
    let mut reader = open(found)?;
    let mut record = StringRecord::new();
    let mut width = None;
    while read(found, &mut reader, &mut record)? {
        let number = line(&record);
        if number <= found.header {
            width = Some(record.len());
            continue;
        }
        let width = *width.get_or_insert(record.len());
        let filled =
            record.iter().zip(1..).filter(|(value, _)| !value.trim().is_empty()).last().map_or(0, |(_, at)| at);
        if filled == 0 {
            continue;
        }
        let fault = (filled > width || record.len() < width).then(|| ragged(found, number, record.len(), width));
        let cells = record.iter().map(|value| Cell::Text(value.to_owned())).collect();
        taker(Row { number, cells: found.pick(cells), fault })?;
    }
    Ok(())
}

fn open(found: &Found<'_>) -> Result<Reader<Decoding>, Fault> {
    let input = found.input;
    let failed = |e: std::io::Error| unreadable(&input.name, &e);
    let encoding = match input.encoding {
        Some(encoding) => encoding,
        None => detect(&input.path).map_err(failed)?.map_err(|at| undecodable(found, at))?,
    };
    let decoded = || File::open(&input.path).map(|file| Decoding::new(file, encoding)).map_err(failed);
    let delimiter = match found.delimiter {
        Some(delimiter) => delimiter,
        None => likely(decoded()?),
    };
    Ok(ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(decoded()?))
}

/// What stands most often in the first line.
fn likely(decoded: Decoding) -> u8 {
    let mut first = Vec::new();
    let mut reader = BufReader::new(decoded);
    // A file that cannot be read is told of when it is read.
    if reader.by_ref().take(1 << 20).read_until(b'\n', &mut first).is_err() {
        return b',';
    }
    let count = |delimiter: &u8| first.iter().filter(|b| *b == delimiter).count();
    [b';', b'\t', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn read(found: &Found<'_>, reader: &mut Reader<Decoding>, record: &mut StringRecord) -> Result<bool, Fault> {
    let more = match reader.read_record(record) {
        Ok(more) => more,
        Err(error) => {
            let at = reader.get_ref().read;
            return Err(match error.kind() {
                csv::ErrorKind::Io(e) if e.kind() != std::io::ErrorKind::InvalidData => {
                    unreadable(&found.input.name, e)
                }
                _ => undecodable(found, at),
            });
        }
    };
    let limit = found.input.limits.row_bytes;
    if more && record.as_slice().len() > limit {
        return Err(Fault::new(
            "KOUAN-CONVERT-ROW-TOO-BIG",
            format!("一行超过 {limit} 字节，多半是引号没有配对"),
            format!("a row of more than {limit} bytes; a quote may not be closed"),
        )
        .at(found.place(line(record), None)));
    }
    Ok(more)
}

fn line(record: &StringRecord) -> u32 {
    record.position().map_or(0, |at| u32::try_from(at.line()).unwrap_or(u32::MAX))
}

fn ragged(found: &Found<'_>, number: u32, has: usize, wanted: usize) -> Fault {
    Fault::new(
        "KOUAN-CONVERT-RAGGED",
        format!("这一行有 {has} 个值，表头有 {wanted} 列"),
        format!("the row has {has} values, the header {wanted} columns"),
    )
    .at(found.place(number, None))
}

fn undecodable(found: &Found<'_>, at: u64) -> Fault {
    Fault::new(
        "KOUAN-CONVERT-ENCODING",
        format!("第 {at} 字节附近不是合法的文字编码"),
        format!("the characters near byte {at} are in no known encoding"),
    )
    .at(Place::file(&found.input.name))
}
