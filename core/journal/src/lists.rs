//! Lists of messages, newest first: by the moment of receipt, then by number.
//!
//! One index holds all messages sorted by business, delivery, outcome, hold and moment. Messages that agree in the first
//! four are a group; there are only as many groups as states that occur. Whatever is asked for, the groups that fit are
//! read from their newest end and merged, so that a list costs the same however many messages do not fit.

use crate::error::Result;
use crate::identities;
use crate::lifecycle::{Delivery, Hold};
use crate::matching::outcome_of;
use crate::model::{Filter, MessageId, MessageSummary};
use crate::store::SqliteJournal;
use crate::tx::reason;
use kouan_sdk::Timestamp;
use kouan_sdk::business::Key;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

/// The columns that [`summary`] reads.
pub(crate) const SUMMARY: &str = "m.id, m.site, m.file_name, m.business, m.message_type, m.key_name, m.key_value, \
     m.identity, m.delivery, m.outcome, m.stage, m.hold, m.reason_code, m.reason_text, m.received_at, m.updated_at";

/// Lines of a list, when nothing is said.
const DEFAULT_LIMIT: usize = 100;

/// The version of the tables that brought the index.
const SINCE: i64 = 4;

impl SqliteJournal {
    /// Messages that fit, newest first: by the moment of receipt, then by number.
    pub fn list(&self, filter: &Filter) -> Result<Vec<MessageSummary>> {
        self.read(|conn| {
            let Some(range) = Range::of(conn, filter)? else { return Ok(Vec::new()) };
            let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
            let mut found = if filter.key.is_none() && asks_state(filter) && has_index(conn)? {
                merged(conn, filter, &range, limit)?
            } else {
                sorted(conn, filter, &range, limit)?
            };
            identities::explain(conn, &mut found)?;
            Ok(found)
        })
    }
}

fn asks_state(filter: &Filter) -> bool {
    filter.delivery.is_some() || filter.outcome.is_some() || filter.hold.is_some() || filter.business.is_some()
}

/// A file that no gateway of this version has opened yet can be read, too.
fn has_index(conn: &Connection) -> Result<bool> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(version >= SINCE)
}

/// Where a list begins and ends: from `since` on, and before the message `before` of the moment `last`.
struct Range {
    since: i64,
    last: i64,
    before: i64,
}

impl Range {
    /// `None` if it holds nothing: the line before the page is not there.
    fn of(conn: &Connection, filter: &Filter) -> Result<Option<Self>> {
        let since = filter.since.map_or(i64::MIN, Timestamp::millis);
        // The last moment that is wanted, whole.
        let until = filter.until.map_or(i64::MAX, |until| until.millis().saturating_sub(1));
        let Some(MessageId(before)) = filter.before else {
            return Ok(Some(Self { since, last: until, before: i64::MAX }));
        };
        let mut statement = conn.prepare_cached("SELECT received_at FROM messages WHERE id = ?1")?;
        let line: Option<i64> = statement.query_row([before], |row| row.get(0)).optional()?;
        Ok(line.map(|at| match until < at {
            true => Self { since, last: until, before: i64::MAX },
            false => Self { since, last: at, before },
        }))
    }
}

/// Messages that agree in all states.
pub(crate) struct Group {
    business: String,
    pub(crate) delivery: i64,
    outcome: i64,
    hold: i64,
}

impl Group {
    fn fits(&self, filter: &Filter) -> bool {
        filter.business.as_ref().is_none_or(|wanted| *wanted == self.business)
            && filter.delivery.is_none_or(|wanted| wanted.number() == self.delivery)
            && filter.outcome.is_none_or(|wanted| wanted as i64 == self.outcome)
            && filter.hold.is_none_or(|wanted| wanted as i64 == self.hold)
    }

    /// Moments and numbers of its newest messages in the range.
    fn newest(&self, conn: &Connection, range: &Range, limit: usize, found: &mut Vec<(i64, i64)>) -> Result<()> {
        let mut statement = conn.prepare_cached(
            "SELECT received_at, id FROM messages INDEXED BY messages_states WHERE business = ?1 AND delivery = ?2 \
             AND outcome = ?3 AND hold = ?4 AND received_at BETWEEN ?5 AND ?6 AND (received_at < ?6 OR id < ?7) \
             ORDER BY received_at DESC, id DESC LIMIT ?8",
        )?;
        let (states, limit) = ((self.delivery, self.outcome, self.hold), limit as i64);
        let values = params![self.business, states.0, states.1, states.2, range.since, range.last, range.before, limit];
        for line in statement.query_map(values, |row| Ok((row.get(0)?, row.get(1)?)))? {
            found.push(line?);
        }
        Ok(())
    }

    /// When its oldest message came.
    fn oldest(&self, conn: &Connection) -> Result<Option<i64>> {
        let mut statement = conn.prepare_cached(
            "SELECT MIN(received_at) FROM messages INDEXED BY messages_states \
             WHERE business = ?1 AND delivery = ?2 AND outcome = ?3 AND hold = ?4",
        )?;
        let values = params![self.business, self.delivery, self.outcome, self.hold];
        Ok(statement.query_row(values, |row| row.get(0))?)
    }
}

/// All groups that occur, by leaps from one to the next.
fn groups(conn: &Connection) -> Result<Vec<Group>> {
    // SQLite seeks to what is equal or greater: with the last moment of all, that is the end of the group before.
    let mut statement = conn.prepare_cached(
        "SELECT business, delivery, outcome, hold FROM messages INDEXED BY messages_states \
         WHERE (business, delivery, outcome, hold, received_at) > (?1, ?2, ?3, ?4, ?5) \
         ORDER BY business, delivery, outcome, hold, received_at LIMIT 1",
    )?;
    let mut found: Vec<Group> = Vec::new();
    loop {
        let last = found.last().map_or(("", -1, -1, -1), |g| (g.business.as_str(), g.delivery, g.outcome, g.hold));
        let next = statement
            .query_row(params![last.0, last.1, last.2, last.3, i64::MAX], |row| {
                Ok(Group { business: row.get(0)?, delivery: row.get(1)?, outcome: row.get(2)?, hold: row.get(3)? })
            })
            .optional()?;
        match next {
            Some(group) => found.push(group),
            None => return Ok(found),
        }
    }
}

/// When the oldest message came that waits for its turn.
pub(crate) fn oldest_waiting(conn: &Connection) -> Result<Option<Timestamp>> {
    let mut oldest: Option<i64> = None;
    if has_index(conn)? {
        let waits = |group: &Group| Delivery::from_number(group.delivery).is_some_and(Delivery::is_live);
        for group in groups(conn)?.iter().filter(|group| waits(group)) {
            let its = group.oldest(conn)?;
            oldest = oldest.into_iter().chain(its).min();
        }
    } else {
        let query = "SELECT MIN(received_at) FROM messages WHERE delivery IN (0, 2, 3, 4)";
        oldest = conn.query_row(query, [], |row| row.get(0))?;
    }
    Ok(oldest.map(Timestamp::from_millis))
}

/// The newest of all groups that fit.
fn merged(conn: &Connection, filter: &Filter, range: &Range, limit: usize) -> Result<Vec<MessageSummary>> {
    let mut found = Vec::new();
    for group in groups(conn)?.iter().filter(|group| group.fits(filter)) {
        group.newest(conn, range, limit, &mut found)?;
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.truncate(limit);
    let mut statement = conn.prepare_cached(&format!("SELECT {SUMMARY} FROM messages m WHERE m.id = ?1"))?;
    let lines = found.into_iter().map(|(_, id)| statement.query_row([id], summary));
    Ok(lines.collect::<rusqlite::Result<_>>()?)
}

/// What a key names, sorted; or whatever is in the range, along the index on time.
fn sorted(conn: &Connection, filter: &Filter, range: &Range, limit: usize) -> Result<Vec<MessageSummary>> {
    let mut conditions = vec!["m.received_at BETWEEN ?1 AND ?2 AND (m.received_at < ?2 OR m.id < ?3)".to_owned()];
    let mut values: Vec<Value> = vec![range.since.into(), range.last.into(), range.before.into()];
    let mut add = |condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace("{}", &format!("?{}", values.len())));
    };
    if let Some(key) = &filter.key {
        let any = "m.id IN (SELECT message FROM keys WHERE value = {} UNION SELECT id FROM messages WHERE stem = {} \
                   UNION SELECT id FROM messages WHERE file_name = {} \
                   UNION SELECT message FROM parts WHERE wire_id = {})";
        add(any, key.clone().into());
    }
    if let Some(delivery) = filter.delivery {
        add("+m.delivery = {}", delivery.number().into());
    }
    if let Some(outcome) = filter.outcome {
        add("+m.outcome = {}", (outcome as i64).into());
    }
    if let Some(hold) = filter.hold {
        add("+m.hold = {}", (hold as i64).into());
    }
    if let Some(business) = &filter.business {
        add("+m.business = {}", business.clone().into());
    }
    let by = if filter.key.is_some() { "NOT INDEXED" } else { "INDEXED BY messages_received_at" };
    let all = conditions.join(" AND ");
    let order = "m.received_at DESC, m.id DESC";
    let query = format!("SELECT {SUMMARY} FROM messages m {by} WHERE {all} ORDER BY {order} LIMIT {limit}");
    let mut statement = conn.prepare_cached(&query)?;
    let lines = statement.query_map(params_from_iter(values), summary)?;
    Ok(lines.collect::<rusqlite::Result<_>>()?)
}

/// A line from the columns of [`SUMMARY`].
pub(crate) fn summary(row: &Row<'_>) -> rusqlite::Result<MessageSummary> {
    let key = match (row.get::<_, Option<String>>(5)?, row.get::<_, Option<String>>(6)?) {
        (Some(name), Some(value)) => Some(Key { name, value }),
        _ => None,
    };
    let number: i64 = row.get(8)?;
    Ok(MessageSummary {
        id: MessageId(row.get(0)?),
        site: row.get(1)?,
        file_name: row.get(2)?,
        business: row.get(3)?,
        message_type: row.get(4)?,
        business_key: key,
        identity: row.get(7)?,
        delivery: Delivery::from_number(number).ok_or(rusqlite::Error::IntegralValueOutOfRange(8, number))?,
        outcome: outcome_of(row.get(9)?),
        stage: row.get(10)?,
        hold: match row.get(11)? {
            1 => Hold::Parked,
            2 => Hold::Overdue,
            _ => Hold::None,
        },
        reason: reason(row.get(12)?, row.get(13)?),
        received_at: Timestamp::from_millis(row.get(14)?),
        updated_at: Timestamp::from_millis(row.get(15)?),
    })
}
