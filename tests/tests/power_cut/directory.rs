//! The directory transport at work while the power goes: what was dropped, claimed, ended, delivered.

use crate::{cut_everywhere, say};
use kouan_sdk::transport::{Disposition, End, Incoming, Outgoing, SendOutcome, header};
use kouan_sdk::{Context, Timestamp, Transport};
use kouan_transport_directory::PLUGIN;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

const FOLDER: &str = "KOUAN_TEST_POWER_CUT_DIRECTORY";
const FILES: usize = 12;
const AT: Timestamp = Timestamp::from_millis(1_768_181_710_000);

fn open(folder: &Path) -> Box<dyn Transport> {
    fs::create_dir_all(folder.join("data")).unwrap();
    let mut context = Context::standalone("erp", folder.join("data"));
    context.base_dir = folder.to_owned();
    PLUGIN.transport.unwrap()(&context, r#"{"root": "imp", "stable_ms": 0, "scan_interval_ms": 10}"#).unwrap()
}

/// The bytes of a file of this name: several sectors, none like another.
fn body(name: &str) -> Vec<u8> {
    format!("<a>{}</a>", name.repeat(300)).into_bytes()
}

fn sync(folder: &Path) {
    File::open(folder).unwrap().sync_all().unwrap();
}

/// A careful site: the file is whole and its name lasts before it says so.
fn drop_in(out: &Path, name: &str) {
    let temporary = out.join(format!("{name}.tmp"));
    fs::write(&temporary, body(name)).unwrap();
    File::open(&temporary).unwrap().sync_all().unwrap();
    fs::rename(&temporary, out.join(name)).unwrap();
    sync(out);
    say(&format!("dropped {name}"));
}

#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let mut out = folder.clone();
    for name in ["imp", "Deccus001", "OutBox"] {
        fs::create_dir(out.join(name)).unwrap();
        sync(&out);
        out.push(name);
    }
    let transport = open(&folder);
    let (receiver, sender) = (transport.open_receiver().unwrap(), transport.open_sender().unwrap());
    for n in 0..FILES {
        drop_in(&out, &format!("F{n}.xml"));
        // Not each at once: some wait together, some end out of order.
        let taken = if n % 3 == 2 { receiver.receive(10, 1 << 20, Duration::from_secs(10)).unwrap() } else { vec![] };
        taken.iter().for_each(|one| say(&format!("claimed {} {}", one.source_id, name_of(one))));
        receiver.settle(&taken.iter().map(|one| one.token).collect::<Vec<_>>()).unwrap();
        for one in taken.iter().rev() {
            let verdict = Some(&b"{}"[..]);
            let Incoming { source_id, headers, body, .. } = one;
            let end = Disposition { source_id, headers, body, end: End::Sent, at: AT, verdict };
            receiver.dispose(&[end]).remove(0).unwrap();
            say(&format!("ended {}", name_of(one)));
        }
        let name = format!("R{n}.xml");
        let headers =
            [(header::FILE_NAME, name.as_str()), (header::FORM_ID, "DECCUS001"), (header::FOLDER, "Deccus001")];
        let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let sent =
            sender.send(&[Outgoing { id: &name, body: &body(&name), headers: &headers }], Duration::from_secs(10));
        assert_eq!(sent, [SendOutcome::Confirmed]);
        say(&format!("delivered {name}"));
    }
}

fn name_of(incoming: &Incoming) -> &str {
    kouan_sdk::transport::header_value(&incoming.headers, header::FILE_NAME).unwrap()
}

/// Files below a folder that somebody would take for whole: name → bytes.
fn visible(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(visible(&path));
        } else if !name.ends_with(".tmp") && !name.starts_with('.') {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

fn check(folder: &Path, said: &[String]) {
    let words = |what: &str| -> Vec<Vec<&str>> {
        let lines = said.iter().map(|line| line.split(' ').collect::<Vec<_>>());
        lines.filter(|words| words[0] == what).collect()
    };
    let place = folder.join("imp/Deccus001");
    let (inbox, sent) = (visible(&place.join("InBox")), visible(&place.join("SentBox")));
    for (name, bytes) in inbox.iter().chain(&sent).filter(|(name, _)| name.ends_with(".xml")) {
        assert!(*bytes == body(name), "{name} is not whole");
    }
    for line in words("delivered") {
        assert!(inbox.contains_key(line[1]), "{line:?} is not in InBox");
    }
    for line in words("ended") {
        assert!(sent.contains_key(line[1]), "{line:?} is not in SentBox");
    }
    // Whatever has not ended is handed out, again under the number that it was claimed by.
    let ended: BTreeSet<_> = sent.into_keys().collect();
    let mut missing: BTreeSet<_> = words("dropped").into_iter().map(|line| line[1].to_owned()).collect();
    missing.retain(|name| !ended.contains(name));
    if said.is_empty() {
        return;
    }
    let claimed: BTreeMap<_, _> = words("claimed").into_iter().map(|line| (line[2], line[1])).collect();
    let receiver = open(folder).open_receiver().unwrap();
    while !missing.is_empty() {
        let came = receiver.receive(100, 1 << 24, Duration::from_secs(10)).unwrap();
        assert!(!came.is_empty(), "{missing:?} are lost");
        for one in came {
            let name = name_of(&one);
            assert!(one.body == body(name), "{name} is not whole");
            assert!(claimed.get(name).is_none_or(|id| *id == one.source_id), "{name} came back as {}", one.source_id);
            missing.remove(name);
        }
    }
}

#[test]
fn what_the_directory_transport_answered_survives_a_power_cut() {
    cut_everywhere("directory::child", FOLDER, 45, check);
}
