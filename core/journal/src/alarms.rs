//! Alarms: what somebody must look at, until it is acknowledged; and the deadline for receipts.

use crate::error::{JournalError, Result};
use crate::model::{Alarm, MessageId};
use crate::parts::refresh_hold;
use crate::store::SqliteJournal;
use crate::tx::{About, Tx};
use crate::writer::Class;
use kouan_sdk::Timestamp;
use rusqlite::params;
use serde_json::json;

/// Messages marked in one commit.
const OVERDUE_BATCH: usize = 500;

impl SqliteJournal {
    /// Marks what is overdue by now (超时未回), each with an alarm; returns how many.
    pub fn mark_overdue(&self) -> Result<usize> {
        let mut all = 0;
        loop {
            let now = self.clock().now().millis();
            let due = self.read(|conn| {
                let due = "SELECT 1 FROM messages WHERE overdue_at IS NOT NULL AND overdue_at <= ?1";
                Ok(conn.prepare_cached(due)?.exists([now])?)
            })?;
            if !due {
                return Ok(all);
            }
            let marked = self.write(Class::State, 0, mark_overdue)?;
            all += marked;
            if marked < OVERDUE_BATCH {
                return Ok(all);
            }
        }
    }

    /// Raises an alarm; the same one again changes nothing while the first stands.
    pub fn raise_alarm(&self, code: &str, text: &str, message: Option<MessageId>) -> Result<()> {
        let (code, text) = (code.to_owned(), text.to_owned());
        self.write(Class::State, 0, move |tx| {
            if let Some(id) = message
                && !tx.conn.prepare_cached("SELECT 1 FROM messages WHERE id = ?1")?.exists([id.0])?
            {
                return Err(JournalError::Unknown { what: "message", id: id.0 });
            }
            tx.alarm(&code, &text, message)
        })
    }

    /// Alarms that stand, newest first.
    pub fn alarms(&self, limit: usize) -> Result<Vec<Alarm>> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, at, code, text, message FROM alarms WHERE acknowledged IS NULL ORDER BY id DESC LIMIT ?1",
            )?;
            let alarms = statement.query_map([limit as i64], |row| {
                Ok(Alarm {
                    id: row.get(0)?,
                    at: Timestamp::from_millis(row.get(1)?),
                    code: row.get(2)?,
                    text: row.get(3)?,
                    message: row.get::<_, Option<i64>>(4)?.map(MessageId),
                })
            })?;
            Ok(alarms.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Takes one alarm off, whatever it speaks of; false if it does not stand.
    pub fn acknowledge_alarm(&self, id: i64, operator: &str, reason: &str) -> Result<bool> {
        let data = json!({"alarms": [id], "operator": operator, "why": reason});
        self.write(Class::Operator, 0, move |tx| {
            let conn = tx.conn;
            let open =
                conn.prepare_cached("SELECT 1 FROM alarms WHERE id = ?1 AND acknowledged IS NULL")?.exists([id])?;
            if open {
                let seq = tx.event("alarm_acknowledged", About::nothing(), data.clone());
                conn.execute("UPDATE alarms SET acknowledged = ?2 WHERE id = ?1", params![id, seq])?;
            }
            Ok(open)
        })
    }
}

fn mark_overdue(tx: &mut Tx<'_>) -> Result<usize> {
    let conn = tx.conn;
    let mut statement = conn.prepare_cached(
        "SELECT id FROM messages WHERE overdue_at IS NOT NULL AND overdue_at <= ?1 ORDER BY overdue_at LIMIT ?2",
    )?;
    let due = statement
        .query_map(params![tx.now.millis(), OVERDUE_BATCH as i64], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    for &id in &due {
        conn.prepare_cached("UPDATE messages SET overdue = 1, overdue_at = NULL, updated_at = ?2 WHERE id = ?1")?
            .execute(params![id, tx.now.millis()])?;
        refresh_hold(conn, MessageId(id))?;
        tx.event("overdue", About::message(MessageId(id)), json!({}));
        tx.alarm("KOUAN-JOURNAL-OVERDUE", "sent, and no receipt within the deadline", Some(MessageId(id)))?;
    }
    Ok(due.len())
}
