//! What a run came to.

use crate::points::{POINTS, Who};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::Write as _;
use std::time::{Duration, Instant};

/// How often a long run says that it goes on.
const NEWS: Duration = Duration::from_secs(30);

/// Figures of a run.
pub struct Report {
    wanted: u64,
    verbose: bool,
    began: Instant,
    told: Instant,
    pub rounds: u64,
    pub campaigns: u64,
    /// Place → kills.
    pub kills: BTreeMap<String, u64>,
    /// Failpoint → times it ended its process.
    hit: BTreeMap<String, u64>,
    /// Failpoint → times it was set, reached or not.
    set: BTreeMap<String, u64>,
    pub acts: u64,
    pub stops: u64,
    pub figures: Figures,
}

/// Figures of the ledgers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub files: u64,
    pub messages: u64,
    pub refused: u64,
    pub attempts: u64,
    pub effects: u64,
    pub doubled: u64,
    pub repeats: u64,
    pub receipts: u64,
    pub alarms: u64,
}

impl Report {
    /// Nothing yet.
    pub fn new(wanted: u64, verbose: bool) -> Self {
        let now = Instant::now();
        Self {
            wanted,
            verbose,
            began: now,
            told: now,
            rounds: 0,
            campaigns: 0,
            kills: BTreeMap::new(),
            hit: BTreeMap::new(),
            set: BTreeMap::new(),
            acts: 0,
            stops: 0,
            figures: Figures::default(),
        }
    }

    /// Whether enough was done.
    pub fn is_done(&self, until: Option<Instant>) -> bool {
        self.rounds >= self.wanted || until.is_some_and(|until| Instant::now() >= until)
    }

    /// A kill at a random moment.
    pub fn killed(&mut self, place: impl Into<String>) {
        *self.kills.entry(place.into()).or_default() += 1;
    }

    /// A failpoint was set for a process; how often it was before.
    pub fn times_set(&self, point: &str, who: Who) -> u64 {
        self.set.get(&named(point, who)).copied().unwrap_or(0)
    }

    /// A failpoint was set, and ended its process or did not.
    pub fn point(&mut self, point: &str, who: Who, hit: bool) {
        *self.set.entry(named(point, who)).or_default() += 1;
        *self.hit.entry(named(point, who)).or_default() += u64::from(hit);
    }

    /// A round was content; what was done, and when it was killed enough and settled again.
    pub fn round(&mut self, did: impl Display, times: [Duration; 3]) {
        self.rounds += 1;
        if self.verbose {
            let [killed, settled, compared] = times.map(|time| time.as_millis());
            say(format_args!("{}: {killed} + {settled} + {compared} ms, {did}", self.rounds));
        }
        if self.told.elapsed() >= NEWS {
            self.told = Instant::now();
            say(format_args!("{} rounds after {} s", self.rounds, self.began.elapsed().as_secs()));
        }
    }

    /// The whole report.
    pub fn show(&self) {
        let Figures { files, messages, refused, attempts, effects, doubled, repeats, receipts, alarms } = self.figures;
        let seconds = self.began.elapsed().as_secs_f64();
        say(format_args!("{} rounds in {} folders, {seconds:.1} s", self.rounds, self.campaigns));
        say(format_args!("{files} files dropped, {messages} messages ({refused} refused), {attempts} attempts"));
        say(format_args!(
            "{effects} effects, {receipts} receipts, {repeats} repeats met; {doubled} effects doubled by a window that was \
             configured to misbehave, {alarms} alarms for them"
        ));
        say(format_args!("{} acts of the operator, {} clean stops", self.acts, self.stops));
        for (place, times) in &self.kills {
            say(format_args!("  {times:>6} killed: {place}"));
        }
        for (name, times) in self.hit.iter().filter(|(_, times)| **times > 0) {
            let set = self.set.get(name).copied().unwrap_or(0);
            say(format_args!("  {times:>6} of {set} ended at {name}"));
        }
        let never: Vec<_> = POINTS
            .iter()
            .map(|point| named(point.name, point.who))
            .filter(|name| self.hit.get(name).copied().unwrap_or(0) == 0)
            .collect();
        if never.is_empty() {
            say("every failpoint was met");
        } else {
            say(format_args!("failpoints never met: {}", never.join(", ")));
        }
    }
}

impl Figures {
    /// Adds a folder's.
    pub fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.messages += other.messages;
        self.refused += other.refused;
        self.attempts += other.attempts;
        self.effects += other.effects;
        self.doubled += other.doubled;
        self.repeats += other.repeats;
        self.receipts += other.receipts;
        self.alarms += other.alarms;
    }
}

fn named(point: &str, who: Who) -> String {
    // Points of a room that both processes use are told apart.
    let both = POINTS.iter().filter(|known| known.name == point).count() > 1;
    if both { format!("{point} ({})", who.name()) } else { point.to_owned() }
}

/// Prints a line; a reader that has left is no reason to stop.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
