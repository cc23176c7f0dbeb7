//! Bonded messages through a whole gateway: zips dropped as the official client wants them, receipts where its bridges look.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod port;

use kouan_journal::Delivery;
use kouan_kernel::Gateway;
use kouan_processing_trade::BUSINESS;
use kouan_sdk::business::Outcome;
use port::{
    CLIENT, Port, Setup, concluded, detail, files, identity, key_of, outcome, replaced, the_one, until, zip_of,
};

fn bonded() -> Setup {
    Setup {
        identities: identity(CLIENT, "client", "enterprises = [\"3122480001\", \"3122980002\"]"),
        more: "[[business]]\nplugin = \"processing-trade\"".into(),
        ..Setup::default()
    }
}

fn good(name: &str) -> &'static [u8] {
    BUSINESS.samples().into_iter().find(|sample| sample.name == name).unwrap().document
}

/// Drops a zip with one xml of the same stem.
fn drop_zip(port: &Port, folder: &str, stem: &str, document: &[u8]) {
    let outbox = port.path("imp-path").join(folder).join("OutBox");
    std::fs::create_dir_all(&outbox).unwrap();
    let zip = zip_of(&[(format!("{stem}.xml").as_str(), document)]);
    std::fs::write(outbox.join(format!("{stem}.tmp")), zip).unwrap();
    std::fs::rename(outbox.join(format!("{stem}.tmp")), outbox.join(format!("{stem}.zip"))).unwrap();
}

/// Names of what lies in a folder's box that begin so.
fn names(port: &Port, folder: &str, begins: &str) -> Vec<String> {
    let all = files(&port.path("imp-path").join(folder));
    let names = all.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| name.starts_with(begins)).collect()
}

fn inventory(gateway: &Gateway, stem: &str) -> String {
    concluded(gateway, stem);
    key_of(&detail(gateway, stem), "BondInvtNo").unwrap()
}

#[test]
fn an_inventory_and_its_gate_pass_go_to_the_end() {
    let port = Port::new(bonded());
    let gateway = port.start();
    drop_zip(&port, "Sas", "H1", good("inv101-declared.xml"));
    drop_zip(&port, "Sas", "H2", good("inv101-not-declared.xml"));
    let (first, second) = (inventory(&gateway, "H1"), inventory(&gateway, "H2"));
    let own = |at: usize| format!("QD224425I00000000{at}");
    let pass = String::from_utf8(good("sas121-declared.xml").to_vec()).unwrap();
    drop_zip(&port, "Sas", "P1", pass.replace(&own(1), &first).replace(&own(2), &second).as_bytes());
    concluded(&gateway, "P1");
    // The response is named by our stem, receipts by their own; what the declarations' system says lies below Others.
    until("all receipts are there", || names(&port, "Sas/InBox", "Receipt_CUS0000E010000").len() == 6);
    for stem in ["H1", "H2", "P1"] {
        assert_eq!(names(&port, "Sas/InBox", &format!("Successed_{stem}_")).len(), 1, "{stem}");
    }
    until("INV202 lies below Others", || names(&port, "Others/InBox/INV", "Receipt_DXPEDCINVT000001").len() == 1);
    assert_eq!(names(&port, "Others/InBox", "Receipt_").len(), 1, "and nothing else does");
    until("the zips are in SentBox", || names(&port, "Sas/SentBox", "").len() == 3);
    let parts = detail(&gateway, "H1").parts;
    assert_eq!((parts.len(), parts.first().unwrap().message_type.as_str()), (1, "INV101"));
    assert!(port.ledger().effects.iter().all(|effect| effect.count == 1));
    gateway.drain();
}

#[test]
fn what_is_wrong_never_leaves_and_what_the_window_refuses_comes_back() {
    let port = Port::new(bonded());
    let gateway = port.start();
    let bad = replaced(good("inv101-declared.xml"), "<DclCurrcd>502<", "<DclCurrcd>USD<");
    drop_zip(&port, "Sas", "B1", &bad);
    until("it is refused", || the_one(&gateway, "B1").is_some_and(|message| message.delivery == Delivery::Refused));
    until("the refusal is there", || names(&port, "Sas/InBox", "Failed_B1_").len() == 1);
    let failed = files(&port.path("imp-path/Sas/InBox"));
    let text = std::fs::read_to_string(failed.first().unwrap()).unwrap();
    assert!(text.contains("<CommonResponeMessage>") && text.contains("<DealFlag>-1</DealFlag>"), "{text}");
    assert!(text.contains("<EtpsPreentNo>INV20260112002</EtpsPreentNo>") && text.contains("USD"), "{text}");
    assert!(port.ledger().inbound.is_empty(), "nothing left");

    drop_zip(&port, "Sas", "P9", good("sas121-declared.xml"));
    until("the window refuses it", || outcome(&gateway, "P9") == Some(Outcome::Rejected));
    until("its answer is there", || names(&port, "Sas/InBox", "Failed_P9_").len() == 1);
    assert!(port.ledger().effects.is_empty(), "it names inventories that the window has not seen");
    gateway.drain();
}

#[test]
fn each_folder_takes_its_systems_messages_and_gets_its_receipts() {
    let port = Port::new(bonded());
    let gateway = port.start();
    for (folder, stem, sample) in [
        ("Npts", "E1", "eml111-wrapped.xml"),
        ("Npts", "E2", "inv101-handbook.xml"),
        ("Nems", "A1", "inv101-related.xml"),
        ("Nems", "A2", "ems111.xml"),
        ("Sas", "S1", "icp101.xml"),
    ] {
        drop_zip(&port, folder, stem, good(sample));
        concluded(&gateway, stem);
        until("the receipts are there", || {
            names(&port, &format!("{folder}/InBox"), &format!("Successed_{stem}_")).len() == 1
        });
    }
    gateway.drain();
}
