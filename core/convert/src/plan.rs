//! A mapping against a schema: which elements are written, in which order, and what fills them.

use crate::fault::{Fault, nearest};
use crate::field::Rule;
use crate::mapping::{ColumnName, Mapping, TableText};
use crate::template::{Part, Template};
use kouan_schema::{Outline, Validator};
use kouan_sdk::business::RootName;
use std::collections::BTreeMap;

/// What a message of the type looks like.
#[derive(Clone, Copy)]
pub struct Target<'t> {
    /// Roots of the type.
    pub roots: &'t [RootName],
    /// Schema and code tables.
    pub validator: &'t Validator,
    /// Path and value of what every message of the type has.
    pub constants: &'t [(String, String)],
}

/// A mapping that fits its schema.
pub struct Plan<'s> {
    pub(crate) nodes: Vec<Node<'s>>,
    pub(crate) tables: Vec<TablePlan>,
    pub(crate) rules: Vec<Rule<'s>>,
    pub(crate) file: Template,
}

/// An element or an attribute that may be written.
pub(crate) struct Node<'s> {
    pub outline: Outline<'s>,
    pub path: String,
    pub attribute: bool,
    /// Place among its parent's children in the schema.
    order: usize,
    /// Attributes first, then elements in the schema's order.
    pub children: Vec<usize>,
    /// Whether rows make it.
    pub repeats: bool,
    /// What it is where no row fills it.
    pub constant: Option<String>,
    /// Whether a column, or anything below that a column fills, decides that it stands.
    pub by_column: bool,
    /// Number among its like.
    pub sequence: bool,
}

/// A column that a table's rows are asked for.
#[derive(Debug)]
pub(crate) struct Column {
    pub name: ColumnName,
    pub may_lack: bool,
}

/// A table: what is asked of it, and where its rows go.
#[derive(Debug)]
pub(crate) struct TablePlan {
    pub text: TableText,
    /// Each once.
    pub columns: Vec<Column>,
    /// Numbers of the key's columns.
    pub key: Vec<usize>,
    /// Repeated elements from the outermost on: node, and columns that identify it; `None` = each row makes one.
    pub levels: Vec<(usize, Option<Vec<usize>>)>,
    pub fields: Vec<FieldPlan>,
}

/// What a table fills.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub node: usize,
    /// How many of the table's levels are above it.
    pub level: usize,
    /// Number of the rule by which the cell becomes a value.
    pub rule: usize,
    pub from: From,
}

/// What is taken from a row.
#[derive(Debug)]
pub(crate) enum From {
    Column(usize),
    /// A template, its columns by number.
    Text(Vec<Piece>),
}

/// A piece of a text made from a row.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Text(String),
    Column(usize),
    Now(String),
    Number,
}

fn wrong(zh: String, en: String) -> Fault {
    Fault::new("KOUAN-CONVERT-MAP", zh, en)
}

impl<'s> Plan<'s> {
    /// Compiles.
    ///
    /// # Errors
    /// `KOUAN-CONVERT-NO-ELEMENT` for a path that the schema has not, `KOUAN-CONVERT-MAP` for what makes no sense.
    pub fn new(mapping: &Mapping, target: Target<'s>) -> Result<Self, Fault> {
        let schema = target.validator.schema();
        let named = |root: &&RootName| mapping.root.as_ref().is_none_or(|wanted| *wanted == root.local);
        let mut roots = target.roots.iter().filter(named);
        let root = roots.find_map(|root| schema.outline(&root.namespace, &root.local)).ok_or_else(|| {
            let type_id = &mapping.message_type;
            wrong(
                format!("{type_id} 没有公开的结构，或没有该根元素"),
                format!("{type_id} has no public structure, or no such root"),
            )
        })?;
        let mut plan =
            Self { nodes: Vec::new(), tables: Vec::new(), rules: Vec::new(), file: Template::read(&mapping.file)? };
        plan.add(root, String::new(), 0, false);
        for text in &mapping.tables {
            let table = plan.table(text, mapping, target)?;
            plan.tables.push(table);
        }
        plan.levels_hold()?;
        plan.key_agrees()?;
        for (path, value) in target.constants {
            // What the mapping fills is the mapping's to say.
            if let Ok(node) = plan.node(path)
                && !plan.nodes[node].by_column
            {
                plan.nodes[node].constant.get_or_insert_with(|| value.clone());
            }
        }
        plan.complete(0, &mut Vec::new());
        Ok(plan)
    }

    fn add(&mut self, outline: Outline<'s>, parent: String, order: usize, attribute: bool) -> usize {
        let at = if attribute { "@" } else { "" };
        let path = format!("{parent}/{at}{}", outline.name());
        self.nodes.push(Node {
            outline,
            path,
            attribute,
            order,
            children: Vec::new(),
            repeats: false,
            constant: None,
            by_column: false,
            sequence: false,
        });
        self.nodes.len() - 1
    }

    /// The node of a path, made if it is not there yet.
    fn node(&mut self, path: &str) -> Result<usize, Fault> {
        let root = self.nodes[0].outline.name();
        let mut steps = path.trim_start_matches('/').split('/');
        if steps.next() != Some(root) {
            return Err(no_element(path, &format!("/{root}"), [root]));
        }
        let mut here = 0;
        for step in steps {
            here = self.child(here, step).ok_or_else(|| {
                let above = &self.nodes[here];
                let known = above.outline.children();
                no_element(path, &above.path, known.iter().map(Outline::name))
            })?;
        }
        Ok(here)
    }

    fn child(&mut self, here: usize, step: &str) -> Option<usize> {
        let parent = &self.nodes[here];
        let wanted = format!("{}/{step}", parent.path);
        if let Some(known) = parent.children.iter().find(|child| self.nodes[**child].path == wanted) {
            return Some(*known);
        }
        let (attribute, name) = step.strip_prefix('@').map_or((false, step), |name| (true, name));
        let all = if attribute { parent.outline.attributes() } else { parent.outline.children() };
        let (order, outline) = all.into_iter().enumerate().find(|(_, outline)| outline.name() == name)?;
        let path = parent.path.clone();
        let child = self.add(outline, path, order, attribute);
        self.nodes[here].children.push(child);
        Some(child)
    }

    /// Adds what must stand by the letter of the schema, and sorts.
    fn complete(&mut self, here: usize, above: &mut Vec<usize>) {
        let outline = self.nodes[here].outline;
        if above.iter().any(|up| self.nodes[*up].outline.is_same(&outline)) {
            return;
        }
        for child in outline.children().iter().filter(|child| child.must_stand() && !child.is_choice()) {
            self.child(here, child.name());
        }
        for attribute in outline.attributes().iter().filter(|attribute| attribute.must_stand()) {
            self.child(here, &format!("@{}", attribute.name()));
        }
        let node = &mut self.nodes[here];
        if node.constant.is_none() && !node.by_column {
            node.constant = outline.fixed().map(str::to_owned);
        }
        let mut children = std::mem::take(&mut node.children);
        children.sort_by_key(|child| (!self.nodes[*child].attribute, self.nodes[*child].order));
        above.push(here);
        for child in &children {
            self.complete(*child, above);
        }
        above.pop();
        self.nodes[here].by_column |= children.iter().any(|child| self.nodes[*child].by_column);
        self.nodes[here].children = children;
    }

    fn table(&mut self, text: &TableText, mapping: &Mapping, target: Target<'s>) -> Result<TablePlan, Fault> {
        let mut asked = Asked::default();
        let key = text.key.0.iter().map(|name| asked.column(name, false)).collect();
        let root = format!("/{}", self.nodes[0].outline.name());
        let element = text.element.clone().unwrap_or_else(|| root.clone());
        let mut levels: BTreeMap<String, Option<Vec<usize>>> = BTreeMap::new();
        for (path, columns) in &text.within {
            levels.insert(path.clone(), Some(columns.0.iter().map(|name| asked.column(name, false)).collect()));
        }
        if element != root {
            levels.entry(element.clone()).or_insert(None);
        }
        // A path comes before what is below it.
        let mut nodes = Vec::new();
        for (path, by) in levels {
            let node = self.node(&path)?;
            if !element.starts_with(&path) || self.nodes[node].outline.most() == Some(1) {
                let (zh, en) = (
                    format!("{path} 不可重复，或不在 {element} 之上"),
                    format!("{path} does not repeat, or is not above {element}"),
                );
                return Err(wrong(zh, en));
            }
            self.nodes[node].repeats = true;
            nodes.push((node, by));
        }
        let mut fields = Vec::new();
        for (path, field) in &text.fields {
            let path = if path.starts_with('/') { path.clone() } else { format!("{element}/{path}") };
            let node = self.node(&path)?;
            if let Some(value) = &field.value {
                self.nodes[node].constant = Some(value.clone());
                continue;
            }
            if field.sequence {
                self.nodes[node].sequence = true;
                continue;
            }
            let outline = self.nodes[node].outline;
            let may_lack = text.may_lack && outline.required().is_none();
            let letter = field.letter.as_ref().map(|letter| {
                crate::source::of_letter(letter).map(ColumnName::Place).ok_or_else(|| {
                    wrong(format!("{path}：{letter} 不是列号"), format!("{path}: {letter} is no column's letter"))
                })
            });
            let column = field.column.clone().or(letter.transpose()?);
            let from = match (column, &field.text) {
                (Some(column), None) => From::Column(asked.column(&column, may_lack)),
                (None, Some(text)) => From::Text(asked.pieces(&Template::read(text)?)),
                _ => {
                    let (zh, en) = (
                        format!("{path} 应有 column、letter、value、text、sequence 之一"),
                        format!("{path} takes one of column, letter, value, text, sequence"),
                    );
                    return Err(wrong(zh, en));
                }
            };
            let level = nodes.iter().filter(|(above, _)| is_within(&path, &self.nodes[*above].path)).count();
            self.rules.push(Rule::new(field, &path, &outline, mapping, target.validator)?);
            self.nodes[node].by_column = true;
            fields.push(FieldPlan { node, level, rule: self.rules.len() - 1, from });
        }
        Ok(TablePlan { text: text.clone(), columns: asked.0, key, levels: nodes, fields })
    }

    /// What stands in an element that rows make is filled by a table that says which of them it is.
    fn levels_hold(&self) -> Result<(), Fault> {
        for table in &self.tables {
            for field in &table.fields {
                let path = &self.nodes[field.node].path;
                let above = |node: &&Node<'_>| node.repeats && is_within(path, &node.path);
                let told = |node: &Node<'_>| table.levels.iter().any(|(level, _)| self.nodes[*level].path == node.path);
                if let Some(untold) = self.nodes.iter().filter(above).find(|node| !told(node)) {
                    let untold = &untold.path;
                    return Err(wrong(
                        format!("{path} 在可重复的 {untold} 之内，该表的 within 没有说明是哪一个"),
                        format!("{path} is in {untold}, which repeats; `within` of its table does not say in which"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Several tables are joined by their keys alone.
    fn key_agrees(&mut self) -> Result<(), Fault> {
        let keys: Vec<usize> = self.tables.iter().map(|table| table.key.len()).collect();
        if self.tables.len() > 1 && keys.iter().any(|key| *key != keys[0] || *key == 0) {
            return Err(wrong(
                "有多个表时，每个 [[table]] 都要有同样多列的 key".into(),
                "with several tables each [[table]] needs a key of as many columns".into(),
            ));
        }
        // The file's name is made of the first table's columns.
        let columns: Vec<String> = self.file.columns().map(str::to_owned).collect();
        if let Some(first) = self.tables.first_mut() {
            let mut asked = Asked(std::mem::take(&mut first.columns));
            for name in columns {
                asked.column(&ColumnName::Header(name), false);
            }
            first.columns = asked.0;
        }
        Ok(())
    }

    /// The file name's pieces, by numbers of the first table's columns.
    pub(crate) fn file_pieces(&self) -> Vec<Piece> {
        let number = |name: &str| {
            let columns = self.tables.first().map(|first| first.columns.as_slice()).unwrap_or_default();
            columns.iter().position(|column| column.name == ColumnName::Header(name.to_owned())).unwrap_or(usize::MAX)
        };
        self.file.0.iter().map(|part| piece(part, number)).collect()
    }
}

/// Columns that are asked for, each once.
#[derive(Default)]
struct Asked(Vec<Column>);

impl Asked {
    fn column(&mut self, name: &ColumnName, may_lack: bool) -> usize {
        if let Some(at) = self.0.iter().position(|column| column.name == *name) {
            if let Some(column) = self.0.get_mut(at) {
                column.may_lack &= may_lack;
            }
            return at;
        }
        self.0.push(Column { name: name.clone(), may_lack });
        self.0.len() - 1
    }

    fn pieces(&mut self, template: &Template) -> Vec<Piece> {
        template
            .0
            .iter()
            .map(|part| piece(part, |name| self.column(&ColumnName::Header(name.to_owned()), false)))
            .collect()
    }
}

fn piece(part: &Part, number: impl FnOnce(&str) -> usize) -> Piece {
    match part {
        Part::Text(text) => Piece::Text(text.clone()),
        Part::Column(name) => Piece::Column(number(name)),
        Part::Now(form) => Piece::Now(form.clone()),
        Part::Number => Piece::Number,
    }
}

/// Whether a path is another or below it.
pub(crate) fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn no_element<'n>(path: &str, above: &str, known: impl IntoIterator<Item = &'n str>) -> Fault {
    let known: Vec<&str> = known.into_iter().collect();
    let wrong = path.strip_prefix(above).unwrap_or(path).trim_start_matches('/').split('/').next().unwrap_or(path);
    let fault = Fault::new(
        "KOUAN-CONVERT-NO-ELEMENT",
        format!("报文中没有 {path}：{above} 下没有 {wrong}"),
        format!("a message has no {path}: there is no {wrong} in {above}"),
    );
    match nearest(wrong, known.iter().copied()) {
        Some(near) => fault.hint(format!("是否应为 {near}？"), format!("is {near} meant?")),
        None => fault.hint(format!("{above} 下有：{}", known.join("、")), format!("{above} has: {}", known.join(", "))),
    }
}
