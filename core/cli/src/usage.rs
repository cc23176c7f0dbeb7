//! Errors of the command line in Chinese; in English clap tells them itself.

use crate::lang::Lang;
use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;

/// Prints help, the version, or what is wrong with the arguments.
pub fn print(error: &Error, lang: Lang) {
    let zh = if lang == Lang::Zh { in_chinese(error) } else { None };
    // A reader that has left is no failure of ours.
    let _ = match zh {
        Some(text) => std::io::Write::write_all(&mut anstream::stderr(), text.as_bytes()),
        None => error.print(),
    };
}

fn in_chinese(error: &Error) -> Option<String> {
    let what = what(error)?;
    let meant = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let meant: String =
        meant.iter().filter_map(|kind| text(error, *kind)).map(|meant| format!("\n\n  是否应为 {meant}")).collect();
    let usage = text(error, ContextKind::Usage).map(|usage| usage.replace("Usage: ", "用法："));
    let usage = usage.map(|usage| format!("\n\n{usage}")).unwrap_or_default();
    Some(format!("错误: {what}{meant}{usage}\n\n详见 --help。\n"))
}

/// `None`: not an error of which people hear, or one that has no Chinese text.
fn what(error: &Error) -> Option<String> {
    let argument = || text(error, ContextKind::InvalidArg);
    Some(match error.kind() {
        ErrorKind::InvalidSubcommand => format!("没有命令 {}", text(error, ContextKind::InvalidSubcommand)?),
        ErrorKind::UnknownArgument => format!("没有参数 {}", argument()?),
        ErrorKind::MissingRequiredArgument => format!("缺少参数 {}", argument()?),
        ErrorKind::MissingSubcommand => "缺少子命令".to_owned(),
        ErrorKind::InvalidValue => {
            let known = text(error, ContextKind::ValidValue).map(|known| format!("，可以是：{known}"));
            let known = known.unwrap_or_default();
            match text(error, ContextKind::InvalidValue).filter(|value| !value.is_empty()) {
                Some(value) => format!("{} 的值 {value} 不对{known}", argument()?),
                None => format!("{} 需要一个值{known}", argument()?),
            }
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(|why| format!("：{why}")).unwrap_or_default();
            format!("{} 的值 {} 不对{why}", argument()?, text(error, ContextKind::InvalidValue)?)
        }
        ErrorKind::ArgumentConflict => {
            format!("{} 不能与 {} 同时使用", argument()?, text(error, ContextKind::PriorArg)?)
        }
        _ => return None,
    })
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) if !texts.is_empty() => Some(texts.join(", ")),
        ContextValue::StyledStr(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    #[test]
    fn what_is_wrong_with_the_arguments_is_told_in_chinese() {
        for (line, said) in [
            ("kouan wrong", "没有命令 wrong"),
            ("kouan message lsit", "是否应为 list"),
            ("kouan check", "缺少参数 <FILE>..."),
            ("kouan check a.xml --jsn", "没有参数 --jsn"),
            ("kouan message list --state foo", "可以是：received"),
            ("kouan message list --since yesterday", "yyyy-MM-dd"),
            ("kouan message resolve 5 --sent --not-sent --reason x", "不能与"),
        ] {
            let error = cli::parse(line.split(' ').map(Into::into), Lang::Zh).err();
            let told = error.as_ref().and_then(in_chinese).unwrap_or_else(|| panic!("{line}: {error:?}"));
            assert!(told.contains(said) && !told.contains("Usage"), "{line}: {told}");
        }
    }

    #[test]
    fn help_and_version_are_no_errors() {
        for line in ["kouan --help", "kouan --version"] {
            let error = cli::parse(line.split(' ').map(Into::into), Lang::Zh).err();
            assert!(error.as_ref().is_some_and(|error| in_chinese(error).is_none()), "{line}");
        }
    }
}
