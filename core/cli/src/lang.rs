//! The language of what people read.

use clap::ValueEnum;
use std::ffi::OsString;

/// 中文 or English.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    Zh,
    En,
}

impl Lang {
    /// What the arguments ask for, else what the locale says. Looked at before the arguments are read, because help and
    /// errors of the command line speak it already.
    pub fn chosen(arguments: &[OsString]) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        Self::asked(arguments).unwrap_or_else(|| Self::by_locale(variable))
    }

    /// The Chinese text or the English one.
    pub fn pick<T>(self, zh: T, en: T) -> T {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    fn asked(arguments: &[OsString]) -> Option<Self> {
        let texts: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        let before_rest = || texts.iter().take_while(|text| *text != "--");
        let joined = before_rest().find_map(|text| text.strip_prefix("--lang="));
        let apart =
            || before_rest().zip(texts.iter().skip(1)).find(|(flag, _)| *flag == "--lang").map(|(_, value)| &**value);
        Self::from_str(joined.or_else(apart)?, false).ok()
    }

    /// The first of the locale's variables that is set and not empty decides, as it does for every other program.
    fn by_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale =
            ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|name| variable(name).filter(|v| !v.is_empty()));
        if locale.is_some_and(|locale| locale.starts_with("zh")) { Self::Zh } else { Self::En }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_decides() {
        let of = |all: &[(&str, &str)]| {
            let find = |name: &str| all.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            Lang::by_locale(find)
        };
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C")]), Lang::En);
        assert_eq!(of(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", ""), ("LC_MESSAGES", "zh_TW")]), Lang::Zh);
        assert_eq!(of(&[]), Lang::En);
    }

    #[test]
    fn an_argument_wins_and_nonsense_is_left_to_the_parser() {
        let of = |words: &[&str]| Lang::asked(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of(&["kouan", "--lang", "zh", "check"]), Some(Lang::Zh));
        assert_eq!(of(&["kouan", "check", "--lang=en"]), Some(Lang::En));
        assert_eq!(of(&["kouan", "check", "--", "--lang=en"]), None);
        assert_eq!(of(&["kouan", "--lang", "fr"]), None);
        assert_eq!(of(&["kouan", "--lang"]), None);
    }
}
