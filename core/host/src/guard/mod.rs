//! Decorators around the traits that keep a plugin's faults inside the plugin.

mod business;
mod security;
mod simulator;
mod transport;

pub use business::GuardedBusiness;
pub use security::GuardedSecurity;
pub use simulator::GuardedSimulator;
pub use transport::GuardedTransport;

use crate::Watch;
use kouan_sdk::{Error, ErrorKind};

/// A call with a deadline that was never begun: without effect.
fn not_begun(watch: &Watch, what: &str) -> Error {
    let text = format!("{} is busy or hangs; {what} was not begun", watch.name());
    Error::new(ErrorKind::Unavailable, "KOUAN-HOST-PLUGIN-STUCK", text)
}

/// A call that was given up: its effect is unknown.
fn abandoned(watch: &Watch, what: &str) -> Error {
    let text = format!("{}: {what} did not return within its deadline", watch.name());
    Error::new(ErrorKind::Timeout, "KOUAN-HOST-CALL-ABANDONED", text)
}

/// A plugin that gave fewer answers than it was asked for.
fn no_answer(watch: &Watch, what: &str) -> Error {
    let text = format!("{}: {what} left a request without an answer", watch.name());
    Error::new(ErrorKind::Internal, "KOUAN-HOST-PLUGIN-NO-ANSWER", text)
}

/// Exactly `wanted` answers: what is missing is filled in, what is too much is dropped.
fn exactly<T>(mut answers: Vec<T>, wanted: usize, missing: impl FnMut() -> T) -> Vec<T> {
    answers.resize_with(wanted, missing);
    answers
}
