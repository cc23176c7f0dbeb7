//! 运输工具 (transport means): one business of the Single Window as a plugin.
//!
//! All of it is data in `business-schemas/transport-means`; this crate gives it to the engine. It must not know a journal, a
//! kernel, a transport or a key.

#![forbid(unsafe_code)]

use include_dir::{Dir, include_dir};
use kouan_declarative::{Declarative, NoHooks};
use kouan_sdk::PluginDecl;

/// The plugin's id in the configuration.
pub const ID: &str = "transport-means";

static DATA: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/transport-means");

/// The business, given by its data.
pub static BUSINESS: Declarative = Declarative::new(ID, &DATA, &NoHooks);

/// The plugin.
pub static PLUGIN: PluginDecl = PluginDecl {
    id: ID,
    version: env!("CARGO_PKG_VERSION"),
    summary: ("运输工具申报（水运；空运、铁路只转发）", "transport means (water; air and rail are passed on)"),
    config_schema: kouan_declarative::config_schema,
    business: Some(|context, config| BUSINESS.business(context, config)),
    transport: None,
    security: None,
    simulator: Some(|context, config| BUSINESS.simulator(context, config)),
};
