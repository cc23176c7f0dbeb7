//! Writes a message type's skeleton: every element in its order, its comment above it, constants filled in.

use crate::lang::Lang;
use kouan_declarative::MessageForm;
use kouan_schema::{Facets, Form, Mode, Outline, Validator};
use kouan_xml::{escape_attribute, escape_text};
use std::collections::BTreeMap;

/// The skeleton; `None` if the type's structure is not known.
pub fn write(business: &str, form: &MessageForm, lang: Lang) -> Option<String> {
    let validator = form.validator.as_ref()?;
    let root = form.info.roots.iter().find_map(|root| validator.schema().outline(&root.namespace, &root.local))?;
    let mut writer =
        Writer { form, validator, lang, rules: by_field(validator), ancestors: Vec::new(), out: String::new() };
    writer.head(business);
    writer.element(&root, "", "");
    Some(writer.out)
}

/// Whether the type shares an envelope whose content is known for other types only.
fn has_open_content(form: &MessageForm) -> bool {
    form.body.is_none() && !form.foreign.is_empty()
}

/// Ids of the rules that speak of a path.
fn by_field(validator: &Validator) -> BTreeMap<&str, Vec<&str>> {
    let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for rule in validator.rules().list() {
        for field in &rule.fields {
            rules.entry(field).or_default().push(&rule.id);
        }
    }
    rules
}

struct Writer<'f> {
    form: &'f MessageForm,
    validator: &'f Validator,
    lang: Lang,
    rules: BTreeMap<&'f str, Vec<&'f str>>,
    ancestors: Vec<Outline<'f>>,
    out: String,
}

impl<'f> Writer<'f> {
    fn head(&mut self, business: &str) {
        let info = &self.form.info;
        self.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let (id, folder, receivers) = (&info.id, &info.folder, info.receivers.join(", "));
        self.comment(
            "",
            &self.lang.pick(
                format!("{id} {}（{business}）。放入 {folder}/OutBox，接收方 {receivers}。", info.name_zh),
                format!("{id} {} ({business}). Drop it into {folder}/OutBox; receiver {receivers}.", info.name_en),
            ),
        );
        self.comment("", self.lang.pick(
            "填好所需的值，删去不用的部分；值为空等于没有填写。填完用 kouan check 检查，规则的含义见 kouan rules list。",
            "Fill in what is needed, delete the rest; an empty value is no value. Then run kouan check; kouan rules list tells what the rules say.",
        ));
        if has_open_content(self.form) {
            self.comment(
                "",
                self.lang.pick(
                    "业务数据的结构没有公开：按海关接口文档填写，口岸只检查外层。",
                    "The structure of the business data is not public: write it by the customs' interface document; only what is around it is checked.",
                ),
            );
        }
    }

    fn element(&mut self, outline: &Outline<'f>, parent: &str, namespace: &str) {
        let path = format!("{parent}/{}", outline.name());
        if self.form.foreign.contains(&path) && self.form.body.as_ref().is_none_or(|own| !own.starts_with(&path)) {
            return;
        }
        let indent = "  ".repeat(self.ancestors.len());
        let recurs = self.ancestors.iter().any(|above| above.is_same(outline));
        if recurs && !outline.must_stand() {
            return;
        }
        let children = if recurs { Vec::new() } else { outline.children() };
        self.comment(&indent, &self.told(outline, &path));
        let attributes = outline.attributes();
        for attribute in attributes.iter().filter(|attribute| !attribute.must_stand()) {
            let told =
                format!("@{}: {}", attribute.name(), self.told(attribute, &format!("{path}/@{}", attribute.name())));
            self.comment(&indent, &told);
        }
        self.out.push_str(&format!("{indent}<{}", outline.name()));
        if outline.namespace() != namespace {
            self.out.push_str(&format!(" xmlns=\"{}\"", escape_attribute(outline.namespace())));
        }
        for attribute in attributes.iter().filter(|attribute| attribute.must_stand()) {
            let value = self.value(attribute, &format!("{path}/@{}", attribute.name()));
            self.out.push_str(&format!(" {}=\"{}\"", attribute.name(), escape_attribute(&value)));
        }
        self.out.push('>');
        if children.is_empty() {
            let value = self.value(outline, &path);
            self.out.push_str(&escape_text(&value));
        } else {
            self.out.push('\n');
            self.ancestors.push(*outline);
            self.children(&children, &path, outline.namespace());
            self.ancestors.pop();
            self.out.push_str(&indent);
        }
        self.out.push_str(&format!("</{}>\n", outline.name()));
    }

    /// Of a row of alternatives the first is written and the others are told.
    fn children(&mut self, children: &[Outline<'f>], path: &str, namespace: &str) {
        let mut chosen = false;
        for child in children {
            if child.is_choice() && chosen {
                let indent = "  ".repeat(self.ancestors.len());
                let told = self.told(child, &format!("{path}/{}", child.name()));
                let or = self.lang.pick("或改用", "or instead");
                self.comment(&indent, &format!("{or} {}: {told}", child.name()));
                continue;
            }
            chosen = child.is_choice();
            self.element(child, path, namespace);
        }
    }

    /// What is the same in every message: of the type, of the schema, or the only value that is allowed.
    fn value(&self, outline: &Outline<'_>, path: &str) -> String {
        let of_type = self.form.constants.iter().find(|constant| constant.path == path).map(|c| c.value.as_str());
        let facets = outline.facets();
        let only = facets.as_ref().and_then(|facets| match facets.values[..] {
            [only] => Some(only),
            _ => None,
        });
        of_type.or(outline.fixed()).or(only.filter(|_| outline.required().is_some())).unwrap_or_default().to_owned()
    }

    /// Name, need, form, code table, example, rules and hint of a field.
    fn told(&self, outline: &Outline<'_>, path: &str) -> String {
        let lang = self.lang;
        let mut parts = vec![lang.pick(outline.name_zh(), outline.name_en()).to_owned()];
        parts.push(need(outline, lang).to_owned());
        match outline.most() {
            Some(1) => {}
            Some(most) => parts.push(lang.pick(format!("最多 {most} 个"), format!("{most} at most"))),
            None => parts.push(lang.pick("可重复", "may repeat").to_owned()),
        }
        if let Some(facets) = outline.facets() {
            parts.extend(form(&facets, lang));
        }
        if let Some(name) = outline.codes() {
            let table = self.validator.codes().get(name);
            let title = table.map(|table| lang.pick(&table.name_zh, &table.name_en).as_str()).unwrap_or_default();
            parts.push(lang.pick(format!("代码表 {name}（{title}）"), format!("code table {name} ({title})")));
        }
        if !outline.example().is_empty() {
            parts.push(lang.pick(format!("例：{}", outline.example()), format!("such as {}", outline.example())));
        }
        if let Some(rules) = self.rules.get(path) {
            parts.push(lang.pick(format!("规则 {}", rules.join(" ")), format!("rules {}", rules.join(" "))));
        }
        let (zh, en) = outline.hints();
        parts.push(lang.pick(zh, en).to_owned());
        parts.retain(|part| !part.is_empty());
        parts.join(lang.pick("；", "; "))
    }

    /// A comment line; two hyphens may not stand in one.
    fn comment(&mut self, indent: &str, text: &str) {
        let text = text.replace("--", "- -").replace("--", "- -");
        self.out.push_str(&format!("{indent}<!-- {text} -->\n"));
    }
}

fn need(outline: &Outline<'_>, lang: Lang) -> &'static str {
    match outline.required() {
        Some(Mode::Draft) => lang.pick("必填", "required"),
        Some(Mode::Declare) => lang.pick("申报时必填", "required to declare"),
        None => lang.pick("可空", "optional"),
    }
}

/// What a value must be like, in words.
fn form(facets: &Facets<'_>, lang: Lang) -> Vec<String> {
    let mut parts = vec![kind(facets.form, lang).to_owned()];
    let mut say = |zh: String, en: String| parts.push(lang.pick(zh, en));
    match (facets.min_length, facets.max_length) {
        (Some(min), Some(max)) if min == max => say(format!("{max} 个字符"), format!("{max} characters")),
        (min, max) => {
            if let Some(min) = min.filter(|min| *min > 0) {
                say(format!("至少 {min} 个字符"), format!("{min} characters at least"));
            }
            if let Some(max) = max {
                say(format!("最多 {max} 个字符"), format!("{max} characters at most"));
            }
        }
    }
    if let Some(max) = facets.max_bytes {
        say(format!("最多 {max} 字节（一个汉字 2 字节）"), format!("{max} bytes at most (a Han character is 2)"));
    }
    if let Some(max) = facets.total_digits {
        say(format!("最多 {max} 位数字"), format!("{max} digits at most"));
    }
    if let Some(max) = facets.fraction_digits.filter(|_| facets.form == Form::Decimal) {
        say(format!("最多 {max} 位小数"), format!("{max} decimals at most"));
    }
    for ((text, inclusive), more) in
        facets.low.map(|low| (low, true)).into_iter().chain(facets.high.map(|high| (high, false)))
    {
        let sign = match (more, inclusive) {
            (true, true) => "≥",
            (true, false) => ">",
            (false, true) => "≤",
            (false, false) => "<",
        };
        say(format!("{sign} {text}"), format!("{sign} {text}"));
    }
    if !facets.values.is_empty() {
        say(format!("只能填 {}", facets.values.join("、")), format!("one of {}", facets.values.join(", ")));
    }
    for pattern in &facets.patterns {
        say(format!("格式 {pattern}"), format!("form {pattern}"));
    }
    parts
}

fn kind(form: Form, lang: Lang) -> &'static str {
    match form {
        Form::Text => "",
        Form::Integer => lang.pick("整数", "whole number"),
        Form::Decimal => lang.pick("数字", "number"),
        Form::Boolean => "true/false",
        Form::Date => "yyyy-MM-dd",
        Form::DateTime => "yyyy-MM-ddTHH:mm:ss",
        Form::Time => "HH:mm:ss",
        Form::YearMonth => "yyyy-MM",
        Form::Year => "yyyy",
        Form::Base64 => "Base64",
        Form::Hex => lang.pick("十六进制", "hexadecimal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled::DATA;
    use kouan_declarative::SiteData;
    use kouan_schema::CheckOptions;

    /// What an unfilled message may be told: that something is not there yet.
    const LACKING: [&str; 3] = ["XSD-MISSING", "XSD-REQUIRED-DRAFT", "XSD-REQUIRED-DECLARE"];

    #[test]
    fn every_type_s_skeleton_lacks_values_and_nothing_else() {
        let mut types = 0;
        for form in DATA.iter().flat_map(|data| (data.forms)(&SiteData::default()).unwrap()) {
            let Some(validator) = &form.validator else { continue };
            types += 1;
            for lang in [Lang::Zh, Lang::En] {
                let xml = write("x", &form, lang).unwrap_or_else(|| panic!("{} has no root", form.info.id));
                let outcome = validator.check(xml.as_bytes(), &CheckOptions::default());
                let is_open = |f: &kouan_sdk::Finding| has_open_content(&form) && f.rule == "PT-ENV-CONTENT-UNCHECKED";
                let wrong = |f: &&kouan_sdk::Finding| !LACKING.contains(&f.rule.as_str()) && !is_open(f);
                let found: Vec<_> = outcome.findings.iter().filter(wrong).collect();
                assert!(found.is_empty(), "{}: {found:#?}", form.info.id);
                assert!(!outcome.findings.is_empty(), "{}: nothing lacks", form.info.id);
            }
        }
        assert!(types >= 50, "{types}");
    }

    #[test]
    fn what_makes_a_message_one_of_its_type_is_filled_in() {
        let forms = DATA.iter().flat_map(|data| (data.forms)(&SiteData::default()).unwrap());
        let mut constants = 0;
        for form in forms.filter(|form| form.validator.is_some()) {
            let xml = write("x", &form, Lang::Zh).unwrap();
            let document = elements(&xml);
            for constant in &form.constants {
                constants += 1;
                assert_eq!(document.get(&constant.path), Some(&constant.value), "{}", form.info.id);
            }
            if let Some(body) = &form.body {
                assert!(document.contains_key(body), "{}: {body}", form.info.id);
            }
            let foreign = form.foreign.iter().find(|path| document.contains_key(*path));
            assert_eq!(foreign, None, "{}", form.info.id);
        }
        assert!(constants >= 40, "{constants}");
    }

    /// Paths of all elements, with the text in them.
    fn elements(xml: &str) -> BTreeMap<String, String> {
        let limits = kouan_xml::Limits::default();
        let decoded = kouan_xml::decode(xml.as_bytes(), &limits).unwrap();
        let mut reader = kouan_xml::Reader::new(&decoded, &limits);
        let (mut path, mut found) = (String::new(), BTreeMap::new());
        while let Some(event) = reader.next().unwrap() {
            match event {
                kouan_xml::Event::Start(tag) => {
                    path = format!("{path}/{}", tag.local);
                    found.insert(path.clone(), String::new());
                }
                kouan_xml::Event::Text(text) => {
                    if let Some(value) = found.get_mut(&path) {
                        value.push_str(text.text.trim());
                    }
                }
                kouan_xml::Event::End(_) => path.truncate(path.rfind('/').unwrap()),
            }
        }
        found
    }

    #[test]
    fn a_field_is_told_whole_in_either_language() {
        let data = DATA.iter().find(|data| data.id == "goods-declaration").unwrap();
        let form = (data.forms)(&SiteData::default()).unwrap().remove(0);
        let zh = write(data.id, &form, Lang::Zh).unwrap();
        let en = write(data.id, &form, Lang::En).unwrap();
        let above = |text: &str, tag: &str| {
            let at = text.find(tag).unwrap();
            text[..at].trim_end().lines().last().unwrap().trim().to_owned()
        };
        let told = above(&zh, "<IEFlag>");
        assert!(told.starts_with("<!-- 进出口标志；必填；") && told.contains("代码表 ie-flag"), "{told}");
        let told = above(&en, "<IEFlag>");
        assert!(
            told.starts_with("<!-- import or export flag; required; 1 characters at most; code table ie-flag"),
            "{told}"
        );
        assert!(above(&zh, "<DeclTrnRel>").contains("DEC-TRANSIT-HEAD-MISSING"));
        assert!(zh.contains("<DecMessage xmlns=\"http://www.chinaport.gov.cn/dec\">"));
    }
}
