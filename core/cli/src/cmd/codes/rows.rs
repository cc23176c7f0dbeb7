//! A sheet's rows as codes: what is empty, twice or unfit is refused with its line.

use super::columns::Columns;
use crate::sheet::{Row, Sheet};
use kouan_schema::{Code, CodedField};
use kouan_sdk::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

/// The codes of `sheet`, each with its line. Codes of digits only are filled up with zeros to `pad`.
///
/// # Errors
/// `KOUAN-CLI-CODES-…`, of the first row at fault.
pub fn codes(sheet: &Sheet, columns: &Columns, pad: usize) -> Result<Vec<(u64, Code)>> {
    let mut codes = Vec::with_capacity(sheet.rows.len());
    for row in sheet.rows.iter().skip(columns.skip) {
        codes.push((row.line, code(row, columns, pad)?));
    }
    if codes.is_empty() {
        return Err(refused("KOUAN-CLI-CODES-NONE", 1, "no row with a code"));
    }
    once(&codes)?;
    Ok(codes)
}

fn code(row: &Row, columns: &Columns, pad: usize) -> Result<Code> {
    let cell = |at: Option<usize>| at.map(|at| row.cell(at)).unwrap_or_default();
    let written = row.cell(columns.code);
    if written.is_empty() {
        return Err(refused("KOUAN-CLI-CODES-EMPTY", row.line, "a row without a code"));
    }
    let digits = written.bytes().all(|b| b.is_ascii_digit());
    let code = if digits { format!("{written:0>pad$}") } else { written.to_owned() };
    let day = |at| day(cell(at)).ok_or_else(|| wrong_day(row.line, cell(at)));
    let (mut from, mut to) = (day_before_to(cell(columns.from)), String::new());
    match period(cell(columns.to)) {
        Some((first, last)) => (from, to) = (Some(first), last),
        None => to.push_str(&day(columns.to)?),
    }
    let from = from.map_or_else(|| day(columns.from), Ok)?;
    if !to.is_empty() && to < from {
        return Err(wrong_day(row.line, &format!("{from} to {to}")));
    }
    Ok(Code { code, zh: row.cell(columns.name).to_owned(), en: cell(columns.english).to_owned(), from, to })
}

/// A first day that was never one: systems write 1900-01-01 for "always was".
fn day_before_to(text: &str) -> Option<String> {
    day(text).filter(|day| day.as_str() <= "1900-01-01").map(|_| String::new())
}

/// A whole period in one cell: `2020-01-01至2025-12-31`.
fn period(text: &str) -> Option<(String, String)> {
    ["至", "到", "~", "～", "—"].into_iter().find_map(|mark| {
        let (from, to) = text.split_once(mark)?;
        Some((day(from)?, day(to)?))
    })
}

/// A day as yyyy-MM-dd; empty for an open end. `None` if it is none.
pub fn day(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('日');
    if matches!(text, "" | "-" | "--" | "/" | "长期" | "长期有效" | "永久" | "今") {
        return Some(String::new());
    }
    // A time of day behind it does not count.
    let date = text.split([' ', 'T']).next()?;
    let parts: Vec<&str> = match date.len() {
        8 if date.bytes().all(|b| b.is_ascii_digit()) => vec![date.get(..4)?, date.get(4..6)?, date.get(6..)?],
        _ => date.split(['-', '/', '.', '年', '月']).collect(),
    };
    let [year, month, day] = parts.as_slice() else { return None };
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    if year == 9999 || year == 2999 {
        return Some(String::new());
    }
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        2 => 28 + u16::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    let is_day = (1000..9999).contains(&year) && (1..=last).contains(&day);
    is_day.then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// Refuses a code that stands twice for the same time.
fn once(codes: &[(u64, Code)]) -> Result<()> {
    let mut seen: BTreeMap<&str, Vec<&(u64, Code)>> = BTreeMap::new();
    for row in codes {
        let (line, code) = row;
        let same = seen.entry(&code.code).or_default();
        let before = |a: &str, b: &str| !a.is_empty() && a < b;
        let apart = |other: &Code| before(&other.to, &code.from) || before(&code.to, &other.from);
        if let Some((first, _)) = same.iter().find(|(_, other)| !apart(other)) {
            let why = format!("the code {} stands in line {first}, too, for the same time", shown(&code.code));
            return Err(refused("KOUAN-CLI-CODES-TWICE", *line, &why));
        }
        same.push(row);
    }
    Ok(())
}

/// Refuses a code that none of the table's fields could hold. The faults are told in Chinese and English.
///
/// # Errors
/// `KOUAN-CLI-CODES-UNFIT` of the first such code; how many there are.
pub fn fit(codes: &[(u64, Code)], fields: &[CodedField<'_>], chinese: bool) -> Result<()> {
    let fault = |code: &Code| {
        let faults: Option<Vec<_>> = fields.iter().map(|field| field.fault(&code.code)).collect();
        faults?.into_iter().next()
    };
    let mut unfit = codes.iter().filter_map(|(line, code)| Some((line, code, fault(code)?)));
    let Some((line, code, (zh, en))) = unfit.next() else { return Ok(()) };
    let why = format!("{}: {}", shown(&code.code), if chinese { zh } else { en });
    let more = match unfit.count() {
        0 => String::new(),
        more => format!(" (+{more})"),
    };
    Err(refused("KOUAN-CLI-CODES-UNFIT", *line, &format!("{why}{more}")))
}

fn wrong_day(line: u64, text: &str) -> Error {
    refused("KOUAN-CLI-CODES-BAD-DAY", line, &format!("{} is no day", shown(text)))
}

fn shown(text: &str) -> String {
    kouan_schema::shortened(text)
}

/// A table that is not taken, and where.
pub fn refused(code: &'static str, line: u64, why: &str) -> Error {
    Error::new(ErrorKind::Invalid, code, format!("line {line}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::codes::columns::{Named, find};
    use crate::sheet;

    fn read(text: &str, pad: usize) -> Result<Vec<(u64, Code)>> {
        let sheet = sheet::read(text.as_bytes(), None, None).unwrap();
        codes(&sheet, &find(&sheet, &Named::default()).unwrap(), pad)
    }

    #[test]
    fn days_are_read_in_every_usual_form() {
        for text in ["2026-01-05", "20260105", "2026/1/5", "2026.01.05", "2026年1月5日", "2026-01-05 00:00:00"] {
            assert_eq!(day(text).as_deref(), Some("2026-01-05"), "{text}");
        }
        for open in ["", "长期", "9999-12-31", "99991231"] {
            assert_eq!(day(open).as_deref(), Some(""), "{open}");
        }
        assert_eq!(day("2024-02-29").as_deref(), Some("2024-02-29"));
        for wrong in ["2026-02-29", "2026-13-01", "5", "明天", "2026-1", "+2026-1-1", "2026-01-00"] {
            assert_eq!(day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn rows_become_codes_with_their_periods() {
        let rows = read("代码,名称,有效期\n1,甲,2020-01-01至2024-12-31\n1,乙,\nA,丙,20301231\n", 3);
        assert_eq!(rows.unwrap_err().code, "KOUAN-CLI-CODES-TWICE", "an open period touches every other");
        let rows =
            read("代码,名称,生效日期,失效日期\n1,甲,1900-01-01,2024-12-31\n1,乙,2025/1/1,\nA,丙,,\n", 3).unwrap();
        let told: Vec<_> = rows.iter().map(|(l, c)| (*l, &*c.code, &*c.zh, &*c.from, &*c.to)).collect();
        assert_eq!(
            told,
            [(2, "001", "甲", "", "2024-12-31"), (3, "001", "乙", "2025-01-01", ""), (4, "A", "丙", "", "")]
        );
        let rows = read("代码,名称,有效期\n1,甲,2020-01-01至2024-12-31\n", 0).unwrap();
        assert_eq!((&*rows[0].1.from, &*rows[0].1.to), ("2020-01-01", "2024-12-31"));
    }

    #[test]
    fn a_row_at_fault_is_named_with_its_line() {
        for (text, code, line) in [
            ("代码,名称\n1,甲\n,乙\n", "KOUAN-CLI-CODES-EMPTY", "line 3: "),
            ("代码,名称\n1,甲\n2,乙\n1,丙\n", "KOUAN-CLI-CODES-TWICE", "line 4: "),
            ("代码,名称,失效日期\n1,甲,明天\n", "KOUAN-CLI-CODES-BAD-DAY", "line 2: "),
            ("代码,名称,生效日期,失效日期\n1,甲,2025-01-01,2024-01-01\n", "KOUAN-CLI-CODES-BAD-DAY", "line 2: "),
            ("代码,名称\n", "KOUAN-CLI-CODES-NONE", "line 1: "),
        ] {
            let error = read(text, 0).unwrap_err();
            assert!(error.code == code && error.message.starts_with(line), "{text}: {error}");
        }
    }
}
