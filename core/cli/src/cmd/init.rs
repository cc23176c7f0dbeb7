//! `kouan init`: a folder in which `kouan run` and `kouan sandbox run` start at once, with rehearsal keys.

use crate::app::App;
use crate::exit::{Exit, WrongUsage};
use anyhow::Context as _;
use kouan_sdk::{Clock, SystemClock};
use kouan_security_software::{Development, generate_development};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Rehearsal DXP ids: ours, and the window's that the goods declaration addresses (`domain/goods-declaration.md` §3.1).
const CLIENT: &str = "DXPENT0000000001";
const WINDOW: &str = "DXPDSWDEC0000002";

#[derive(clap::Args)]
pub struct Args {
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// Writes the folder; refuses to overwrite.
pub fn run(args: &Args, app: &App) -> anyhow::Result<Exit> {
    for name in ["kouan.toml", "sandbox.toml"] {
        refuse_existing(&args.dir.join(name), app)?;
    }
    write_folder(&args.dir)?;
    let [config, sandbox, drop_into] =
        ["kouan.toml", "sandbox.toml", "imp-path/Deccus001/OutBox"].map(|name| args.dir.join(name));
    if app.json {
        let written = serde_json::json!({ "config": config, "sandbox": sandbox, "drop_into": drop_into });
        app.print_json(&written)?;
        return Ok(Exit::Done);
    }
    let (config, sandbox, drop_into) = (config.display(), sandbox.display(), drop_into.display());
    app.print(app.lang.pick(
        format!(
            "已生成 {config}\n启动对端演练环境：kouan sandbox run --config {sandbox}\n启动网关：kouan run --config {config}\n\
             把报文放入 {drop_into}"
        ),
        format!(
            "wrote {config}\nthe other side, for rehearsal: kouan sandbox run --config {sandbox}\n\
             the gateway: kouan run --config {config}\ndrop messages into {drop_into}"
        ),
    ))?;
    Ok(Exit::Done)
}

/// A file that is there already stays as it is.
pub fn refuse_existing(path: &Path, app: &App) -> Result<(), WrongUsage> {
    if !path.exists() {
        return Ok(());
    }
    let (zh, en) = (
        format!("{} 已经存在，没有改动任何文件", path.display()),
        format!("{} is there already; nothing was changed", path.display()),
    );
    Err(WrongUsage(app.lang.pick(zh, en)))
}

/// Keys first, the configuration last: a folder with a `kouan.toml` is whole.
pub fn write_folder(dir: &Path) -> anyhow::Result<()> {
    let keys = dir.join("keys");
    fs::create_dir_all(&keys).with_context(|| format!("make {}", keys.display()))?;
    fs::create_dir_all(dir.join("imp-path/Deccus001/OutBox"))?;
    let pin = keys.join("pin");
    if !pin.exists() {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
        let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&pin)?;
        writeln!(file, "{text}")?;
    }
    let password = fs::read_to_string(&pin)?.trim().to_owned();
    for (name, dxp_id) in [("client", CLIENT), ("window", WINDOW)] {
        if !keys.join(format!("{name}.key.pem")).exists() {
            generate_development(&Development::new(&keys, name, dxp_id, &password, SystemClock.now()))?;
        }
    }
    write_new(&dir.join("sandbox.toml"), SANDBOX)?;
    write_new(&dir.join("kouan.toml"), CONFIG)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = fs::File::create_new(path).with_context(|| format!("make {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(file.sync_all()?)
}

const CONFIG: &str = include_str!("../../texts/kouan.toml");
const SANDBOX: &str = include_str!("../../texts/sandbox.toml");
