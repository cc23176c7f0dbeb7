//! Writes a mapping to begin with: a table for the message and one for each element that repeats, every field in it.

use crate::lang::Lang;
use kouan_declarative::MessageForm;
use kouan_schema::{Form, Outline};
use std::collections::BTreeSet;

/// The column that joins the tables; no element's name.
const KEY: &str = "单据号";

/// A table of the mapping that is made.
struct Table<'s> {
    name: String,
    path: String,
    /// Repeated elements from the outermost to this one: path and the column that tells which.
    within: Vec<(String, String)>,
    fields: Vec<Field<'s>>,
    /// Column names so far.
    names: BTreeSet<String>,
}

/// An element and the column that fills it.
struct Field<'s> {
    path: String,
    name: String,
    outline: Outline<'s>,
}

/// The mapping; `None` if the type's structure is not known.
pub fn write(business: &str, form: &MessageForm, lang: Lang) -> Option<String> {
    let schema = form.validator.as_ref()?.schema();
    let root = form.info.roots.iter().find_map(|root| schema.outline(&root.namespace, &root.local))?;
    let path = format!("/{}", root.name());
    let head = Table {
        name: "表头".into(),
        path: path.clone(),
        within: Vec::new(),
        fields: Vec::new(),
        names: BTreeSet::from([KEY.to_owned()]),
    };
    let mut walk = Walk { form, tables: vec![head], above: vec![root] };
    walk.fields(&root, &path, 0);
    Some(text(business, form, &walk.tables, lang))
}

struct Walk<'s> {
    form: &'s MessageForm,
    tables: Vec<Table<'s>>,
    above: Vec<Outline<'s>>,
}

impl<'s> Walk<'s> {
    fn fields(&mut self, outline: &Outline<'s>, path: &str, table: usize) {
        for attribute in outline.attributes() {
            self.field(format!("{path}/@{}", attribute.name()), attribute, table);
        }
        for child in outline.children() {
            let path = format!("{path}/{}", child.name());
            let foreign =
                self.form.foreign.contains(&path) && self.form.body.as_ref().is_none_or(|own| !own.starts_with(&path));
            if foreign || self.above.iter().any(|up| up.is_same(&child)) {
                continue;
            }
            let children = child.children();
            let table = if child.most() == Some(1) { table } else { self.table(&child, &path, table) };
            if children.is_empty() {
                self.field(path.clone(), child, table);
            }
            self.above.push(child);
            self.fields(&child, &path, table);
            self.above.pop();
        }
    }

    fn table(&mut self, outline: &Outline<'s>, path: &str, outer: usize) -> usize {
        let zh = if outline.name_zh().is_empty() { outline.name() } else { outline.name_zh() };
        // Neither a sheet nor a file may be called otherwise.
        let zh: String = zh.chars().filter(|c| !"/\\?*[]:<>|\"'".contains(*c)).take(28).collect();
        let same =
            self.tables.iter().filter(|table| table.name.trim_end_matches(char::is_numeric) == zh.as_str()).count();
        let name = if same == 0 { zh.to_owned() } else { format!("{zh}{}", same + 1) };
        let mut within = self.tables[outer].within.clone();
        within.push((path.to_owned(), format!("{name}关联号")));
        let names = within.iter().map(|(_, column)| column.clone()).chain([KEY.to_owned()]).collect();
        self.tables.push(Table { name, path: path.to_owned(), within, fields: Vec::new(), names });
        self.tables.len() - 1
    }

    fn field(&mut self, path: String, outline: Outline<'s>, table: usize) {
        let constant = self.form.constants.iter().any(|constant| constant.path == path);
        if constant || outline.fixed().is_some() {
            return;
        }
        let zh = if outline.name_zh().is_empty() { outline.name() } else { outline.name_zh() };
        let above = self.above.last().map_or("", |up| if up.name_zh().is_empty() { up.name() } else { up.name_zh() });
        let table = &mut self.tables[table];
        let tries = [zh.to_owned(), format!("{above}{zh}"), format!("{zh} {}", path.trim_start_matches(&table.path))];
        let name = tries.into_iter().find(|name| !table.names.contains(name)).unwrap_or_else(|| path.clone());
        table.names.insert(name.clone());
        table.fields.push(Field { path, name, outline });
    }
}

fn text(business: &str, form: &MessageForm, tables: &[Table<'_>], lang: Lang) -> String {
    let info = &form.info;
    let mut out = String::new();
    let mut say = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    say(lang.pick(
        format!("# {} {}：表格转报文的映射。用法：kouan convert --map 本文件 表格 --out 文件夹", info.id, info.name_zh),
        format!("# {} {}: from tables to messages. kouan convert --map THIS TABLE --out FOLDER", info.id, info.name_en),
    ));
    say(lang.pick(
        "# 左边是报文的元素，右边是表格的列名；改成自己的列名，用不到的行可删。元素的次序由报文结构决定。".into(),
        "# Left the message's element, right the table's column; put your own names, delete what you do not need. Order is the schema's.".into(),
    ));
    say(lang.pick(
        "# 每行还可写成 { column = \"列名\", date = \"auto\", decimals = 2, pad = 4, default = \"\", codes = true, map = {…} } 或 { value = \"常量\" }。".into(),
        "# A line may also be { column = \"name\", date = \"auto\", decimals = 2, pad = 4, default = \"\", codes = true, map = {…} } or { value = \"constant\" }.".into(),
    ));
    say(format!("business = {}\ntype = {}\nfile = \"{{单据号}}.xml\"", quoted(business), quoted(&info.id)));
    for (at, table) in tables.iter().enumerate().filter(|(at, table)| *at == 0 || !table.fields.is_empty()) {
        say(format!("\n[[table]]\nsheet = {}", quoted(&table.name)));
        say(lang.pick("# 各表用“单据号”一列相连。", "# The tables are joined by this column.").into());
        say("key = \"单据号\"".into());
        if at > 0 {
            say(format!("element = {}\noptional = true", quoted(&table.path)));
        }
        say(lang.pick("# 非必填的列可以没有。", "# Columns of what is not required may be missing.").into());
        say("may_lack = true".into());
        let inner = tables
            .iter()
            .any(|other| other.within.len() > table.within.len() && other.within.starts_with(&table.within));
        let told = if inner { table.within.len() } else { table.within.len().saturating_sub(1) };
        if told > 0 {
            say("[table.within]".into());
            for (path, column) in table.within.iter().take(told) {
                say(format!("{} = {}", quoted(path), quoted(column)));
            }
        }
        say("[table.fields]".into());
        for of in &table.fields {
            say(field(&of.path, &of.name, &of.outline, lang));
        }
    }
    out
}

fn field(path: &str, name: &str, outline: &Outline<'_>, lang: Lang) -> String {
    let need = match outline.required() {
        Some(kouan_schema::Mode::Draft) => lang.pick("必填", "required"),
        Some(kouan_schema::Mode::Declare) => lang.pick("申报时必填", "required to declare"),
        None => lang.pick("可空", "optional"),
    };
    let mut parts = vec![need.to_owned()];
    if lang == Lang::En && !outline.name_en().is_empty() {
        parts.insert(0, outline.name_en().to_owned());
    }
    let mut extra = String::new();
    if let Some(facets) = outline.facets() {
        parts.extend(facets.max_length.map(|most| lang.pick(format!("≤{most} 字符"), format!("≤{most} characters"))));
        if matches!(facets.form, Form::Date | Form::DateTime) {
            extra.push_str(", date = \"auto\"");
        }
    }
    if let Some(codes) = outline.codes() {
        parts.push(lang.pick(format!("代码表 {codes}，代码或名称均可"), format!("code table {codes}, code or name")));
        extra.push_str(", codes = true");
    }
    if !outline.example().is_empty() {
        parts.push(lang.pick(format!("例 {}", outline.example()), format!("such as {}", outline.example())));
    }
    let value = if extra.is_empty() { quoted(name) } else { format!("{{ column = {}{extra} }}", quoted(name)) };
    format!("{} = {value}  # {}", quoted(path), parts.join(lang.pick("；", "; ")).replace(['\n', '\r'], " "))
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
