//! Tallies: how many messages, inbound and effects stand in each state. Triggers keep them in the transaction of the
//! change itself, so that counting costs the same with a million messages as with ten; a check compares them with the
//! rows.

use crate::error::Result;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// The version of the tables that brought them.
const SINCE: i64 = 3;

/// What is counted by its number: how many.
type Counted = BTreeMap<(String, i64), i64>;

/// The counts of one moment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tallies(Counted);

impl Tallies {
    /// As the triggers keep them; counted from the rows in a file that no gateway of this version has opened yet.
    pub(crate) fn read(conn: &Connection) -> Result<Self> {
        if are_kept(conn)? { kept(conn) } else { counted(conn) }
    }

    /// How many `what` have this number.
    pub(crate) fn of(&self, what: &str, number: i64) -> u64 {
        self.0.get(&(what.to_owned(), number)).map_or(0, |count| count.unsigned_abs())
    }

    /// Into a table by number.
    pub(crate) fn fill(&self, what: &str, table: &mut [u64]) {
        table.iter_mut().zip(0..).for_each(|(slot, number)| *slot = self.of(what, number));
    }
}

/// Where the tallies differ from the rows.
pub(crate) fn faults(conn: &Connection) -> Result<Vec<String>> {
    if !are_kept(conn)? {
        return Ok(Vec::new());
    }
    let (Tallies(kept), Tallies(counted)) = (kept(conn)?, counted(conn)?);
    let names: std::collections::BTreeSet<_> = kept.keys().chain(counted.keys()).collect();
    let told = |count: Option<&i64>| count.map_or("nothing".to_owned(), i64::to_string);
    let differs = names.into_iter().filter(|name| kept.get(name) != counted.get(name));
    Ok(differs
        .map(|name| {
            let (says, are) = (told(kept.get(name)), told(counted.get(name)));
            format!("the tally of {} {} says {says}, counted are {are}", name.0, name.1)
        })
        .collect())
}

fn are_kept(conn: &Connection) -> Result<bool> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(version >= SINCE)
}

fn kept(conn: &Connection) -> Result<Tallies> {
    let mut tallies = Tallies::default();
    add(conn, "SELECT what, number, count FROM tallies", &mut tallies.0)?;
    Ok(tallies)
}

fn counted(conn: &Connection) -> Result<Tallies> {
    // What has a tally even where there is none.
    let zeros = [("delivery", 0..7), ("outcome", 0..4), ("hold", 1..3), ("inbound", 0..5), ("effects", 0..1)];
    let zeros = zeros.into_iter().flat_map(|(what, numbers)| numbers.map(move |number| ((what.to_owned(), number), 0)));
    let mut tallies = Tallies(zeros.collect());
    for query in [
        "SELECT 'delivery', delivery, COUNT(*) FROM messages GROUP BY delivery",
        "SELECT 'outcome', outcome, COUNT(*) FROM messages GROUP BY outcome",
        "SELECT 'hold', hold, COUNT(*) FROM messages WHERE hold <> 0 GROUP BY hold",
        "SELECT 'inbound', state, COUNT(*) FROM inbound GROUP BY state",
        "SELECT 'effects', 0, COUNT(*) FROM effects INDEXED BY effects_pending WHERE done_at IS NULL",
    ] {
        add(conn, query, &mut tallies.0)?;
    }
    Ok(tallies)
}

fn add(conn: &Connection, query: &str, counted: &mut Counted) -> Result<()> {
    let mut statement = conn.prepare_cached(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        counted.insert((row.get(0)?, row.get(1)?), row.get(2)?);
    }
    Ok(())
}
