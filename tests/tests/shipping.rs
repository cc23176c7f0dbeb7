//! Manifests and transport means through a whole gateway: taken to the end, refused, reviewed, inspected, released, and
//! turned away when they refer to what customs has not seen.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod port;

use kouan_declarative::Declarative;
use kouan_kernel::Gateway;
use kouan_sdk::business::Outcome;
use port::{CLIENT, Port, Setup, concluded, files, identity, outcome, replaced, until, zip_of};

fn shipping(scenario: &str) -> Port {
    Port::new(Setup {
        identities: identity(CLIENT, "client", ""),
        more: "[[business]]\nplugin = \"manifest\"\n[[business]]\nplugin = \"transport-means\"".into(),
        scenario: scenario.into(),
        ..Setup::default()
    })
}

fn good(of: &Declarative, name: &str) -> Vec<u8> {
    of.samples().into_iter().find(|sample| sample.name == name).unwrap().document.to_vec()
}

fn manifest(name: &str) -> Vec<u8> {
    good(&kouan_manifest::BUSINESS, name)
}

fn ship(name: &str) -> Vec<u8> {
    good(&kouan_transport_means::BUSINESS, name)
}

/// Another time of sending, and so another number of the message.
fn sent_later(document: &[u8], millisecond: u32) -> Vec<u8> {
    let text = std::str::from_utf8(document).unwrap();
    let time = text.split("<SendTime>").nth(1).unwrap().split('<').next().unwrap();
    text.replace(time, &format!("{}{millisecond:03}", time.get(..14).unwrap())).into_bytes()
}

fn drop_into(port: &Port, folder: &str, name: &str, bytes: &[u8]) {
    let outbox = port.path("imp-path").join(folder).join("OutBox");
    std::fs::create_dir_all(&outbox).unwrap();
    std::fs::write(outbox.join(format!("{name}.tmp")), bytes).unwrap();
    std::fs::rename(outbox.join(format!("{name}.tmp")), outbox.join(name)).unwrap();
}

/// Waits until a folder's InBox holds a text.
#[track_caller]
fn told(port: &Port, folder: &str, text: &str) {
    let inbox = port.path("imp-path").join(folder).join("InBox");
    let holds = |path: &std::path::PathBuf| std::fs::read_to_string(path).is_ok_and(|file| file.contains(text));
    until(text, || files(&inbox).iter().any(holds));
}

#[track_caller]
fn rejected(gateway: &Gateway, stem: &str) {
    until("customs has refused it", || outcome(gateway, stem) == Some(Outcome::Rejected));
}

#[test]
fn a_manifest_is_deleted_once_customs_knows_its_bill() {
    let port = shipping("");
    let gateway = port.start();
    drop_into(&port, "Mft", "D1.xml", &manifest("mt1101_delete.xml"));
    rejected(&gateway, "D1");
    told(&port, "Mft", "海关系统中没有提运单 MT1101/012E/EXLU0000000001 的数据，不能变更或删除");
    assert!(port.ledger().effects.is_empty(), "what refers to nothing takes no effect");
    drop_into(&port, "Mft", "M1.xml", &manifest("mt1101_container.xml"));
    concluded(&gateway, "M1");
    drop_into(&port, "Mft", "D2.xml", &sent_later(&manifest("mt1101_delete.xml"), 501));
    concluded(&gateway, "D2");
    assert!(port.ledger().effects.iter().all(|effect| effect.count == 1));
    gateway.drain();
}

#[test]
fn road_manifests_come_zipped_and_go_to_the_end() {
    let port = shipping("");
    let gateway = port.start();
    drop_into(&port, "Rmft", "R1.zip", &zip_of(&[("R1.xml", &manifest("manifest_mt1401_sample.xml"))]));
    concluded(&gateway, "R1");
    told(&port, "Rmft", "<StatementCode>0<");
    gateway.drain();
}

#[test]
fn a_manifest_is_refused_reviewed_released_or_not_loaded() {
    let port = shipping(
        "[[rule]]\ntype = \"MT2101\"\nsteps = [\"imported\", \"review\", \"rejected:退单：总提运单号已存在\"]\n\
         [[rule]]\ntype = \"MT1101\"\nsteps = [\"imported\", \"accepted\", \"released\"]\n\
         [[rule]]\ntype = \"MT2201\"\nsteps = [\"imported\", \"accepted\", \"inspection:拒装：待查验\"]\n\
         [[rule]]\ntype = \"MT3101\"\nsteps = [\"refuse:场所代码不存在\"]\n",
    );
    let gateway = port.start();
    for (stem, sample) in [
        ("X1", "manifest_mt2101_sample.xml"),
        ("I1", "mt1101_container.xml"),
        ("A1", "mt2201.xml"),
        ("T1", "manifest_mt3101_sample.xml"),
    ] {
        drop_into(&port, "Mft", &format!("{stem}.xml"), &manifest(sample));
    }
    rejected(&gateway, "X1");
    rejected(&gateway, "T1");
    concluded(&gateway, "I1");
    for text in ["退单：总提运单号已存在", "拒装：待查验", "场所代码不存在", "<Code>02<", "<Code>11<"]
    {
        told(&port, "Mft", text);
    }
    gateway.drain();
}

#[test]
fn a_ships_call_begins_with_its_forecast() {
    let port = shipping("");
    let gateway = port.start();
    drop_into(&port, "Cds", "N1.xml", &ship("csm003.xml"));
    rejected(&gateway, "N1");
    told(&port, "Cds", "没有找到船舶航次 UN9000003/012W 的进境预报");
    drop_into(&port, "Cds", "F1.xml", &ship("csm002.xml"));
    concluded(&gateway, "F1");
    drop_into(&port, "Cds", "N2.xml", &sent_later(&ship("csm003.xml"), 502));
    concluded(&gateway, "N2");
    gateway.drain();
}

#[test]
fn a_ship_is_refused_reviewed_and_inspected() {
    let port = shipping(
        "[[rule]]\ntype = \"CSM001\"\nsteps = [\"review\", \"inspection:登临检查\", \"rejected:国籍证书已过期\"]\n\
         [[rule]]\ntype = \"CSM002\"\nsteps = [\"refuse:航次已申报\"]\n",
    );
    let gateway = port.start();
    drop_into(&port, "Cds", "S1.xml", &ship("csm001.xml"));
    drop_into(&port, "Cds", "F1.xml", &ship("csm002.xml"));
    rejected(&gateway, "S1");
    rejected(&gateway, "F1");
    for text in ["<RecType>02<", "登临检查", "国籍证书已过期", "航次已申报"] {
        told(&port, "Cds", text);
    }
    gateway.drain();
}

#[test]
fn what_is_wrong_is_refused_here_with_what_to_write() {
    let port = shipping("");
    let gateway = port.start();
    let bill = manifest("mt1101_container.xml");
    drop_into(&port, "Mft", "B1.xml", &replaced(&bill, "EXMU0000000", "EXMU0000001"));
    told(&port, "Mft", "核对箱号：四位字母、六位数字、一位校验码");
    drop_into(&port, "Cds", "B2.xml", &replaced(&ship("csm002.xml"), "UN9000003", "UN9000004"));
    told(&port, "Cds", "校验码不对");
    assert!(port.ledger().inbound.is_empty(), "nothing left");
    gateway.drain();
}
