//! The binary `kouan` (口岸): one file a subcommand in `cmd/`.
//!
//! Data goes to stdout, talk to stderr. The only room that names plugins, in one list: `bundled.rs`. It must hold no
//! knowledge of its own: what a command does is done by the rooms below.

#![forbid(unsafe_code)]

mod app;
mod bundled;
mod businesses;
mod cli;
mod cmd;
mod data;
mod draw;
mod exit;
mod explanation;
mod failure;
mod files;
mod journal;
mod lang;
mod logging;
mod rehearsal;
mod sheet;
mod skeleton;
mod skeleton_map;
mod table;
mod texts;
mod usage;

use app::App;
use cli::Cli;
use exit::Exit;
use lang::Lang;
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    let _places = fail::FailScenario::setup();
    let arguments: Vec<_> = std::env::args_os().collect();
    let lang = Lang::chosen(&arguments);
    let cli = match cli::parse(arguments, lang) {
        Ok(cli) => cli,
        Err(error) => {
            usage::print(&error, lang);
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let Cli { global, command } = cli;
    logging::start(&global, command.default_log_level());
    let app = App::new(lang, &global);
    command.run(&app).unwrap_or_else(|error| app.fail(&error)).into()
}
