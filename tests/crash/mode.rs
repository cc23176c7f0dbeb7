//! What repeats meet: as the client believes, and as the sandbox behaves.

use kouan_sandbox::Repeats;
use std::fmt;
use std::str::FromStr;

/// A pair of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// `[window] repeats` of the client.
    pub client: Repeats,
    /// `repeats` of the sandbox.
    pub sandbox: Repeats,
}

impl Mode {
    /// The modes that fit, and at last a window that does not behave as it is configured.
    pub const ALL: [Self; 6] = [
        Self { client: Repeats::WireId, sandbox: Repeats::WireId },
        Self { client: Repeats::BusinessKey, sandbox: Repeats::BusinessKey },
        Self { client: Repeats::None, sandbox: Repeats::None },
        Self { client: Repeats::None, sandbox: Repeats::WireId },
        Self { client: Repeats::None, sandbox: Repeats::BusinessKey },
        Self { client: Repeats::WireId, sandbox: Repeats::None },
    ];

    /// Whether the window does not keep what the client was told of it: then an effect may be doubled, and must be noticed.
    pub fn misbehaves(self) -> bool {
        self.client != Repeats::None && self.client != self.sandbox
    }

    /// Whether a doubt waits for an operator.
    pub fn needs_operator(self) -> bool {
        self.client == Repeats::None
    }

    /// As part of a path.
    pub fn folder_name(self) -> String {
        format!("{}-at-{}", self.client, self.sandbox)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.client, self.sandbox)
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = || Self::ALL.map(|mode| mode.to_string()).join(", ");
        Self::ALL
            .into_iter()
            .find(|mode| mode.to_string() == text)
            .ok_or_else(|| format!("no mode {text}; there are {}", all()))
    }
}
