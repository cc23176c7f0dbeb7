//! What a message of a type looks like before anybody has filled it in: its schema, and what is the same in every one.

use crate::business::{Compiled, Type};
use crate::pick::Pick;
use kouan_schema::Validator;
use kouan_sdk::Result;
use kouan_sdk::business::MessageType;
use std::sync::Arc;

/// A message type, for one who writes its first message.
#[derive(Debug, Clone)]
pub struct MessageForm {
    /// The type.
    pub info: MessageType,
    /// Schema, rules and code tables; `None` = the content is not checked.
    pub validator: Option<Arc<Validator>>,
    /// What every message of the type has.
    pub constants: Vec<Constant>,
    /// Path of the element that makes the message one of this type.
    pub body: Option<String>,
    /// Bodies of other types, which stand beside it in a shared schema and never in one message with it.
    pub foreign: Vec<String>,
}

/// A value that is the same in every message of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Where it stands.
    pub path: String,
    /// The value.
    pub value: String,
}

/// Forms of all types.
pub(crate) fn forms(compiled: &Compiled) -> Result<Vec<MessageForm>> {
    compiled.types.iter().map(|of| form(compiled, of)).collect()
}

fn form(compiled: &Compiled, of: &Type) -> Result<MessageForm> {
    let validator = of.validator.and_then(|at| compiled.validators.get(at));
    let validator = validator.map(|validator| validator.built()).transpose()?;
    let says = of.detect.as_ref().and_then(first_path).zip(of.is.first().cloned());
    let receiver = of.receiver.as_ref().and_then(|name| of.values.iter().find(|(known, _)| known == name));
    // Of several receivers the message must say which.
    let receiver = match of.info.receivers.as_slice() {
        [only] => receiver.and_then(|(_, pick)| first_path(pick)).zip(Some(only.clone())),
        _ => None,
    };
    // Types of a family may have other roots; what stands in the family's is not theirs.
    let is_within = |path: &str| {
        let root = path.split('/').nth(1);
        of.info.roots.iter().any(|known| Some(known.local.as_str()) == root)
    };
    let constants = says.into_iter().chain(receiver).filter(|(path, _)| is_within(path));
    let constants = constants.map(|(path, value)| Constant { path, value }).collect();
    let bodies = compiled.types.iter().filter_map(|other| other.body.clone());
    let foreign = bodies.filter(|body| of.body.as_ref() != Some(body)).collect();
    Ok(MessageForm { info: of.info.clone(), validator, constants, body: of.body.clone(), foreign })
}

fn first_path(pick: &Pick) -> Option<String> {
    pick.paths().first().map(|path| path.text().to_owned())
}
