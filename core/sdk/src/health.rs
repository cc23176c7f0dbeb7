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
    /// The same in Chinese (中文); without it the code's cause stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail_zh: Option<String>,
    /// Catalogue code, if something is wrong; it carries the repair.
    pub code: Option<String>,
}

impl Health {
    /// Works, proven.
    pub fn green(detail: impl Into<String>) -> Self {
        Self::of(Light::Green, detail.into(), None)
    }

    /// Reachable, not yet proven.
    pub fn yellow(detail: impl Into<String>) -> Self {
        Self::of(Light::Yellow, detail.into(), None)
    }

    /// Does not work, for the reason that `error` gives.
    pub fn red(error: &crate::Error) -> Self {
        Self::of(Light::Red, error.message.clone(), Some(error.code.to_string()))
    }

    /// The same, its detail in Chinese, too.
    #[must_use]
    pub fn zh(self, detail_zh: impl Into<String>) -> Self {
        Self { detail_zh: Some(detail_zh.into()), ..self }
    }

    fn of(light: Light, detail: String, code: Option<String>) -> Self {
        Self { light, detail, detail_zh: None, code }
    }
}
