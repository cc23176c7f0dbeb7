//! A plugin's settings against its JSON schema: enough to name the key at fault and the key that was meant.
//!
//! Not a JSON Schema validator: it reports only what is certain, and leaves the rest to the plugin's own reading.

use crate::suggest::{hint, list};
use kouan_sdk::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// How deep schema and settings are followed; a schema may refer to itself.
const MAX_DEPTH: usize = 16;

/// Checks `config` (JSON text) against `schema` (JSON Schema text).
///
/// `KOUAN-HOST-SETTINGS-UNKNOWN-KEY`, `KOUAN-HOST-SETTINGS-INVALID`, or `KOUAN-HOST-SCHEMA-UNREADABLE` if the plugin's own schema is broken.
pub(crate) fn check(schema: &str, config: &str) -> Result<()> {
    let schema: Value = serde_json::from_str(schema).map_err(|e| {
        Error::new(ErrorKind::Internal, "KOUAN-HOST-SCHEMA-UNREADABLE", format!("the plugin's schema is not json: {e}"))
    })?;
    let config: Value = serde_json::from_str(config).map_err(|e| invalid(format!("settings are not json: {e}")))?;
    Checker { root: &schema }.value(&schema, &config, "", 0)
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn value(&self, schema: &Value, value: &Value, path: &str, depth: usize) -> Result<()> {
        let Some(schema) = self.resolve(schema).filter(|_| depth < MAX_DEPTH) else { return Ok(()) };
        for word in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(word).and_then(Value::as_array) {
                let mut faults = choices.iter().map(|choice| self.value(choice, value, path, depth + 1));
                // With several ways to be right only a lone real choice (the other being null) gives a useful fault.
                let real = choices.iter().filter(|choice| choice.get("type") != Some(&"null".into())).count();
                let fits = faults.any(|fault| fault.is_ok());
                if !fits && real == 1 {
                    let choice = choices.iter().find(|choice| choice.get("type") != Some(&"null".into()));
                    return choice.map_or(Ok(()), |choice| self.value(choice, value, path, depth + 1));
                }
                if !fits {
                    return Err(invalid(format!("{} has none of the allowed forms: {}", place(path), short(value))));
                }
            }
        }
        self.kind(schema, value, path)?;
        self.one_of_the_values(schema, value, path)?;
        match value {
            Value::Object(object) => self.object(schema, object, path, depth),
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                let of = schema.get("items").unwrap_or(&Value::Null);
                self.value(of, item, &format!("{path}[{index}]"), depth + 1)
            }),
            _ => Ok(()),
        }
    }

    fn object(&self, schema: &Map<String, Value>, object: &Map<String, Value>, path: &str, depth: usize) -> Result<()> {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let rest = schema.get("additionalProperties");
        for (key, value) in object {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match (properties.get(key), rest) {
                (Some(of), _) => self.value(of, value, &path, depth + 1)?,
                (None, Some(Value::Bool(false))) => return Err(unknown_key(&path, key, properties)),
                (None, Some(of)) => self.value(of, value, &path, depth + 1)?,
                (None, None) => {}
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for key in required {
            if !object.contains_key(key) {
                let inside = if path.is_empty() { String::new() } else { format!(" in {path}") };
                return Err(invalid(format!("key \"{key}\" is missing{inside}")));
            }
        }
        Ok(())
    }

    fn kind(&self, schema: &Map<String, Value>, value: &Value, path: &str) -> Result<()> {
        let wanted: Vec<&str> = match schema.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => return Ok(()),
        };
        let fits = |kind: &&str| match *kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            _ => true,
        };
        if wanted.iter().any(fits) {
            return Ok(());
        }
        Err(invalid(format!("{} must be {}, not {}", place(path), wanted.join(" or "), short(value))))
    }

    fn one_of_the_values(&self, schema: &Map<String, Value>, value: &Value, path: &str) -> Result<()> {
        let Some(values) = schema.get("enum").and_then(Value::as_array) else { return Ok(()) };
        if values.contains(value) {
            return Ok(());
        }
        let names: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        let hint = value.as_str().map(|given| hint(given, names.iter().copied())).unwrap_or_default();
        Err(invalid(format!("{} cannot be {}{hint}; allowed: {}", place(path), short(value), list(names))))
    }

    /// Follows `$ref` inside the document.
    fn resolve<'s>(&'s self, schema: &'s Value) -> Option<&'s Map<String, Value>> {
        let mut here = schema.as_object()?;
        for _ in 0..MAX_DEPTH {
            let Some(target) = here.get("$ref").and_then(Value::as_str) else { return Some(here) };
            here = self.root.pointer(target.strip_prefix('#')?)?.as_object()?;
        }
        None
    }
}

fn unknown_key(path: &str, key: &str, properties: &Map<String, Value>) -> Error {
    let known = || properties.keys().map(String::as_str);
    let text = format!("unknown key \"{}\"{}; known keys: {}", path.escape_debug(), hint(key, known()), list(known()));
    Error::new(ErrorKind::Config, "KOUAN-HOST-SETTINGS-UNKNOWN-KEY", text)
}

fn invalid(text: String) -> Error {
    Error::new(ErrorKind::Config, "KOUAN-HOST-SETTINGS-INVALID", text)
}

fn place(path: &str) -> String {
    if path.is_empty() { "the settings".to_owned() } else { format!("key \"{}\"", path.escape_debug()) }
}

/// A value, shortened; only its kind where it could hold a secret.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() <= 40 => format!("\"{}\"", text.escape_debug()),
        Value::String(_) => "a long text".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r##"{
        "type": "object", "additionalProperties": false, "required": ["root"],
        "properties": {
            "root": {"type": "string"},
            "settle_ms": {"type": "integer"},
            "mode": {"enum": ["copy", "rename"]},
            "tls": {"anyOf": [{"$ref": "#/$defs/Tls"}, {"type": "null"}]},
            "queues": {"type": "array", "items": {"$ref": "#/$defs/Tls"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}}
        },
        "$defs": {"Tls": {"type": "object", "additionalProperties": false, "properties": {"ca_file": {"type": "string"}}}}
    }"##;

    fn fault(config: &str) -> (String, String) {
        let error = check(SCHEMA, config).unwrap_err();
        (error.code.into_owned(), error.message)
    }

    #[test]
    fn what_fits_passes() {
        for good in [
            r#"{"root":"a"}"#,
            r#"{"root":"a","settle_ms":5,"mode":"copy","tls":{"ca_file":"x"},"queues":[{}],"labels":{"any":"text"}}"#,
            r#"{"root":"a","tls":null}"#,
        ] {
            check(SCHEMA, good).unwrap();
        }
    }

    #[test]
    fn a_misspelt_key_is_named_with_the_key_that_was_meant() {
        for (bad, path, meant) in [
            (r#"{"root":"a","setle_ms":5}"#, "setle_ms", "settle_ms"),
            (r#"{"root":"a","tls":{"cafile":"x"}}"#, "tls.cafile", "ca_file"),
            (r#"{"root":"a","queues":[{},{"ca-file":"x"}]}"#, "queues[1].ca-file", "ca_file"),
        ] {
            let (code, text) = fault(bad);
            assert_eq!(code, "KOUAN-HOST-SETTINGS-UNKNOWN-KEY");
            assert!(text.contains(&format!("\"{path}\"")), "{text}");
            assert!(text.contains(&format!("did you mean \"{meant}\"?")), "{text}");
        }
    }

    #[test]
    fn wrong_values_are_named_with_their_place() {
        for (bad, says) in [
            ("{}", "key \"root\" is missing"),
            (r#"{"root":7}"#, "key \"root\" must be string, not 7"),
            (r#"{"root":"a","mode":"cpoy"}"#, "did you mean \"copy\"?"),
            (r#"{"root":"a","labels":{"x":1}}"#, "key \"labels.x\" must be string"),
            (r#"["root"]"#, "the settings must be object"),
            ("nonsense", "not json"),
        ] {
            let (code, text) = fault(bad);
            assert_eq!(code, "KOUAN-HOST-SETTINGS-INVALID");
            assert!(text.contains(says), "{text}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = r##"{"$ref":"#/$defs/A","$defs":{"A":{"$ref":"#/$defs/A"}}}"##;
        check(schema, "{}").unwrap();
        assert_eq!(check("not json", "{}").unwrap_err().code, "KOUAN-HOST-SCHEMA-UNREADABLE");
    }
}
