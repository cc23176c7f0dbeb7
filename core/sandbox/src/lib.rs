//! The sandbox (联调沙箱): a stateful Single Window to test against.
//!
//! It takes envelopes from a transport, verifies them, lets each business's simulator decide, and sends sealed receipts
//! back when they are due. Its own SQLite file holds every effect, every receipt and every repeat, so that it is an
//! independent witness of what a client did: it must not know the client's kernel or journal, nor any business.

#![forbid(unsafe_code)]

mod config;
mod error;
mod faults;
mod intake;
mod ledger;
mod open;
mod outbound;
mod parallel;
mod receipts;
mod records;
mod run;
mod scenario;
mod state;
mod store;
mod window;
mod wire_ids;

pub use config::{Parts, Repeats, SandboxConfig, Side};
pub use ledger::{
    Ledger, LedgerAlarm, LedgerArrival, LedgerAttachment, LedgerEffect, LedgerReceipt, LedgerRefused, Totals, Verdict,
};
pub use scenario::{Faults, Intake, Rule, Scenario};
pub use window::Sandbox;

/// A place where the crash harness may end the process; nothing without the feature `failpoints`.
macro_rules! failpoint {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        {
            // `fail` knows no kill: a configured point returns, and its closure never does.
            (|| fail::fail_point!($name, |_| std::process::abort()))();
        }
    };
}
pub(crate) use failpoint;
