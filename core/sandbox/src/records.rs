//! What is kept of deliveries and messages, and what is asked of what was kept. All within somebody's transaction.

use crate::error;
use crate::ledger::Verdict;
use crate::open::{Message, Opened};
use kouan_sdk::business::Key;
use kouan_sdk::{Result, Timestamp};
use kouan_sm::sm3;
use rusqlite::{Connection, OptionalExtension, Params};

/// The tables, at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Records<'c> {
    pub(crate) conn: &'c Connection,
    pub(crate) at: Timestamp,
}

impl Records<'_> {
    /// Keeps a delivery; whether it was not seen before. The digest stands beside the source id, because a transport whose
    /// file was made anew begins to count anew.
    pub(crate) fn delivery(&self, opened: &Opened<'_>) -> Result<bool> {
        let row = (&opened.incoming.source_id, &opened.body_digest, self.at.millis());
        self.conn
            .prepare_cached("INSERT OR IGNORE INTO delivery VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| statement.execute(row))
            .map(|rows| rows == 1)
            .map_err(error::store("keep a delivery"))
    }

    pub(crate) fn refusal(
        &self,
        opened: &Opened<'_>,
        wire_id: Option<&str>,
        sender: Option<&str>,
        code: &str,
        message: &str,
    ) -> Result<()> {
        let (source_id, body) = (&opened.incoming.source_id, &opened.incoming.body);
        self.insert(
            "INSERT INTO refused (source_id, wire_id, sender, code, message, body_digest, body, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            (source_id, wire_id, sender, code, message, &opened.body_digest, body, self.at.millis()),
        )
        .map(drop)
    }

    /// Keeps an arrival; its row.
    pub(crate) fn arrival(&self, message: &Message<'_>, key: Option<&Key>, verdict: Verdict) -> Result<i64> {
        let (key_name, key) = key.map(|key| (&key.name, &key.value)).unzip();
        let envelope = &message.envelope;
        self.insert(
            "INSERT INTO arrival (wire_id, sender, message_type, file_name, business, key_name, key, digest, at, verdict)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            (
                &envelope.cop_msg_id,
                &envelope.sender,
                &envelope.message_type,
                &envelope.file_name,
                &message.side.business,
                key_name,
                key,
                &message.digest,
                self.at.millis(),
                verdict.name(),
            ),
        )
    }

    pub(crate) fn effect(&self, message: &Message<'_>, arrival: i64, key: &Key) -> Result<()> {
        let (business, at) = (&message.side.business, self.at.millis());
        self.insert(
            "INSERT INTO effect (arrival, business, key_name, key, wire_id, digest, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (arrival, business, &key.name, &key.value, message.wire_id(), &message.digest, at),
        )
        .map(drop)
    }

    pub(crate) fn attachment(&self, message: &Message<'_>, arrival: i64) -> Result<()> {
        let content = message.side.simulator.content(&message.arrived(self.at));
        self.insert(
            "INSERT INTO attachment (arrival, name, digest, content_digest) VALUES (?1, ?2, ?3, ?4)",
            (arrival, &message.envelope.file_name, &message.digest, hex::encode(sm3(content))),
        )
        .map(drop)
    }

    pub(crate) fn alarm(&self, code: &str, text: &str, wire_id: &str) -> Result<()> {
        tracing::error!(code, wire_id, "alarm: {text}");
        self.insert(
            "INSERT INTO alarm (code, message, wire_id, at) VALUES (?1, ?2, ?3, ?4)",
            (code, text, wire_id, self.at.millis()),
        )
        .map(drop)
    }

    /// How often a business key came.
    pub(crate) fn times_key(&self, business: &str, key: &Key) -> Result<u64> {
        self.ask(
            "SELECT count(*) FROM arrival WHERE business = ?1 AND key_name = ?2 AND key = ?3",
            (business, &key.name, &key.value),
        )
    }

    /// How often a wire id came.
    pub(crate) fn times_wire_id(&self, wire_id: &str) -> Result<u64> {
        self.ask("SELECT count(*) FROM arrival WHERE wire_id = ?1", [wire_id])
    }

    /// Whether a message with this wire id was taken in; what the window itself lost does not count.
    pub(crate) fn knows_wire_id(&self, wire_id: &str) -> Result<bool> {
        self.ask(
            "SELECT count(*) FROM arrival WHERE wire_id = ?1 AND verdict NOT IN (?2, ?3)",
            (wire_id, Verdict::Ignored.name(), Verdict::Failed.name()),
        )
        .map(|count| count > 0)
    }

    /// Whether something took effect under this repeat key; with a digest, whether this very payload did.
    pub(crate) fn knows_key(&self, business: &str, key: &Key, digest: Option<&str>) -> Result<bool> {
        self.ask(
            "SELECT count(*) FROM arrival WHERE business = ?1 AND key_name = ?2 AND key = ?3 AND verdict = ?4
             AND digest = coalesce(?5, digest)",
            (business, &key.name, &key.value, Verdict::Effect.name(), digest),
        )
        .map(|count| count > 0)
    }

    /// Another payload that came with the message's wire id.
    pub(crate) fn other_payload(&self, message: &Message<'_>) -> Result<Option<String>> {
        self.conn
            .prepare_cached("SELECT digest FROM arrival WHERE wire_id = ?1 AND digest <> ?2 LIMIT 1")
            .and_then(|mut s| s.query_row((message.wire_id(), &message.digest), |row| row.get(0)).optional())
            .map_err(error::store("look for another payload"))
    }

    fn insert(&self, sql: &str, row: impl Params) -> Result<i64> {
        let inserted = self.conn.prepare_cached(sql).and_then(|mut statement| statement.insert(row));
        inserted.map_err(error::store("keep what happened"))
    }

    fn ask(&self, sql: &str, what: impl Params) -> Result<u64> {
        let asked = self.conn.prepare_cached(sql).and_then(|mut s| s.query_row(what, |row| row.get::<_, i64>(0)));
        asked.map(i64::unsigned_abs).map_err(error::store("look for what happened"))
    }
}
