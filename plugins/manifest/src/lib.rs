//! The manifest (舱单): by water, air and road, given by `business-schemas/manifest`. What this page adds is how a receipt
//! that answers several bills is told in one text. It must not know fields, lengths, codes or rules: they are data.

#![forbid(unsafe_code)]

mod answers;

use include_dir::{Dir, include_dir};
use kouan_declarative::Declarative;
use kouan_sdk::PluginDecl;

/// The plugin's id in the configuration.
pub const ID: &str = "manifest";

static DATA: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../business-schemas/manifest");

/// The business, given by its data.
pub static BUSINESS: Declarative = Declarative::new(ID, &DATA, &answers::Answers);

/// The plugin.
pub static PLUGIN: PluginDecl = PluginDecl {
    id: ID,
    version: env!("CARGO_PKG_VERSION"),
    summary: ("舱单（水运、空运、公路）", "manifests by water, air and road"),
    config_schema: kouan_declarative::config_schema,
    business: Some(|context, config| BUSINESS.business(context, config)),
    transport: None,
    security: None,
    simulator: Some(|context, config| BUSINESS.simulator(context, config)),
};
