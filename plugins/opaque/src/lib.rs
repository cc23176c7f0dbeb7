//! 其他业务: every other folder of the official client, as a plugin. Its messages are not looked into.
//!
//! All of it is data in `business-schemas/opaque`; this crate gives it to the engine. It must not know a journal, a
//! kernel, a transport or a key.

#![forbid(unsafe_code)]

use include_dir::{Dir, include_dir};
use kouan_declarative::{Declarative, NoHooks};
use kouan_sdk::PluginDecl;

/// The plugin's id in the configuration.
pub const ID: &str = "opaque";

static DATA: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/opaque");

/// The business, given by its data.
pub static BUSINESS: Declarative = Declarative::new(ID, &DATA, &NoHooks);

/// The plugin.
pub static PLUGIN: PluginDecl = PluginDecl {
    id: ID,
    version: env!("CARGO_PKG_VERSION"),
    summary: ("其他业务（只检查格式与大小）", "other businesses (form and size only)"),
    config_schema: kouan_declarative::config_schema,
    business: Some(|context, config| BUSINESS.business(context, config)),
    transport: None,
    security: None,
    simulator: Some(|context, config| BUSINESS.simulator(context, config)),
};
