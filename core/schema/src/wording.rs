//! What findings say: to a customs declarant, in Chinese and English.

use crate::schema::{Mode, Notes};
use crate::value::{Base, Bound, Fault, MomentKind};

/// Chinese and English.
pub(crate) type Texts = (String, String);

/// A field as findings call it: `净重(NetWt)` and `NetWt (net weight)`.
pub(crate) fn label(name: &str, notes: &Notes) -> Texts {
    let zh = if notes.zh.is_empty() { name.to_owned() } else { format!("{}({name})", notes.zh) };
    let en = if notes.en.is_empty() { name.to_owned() } else { format!("{name} ({})", notes.en) };
    (zh, en)
}

/// `value`, short enough for one line.
pub fn shortened(value: &str) -> String {
    const MOST: usize = 40;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut text: String = value.chars().take(MOST).map(clean).collect();
    if value.chars().nth(MOST).is_some() {
        text.push('…');
    }
    text
}

pub(crate) fn missing((zh, en): Texts) -> Texts {
    (format!("缺少{zh}"), format!("{en} is missing"))
}

pub(crate) fn too_few((zh, en): Texts, min: u32, found: u32) -> Texts {
    (format!("{zh}至少应有 {min} 个，现有 {found} 个"), format!("{en} must come at least {min} times, {found} found"))
}

pub(crate) fn empty((zh, en): Texts) -> Texts {
    (format!("{zh}不能为空"), format!("{en} must not be empty"))
}

/// One of several elements is missing.
pub(crate) fn missing_one_of(labels: &[Texts]) -> Texts {
    let join = |pick: fn(&Texts) -> &str, with: &str| labels.iter().map(pick).collect::<Vec<_>>().join(with);
    (format!("缺少以下之一：{}", join(|t| &t.0, "、")), format!("one of these is missing: {}", join(|t| &t.1, ", ")))
}

pub(crate) fn required((zh, en): Texts, mode: Mode) -> Texts {
    match mode {
        Mode::Draft => (
            format!("{zh}未填写，暂存和申报时都必填"),
            format!("{en} is not filled in; a draft needs it, and a declaration"),
        ),
        Mode::Declare => (format!("{zh}未填写，申报时必填"), format!("{en} is not filled in; a declaration needs it")),
    }
}

pub(crate) fn unknown_element(name: &str, parent: Texts, near: Option<&str>) -> Texts {
    let zh = near.map(|n| format!("，是否应为 {n}")).unwrap_or_default();
    let en = near.map(|n| format!("; is {n} meant?")).unwrap_or_default();
    (format!("{}中没有名为 {name} 的元素{zh}", parent.0), format!("{} has no element {name}{en}", parent.1))
}

pub(crate) fn unknown_attribute(name: &str, parent: Texts, near: Option<&str>) -> Texts {
    let zh = near.map(|n| format!("，是否应为 {n}")).unwrap_or_default();
    let en = near.map(|n| format!("; is {n} meant?")).unwrap_or_default();
    (format!("{}没有名为 {name} 的属性{zh}", parent.0), format!("{} has no attribute {name}{en}", parent.1))
}

pub(crate) fn order((zh, en): Texts, next: Option<Texts>) -> Texts {
    match next {
        Some(next) => (
            format!("{zh}的位置不对，应在{}之前", next.0),
            format!("{en} is in the wrong place; it belongs before {}", next.1),
        ),
        None => (format!("{zh}的位置不对"), format!("{en} is in the wrong place")),
    }
}

pub(crate) fn too_many((zh, en): Texts, max: u32) -> Texts {
    if max == 1 {
        (format!("{zh}重复，只能出现一次"), format!("{en} is repeated; it may come once"))
    } else {
        (format!("{zh}过多，最多 {max} 个"), format!("too many of {en}; {max} at most"))
    }
}

pub(crate) fn stray_text((zh, en): Texts, text: &str) -> Texts {
    (format!("{zh}中不能直接写文字“{text}”"), format!("{en} takes elements, not the text “{text}”"))
}

pub(crate) fn stray_element((zh, en): Texts, name: &str) -> Texts {
    (format!("{zh}只能写值，其中不能有元素 {name}"), format!("{en} takes a value, not the element {name}"))
}

pub(crate) fn namespace(name: &str, wanted: &str, found: &str) -> Texts {
    let zh = |ns: &str| if ns.is_empty() { "无".to_owned() } else { format!("“{ns}”") };
    let en = |ns: &str| if ns.is_empty() { "none".to_owned() } else { format!("“{ns}”") };
    (
        format!("{name} 的命名空间应为{}，实际为{}", zh(wanted), zh(found)),
        format!("the namespace of {name} should be {}, it is {}", en(wanted), en(found)),
    )
}

pub(crate) fn root(name: &str, roots: &[&str]) -> Texts {
    (
        format!("根元素 {name} 不是本业务的报文，应为 {}", roots.join("、")),
        format!("the root {name} is none of this business's; expected {}", roots.join(", ")),
    )
}

pub(crate) fn fixed((zh, en): Texts, value: &str, fixed: &str) -> Texts {
    (format!("{zh}值“{value}”应为“{fixed}”"), format!("{en}: “{value}” must be “{fixed}”"))
}

pub(crate) fn unknown_code((zh, en): Texts, value: &str, table: &crate::codes::CodeTable) -> Texts {
    let name_zh = if table.name_zh.is_empty() { &table.name } else { &table.name_zh };
    let name_en = if table.name_en.is_empty() { &table.name } else { &table.name_en };
    (format!("{zh}值“{value}”不在代码表“{name_zh}”中"), format!("{en}: “{value}” is not in the code table “{name_en}”"))
}

pub(crate) fn code_not_in_force((zh, en): Texts, value: &str, code: &crate::codes::Code) -> Texts {
    let (from, to) = (&code.from, &code.to);
    (
        format!("{zh}代码“{value}”({})当日无效(有效期 {from} 至 {to})", code.zh),
        format!("{en}: the code “{value}” ({}) is not in force (from {from} to {to})", code.en),
    )
}

pub(crate) fn limit(most: usize) -> Texts {
    (format!("问题过多，只列出前 {most} 条"), format!("too many findings; the first {most} are listed"))
}

/// Rule id and texts of a value's fault.
pub(crate) fn fault((zh, en): Texts, value: &str, fault: &Fault<'_>) -> (&'static str, Texts) {
    let shown = shortened(value);
    let say = |rule: &'static str, what_zh: String, what_en: String| {
        (rule, (format!("{zh}值“{shown}”{what_zh}"), format!("{en}: “{shown}” {what_en}")))
    };
    match fault {
        Fault::Form(base) => {
            let (what_zh, what_en) = form(base);
            say("XSD-TYPE", what_zh.to_owned(), what_en.to_owned())
        }
        Fault::NoMember => say("XSD-TYPE", "不是允许的任何一种形式".into(), "has none of the allowed forms".into()),
        Fault::Value(values) => {
            let list: Vec<&str> = values.iter().take(12).map(|v| &**v).collect();
            let more = values.len() > list.len();
            say(
                "XSD-ENUM",
                format!("不在允许的值之内：{}{}", list.join("、"), if more { " 等" } else { "" }),
                format!("is not one of {}{}", list.join(", "), if more { " …" } else { "" }),
            )
        }
        Fault::TotalDigits { max, found } => {
            say("XSD-DIGITS", format!("有 {found} 位数字，最多 {max} 位"), format!("has {found} digits, {max} at most"))
        }
        Fault::FractionDigits { max: 0, .. } => {
            say("XSD-FRACTION", "不能有小数".into(), "must have no decimals".into())
        }
        Fault::FractionDigits { max, found } => say(
            "XSD-FRACTION",
            format!("有 {found} 位小数，最多 {max} 位"),
            format!("has {found} decimals, {max} at most"),
        ),
        Fault::TooLow(bound) => say(
            "XSD-RANGE",
            format!("应{} {}", low_zh(bound), bound.text),
            format!("must be {} {}", low_en(bound), bound.text),
        ),
        Fault::TooHigh(bound) => say(
            "XSD-RANGE",
            format!("应{} {}", high_zh(bound), bound.text),
            format!("must be {} {}", high_en(bound), bound.text),
        ),
        Fault::TooShort { min, max: Some(max), found } | Fault::TooLong { min: Some(min), max, found }
            if min == max =>
        {
            say(
                "XSD-LENGTH",
                format!("有 {found} 个字符，应为 {min} 个"),
                format!("has {found} characters, {min} are needed"),
            )
        }
        Fault::TooShort { min, found, .. } => say(
            "XSD-LENGTH",
            format!("有 {found} 个字符，至少 {min} 个"),
            format!("has {found} characters, {min} at least"),
        ),
        Fault::TooLong { max, found, .. } => say(
            "XSD-LENGTH",
            format!("有 {found} 个字符，最多 {max} 个"),
            format!("has {found} characters, {max} at most"),
        ),
        Fault::Bytes { max, found } => say(
            "XSD-BYTES",
            format!("长 {found} 字节，最多 {max} 字节(一个汉字 2 字节)"),
            format!("is {found} bytes long, {max} at most (a Han character is 2)"),
        ),
        Fault::Pattern(pattern) => {
            say("XSD-PATTERN", format!("不符合格式 {pattern}"), format!("does not match {pattern}"))
        }
    }
}

fn low_zh(bound: &Bound) -> &'static str {
    if bound.inclusive { "不小于" } else { "大于" }
}

fn low_en(bound: &Bound) -> &'static str {
    if bound.inclusive { "at least" } else { "more than" }
}

fn high_zh(bound: &Bound) -> &'static str {
    if bound.inclusive { "不大于" } else { "小于" }
}

fn high_en(bound: &Bound) -> &'static str {
    if bound.inclusive { "at most" } else { "less than" }
}

fn form(base: &Base) -> (&'static str, &'static str) {
    match base {
        Base::Decimal => (
            "不是合法的数字(不得含千分位逗号、空格或单位)",
            "is not a number (no thousands separators, blanks or units)",
        ),
        Base::Integer => ("不是合法的整数(只能是数字)", "is not a whole number (digits only)"),
        Base::Float => ("不是合法的数字", "is not a number"),
        Base::Boolean => ("应为 true、false、1 或 0", "must be true, false, 1 or 0"),
        Base::Moment(MomentKind::Date) => ("不是合法的日期(格式为 yyyy-MM-dd)", "is not a date (yyyy-MM-dd)"),
        Base::Moment(MomentKind::DateTime) => {
            ("不是合法的日期时间(格式为 yyyy-MM-ddTHH:mm:ss)", "is not a date and time (yyyy-MM-ddTHH:mm:ss)")
        }
        Base::Moment(MomentKind::Time) => ("不是合法的时间(格式为 HH:mm:ss)", "is not a time (HH:mm:ss)"),
        Base::Moment(MomentKind::YearMonth) => ("不是合法的年月(格式为 yyyy-MM)", "is not a year and month (yyyy-MM)"),
        Base::Moment(MomentKind::Year) => ("不是合法的年份(格式为 yyyy)", "is not a year (yyyy)"),
        Base::Duration => ("不是合法的时长(如 P1Y2M)", "is not a duration (such as P1Y2M)"),
        Base::Base64 => ("不是合法的 Base64", "is not Base64"),
        Base::Hex => ("不是合法的十六进制", "is not hexadecimal"),
        Base::AnyUri => ("不是合法的 URI(不得含空格)", "is not a URI (no blanks)"),
        Base::Token(_) => ("含有不允许的字符", "has characters that are not allowed"),
        Base::Text | Base::Union(_) => ("不合法", "is not allowed"),
    }
}

/// The name nearest to `name`: equal but for case, or a few letters apart.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    let allowed = match name.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let scored = names.filter(|n| *n != name).map(|n| (strsim::osa_distance(&lower, &n.to_lowercase()), n));
    scored.filter(|(distance, n)| *distance <= allowed && *distance < n.chars().count()).min().map(|(_, n)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_near_names() {
        let names = ["GrossWet", "NetWt", "PackNo", "I"];
        assert_eq!(nearest("GrossWeight", names.into_iter()), Some("GrossWet"));
        assert_eq!(nearest("netwt", names.into_iter()), Some("NetWt"));
        assert_eq!(nearest("Bogus", names.into_iter()), None);
        assert_eq!(nearest("X", names.into_iter()), None);
    }

    #[test]
    fn shortens() {
        assert_eq!(shortened("短"), "短");
        assert_eq!(shortened("a\nb"), "a b");
        assert_eq!(shortened(&"岸".repeat(41)), format!("{}…", "岸".repeat(40)));
    }
}
