//! The directory transport (目录传输): the official import client's folders, so that bridges written for it work unchanged.
//!
//! A file in OutBox is claimed by a rename into TempBox, under a number that is never used again; from then on the
//! journal is the truth and every file this room writes is an effect of it, idempotent and replayable. It moves opaque
//! bytes: it must not know a business, an envelope or the journal.

#![forbid(unsafe_code)]

mod claims;
mod config;
mod durable;
mod ends;
mod error;
mod layout;
mod names;
mod outbox;
mod probe;
mod receiver;
mod sender;
mod whole;

pub use config::{Config, FolderConfig};

use kouan_sdk::transport::{Capabilities, Receiver, Sender};
use kouan_sdk::{Context, Health, PluginDecl, Result, Transport};
use layout::Layout;
use std::sync::Arc;

/// A place where the crash harness may end the process; nothing without the feature `failpoints`.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        {
            // `fail` knows no kill: a configured point returns, and its closure never does.
            (|| fail::fail_point!($name, |_| std::process::abort()))();
        }
    };
}
pub(crate) use failpoint;

/// The plugin, as the host takes it.
pub static PLUGIN: PluginDecl = PluginDecl {
    id: "directory",
    version: env!("CARGO_PKG_VERSION"),
    summary: ("目录：与官方导入客户端相同的收发文件夹", "directory: the folders of the official import client"),
    config_schema: config::schema,
    business: None,
    transport: Some(make),
    security: None,
    simulator: None,
};

fn make(context: &Context, config: &str) -> Result<Box<dyn Transport>> {
    let config = config::read(config)?;
    Ok(Box::new(Directory { context: context.clone(), config }))
}

struct Directory {
    context: Context,
    config: Config,
}

impl Directory {
    fn layout(&self) -> Result<Arc<Layout>> {
        Layout::open(&self.context.resolve(&self.config.root), &self.config).map(Arc::new)
    }
}

impl Transport for Directory {
    fn capabilities(&self) -> Capabilities {
        Capabilities { seals_itself: false, inquires: false, disposes: true }
    }

    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        Ok(Box::new(sender::InBoxSender::new(self.layout()?)))
    }

    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        Ok(Box::new(receiver::OutBoxReceiver::open(self.context.clone(), self.config.clone(), self.layout()?)?))
    }

    fn probe(&self) -> Health {
        probe::probe(&self.context.resolve(&self.config.root), &self.config)
    }
}
