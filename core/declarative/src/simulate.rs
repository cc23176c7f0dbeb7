//! The business's side of the sandbox: what a Single Window answers. It gives numbers, remembers what took effect, asks for
//! what a message refers to, and walks it through its steps.

use crate::business::{Compiled, STEM_KEY, Type};
use crate::check;
use crate::path::Source;
use crate::plan::unpacked;
use crate::template::Template;
use crate::tree::Tree;
use crate::window::{Step, Way, all_hold, takes};
use kouan_sdk::business::Key;
use kouan_sdk::simulator::{Answer, Arrived, Effect, Script, Simulator, StateStore};
use kouan_sdk::{Error, ErrorKind, Result, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The simulator.
pub(crate) struct SimulatedWindow {
    pub(crate) compiled: Arc<Compiled>,
}

/// What the window keeps under each key of a message that took effect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Record {
    /// Types of the messages with this key.
    types: BTreeSet<String>,
    /// Numbers given, by name.
    numbers: BTreeMap<String, String>,
}

/// A message that reached the window, read.
struct Message<'a> {
    of: &'a Type,
    tree: Tree,
    keys: Vec<Key>,
    values: BTreeMap<String, String>,
    stem: &'a str,
    at: Timestamp,
}

impl Message<'_> {
    fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    fn effect_key(&self) -> Option<&Key> {
        self.of.business_key.iter().find_map(|name| self.key(name)).or_else(|| self.key(STEM_KEY))
    }

    /// A place of a template that the message itself or the clock fills.
    fn place(&self, name: &str, at: Timestamp) -> Option<String> {
        let own = self.key(name).map(|key| key.value.clone()).or_else(|| self.values.get(name).cloned());
        own.or_else(|| {
            Some(match name {
                "type" => self.of.info.id.clone(),
                "stem" => self.stem.to_owned(),
                "at" => at.local(),
                "at_blank" => at.local().replace('T', " "),
                "at14" => at.compact(),
                "at17" => at.compact_fraction(0).chars().take(17).collect(),
                "yyyy" => at.compact().chars().take(4).collect(),
                "yy" => at.compact().chars().skip(2).take(2).collect(),
                "date" => at.compact().chars().take(8).collect(),
                _ => return None,
            })
        })
    }
}

impl Simulator for SimulatedWindow {
    fn repeat_key(&self, arrived: &Arrived<'_>) -> Result<Option<Key>> {
        // What cannot be read has no effect that could be repeated; `take` answers it.
        Ok(self.message(arrived).ok().and_then(|message| message.effect_key().cloned()))
    }

    fn changes(&self, key: &Key) -> bool {
        self.compiled.window.changes.contains(&key.name)
    }

    fn take(&self, store: &mut dyn StateStore, arrived: &Arrived<'_>, script: &Script) -> Result<Effect> {
        let window = &self.compiled.window;
        let of = self.type_of(arrived)?;
        let id = of.info.id.as_str();
        let Ok(message) = self.message(arrived) else {
            let flow = window.flow(id, None)?;
            window.way(&self.compiled.info.id, id, flow, script)?;
            return self.unreadable(store, of, arrived, &flow.refuse);
        };
        let flow = window.flow(id, Some(&message.tree))?;
        let way = window.way(&self.compiled.info.id, id, flow, script)?;
        let mut refused = |text: String| self.refused(store, &message, &flow.refuse, text);
        let Some(effect_key) = message.effect_key().cloned() else {
            return refused("报文没有编号，无法受理".into());
        };
        let steps = match way {
            Way::Refuse(text) => return refused(text),
            Way::Accept(steps) => steps,
        };
        if let Some(text) = self.unknown_reference(store, &message)? {
            return self.refused(store, &message, &flow.refuse, text);
        }
        let numbers = self.numbers(store, &message, &effect_key)?;
        self.remember(store, &message, &numbers)?;
        let mut answers = Vec::with_capacity(steps.len());
        let mut gone = BTreeSet::new();
        for (count, (step, text)) in (0_u64..).zip(steps) {
            gone.insert(step.name.as_str());
            let shown = self.shown(&numbers, &gone);
            let after_ms = script.step_delay_ms.saturating_mul(count);
            answers.push(self.answer(&mut Some(&mut *store), &message, step, text, &shown, after_ms)?);
        }
        Ok(Effect { effect_key: Some(effect_key), answers })
    }

    fn known_already(&self, store: &dyn StateStore, arrived: &Arrived<'_>, key: &Key) -> Result<Vec<Answer>> {
        let message = self.message(arrived)?;
        let id = message.of.info.id.as_str();
        let flow = self.compiled.window.flow(id, Some(&message.tree))?;
        let Some(step) = self.compiled.window.step(&flow.known, id) else { return Ok(Vec::new()) };
        let record = load(store, key)?.unwrap_or_default();
        Ok(vec![self.answer(&mut None, &message, step, None, &record.numbers, 0)?])
    }
}

impl SimulatedWindow {
    fn type_of(&self, arrived: &Arrived<'_>) -> Result<&Type> {
        self.compiled.type_of(arrived.message_type).ok_or_else(|| {
            let message = format!("{} has no message type {}", self.compiled.info.id, arrived.message_type);
            Error::new(ErrorKind::Invalid, "KOUAN-DECLARATIVE-MESSAGE-TYPE", message)
        })
    }

    fn message<'a>(&'a self, arrived: &Arrived<'a>) -> Result<Message<'a>> {
        let of = self.type_of(arrived)?;
        let document = unpacked(arrived.payload)?;
        let tree = Tree::read(&document).map_err(|e| {
            Error::new(ErrorKind::Invalid, "KOUAN-DECLARATIVE-UNREADABLE", format!("the message cannot be read: {e}"))
        })?;
        let stem = arrived.file_name.rsplit_once('.').map_or(arrived.file_name, |(stem, _)| stem);
        let mut keys = check::keys(&of.keys, &tree);
        if of.stem_key && !stem.is_empty() && !of.business_key.iter().any(|name| keys.iter().any(|k| k.name == *name)) {
            keys.push(Key::new(STEM_KEY, stem));
        }
        let values = check::values(&of.values, &tree);
        Ok(Message { of, keys, values, tree, stem, at: arrived.at })
    }

    /// What any window would refuse, whatever the scenario says.
    fn unreadable(&self, store: &mut dyn StateStore, of: &Type, arrived: &Arrived<'_>, step: &str) -> Result<Effect> {
        let tree = Tree::read(b"<unreadable/>").map_err(|e| {
            Error::new(ErrorKind::Internal, "KOUAN-DECLARATIVE-UNREADABLE", format!("an empty document: {e}"))
        })?;
        let stem = arrived.file_name.rsplit_once('.').map_or(arrived.file_name, |(stem, _)| stem);
        let message = Message { of, tree, keys: Vec::new(), values: BTreeMap::new(), stem, at: arrived.at };
        self.refused(store, &message, step, "报文格式错误，无法解析".into())
    }

    fn refused(&self, store: &mut dyn StateStore, message: &Message<'_>, step: &str, text: String) -> Result<Effect> {
        let Some(step) = self.compiled.window.step(step, &message.of.info.id) else {
            return Ok(Effect { effect_key: None, answers: Vec::new() });
        };
        let text = (!text.is_empty()).then_some(text);
        let answer = self.answer(&mut Some(store), message, step, text, &BTreeMap::new(), 0)?;
        Ok(Effect { effect_key: None, answers: vec![answer] })
    }

    /// The text that refuses a message which refers to something unknown.
    fn unknown_reference(&self, store: &dyn StateStore, message: &Message<'_>) -> Result<Option<String>> {
        for requires in &self.compiled.window.requires {
            if !takes(&requires.types, &message.of.info.id) || !all_hold(&requires.when, &message.tree) {
                continue;
            }
            for value in requires.pick.values(&message.tree as &dyn Source) {
                let record = load(store, &Key::new(requires.known.clone(), value.clone()))?;
                let is_known = record.is_some_and(|record| {
                    requires.of_types.is_empty() || record.types.iter().any(|of| requires.of_types.contains(of))
                });
                if !is_known {
                    let mut place = |name: &str| match name {
                        "value" => Ok(Some(value.clone())),
                        name => Ok(message.place(name, message.at)),
                    };
                    return requires.text.plain(&mut place).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// The numbers of a message: those that it carries, those given before under its key, else new ones.
    fn numbers(
        &self,
        store: &mut dyn StateStore,
        message: &Message<'_>,
        effect_key: &Key,
    ) -> Result<BTreeMap<String, String>> {
        let mut known = load(store, effect_key)?.unwrap_or_default().numbers;
        for number in &self.compiled.window.numbers {
            if let Some(key) = message.key(&number.name) {
                known.extend(load(store, key)?.unwrap_or_default().numbers);
            }
        }
        let mut numbers = BTreeMap::new();
        for number in &self.compiled.window.numbers {
            if !takes(&number.types, &message.of.info.id) {
                continue;
            }
            let own = message.key(&number.name).map(|key| key.value.clone());
            let value = match own.or_else(|| known.get(&number.name).cloned()) {
                Some(value) => value,
                None => {
                    let mut place = |name: &str| match name {
                        "n" => store.next(&number.name).map(|n| Some(n.to_string())),
                        name => Ok(message.place(name, message.at)),
                    };
                    number.form.plain(&mut place)?
                }
            };
            numbers.insert(number.name.clone(), value);
        }
        Ok(numbers)
    }

    /// Those that are known once these steps are gone.
    fn shown(&self, numbers: &BTreeMap<String, String>, gone: &BTreeSet<&str>) -> BTreeMap<String, String> {
        let is_shown = |name: &String| {
            let number = self.compiled.window.numbers.iter().find(|number| number.name == *name);
            number.is_none_or(|n| n.from_step.is_empty() || n.from_step.iter().any(|step| gone.contains(step.as_str())))
        };
        numbers.iter().filter(|(name, _)| is_shown(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn remember(
        &self,
        store: &mut dyn StateStore,
        message: &Message<'_>,
        numbers: &BTreeMap<String, String>,
    ) -> Result<()> {
        let id = &message.of.info.id;
        let forgets = self.compiled.window.forgets.iter();
        let forgets = forgets.filter(|forgets| takes(&forgets.types, id) && all_hold(&forgets.when, &message.tree));
        let gone: BTreeSet<&str> = forgets.flat_map(|forgets| forgets.keys.iter().map(String::as_str)).collect();
        let given = numbers.iter().map(|(name, value)| Key::new(name.clone(), value.clone()));
        let keys: BTreeSet<Key> = message.keys.iter().cloned().chain(given).collect();
        for key in keys {
            if gone.contains(key.name.as_str()) {
                store.put(&place_of(&key), b"")?;
                continue;
            }
            let mut record = load(store, &key)?.unwrap_or_default();
            record.types.insert(id.clone());
            record.numbers.extend(numbers.clone());
            let bytes = serde_json::to_vec(&record).map_err(|e| broken_state(&e))?;
            store.put(&place_of(&key), &bytes)?;
        }
        Ok(())
    }

    fn answer(
        &self,
        store: &mut Option<&mut dyn StateStore>,
        message: &Message<'_>,
        step: &Step,
        text: Option<String>,
        numbers: &BTreeMap<String, String>,
        after_ms: u64,
    ) -> Result<Answer> {
        let at = message.at.plus_millis(i64::try_from(after_ms).unwrap_or(i64::MAX));
        let mut base = |name: &str| match name {
            "n" => Ok(Some(match store {
                Some(store) => store.next("answer")?.to_string(),
                // Nothing is kept here; the moment tells two answers apart.
                None => at.millis().rem_euclid(1_000_000_000).to_string(),
            })),
            name => Ok(numbers.get(name).cloned().or_else(|| message.place(name, at))),
        };
        let mut set: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in &step.set {
            set.insert(name, value.plain(&mut base)?);
        }
        if let Some(text) = text {
            set.insert("text", text);
        }
        let mut place = |name: &str| match set.get(name) {
            Some(value) => Ok(Some(value.clone())),
            None => base(name),
        };
        let payload = match self.compiled.templates.get(&step.template) {
            Some(template) => Template::xml(template, &mut place)?,
            None => Vec::new(),
        };
        let message_type = step.message_type.clone().unwrap_or_else(|| message.of.info.id.clone());
        Ok(Answer { message_type, payload, after_ms, biz_keys: Vec::new() })
    }
}

fn place_of(key: &Key) -> String {
    format!("key/{}/{}", key.name, key.value)
}

fn load(store: &dyn StateStore, key: &Key) -> Result<Option<Record>> {
    match store.get(&place_of(key))? {
        Some(bytes) if !bytes.is_empty() => serde_json::from_slice(&bytes).map(Some).map_err(|e| broken_state(&e)),
        _ => Ok(None),
    }
}

fn broken_state(error: &serde_json::Error) -> Error {
    let message = format!("a record of the simulated window: {error}");
    Error::new(ErrorKind::Internal, "KOUAN-DECLARATIVE-SIMULATOR-STATE", message)
}
