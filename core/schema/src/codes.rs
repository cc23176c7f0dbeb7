//! Code tables (代码表): CSV files, sorted at load.

use crate::error::{BAD_CODES, LoadError};
use std::collections::BTreeMap;

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Code {
    /// The code.
    pub code: String,
    /// Chinese name.
    pub zh: String,
    /// English name.
    pub en: String,
    /// First day in force, yyyy-MM-dd; empty = always was.
    pub from: String,
    /// Last day in force; empty = still is.
    pub to: String,
}

/// A code table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CodeTable {
    /// Name, as fields refer to it.
    pub name: String,
    /// Chinese name.
    pub name_zh: String,
    /// English name.
    pub name_en: String,
    /// Whether every code is in it; an unknown code is then an error.
    pub complete: bool,
    /// Where it comes from.
    pub source: String,
    /// When it was taken from there, yyyy-MM-dd.
    pub date: String,
    /// Whether a site has laid it over the business's own table of that name.
    pub of_site: bool,
    /// Rows, sorted by code.
    pub rows: Vec<Code>,
}

/// What a table says of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup<'t> {
    Known(&'t Code),
    /// In the table, but not on that day.
    NotInForce(&'t Code),
    Unknown,
}

impl CodeTable {
    /// Reads a table from CSV: `# key=value` lines, then `code,zh,en,from,to`.
    ///
    /// # Errors
    /// `KOUAN-SCHEMA-BAD-CODES` with the line.
    pub fn read(path: &str, bytes: &[u8]) -> Result<Self, LoadError> {
        let text = std::str::from_utf8(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes))
            .map_err(|e| LoadError::whole(BAD_CODES, path, format!("not UTF-8 at byte {}", e.valid_up_to())))?;
        let mut head = BTreeMap::new();
        for line in text.lines().take_while(|line| line.starts_with('#')) {
            if let Some((key, value)) = line.trim_start_matches('#').split_once('=') {
                head.insert(key.trim(), value.trim());
            }
        }
        let of = |key: &str| head.get(key).map(|v| (*v).to_owned()).unwrap_or_default();
        let name = of("table");
        if name.is_empty() {
            return Err(LoadError::whole(BAD_CODES, path, "no line # table=…"));
        }
        let complete = match of("complete").as_str() {
            "yes" => true,
            "no" => false,
            other => return Err(LoadError::whole(BAD_CODES, path, format!("complete={other} is neither yes nor no"))),
        };
        let rows = rows(path, text)?;
        Ok(Self {
            name,
            name_zh: of("name_zh"),
            name_en: of("name_en"),
            complete,
            source: of("source"),
            date: of("date"),
            of_site: false,
            rows,
        })
    }

    /// The table as [`Self::read`] takes it, whoever laid it there.
    ///
    /// # Errors
    /// `KOUAN-SCHEMA-BAD-CODES` if it could not be read again: what [`Self::read`] refuses stands in it.
    pub fn write(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        let complete = if self.complete { "yes" } else { "no" };
        let mut text = String::new();
        for (key, value) in [
            ("table", self.name.as_str()),
            ("name_zh", &self.name_zh),
            ("name_en", &self.name_en),
            ("complete", complete),
            ("source", &self.source),
            ("date", &self.date),
        ] {
            let value = value.replace(|c: char| c.is_control(), " ");
            text.push_str(&format!("# {key}={}\n", value.trim()));
        }
        let failed = |error: csv::Error| LoadError::whole(BAD_CODES, path, error.to_string());
        let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(text.into_bytes());
        writer.write_record(["code", "zh", "en", "from", "to"]).map_err(failed)?;
        for row in &self.rows {
            writer.write_record([&row.code, &row.zh, &row.en, &row.from, &row.to]).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|e| LoadError::whole(BAD_CODES, path, e.error().to_string()))?;
        Self::read(path, &bytes)?;
        Ok(bytes)
    }

    /// What the table says of `code` on `date` (yyyy-MM-dd; `None` = whenever).
    pub(crate) fn lookup(&self, code: &str, date: Option<&str>) -> Lookup<'_> {
        let start = self.rows.partition_point(|row| row.code.as_str() < code);
        let same = self.rows.iter().skip(start).take_while(|row| row.code == code);
        let mut seen = Lookup::Unknown;
        for row in same {
            if date.is_none_or(|date| in_force(date, &row.from, &row.to)) {
                return Lookup::Known(row);
            }
            seen = Lookup::NotInForce(row);
        }
        seen
    }
}

/// Whether `date` is within `from` and `to`, both inclusive; empty = open.
pub(crate) fn in_force(date: &str, from: &str, to: &str) -> bool {
    (from.is_empty() || from <= date) && (to.is_empty() || date <= to)
}

/// Whether `text` is a day written yyyy-MM-dd.
pub(crate) fn is_day(text: &str) -> bool {
    text.len() == 10
        && crate::value::is_date8(&text.replace('-', ""))
        && text.bytes().filter(|b| *b == b'-').count() == 2
}

fn rows(path: &str, text: &str) -> Result<Vec<Code>, LoadError> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).flexible(true).from_reader(text.as_bytes());
    let wrong = |line: u64, message: String| LoadError {
        line: u32::try_from(line).unwrap_or(0),
        column: 1,
        ..LoadError::whole(BAD_CODES, path, message)
    };
    let header = reader.headers().map_err(|e| wrong(0, e.to_string()))?;
    if header.iter().take(3).ne(["code", "zh", "en"]) {
        return Err(wrong(
            header.position().map_or(0, csv::Position::line),
            "the header is not code,zh,en,from,to".into(),
        ));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| wrong(e.position().map_or(0, csv::Position::line), e.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        let of = |at: usize| record.get(at).unwrap_or("").to_owned();
        let row = Code { code: of(0), zh: of(1), en: of(2), from: of(3), to: of(4) };
        if row.code.is_empty() {
            return Err(wrong(line, "a row without a code".into()));
        }
        for day in [&row.from, &row.to] {
            if !day.is_empty() && !is_day(day) {
                return Err(wrong(line, format!("{day} is not a day yyyy-MM-dd")));
            }
        }
        rows.push((line, row));
    }
    rows.sort_by(|a, b| (&a.1.code, &a.1.from).cmp(&(&b.1.code, &b.1.from)));
    for pair in rows.windows(2) {
        if let [(_, a), (line, b)] = pair
            && a.code == b.code
            && (a.to.is_empty() || b.from.is_empty() || b.from <= a.to)
        {
            return Err(wrong(*line, format!("the code {} stands twice for the same time", b.code)));
        }
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# table=oper\n# name_zh=操作类型\n# complete=yes\n# source=none\n# date=2026-01-01\ncode,zh,en,from,to\nG,暂存,draft,,\nC,申报,\"declare, now\",2020-01-01,2025-12-31\nC,申报,declare,2026-01-01,\n";

    #[test]
    fn reads_and_looks_up() {
        let table = CodeTable::read("oper.csv", TABLE.as_bytes()).unwrap();
        assert_eq!((table.name.as_str(), table.complete, table.rows.len()), ("oper", true, 3));
        assert!(matches!(table.lookup("G", None), Lookup::Known(row) if row.zh == "暂存"));
        assert!(matches!(table.lookup("C", Some("2025-06-01")), Lookup::Known(row) if row.en == "declare, now"));
        assert!(matches!(table.lookup("C", Some("2019-06-01")), Lookup::NotInForce(_)));
        assert_eq!(table.lookup("X", None), Lookup::Unknown);
        assert_eq!(table.lookup("", None), Lookup::Unknown);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut table = CodeTable::read("oper.csv", TABLE.as_bytes()).unwrap();
        table.source = "a\nfile".into();
        table.rows[0].code = "#1".into();
        table.rows[0].zh = "\"引号\",\n换行".into();
        let bytes = table.write("oper.csv").unwrap();
        table.source = "a file".into();
        assert_eq!(CodeTable::read("oper.csv", &bytes).unwrap(), table);
        table.rows[1].code.clear();
        assert_eq!(table.write("oper.csv").unwrap_err().code, BAD_CODES);
    }

    #[test]
    fn refuses_broken_tables() {
        let refused = |text: &str| CodeTable::read("t.csv", text.as_bytes()).unwrap_err();
        assert!(refused("code,zh,en\n").message.contains("table="));
        assert!(refused("# table=t\n# complete=maybe\ncode,zh,en\n").message.contains("maybe"));
        assert!(refused("# table=t\n# complete=yes\nCode,zh,en\n").message.contains("header"));
        assert_eq!(refused("# table=t\n# complete=yes\ncode,zh,en,from,to\nA,甲,a,,\nA,甲,a,,\n").line, 5);
        assert!(refused("# table=t\n# complete=yes\ncode,zh,en,from,to\nA,甲,a,2026-02-30,\n").message.contains("day"));
        assert!(refused("# table=t\n# complete=yes\ncode,zh,en,from,to\n,甲,a,,\n").message.contains("without a code"));
        assert_eq!(CodeTable::read("t.csv", b"\xFF").unwrap_err().code, BAD_CODES);
    }
}
