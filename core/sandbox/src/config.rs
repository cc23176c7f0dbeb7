//! What a sandbox is made of.

use crate::{Scenario, error};
use kouan_dxp::{Policy, SignatureProfile, Trust, WireId};
use kouan_sdk::{Clock, Error, Result, Security, Simulator, Timestamp, Transport};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Receiver of goods declarations (`domain/goods-declaration.md` §4.1); answers a client that addresses nobody we can be.
const DEFAULT_DXP_ID: &str = "DXPDSWDEC0000002";

/// What a repeat meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeats {
    /// A repeated wire id is dropped.
    WireId,
    /// A repeated business key is answered with the business's failure that names the key; no second effect.
    BusinessKey,
    /// A repeat is processed again, and takes effect again.
    #[default]
    None,
}

impl Repeats {
    /// As configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::WireId => "wire-id",
            Self::BusinessKey => "business-key",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Repeats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Repeats {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::WireId, Self::BusinessKey, Self::None];
        all.into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| error::config(format!("repeats is `{text}`, not wire-id, business-key or none")))
    }
}

/// How a sandbox behaves.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Its own SQLite file; made if it is not there.
    pub path: PathBuf,
    /// What repeats meet.
    pub repeats: Repeats,
    /// What goes wrong, and which steps which messages go.
    pub scenario: Scenario,
    /// Sender of answers to a message whose own receiver is no DXP id.
    pub dxp_id: String,
    /// What is accepted of clients' signatures.
    pub policy: Policy,
    /// How answers are signed; by a window key of kind RSA with RSA-SHA1 instead.
    pub profile: SignatureProfile,
    /// Messages taken, or sent, in one batch and transaction.
    pub max_batch: usize,
    /// Bytes taken, or sent, in one batch, about.
    pub max_bytes: usize,
    /// Threads that verify and sign; 0 = one for each core.
    pub threads: usize,
}

impl SandboxConfig {
    /// A strict window without faults, its state in `path`, repeats processed again.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            repeats: Repeats::None,
            scenario: Scenario::default(),
            dxp_id: DEFAULT_DXP_ID.to_owned(),
            policy: Policy::strict(),
            profile: SignatureProfile::transport(),
            max_batch: 256,
            max_bytes: 32 << 20,
            threads: 0,
        }
    }

    /// Checks what can be checked without opening anything.
    pub(crate) fn check(&self) -> Result<()> {
        WireId::new(&self.dxp_id, Timestamp::default(), 0)
            .map_err(|e| error::config(format!("dxp_id `{}`: {e}", self.dxp_id)))?;
        if self.max_batch == 0 {
            return Err(error::config("max_batch must be at least 1"));
        }
        self.scenario.check()
    }
}

/// One business's side of the window.
#[derive(Clone)]
pub struct Side {
    /// The business's id, such as `goods-declaration`; names its state, and rules select by it.
    pub business: String,
    /// Wire types (`MsgType`) that it takes, those of attachments included.
    pub types: Vec<String>,
    /// What it answers.
    pub simulator: Arc<dyn Simulator>,
}

/// What a sandbox works with.
#[derive(Clone)]
pub struct Parts {
    /// The window's end of the transport.
    pub transport: Arc<dyn Transport>,
    /// The businesses.
    pub simulators: Vec<Side>,
    /// The window's key; must be logged in.
    pub security: Arc<dyn Security>,
    /// Issuers and certificates of the clients.
    pub trust: Trust,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
}
