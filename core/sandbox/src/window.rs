//! The sandbox itself: opened, run, looked into.

use crate::config::{Parts, SandboxConfig, Side};
use crate::ledger::{self, Ledger, Totals};
use crate::receipts::WindowKey;
use crate::store::Store;
use kouan_sdk::{Error, Result};
use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// A stateful Single Window.
pub struct Sandbox {
    pub(crate) config: SandboxConfig,
    pub(crate) parts: Parts,
    pub(crate) store: Store,
    pub(crate) alarm_clock: AlarmClock,
}

impl Sandbox {
    /// Opens the file, or makes it; goes on where an earlier run, or a killed one, left off.
    ///
    /// # Errors
    /// `KOUAN-SANDBOX-CONFIG`, `KOUAN-SANDBOX-SCENARIO`, `KOUAN-SANDBOX-NO-SIGNING-KEY`; a file that cannot be opened or is
    /// no sandbox's; a security backend that does not say what keys it has.
    pub fn open(config: SandboxConfig, parts: Parts) -> Result<Self> {
        config.check()?;
        check_scripts(&config, &parts.simulators)?;
        WindowKey::choose(&*parts.security, &config.profile)?;
        let store = Store::open(&config.path)?;
        ledger::remember(&store.lock(), &config)?;
        tracing::info!(path = %config.path.display(), repeats = %config.repeats, "sandbox open");
        Ok(Self { config, parts, store, alarm_clock: AlarmClock::default() })
    }

    /// All that it has seen and done.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn ledger(&self) -> Result<Ledger> {
        Ledger::read(&self.config.path)
    }

    /// The same in numbers.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn totals(&self) -> Result<Totals> {
        Totals::read(&self.config.path)
    }
}

/// A step that nobody knows is found here, not when the first message comes. A rule for every business must be known to one.
fn check_scripts(config: &SandboxConfig, sides: &[Side]) -> Result<()> {
    for (index, rule) in config.scenario.rules.iter().enumerate() {
        let selected = |side: &&Side| rule.business.as_ref().is_none_or(|business| *business == side.business);
        let script = rule.script();
        let mut wrong = None;
        for side in sides.iter().filter(selected) {
            match side.simulator.check_script(&script) {
                Ok(()) => {
                    wrong = None;
                    break;
                }
                Err(error) => wrong = Some(error),
            }
        }
        if let Some(error) = wrong {
            return Err(Error::new(error.kind, error.code, format!("rule {}: {}", index + 1, error.message)));
        }
    }
    Ok(())
}

/// Wakes the sending loop when there is something new to send.
#[derive(Default)]
pub(crate) struct AlarmClock {
    rung: Mutex<bool>,
    wake: Condvar,
}

impl AlarmClock {
    pub(crate) fn ring(&self) {
        *self.rung.lock() = true;
        self.wake.notify_all();
    }

    /// Waits until it rings, but not longer than `time`.
    pub(crate) fn wait(&self, time: Duration) {
        let mut rung = self.rung.lock();
        if !*rung {
            self.wake.wait_for(&mut rung, time);
        }
        *rung = false;
    }
}
