//! Guard of a transport and of what it opens. Doubt is never hidden: a send that panicked or hangs may have happened.

use super::{abandoned, exactly, no_answer, not_begun};
use crate::catch::{catch, drop_aside};
use crate::slot::Slot;
use crate::{Missed, Runner, Watch};
use kouan_sdk::transport::{
    Capabilities, Disposition, Header, Incoming, Inquiry, Outgoing, Receiver, SendOutcome, Sender, Token, Transport,
};
use kouan_sdk::{Error, ErrorKind, Health, Result};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A transport whose panics are errors or doubt.
pub struct GuardedTransport {
    shared: Arc<Shared>,
    capabilities: Capabilities,
}

struct Shared {
    slot: Slot<dyn Transport>,
    runner: Runner,
}

impl Shared {
    fn watch(&self) -> &Arc<Watch> {
        self.slot.watch()
    }

    fn open_sender(&self) -> Result<Arc<dyn Sender>> {
        let sender = self.slot.call("open_sender", |transport| transport.open_sender())??;
        Ok(Arc::from(sender))
    }

    /// What a transport opened has broken; nothing proves that the rest of it is sound, so the whole is made anew.
    fn part_broke(&self, error: &Error) {
        match self.slot.present() {
            Some(transport) => self.slot.retire(transport, error),
            None => self.watch().broke(error),
        }
    }
}

impl GuardedTransport {
    pub(crate) fn new(slot: Slot<dyn Transport>) -> Result<Self> {
        let capabilities = slot.call("capabilities", |transport| transport.capabilities())?;
        let runner = Runner::new(slot.watch().name(), slot.watch().policy().threads);
        Ok(Self { shared: Arc::new(Shared { slot, runner }), capabilities })
    }
}

impl Transport for GuardedTransport {
    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn open_sender(&self) -> Result<Box<dyn Sender>> {
        let live = RwLock::new(Some(self.shared.open_sender()?));
        Ok(Box::new(GuardedSender { shared: self.shared.clone(), live, closed: AtomicBool::new(false) }))
    }

    fn open_receiver(&self) -> Result<Box<dyn Receiver>> {
        let receiver = self.shared.slot.call("open_receiver", |transport| transport.open_receiver())??;
        Ok(Box::new(GuardedReceiver { shared: self.shared.clone(), live: RwLock::new(Some(Arc::from(receiver))) }))
    }

    fn probe(&self) -> Health {
        let shared = &self.shared;
        let probed = shared.slot.instance().and_then(|transport| {
            let (watch, inside) = (shared.watch().clone(), transport.clone());
            let deadline = watch.policy().probe_deadline;
            let what = format!("{}: probe", watch.name());
            match shared.runner.call(deadline, what, move || inside.probe(), move || watch.returned()) {
                Ok(Ok(health)) => Ok(health),
                Ok(Err(panicked)) => {
                    shared.slot.retire(transport, &panicked);
                    Err(panicked)
                }
                Err(Missed::NotBegun) => Err(not_begun(shared.watch(), "probe")),
                Err(Missed::Abandoned) => {
                    let error = abandoned(shared.watch(), "probe");
                    shared.watch().stuck(&error);
                    Err(error)
                }
            }
        });
        probed.unwrap_or_else(|error| Health::red(&error))
    }
}

/// A sender that opens itself anew after a panic: it holds nothing that a new one could confuse.
struct GuardedSender {
    shared: Arc<Shared>,
    live: RwLock<Option<Arc<dyn Sender>>>,
    closed: AtomicBool,
}

impl GuardedSender {
    fn sender(&self) -> Result<Arc<dyn Sender>> {
        if let Some(sender) = &*self.live.read() {
            return Ok(sender.clone());
        }
        let mut live = self.live.write();
        if self.closed.load(Ordering::Acquire) {
            let text = format!("{} is closed", self.shared.watch().name());
            return Err(Error::new(ErrorKind::Unavailable, "KOUAN-HOST-CLOSED", text));
        }
        let sender = self.shared.open_sender()?;
        Ok(live.insert(sender).clone())
    }

    fn broke(&self, sender: Arc<dyn Sender>, error: &Error) {
        let mut live = self.live.write();
        if live.as_ref().is_some_and(|current| Arc::ptr_eq(current, &sender)) {
            live.take().into_iter().for_each(drop_aside);
            self.shared.part_broke(error);
        }
        drop_aside(sender);
    }

    fn send_here(&self, sender: &Arc<dyn Sender>, batch: &[Outgoing<'_>], deadline: Duration) -> Sent {
        let name = || format!("{}: send", self.shared.watch().name());
        Ok(catch(name, || sender.send(batch, deadline)))
    }

    fn send_aside(
        &self,
        sender: &Arc<dyn Sender>,
        batch: &[Outgoing<'_>],
        deadline: Duration,
        grace: Duration,
    ) -> Sent {
        let owned: Vec<OwnedOutgoing> = batch.iter().map(OwnedOutgoing::new).collect();
        let (watch, inside) = (self.shared.watch().clone(), sender.clone());
        let call = move || {
            let batch: Vec<Outgoing<'_>> = owned.iter().map(OwnedOutgoing::outgoing).collect();
            inside.send(&batch, deadline)
        };
        let what = format!("{}: send", watch.name());
        self.shared.runner.call(deadline.saturating_add(grace), what, call, move || watch.returned())
    }
}

/// What became of a send call: missed its deadline, panicked, or answered.
type Sent = std::result::Result<Result<Vec<SendOutcome>>, Missed>;

impl Sender for GuardedSender {
    fn send(&self, batch: &[Outgoing<'_>], deadline: Duration) -> Vec<SendOutcome> {
        let each = |outcome: SendOutcome| vec![outcome; batch.len()];
        let refused = |reason: Error| each(SendOutcome::Refused { transient: true, reason });
        let sender = match self.sender() {
            Ok(sender) => sender,
            Err(reason) => return refused(reason),
        };
        let sent = match self.shared.watch().policy().send_grace {
            None => self.send_here(&sender, batch, deadline),
            Some(grace) => self.send_aside(&sender, batch, deadline, grace),
        };
        match sent {
            Ok(Ok(outcomes)) => exactly(outcomes, batch.len(), || SendOutcome::Unknown {
                reason: no_answer(self.shared.watch(), "send"),
            }),
            Ok(Err(panicked)) => {
                self.broke(sender, &panicked);
                each(SendOutcome::Unknown { reason: panicked })
            }
            Err(Missed::NotBegun) => refused(not_begun(self.shared.watch(), "send")),
            Err(Missed::Abandoned) => {
                let reason = abandoned(self.shared.watch(), "send");
                self.shared.watch().stuck(&reason);
                each(SendOutcome::Unknown { reason })
            }
        }
    }

    fn inquire(&self, wire_ids: &[&str]) -> Result<Vec<Inquiry>> {
        let sender = self.sender()?;
        let name = || format!("{}: inquire", self.shared.watch().name());
        match catch(name, || sender.inquire(wire_ids)) {
            Ok(answers) => Ok(exactly(answers?, wire_ids.len(), || Inquiry::Unknown)),
            Err(panicked) => {
                self.broke(sender, &panicked);
                Err(panicked)
            }
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let live = self.live.read().clone();
        if let Some(sender) = live {
            let name = || format!("{}: close", self.shared.watch().name());
            if let Err(panicked) = catch(name, || sender.close()) {
                self.broke(sender, &panicked);
            }
        }
    }
}

/// A receiver that stays broken after a panic: tokens of the old one mean nothing to a new one, so only the caller,
/// who holds the tokens, may open it anew.
struct GuardedReceiver {
    shared: Arc<Shared>,
    live: RwLock<Option<Arc<dyn Receiver>>>,
}

impl GuardedReceiver {
    fn call<R>(&self, what: &str, call: impl FnOnce(&dyn Receiver) -> R) -> Result<R> {
        let Some(receiver) = self.live.read().clone() else {
            let text = format!("{}: the receiver broke and must be opened anew", self.shared.watch().name());
            return Err(Error::new(ErrorKind::Unavailable, "KOUAN-HOST-PLUGIN-FAULTED", text));
        };
        let outcome = catch(|| format!("{}: {what}", self.shared.watch().name()), || call(&*receiver));
        if let Err(panicked) = &outcome {
            let mut live = self.live.write();
            if live.take().is_some() {
                self.shared.part_broke(panicked);
            }
            drop_aside(receiver);
        }
        outcome
    }
}

impl Receiver for GuardedReceiver {
    fn receive(&self, max: usize, max_bytes: usize, wait: Duration) -> Result<Vec<Incoming>> {
        self.call("receive", |receiver| receiver.receive(max, max_bytes, wait))?
    }

    fn settle(&self, tokens: &[Token]) -> Result<()> {
        self.call("settle", |receiver| receiver.settle(tokens))?
    }

    fn reject(&self, token: Token, reason: &Error) -> Result<()> {
        self.call("reject", |receiver| receiver.reject(token, reason))?
    }

    fn dispose(&self, batch: &[Disposition<'_>]) -> Vec<Result<()>> {
        match self.call("dispose", |receiver| receiver.dispose(batch)) {
            Ok(results) => exactly(results, batch.len(), || Err(no_answer(self.shared.watch(), "dispose"))),
            Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    fn undisposed(&self) -> Result<Vec<String>> {
        self.call("undisposed", |receiver| receiver.undisposed())?
    }

    fn close(&self) {
        if self.live.read().is_some() {
            let _ = self.call("close", |receiver| receiver.close());
        }
    }
}

/// A message that may outlive the caller's wait.
struct OwnedOutgoing {
    id: String,
    body: Vec<u8>,
    headers: Vec<Header>,
}

impl OwnedOutgoing {
    fn new(message: &Outgoing<'_>) -> Self {
        Self { id: message.id.to_owned(), body: message.body.to_vec(), headers: message.headers.to_vec() }
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing { id: &self.id, body: &self.body, headers: &self.headers }
    }
}
