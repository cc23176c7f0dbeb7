//! The ledger (台账): what the window saw and did, as an independent witness tells it.

use crate::config::{Repeats, SandboxConfig};
use crate::error;
use crate::store::Store;
use kouan_sdk::business::Key;
use kouan_sdk::{Result, Timestamp};
use rusqlite::{Connection, Row};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// All that a sandbox has seen and done, in the order in which it happened. Digests are SM3 in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// What repeats meet, as of the last opening.
    pub repeats: Repeats,
    /// The scenario's seed, as of the last opening.
    pub seed: u64,
    /// Business keys that something took effect under.
    pub effects: Vec<LedgerEffect>,
    /// Answers, sent or not.
    pub receipts: Vec<LedgerReceipt>,
    /// Verified messages, one entry for each wire id and payload.
    pub inbound: Vec<LedgerArrival>,
    /// Attachments.
    pub attachments: Vec<LedgerAttachment>,
    /// Envelopes that were not accepted, and not answered.
    pub refused: Vec<LedgerRefused>,
    /// What must never happen, and did.
    pub alarms: Vec<LedgerAlarm>,
    /// Envelopes that are still to be sent, now or later.
    pub pending: u64,
    /// When the next of them is due.
    pub next_due: Option<Timestamp>,
}

/// The ledger in numbers; cheap enough for a progress line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Verified messages, repeats included.
    pub arrivals: u64,
    /// Effects, doubled ones included.
    pub effects: u64,
    /// Answers that were decided on.
    pub receipts: u64,
    /// Those that the transport confirmed.
    pub sent: u64,
    /// Envelopes that are still to be sent, now or later.
    pub pending: u64,
    /// Envelopes that were not accepted.
    pub refused: u64,
    /// Alarms.
    pub alarms: u64,
}

/// What took effect under one business key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEffect {
    /// The business.
    pub business: String,
    /// The business key.
    pub key: Key,
    /// How often something took effect; more than 1 is what a client must prevent.
    pub count: u64,
    /// Wire ids, one for each time.
    pub wire_ids: Vec<String>,
    /// Digests of the payloads, one for each time.
    pub digests: Vec<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerReceipt {
    /// Its own wire id.
    pub wire_id: String,
    /// Wire type.
    pub message_type: String,
    /// Root element, such as `DEC_RESULT`; empty if it is no XML.
    pub kind: String,
    /// Business key of what it answers.
    pub key: Option<Key>,
    /// Wire id of what it answers.
    pub answers: String,
    /// Digest of its payload.
    pub digest: String,
    /// When it is to be sent.
    pub due_at: Timestamp,
    /// When the transport first confirmed it.
    pub sent_at: Option<Timestamp>,
    /// How often the transport confirmed it.
    pub times_sent: u64,
    /// Whether the client must have it in the end; not if it was held back or spoilt on purpose.
    pub must_arrive: bool,
    /// What was done to it on purpose.
    pub faults: Vec<String>,
    /// Why the transport never will send it.
    pub failure: Option<String>,
}

/// What the window made of a verified message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It took effect.
    Effect,
    /// Its business refused it.
    NoEffect,
    /// Kept as an attachment.
    Attachment,
    /// Dropped: its wire id was known.
    RepeatedWireId,
    /// Answered as known: its business key was known.
    RepeatedKey,
    /// Lost on purpose.
    Ignored,
    /// Its business did not cope with it; there is an alarm.
    Failed,
}

/// A wire id and the payload that it came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerArrival {
    /// The wire id.
    pub wire_id: String,
    /// Digest of the payload.
    pub digest: String,
    /// How often it came.
    pub count: u64,
    /// Sender's DXP id.
    pub sender: String,
    /// Wire type.
    pub message_type: String,
    /// File name in `AddInfo`.
    pub file_name: String,
    /// When it first came.
    pub first_at: Timestamp,
    /// What was made of it, one verdict for each time.
    pub verdicts: Vec<Verdict>,
}

/// An attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerAttachment {
    /// File name in `AddInfo`.
    pub name: String,
    /// Digest of the payload.
    pub digest: String,
    /// Digest of what the site handed over, by the word of its business; as `digest` if that is all of it.
    pub content_digest: String,
    /// Wire id.
    pub wire_id: String,
}

/// An envelope that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRefused {
    /// The transport's id of the delivery.
    pub source_id: String,
    /// Wire id that it claims.
    pub wire_id: Option<String>,
    /// Sender that it claims.
    pub sender: Option<String>,
    /// Why; a code of the catalogue.
    pub code: String,
    /// Why, in words.
    pub message: String,
    /// Digest of the whole envelope.
    pub digest: String,
    /// When it came.
    pub at: Timestamp,
}

/// An alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerAlarm {
    /// A code of the catalogue.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Wire id that it is about.
    pub wire_id: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Verdict {
    const ALL: [Self; 7] = [
        Self::Effect,
        Self::NoEffect,
        Self::Attachment,
        Self::RepeatedWireId,
        Self::RepeatedKey,
        Self::Ignored,
        Self::Failed,
    ];

    /// As the ledger writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Effect => "effect",
            Self::NoEffect => "no-effect",
            Self::Attachment => "attachment",
            Self::RepeatedWireId => "repeated-wire-id",
            Self::RepeatedKey => "repeated-key",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

impl Ledger {
    /// Reads a sandbox's file, also while another process works on it; one moment's picture.
    ///
    /// # Errors
    /// `KOUAN-SANDBOX-STORE-CANNOT-OPEN`, `KOUAN-SANDBOX-NOT-A-SANDBOX`, or a damaged file.
    pub fn read(path: &Path) -> Result<Self> {
        let conn = Store::reader(path)?;
        read(&conn).map_err(error::store(&format!("read {}", path.display())))
    }
}

impl Totals {
    /// Counts in a sandbox's file, also while another process works on it; one moment's picture.
    ///
    /// # Errors
    /// As [`Ledger::read`].
    pub fn read(path: &Path) -> Result<Self> {
        let conn = Store::reader(path)?;
        conn.query_row(TOTALS, [], totals).map_err(error::store(&format!("read {}", path.display())))
    }
}

const TOTALS: &str =
    "SELECT (SELECT count(*) FROM arrival), (SELECT count(*) FROM effect), (SELECT count(*) FROM receipt),
  (SELECT count(*) FROM receipt WHERE sent_at IS NOT NULL), (SELECT count(*) FROM outbox),
  (SELECT count(*) FROM refused), (SELECT count(*) FROM alarm)";

fn totals(row: &Row<'_>) -> rusqlite::Result<Totals> {
    let count = |column: usize| row.get::<_, i64>(column).map(i64::unsigned_abs);
    Ok(Totals {
        arrivals: count(0)?,
        effects: count(1)?,
        receipts: count(2)?,
        sent: count(3)?,
        pending: count(4)?,
        refused: count(5)?,
        alarms: count(6)?,
    })
}

/// Keeps what the ledger has to say of the configuration.
pub(crate) fn remember(conn: &Connection, config: &SandboxConfig) -> Result<()> {
    let seed = config.scenario.seed.to_string();
    for (name, value) in [("repeats", config.repeats.name()), ("seed", &seed)] {
        conn.execute("INSERT OR REPLACE INTO setting VALUES (?1, ?2)", (name, value))
            .map_err(error::store("keep the configuration"))?;
    }
    Ok(())
}

fn read(conn: &Connection) -> rusqlite::Result<Ledger> {
    let snapshot = conn.unchecked_transaction()?;
    let setting = |name: &str| -> rusqlite::Result<String> {
        Ok(snapshot
            .query_row("SELECT max(value) FROM setting WHERE name = ?1", [name], |row| row.get::<_, Option<String>>(0))?
            .unwrap_or_default())
    };
    let (pending, next_due): (i64, Option<i64>) =
        snapshot.query_row("SELECT count(*), min(due_at) FROM outbox", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Ledger {
        repeats: setting("repeats")?.parse().unwrap_or_default(),
        seed: setting("seed")?.parse().unwrap_or_default(),
        effects: effects(&snapshot)?,
        receipts: all(&snapshot, RECEIPTS, receipt)?,
        inbound: inbound(&snapshot)?,
        attachments: all(&snapshot, ATTACHMENTS, attachment)?,
        refused: all(&snapshot, REFUSED, refused)?,
        alarms: all(&snapshot, "SELECT code, message, wire_id, at FROM alarm ORDER BY id", alarm)?,
        pending: pending.unsigned_abs(),
        next_due: next_due.map(Timestamp::from_millis),
    })
}

fn all<T>(conn: &Connection, sql: &str, one: fn(&Row<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
    conn.prepare(sql)?.query_map([], one)?.collect()
}

/// Grouped here, in the order of the first effect.
fn effects(conn: &Connection) -> rusqlite::Result<Vec<LedgerEffect>> {
    let mut effects: Vec<LedgerEffect> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut statement = conn.prepare("SELECT business, key_name, key, wire_id, digest FROM effect ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (business, key): (String, Key) =
            (row.get(0)?, Key::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?));
        let place = *places.entry((business.clone(), key.clone())).or_insert_with(|| {
            effects.push(LedgerEffect { business, key, count: 0, wire_ids: Vec::new(), digests: Vec::new() });
            effects.len() - 1
        });
        if let Some(effect) = effects.get_mut(place) {
            effect.count += 1;
            effect.wire_ids.push(row.get(3)?);
            effect.digests.push(row.get(4)?);
        }
    }
    Ok(effects)
}

/// Grouped here, in the order of the first arrival.
fn inbound(conn: &Connection) -> rusqlite::Result<Vec<LedgerArrival>> {
    let mut arrivals: Vec<LedgerArrival> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut statement =
        conn.prepare("SELECT wire_id, digest, sender, message_type, file_name, at, verdict FROM arrival ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (wire_id, digest): (String, String) = (row.get(0)?, row.get(1)?);
        let place = match places.entry((wire_id.clone(), digest.clone())) {
            std::collections::hash_map::Entry::Occupied(known) => *known.get(),
            std::collections::hash_map::Entry::Vacant(new) => {
                arrivals.push(LedgerArrival {
                    wire_id,
                    digest,
                    count: 0,
                    sender: row.get(2)?,
                    message_type: row.get(3)?,
                    file_name: row.get(4)?,
                    first_at: Timestamp::from_millis(row.get(5)?),
                    verdicts: Vec::new(),
                });
                *new.insert(arrivals.len() - 1)
            }
        };
        if let Some(arrival) = arrivals.get_mut(place) {
            arrival.count += 1;
            arrival.verdicts.extend(Verdict::named(&row.get::<_, String>(6)?));
        }
    }
    Ok(arrivals)
}

const RECEIPTS: &str =
    "SELECT receipt.wire_id, receipt.message_type, kind, receipt.key_name, receipt.key, arrival.wire_id,
  receipt.digest, due_at, sent_at, times_sent, must_arrive, faults, failure
  FROM receipt JOIN arrival ON arrival.id = receipt.arrival ORDER BY receipt.id";

fn receipt(row: &Row<'_>) -> rusqlite::Result<LedgerReceipt> {
    let (name, value): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    Ok(LedgerReceipt {
        wire_id: row.get(0)?,
        message_type: row.get(1)?,
        kind: row.get(2)?,
        key: name.zip(value).map(|(name, value)| Key { name, value }),
        answers: row.get(5)?,
        digest: row.get(6)?,
        due_at: Timestamp::from_millis(row.get(7)?),
        sent_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_millis),
        times_sent: row.get::<_, i64>(9)?.unsigned_abs(),
        must_arrive: row.get(10)?,
        faults: row.get::<_, String>(11)?.split_whitespace().map(str::to_owned).collect(),
        failure: row.get(12)?,
    })
}

const ATTACHMENTS: &str = "SELECT name, attachment.digest, content_digest, wire_id
  FROM attachment JOIN arrival ON arrival.id = attachment.arrival ORDER BY attachment.id";

fn attachment(row: &Row<'_>) -> rusqlite::Result<LedgerAttachment> {
    Ok(LedgerAttachment { name: row.get(0)?, digest: row.get(1)?, content_digest: row.get(2)?, wire_id: row.get(3)? })
}

const REFUSED: &str = "SELECT source_id, wire_id, sender, code, message, body_digest, at FROM refused ORDER BY id";

fn refused(row: &Row<'_>) -> rusqlite::Result<LedgerRefused> {
    Ok(LedgerRefused {
        source_id: row.get(0)?,
        wire_id: row.get(1)?,
        sender: row.get(2)?,
        code: row.get(3)?,
        message: row.get(4)?,
        digest: row.get(5)?,
        at: Timestamp::from_millis(row.get(6)?),
    })
}

fn alarm(row: &Row<'_>) -> rusqlite::Result<LedgerAlarm> {
    Ok(LedgerAlarm {
        code: row.get(0)?,
        message: row.get(1)?,
        wire_id: row.get(2)?,
        at: Timestamp::from_millis(row.get(3)?),
    })
}
