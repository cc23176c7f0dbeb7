//! `kouan demo`: the main job in one process. A sandbox Single Window and a gateway in a folder of their own; bundled
//! samples dropped as files, checked, signed, sealed, sent, and their receipts back in InBox.

mod drops;
mod expected;
mod progress;

use crate::app::App;
use crate::exit::Exit;
use crate::rehearsal::RehearsalConfig;
use crate::{bundled, cmd::init};
use anyhow::Context as _;
use drops::Drops;
use expected::Expected;
use kouan_journal::Delivery;
use kouan_journal::model::Filter;
use kouan_kernel::{Gateway, journal_path};
use kouan_sandbox::Ledger;
use kouan_sdk::{Clock, SystemClock};
use progress::{Progress, Standing};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Without any progress for so long, the demonstration ends as failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

#[derive(clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    messages: u32,
    #[arg(long)]
    keep: bool,
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What a demonstration came to; the one JSON object on stdout.
#[derive(Debug, Serialize)]
struct Outcome {
    messages: u64,
    concluded: u64,
    refused: u64,
    parked: u64,
    receipts: u64,
    effects: u64,
    seconds: f64,
    per_second: f64,
    journal: PathBuf,
    imp_path: PathBuf,
    /// By business and type.
    types: Vec<TypeRow>,
    /// What the messages had to come to.
    #[serde(skip)]
    expected: Expected,
}

/// How the messages of a type stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct TypeRow {
    business: String,
    message_type: String,
    messages: u64,
    accepted: u64,
    concluded: u64,
    refused: u64,
}

impl Outcome {
    fn is_right(&self) -> bool {
        let came_to = Expected { concluded: self.concluded, refused: self.refused };
        came_to == self.expected && self.parked == 0 && self.effects == self.concluded
    }
}

/// Runs the demonstration.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    let folder = Folder::make(args, app)?;
    let outcome = demonstrate(args, app, &folder.path)?;
    if app.json {
        app.print(serde_json::to_string(&outcome)?)?;
    } else {
        progress::table(app, &outcome)?;
    }
    let kept = folder.keep || !outcome.is_right();
    app.say(where_to_look(app, &folder.path, kept));
    if !kept {
        std::fs::remove_dir_all(&folder.path).with_context(|| format!("remove {}", folder.path.display()))?;
    }
    Ok(if outcome.is_right() { Exit::Done } else { Exit::NotRight })
}

struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(args: &Args, app: &App) -> anyhow::Result<Self> {
        let named = args.dir.clone();
        // What the JSON object names must be there for whoever reads it.
        let keep = args.keep || named.is_some() || app.json;
        let path = named.unwrap_or_else(|| std::env::temp_dir().join(format!("kouan-demo-{}", std::process::id())));
        init::refuse_existing(&path.join("kouan.toml"), app)?;
        std::fs::create_dir_all(&path).with_context(|| format!("make {}", path.display()))?;
        init::write_folder(&path)?;
        Ok(Self { path, keep })
    }
}

fn demonstrate(args: &Args, app: &App, folder: &Path) -> anyhow::Result<Outcome> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let config = gateway_config(folder)?;
    let (journal, imp_path) = (journal_path(&config), folder.join("imp-path"));
    let rehearsal = RehearsalConfig::load(&folder.join("sandbox.toml"))?;
    let sandbox = rehearsal.open(&clock)?;
    let stop = AtomicBool::new(false);
    let drops = Drops::of_samples(args.messages)?;
    let expected = drops.expected();
    let started = Instant::now();
    let (standing, types) = std::thread::scope(|scope| {
        let window = scope.spawn(|| sandbox.run(&stop));
        let result = (|| {
            let gateway = Gateway::start(config, &bundled::registry()?, clock.clone())?;
            let dropping = scope.spawn(|| drops.drop_into(&imp_path));
            let standing = watch(app, &gateway, u64::from(args.messages))?;
            dropping.join().map_err(|_| anyhow::anyhow!("dropping the files panicked"))??;
            let types = by_type(&gateway)?;
            gateway.drain();
            Ok::<_, anyhow::Error>((standing, types))
        })();
        stop.store(true, Ordering::SeqCst);
        window.join().map_err(|_| anyhow::anyhow!("the sandbox panicked"))??;
        result
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let ledger = Ledger::read(&rehearsal.state())?;
    Ok(Outcome {
        messages: u64::from(args.messages),
        concluded: standing.concluded,
        refused: standing.refused,
        parked: standing.parked,
        receipts: standing.receipts,
        effects: ledger.effects.iter().map(|effect| effect.count).sum(),
        seconds,
        per_second: f64::from(args.messages) / seconds,
        journal,
        imp_path,
        types,
        expected,
    })
}

/// As `kouan init` writes it, but eager: files are taken the moment they are whole.
fn gateway_config(folder: &Path) -> anyhow::Result<kouan_kernel::Config> {
    let mut config = kouan_kernel::config::load(&folder.join("kouan.toml"))?;
    for site in &mut config.site {
        site.settings.insert("stable_ms".into(), 0.into());
        site.settings.insert("incomplete_ms".into(), 1000.into());
        site.settings.insert("scan_interval_ms".into(), 20.into());
    }
    // The samples are of many enterprises; the only identity acts for all of them.
    for identity in &mut config.identity {
        identity.enterprises.clear();
        identity.cards.clear();
    }
    for business in config.business.iter_mut().filter(|business| business.plugin == kouan_goods_declaration::ID) {
        // Samples that are declared (OperType C) are signed by the rehearsal's own profile; none is official.
        business.settings.insert("signing_profile".into(), "sandbox-document".into());
    }
    Ok(config)
}

/// Looks on until everything has ended, or nothing moves any more.
fn watch(app: &App, gateway: &Gateway, messages: u64) -> anyhow::Result<Standing> {
    let mut progress = Progress::new(app, messages);
    let (mut last, mut moved) = (Standing::default(), Instant::now());
    loop {
        let standing = Standing::of(&gateway.journal().counts()?);
        if standing != last {
            (last, moved) = (standing.clone(), Instant::now());
            progress.show(&standing);
        }
        if standing.ended() >= messages && standing.pending == 0 || moved.elapsed() > PATIENCE {
            progress.end();
            return Ok(standing);
        }
        std::thread::sleep(LOOK);
    }
}

/// Every message, counted by business and type.
fn by_type(gateway: &Gateway) -> anyhow::Result<Vec<TypeRow>> {
    let mut rows: BTreeMap<(String, String), TypeRow> = BTreeMap::new();
    let mut filter = Filter { limit: 1000, ..Filter::default() };
    loop {
        let page = gateway.journal().list(&filter)?;
        let Some(last) = page.last() else { return Ok(rows.into_values().collect()) };
        filter.before = Some(last.id);
        for message in page {
            let key = (message.business.clone(), message.message_type.clone());
            let row = rows.entry(key).or_insert_with(|| TypeRow {
                business: message.business,
                message_type: message.message_type,
                ..TypeRow::default()
            });
            row.messages += 1;
            row.refused += u64::from(message.delivery == Delivery::Refused);
            row.accepted += u64::from(message.outcome == kouan_sdk::business::Outcome::Accepted);
            row.concluded += u64::from(message.outcome == kouan_sdk::business::Outcome::Concluded);
        }
    }
}

fn where_to_look(app: &App, folder: &Path, kept: bool) -> String {
    let config = folder.join("kouan.toml");
    match (kept, app.lang.pick(true, false)) {
        (true, true) => format!(
            "回执在 {}\n查询：kouan message list --config {}",
            folder.join("imp-path/Deccus001/InBox").display(),
            config.display()
        ),
        (true, false) => format!(
            "receipts are in {}\nlook: kouan message list --config {}",
            folder.join("imp-path/Deccus001/InBox").display(),
            config.display()
        ),
        (false, true) => "文件夹已删除；加 --keep 可保留下来查看".to_owned(),
        (false, false) => "the folder is removed; --keep keeps it for a look".to_owned(),
    }
}
