//! The embedded queue with faults on purpose: `transport = "lossy"`, with the queue's own keys, `faults = { … }`, and
//! `inquires = false` for one that cannot be asked.

use kouan_host::wrap::{Faults, FaultyTransport};
use kouan_sdk::transport::{Capabilities, Receiver, Sender};
use kouan_sdk::{Context, Error, ErrorKind, Health, PluginDecl, Result, Transport};
use serde_json::Value;

pub static PLUGIN: PluginDecl = PluginDecl {
    id: "lossy",
    version: "0",
    summary: ("会丢确认的队列", "a queue that loses confirms"),
    config_schema: || r#"{"type":"object","additionalProperties":true}"#.to_owned(),
    business: None,
    transport: Some(open),
    security: None,
    simulator: None,
};

fn open(context: &Context, config: &str) -> Result<Box<dyn Transport>> {
    let wrong = |e: serde_json::Error| Error::new(ErrorKind::Config, "KOUAN-TEST-CONFIG", e.to_string());
    let mut settings: Value = serde_json::from_str(config).map_err(wrong)?;
    let faults = settings.as_object_mut().and_then(|keys| keys.remove("faults")).unwrap_or(serde_json::json!({}));
    let faults: Faults = serde_json::from_value(faults).map_err(wrong)?;
    let inquires = settings.as_object_mut().and_then(|keys| keys.remove("inquires")) != Some(Value::Bool(false));
    let make = kouan_transport_embedded::PLUGIN.transport.unwrap();
    let inner = Box::new(FaultyTransport::new(make(context, &settings.to_string())?, faults));
    Ok(Box::new(Lossy { inner, inquires }))
}

struct Lossy {
    inner: Box<FaultyTransport>,
    inquires: bool,
}

impl Transport for Lossy {
    fn capabilities(&self) -> Capabilities {
        let inner = self.inner.capabilities();
        Capabilities { inquires: inner.inquires && self.inquires, ..inner }
    }

    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        self.inner.open_sender()
    }

    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        self.inner.open_receiver()
    }

    fn probe(&self) -> Health {
        self.inner.probe()
    }
}
