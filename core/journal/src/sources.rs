//! Source ids: what is one delivery, and what only bears the number of another.
//!
//! A source that is made anew (a queue file that was removed) may count from the beginning again. So the same id is the
//! same delivery only with the same bytes; with others it is something new, kept under an id derived from both.

use crate::digest::{Digest, sm3};
use crate::error::Result;
use crate::model::MessageId;
use crate::tx::{About, Tx};
use rusqlite::Connection;
use serde_json::json;
use std::borrow::Cow;

/// Other bytes came under an id that was taken.
const REUSED: &str = "KOUAN-JOURNAL-SOURCE-ID-REUSED";

/// What an id stands for.
pub(crate) enum Source<'a> {
    /// This delivery is in the journal, under this number.
    Known(i64),
    /// It is new, and goes under this id; `of` bears the id that its source gave.
    New { id: Cow<'a, str>, of: Option<i64> },
}

/// What stands under an id.
pub(crate) struct Found {
    /// Its number.
    pub(crate) number: i64,
    /// The digest of its bytes.
    pub(crate) digest: Digest,
    /// Its source holds it under this id still, so that nothing else can bear it.
    pub(crate) is_held: bool,
}

/// Looks a delivery up; `find` tells what stands under an id.
pub(crate) fn look_up<'a>(
    given: &'a str,
    bytes: &[u8],
    mut find: impl FnMut(&str) -> Result<Option<Found>>,
) -> Result<Source<'a>> {
    let (mut id, mut of, mut digest) = (Cow::Borrowed(given), None, None);
    while let Some(Found { number: known, digest: theirs, is_held }) = find(&id)? {
        let own = *digest.get_or_insert_with(|| sm3(bytes));
        if is_held || own == theirs {
            return Ok(Source::Known(known));
        }
        of.get_or_insert(known);
        // The same for the same bytes, so that this delivery, too, is known when it comes again.
        id = Cow::Owned(format!("{id}{}", suffix(&own)));
    }
    Ok(Source::New { id, of })
}

/// Leaves an event at what is new, and one alarm for its source while the first stands.
pub(crate) fn tell_reused(tx: &mut Tx<'_>, about: About, source: &str, given: &str, of: i64) -> Result<()> {
    tx.event("source_id_reused", about, json!({"code": REUSED, "given": given, "of": of}));
    tx.alarm(REUSED, &format!("{source} gives ids again with other content"), None)
}

/// The id that the source of a message itself gave: without what was derived for content of its own, or for a message
/// that supersedes another.
pub(crate) fn as_given(conn: &Connection, message: MessageId) -> Result<String> {
    let mut statement = conn.prepare_cached("SELECT source_id, body_digest, supersedes FROM messages WHERE id = ?1")?;
    let mut message = message.0;
    loop {
        let (id, digest, supersedes): (String, Digest, Option<i64>) =
            statement.query_row([message], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        match supersedes.filter(|&earlier| earlier < message) {
            Some(earlier) => message = earlier,
            None => return Ok(id.trim_end_matches(&suffix(&digest)).to_owned()),
        }
    }
}

fn suffix(digest: &Digest) -> String {
    format!("#{}", hex::encode(digest))
}
