//! What data cannot say.

use crate::tree::Tree;
use kouan_schema::Outcome;
use kouan_sdk::Finding;
use kouan_sdk::business::{Package, Receipt, Report};

/// What a plugin adds to its data. Every hook does nothing unless it is written.
pub trait Hooks: Send + Sync {
    /// Rule ids of [`Self::check`], so that a site can set their levels; each stands in the catalogue.
    fn rules(&self) -> &'static [&'static str] {
        &[]
    }

    /// Findings of its own. `outcome` holds what the schema's pass read: the values of the paths that the data names.
    fn check(&self, package: &Package<'_>, message_type: &str, outcome: &Outcome) -> Vec<Finding> {
        let _ = (package, message_type, outcome);
        Vec::new()
    }

    /// Changes the report before it goes out: other keys, parties, order.
    fn amend(&self, package: &Package<'_>, report: &mut Report) {
        let _ = (package, report);
    }

    /// Changes what was read from a receipt.
    fn receipt(&self, document: &Tree, receipt: &mut Receipt) {
        let _ = (document, receipt);
    }
}

/// No hooks: the data says all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {}
