//! The tables, and how an older file becomes a newer one.
//!
//! Bodies lie in tables of their own, so that lists never touch them; what is waiting is found by partial indexes, so
//! that a million finished messages cost nothing.

use crate::digest::{Digest, sm3_fields};
use crate::error::{JournalError, Result};
use rusqlite::{Connection, OptionalExtension, params};

/// `KOUA`, in the header of the file.
pub(crate) const APPLICATION_ID: i64 = 0x4b4f_5541;

/// Steps from version n to n + 1; never changed once released, only added to.
const MIGRATIONS: &[&str] = &[V1, V2, V3, V4];

/// The version that this program writes.
pub(crate) const VERSION: i64 = MIGRATIONS.len() as i64;

/// Brings the schema up to [`VERSION`] inside the caller's transaction; returns the version found.
pub(crate) fn migrate(conn: &Connection) -> Result<i64> {
    let found: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(JournalError::TooNew { found, known: VERSION });
    }
    for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        conn.execute_batch(step)?;
    }
    if found < VERSION {
        conn.pragma_update(None, "user_version", VERSION)?;
    }
    Ok(found)
}

/// Guards a single value against change: verification recomputes it.
pub(crate) fn sum(name: &str, value: &str) -> Digest {
    sm3_fields(&[name.as_bytes(), value.as_bytes()])
}

/// A setting that lives in the file.
pub(crate) fn meta(conn: &Connection, name: &str) -> Result<Option<String>> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Writes a setting.
pub(crate) fn set_meta(conn: &Connection, name: &str, value: &str) -> Result<()> {
    let mut statement = conn.prepare_cached("INSERT OR REPLACE INTO meta (name, value, sum) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![name, value, sum(name, value)])?;
    Ok(())
}

/// Version 1. Moments are milliseconds since 1970; digests are SM3, 32 bytes; lists are JSON text.
const V1: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE wire_ids (dxp_id TEXT PRIMARY KEY, last INTEGER NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID;

-- The chain.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, message INTEGER, part INTEGER, inbound INTEGER,
  data TEXT NOT NULL, hash BLOB NOT NULL
);
CREATE INDEX events_message ON events (message, seq) WHERE message IS NOT NULL;
CREATE INDEX events_inbound ON events (inbound, seq) WHERE inbound IS NOT NULL;
CREATE TABLE chain (
  id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL,
  segment INTEGER NOT NULL, segment_first INTEGER NOT NULL, segment_prev BLOB NOT NULL
);
CREATE TABLE segments (
  id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, prev_hash BLOB NOT NULL,
  hash BLOB NOT NULL, closed_at INTEGER NOT NULL, sum BLOB NOT NULL
);
CREATE TABLE heads (
  seq INTEGER PRIMARY KEY, segment INTEGER NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL,
  certificate BLOB NOT NULL, at INTEGER NOT NULL, sum BLOB NOT NULL
);

-- Messages.
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  site TEXT NOT NULL, source_id TEXT NOT NULL, file_name TEXT NOT NULL, stem TEXT NOT NULL, headers TEXT NOT NULL,
  body_digest BLOB NOT NULL, body_length INTEGER NOT NULL, bodies_dropped_at INTEGER,
  received_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  business TEXT NOT NULL DEFAULT '', message_type TEXT NOT NULL DEFAULT '', key_name TEXT, key_value TEXT,
  is_update INTEGER NOT NULL DEFAULT 0, lane TEXT NOT NULL DEFAULT '', identity TEXT NOT NULL DEFAULT '',
  report_digest BLOB, delivery INTEGER NOT NULL DEFAULT 0, outcome INTEGER NOT NULL DEFAULT 0,
  stage TEXT NOT NULL DEFAULT '', reopened INTEGER NOT NULL DEFAULT 0, hold INTEGER NOT NULL DEFAULT 0,
  parked INTEGER NOT NULL DEFAULT 0, overdue INTEGER NOT NULL DEFAULT 0, answered INTEGER NOT NULL DEFAULT 0,
  attempted INTEGER NOT NULL DEFAULT 0, disposed INTEGER NOT NULL DEFAULT 0,
  reason_code TEXT, reason_text TEXT, receipt_deadline_s INTEGER NOT NULL DEFAULT 0, sent_at INTEGER,
  overdue_at INTEGER, supersedes INTEGER, UNIQUE (site, source_id)
);
CREATE INDEX messages_received ON messages (id) WHERE delivery = 0;
CREATE INDEX messages_received_site ON messages (site, id) WHERE delivery = 0;
CREATE INDEX messages_lane ON messages (lane, id) WHERE delivery IN (2, 3, 4);
CREATE INDEX messages_overdue ON messages (overdue_at) WHERE overdue_at IS NOT NULL;
CREATE INDEX messages_delivery ON messages (delivery, id);
CREATE INDEX messages_outcome ON messages (outcome, id);
CREATE INDEX messages_business ON messages (business, id);
CREATE INDEX messages_received_at ON messages (received_at);
CREATE INDEX messages_hold ON messages (hold, id) WHERE hold <> 0;
CREATE INDEX messages_stem ON messages (stem, id);
CREATE INDEX messages_file_name ON messages (file_name, id);
CREATE INDEX messages_digest ON messages (body_digest, id);
CREATE INDEX messages_supersedes ON messages (supersedes) WHERE supersedes IS NOT NULL;
CREATE INDEX messages_retention ON messages (updated_at) WHERE bodies_dropped_at IS NULL;
CREATE TABLE bodies (message INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE reports (message INTEGER PRIMARY KEY, report TEXT NOT NULL);
CREATE TABLE keys (
  message INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, learned INTEGER NOT NULL,
  PRIMARY KEY (message, name, value)
) WITHOUT ROWID;
CREATE INDEX keys_value ON keys (value, name, message);

-- Parts, attempts, sealed bytes.
CREATE TABLE parts (
  id INTEGER PRIMARY KEY, message INTEGER NOT NULL, idx INTEGER NOT NULL, name TEXT NOT NULL,
  message_type TEXT NOT NULL, receivers TEXT NOT NULL, file_name TEXT NOT NULL, biz_keys TEXT NOT NULL,
  preceding TEXT NOT NULL, expects_receipt INTEGER NOT NULL, wire_id TEXT NOT NULL UNIQUE,
  payload_kind INTEGER NOT NULL, waits_for TEXT, payload_digest BLOB, payload_length INTEGER NOT NULL DEFAULT 0,
  delivery INTEGER NOT NULL, parked INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
  unresolved INTEGER NOT NULL DEFAULT 0, doubted INTEGER NOT NULL DEFAULT 0, blocked INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL DEFAULT 0, reason_code TEXT, reason_text TEXT, sealed INTEGER, attempt INTEGER,
  UNIQUE (message, idx)
);
CREATE INDEX parts_due ON parts (message, idx) WHERE delivery IN (2, 4) AND parked = 0 AND blocked = 0;
CREATE INDEX parts_next ON parts (next_at) WHERE delivery IN (2, 4) AND parked = 0 AND blocked = 0;
CREATE INDEX parts_in_doubt ON parts (id) WHERE delivery = 4;
CREATE TABLE payloads (part INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE sealed (
  id INTEGER PRIMARY KEY, message INTEGER NOT NULL, part INTEGER NOT NULL, digest BLOB NOT NULL,
  length INTEGER NOT NULL, certificate_serial TEXT NOT NULL
);
CREATE INDEX sealed_message ON sealed (message, id);
CREATE INDEX sealed_part ON sealed (part, digest);
CREATE TABLE sealed_bytes (sealed INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE attempts (
  id INTEGER PRIMARY KEY, message INTEGER NOT NULL, part INTEGER NOT NULL, number INTEGER NOT NULL,
  sealed INTEGER NOT NULL, begun_at INTEGER NOT NULL, ended_at INTEGER, ended TEXT, reason_code TEXT, reason_text TEXT
);
CREATE INDEX attempts_message ON attempts (message, id);
CREATE INDEX attempts_open ON attempts (id) WHERE ended_at IS NULL;

-- Inbound: state 0 received, 1 unmatched, 2 matched, 3 quarantined, 4 repeated.
CREATE TABLE inbound (
  id INTEGER PRIMARY KEY, source_id TEXT NOT NULL UNIQUE, headers TEXT NOT NULL, received_at INTEGER NOT NULL,
  raw_digest BLOB NOT NULL, raw_length INTEGER NOT NULL, bytes_dropped_at INTEGER, state INTEGER NOT NULL DEFAULT 0,
  opened_at INTEGER, wire_id TEXT, sender TEXT, receiver TEXT, business TEXT NOT NULL DEFAULT '', receipt TEXT,
  payload_kind INTEGER NOT NULL DEFAULT 0, payload_digest BLOB, answers_file TEXT, message INTEGER,
  rank INTEGER NOT NULL DEFAULT 0, noticed_at INTEGER, outcome INTEGER NOT NULL DEFAULT 0,
  stage TEXT NOT NULL DEFAULT '', reopens INTEGER NOT NULL DEFAULT 0, counts_as_yes INTEGER NOT NULL DEFAULT 0,
  file_name TEXT, delivered_at INTEGER, reason_code TEXT, reason_text TEXT
);
CREATE INDEX inbound_unopened ON inbound (id) WHERE state = 0;
CREATE INDEX inbound_unmatched ON inbound (id) WHERE state = 1;
CREATE INDEX inbound_quarantined ON inbound (id) WHERE state = 3;
CREATE INDEX inbound_state ON inbound (state);
CREATE INDEX inbound_wire_id ON inbound (wire_id, payload_digest) WHERE wire_id IS NOT NULL;
CREATE INDEX inbound_message ON inbound (message, rank, noticed_at) WHERE message IS NOT NULL;
CREATE INDEX inbound_retention ON inbound (received_at) WHERE bytes_dropped_at IS NULL;
CREATE TABLE inbound_bytes (inbound INTEGER PRIMARY KEY, raw BLOB NOT NULL, payload BLOB);
CREATE TABLE unmatched_keys (
  value TEXT NOT NULL, name TEXT NOT NULL, inbound INTEGER NOT NULL, PRIMARY KEY (value, name, inbound)
) WITHOUT ROWID;

-- Effects at sites: kind 0 deliver, 1 dispose; body 0 its own bytes, 1 the inbound's payload, 2 the message's body.
CREATE TABLE effects (
  id INTEGER PRIMARY KEY, site TEXT NOT NULL, message INTEGER, inbound INTEGER, kind INTEGER NOT NULL,
  delivery_id TEXT NOT NULL DEFAULT '', headers TEXT NOT NULL DEFAULT '[]', body INTEGER NOT NULL,
  body_digest BLOB NOT NULL, ending INTEGER, at INTEGER NOT NULL, verdict TEXT, tries INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL DEFAULT 0, done_at INTEGER, reason_code TEXT, reason_text TEXT
);
CREATE INDEX effects_pending ON effects (site, id) WHERE done_at IS NULL;
CREATE INDEX effects_pending_message ON effects (message, id) WHERE done_at IS NULL;
CREATE INDEX effects_message ON effects (message, id) WHERE message IS NOT NULL;
CREATE INDEX effects_inbound ON effects (inbound, id) WHERE inbound IS NOT NULL;
CREATE TABLE effect_bytes (effect INTEGER PRIMARY KEY, bytes BLOB NOT NULL);

-- Alarms carry the number of their event; `acknowledged` is the number of the acknowledging one.
CREATE TABLE alarms (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL, message INTEGER,
  acknowledged INTEGER
);
CREATE INDEX alarms_open ON alarms (id) WHERE acknowledged IS NULL;
CREATE INDEX alarms_open_message ON alarms (message, code) WHERE acknowledged IS NULL;
";

/// Version 2. Of what has lost its last event with a dropped segment: the digest that this event carried.
const V2: &str = "
CREATE TABLE kept_states (entity TEXT PRIMARY KEY, state TEXT NOT NULL, sum BLOB NOT NULL) WITHOUT ROWID;
";

/// Version 3. How many stand in each state, kept by triggers: see [`crate::tallies`]. Nothing is ever deleted from these
/// three tables.
const V3: &str = "
CREATE TABLE tallies (
  what TEXT NOT NULL, number INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (what, number)
) WITHOUT ROWID;
INSERT INTO tallies VALUES
  ('delivery', 0, 0), ('delivery', 1, 0), ('delivery', 2, 0), ('delivery', 3, 0), ('delivery', 4, 0), ('delivery', 5, 0),
  ('delivery', 6, 0), ('outcome', 0, 0), ('outcome', 1, 0), ('outcome', 2, 0), ('outcome', 3, 0), ('hold', 1, 0),
  ('hold', 2, 0), ('inbound', 0, 0), ('inbound', 1, 0), ('inbound', 2, 0), ('inbound', 3, 0), ('inbound', 4, 0),
  ('effects', 0, 0);
UPDATE tallies SET count = (SELECT COUNT(*) FROM messages WHERE delivery = number) WHERE what = 'delivery';
UPDATE tallies SET count = (SELECT COUNT(*) FROM messages WHERE outcome = number) WHERE what = 'outcome';
UPDATE tallies SET count = (SELECT COUNT(*) FROM messages WHERE hold <> 0 AND hold = number) WHERE what = 'hold';
UPDATE tallies SET count = (SELECT COUNT(*) FROM inbound WHERE state = number) WHERE what = 'inbound';
UPDATE tallies SET count = (SELECT COUNT(*) FROM effects WHERE done_at IS NULL) WHERE what = 'effects';

CREATE TRIGGER tally_message AFTER INSERT ON messages BEGIN
  UPDATE tallies SET count = count + 1 WHERE what = 'delivery' AND number = NEW.delivery;
  UPDATE tallies SET count = count + 1 WHERE what = 'outcome' AND number = NEW.outcome;
  UPDATE tallies SET count = count + 1 WHERE what = 'hold' AND number = NEW.hold;
END;
CREATE TRIGGER tally_delivery AFTER UPDATE OF delivery ON messages WHEN OLD.delivery <> NEW.delivery BEGIN
  UPDATE tallies SET count = count + CASE number WHEN NEW.delivery THEN 1 ELSE -1 END
  WHERE what = 'delivery' AND number IN (OLD.delivery, NEW.delivery);
END;
CREATE TRIGGER tally_outcome AFTER UPDATE OF outcome ON messages WHEN OLD.outcome <> NEW.outcome BEGIN
  UPDATE tallies SET count = count + CASE number WHEN NEW.outcome THEN 1 ELSE -1 END
  WHERE what = 'outcome' AND number IN (OLD.outcome, NEW.outcome);
END;
CREATE TRIGGER tally_hold AFTER UPDATE OF hold ON messages WHEN OLD.hold <> NEW.hold BEGIN
  UPDATE tallies SET count = count + CASE number WHEN NEW.hold THEN 1 ELSE -1 END
  WHERE what = 'hold' AND number IN (OLD.hold, NEW.hold);
END;
CREATE TRIGGER tally_inbound AFTER INSERT ON inbound BEGIN
  UPDATE tallies SET count = count + 1 WHERE what = 'inbound' AND number = NEW.state;
END;
CREATE TRIGGER tally_state AFTER UPDATE OF state ON inbound WHEN OLD.state <> NEW.state BEGIN
  UPDATE tallies SET count = count + CASE number WHEN NEW.state THEN 1 ELSE -1 END
  WHERE what = 'inbound' AND number IN (OLD.state, NEW.state);
END;
CREATE TRIGGER tally_effect AFTER INSERT ON effects WHEN NEW.done_at IS NULL BEGIN
  UPDATE tallies SET count = count + 1 WHERE what = 'effects' AND number = 0;
END;
CREATE TRIGGER tally_done AFTER UPDATE OF done_at ON effects WHEN (OLD.done_at IS NULL) <> (NEW.done_at IS NULL) BEGIN
  UPDATE tallies SET count = count + CASE WHEN NEW.done_at IS NULL THEN 1 ELSE -1 END
  WHERE what = 'effects' AND number = 0;
END;
";

/// Version 4. One index for all lists that ask for states: see [`crate::lists`]; and identities that cannot sign.
const V4: &str = "
DROP INDEX messages_delivery;
DROP INDEX messages_outcome;
DROP INDEX messages_business;
DROP INDEX messages_hold;
CREATE INDEX messages_states ON messages (business, delivery, outcome, hold, received_at);
CREATE TABLE identity_holds (identity TEXT PRIMARY KEY, code TEXT NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;
";
