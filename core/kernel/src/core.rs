//! What all pipelines share: the journal, the plugins' instances, the bells that wake the stages, the stop.

use crate::config::{BusinessConfig, Config, SiteConfig};
use crate::identity::Identities;
use crate::signal::Signal;
use kouan_dxp::Trust;
use kouan_journal::Journal;
use kouan_sdk::business::{BusinessInfo, MessageType};
use kouan_sdk::transport::{Capabilities, Receiver};
use kouan_sdk::{Business, Clock, Transport};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A business at work.
pub struct BusinessSlot {
    /// As configured.
    pub config: BusinessConfig,
    /// What it is.
    pub info: BusinessInfo,
    /// The plugin.
    pub plugin: Arc<dyn Business>,
}

impl BusinessSlot {
    /// Seconds after which a sent message of this type without a receipt is overdue.
    pub fn receipt_deadline_s(&self, message_type: &str) -> u32 {
        let own = self.info.types.iter().find(|t| t.id == message_type).map(|t| t.receipt_deadline_s);
        self.config.receipt_deadline_s.get(message_type).copied().or(own).unwrap_or(86_400)
    }
}

/// A site at work.
pub struct SiteSlot {
    /// As configured.
    pub config: SiteConfig,
    /// The plugin.
    pub transport: Arc<dyn Transport>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Its receiving side, once open; intake receives, effects dispose.
    pub receiver: Mutex<Option<Arc<dyn Receiver>>>,
    /// Rings when there is something to deliver or dispose.
    pub effects: Signal,
}

/// How far the gateway is on its way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// At work.
    Running,
    /// Takes nothing in; finishes what is begun.
    Draining,
    /// Every stage ends after its present batch.
    Stopped,
}

/// Shared by all pipelines.
pub struct Core {
    /// The configuration in force.
    pub config: Config,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
    /// The only truth.
    pub journal: Arc<dyn Journal>,
    /// Businesses, in the order of the configuration.
    pub businesses: Vec<BusinessSlot>,
    /// Identities.
    pub identities: Identities,
    /// Whose signatures on receipts count.
    pub trust: Trust,
    /// The window.
    pub window: Arc<dyn Transport>,
    /// Sites.
    pub sites: Vec<SiteSlot>,
    /// Rings when there is something to check.
    pub checks: Signal,
    /// Rings when there may be something to send.
    pub outbound: Signal,
    /// Rings when there is something to open.
    pub opens: Signal,
    /// Rings when the phase changes; housekeeping waits on it.
    pub phases: Signal,
    phase: AtomicU8,
}

impl Core {
    /// Puts the shared parts together; phase Running.
    #[allow(clippy::too_many_arguments)] // one call, from the gateway's start
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
        journal: Arc<dyn Journal>,
        businesses: Vec<BusinessSlot>,
        identities: Identities,
        trust: Trust,
        window: Arc<dyn Transport>,
        sites: Vec<SiteSlot>,
    ) -> Self {
        Self {
            config,
            clock,
            journal,
            businesses,
            identities,
            trust,
            window,
            sites,
            checks: Signal::default(),
            outbound: Signal::default(),
            opens: Signal::default(),
            phases: Signal::default(),
            phase: AtomicU8::new(0),
        }
    }

    /// How far down.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Stopped,
        }
    }

    /// Goes further down; wakes everybody.
    pub fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        for bell in [&self.checks, &self.outbound, &self.opens, &self.phases] {
            bell.ring();
        }
        self.ring_effects();
    }

    /// Wakes every site's effects.
    pub fn ring_effects(&self) {
        self.sites.iter().for_each(|site| site.effects.ring());
    }

    /// The site of this name.
    pub fn site(&self, name: &str) -> Option<&SiteSlot> {
        self.sites.iter().find(|site| site.config.name == name)
    }

    /// Who judges a document: the business that knows its root, else the one whose folder it was dropped into.
    pub fn business_for(&self, root: Option<(&str, &str)>, form_id: Option<&str>) -> Option<&BusinessSlot> {
        let by = |fits: &dyn Fn(&MessageType) -> bool| self.businesses.iter().find(|b| b.info.types.iter().any(fits));
        let by_root = root.and_then(|(ns, local)| by(&|t| t.roots.iter().any(|r| r.matches(ns, local))));
        by_root.or_else(|| form_id.and_then(|form| by(&|t| t.id == form)))
    }

    /// Who reads a receipt of this wire type with this root: the business that sends the type, if it reads the root; else
    /// the one that names the root; else one that reads every root.
    pub fn reader_of(&self, message_type: &str, namespace: &str, local: &str) -> Option<&BusinessSlot> {
        let at = reader_among(self.businesses.iter().map(|slot| &slot.info), message_type, namespace, local)?;
        self.businesses.get(at)
    }

    /// The business of this id.
    pub fn business(&self, id: &str) -> Option<&BusinessSlot> {
        self.businesses.iter().find(|slot| slot.info.id == id)
    }
}

fn reader_among<'i>(
    infos: impl Iterator<Item = &'i BusinessInfo> + Clone,
    message_type: &str,
    namespace: &str,
    local: &str,
) -> Option<usize> {
    let reads = |info: &BusinessInfo, by_name: bool| {
        info.receipt_roots.iter().any(|root| root.matches(namespace, local) && (!by_name || !root.is_any()))
    };
    let sends = |info: &BusinessInfo| info.types.iter().any(|of| of.id == message_type);
    let own = infos.clone().position(|info| sends(info) && reads(info, false));
    let named = || infos.clone().position(|info| reads(info, true));
    own.or_else(named).or_else(|| infos.clone().position(|info| reads(info, false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kouan_sdk::business::RootName;

    fn info(id: &str, message_type: &str, root: &str) -> BusinessInfo {
        let of = MessageType {
            id: message_type.into(),
            name_zh: String::new(),
            name_en: String::new(),
            folder: message_type.into(),
            roots: Vec::new(),
            receivers: Vec::new(),
            receipt_deadline_s: 1,
        };
        let (name_zh, name_en) = (String::new(), String::new());
        BusinessInfo { id: id.into(), name_zh, name_en, types: vec![of], receipt_roots: vec![RootName::new("*", root)] }
    }

    #[test]
    fn a_receipt_is_read_by_its_own_business_then_by_name_then_by_whoever_reads_all() {
        let infos = [info("any", "A1", "*"), info("one", "B1", "Answer"), info("two", "C1", "Answer")];
        let reader = |of: &str, root: &str| reader_among(infos.iter(), of, "", root);
        assert_eq!(reader("A1", "Answer"), Some(0), "the type is its own, and it reads every root");
        assert_eq!(reader("C1", "Answer"), Some(2));
        assert_eq!(reader("X9", "Answer"), Some(1), "nobody's type: the first that names the root");
        assert_eq!(reader("B1", "Other"), Some(0), "nobody names the root");
        assert_eq!(reader_among(infos[1..].iter(), "B1", "", "Other"), None);
    }
}
