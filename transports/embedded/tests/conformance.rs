//! The embedded transport keeps the contract of the transport trait.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_sdk::conformance::transport::{Link, TransportFactory, any_bytes, check};
use kouan_sdk::{Context, Transport};
use kouan_transport_embedded::PLUGIN;
use std::path::PathBuf;
use std::time::Duration;

fn end(folder: PathBuf, side: &'static str, room: u32) -> impl Fn() -> Box<dyn Transport> {
    move || {
        let config = format!(r#"{{"path": "queue/window.db", "side": "{side}", "max_messages": {room}}}"#);
        let make = PLUGIN.transport.expect("a transport");
        make(&Context::standalone("window", &folder), &config).expect("a good configuration")
    }
}

fn factory(near: &'static str, far: &'static str) -> TransportFactory {
    TransportFactory {
        link: Box::new(move |room| {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().to_owned();
            let room = room.unwrap_or(10_000);
            Link::of_pair(end(path.clone(), near, room), end(path, far, room), folder)
        }),
        bounded: true,
        sizes: vec![0, 1, 10 << 10, 64 << 20],
        body: any_bytes,
        headers: |id| vec![("wire-id".into(), id.into()), ("file-name".into(), "报关单 一.xml".into())],
        carried: vec!["wire-id", "file-name"],
        patience: Duration::from_secs(30),
    }
}

#[test]
fn the_client_side_keeps_the_contract() {
    check(&factory("client", "window"));
}

#[test]
fn the_window_side_keeps_the_contract() {
    check(&factory("window", "client"));
}
