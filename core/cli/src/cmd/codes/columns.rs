//! Which column of a table is which: as it is told, or by the names that official tables use.

use super::rows::refused;
use crate::sheet::{Row, Sheet};
use kouan_sdk::Result;

/// A header stands in the first rows, below a title at most.
const HEADER_WITHIN: usize = 10;

const NO_COLUMN: &str = "KOUAN-CLI-CODES-NO-COLUMN";

/// Names of columns, without blanks and in lower case; the better ones first.
const CODE: &[&str] = &["code", "代码", "编码", "代号", "代码值", "参数代码", "字典代码", "编号"];
const NAME: &[&str] = &[
    "zh",
    "中文名称",
    "中文名",
    "名称",
    "中文",
    "代码名称",
    "参数名称",
    "name",
    "name_zh",
    "含义",
    "说明",
    "描述",
    "内容",
];
const ENGLISH: &[&str] = &["en", "英文名称", "英文名", "英文", "english", "name_en", "englishname"];
const FROM: &[&str] =
    &["from", "生效日期", "生效时间", "启用日期", "开始日期", "有效期起", "起始日期", "valid_from", "startdate"];
const TO: &[&str] = &[
    "to",
    "失效日期",
    "失效时间",
    "停用日期",
    "终止日期",
    "截止日期",
    "结束日期",
    "有效期至",
    "有效期止",
    "有效期",
    "valid_to",
    "enddate",
];

/// As the command line names them: a number from 1, or the header's word.
#[derive(Debug, Default, Clone, clap::Args)]
pub struct Named {
    #[arg(long, value_name = "COLUMN")]
    pub code_column: Option<String>,
    #[arg(long, value_name = "COLUMN")]
    pub name_column: Option<String>,
    #[arg(long, value_name = "COLUMN")]
    pub english_column: Option<String>,
    #[arg(long, value_name = "COLUMN")]
    pub from_column: Option<String>,
    #[arg(long, value_name = "COLUMN")]
    pub to_column: Option<String>,
}

/// Where each stands, and how many rows there are before the first code.
#[derive(Debug, PartialEq, Eq)]
pub struct Columns {
    pub skip: usize,
    pub code: usize,
    pub name: usize,
    pub english: Option<usize>,
    pub from: Option<usize>,
    pub to: Option<usize>,
}

/// Finds the columns of `sheet`.
///
/// # Errors
/// `KOUAN-CLI-CODES-NO-COLUMN` with the line of the header and its words.
pub fn find(sheet: &Sheet, named: &Named) -> Result<Columns> {
    let header = sheet.rows.iter().take(HEADER_WITHIN).position(|row| is_header(row, named));
    let row = header.and_then(|at| sheet.rows.get(at));
    let code = column(row, named.code_column.as_deref(), CODE);
    let name = column(row, named.name_column.as_deref(), NAME);
    let (Some(code), Some(name)) = (code, name) else { return Err(missing(sheet, row, code.is_none())) };
    let other = |named: &Option<String>, words| match named {
        None => Ok(row.and_then(|row| by_word(row, words))),
        Some(asked) => column(row, Some(asked), words)
            .map(Some)
            .ok_or_else(|| refused(NO_COLUMN, row.map_or(1, |row| row.line), &format!("no column is called {asked}"))),
    };
    let english = other(&named.english_column, ENGLISH)?;
    let (from, to) = (other(&named.from_column, FROM)?, other(&named.to_column, TO)?);
    if code == name {
        return Err(refused(NO_COLUMN, row.map_or(1, |row| row.line), "code and name are one column"));
    }
    Ok(Columns { skip: header.map_or(0, |at| at + 1), code, name, english, from, to })
}

/// A header says what its columns are: it has the words that were asked for, else one for the code and one for the name.
fn is_header(row: &Row, named: &Named) -> bool {
    let has = |named: &Option<String>, words| match named.as_deref() {
        Some(asked) if number(asked).is_none() => Some(by_name(row, asked).is_some()),
        Some(_) => None,
        None => Some(by_word(row, words).is_some()),
    };
    match (has(&named.code_column, CODE), has(&named.name_column, NAME)) {
        // Both by number: the row is a header if any of its words is one.
        (None, None) => by_word(row, CODE).is_some() || by_word(row, NAME).is_some(),
        (code, name) => code.unwrap_or(true) && name.unwrap_or(true),
    }
}

fn column(header: Option<&Row>, named: Option<&str>, words: &[&str]) -> Option<usize> {
    match named {
        Some(asked) => number(asked).or_else(|| by_name(header?, asked)),
        None => by_word(header?, words),
    }
}

fn number(text: &str) -> Option<usize> {
    text.parse::<usize>().ok()?.checked_sub(1)
}

fn by_name(row: &Row, asked: &str) -> Option<usize> {
    row.cells.iter().position(|cell| plain(cell) == plain(asked))
}

/// The column whose name is one of the words; else the only one whose name ends with a word: 关区代码, 国别（地区）名称.
fn by_word(row: &Row, words: &[&str]) -> Option<usize> {
    let cells: Vec<String> = row.cells.iter().map(|cell| plain(cell)).collect();
    if let Some(at) = words.iter().find_map(|word| cells.iter().position(|cell| cell == word)) {
        return Some(at);
    }
    let is_english = |cell: &str| cell.contains("英文");
    let ends = |word: &&&str| !word.is_ascii() && word.chars().count() >= 2;
    let mut found = cells.iter().enumerate().filter(|(_, cell)| {
        words.iter().filter(ends).any(|word| cell.ends_with(*word)) && (words == ENGLISH || !is_english(cell))
    });
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

fn plain(cell: &str) -> String {
    cell.chars().filter(|c| !c.is_whitespace() && *c != '*').collect::<String>().to_lowercase()
}

fn missing(sheet: &Sheet, header: Option<&Row>, code: bool) -> kouan_sdk::Error {
    let what = if code { "codes" } else { "names" };
    let first = header.or(sheet.rows.first());
    let cells = first.map(|row| row.cells.iter().take(12).map(|cell| kouan_schema::shortened(cell)));
    let cells: Vec<_> = cells.into_iter().flatten().collect();
    refused(
        NO_COLUMN,
        first.map_or(1, |row| row.line),
        &format!("which column holds the {what}? {}", cells.join(" | ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet;

    fn found(text: &str, named: &Named) -> Result<Columns> {
        find(&sheet::read(text.as_bytes(), None, None).unwrap(), named)
    }

    fn named(code: &str, name: &str) -> Named {
        Named { code_column: Some(code.into()), name_column: Some(name.into()), ..Named::default() }
    }

    #[test]
    fn official_headers_are_understood_below_a_title_and_in_any_order() {
        let of = |text: &str| found(text, &Named::default()).unwrap();
        let columns = of("关区代码表,,,\n序号,关区名称,关区代码,英文名称\n1,北京,0100,\n");
        assert_eq!((columns.skip, columns.code, columns.name, columns.english), (2, 2, 1, Some(3)));
        let columns = of("代码,名称,生效日期,失效日期\n");
        assert_eq!((columns.from, columns.to), (Some(2), Some(3)));
        let columns = of("Code,Name\n");
        assert_eq!((columns.skip, columns.code, columns.name), (1, 0, 1));
        let columns = of("code,zh,en,from,to\n");
        assert_eq!((columns.english, columns.from, columns.to), (Some(2), Some(3), Some(4)));
        let columns = of("国别代码,国别中文名称,国别英文名称\n");
        assert_eq!((columns.code, columns.name, columns.english), (0, 1, Some(2)));
    }

    #[test]
    fn columns_may_be_named_by_word_or_number() {
        let columns = found("甲,乙\n1,2\n", &named("乙", "甲")).unwrap();
        assert_eq!((columns.skip, columns.code, columns.name), (1, 1, 0));
        let columns = found("0100,北京\n0200,天津\n", &named("1", "2")).unwrap();
        assert_eq!((columns.skip, columns.code, columns.name), (0, 0, 1));
        let columns = found("代码,甲\n0100,北京\n", &named("1", "2")).unwrap();
        assert_eq!(columns.skip, 1, "a header is no code, even where columns are numbered");
    }

    #[test]
    fn a_table_without_a_known_header_asks() {
        for (text, named) in [
            ("0100,北京\n", Named::default()),
            ("关区代码,原关区代码,名称\n", Named::default()),
            ("代码,名称\n", named("3x", "名称")),
            ("代码,名称\n", named("1", "1")),
            ("代码,名称\n", Named { to_column: Some("期限".into()), ..Named::default() }),
            ("", Named::default()),
        ] {
            let error = found(text, &named).unwrap_err();
            assert!(error.code == NO_COLUMN && error.message.starts_with("line 1: "), "{text}: {error}");
        }
    }
}
