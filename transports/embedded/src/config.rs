//! The configuration.

use kouan_sdk::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The transport's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file; relative paths start at the configuration's folder. Made if it is not there.
    pub path: PathBuf,
    /// Whose end this is.
    #[serde(default)]
    pub side: Side,
    /// Messages that may wait in one direction; a sender is refused beyond that.
    #[serde(default = "default_max_messages")]
    #[schemars(range(min = 1))]
    pub max_messages: u32,
    /// Whether the other end tells if a message is there; without, this rehearses a window that cannot be asked.
    #[serde(default = "default_inquires")]
    pub inquires: bool,
}

/// An end of the queue pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The gateway: sends to the window.
    #[default]
    Client,
    /// The Single Window: sends to the client.
    Window,
}

impl Side {
    /// The opposite end.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Window,
            Self::Window => Self::Client,
        }
    }

    /// The direction's number in the file, named by the end that sends.
    pub(crate) fn direction(self) -> i64 {
        match self {
            Self::Client => 1,
            Self::Window => 2,
        }
    }
}

fn default_max_messages() -> u32 {
    10_000
}

fn default_inquires() -> bool {
    true
}

const WRONG: &str = "KOUAN-EMBEDDED-CONFIG";

/// Reads the configuration.
pub(crate) fn read(text: &str) -> Result<Config> {
    let config: Config = kouan_sdk::settings(text, WRONG)?;
    if config.max_messages == 0 {
        return Err(Error::new(ErrorKind::Config, WRONG, "max_messages must be at least 1"));
    }
    Ok(config)
}

/// The JSON Schema of [`Config`].
pub(crate) fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(Config)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_schema_is_the_one_in_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json");
        if std::env::var_os("KOUAN_BLESS").is_some() {
            std::fs::write(path, schema() + "\n").expect("the schema is written");
        }
        let committed = std::fs::read_to_string(path).expect("config.schema.json");
        assert_eq!(schema(), committed.trim_end(), "run this test with KOUAN_BLESS=1 to write it anew");
    }

    #[test]
    fn unknown_keys_and_no_room_are_refused() {
        for text in
            [r#"{"path":"q","sides":"window"}"#, r#"{"path":"q","max_messages":0}"#, r#"{"side":"client"}"#, "{"]
        {
            let error = read(text).expect_err(text);
            assert_eq!((error.kind, &*error.code), (ErrorKind::Config, "KOUAN-EMBEDDED-CONFIG"));
        }
    }
}
