//! One operation inside the writer's transaction: the connection, the moment, and the events it leaves behind.

use crate::chain::{Chain, NewEvent};
use crate::digest::Digest;
use crate::error::Result;
use crate::model::{InboundId, MessageId, PartId, Reason};
use crate::state::{self, Entity};
use crate::wire_ids::WireIds;
use kouan_sdk::Timestamp;
use rusqlite::{Connection, params};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What the journal knows of the sites.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sites {
    /// Gets what belongs to nobody; empty = none.
    pub(crate) default_site: String,
    /// Those that show the ends of messages.
    pub(crate) disposing: Vec<String>,
}

/// What an event speaks of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About {
    message: Option<MessageId>,
    part: Option<PartId>,
    inbound: Option<InboundId>,
}

impl About {
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn message(id: MessageId) -> Self {
        Self { message: Some(id), ..Self::default() }
    }

    pub(crate) fn inbound(id: InboundId) -> Self {
        Self { inbound: Some(id), ..Self::default() }
    }

    pub(crate) fn with_part(self, id: PartId) -> Self {
        Self { part: Some(id), ..self }
    }

    pub(crate) fn with_inbound(self, id: InboundId) -> Self {
        Self { inbound: Some(id), ..self }
    }

    pub(crate) fn or_message(self, id: Option<MessageId>) -> Self {
        Self { message: id, ..self }
    }
}

struct Pending {
    kind: String,
    about: About,
    data: Map<String, Value>,
}

/// One operation at work.
pub(crate) struct Tx<'c> {
    pub(crate) conn: &'c Connection,
    pub(crate) now: Timestamp,
    pub(crate) sites: &'c Sites,
    /// `None` in a handle for operators, which never plans.
    pub(crate) wire_ids: Option<&'c mut WireIds>,
    pub(crate) chain: Chain,
    /// The operation wants its answer, not its effect.
    pub(crate) dry_run: bool,
    segment_events: i64,
    pending: Vec<Pending>,
    touched: BTreeSet<Entity>,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(
        conn: &'c Connection,
        now: Timestamp,
        sites: &'c Sites,
        wire_ids: Option<&'c mut WireIds>,
        chain: Chain,
        segment_events: i64,
    ) -> Self {
        let (pending, touched) = (Vec::new(), BTreeSet::new());
        Self { conn, now, sites, wire_ids, chain, dry_run: false, segment_events, pending, touched }
    }

    /// Notes an event; it enters the chain when the operation ends. Returns the number it will have.
    pub(crate) fn event(&mut self, kind: &str, about: About, data: Value) -> i64 {
        let mut data = match data {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            other => Map::from_iter([("value".to_owned(), other)]),
        };
        if let Some(message) = about.message {
            self.touch(Entity::Message(message.0));
        }
        if let Some(inbound) = about.inbound {
            self.touch(Entity::Inbound(inbound.0));
            data.insert("inbound".to_owned(), inbound.0.into());
        }
        self.pending.push(Pending { kind: kind.to_owned(), about, data });
        self.chain.seq + self.pending.len() as i64
    }

    /// Something of `entity` changes, whether an event says so or not.
    pub(crate) fn touch(&mut self, entity: Entity) {
        self.touched.insert(entity);
    }

    /// Puts the events into the chain; the last about each entity carries the digest of its rows.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let mut last = BTreeMap::new();
        for (place, Pending { about, .. }) in self.pending.iter().enumerate() {
            let entities = about.message.map(|id| Entity::Message(id.0)).into_iter();
            last.extend(entities.chain(about.inbound.map(|id| Entity::Inbound(id.0))).map(|entity| (entity, place)));
        }
        for entity in std::mem::take(&mut self.touched) {
            let digest = state::digest(self.conn, entity)?;
            self.attach(entity, &digest, last.get(&entity).copied());
        }
        for pending in std::mem::take(&mut self.pending) {
            let event = NewEvent {
                at: self.now.millis(),
                kind: pending.kind,
                message: pending.about.message.map(|id| id.0),
                part: pending.about.part.map(|id| id.0),
                inbound: pending.about.inbound.map(|id| id.0),
                data: Value::Object(pending.data).to_string(),
            };
            self.chain.append(self.conn, &event)?;
            if self.chain.seq - self.chain.segment_first + 1 >= self.segment_events {
                let (seq, hash) = (self.chain.seq, self.chain.hash);
                self.chain.close_segment(self.conn, seq, hash, self.now.millis())?;
            }
        }
        Ok(())
    }

    fn attach(&mut self, entity: Entity, digest: &Digest, last: Option<usize>) {
        let (name, about) = match entity {
            Entity::Message(id) => ("state", About::message(MessageId(id))),
            Entity::Inbound(id) => ("inbound_state", About::inbound(InboundId(id))),
        };
        let state = || Value::from(hex::encode(digest));
        if let Some(pending) = last.and_then(|last| self.pending.get_mut(last)) {
            pending.data.insert(name.to_owned(), state());
            return;
        }
        let mut data = Map::from_iter([(name.to_owned(), state())]);
        if let Entity::Inbound(id) = entity {
            data.insert("inbound".to_owned(), id.into());
        }
        self.pending.push(Pending { kind: "changed".to_owned(), about, data });
    }

    /// Raises an alarm, unless the same one stands already.
    pub(crate) fn alarm(&mut self, code: &str, text: &str, message: Option<MessageId>) -> Result<()> {
        let conn = self.conn;
        let stands = conn
            .prepare_cached(
                "SELECT 1 FROM alarms WHERE acknowledged IS NULL AND message IS ?1 AND code = ?2 AND text = ?3",
            )?
            .exists(params![message.map(|id| id.0), code, text])?;
        if stands {
            return Ok(());
        }
        let data = serde_json::json!({"code": code, "text": text});
        let seq = self.event("alarm", About::nothing().or_message(message), data);
        conn.prepare_cached("INSERT INTO alarms (id, at, code, text, message) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![seq, self.now.millis(), code, text, message.map(|id| id.0)])?;
        Ok(())
    }

    /// Takes the open alarms of a message off: all, or those of one code. Returns how many.
    pub(crate) fn acknowledge(&mut self, message: MessageId, code: Option<&str>, mut data: Value) -> Result<usize> {
        let conn = self.conn;
        let open = conn
            .prepare_cached(
                "SELECT id FROM alarms WHERE acknowledged IS NULL AND message = ?1 AND (?2 IS NULL OR code = ?2) ORDER BY id",
            )?
            .query_map(params![message.0, code], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()?;
        if open.is_empty() {
            return Ok(0);
        }
        data["alarms"] = serde_json::json!(open);
        let seq = self.event("alarm_acknowledged", About::message(message), data);
        for id in &open {
            conn.prepare_cached("UPDATE alarms SET acknowledged = ?2 WHERE id = ?1")?.execute(params![id, seq])?;
        }
        Ok(open.len())
    }
}

/// A reason from its two columns.
pub(crate) fn reason(code: Option<String>, text: Option<String>) -> Option<Reason> {
    match (code, text) {
        (None, None) => None,
        (code, text) => Some(Reason { code: code.unwrap_or_default(), text: text.unwrap_or_default() }),
    }
}
