//! The configuration's JSON Schema, with the keys of every bundled plugin where the plugin is named.

use kouan_host::Registry;
use kouan_kernel::Config;
use kouan_sdk::Kind;
use serde_json::{Value, json};

/// Where plugins are named: the definition, its key, the kind of plugin.
const PLACES: [(&str, &str, Kind); 4] = [
    ("BusinessConfig", "plugin", Kind::Business),
    ("SiteConfig", "transport", Kind::Transport),
    ("WindowConfig", "transport", Kind::Transport),
    ("SecurityConfig", "backend", Kind::Security),
];

/// The whole schema.
///
/// # Errors
/// A plugin's schema that is no JSON.
pub fn whole(registry: &Registry) -> anyhow::Result<Value> {
    let mut schema = serde_json::to_value(schemars::schema_for!(Config))?;
    for (definition, key, kind) in PLACES {
        let mut cases = Vec::new();
        for id in registry.ids(kind) {
            let mut own: Value = serde_json::from_str(&(registry.find(kind, id)?.config_schema)())?;
            let prefix = format!("{id}.");
            rename(&mut own, &prefix);
            for (name, inner) in own["$defs"].as_object().into_iter().flatten() {
                schema["$defs"][format!("{prefix}{name}")] = inner.clone();
            }
            let mut keys = own["properties"].take();
            if let (Some(keys), Some(taken)) =
                (keys.as_object_mut(), schema["$defs"][definition]["properties"].as_object())
            {
                // The gateway reads these itself; they never reach the plugin.
                keys.retain(|key, _| !taken.contains_key(key));
            }
            cases.push(json!({
                "if": { "properties": { key: { "const": id } }, "required": [key] },
                "then": { "properties": keys, "required": own.get("required").unwrap_or(&json!([])) },
            }));
        }
        schema["$defs"][definition]["allOf"] = cases.into();
    }
    Ok(schema)
}

/// Makes references to a plugin's own definitions references to their names in the whole.
fn rename(value: &mut Value, prefix: &str) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(place) if key == "$ref" => {
                        *place = place.replacen("#/$defs/", &format!("#/$defs/{prefix}"), 1);
                    }
                    value => rename(value, prefix),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, prefix)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled;

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_plugins_keys_are_told_and_every_reference_leads_somewhere() {
        let registry = bundled::registry().unwrap();
        let schema = whole(&registry).unwrap();
        for (definition, key, kind) in PLACES {
            let cases = schema["$defs"][definition]["allOf"].as_array().unwrap();
            assert_eq!(cases.len(), registry.ids(kind).len(), "{definition}");
            for (case, id) in cases.iter().zip(registry.ids(kind)) {
                assert_eq!(case["if"]["properties"][key]["const"], id);
                assert!(case["then"]["properties"].as_object().is_some_and(|keys| !keys.is_empty()), "{id}");
            }
        }
        let mut found = Vec::new();
        references(&schema, &mut found);
        for reference in found {
            assert!(schema.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }
}
