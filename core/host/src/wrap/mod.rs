//! Decorators around a transport, for tests and the sandbox: they compose, and no transport has such options itself.

mod faulty;
mod limited;
mod retrying;

pub use faulty::{Faults, FaultyTransport};
pub use limited::LimitedTransport;
pub use retrying::RetryingTransport;
