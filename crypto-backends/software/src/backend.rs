//! The backend itself: when the key is open, what it signs and unwraps, how it is.

use crate::certificate_file::{CertificateFile, expires_soon};
use crate::config::{Config, Environment};
use crate::{error, files, generate};
use kouan_sdk::security::{KeyId, Scheme, SecurityIdentity, SignInput, SignRequest, UnwrapRequest, Wrapped, locked};
use kouan_sdk::{Context, Error, ErrorKind, Health, LogLevel, Result, Security};
use kouan_sm::{AnyPrivateKey, Certificate, CertificateKey, DEFAULT_USER_ID, Sm2Cipher};
use parking_lot::RwLock;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How many requests are taken in one call: about 20 ms of signing, so that a batch does not hold its thread for long.
const MAX_BATCH: usize = 256;

/// One key file and its certificate.
pub(crate) struct Software {
    context: Context,
    config: Config,
    key_path: PathBuf,
    key_id: KeyId,
    certificate: CertificateFile,
    state: RwLock<State>,
}

enum State {
    /// No password yet, or logged out.
    Locked,
    /// Open. Wiped when the last call that uses it returns.
    Open(Arc<AnyPrivateKey>),
    Closed,
}

impl Software {
    pub(crate) fn new(context: Context, config: Config) -> Result<Self> {
        let key_path = context.resolve(&config.key);
        let backend = Self {
            key_id: KeyId(config.key.display().to_string()),
            certificate: CertificateFile::new(context.resolve(&config.certificate)),
            state: RwLock::new(State::Locked),
            key_path,
            context,
            config,
        };
        backend.refuse_development_in_production()?;
        if backend.config.unencrypted {
            backend.open_unencrypted()?;
        }
        Ok(backend)
    }

    /// A certificate that is not there yet is no fault of the configuration; the probe tells.
    fn refuse_development_in_production(&self) -> Result<()> {
        let Ok(certificate) = self.certificate.now() else { return Ok(()) };
        self.check_environment(&certificate)
    }

    fn check_environment(&self, certificate: &Certificate) -> Result<()> {
        let production = self.config.environment == Some(Environment::Production);
        if production && generate::is_development(certificate) {
            return Err(error::development(self.certificate.path()));
        }
        Ok(())
    }

    /// A key in the clear needs no login; an encrypted one waits for it.
    fn open_unencrypted(&self) -> Result<()> {
        let text = files::read("key file", &self.key_path)?;
        if !AnyPrivateKey::is_encrypted(&text) {
            let key = AnyPrivateKey::from_pem(&text, None).map_err(|e| error::key_file(&self.key_path, e))?;
            *self.state.write() = State::Open(Arc::new(key));
        }
        Ok(())
    }

    fn open_key(&self) -> Result<Arc<AnyPrivateKey>> {
        match &*self.state.read() {
            State::Open(key) => Ok(key.clone()),
            State::Locked => Err(locked(&format!("key {}", self.key_path.display()))),
            State::Closed => Err(error::closed()),
        }
    }

    /// The open key, if the certificate in force belongs to it.
    fn usable_key(&self) -> Result<Arc<AnyPrivateKey>> {
        let key = self.open_key()?;
        self.check_pair(&key, &*self.certificate.known()?)?;
        Ok(key)
    }

    fn check_pair(&self, key: &AnyPrivateKey, certificate: &Certificate) -> Result<()> {
        let same = match (key, certificate.public_key()) {
            (AnyPrivateKey::Sm2(key), CertificateKey::Sm2(public)) => key.public_key() == public,
            (AnyPrivateKey::Rsa(key), CertificateKey::Rsa(public)) => key.public_key() == *public,
            _ => false,
        };
        if same { self.check_environment(certificate) } else { Err(error::mismatch(self.certificate.path())) }
    }

    fn check_key_id(&self, key: &KeyId) -> Result<()> {
        if *key == self.key_id { Ok(()) } else { Err(error::unknown_key(key)) }
    }

    fn sign_one(&self, key: &Result<Arc<AnyPrivateKey>>, request: &SignRequest<'_>) -> Result<Vec<u8>> {
        self.check_key_id(request.key)?;
        match (request.scheme, &**key.as_ref().map_err(Clone::clone)?) {
            (Scheme::Sm2Sm3, AnyPrivateKey::Sm2(key)) => {
                let signature = match request.input {
                    SignInput::Message(message) => key.sign(request.user_id, message)?,
                    SignInput::Digest(e) => key.sign_digest(exactly(e)?)?,
                };
                Ok(signature.into())
            }
            (Scheme::RsaSha1, AnyPrivateKey::Rsa(_)) if !self.config.legacy_rsa_sha1 => Err(error::rsa_sha1_off()),
            (Scheme::RsaSha1, AnyPrivateKey::Rsa(key)) => match request.input {
                SignInput::Message(message) => Ok(key.sign_sha1(message)?),
                SignInput::Digest(digest) => Ok(key.sign_sha1_digest(exactly(digest)?)?),
            },
            (scheme, _) => Err(error::scheme(scheme)),
        }
    }

    fn unwrap_one(&self, key: &Result<Arc<AnyPrivateKey>>, request: &UnwrapRequest<'_>) -> Result<Zeroizing<Vec<u8>>> {
        self.check_key_id(request.key)?;
        match (request.wrapped, &**key.as_ref().map_err(Clone::clone)?) {
            (Wrapped::Sm2 { x, y, c3, c2 }, AnyPrivateKey::Sm2(key)) => {
                Ok(key.decrypt(&Sm2Cipher { x: *x, y: *y, c3: *c3, c2: c2.clone() })?)
            }
            (Wrapped::Rsa(ciphertext), AnyPrivateKey::Rsa(key)) => Ok(key.decrypt(ciphertext)?),
            (Wrapped::Sm2 { .. }, _) => Err(error::kind("an sm2 ciphertext needs")),
            (Wrapped::Rsa(_), _) => Err(error::kind("an rsa ciphertext needs")),
        }
    }

    /// What is wrong, if anything; then what deserves a warning; at last a signature that is made and verified.
    fn examine(&self) -> Result<Health> {
        let now = self.context.clock.now();
        let certificate = self.certificate.now()?;
        self.check_environment(&certificate)?;
        // So that a missing file is told even before somebody logs in.
        files::read("key file", &self.key_path)?;
        certificate.check_time(now)?;
        let key = self.open_key()?;
        self.check_pair(&key, &certificate)?;
        self.try_out(&key, &certificate)?;
        let until = certificate.not_after().date();
        if expires_soon(&certificate, now) {
            let text = format!("certificate {} expires on {until}", certificate.serial());
            let zh = format!("证书 {} 将于 {until} 到期", certificate.serial());
            return Ok(warning("KOUAN-SECURITY-CERT-EXPIRING", text).zh(zh));
        }
        if self.config.unencrypted && !AnyPrivateKey::is_encrypted(&files::read("key file", &self.key_path)?) {
            let text = format!("key file {} is not encrypted", self.key_path.display());
            let zh = format!("密钥文件 {} 未加密", self.key_path.display());
            return Ok(warning("KOUAN-SECURITY-KEY-UNENCRYPTED", text).zh(zh));
        }
        if files::open_to_others(&self.key_path) {
            let text = format!("key file {} may be read by others", self.key_path.display());
            let zh = format!("密钥文件 {} 可被其他用户读取", self.key_path.display());
            return Ok(warning("KOUAN-SECURITY-KEY-FILE-MODE", text).zh(zh));
        }
        let (key, serial) = (&self.key_id.0, certificate.serial());
        Ok(Health::green(format!("key {key} signs, certificate {serial} until {until}"))
            .zh(format!("密钥 {key} 可签名，证书 {serial} 有效至 {until}")))
    }

    fn try_out(&self, key: &AnyPrivateKey, certificate: &Certificate) -> Result<()> {
        const TRIAL: &[u8] = b"kouan probe";
        match (key, certificate.public_key()) {
            (AnyPrivateKey::Sm2(key), CertificateKey::Sm2(public)) => {
                Ok(public.verify(DEFAULT_USER_ID, TRIAL, &key.sign(DEFAULT_USER_ID, TRIAL)?)?)
            }
            (AnyPrivateKey::Rsa(key), CertificateKey::Rsa(public)) => {
                Ok(public.verify_sha1(TRIAL, &key.sign_sha1(TRIAL)?)?)
            }
            _ => Err(error::mismatch(self.certificate.path())),
        }
    }
}

impl Security for Software {
    fn identities(&self) -> Result<Vec<SecurityIdentity>> {
        if matches!(*self.state.read(), State::Closed) {
            return Err(error::closed());
        }
        let certificate = self.certificate.now()?;
        let usage = certificate.key_usage();
        let may_sign = match certificate.public_key() {
            CertificateKey::Sm2(_) => true,
            CertificateKey::Rsa(_) => self.config.legacy_rsa_sha1,
        };
        Ok(vec![SecurityIdentity {
            key: self.key_id.clone(),
            kind: certificate.kind(),
            certificate: certificate.der().to_vec(),
            signs: may_sign && usage.is_none_or(|usage| usage.signs),
            unwraps: usage.is_none_or(|usage| usage.encrypts),
            max_batch: MAX_BATCH,
        }])
    }

    fn sign(&self, batch: &[SignRequest<'_>]) -> Vec<Result<Vec<u8>>> {
        let key = self.usable_key();
        batch.iter().map(|request| self.sign_one(&key, request)).collect()
    }

    fn unwrap(&self, batch: &[UnwrapRequest<'_>]) -> Vec<Result<Zeroizing<Vec<u8>>>> {
        // A certificate that was replaced does not matter here: what was encrypted for the open key still opens.
        let key = self.open_key();
        batch.iter().map(|request| self.unwrap_one(&key, request)).collect()
    }

    fn login(&self, secret: &Zeroizing<String>) -> Result<()> {
        if matches!(*self.state.read(), State::Closed) {
            return Err(error::closed());
        }
        let text = files::read("key file", &self.key_path)?;
        let encrypted = AnyPrivateKey::is_encrypted(&text);
        if !encrypted && !self.config.unencrypted {
            return Err(error::unencrypted(&self.key_path));
        }
        // Deliberately slow (scrypt), so it is done before the lock is taken.
        let password = encrypted.then_some(secret.as_str());
        let key = AnyPrivateKey::from_pem(&text, password).map_err(|e| error::key_file(&self.key_path, e))?;
        let mut state = self.state.write();
        if matches!(*state, State::Closed) {
            return Err(error::closed());
        }
        *state = State::Open(Arc::new(key));
        drop(state);
        self.context.log.line(LogLevel::Info, &format!("key {} is open", self.key_id.0));
        Ok(())
    }

    fn logout(&self) -> Result<()> {
        let mut state = self.state.write();
        if matches!(*state, State::Open(_)) {
            *state = State::Locked;
        }
        Ok(())
    }

    fn probe(&self) -> Health {
        self.examine().unwrap_or_else(|error| Health::red(&error))
    }

    fn close(&self) {
        *self.state.write() = State::Closed;
    }
}

fn exactly<const N: usize>(digest: &[u8]) -> Result<&[u8; N]> {
    let wrong = kouan_sm::Error::Length { what: "digest", got: digest.len(), want: N };
    digest.try_into().map_err(|_| Error::new(ErrorKind::Invalid, wrong.code(), wrong.to_string()))
}

fn warning(code: &str, text: String) -> Health {
    Health { code: Some(code.to_owned()), ..Health::yellow(text) }
}
