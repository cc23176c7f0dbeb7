//! Several identities, and what a business's check leads to in each mode.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod port;

use kouan_journal::Delivery;
use kouan_kernel::Gateway;
use port::{CLIENT, OTHER_CLIENT, Port, Setup, concluded, detail, identity, import, replaced, the_one, until};

/// The sample import for another agent.
fn for_agent(number: &str, agent: &str) -> Vec<u8> {
    replaced(&import(number), "<AgentCode>3101980001</AgentCode>", &format!("<AgentCode>{agent}</AgentCode>"))
}

fn sender_of(gateway: &Gateway, key: &str) -> String {
    the_one(gateway, key).unwrap().identity
}

fn two(first: &str, second: &str) -> String {
    identity(CLIENT, "client", first) + &identity(OTHER_CLIENT, "other", second)
}

#[test]
fn the_agents_code_chooses() {
    let identities = two("enterprises = [\"3101980001\"]", "enterprises = [\"3101960002\"]");
    let port = Port::new(Setup { identities, business: "check = \"observe\"".into(), ..Setup::default() });
    let gateway = port.start();
    port.drop_import("A1");
    port.drop_file("A2.xml", &for_agent("A2", "3101960002"));
    concluded(&gateway, "A1");
    concluded(&gateway, "A2");
    assert_eq!((sender_of(&gateway, "A1"), sender_of(&gateway, "A2")), (CLIENT.into(), OTHER_CLIENT.into()));
    let senders: Vec<_> = port.ledger().inbound.into_iter().map(|arrival| arrival.sender).collect();
    assert!(senders.contains(&CLIENT.to_owned()) && senders.contains(&OTHER_CLIENT.to_owned()), "{senders:?}");
}

#[test]
fn a_card_number_chooses_where_no_code_does() {
    let identities = two("enterprises = [\"3101980009\"]", "cards = [\"2100000000001\"]");
    let port = Port::new(Setup { identities, ..Setup::default() });
    let gateway = port.start();
    port.drop_import("C1");
    concluded(&gateway, "C1");
    assert_eq!(sender_of(&gateway, "C1"), OTHER_CLIENT);
}

#[test]
fn the_site_chooses_whatever_the_message_says() {
    let identities = two("enterprises = [\"3101980001\"]", "enterprises = [\"3101960002\"]");
    let site = format!("identity = \"{OTHER_CLIENT}\"");
    let port = Port::new(Setup { identities, site, ..Setup::default() });
    let gateway = port.start();
    port.drop_import("S1");
    concluded(&gateway, "S1");
    assert_eq!(sender_of(&gateway, "S1"), OTHER_CLIENT);
}

#[test]
fn a_message_of_nobody_we_act_for_is_refused() {
    let identities = two("enterprises = [\"3101980008\"]", "enterprises = [\"3101980009\"]");
    let port = Port::new(Setup { identities, ..Setup::default() });
    let gateway = port.start();
    port.drop_import("N1");
    until("it is refused", || port.names("FailBox") == ["N1.xml"]);
    assert_eq!(port.report("N1").unwrap()["findings"][0]["rule"], "KOUAN-KERNEL-NO-IDENTITY");
    until("InBox says so", || !port.inbox("Failed_N1_").is_empty());
    assert!(port.inbox("Failed_N1_")[0].contains("<DecImportResponse"));
    assert_eq!(the_one(&gateway, "N1").unwrap().delivery, Delivery::Refused);
}

#[test]
fn a_locked_card_stops_its_own_identity_only() {
    let locked =
        identity(OTHER_CLIENT, "other", "enterprises = [\"3101960002\"]").replace("pin = { file = \"pin\" }", "");
    let identities = identity(CLIENT, "client", "enterprises = [\"3101980001\"]") + &locked;
    let business = "check = \"observe\"".to_owned();
    let mut port = Port::new(Setup { identities, business: business.clone(), ..Setup::default() });
    let gateway = port.start();
    // The locked one's comes first.
    port.drop_file("L2.xml", &for_agent("L2", "3101960002"));
    until("it waits", || the_one(&gateway, "L2").is_some_and(|m| m.delivery == Delivery::Ready));
    port.drop_import("L1");
    concluded(&gateway, "L1");
    let waiting = detail(&gateway, "L2");
    assert_eq!((waiting.summary.delivery, waiting.parts[0].state.attempts), (Delivery::Ready, 0));
    gateway.drain();
    port.setup.identities = two("enterprises = [\"3101980001\"]", "enterprises = [\"3101960002\"]");
    let gateway = port.start();
    concluded(&gateway, "L2");
}

fn in_mode(mode: &str) -> (Port, Gateway) {
    let port = Port::new(Setup { business: format!("check = \"{mode}\""), ..Setup::default() });
    let gateway = port.start();
    // Net weight above gross: a rule, not the form.
    port.drop_file("M1.xml", &replaced(&import("M1"), "<NetWt>1200.00000<", "<NetWt>1300.00000<"));
    (port, gateway)
}

#[test]
fn enforce_refuses() {
    let (port, gateway) = in_mode("enforce");
    until("it is refused", || port.names("FailBox") == ["M1.xml"]);
    let report = detail(&gateway, "M1").report.unwrap();
    assert_eq!(report.findings[0].rule, "DEC-HEAD-NET-GROSS");
    assert!(port.ledger().inbound.is_empty());
}

#[test]
fn observe_sends_and_records_what_was_found() {
    let (port, gateway) = in_mode("observe");
    concluded(&gateway, "M1");
    let report = detail(&gateway, "M1").report.unwrap();
    assert_eq!(report.findings[0].rule, "DEC-HEAD-NET-GROSS");
    until("the report is there, too", || port.report("M1").is_some());
    assert_eq!(port.report("M1").unwrap()["findings"][0]["rule"], "DEC-HEAD-NET-GROSS");
}

#[test]
fn off_sends_and_records_nothing() {
    let (port, gateway) = in_mode("off");
    concluded(&gateway, "M1");
    assert!(detail(&gateway, "M1").report.unwrap().findings.is_empty());
    until("the file is in SentBox", || port.names("SentBox") == ["M1.xml"]);
}
