//! A scenario's steps in this business's own words: what the simulated window answers to one declaration.

use crate::data::Channels;
use kouan_sdk::simulator::Script;
use kouan_sdk::{Error, ErrorKind, Result};

/// The usual way to the end: submitted, received, examined, released, cleared (`domain/goods-declaration.md` §2.2).
const USUAL: [&str; 5] = ["7", "L", "J", "P", "R"];

/// A notice of the customs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// CHANNEL.
    pub(crate) channel: String,
    /// NOTE; empty = the channel's usual words.
    pub(crate) note: String,
}

/// What the window does with a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// It refuses the import with this text.
    Refuse(String),
    /// It takes it in, and these notices follow.
    Accept(Vec<Notice>),
}

impl Way {
    /// Reads a script: `refuse:<text>`, or CHANNEL codes, each with an own note if wanted (`E:品名与编码不符`), and
    /// `stop` where nothing more is to follow. Empty = the usual way.
    pub(crate) fn read(script: &Script, channels: &Channels) -> Result<Self> {
        if script.steps.is_empty() {
            return Ok(Self::Accept(
                USUAL.iter().map(|&code| Notice { channel: code.into(), note: String::new() }).collect(),
            ));
        }
        let mut notices = Vec::new();
        for step in &script.steps {
            let (word, text) = step.split_once(':').unwrap_or((step, ""));
            match word {
                "refuse" if notices.is_empty() => return Ok(Self::Refuse(text.to_owned())),
                "stop" => break,
                channel if channels.is_known(channel) => {
                    notices.push(Notice { channel: channel.into(), note: text.into() });
                }
                _ => return Err(unknown(step)),
            }
        }
        Ok(Self::Accept(notices))
    }
}

fn unknown(step: &str) -> Error {
    let message = format!(
        "goods-declaration: a scenario has the step {step:?}; known are CHANNEL codes, stop, and refuse:<text> as the first"
    );
    Error::new(ErrorKind::Config, "KOUAN-DEC-SCRIPT", message)
}
