//! Health: green, yellow, red. Yellow means reachable, but not yet proven by use.

/// The light an operator sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Light {
    /// Proven by use.
    Green,
    /// Reachable, not yet proven by use; or works with a warning.
    Yellow,
    /// Does not work.
    Red,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Health {
    /// See [`Light`].
    pub light: Light,
    /// What was checked, and what was found; a lowercase fragment.
    pub detail: String,
    /// Catalogue code, if something is wrong; it carries the repair.
    pub code: Option<String>,
}

impl Health {
    /// Works, proven.
    pub fn green(detail: impl Into<String>) -> Self {
        Self { light: Light::Green, detail: detail.into(), code: None }
    }

    /// Reachable, not yet proven.
    pub fn yellow(detail: impl Into<String>) -> Self {
        Self { light: Light::Yellow, detail: detail.into(), code: None }
    }

    /// Does not work, for the reason that `error` gives.
    pub fn red(error: &crate::Error) -> Self {
        Self { light: Light::Red, detail: error.message.clone(), code: Some(error.code.to_string()) }
    }
}
