//! `kouan doctor`: what was checked, what is wrong, the exact repair. Green = proven by use; yellow = reachable, not yet
//! proven, or somebody should look; red = does not work.

mod local;
mod people;

use crate::app::App;
use crate::bundled;
use crate::exit::Exit;
use crate::table::table;
use kouan_kernel::config::IdentityConfig;
use kouan_kernel::probe::{Subject, probe};
use kouan_sdk::{Clock, Error, Health, Light, SystemClock, catalogue};
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Backends whose secret may be presented any number of times: key files do not count wrong ones, cards do.
const COUNTS_NO_TRIES: &[&str] = &["software"];

#[derive(clap::Args)]
pub struct Args {
    #[arg(long)]
    login: bool,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
struct Check {
    /// `data`, `clock`, `configuration`, `identity`, `certificate`, `site`, `window`, `trust`, `journal`, `codes`, `permits`.
    area: &'static str,
    /// Which of several, such as the site's name; empty for the only one.
    name: String,
    light: Light,
    detail: String,
    detail_zh: String,
    code: Option<String>,
    repair_zh: Option<String>,
    repair_en: Option<String>,
}

impl Check {
    fn new(area: &'static str, name: impl Into<String>, health: Health) -> Self {
        let entry = health.code.as_deref().and_then(catalogue::lookup);
        // An error speaks English; its cause in Chinese stands before it.
        let caused = entry.map(|entry| format!("{}（{}）", entry.cause_zh.trim_end_matches('。'), health.detail));
        Self {
            area,
            name: name.into(),
            light: health.light,
            detail_zh: health.detail_zh.or(caused).unwrap_or_else(|| health.detail.clone()),
            detail: health.detail,
            repair_zh: entry.map(|entry| entry.repair_zh.clone()),
            repair_en: entry.map(|entry| entry.repair_en.clone()),
            code: health.code,
        }
    }
}

/// Works, but somebody should look.
fn warning(code: &str, detail: impl Into<String>) -> Health {
    Health { code: Some(code.to_owned()), ..Health::yellow(detail) }
}

/// Checks everything; 1 if anything is red.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    let config = app.config()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (mut checks, journal) = local::checks(&config, &*clock);
    let used = journal.map(|seen| seen.sent > 0 || seen.inbound > 0).unwrap_or_default();
    let logs_in = |identity: &IdentityConfig| args.login || COUNTS_NO_TRIES.contains(&&*identity.security.backend);
    for found in probe(&config, &bundled::registry()?, &clock, logs_in) {
        let (area, name) = match found.subject {
            Subject::Configuration => ("configuration", String::new()),
            Subject::Identity(dxp_id) => ("identity", dxp_id),
            Subject::Site(name) => ("site", name),
            Subject::Window => ("window", String::new()),
            Subject::Trust => ("trust", String::new()),
        };
        let mut health = found.health;
        if area == "window" && health.light == Light::Green && !used {
            let zh = health.detail_zh.as_deref().unwrap_or(&health.detail);
            health = Health::yellow(format!("{}; nothing was sent or received yet", health.detail))
                .zh(format!("{zh}；尚未收发"));
        }
        if area == "identity" && !args.login && health.code.as_deref() == Some("KOUAN-SECURITY-LOCKED") {
            health.light = Light::Yellow;
        }
        checks.push(Check::new(area, &name, health));
        checks.extend(found.certificates.iter().map(|certificate| local::certificate(certificate, &*clock)));
    }
    checks.extend(local::codes(&config));
    let permits = Health::yellow("nothing is known of permits yet; the portal is not asked");
    checks.push(Check::new("permits", "", permits.zh("授权情况尚不清楚；不向门户查询")));
    show(app, &checks)?;
    let red = checks.iter().any(|check| check.light == Light::Red);
    Ok(if red { Exit::NotRight } else { Exit::Done })
}

fn show(app: &App, checks: &[Check]) -> anyhow::Result<()> {
    let worst = checks.iter().map(|check| check.light).max().unwrap_or(Light::Green);
    if app.json {
        return app.print_json(&serde_json::json!({ "light": worst, "checks": checks }));
    }
    let rows: Vec<_> = checks
        .iter()
        .map(|check| {
            let area = app.lang.pick(people::area_zh(check.area), check.area);
            let code = check.code.as_ref().map_or(String::new(), |code| format!(" [{code}]"));
            let detail = app.lang.pick(&check.detail_zh, &check.detail);
            [people::light(app, check.light), format!("{area} {}", check.name), format!("{detail}{code}")]
        })
        .collect();
    app.print(table(&rows))?;
    let mut told = BTreeSet::new();
    for check in checks.iter().filter(|check| check.light != Light::Green) {
        if let (Some(zh), Some(en), Some(code)) = (&check.repair_zh, &check.repair_en, &check.code)
            && told.insert(code)
        {
            app.print(format!("→ {code}: {}", app.lang.pick(zh, en)))?;
        }
    }
    Ok(())
}

/// A named error as a red light.
fn red(error: impl Into<Error>) -> Health {
    Health::red(&error.into())
}
