//! Guard of a security backend: cards and drivers hang, so its calls have a deadline. A backend is never made anew while
//! a call of the old one is still inside the device.

use super::{abandoned, exactly, no_answer, not_begun};
use crate::slot::Slot;
use crate::{Missed, Runner};
use kouan_sdk::security::{KeyId, Scheme, Security, SecurityIdentity, SignInput, SignRequest, UnwrapRequest, Wrapped};
use kouan_sdk::{Error, Health, Result};
use std::time::Duration;
use zeroize::Zeroizing;

/// A backend whose panics are errors and whose calls end.
pub struct GuardedSecurity {
    slot: Slot<dyn Security>,
    runner: Runner,
}

impl GuardedSecurity {
    pub(crate) fn new(slot: Slot<dyn Security>) -> Self {
        let watch = slot.watch();
        let runner = Runner::new(watch.name(), watch.policy().threads);
        Self { slot, runner }
    }

    /// Calls on a thread of the backend's own, with the policy's deadline.
    fn timed<R: Send + 'static>(
        &self,
        what: &'static str,
        deadline: Duration,
        call: impl FnOnce(&dyn Security) -> R + Send + 'static,
    ) -> Result<R> {
        let backend = self.slot.instance()?;
        let (watch, inside) = (self.slot.watch().clone(), backend.clone());
        let outcome = self.runner.call(
            deadline,
            format!("{}: {what}", watch.name()),
            move || call(&*inside),
            move || watch.returned(),
        );
        match outcome {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(panicked)) => {
                self.slot.retire(backend, &panicked);
                Err(panicked)
            }
            Err(Missed::NotBegun) => Err(not_begun(self.slot.watch(), what)),
            Err(Missed::Abandoned) => {
                let error = abandoned(self.slot.watch(), what);
                self.slot.watch().stuck(&error);
                Err(error)
            }
        }
    }

    fn policy_deadline(&self) -> Option<Duration> {
        self.slot.watch().policy().security_deadline
    }

    /// One answer a request, whatever the backend gave.
    fn answers<R>(&self, what: &str, wanted: usize, outcome: Result<Vec<Result<R>>>) -> Vec<Result<R>> {
        match outcome {
            Ok(answers) => exactly(answers, wanted, || Err(no_answer(self.slot.watch(), what))),
            Err(error) => (0..wanted).map(|_| Err(error.clone())).collect(),
        }
    }
}

impl Security for GuardedSecurity {
    fn identities(&self) -> Result<Vec<SecurityIdentity>> {
        match self.policy_deadline() {
            Some(deadline) => self.timed("identities", deadline, |backend| backend.identities())?,
            None => self.slot.call("identities", |backend| backend.identities())?,
        }
    }

    fn sign(&self, batch: &[SignRequest<'_>]) -> Vec<Result<Vec<u8>>> {
        let outcome = match self.policy_deadline() {
            None => self.slot.call("sign", |backend| backend.sign(batch)),
            Some(deadline) => {
                let owned: Vec<OwnedSign> = batch.iter().map(OwnedSign::new).collect();
                self.timed("sign", deadline, move |backend| {
                    let batch: Vec<SignRequest<'_>> = owned.iter().map(OwnedSign::request).collect();
                    backend.sign(&batch)
                })
            }
        };
        self.answers("sign", batch.len(), outcome)
    }

    fn unwrap(&self, batch: &[UnwrapRequest<'_>]) -> Vec<Result<Zeroizing<Vec<u8>>>> {
        let outcome = match self.policy_deadline() {
            None => self.slot.call("unwrap", |backend| backend.unwrap(batch)),
            Some(deadline) => {
                let owned: Vec<(KeyId, Wrapped)> =
                    batch.iter().map(|request| (request.key.clone(), request.wrapped.clone())).collect();
                self.timed("unwrap", deadline, move |backend| {
                    let batch: Vec<UnwrapRequest<'_>> =
                        owned.iter().map(|(key, wrapped)| UnwrapRequest { key, wrapped }).collect();
                    backend.unwrap(&batch)
                })
            }
        };
        self.answers("unwrap", batch.len(), outcome)
    }

    /// Without a deadline: a person may be typing at a pad.
    fn login(&self, secret: &Zeroizing<String>) -> Result<()> {
        self.slot.call("login", |backend| backend.login(secret))?
    }

    fn logout(&self) -> Result<()> {
        self.slot.call("logout", |backend| backend.logout())?
    }

    fn probe(&self) -> Health {
        let deadline = self.slot.watch().policy().probe_deadline;
        self.timed("probe", deadline, |backend| backend.probe()).unwrap_or_else(|error: Error| Health::red(&error))
    }

    fn close(&self) {
        // A broken backend is not made anew only to be closed.
        if self.slot.present().is_some() {
            let _ = self.slot.call("close", |backend| backend.close());
        }
    }
}

/// A request that may outlive the caller's wait. A digest is 32 bytes; a message is copied once.
struct OwnedSign {
    key: KeyId,
    scheme: Scheme,
    user_id: Vec<u8>,
    bytes: Vec<u8>,
    is_digest: bool,
}

impl OwnedSign {
    fn new(request: &SignRequest<'_>) -> Self {
        let (bytes, is_digest) = match request.input {
            SignInput::Message(bytes) => (bytes.to_vec(), false),
            SignInput::Digest(bytes) => (bytes.to_vec(), true),
        };
        let user_id = request.user_id.to_vec();
        Self { key: request.key.clone(), scheme: request.scheme, user_id, bytes, is_digest }
    }

    fn request(&self) -> SignRequest<'_> {
        let input = if self.is_digest { SignInput::Digest(&self.bytes) } else { SignInput::Message(&self.bytes) };
        SignRequest { key: &self.key, scheme: self.scheme, user_id: &self.user_id, input }
    }
}
