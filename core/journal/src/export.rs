//! The chain as JSON lines, and their verification without the journal's file.

use crate::chain::{Chain, EVENT_COLUMNS, Head, Segment, read_event};
use crate::digest::{Digest, ZERO};
use crate::error::{JournalError, Result};
use crate::evidence::{SignatureCheck, SignedHead, Verification, Walk};
use crate::model::Event;
use crate::store::SqliteJournal;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};

/// One line of an export.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Journal { id: String, environment: String },
    Segment { id: i64, first_seq: i64, last_seq: i64, prev_hash: String, hash: String, closed_at: i64, sum: String },
    Event(Event),
    Head(SignedHead),
    End { seq: i64, hash: String, segments: u64, heads: u64 },
}

impl SqliteJournal {
    /// Writes the chain as JSON lines: the journal's name, segments, events, signed heads with their certificates, and the
    /// end. [`verify_export`] verifies it without this file.
    pub fn export(&self, out: &mut dyn Write) -> Result<()> {
        self.read(|conn| {
            let setting = |name| crate::schema::meta(conn, name).map(Option::unwrap_or_default);
            write_line(out, &Line::Journal { id: setting("journal_id")?, environment: setting("environment")? })?;
            let segments = write_segments(conn, out)?;
            let mut statement = conn.prepare(&format!("SELECT {EVENT_COLUMNS} FROM events ORDER BY seq"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                write_line(out, &Line::Event(read_event(row)?))?;
            }
            let mut statement = conn.prepare(&format!("SELECT {} FROM heads ORDER BY seq", Head::COLUMNS))?;
            let mut rows = statement.query([])?;
            let mut heads = 0;
            while let Some(row) = rows.next()? {
                write_line(out, &Line::Head(SignedHead::from(&Head::read(row)?.0)))?;
                heads += 1;
            }
            let chain = Chain::read(conn)?;
            write_line(out, &Line::End { seq: chain.seq, hash: hex::encode(chain.hash), segments, heads })?;
            out.flush().map_err(|e| JournalError::io("write the export", &e))
        })
    }
}

fn write_segments(conn: &Connection, out: &mut dyn Write) -> Result<u64> {
    let mut statement = conn.prepare(&format!("SELECT {} FROM segments ORDER BY id", Segment::COLUMNS))?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let segment = Segment::read(row)?.0;
        let line = Line::Segment {
            id: segment.id,
            first_seq: segment.first_seq,
            last_seq: segment.last_seq,
            prev_hash: hex::encode(segment.prev_hash),
            hash: hex::encode(segment.hash),
            closed_at: segment.closed_at,
            sum: hex::encode(segment.sum()),
        };
        write_line(out, &line)?;
        count += 1;
    }
    Ok(count)
}

fn write_line(out: &mut dyn Write, line: &Line) -> Result<()> {
    let text = serde_json::to_string(line)?;
    writeln!(out, "{text}").map_err(|e| JournalError::io("write the export", &e))
}

/// What was read of an export so far.
#[derive(Default)]
struct Reading {
    report: Verification,
    origin: Option<(String, String)>,
    segments: Vec<Segment>,
    /// Hashes that somebody signed or that a segment ends in; the events fill them in as they pass.
    hashes: BTreeMap<i64, String>,
    /// What the events say of signed heads: number → sum.
    recorded: BTreeMap<i64, String>,
    heads: BTreeMap<i64, SignedHead>,
    walk: Option<Walk>,
    ended: bool,
}

/// Verifies an export: every hash, gaps, segments, heads and their signatures, and that the end is there.
pub fn verify_export(from: &mut dyn BufRead, signature: &mut SignatureCheck<'_>) -> Result<Verification> {
    let mut reading = Reading::default();
    for (number, text) in from.lines().enumerate() {
        let number = number + 1;
        let text = match text {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => "?".to_owned(),
            Err(error) => return Err(JournalError::io("read the export", &error)),
        };
        if reading.ended {
            reading.report.fault(None, None, format!("line {number} stands after the end"));
        }
        match serde_json::from_str::<Line>(&text) {
            // Exactly as it is written here: nothing added, left out or spelt in another way.
            Ok(line) if serde_json::to_string(&line)? == text => reading.line(line, number, signature),
            _ => reading.report.fault(None, None, format!("line {number} is none of an export")),
        }
    }
    Ok(reading.finish())
}

impl Reading {
    fn line(&mut self, line: Line, number: usize, signature: &mut SignatureCheck<'_>) {
        match line {
            Line::Journal { id, environment } => {
                if number != 1 {
                    self.report.fault(None, None, format!("line {number} names the journal again"));
                }
                self.origin = Some((id, environment));
            }
            Line::Segment { id, first_seq, last_seq, prev_hash, hash, closed_at, sum } => {
                let (prev_hash, hash) = (digest(&prev_hash), digest(&hash));
                self.segment(Segment { id, first_seq, last_seq, prev_hash, hash, closed_at }, &sum);
            }
            Line::Event(event) => self.event(event),
            Line::Head(head) => self.head(head, signature),
            Line::End { seq, hash, segments, heads } => {
                self.ended = true;
                if self.walk.as_ref().is_none_or(|walk| (walk.seq, hex::encode(walk.hash)) != (seq, hash)) {
                    self.report.fault(Some(seq), None, "the end says another event or hash");
                }
                if (segments, heads) != (self.segments.len() as u64, self.heads.len() as u64) {
                    self.report.fault(Some(seq), None, "the end counts other segments or heads");
                }
            }
        }
    }

    fn segment(&mut self, segment: Segment, sum: &str) {
        if hex::encode(segment.sum()) != sum {
            self.report.fault(
                Some(segment.last_seq),
                None,
                format!("the header of segment {} was changed", segment.id),
            );
        }
        let expected = self.segments.last().map_or((1, 1, ZERO), |last| (last.id + 1, last.last_seq + 1, last.hash));
        if expected != (segment.id, segment.first_seq, segment.prev_hash) {
            let what = format!("segment {} does not follow the one before", segment.id);
            self.report.fault(Some(segment.first_seq), None, what);
        }
        self.hashes.insert(segment.last_seq, hex::encode(segment.hash));
        self.segments.push(segment);
    }

    fn event(&mut self, event: Event) {
        let walk = self.walk.get_or_insert_with(|| Walk::from(&event, &self.segments, &mut self.report));
        walk.step(&event, &mut self.report);
        if self.hashes.get(&event.seq).is_some_and(|hash| *hash != event.hash) {
            self.report.fault(Some(event.seq), None, "a segment ends in another hash");
        }
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
        if event.seq == 1 {
            let said = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
            if self.origin != Some((said("journal_id"), said("environment"))) {
                self.report.fault(Some(1), None, "the journal is not what its first event says");
            }
        }
        if event.kind == "head_signed"
            && let (Some(seq), Some(sum)) = (data["seq"].as_i64(), data["sum"].as_str())
        {
            self.recorded.insert(seq, sum.to_owned());
        }
        self.hashes.insert(event.seq, event.hash);
        self.report.events += 1;
    }

    fn head(&mut self, head: SignedHead, signature: &mut SignatureCheck<'_>) {
        if self.hashes.get(&head.seq).is_none_or(|hash| *hash != head.hash) {
            self.report.fault(Some(head.seq), None, "a signed head says another hash");
        }
        if let Err(why) = signature(&head) {
            self.report.fault(Some(head.seq), None, format!("the signature of a head does not hold: {why}"));
        }
        self.report.heads += 1;
        self.report.signed_through = self.report.signed_through.max(head.seq);
        if let Some(other) = self.heads.insert(head.seq, head) {
            self.report.fault(Some(other.seq), None, "a signed head stands twice");
        }
    }

    fn finish(mut self) -> Verification {
        for (seq, sum) in &self.recorded {
            if self.heads.get(seq).is_none_or(|head| hex::encode(sum_of(head)) != *sum) {
                self.report.fault(Some(*seq), None, "the head that an event recorded is missing or changed");
            }
        }
        if !self.ended {
            self.report.fault(None, None, "the export is cut short: its end is missing");
        }
        self.report.segments = self.segments.len() as u64;
        let walked = self.report.events;
        let last = self.walk.as_ref().map_or(0, |walk| walk.seq);
        self.report.dropped_segments =
            self.segments.iter().filter(|segment| segment.last_seq <= last - walked as i64).count() as u64;
        self.report.head = self.walk.map_or((0, hex::encode(ZERO)), |walk| (walk.seq, hex::encode(walk.hash)));
        self.report
    }
}

fn digest(text: &str) -> Digest {
    hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or(ZERO)
}

fn sum_of(head: &SignedHead) -> Digest {
    Head {
        seq: head.seq,
        segment: head.segment,
        hash: digest(&head.hash),
        signature: head.signature.clone(),
        certificate: head.certificate.clone(),
        at: head.at.millis(),
    }
    .sum()
}
