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
    let config = args.dir.join("kouan.toml");
    if config.exists() {
        return Err(WrongUsage(format!("{} is there already; nothing was changed", config.display())).into());
    }
    write_folder(&args.dir)?;
    let lines = match app.lang.pick(true, false) {
        true => format!(
            "已生成 {}\n启动对端演练环境：kouan sandbox run --config {}\n启动网关：kouan run --config {}\n把报文放入 {}",
            config.display(),
            args.dir.join("sandbox.toml").display(),
            config.display(),
            args.dir.join("imp-path/Deccus001/OutBox").display(),
        ),
        false => format!(
            "wrote {}\nthe other side, for rehearsal: kouan sandbox run --config {}\nthe gateway: kouan run --config {}\ndrop messages into {}",
            config.display(),
            args.dir.join("sandbox.toml").display(),
            config.display(),
            args.dir.join("imp-path/Deccus001/OutBox").display(),
        ),
    };
    app.print(lines)?;
    Ok(Exit::Done)
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
