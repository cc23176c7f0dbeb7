//! Identities that cannot sign: their messages wait at sign, and each of them says why.

use crate::error::Result;
use crate::lifecycle::{Delivery, Hold};
use crate::model::{MessageSummary, Reason};
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use rusqlite::{Connection, params};
use serde_json::json;
use std::collections::BTreeMap;

/// The version of the tables that brought them.
const SINCE: i64 = 4;

impl SqliteJournal {
    /// Notes why an identity cannot sign now, with an alarm; with `None`, that it signs (again). The same as before changes
    /// nothing.
    pub fn hold_identity(&self, identity: &str, why: Option<Reason>) -> Result<()> {
        if why == self.read(|conn| Ok(holds(conn)?.remove(identity)))? {
            return Ok(());
        }
        let identity = identity.to_owned();
        self.write(Class::State, 0, move |tx| match &why {
            Some(reason) => hold(tx, &identity, reason),
            None => lift(tx, &identity),
        })
    }
}

fn hold(tx: &mut Tx<'_>, identity: &str, reason: &Reason) -> Result<()> {
    tx.conn
        .prepare_cached("INSERT OR REPLACE INTO identity_holds (identity, code, text) VALUES (?1, ?2, ?3)")?
        .execute(params![identity, reason.code, reason.text])?;
    tx.event("identity_holds", About::nothing(), json!({"identity": identity, "reason": reason}));
    tx.alarm(&reason.code, &format!("identity {identity} cannot sign: {}", reason.text), None)
}

fn lift(tx: &mut Tx<'_>, identity: &str) -> Result<()> {
    tx.conn.prepare_cached("DELETE FROM identity_holds WHERE identity = ?1")?.execute([identity])?;
    tx.event("identity_signs", About::nothing(), json!({"identity": identity}));
    Ok(())
}

/// Identities that cannot sign, and why.
fn holds(conn: &Connection) -> Result<BTreeMap<String, Reason>> {
    // A file that no gateway of this version has opened yet can be read, too.
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version < SINCE {
        return Ok(BTreeMap::new());
    }
    let mut statement = conn.prepare_cached("SELECT identity, code, text FROM identity_holds")?;
    let holds = statement.query_map([], |row| Ok((row.get(0)?, Reason { code: row.get(1)?, text: row.get(2)? })))?;
    Ok(holds.collect::<rusqlite::Result<_>>()?)
}

/// Lets messages that wait for their turn say that their identity cannot sign. Whatever an earlier attempt met, this is
/// what keeps them now.
pub(crate) fn explain(conn: &Connection, messages: &mut [MessageSummary]) -> Result<()> {
    let waits = |m: &&mut MessageSummary| m.delivery == Delivery::Ready && m.hold != Hold::Parked;
    let mut waiting = messages.iter_mut().filter(waits).peekable();
    if waiting.peek().is_none() {
        return Ok(());
    }
    let holds = holds(conn)?;
    for message in waiting {
        if let Some(reason) = holds.get(&message.identity) {
            message.reason = Some(reason.clone());
        }
    }
    Ok(())
}
