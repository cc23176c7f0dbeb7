//! Tables as offices hand them out: CSV and TSV in the encodings of Chinese spreadsheets, and Excel's own files.

use calamine::{Data, Reader as _};
use kouan_sdk::{Error, ErrorKind, Result};
use std::io::{Cursor, Read as _};

/// Rows at most.
const MOST_ROWS: usize = 200_000;
/// Columns at most; a spreadsheet that is formatted to its last column is no table.
const MOST_COLUMNS: usize = 256;
/// Bytes of a workbook, unpacked.
const MOST_UNPACKED: u64 = 256 << 20;

const UNREADABLE: &str = "KOUAN-CLI-TABLE-UNREADABLE";
const UNDECODABLE: &str = "KOUAN-CLI-TABLE-UNDECODABLE";
/// The table is larger than any official one.
pub const TOO_LARGE: &str = "KOUAN-CLI-TABLE-TOO-LARGE";

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    Utf8,
    /// GBK and GB2312 are part of it.
    #[value(name = "gb18030", aliases = ["gbk", "gb2312"])]
    Gb18030,
    #[value(name = "utf16")]
    Utf16,
}

/// A row that has something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line of the text, or row of the worksheet, from 1.
    pub line: u64,
    /// Cells without blanks around them.
    pub cells: Vec<String>,
}

impl Row {
    /// A cell; empty beyond the last.
    pub fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map_or("", String::as_str)
    }
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Sheet {
    /// `# key=value` lines at the beginning.
    pub head: Vec<(String, String)>,
    pub rows: Vec<Row>,
    /// How it was read: `UTF-8`, `GB18030`, `UTF-16`, or the worksheet's name.
    pub form: String,
}

impl Sheet {
    /// A value of the head.
    pub fn head(&self, key: &str) -> Option<&str> {
        self.head.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// Reads a table by what its bytes are; `encoding` and `worksheet` where somebody knows better.
///
/// # Errors
/// `KOUAN-CLI-TABLE-…` with the line.
pub fn read(bytes: &[u8], encoding: Option<Encoding>, worksheet: Option<&str>) -> Result<Sheet> {
    let is_workbook = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0");
    let sheet = if is_workbook { workbook(bytes, worksheet)? } else { text(bytes, encoding)? };
    if sheet.rows.len() > MOST_ROWS {
        return Err(invalid(TOO_LARGE, format!("more than {MOST_ROWS} rows")));
    }
    Ok(sheet)
}

fn text(bytes: &[u8], encoding: Option<Encoding>) -> Result<Sheet> {
    let (text, form) = decoded(bytes, encoding)?;
    let (mut head, mut start, mut lines) = (Vec::new(), 0, 0);
    for line in text.split_inclusive('\n').take_while(|line| line.starts_with('#')) {
        if let Some((key, value)) = line.trim_start_matches('#').split_once('=') {
            head.push((key.trim().to_owned(), value.trim().to_owned()));
        }
        start += line.len();
        lines += 1;
    }
    let body = text.get(start..).unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(body))
        .from_reader(body.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| invalid(UNREADABLE, e.to_string()))?;
        let line = record.position().map_or(0, |at| line_of(body, at)) + lines;
        if record.len() > MOST_COLUMNS {
            return Err(invalid(TOO_LARGE, format!("line {line}: more than {MOST_COLUMNS} columns")));
        }
        rows.push(Row { line, cells: record.iter().map(trimmed).collect() });
        if rows.len() > MOST_ROWS {
            break;
        }
    }
    rows.retain(|row| row.cells.iter().any(|cell| !cell.is_empty()));
    Ok(Sheet { head, rows, form: form.to_owned() })
}

/// The line in which a record begins; the reader's position is before the empty lines above it.
fn line_of(text: &str, at: &csv::Position) -> u64 {
    let rest = usize::try_from(at.byte()).ok().and_then(|byte| text.as_bytes().get(byte..)).unwrap_or_default();
    let above = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n')).filter(|b| **b == b'\n').count();
    at.line() + above as u64
}

/// The text, strictly: a byte that is no character is an error, never a replacement.
fn decoded(bytes: &[u8], encoding: Option<Encoding>) -> Result<(String, &'static str)> {
    let bom = encoding_rs::Encoding::for_bom(bytes).map(|(found, _)| found);
    let is_utf8 = || std::str::from_utf8(bytes).is_ok();
    let (decoder, form) = match (encoding, bom) {
        (Some(Encoding::Utf16), None) => (encoding_rs::UTF_16LE, "UTF-16"),
        (Some(Encoding::Utf16), Some(found)) | (None, Some(found)) if found != encoding_rs::UTF_8 => (found, "UTF-16"),
        (Some(Encoding::Gb18030), _) => (encoding_rs::GB18030, "GB18030"),
        (None, None) if !is_utf8() => (encoding_rs::GB18030, "GB18030"),
        _ => (encoding_rs::UTF_8, "UTF-8"),
    };
    let (text, broken) = decoder.decode_with_bom_removal(bytes);
    // U+0000 in a text is a binary file, or UTF-16 without its mark.
    let wrong = if broken { text.find('\u{FFFD}') } else { text.find('\0') };
    if broken || wrong.is_some() {
        let line = text.get(..wrong.unwrap_or(0)).unwrap_or_default().matches('\n').count() + 1;
        return Err(invalid(UNDECODABLE, format!("line {line}: no {form} text")));
    }
    Ok((text.into_owned(), form))
}

/// What stands between the cells: a tab if every line has one, else what most of the first lines hold.
fn delimiter(text: &str) -> u8 {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(10).collect();
    if !lines.is_empty() && lines.iter().filter(|line| line.contains('\t')).count() * 2 > lines.len() {
        return b'\t';
    }
    let count = |of: u8| lines.iter().map(|line| line.bytes().filter(|b| *b == of).count()).sum::<usize>();
    // The first of equals: a text without any is a single column.
    [b',', b';', b'|'].into_iter().rev().max_by_key(|of| count(*of)).unwrap_or(b',')
}

fn workbook(bytes: &[u8], worksheet: Option<&str>) -> Result<Sheet> {
    let unreadable = |why: String| invalid(UNREADABLE, why);
    if bytes.starts_with(b"PK") {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| unreadable(e.to_string()))?;
        // Counted, not asked for: the sizes that an archive declares may be lies.
        let mut left = MOST_UNPACKED;
        for at in 0..archive.len() {
            let file = archive.by_index(at).map_err(|e| unreadable(e.to_string()))?;
            let unpacked = std::io::copy(&mut file.take(left + 1), &mut std::io::sink());
            left = left
                .checked_sub(unpacked.map_err(|e| unreadable(e.to_string()))?)
                .ok_or_else(|| invalid(TOO_LARGE, format!("more than {MOST_UNPACKED} bytes unpacked")))?;
        }
    }
    let mut book = calamine::open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(|e| unreadable(e.to_string()))?;
    let names = book.sheet_names();
    let name = match worksheet {
        Some(name) if !names.iter().any(|known| known == name) => {
            return Err(unreadable(format!("no worksheet is called {name}, only {}", names.join(", "))));
        }
        Some(name) => name.to_owned(),
        None => names.first().cloned().ok_or_else(|| unreadable("it has no worksheet".to_owned()))?,
    };
    let range = book.worksheet_range(&name).map_err(|e| unreadable(e.to_string()))?;
    if range.width() > MOST_COLUMNS {
        return Err(invalid(TOO_LARGE, format!("worksheet {name}: more than {MOST_COLUMNS} columns")));
    }
    let first = range.start().map_or(0, |(row, _)| u64::from(row)) + 1;
    let rows = (first..).zip(range.rows()).map(|(line, cells)| Row { line, cells: cells.iter().map(shown).collect() });
    let rows = rows.filter(|row| row.cells.iter().any(|cell| !cell.is_empty())).take(MOST_ROWS + 1).collect();
    Ok(Sheet { head: Vec::new(), rows, form: name })
}

/// A cell as the reader of the sheet sees it, as far as its format matters to codes.
fn shown(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => trimmed(text),
        Data::DateTime(moment) => {
            let (year, month, day, ..) = moment.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        Data::Int(number) => number.to_string(),
        Data::Float(number) => number.to_string(),
        Data::Bool(truth) => truth.to_string(),
        Data::Error(error) => error.to_string(),
    }
}

/// Without blanks around it, the ideographic one included.
fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

fn invalid(code: &'static str, why: String) -> Error {
    Error::new(ErrorKind::Invalid, code, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(bytes: &[u8]) -> Vec<Vec<String>> {
        read(bytes, None, None).unwrap().rows.into_iter().map(|row| row.cells).collect()
    }

    #[test]
    fn every_encoding_and_delimiter_gives_the_same_cells() {
        let text = "代码,名称\n0100,北京关区\n";
        let expected = [["代码", "名称"], ["0100", "北京关区"]];
        let gbk = encoding_rs::GBK.encode(text).0.into_owned();
        let utf16: Vec<u8> = [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let with_bom = format!("\u{FEFF}{text}").into_bytes();
        for bytes in [text.as_bytes(), &gbk, &utf16, &with_bom] {
            assert_eq!(cells(bytes), expected);
        }
        for delimiter in ["\t", ";", "|"] {
            assert_eq!(cells(text.replace(',', delimiter).as_bytes()), expected, "{delimiter}");
        }
        assert_eq!(cells("1\tcommas, and, more, commas\n2\tb\n".as_bytes())[0][1], "commas, and, more, commas");
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let sheet = read("# table=a\n# x\n\ncode,zh\n\n 1 , \u{3000}甲\u{3000}\n,\n".as_bytes(), None, None).unwrap();
        assert_eq!(sheet.head("table"), Some("a"));
        assert_eq!(sheet.rows[0].line, 4);
        assert_eq!(sheet.rows[1], Row { line: 6, cells: vec!["1".into(), "甲".into()] });
        assert_eq!((sheet.rows.len(), sheet.rows[1].cell(7)), (2, ""));
    }

    /// A workbook with these worksheets, each of rows of cells as the file writes them.
    fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
        use std::io::Write as _;
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let mut file = |name: &str, text: &str| {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        };
        let (office, package) = (
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            "http://schemas.openxmlformats.org/package/2006",
        );
        let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        file("[Content_Types].xml", &format!("<Types xmlns=\"{package}/content-types\"/>"));
        let (mut named, mut related) = (String::new(), String::new());
        for (at, (name, rows)) in sheets.iter().enumerate() {
            named += &format!("<sheet name=\"{name}\" sheetId=\"{0}\" r:id=\"r{0}\"/>", at + 1);
            related += &format!(
                "<Relationship Id=\"r{0}\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet{0}.xml\"/>",
                at + 1
            );
            file(
                &format!("xl/worksheets/sheet{}.xml", at + 1),
                &format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>"),
            );
        }
        file(
            "_rels/.rels",
            &format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"w\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        );
        file(
            "xl/workbook.xml",
            &format!("<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets>{named}</sheets></workbook>"),
        );
        file(
            "xl/_rels/workbook.xml.rels",
            &format!("<Relationships xmlns=\"{package}/relationships\">{related}</Relationships>"),
        );
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn a_workbook_is_read_by_its_worksheets_and_numbers_have_no_decimals() {
        let text = |at: &str, text: &str| format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>");
        let first = format!(
            "<row r=\"2\">{}{}</row><row r=\"4\"><c r=\"A4\"><v>100</v></c>{}</row>",
            text("A2", "代码"),
            text("B2", "名称"),
            text("B4", " 北京关区 ")
        );
        let second = format!("<row r=\"1\">{}</row>", text("A1", "x"));
        let bytes = workbook(&[("关区", &first), ("说明", &second)]);
        let sheet = read(&bytes, None, None).unwrap();
        let row = |line, cells: [&str; 2]| Row { line, cells: cells.map(str::to_owned).to_vec() };
        assert_eq!(sheet.rows, [row(2, ["代码", "名称"]), row(4, ["100", "北京关区"])]);
        assert_eq!(sheet.form, "关区");
        assert_eq!(read(&bytes, None, Some("说明")).unwrap().rows[0].cells, ["x"]);
        let error = read(&bytes, None, Some("别的")).unwrap_err();
        assert!(error.code == UNREADABLE && error.message.contains("关区, 说明"), "{error}");
    }

    #[test]
    fn an_archive_that_lies_about_its_size_is_too_large() {
        use std::io::Write as _;
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("xl/workbook.xml", zip::write::SimpleFileOptions::default()).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..=MOST_UNPACKED >> 20 {
            archive.write_all(&zeros).unwrap();
        }
        let mut bytes = archive.finish().unwrap().into_inner();
        assert_eq!(read(&bytes, None, None).unwrap_err().code, TOO_LARGE);
        // The same with a small size in both headers.
        let size = u32::try_from(((MOST_UNPACKED >> 20) + 1) << 20).unwrap().to_le_bytes();
        let places: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + 4].copy_from_slice(&[9, 0, 0, 0]);
        }
        let error = read(&bytes, None, None).unwrap_err();
        assert!([TOO_LARGE, UNREADABLE].contains(&&*error.code), "{error}");
    }

    #[test]
    fn what_is_no_text_or_no_workbook_is_named() {
        let refused = |bytes: &[u8], encoding| read(bytes, encoding, None).unwrap_err();
        let error = refused(b"code,name\n1,\xFF\xFF\n", None);
        assert!(error.code == UNDECODABLE && error.message.contains("line 2"), "{error}");
        let gbk = encoding_rs::GBK.encode("代码").0.into_owned();
        assert_eq!(refused(&gbk, Some(Encoding::Utf8)).code, UNDECODABLE);
        assert_eq!(refused(b"\0\x01\x02", None).code, UNDECODABLE);
        assert_eq!(refused(b"PK\x03\x04broken", None).code, UNREADABLE);
        assert_eq!(refused(b"\xD0\xCF\x11\xE0broken", None).code, UNREADABLE);
        assert_eq!(refused("a,b\n".repeat(MOST_ROWS + 1).as_bytes(), None).code, TOO_LARGE);
        assert_eq!(refused(",".repeat(MOST_COLUMNS + 1).as_bytes(), None).code, TOO_LARGE);
    }
}
