//! Rows gathered into messages.

use crate::fault::{Fault, Place};
use crate::moment::Moment;
use crate::plan::{From, Piece, Plan, TablePlan};
use crate::source::{self, Cell, Encoding, Format, Found, Input, Limits, Row};
use crate::write::{self, Document, Instance, Origin, Value};
use kouan_sdk::{Finding, Severity};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

/// How a conversion is done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What the inputs are; by their names where it is not said.
    pub format: Option<Format>,
    /// What a CSV's characters are in; found out where it is not said.
    pub encoding: Option<Encoding>,
    /// How much is taken.
    pub limits: Limits,
    /// What `{now:…}` writes.
    pub now: Moment,
}

/// One message, made or not.
#[derive(Debug)]
pub struct Made {
    /// Its file's name; empty if it could not be told.
    pub name: String,
    /// Rows that went into it.
    pub rows: u32,
    /// `None` if a fault is an error.
    pub document: Option<Document>,
    /// What is wrong with its rows.
    pub faults: Vec<Fault>,
}

/// The tables that are read, to name the place where a value came from.
pub struct Tables<'t, 's> {
    plan: &'t Plan<'s>,
    found: Vec<Option<Found<'t>>>,
}

/// Makes the messages of all rows, one after the other, and gives each to `taker`.
///
/// # Errors
/// What keeps a whole table from being read; what `taker` says.
pub fn convert<E: std::convert::From<Fault>>(
    plan: &Plan<'_>,
    paths: &[PathBuf],
    options: &Options,
    taker: &mut dyn FnMut(Made, &Tables<'_, '_>) -> Result<(), E>,
) -> Result<(), E> {
    let open = |path: &PathBuf| Input::open(path, options.format, options.encoding, options.limits);
    let inputs = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let only = plan.tables.len() == 1;
    let find = |table: &TablePlan| source::find(&inputs, table, only);
    let found = plan.tables.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let tables = Tables { plan, found };
    let mut gathering = Gathering { tables: &tables, options, file: plan.file_pieces(), made: 0 };
    if only && tables.stands_together(0)? { gathering.one_by_one(taker) } else { gathering.all(taker) }
}

impl Tables<'_, '_> {
    /// From where in the tables the thing that a finding speaks of came.
    pub fn place(&self, document: &Document, finding: &Finding) -> Option<Place> {
        let at = usize::try_from(finding.offset).ok()?;
        // Inner parts end first.
        let mark = document.marks.iter().find(|mark| mark.bytes.start <= at && at <= mark.bytes.end);
        let path = without_indexes(&finding.xpath);
        let field = |table: usize| {
            let plan = self.plan.tables.get(table)?;
            let field =
                plan.fields.iter().find(|field| self.plan.nodes.get(field.node).is_some_and(|n| n.path == path))?;
            match &field.from {
                From::Column(column) => Some(*column),
                From::Text(pieces) => pieces.iter().find_map(|piece| match piece {
                    Piece::Column(column) => Some(*column),
                    _ => None,
                }),
            }
        };
        let origin = match mark {
            Some(mark) => Origin { column: field(mark.origin.table).or(mark.origin.column), ..mark.origin },
            // Nothing of it was written: the head's first row, and the column that would have said it.
            None => {
                let first = document.marks.iter().find(|mark| mark.origin.table == 0)?;
                Origin { column: field(0), ..first.origin }
            }
        };
        Some(self.at(origin))
    }

    fn at(&self, origin: Origin) -> Place {
        let found = self.found.get(origin.table).and_then(Option::as_ref);
        found.map(|found| found.place(origin.row, origin.column)).unwrap_or_default()
    }

    /// Whether the rows of each message stand together, so that one message at a time is held.
    fn stands_together(&self, table: usize) -> Result<bool, Fault> {
        let (Some(plan), Some(Some(found))) = (self.plan.tables.get(table), self.found.get(table)) else {
            return Ok(true);
        };
        if plan.key.is_empty() {
            return Ok(true);
        }
        let (mut seen, mut last, mut together) = (HashSet::new(), None, true);
        found.rows(&mut |row| {
            let mut hasher = DefaultHasher::new();
            key(&row, &plan.key).hash(&mut hasher);
            let hash = hasher.finish();
            if last != Some(hash) {
                together &= seen.insert(hash);
                last = Some(hash);
            }
            Ok(())
        })?;
        Ok(together)
    }
}

/// A message that is being gathered.
#[derive(Default)]
struct Message {
    name: String,
    root: Instance,
    rows: u32,
    faults: Vec<Fault>,
}

struct Gathering<'g, 's> {
    tables: &'g Tables<'g, 's>,
    options: &'g Options,
    file: Vec<Piece>,
    made: usize,
}

impl Gathering<'_, '_> {
    fn one_by_one<E: std::convert::From<Fault>>(
        &mut self,
        taker: &mut dyn FnMut(Made, &Tables<'_, '_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let tables = self.tables;
        let (Some(plan), Some(Some(found))) = (tables.plan.tables.first(), tables.found.first()) else { return Ok(()) };
        let mut current: Option<(Vec<String>, Message)> = None;
        let mut refused = None;
        let read = found.rows(&mut |row| {
            let belongs = key(&row, &plan.key);
            let is_new = plan.key.is_empty() || current.as_ref().is_none_or(|(of, _)| *of != belongs);
            if is_new {
                if let Some((_, message)) = current.take()
                    && let Err(error) = taker(finished(tables.plan, message), tables)
                {
                    // Any fault ends the reading; this one is not told.
                    refused = Some(error);
                    return Err(Fault::new("KOUAN-CONVERT-MAP", "", ""));
                }
                self.made += 1;
                current = Some((belongs, self.begun(&row)));
            }
            if let Some((_, message)) = &mut current {
                self.take(0, row, message);
                self.held(message.rows)?;
            }
            Ok(())
        });
        if let Some(error) = refused {
            return Err(error);
        }
        read?;
        match current {
            Some((_, message)) => taker(finished(tables.plan, message), tables),
            None => Err(nothing(found).into()),
        }
    }

    fn all<E: std::convert::From<Fault>>(
        &mut self,
        taker: &mut dyn FnMut(Made, &Tables<'_, '_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let tables = self.tables;
        let mut by_key: HashMap<Vec<String>, usize> = HashMap::new();
        let (mut messages, mut rows) = (Vec::<Message>::new(), 0);
        for (at, (plan, found)) in tables.plan.tables.iter().zip(&tables.found).enumerate() {
            let Some(found) = found else { continue };
            found.rows(&mut |row| {
                rows += 1;
                self.held(rows)?;
                let belongs = key(&row, &plan.key);
                let known = by_key.get(&belongs).copied();
                let index = match known {
                    Some(index) => index,
                    None => {
                        self.made += 1;
                        let mut message = self.begun(&row);
                        if at > 0 {
                            message.name.clear();
                            message.faults.push(headless(tables, at, &row, plan, &belongs));
                        }
                        by_key.insert(belongs, messages.len());
                        messages.push(message);
                        messages.len() - 1
                    }
                };
                if let Some(message) = messages.get_mut(index) {
                    self.take(at, row, message);
                }
                Ok(())
            })?;
        }
        if messages.is_empty() {
            let found = tables.found.iter().flatten().next();
            return Err(found
                .map_or_else(|| Fault::new("KOUAN-CONVERT-NO-ROWS", "没有数据", "no rows"), nothing)
                .into());
        }
        messages.into_iter().try_for_each(|message| taker(finished(tables.plan, message), tables))
    }

    fn held(&self, rows: u32) -> Result<(), Fault> {
        let limit = self.options.limits.held_rows;
        if rows <= limit {
            return Ok(());
        }
        Err(Fault::new(
            "KOUAN-CONVERT-TOO-BIG",
            format!("要同时保留的行超过 {limit}"),
            format!("more than {limit} rows would have to be held at once"),
        ))
    }

    /// A message, at its first row.
    fn begun(&self, row: &Row) -> Message {
        let mut message = Message { name: self.text(&self.file, row), ..Message::default() };
        if !is_file_name(&message.name) {
            let name = std::mem::take(&mut message.name);
            let fault = Fault::new(
                "KOUAN-CONVERT-FILE-NAME",
                format!("“{name}”不能作文件名"),
                format!("`{name}` cannot be a file's name"),
            );
            message.faults.push(fault.at(self.tables.at(Origin { table: 0, row: row.number, column: None })));
        }
        message
    }

    fn text(&self, pieces: &[Piece], row: &Row) -> String {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Column(column) => text.push_str(&row.cells.get(*column).map(plain).unwrap_or_default()),
                Piece::Now(form) => text.push_str(&self.options.now.write(form)),
                Piece::Number => text.push_str(&self.made.to_string()),
            }
        }
        text
    }

    /// Puts a row where it belongs.
    fn take(&self, table: usize, row: Row, message: &mut Message) {
        message.rows += 1;
        let Some(plan) = self.tables.plan.tables.get(table) else { return };
        let origin = |column| Origin { table, row: row.number, column };
        if message.rows == 1 {
            message.root.origin = origin(None);
        }
        if let Some(fault) = row.fault.clone() {
            message.faults.push(fault);
            return;
        }
        for column in &plan.key {
            if row.cells.get(*column).is_none_or(Cell::is_empty) {
                message.faults.push(no_key().at(self.tables.at(origin(Some(*column)))));
                return;
            }
        }
        let mut values: Vec<Vec<(usize, Value)>> = (0..=plan.levels.len()).map(|_| Vec::new()).collect();
        for field in &plan.fields {
            let (cell, column) = match &field.from {
                From::Column(column) => (row.cells.get(*column).cloned().unwrap_or(Cell::Empty), Some(*column)),
                From::Text(pieces) => self.made_of(pieces, &row),
            };
            let Some(rule) = self.tables.plan.rules.get(field.rule) else { continue };
            match rule.value(&cell) {
                Ok((text, warning)) => {
                    message.faults.extend(warning.map(|fault| fault.at(self.tables.at(origin(column)))));
                    if let Some(level) = values.get_mut(field.level) {
                        level.push((field.node, Value { text, origin: origin(column) }));
                    }
                }
                Err(fault) => message.faults.push(fault.at(self.tables.at(origin(column)))),
            }
        }
        // Elements for which the row says nothing are not made.
        let said = values.iter().rposition(|level| level.iter().any(|(_, value)| !value.text.is_empty()));
        let Message { root, faults, .. } = message;
        let mut here = root;
        for (depth, of_level) in values.into_iter().enumerate().take(said.map_or(0, |said| said + 1)) {
            if let Some((node, by)) = depth.checked_sub(1).and_then(|above| plan.levels.get(above)) {
                let key = by.as_ref().map(|by| key(&row, by));
                if key.as_ref().is_some_and(|key| key.iter().any(String::is_empty)) {
                    let column = by.as_ref().and_then(|by| by.first()).copied();
                    faults.push(no_key().at(self.tables.at(origin(column))));
                    return;
                }
                here = kid(here, *node, key, origin(None));
            }
            for (node, value) in of_level {
                self.put(here, node, value, faults);
            }
        }
    }

    /// A text of several columns; nothing if its columns say nothing.
    fn made_of(&self, pieces: &[Piece], row: &Row) -> (Cell, Option<usize>) {
        let columns = || pieces.iter().filter_map(|piece| if let Piece::Column(at) = piece { Some(*at) } else { None });
        let silent = columns().any(|at| row.cells.get(at).is_none_or(Cell::is_empty));
        let cell = if silent { Cell::Empty } else { Cell::Text(self.text(pieces, row)) };
        (cell, columns().next())
    }

    /// What rows of one element say of the same field must agree.
    fn put(&self, into: &mut Instance, node: usize, value: Value, faults: &mut Vec<Fault>) {
        match into.values.get_mut(&node) {
            Some(known) if known.text.is_empty() => *known = value,
            Some(known) if !value.text.is_empty() && known.text != value.text => {
                let (first, second) = (&known.text, &value.text);
                let row = known.origin.row;
                let fault = Fault::new(
                    "KOUAN-CONVERT-CONFLICT",
                    format!("“{second}”与第 {row} 行的“{first}”不一致，它们属于同一份报文或同一项"),
                    format!("`{second}` contradicts `{first}` of row {row}, which belongs to the same element"),
                );
                faults.push(fault.at(self.tables.at(value.origin)));
            }
            Some(_) => {}
            None => {
                into.values.insert(node, value);
            }
        }
    }
}

fn kid(here: &mut Instance, node: usize, key: Option<Vec<String>>, origin: Origin) -> &mut Instance {
    let known = key.as_ref().and_then(|key| here.by_key.get(&(node, key.clone())).copied());
    let at = known.unwrap_or_else(|| {
        here.kids.push((node, Instance { origin, ..Instance::default() }));
        let at = here.kids.len() - 1;
        if let Some(key) = key {
            here.by_key.insert((node, key), at);
        }
        at
    });
    &mut here.kids[at].1
}

fn finished(plan: &Plan<'_>, message: Message) -> Made {
    let Message { name, root, rows, faults } = message;
    let wrong = faults.iter().any(|fault| fault.severity == Severity::Error);
    let document = (!wrong).then(|| write::document(plan, &root));
    Made { name, rows, document, faults }
}

fn key(row: &Row, columns: &[usize]) -> Vec<String> {
    columns.iter().map(|at| row.cells.get(*at).map(plain).unwrap_or_default()).collect()
}

/// A cell as a key or part of a text.
fn plain(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) | Cell::Number(text) | Cell::Error(text) => text.trim().to_owned(),
        Cell::Moment(moment) => moment.write("yyyyMMdd"),
    }
}

fn is_file_name(name: &str) -> bool {
    let bad = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && !name.chars().any(bad)
        && name.ends_with(".xml")
        && name != ".xml"
}

fn without_indexes(xpath: &str) -> String {
    let mut path = String::new();
    for step in xpath.split('/').skip(1) {
        path.push('/');
        path.push_str(step.split('[').next().unwrap_or(step));
    }
    path
}

fn no_key() -> Fault {
    Fault::new(
        "KOUAN-CONVERT-NO-KEY",
        "这一行没有填写说明它属于哪份报文或哪一项的列",
        "the column that says to which message or element the row belongs is empty",
    )
}

fn nothing(found: &Found<'_>) -> Fault {
    Fault::new("KOUAN-CONVERT-NO-ROWS", "表中没有数据行", "the table has no rows").at(found.place(0, None))
}

fn headless(tables: &Tables<'_, '_>, table: usize, row: &Row, plan: &TablePlan, key: &[String]) -> Fault {
    let key = key.join(" ");
    Fault::new("KOUAN-CONVERT-NO-HEAD", format!("第一个表中没有“{key}”"), format!("the first table has no `{key}`"))
        .at(tables.at(Origin { table, row: row.number, column: plan.key.first().copied() }))
}
