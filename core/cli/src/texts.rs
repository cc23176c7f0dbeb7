//! Help texts in both languages, as data: `texts/zh.toml` and `texts/en.toml`, by the command's path.

use crate::lang::Lang;
use clap::{Arg, ArgAction, Command};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What one command's help says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    /// What it does, one line.
    about: String,
    /// One or more command lines; help begins with them.
    example: String,
    /// What else there is to know; may be missing.
    #[serde(default)]
    more: String,
    /// What each argument means, by its id.
    #[serde(default)]
    args: BTreeMap<String, String>,
}

/// Command path, such as `kouan rules test`, → text.
type Texts = BTreeMap<String, Text>;

/// The words that clap would say in English.
struct Words {
    example: &'static str,
    usage: &'static str,
    commands: &'static str,
    arguments: &'static str,
    options: &'static str,
    everywhere: &'static str,
    help: &'static str,
    version: &'static str,
}

const ZH: Words = Words {
    example: "例：",
    usage: "用法：",
    commands: "命令",
    arguments: "参数",
    options: "选项",
    everywhere: "通用选项",
    help: "显示帮助",
    version: "显示版本",
};

const EN: Words = Words {
    example: "Example:",
    usage: "Usage: ",
    commands: "Commands",
    arguments: "Arguments",
    options: "Options",
    everywhere: "Options of every command",
    help: "Print help",
    version: "Print version",
};

/// `command` with all its help in `lang`.
pub fn fill(command: Command, lang: Lang) -> Command {
    let words = lang.pick(&ZH, &EN);
    let version = Arg::new("version")
        .short('V')
        .long("version")
        .action(ArgAction::Version)
        .help(words.version)
        .display_order(902);
    let command = command.disable_version_flag(true).arg(version.help_heading(words.everywhere));
    // A broken catalogue is caught by the tests below; at run time a help without texts still helps.
    let path = command.get_name().to_owned();
    walk(command, &path, &read(lang).unwrap_or_default(), words)
}

fn read(lang: Lang) -> Result<Texts, toml::de::Error> {
    toml::from_str(lang.pick(include_str!("../texts/zh.toml"), include_str!("../texts/en.toml")))
}

fn walk(command: Command, path: &str, texts: &Texts, words: &Words) -> Command {
    let none = Text::default();
    let text = texts.get(path).unwrap_or(&none);
    let example: String = text.example.trim().lines().map(|line| format!("\n  {line}")).collect();
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help(words.help).display_order(901);
    let mut command = command
        .about(text.about.clone())
        .before_help(format!("{}{example}", words.example))
        .help_template(format!(
            "{{before-help}}{{about-with-newline}}\n{}{{usage}}\n\n{{all-args}}{{after-help}}",
            words.usage
        ))
        .subcommand_help_heading(words.commands)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .mut_args(|argument| describe(argument, text, words))
        .arg(help.help_heading(words.everywhere));
    if !text.more.is_empty() {
        command = command.after_help(text.more.trim().to_owned());
    }
    let inner: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    inner.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |inner| walk(inner, &path, texts, words))
    })
}

fn describe(argument: Arg, text: &Text, words: &Words) -> Arg {
    if argument.get_id() == "version" {
        return argument;
    }
    let help = text.args.get(argument.get_id().as_str()).cloned().unwrap_or_default();
    let heading = match &argument {
        argument if argument.is_global_set() => words.everywhere,
        argument if argument.is_positional() => words.arguments,
        _ => words.options,
    };
    let argument = argument.help(help).help_heading(heading);
    if !argument.get_action().takes_values() {
        return argument;
    }
    // Defaults, values and variables are named in the text itself, in its language.
    argument.hide_default_value(true).hide_possible_values(true).hide_env(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;
    use std::collections::BTreeSet;

    fn paths(command: &Command, path: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
        let known = ["help", "version"];
        // A global argument is told once, where it is declared.
        let ids =
            command.get_arguments().filter(|a| path == "kouan" || !a.is_global_set()).map(|a| a.get_id().to_string());
        found.insert(path.to_owned(), ids.filter(|id| !known.contains(&id.as_str())).collect());
        for inner in command.get_subcommands() {
            paths(inner, &format!("{path} {}", inner.get_name()), found);
        }
    }

    #[test]
    fn every_command_and_argument_is_told_in_both_languages_and_nothing_else_is() {
        let mut wanted = BTreeMap::new();
        paths(&cli::command(Lang::En), "kouan", &mut wanted);
        for lang in [Lang::Zh, Lang::En] {
            let texts = read(lang).unwrap_or_else(|error| panic!("{lang:?}: {error}"));
            let told: BTreeMap<String, BTreeSet<String>> =
                texts.iter().map(|(path, text)| (path.clone(), text.args.keys().cloned().collect())).collect();
            assert_eq!(told, wanted, "{lang:?}");
            for (path, text) in &texts {
                assert!(!text.about.is_empty() && !text.example.trim().is_empty(), "{lang:?} {path}");
                assert!(text.args.values().all(|help| !help.is_empty()), "{lang:?} {path}");
            }
        }
    }

    #[test]
    fn every_example_is_a_command_line_that_is_read() {
        for lang in [Lang::Zh, Lang::En] {
            for (path, text) in read(lang).unwrap() {
                for line in text.example.trim().lines() {
                    assert!(line.starts_with(&path), "{lang:?} {path}: {line}");
                    // What a shell would do with the rest of the line is not ours to read.
                    let ours = line.split(['|', '>', '#']).next().unwrap();
                    let words = ours.split_whitespace().map(Into::into);
                    if let Err(error) = cli::parse(words, lang) {
                        assert!(!error.use_stderr(), "{lang:?} {path}: {line}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn help_begins_with_an_example_and_speaks_one_language() {
        for (lang, first, foreign) in [(Lang::Zh, "例：", "Usage"), (Lang::En, "Example:", "用法")] {
            let mut found = BTreeMap::new();
            paths(&cli::command(lang), "kouan", &mut found);
            for path in found.keys() {
                let words = path.split(' ').chain(["--help"]).map(Into::into);
                let help = cli::parse(words, lang).err().map(|error| error.to_string()).unwrap_or_default();
                assert!(help.starts_with(first), "{path}: {help}");
                assert!(!help.contains(foreign), "{path}: {help}");
            }
        }
    }
}
