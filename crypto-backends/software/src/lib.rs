//! The software backend (软件密钥): an encrypted key file and a certificate on disk.
//!
//! The password comes by `login` and opens the file once; the key is wiped at `logout` and `close`. A certificate that is
//! replaced on disk counts from the next look at the identities. What it must not know: a business, an envelope, how
//! other backends reach a device.

#![forbid(unsafe_code)]

mod backend;
mod certificate_file;
mod config;
mod error;
mod files;
pub mod generate;

pub use config::{Config, Environment};
pub use generate::{Development, DevelopmentFiles, KeyEntry, generate_development, list};

use kouan_sdk::{Context, PluginDecl, Result, Security};

/// The plugin, as the host takes it.
pub static PLUGIN: PluginDecl = PluginDecl {
    id: "software",
    version: env!("CARGO_PKG_VERSION"),
    summary: ("软件密钥：加密的密钥文件与证书文件", "software keys: an encrypted key file and a certificate file"),
    config_schema: config::schema,
    business: None,
    transport: None,
    security: Some(make),
    simulator: None,
};

fn make(context: &Context, config: &str) -> Result<Box<dyn Security>> {
    Ok(Box::new(backend::Software::new(context.clone(), config::read(config)?)?))
}
