//! A message names its receiver (`EnvelopInfo/receiver_id`): one type goes to the account books' system, the handbooks' or
//! the special areas', as its SysId says (`processing-trade.md` §C1).

use kouan_sdk::business::{
    BusinessInfo, Key, Package, PartPlan, Receipt, ReceiptName, Report, SignatureRequest, Signer,
};
use kouan_sdk::{Business, Result, Timestamp};

/// The data's name of the value that holds the receiver.
const RECEIVER: &str = "Receiver";

/// The business, its parts addressed as the message says.
pub(crate) struct Addressed(pub(crate) Box<dyn Business>);

impl Business for Addressed {
    fn describe(&self) -> BusinessInfo {
        self.0.describe()
    }

    fn check(&self, package: &Package<'_>) -> Result<Report> {
        self.0.check(package)
    }

    fn plan<'a>(&self, package: &Package<'a>, report: &Report, known: &[Key]) -> Result<Vec<PartPlan<'a>>> {
        let mut parts = self.0.plan(package, report, known)?;
        let named = named(report);
        for part in &mut parts {
            // Only receivers of the type: a message must not choose where else it goes.
            let is_known = named.as_ref().is_some_and(|name| part.receivers.contains(name));
            match &named {
                Some(name) if is_known => part.receivers = vec![name.clone()],
                _ => part.receivers.truncate(1),
            }
        }
        Ok(parts)
    }

    fn signature_request(&self, document: &[u8], signer: &Signer, at: Timestamp) -> Result<Option<SignatureRequest>> {
        self.0.signature_request(document, signer, at)
    }

    fn with_signature(&self, document: &[u8], signer: &Signer, at: Timestamp, signature: &[u8]) -> Result<Vec<u8>> {
        self.0.with_signature(document, signer, at, signature)
    }

    fn read_receipt(&self, bytes: &[u8]) -> Result<Receipt> {
        self.0.read_receipt(bytes)
    }

    fn refusal(&self, report: &Report) -> Result<(ReceiptName, Vec<u8>)> {
        self.0.refusal(report)
    }
}

/// The receiver that the message names.
fn named(report: &Report) -> Option<String> {
    let notes: serde_json::Value = serde_json::from_str(&report.notes).ok()?;
    notes.get("values")?.get(RECEIVER)?.as_str().map(str::to_owned)
}
