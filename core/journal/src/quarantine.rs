//! Quarantine (隔离): what could not be verified or decrypted is kept back, and tried again when an operator says so or once
//! the keys are others.

use crate::error::Result;
use crate::model::{InboundId, Matched, Reason};
use crate::parts::columns;
use crate::schema::{meta, set_meta};
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use rusqlite::params;
use serde_json::{Value, json};

/// The setting that says under which keys all of it was tried.
const TRIED_UNDER: &str = "quarantine_tried_under";

impl SqliteJournal {
    /// Puts quarantined inbound whose reason's code begins with one of `codes` back among those to be opened, if it was
    /// tried last under other keys than `keys` (any text that changes with them); returns how many. The keys are noted in
    /// the same commit, so that each change leads to one more try.
    pub fn retry_quarantine_under(&self, keys: &str, codes: &[&str]) -> Result<usize> {
        let keys = keys.to_owned();
        let codes: Vec<String> = codes.iter().map(|&code| code.to_owned()).collect();
        self.write(Class::State, 0, move |tx| {
            if meta(tx.conn, TRIED_UNDER)?.as_deref() == Some(&keys) {
                return Ok(0);
            }
            set_meta(tx.conn, TRIED_UNDER, &keys)?;
            let mended = |code: &str| codes.iter().any(|begins| code.starts_with(begins.as_str()));
            release(tx, &json!({"why": "trust or keys changed", "keys": keys}), mended)
        })
    }
}

/// Keeps an inbound back.
pub(crate) fn keep_back(tx: &mut Tx<'_>, id: InboundId, reason: &Reason) -> Result<Matched> {
    let (code, text) = columns(Some(reason));
    tx.conn
        .prepare_cached(
            "UPDATE inbound SET state = 3, opened_at = ?2, reason_code = ?3, reason_text = ?4 WHERE id = ?1",
        )?
        .execute(params![id.0, tx.now.millis(), code, text])?;
    tx.event("quarantined", About::inbound(id), json!({"reason": reason}));
    Ok(Matched::Quarantined)
}

/// Puts quarantined inbound back among those to be opened, where the code of its reason is `meant`.
pub(crate) fn release(tx: &mut Tx<'_>, data: &Value, meant: impl Fn(&str) -> bool) -> Result<usize> {
    let conn = tx.conn;
    let mut ids = conn
        .prepare_cached(
            "SELECT id, reason_code FROM inbound INDEXED BY inbound_quarantined WHERE state = 3 ORDER BY id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?)))?
        .collect::<rusqlite::Result<Vec<(i64, _)>>>()?;
    ids.retain(|(_, code)| meant(code.as_deref().unwrap_or_default()));
    for (id, _) in &ids {
        conn.prepare_cached("UPDATE inbound SET state = 0, opened_at = NULL WHERE id = ?1")?.execute([id])?;
        tx.event("quarantine_retried", About::inbound(InboundId(*id)), data.clone());
    }
    Ok(ids.len())
}
