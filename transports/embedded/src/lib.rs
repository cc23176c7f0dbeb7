//! The embedded transport (内嵌传输): a durable queue pair in one SQLite file, for two sides on one computer.
//!
//! What the client sends, the window receives, and the reverse; across threads and processes. It moves opaque bytes: it
//! must not know an envelope, a receipt or a business, and it drops no repeats (what a repeat meets is the other
//! side's business).

#![forbid(unsafe_code)]

mod config;
mod error;
mod file;
mod receiver;
mod sender;

pub use config::{Config, Side};

use file::QueueFile;
use kouan_sdk::transport::{Capabilities, Receiver, Sender};
use kouan_sdk::{Context, Health, PluginDecl, Result, Transport};

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
    id: "embedded",
    version: env!("CARGO_PKG_VERSION"),
    summary: ("内嵌队列：同一台计算机上的两端共用一个文件", "embedded queue: two sides on one computer share a file"),
    config_schema: config::schema,
    business: None,
    transport: Some(make),
    security: None,
    simulator: None,
};

fn make(context: &Context, config: &str) -> Result<Box<dyn Transport>> {
    let config = config::read(config)?;
    let path = context.resolve(&config.path);
    Ok(Box::new(Embedded { path, config }))
}

struct Embedded {
    path: std::path::PathBuf,
    config: Config,
}

impl Transport for Embedded {
    fn capabilities(&self) -> Capabilities {
        Capabilities { seals_itself: false, inquires: self.config.inquires, disposes: false }
    }

    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        let file = QueueFile::open(&self.path)?;
        Ok(Box::new(sender::QueueSender::new(file, self.config.side, self.config.max_messages)))
    }

    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        let file = QueueFile::open(&self.path)?;
        Ok(Box::new(receiver::QueueReceiver::new(file, self.config.side.other())))
    }

    fn probe(&self) -> Health {
        let nearest = self.path.ancestors().skip(1).find(|folder| folder.exists());
        if !self.path.exists() && nearest.is_none_or(std::path::Path::is_dir) {
            let path = self.path.display();
            return Health::yellow(format!("{path} is not there yet; it is made by the first end that opens"))
                .zh(format!("{path} 尚不存在；由先启动的一端建立"));
        }
        match file::probe(&self.path) {
            Ok((to_window, to_client)) => {
                let path = self.path.display();
                Health::green(format!("{path}: {to_window} to the window, {to_client} to the client waiting"))
                    .zh(format!("{path}：等待发往窗口 {to_window}，等待发往企业端 {to_client}"))
            }
            Err(error) => Health::red(&error),
        }
    }
}
