//! JSON: objects in arrays, nested as deep as they like; the whole file is held.

use super::{Cell, Found, Row, Taker, unreadable};
use crate::fault::{Fault, Place};
use serde_json::Value;
use std::fs::File;
use std::io::Read as _;

pub(super) fn rows(found: &Found<'_>, taker: Taker<'_>) -> Result<(), Fault> {
    let document = read(found)?;
    let steps: Vec<&str> = match found.rows.trim_matches('/') {
        // An array of objects, or one object.
        "" if document.is_array() => vec!["*"],
        "" => Vec::new(),
        path => path.split('/').collect(),
    };
    let mut walk = Walk { found, taker, number: 0, any: false };
    walk.visit(&steps, &mut vec![&document])?;
    if !walk.any {
        let rows = if found.rows.is_empty() { "*" } else { &found.rows };
        let (zh, en) = (format!("路径 {rows} 下没有对象"), format!("there are no objects at {rows}"));
        return Err(Fault::new("KOUAN-CONVERT-NO-ROWS", zh, en).at(Place::file(&found.input.name)));
    }
    Ok(())
}

struct Walk<'w, 'f, 't> {
    found: &'w Found<'f>,
    taker: Taker<'t>,
    number: u32,
    /// Whether the path led anywhere, if only to an empty array.
    any: bool,
}

impl Walk<'_, '_, '_> {
    /// `above` = the objects from the document down to where we are.
    fn visit(&mut self, steps: &[&str], above: &mut Vec<&Value>) -> Result<(), Fault> {
        let Some(here) = above.last().copied() else { return Ok(()) };
        let Some((step, rest)) = steps.split_first() else { return self.row(above) };
        if *step == "*" {
            self.any |= here.is_array();
            for item in here.as_array().into_iter().flatten() {
                above.push(item);
                self.visit(rest, above)?;
                above.pop();
            }
            return Ok(());
        }
        // An array is no step of its own for `..`: it takes its owner's place.
        if let Some(next) = here.get(step) {
            above.push(next);
            self.visit(rest, above)?;
            above.pop();
        }
        Ok(())
    }

    fn row(&mut self, above: &[&Value]) -> Result<(), Fault> {
        self.any = true;
        self.number += 1;
        let mut fault = above.last().filter(|object| !object.is_object()).map(|_| {
            Fault::new("KOUAN-CONVERT-NO-OBJECT", "这里应为对象", "an object is expected here")
                .at(self.found.place(self.number, None))
        });
        let mut cells = Vec::new();
        for (at, pick) in self.found.picks.iter().enumerate() {
            cells.push(cell(above, &pick.name).unwrap_or_else(|| {
                let (zh, en) =
                    ("这里应为单个值，不是对象或数组", "a single value is expected here, no object or array");
                fault = Some(Fault::new("KOUAN-CONVERT-NO-VALUE", zh, en).at(self.found.place(self.number, Some(at))));
                Cell::Empty
            }));
        }
        (self.taker)(Row { number: self.number, cells, fault })
    }
}

/// What stands at a path from the innermost object; `..` = the object around it. `None` if it is no value.
fn cell(above: &[&Value], path: &str) -> Option<Cell> {
    let mut objects = above.iter().rev().filter(|value| value.is_object());
    let mut here = objects.next().copied();
    // A field's own name may hold a slash.
    let whole = here.and_then(|object| object.get(path));
    for step in path.trim_start_matches('/').split('/') {
        here = match (step, here) {
            ("..", _) => objects.next().copied(),
            (_, Some(Value::Array(list))) => step.parse::<usize>().ok().and_then(|at| list.get(at)),
            (_, Some(value)) => value.get(step),
            (_, None) => None,
        };
    }
    Some(match whole.or(here) {
        None | Some(Value::Null) => Cell::Empty,
        Some(Value::String(text)) => Cell::Text(text.clone()),
        Some(Value::Bool(flag)) => Cell::Text(flag.to_string()),
        Some(Value::Number(number)) => Cell::Number(match (number.is_f64(), number.as_f64()) {
            (true, Some(float)) => crate::number::of_sheet(float)?,
            _ => number.to_string(),
        }),
        Some(Value::Object(_) | Value::Array(_)) => return None,
    })
}

fn read(found: &Found<'_>) -> Result<Value, Fault> {
    let input = found.input;
    let limit = input.limits.unpacked_bytes;
    let mut bytes = Vec::new();
    let file = File::open(&input.path).map_err(|e| unreadable(&input.name, &e))?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&input.name, &e))?;
    if bytes.len() as u64 > limit {
        let (zh, en) = (format!("文件超过 {limit} 字节"), format!("the file has more than {limit} bytes"));
        return Err(Fault::new("KOUAN-CONVERT-TOO-BIG", zh, en).at(Place::file(&input.name)));
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    serde_json::from_slice(bytes).map_err(|e| {
        let place = Place { row: u32::try_from(e.line()).unwrap_or(0), ..Place::file(&input.name) };
        Fault::new("KOUAN-CONVERT-NOT-JSON", format!("不是合法的 JSON：{e}"), format!("no JSON: {e}")).at(place)
    })
}
