//! A gateway's folder with development keys of both sides, and the window's end of its queue.

use anyhow::Context as _;
use kouan_dxp::{DxpMsg, SignatureProfile, Unsigned, WireId};
use kouan_host::Registry;
use kouan_kernel::{Config, Gateway};
use kouan_sdk::transport::{Outgoing, Receiver, SendOutcome, Sender};
use kouan_sdk::{Business, Clock as _, Context, Security, SystemClock, Transport};
use kouan_security_software::{Development, generate_development};
use kouan_sm::{AnyPrivateKey, Certificate, RawSignature};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Our DXP id.
pub const CLIENT: &str = "DXPENT0000000001";

/// The window's, as the declaration's business addresses it (`domain/goods-declaration.md` §3.1).
pub const WINDOW: &str = "DXPDSWDEC0000002";

/// Of the development keys.
const PASSWORD: &str = "bench";

/// Messages that may wait in the queue: enough for every suite.
const ROOM: usize = 1_000_000;

/// One key and its certificate, for what the bench seals itself.
pub struct Pair {
    /// Certificate.
    pub certificate: Certificate,
    key: AnyPrivateKey,
}

impl Pair {
    fn read(keys: &Path, name: &str) -> anyhow::Result<Self> {
        let read = |suffix: &str| std::fs::read_to_string(keys.join(format!("{name}{suffix}")));
        let certificate = Certificate::from_pem(&read(".cert.pem")?)?;
        Ok(Self { certificate, key: AnyPrivateKey::from_pem(&read(".key.pem")?, Some(PASSWORD))? })
    }

    /// One signature, by the library alone.
    ///
    /// # Errors
    /// The key is no SM2 key.
    pub fn sign(&self, bytes: &[u8]) -> anyhow::Result<RawSignature> {
        let AnyPrivateKey::Sm2(key) = &self.key else { anyhow::bail!("no SM2 key") };
        Ok(key.sign(kouan_sm::DEFAULT_USER_ID, bytes)?)
    }

    /// An envelope from `from` to `to`.
    ///
    /// # Errors
    /// A field that cannot be written.
    pub fn seal(
        &self,
        from: &str,
        to: &str,
        n: usize,
        kind: &str,
        payload: &[u8],
    ) -> anyhow::Result<(String, Vec<u8>)> {
        let now = SystemClock.now();
        let id = WireId::new(from, now.plus_millis((n / 10_000) as i64 * 1000), (n % 10_000) as u16)?;
        let message = DxpMsg::new(&id, vec![to.to_owned()], now, kind, payload);
        let unsigned = Unsigned::envelope(&message, &SignatureProfile::transport(), &self.certificate)?;
        let signature = self.sign(unsigned.signed_info())?;
        Ok((id.as_str().to_owned(), unsigned.seal(signature.as_bytes())?))
    }
}

/// The folder.
pub struct World {
    /// The window's key.
    pub window: Pair,
    /// Ours.
    pub client: Pair,
    folder: tempfile::TempDir,
}

impl World {
    /// Makes keys and folders.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(folder: tempfile::TempDir) -> anyhow::Result<Self> {
        let keys = folder.path().join("keys");
        for (name, id) in [("client", CLIENT), ("window", WINDOW)] {
            generate_development(&Development::new(&keys, name, id, PASSWORD, SystemClock.now()))?;
        }
        std::fs::write(folder.path().join("pin"), PASSWORD)?;
        let (window, client) = (Pair::read(&keys, "window")?, Pair::read(&keys, "client")?);
        Ok(Self { window, client, folder })
    }

    /// Below the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the gateway.
    ///
    /// # Errors
    /// Its own.
    pub fn start(&self) -> anyhow::Result<Gateway> {
        start(self.folder.path(), true, ROOM)
    }

    /// The window's receiving and sending end.
    ///
    /// # Errors
    /// The queue's.
    pub fn ends(&self) -> anyhow::Result<(Box<dyn Receiver>, Box<dyn Sender>)> {
        let queue = self.queue("window")?;
        Ok((queue.open_receiver()?, queue.open_sender()?))
    }

    /// One side of the queue.
    ///
    /// # Errors
    /// The queue's.
    pub fn queue(&self, side: &str) -> anyhow::Result<Box<dyn Transport>> {
        let context = Context::standalone("queue", self.folder.path());
        let settings = serde_json::json!({"path": "queue.db", "side": side, "max_messages": ROOM}).to_string();
        Ok(registry()?.transport("embedded", &context, &settings)?)
    }

    /// Our security backend, logged in.
    ///
    /// # Errors
    /// Its own.
    pub fn security(&self) -> anyhow::Result<Box<dyn Security>> {
        let context = Context::standalone("security", self.folder.path());
        let settings = r#"{"key":"keys/client.key.pem","certificate":"keys/client.cert.pem"}"#;
        let security = registry()?.security("software", &context, settings)?;
        security.login(&zeroize::Zeroizing::new(PASSWORD.to_owned()))?;
        Ok(security)
    }

    /// The business.
    ///
    /// # Errors
    /// Its own.
    pub fn business(&self) -> anyhow::Result<Arc<dyn Business>> {
        let context = Context::standalone("business", self.folder.path());
        Ok(Arc::from(registry()?.business(kouan_goods_declaration::ID, &context, "{}")?))
    }

    /// Puts all of `batch` into the queue in one commit.
    ///
    /// # Errors
    /// The queue did not take all.
    pub fn enqueue(&self, sender: &dyn Sender, batch: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
        let outgoing: Vec<_> = batch.iter().map(|(id, body)| Outgoing { id, body, headers: &[] }).collect();
        let outcomes = sender.send(&outgoing, Duration::from_secs(60));
        anyhow::ensure!(outcomes.iter().all(|one| *one == SendOutcome::Confirmed), "the queue refused");
        Ok(())
    }
}

/// Starts a gateway in `folder`; without its PIN it takes in and holds at signing.
///
/// # Errors
/// Its own.
pub fn start(folder: &Path, with_pin: bool, room: usize) -> anyhow::Result<Gateway> {
    Ok(Gateway::start(config(folder, with_pin, room)?, &registry()?, Arc::new(SystemClock))?)
}

/// As `kouan init` writes it, but files are taken the moment they are whole.
fn config(folder: &Path, with_pin: bool, room: usize) -> anyhow::Result<Config> {
    let pin = if with_pin { "pin = { file = \"pin\" }" } else { "" };
    let text = format!(
        r#"
[[identity]]
dxp_id = "{CLIENT}"
[identity.security]
{pin}
key = "keys/client.key.pem"
certificate = "keys/client.cert.pem"
[[site]]
name = "erp"
root = "imp-path"
stable_ms = 0
scan_interval_ms = 20
[window]
path = "queue.db"
max_messages = {room}
trust = ["keys/window.cert.pem"]
[[business]]
plugin = "{}"
"#,
        kouan_goods_declaration::ID
    );
    let mut config =
        kouan_kernel::config::parse(Path::new("kouan.toml"), &text).context("the bench's configuration")?;
    config.base_dir = folder.to_owned();
    Ok(config)
}

fn registry() -> anyhow::Result<Registry> {
    Ok(Registry::new(&[
        &kouan_goods_declaration::PLUGIN,
        &kouan_transport_directory::PLUGIN,
        &kouan_transport_embedded::PLUGIN,
        &kouan_security_software::PLUGIN,
    ])?)
}
