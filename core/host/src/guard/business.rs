//! Guard of a business. Its calls stay on the caller's thread: they do no I/O, and a hop would cost more than the check.

use crate::slot::Slot;
use kouan_sdk::business::{
    Business, BusinessInfo, Key, Package, PartPlan, Receipt, ReceiptName, Report, SignatureRequest, Signer,
};
use kouan_sdk::{Result, Timestamp};

/// A business whose panics are errors.
pub struct GuardedBusiness {
    slot: Slot<dyn Business>,
    info: BusinessInfo,
}

impl GuardedBusiness {
    pub(crate) fn new(slot: Slot<dyn Business>) -> Result<Self> {
        let info = slot.call("describe", |business| business.describe())?;
        Ok(Self { slot, info })
    }
}

impl Business for GuardedBusiness {
    fn describe(&self) -> BusinessInfo {
        self.info.clone()
    }

    fn check(&self, package: &Package<'_>) -> Result<Report> {
        self.slot.call("check", |business| business.check(package))?
    }

    fn plan<'a>(&self, package: &Package<'a>, report: &Report, known: &[Key]) -> Result<Vec<PartPlan<'a>>> {
        self.slot.call("plan", |business| business.plan(package, report, known))?
    }

    fn signature_request(&self, document: &[u8], signer: &Signer, at: Timestamp) -> Result<Option<SignatureRequest>> {
        self.slot.call("signature_request", |business| business.signature_request(document, signer, at))?
    }

    fn with_signature(&self, document: &[u8], signer: &Signer, at: Timestamp, signature: &[u8]) -> Result<Vec<u8>> {
        self.slot.call("with_signature", |business| business.with_signature(document, signer, at, signature))?
    }

    fn read_receipt(&self, bytes: &[u8]) -> Result<Receipt> {
        self.slot.call("read_receipt", |business| business.read_receipt(bytes))?
    }

    fn refusal(&self, report: &Report) -> Result<(ReceiptName, Vec<u8>)> {
        self.slot.call("refusal", |business| business.refusal(report))?
    }
}
