//! libxml2 on one file and one schema, as a library and as a program.

use anyhow::Context as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Parses and validates one file again and again; prints the best processor time of one in microseconds, and the verdict.
const SCRIPT: &str = r#"
import sys, time
from lxml import etree
schema = etree.XMLSchema(etree.parse(sys.argv[1]))
data = open(sys.argv[2], 'rb').read()
parser = etree.XMLParser(huge_tree=True)
best = float('inf')
for _ in range(7):
    calls, begun = 0, time.process_time()
    while calls == 0 or time.process_time() - begun < 0.15:
        valid = schema.validate(etree.fromstring(data, parser))
        calls += 1
    best = min(best, (time.process_time() - begun) / calls)
print(best * 1e6, int(valid))
"#;

/// Processor time that xmllint is given at least, in clock ticks: it is counted in hundredths of a second.
const TICKS: u64 = 60;

/// Microseconds of a clock tick (`USER_HZ` is 100 on Linux).
const TICK_US: f64 = 10_000.0;

/// Most names of a file on one command line.
const MOST_TIMES: usize = 1500;

/// What libxml2 says and takes.
pub struct Judged {
    /// Processor time for parsing and validating once.
    pub micros: f64,
    /// Its verdict.
    pub is_valid: bool,
}

/// By lxml, in one process; why not, if it is not here.
///
/// # Errors
/// It fails.
pub fn lxml(schema: &Path, file: &Path) -> anyhow::Result<Result<Judged, String>> {
    let Ok(output) = Command::new("python3").args(["-c", SCRIPT]).arg(schema).arg(file).output() else {
        return Ok(Err("there is no python3".into()));
    };
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("No module named") {
        return Ok(Err("python3 has no lxml".into()));
    }
    anyhow::ensure!(output.status.success(), "lxml: {error}");
    let text = String::from_utf8(output.stdout)?;
    let (micros, verdict) = text.trim().split_once(' ').context("lxml says nothing")?;
    Ok(Ok(Judged { micros: micros.parse()?, is_valid: verdict == "1" }))
}

/// By xmllint: many times the same file less once, so that its start and the schema do not count; why not, if it is not
/// here.
///
/// # Errors
/// It cannot use the schema.
pub fn xmllint(schema: &Path, file: &Path) -> anyhow::Result<Result<Judged, String>> {
    let run = |times: usize| -> anyhow::Result<Option<(u64, bool)>> {
        let before = children()?;
        let mut command = Command::new("xmllint");
        command.args(["--noout", "--schema"]).arg(schema).args(std::iter::repeat_n(file, times));
        let Ok(status) = command.stdout(Stdio::null()).stderr(Stdio::null()).status() else { return Ok(None) };
        // 3: the file is not valid.
        anyhow::ensure!(matches!(status.code(), Some(0 | 3)), "xmllint: {status}");
        Ok(Some((children()? - before, status.success())))
    };
    let Some((once, is_valid)) = run(1)? else { return Ok(Err("there is no xmllint".into())) };
    let mut times = 4;
    loop {
        let Some((many, _)) = run(times)? else { return Ok(Err("there is no xmllint".into())) };
        let spent = many.saturating_sub(once);
        if spent >= TICKS || times >= MOST_TIMES {
            return Ok(Ok(Judged { micros: spent as f64 * TICK_US / (times - 1) as f64, is_valid }));
        }
        times = (times * 8).min(MOST_TIMES);
    }
}

/// Clock ticks of all processes that were waited for.
fn children() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').context("an odd /proc/self/stat")?.1;
    let mut ticks = fields.split_whitespace().skip(13).take(2);
    let mut next = || ticks.next().context("a short /proc/self/stat").and_then(|text| Ok(text.parse::<u64>()?));
    Ok(next()? + next()?)
}
