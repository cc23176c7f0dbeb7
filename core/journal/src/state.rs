//! The digest of all that the tables say of one message or one inbound. The last event about it carries this digest, so
//! that a change in any row is found, not only one in the chain.

use crate::digest::{Digest, Hasher};
use crate::error::Result;
use rusqlite::types::ValueRef;
use rusqlite::{CachedStatement, Connection};

/// What an event can speak of as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entity {
    Message(i64),
    Inbound(i64),
}

/// Rows that belong to a message. Their bytes are covered by the digests in them.
const MESSAGE: &[&str] = &[
    "SELECT * FROM messages WHERE id = ?1",
    "SELECT * FROM parts WHERE message = ?1 ORDER BY idx",
    "SELECT * FROM keys WHERE message = ?1 ORDER BY name, value",
    "SELECT * FROM attempts WHERE message = ?1 ORDER BY id",
    "SELECT * FROM sealed WHERE message = ?1 ORDER BY id",
    "SELECT * FROM effects WHERE message = ?1 ORDER BY id",
];

/// Rows that belong to an inbound; effects of matched ones belong to their message.
const INBOUND: &[&str] = &[
    "SELECT * FROM inbound WHERE id = ?1",
    "SELECT value, name FROM unmatched_keys WHERE inbound = ?1 ORDER BY value, name",
    "SELECT * FROM effects WHERE inbound = ?1 AND message IS NULL ORDER BY id",
];

/// The digest of `entity` as the tables have it now.
pub(crate) fn digest(conn: &Connection, entity: Entity) -> Result<Digest> {
    let (queries, id) = match entity {
        Entity::Message(id) => (MESSAGE, id),
        Entity::Inbound(id) => (INBOUND, id),
    };
    let mut hasher = Hasher::new();
    for (number, query) in queries.iter().enumerate() {
        hasher.update(&[number as u8]);
        rows(conn.prepare_cached(query)?, id, &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn rows(mut statement: CachedStatement<'_>, id: i64, hasher: &mut Hasher) -> Result<()> {
    let columns = statement.column_count();
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        hasher.update(b"r");
        for column in 0..columns {
            value(row.get_ref(column)?, hasher);
        }
    }
    Ok(())
}

fn value(value: ValueRef<'_>, hasher: &mut Hasher) {
    match value {
        ValueRef::Null => hasher.update(&[0]),
        ValueRef::Integer(number) => {
            hasher.update(&[1]);
            hasher.update(&number.to_be_bytes());
        }
        ValueRef::Real(number) => {
            hasher.update(&[2]);
            hasher.update(&number.to_be_bytes());
        }
        ValueRef::Text(bytes) => sized(3, bytes, hasher),
        ValueRef::Blob(bytes) => sized(4, bytes, hasher),
    }
}

fn sized(tag: u8, bytes: &[u8], hasher: &mut Hasher) {
    hasher.update(&[tag]);
    hasher.update(&(bytes.len() as u64).to_be_bytes());
    hasher.update(bytes);
}
