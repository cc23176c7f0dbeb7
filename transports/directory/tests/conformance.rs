//! The directory transport keeps the contract of the transport trait, in the site's roles.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test fails by panicking

use kouan_sdk::conformance::transport::{Link, Message, TransportFactory, any_bytes, check};
use kouan_sdk::transport::{header, header_value};
use kouan_sdk::{Context, Transport};
use kouan_transport_directory::PLUGIN;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn open(folder: &Path, config: &str) -> Box<dyn Transport> {
    let make = PLUGIN.transport.expect("a transport");
    fs::create_dir_all(folder.join("data")).expect("a data folder");
    let mut context = Context::standalone("erp", folder.join("data"));
    context.base_dir = folder.to_owned();
    make(&context, config).expect("a good configuration")
}

fn drop_in(root: &Path, messages: &[Message]) {
    for message in messages {
        let out = root.join("Deccus001/OutBox");
        fs::create_dir_all(&out).expect("an OutBox");
        let name = header_value(&message.headers, header::FILE_NAME).expect("a name");
        fs::write(out.join("under way.tmp"), &message.body).expect("written");
        fs::rename(out.join("under way.tmp"), out.join(name)).expect("renamed");
    }
}

fn look_in(root: &Path, seen: &mut BTreeSet<PathBuf>) -> Vec<Message> {
    let mut files: Vec<PathBuf> = fs::read_dir(root.join("Deccus001/InBox"))
        .map(|entries| entries.flatten().map(|e| e.path()).collect())
        .unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|e| e != "tmp") && seen.insert(path.clone()));
    files.sort();
    let message = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Message { body: fs::read(&path).expect("read"), headers: headers(&name), id: String::new() }
    };
    files.into_iter().map(message).collect()
}

fn headers(name: &str) -> Vec<(String, String)> {
    let pairs = [(header::FILE_NAME, name), (header::FORM_ID, "DECCUS001"), (header::FOLDER, "Deccus001")];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

fn document(seed: u64, length: usize) -> Vec<u8> {
    let mut body = b"<a>".to_vec();
    let bytes = any_bytes(seed, length.max(16) - 7);
    body.extend(bytes.into_iter().map(|b| b'a' + b % 26));
    body.extend(b"</a>");
    body
}

fn factory(config: &'static str) -> TransportFactory {
    TransportFactory {
        link: Box::new(move |_| {
            let folder = tempfile::tempdir().expect("a folder");
            let (path, root) = (folder.path().to_owned(), folder.path().join("imp-path"));
            let (dropped, seen) = (root.clone(), std::cell::RefCell::new(BTreeSet::new()));
            Link {
                open: Box::new(move || open(&path, config)),
                put: Box::new(move |messages| drop_in(&dropped, messages)),
                taken: Box::new(move || look_in(&root, &mut seen.borrow_mut())),
                keep: Box::new(folder),
            }
        }),
        bounded: false,
        sizes: vec![16, 10 << 10, 64 << 20],
        body: document,
        headers: |id| headers(&format!("{id}.xml")),
        carried: vec![header::FILE_NAME, header::FORM_ID, header::FOLDER],
        patience: Duration::from_secs(30),
    }
}

#[test]
fn patient_settings_keep_the_contract() {
    check(&factory(r#"{"root": "imp-path", "stable_ms": 60, "scan_interval_ms": 100}"#));
}

#[test]
fn taking_at_once_keeps_the_contract() {
    check(&factory(r#"{"root": "imp-path", "stable_ms": 0}"#));
}
