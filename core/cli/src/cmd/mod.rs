//! The subcommands, one file each. A new one is a file here, a line in each part of `commands`, and its texts in
//! `texts/*.toml`.

mod check;
mod codes;
mod completion;
mod config;
mod convert;
#[cfg(feature = "goods-declaration")]
mod demo;
mod doctor;
mod evidence;
mod explain;
mod init;
#[cfg(feature = "security-software")]
mod key;
mod message;
mod rules;
mod run;
mod sandbox;
mod store;
mod template;

use crate::app::App;
use crate::exit::Exit;
use clap::Subcommand;
use tracing::level_filters::LevelFilter;

/// Declares the subcommands: variant, and the module with its `Args` and `run(args, app)`.
macro_rules! commands {
    ($($(#[$only:meta])? $variant:ident($module:ident)),* $(,)?) => {
        /// A subcommand and its arguments.
        #[derive(Subcommand)]
        pub enum Command {
            $($(#[$only])? $variant($module::Args),)*
        }

        impl Command {
            /// Does it.
            pub fn run(&self, app: &App) -> anyhow::Result<Exit> {
                match self {
                    $($(#[$only])? Self::$variant(args) => $module::run(args, app),)*
                }
            }
        }
    };
}

commands! {
    Run(run),
    Init(init),
    #[cfg(feature = "goods-declaration")]
    Demo(demo),
    Sandbox(sandbox),
    Config(config),
    Doctor(doctor),
    Message(message),
    Evidence(evidence),
    Store(store),
    Check(check),
    Explain(explain),
    Rules(rules),
    Codes(codes),
    Template(template),
    Convert(convert),
    #[cfg(feature = "security-software")]
    Key(key),
    Completion(completion),
}

impl Command {
    /// How much is logged unless `-v`, `-q` or the environment says otherwise.
    pub fn default_log_level(&self) -> LevelFilter {
        LevelFilter::WARN
    }
}
