//! Conformance kit of the transport trait.
//!
//! [`check`] holds a transport against its contract with nothing but the trait and a [`Link`]: what the receiver under
//! test is given, and what its sender got across. For a queue the link's far end is the transport itself
//! ([`Link::of_pair`]); for a folder tree it is files dropped and files found. It panics with a sentence on the first
//! promise that does not hold.

use crate::transport::{
    Disposition, End, Header, Incoming, Inquiry, Outgoing, Receiver, SendOutcome, Token, header_value,
};
use crate::{Error, ErrorKind, Light, Timestamp, Transport};
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message as the far end sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Stable id; also the stem of the file's name.
    pub id: String,
    /// Exactly these bytes.
    pub body: Vec<u8>,
    /// See [`header`](crate::transport::header).
    pub headers: Vec<Header>,
}

/// Makes a transport anew, as after a restart.
pub type Open = Box<dyn Fn() -> Box<dyn Transport>>;

/// Gives messages to the receiver under test.
pub type Put = Box<dyn Fn(&[Message])>;

/// What the sender under test got across.
pub type Taken = Box<dyn Fn() -> Vec<Message>>;

/// One fresh way from end to end, with a state of its own that outlives the transports opened on it.
pub struct Link {
    /// The transport under test, made anew as after a restart.
    pub open: Open,
    /// Gives messages to the receiver under test; returns once they are durably there.
    pub put: Put,
    /// What the sender under test got across and was not taken before, in order; the id may be left empty.
    pub taken: Taken,
    /// Whatever must live as long as the link, such as a temporary folder.
    pub keep: Box<dyn Any>,
}

impl Link {
    /// A link whose far end is a transport, too.
    pub fn of_pair(
        open: impl Fn() -> Box<dyn Transport> + 'static,
        far: impl Fn() -> Box<dyn Transport> + 'static,
        keep: impl Any,
    ) -> Self {
        let far = std::rc::Rc::new(far);
        let receiving = far.clone();
        Self {
            open: Box::new(open),
            put: Box::new(move |messages| {
                let sender = far().open_sender().unwrap_or_else(|e| panic!("opening the far sender: {e}"));
                send_all(&*sender, messages);
                sender.close();
            }),
            taken: Box::new(move || {
                let receiver = receiving().open_receiver().unwrap_or_else(|e| panic!("opening the far receiver: {e}"));
                let got = drain(&*receiver, Duration::from_millis(200));
                settle(&*receiver, &got);
                receiver.close();
                let message = |i: Incoming| Message { id: String::new(), body: i.body, headers: i.headers };
                got.into_iter().map(message).collect()
            }),
            keep: Box::new(keep),
        }
    }
}

/// What the kit needs to know of a transport, and how it gets links.
pub struct TransportFactory {
    /// A fresh link; `Some(n)` asks for room for `n` messages, where the transport has such a setting.
    pub link: Box<dyn Fn(Option<u32>) -> Link>,
    /// Whether links can be made small, so that back-pressure can be seen.
    pub bounded: bool,
    /// Lengths of bodies to carry, such as 0, 10 240 and 64 MiB.
    pub sizes: Vec<usize>,
    /// A body of that length, different for each seed; a transport that takes documents only dresses it as one.
    pub body: fn(seed: u64, length: usize) -> Vec<u8>,
    /// The headers of the message with that id; those whose names are in `carried` must come through.
    pub headers: fn(id: &str) -> Vec<Header>,
    /// Names of the headers that come through unchanged.
    pub carried: Vec<&'static str>,
    /// How long one message may take from end to end.
    pub patience: Duration,
}

/// `length` bytes of every value, different for each seed.
pub fn any_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Holds a transport against the contract.
pub fn check(factory: &TransportFactory) {
    probe_says_reachable(factory);
    carries_in(factory);
    carries_out(factory);
    sizes_are_exact(factory);
    limits_of_a_batch_are_kept(factory);
    unsettled_comes_again(factory);
    confirmed_is_not_lost(factory);
    short_waits_lose_nothing(factory);
    settling_twice_is_harmless(factory);
    rejected_stays_away(factory);
    close_ends_a_wait(factory);
    closed_ends_are_honest(factory);
    if factory.bounded {
        back_pressure_loses_nothing(factory);
    }
    inquiries_are_true(factory);
    ends_are_shown_once(factory);
}

fn probe_says_reachable(factory: &TransportFactory) {
    let link = fresh(factory);
    let transport = (link.open)();
    let (sender, receiver) = (sender(&*transport), receiver(&*transport));
    let health = transport.probe();
    assert!(health.light != Light::Red, "a working link is probed red: {health:?}");
    receiver.close();
    sender.close();
}

fn carries_in(factory: &TransportFactory) {
    let link = fresh(factory);
    let messages = numbered(factory, 0..50, 300);
    let transport = (link.open)();
    let receiver = receiver(&*transport);
    (link.put)(&messages);
    let got = gather(factory, &*receiver, messages.len(), 16);
    same(factory, &messages, &got.iter().map(as_message).collect::<Vec<_>>());
    assert!(got.iter().all(|i| !i.redelivered), "a first delivery says that it is a repeat");
    let mut ids: Vec<_> = got.iter().map(|i| &i.source_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), messages.len(), "two deliveries share a source id");
    settle(&*receiver, &got);
    let more = receiver.receive(10, 1 << 20, Duration::ZERO).unwrap_or_else(|e| panic!("receiving: {e}"));
    assert!(more.is_empty(), "a message is handed out twice by one receiver");
    receiver.close();
}

fn carries_out(factory: &TransportFactory) {
    let link = fresh(factory);
    let messages = numbered(factory, 0..50, 300);
    let transport = (link.open)();
    let sender = sender(&*transport);
    assert!(sender.send(&[], factory.patience).is_empty(), "an empty batch has no outcomes");
    send_all(&*sender, &messages);
    same(factory, &messages, &taken(factory, &link, messages.len()));
    sender.close();
}

fn sizes_are_exact(factory: &TransportFactory) {
    for (seed, &size) in factory.sizes.iter().enumerate() {
        let link = fresh(factory);
        let seed = seed as u64;
        let messages = numbered(factory, seed..seed + 1, size);
        let transport = (link.open)();
        let (sender, receiver) = (sender(&*transport), receiver(&*transport));
        (link.put)(&messages);
        let got = gather(factory, &*receiver, 1, 16);
        assert!(got[0].body == messages[0].body, "{size} bytes do not come in as they were");
        send_all(&*sender, &messages);
        let out = taken(factory, &link, 1);
        assert!(out[0].body == messages[0].body, "{size} bytes do not go out as they were");
        receiver.close();
        sender.close();
    }
}

fn limits_of_a_batch_are_kept(factory: &TransportFactory) {
    let link = fresh(factory);
    let messages = numbered(factory, 0..8, 2000);
    (link.put)(&messages);
    let transport = (link.open)();
    let receiver = receiver(&*transport);
    let mut got = Vec::new();
    let until = Instant::now() + factory.patience;
    while got.len() < messages.len() {
        assert!(Instant::now() < until, "only {} of {} messages came", got.len(), messages.len());
        let (max, max_bytes) = if got.len() < 4 { (3, 1 << 20) } else { (100, 1) };
        let batch = receive(&*receiver, max, max_bytes, Duration::from_millis(100));
        assert!(batch.len() <= max, "more messages than asked for");
        assert!(max_bytes > 1 || batch.len() <= 1, "many more bytes than asked for");
        got.extend(batch);
    }
    same(factory, &messages, &got.iter().map(as_message).collect::<Vec<_>>());
    receiver.close();
}

fn unsettled_comes_again(factory: &TransportFactory) {
    let link = fresh(factory);
    let messages = numbered(factory, 0..10, 300);
    (link.put)(&messages);
    let transport = (link.open)();
    let first = receiver(&*transport);
    let got = gather(factory, &*first, messages.len(), 100);
    let (done, left) = got.split_at(5);
    settle(&*first, done);
    if transport.capabilities().disposes {
        dispose(&*first, done);
    }
    first.close();
    drop((first, transport));
    let transport = (link.open)();
    let second = receiver(&*transport);
    let again = gather(factory, &*second, left.len(), 100);
    let ids = |list: &[Incoming]| list.iter().map(|i| (i.source_id.clone(), i.body.clone())).collect::<Vec<_>>();
    assert!(ids(left) == ids(&again), "unsettled messages do not come again as they were, and only they");
    settle(&*second, &again);
    second.close();
}

/// Opened anew without closing, as after a kill: what was confirmed is there.
fn confirmed_is_not_lost(factory: &TransportFactory) {
    let link = fresh(factory);
    let messages = numbered(factory, 0..30, 1000);
    for batch in messages.chunks(10) {
        let transport = (link.open)();
        send_all(&*sender(&*transport), batch);
    }
    same(factory, &messages, &taken(factory, &link, messages.len()));
}

fn short_waits_lose_nothing(factory: &TransportFactory) {
    let link = fresh(factory);
    let transport = (link.open)();
    let receiver = receiver(&*transport);
    for _ in 0..500 {
        assert!(receive(&*receiver, 10, 1 << 20, Duration::ZERO).is_empty(), "something comes out of an empty link");
    }
    let messages = numbered(factory, 0..100, 200);
    (link.put)(&messages);
    let mut got = Vec::new();
    for _ in 0..500 {
        let batch = receive(&*receiver, 1, 1 << 20, Duration::ZERO);
        settle(&*receiver, &batch);
        got.extend(batch);
    }
    got.extend(gather(factory, &*receiver, messages.len() - got.len(), 100));
    same(factory, &messages, &got.iter().map(as_message).collect::<Vec<_>>());
    receiver.close();
}

fn settling_twice_is_harmless(factory: &TransportFactory) {
    let link = fresh(factory);
    let messages = numbered(factory, 0..4, 200);
    (link.put)(&messages);
    let transport = (link.open)();
    let first = receiver(&*transport);
    let got = gather(factory, &*first, messages.len(), 1);
    settle(&*first, &got[..2]);
    settle(&*first, &got[..2]);
    settle(&*first, &[]);
    // A token of nobody may be refused, but it must touch nothing.
    let _ = first.settle(&[Token(u64::MAX), Token(0)]);
    first.close();
    let second = receiver(&*transport);
    let again = gather(factory, &*second, 2, 100);
    assert!(got[2..].iter().all(|i| again.iter().any(|a| a.body == i.body)), "settling too much lost a message");
    second.close();
}

fn rejected_stays_away(factory: &TransportFactory) {
    let link = fresh(factory);
    let messages = numbered(factory, 0..2, 200);
    (link.put)(&messages);
    let transport = (link.open)();
    let first = receiver(&*transport);
    let got = gather(factory, &*first, 2, 100);
    let reason = Error::new(ErrorKind::Invalid, "KOUAN-TEST-REJECTED", "not for us");
    first.reject(got[0].token, &reason).unwrap_or_else(|e| panic!("rejecting: {e}"));
    first.close();
    let second = receiver(&*transport);
    let again = gather(factory, &*second, 1, 100);
    assert!(again[0].body == messages[1].body, "a rejected message comes again");
    second.close();
}

fn close_ends_a_wait(factory: &TransportFactory) {
    for round in 0..5 {
        let link = fresh(factory);
        let transport = (link.open)();
        let receiver: Arc<dyn Receiver> = Arc::from(receiver(&*transport));
        let (done, ended) = std::sync::mpsc::channel();
        let waiting = receiver.clone();
        let thread = std::thread::spawn(move || {
            // An error is as good an end as an empty answer.
            let _ = waiting.receive(1, 1 << 20, Duration::from_secs(3600));
            let _ = done.send(());
        });
        std::thread::sleep(Duration::from_millis(round * 5));
        receiver.close();
        receiver.close();
        assert!(ended.recv_timeout(factory.patience).is_ok(), "close does not end a receive that waits");
        assert!(thread.join().is_ok(), "a receive that is closed panics");
    }
}

fn closed_ends_are_honest(factory: &TransportFactory) {
    let link = fresh(factory);
    let transport = (link.open)();
    let (sender, receiver) = (sender(&*transport), receiver(&*transport));
    sender.close();
    sender.close();
    receiver.close();
    let messages = numbered(factory, 0..3, 100);
    let outcomes = sender.send(&outgoing(&messages), factory.patience);
    assert_eq!(outcomes.len(), 3, "a closed sender still gives one outcome each");
    assert!(!outcomes.contains(&SendOutcome::Confirmed), "a closed sender confirms");
    assert!(receiver.receive(1, 1, Duration::ZERO).map_or(true, |got| got.is_empty()), "a closed receiver receives");
}

/// Fills a small link: a refusal is certain and passing; nothing is lost, nothing refused is there.
fn back_pressure_loses_nothing(factory: &TransportFactory) {
    let link = (factory.link)(Some(5));
    let transport = (link.open)();
    let sender = sender(&*transport);
    let mut left = numbered(factory, 0..23, 300);
    let all = left.clone();
    let mut got = Vec::new();
    while !left.is_empty() {
        let outcomes = sender.send(&outgoing(&left), Duration::from_secs(2));
        let confirmed = outcomes.iter().take_while(|o| **o == SendOutcome::Confirmed).count();
        assert!((1..=5).contains(&confirmed), "{confirmed} messages are confirmed by a link with room for 5");
        for outcome in &outcomes[confirmed..] {
            let passing = matches!(outcome, SendOutcome::Refused { transient: true, .. });
            assert!(passing, "a full link answers {outcome:?}");
        }
        let batch = taken(factory, &link, confirmed);
        assert_eq!(batch.len(), confirmed, "a refused message went across");
        got.extend(batch);
        left.drain(..confirmed);
    }
    same(factory, &all, &got);
    sender.close();
}

fn inquiries_are_true(factory: &TransportFactory) {
    let link = fresh(factory);
    let transport = (link.open)();
    let sender = sender(&*transport);
    let messages = numbered(factory, 0..2, 300);
    let ids: Vec<&str> = messages.iter().map(|m| m.id.as_str()).collect();
    send_all(&*sender, &messages[..1]);
    let answers = sender.inquire(&ids).unwrap_or_else(|e| panic!("inquiring: {e}"));
    assert_eq!(answers.len(), 2, "one answer for each id");
    assert_ne!(answers[0], Inquiry::Absent, "a confirmed message is called absent");
    assert_ne!(answers[1], Inquiry::Present, "a message that was never sent is called present");
    if transport.capabilities().inquires {
        assert_eq!(answers[0], Inquiry::Present, "a transport that inquires does not know what it confirmed");
    }
    send_all(&*sender, &messages[1..]);
    same(factory, &messages, &taken(factory, &link, 2));
    sender.close();
}

fn ends_are_shown_once(factory: &TransportFactory) {
    let link = fresh(factory);
    let transport = (link.open)();
    if !transport.capabilities().disposes {
        return;
    }
    let first = receiver(&*transport);
    (link.put)(&numbered(factory, 0..6, 300));
    let got = gather(factory, &*first, 6, 100);
    settle(&*first, &got);
    let mut before = first.undisposed().unwrap_or_else(|e| panic!("asking what is undisposed: {e}"));
    before.sort();
    let mut ids: Vec<_> = got.iter().map(|i| i.source_id.clone()).collect();
    ids.sort();
    assert_eq!(before, ids, "what is taken is undisposed");
    dispose(&*first, &got);
    dispose(&*first, &got);
    assert_eq!(first.undisposed(), Ok(Vec::new()), "what is disposed of is still undisposed");
    first.close();
    let second = receiver(&*transport);
    assert!(receive(&*second, 10, 1 << 20, Duration::ZERO).is_empty(), "what is disposed of comes again");
    dispose(&*second, &got);
    second.close();
}

fn fresh(factory: &TransportFactory) -> Link {
    (factory.link)(None)
}

fn sender(transport: &dyn Transport) -> Box<dyn crate::transport::Sender> {
    transport.open_sender().unwrap_or_else(|e| panic!("opening a sender: {e}"))
}

fn receiver(transport: &dyn Transport) -> Box<dyn Receiver> {
    transport.open_receiver().unwrap_or_else(|e| panic!("opening a receiver: {e}"))
}

fn receive(receiver: &dyn Receiver, max: usize, max_bytes: usize, wait: Duration) -> Vec<Incoming> {
    receiver.receive(max, max_bytes, wait).unwrap_or_else(|e| panic!("receiving: {e}"))
}

fn numbered(factory: &TransportFactory, seeds: std::ops::Range<u64>, length: usize) -> Vec<Message> {
    seeds
        .map(|seed| {
            let id = format!("DXPENT000000000120260112093510{seed:04}");
            Message { body: (factory.body)(seed, length), headers: (factory.headers)(&id), id }
        })
        .collect()
}

fn outgoing(messages: &[Message]) -> Vec<Outgoing<'_>> {
    messages.iter().map(|m| Outgoing { id: &m.id, body: &m.body, headers: &m.headers }).collect()
}

fn send_all(sender: &dyn crate::transport::Sender, messages: &[Message]) {
    let outcomes = sender.send(&outgoing(messages), Duration::from_secs(60));
    assert_eq!(outcomes.len(), messages.len(), "one outcome for each message");
    for (message, outcome) in messages.iter().zip(outcomes) {
        assert_eq!(outcome, SendOutcome::Confirmed, "sending {} on a free link", message.id);
    }
}

/// Exactly `count` messages within the factory's patience.
fn gather(factory: &TransportFactory, receiver: &dyn Receiver, count: usize, max: usize) -> Vec<Incoming> {
    let until = Instant::now() + factory.patience;
    let mut got = Vec::new();
    while got.len() < count {
        assert!(Instant::now() < until, "only {} of {count} messages came", got.len());
        got.extend(receive(receiver, max, usize::MAX, Duration::from_millis(100)));
    }
    got
}

/// Everything until nothing comes for `quiet`.
fn drain(receiver: &dyn Receiver, quiet: Duration) -> Vec<Incoming> {
    let mut got = Vec::new();
    loop {
        let batch = receive(receiver, 100, usize::MAX, quiet);
        if batch.is_empty() {
            return got;
        }
        got.extend(batch);
    }
}

fn taken(factory: &TransportFactory, link: &Link, count: usize) -> Vec<Message> {
    let until = Instant::now() + factory.patience;
    let mut got = Vec::new();
    while got.len() < count {
        assert!(Instant::now() < until, "only {} of {count} messages went across", got.len());
        got.extend((link.taken)());
    }
    got
}

fn settle(receiver: &dyn Receiver, got: &[Incoming]) {
    let tokens: Vec<Token> = got.iter().map(|i| i.token).collect();
    receiver.settle(&tokens).unwrap_or_else(|e| panic!("settling: {e}"));
}

fn dispose(receiver: &dyn Receiver, got: &[Incoming]) {
    let ends: Vec<_> = got
        .iter()
        .enumerate()
        .map(|(index, i)| Disposition {
            source_id: &i.source_id,
            headers: &i.headers,
            body: &i.body,
            end: if index % 2 == 0 { End::Sent } else { End::Failed },
            at: Timestamp::from_millis(1_768_181_710_000),
            verdict: Some(b"{}"),
        })
        .collect();
    let results = receiver.dispose(&ends);
    assert_eq!(results.len(), ends.len(), "one result for each disposition");
    for result in results {
        result.unwrap_or_else(|e| panic!("disposing: {e}"));
    }
}

fn as_message(incoming: &Incoming) -> Message {
    Message { id: String::new(), body: incoming.body.clone(), headers: incoming.headers.clone() }
}

/// The same messages, in the same order, with the headers that come through.
fn same(factory: &TransportFactory, expected: &[Message], got: &[Message]) {
    assert_eq!(got.len(), expected.len(), "as many messages as were given");
    for (at, (one, other)) in expected.iter().zip(got).enumerate() {
        assert!(one.body == other.body, "message {at} differs, or its order does");
        for name in &factory.carried {
            let (was, is) = (header_value(&one.headers, name), header_value(&other.headers, name));
            assert_eq!(is, was, "header {name} of message {at}");
        }
    }
}
