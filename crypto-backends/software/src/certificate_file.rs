//! The certificate on disk, read anew when its bytes change.

use crate::{error, files};
use kouan_sdk::{Result, Timestamp};
use kouan_sm::Certificate;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;

/// A certificate is called soon to expire within this many days.
const EXPIRY_WARNING_DAYS: i64 = 30;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The certificate file, and what it held when last looked at.
pub(crate) struct CertificateFile {
    path: PathBuf,
    last: Mutex<Option<(String, Arc<Certificate>)>>,
}

impl CertificateFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, last: Mutex::new(None) }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// What the file holds now. The bytes are compared, not the time: a replaced file may carry an old time.
    pub(crate) fn now(&self) -> Result<Arc<Certificate>> {
        let text = files::read("certificate", &self.path)?;
        let mut last = self.last.lock();
        if let Some((_, certificate)) = last.as_ref().filter(|(known, _)| *known == *text) {
            return Ok(certificate.clone());
        }
        let certificate = Arc::new(Certificate::from_pem(&text).map_err(|e| error::certificate(&self.path, &e))?);
        *last = Some((text.to_string(), certificate.clone()));
        Ok(certificate)
    }

    /// What the file held when last looked at; looks if nobody did yet. Signing uses this, so that a batch is signed for
    /// the certificate that was handed out, without a file access.
    pub(crate) fn known(&self) -> Result<Arc<Certificate>> {
        let known = self.last.lock().as_ref().map(|(_, certificate)| certificate.clone());
        known.map_or_else(|| self.now(), Ok)
    }
}

/// Whether its time ends soon.
pub(crate) fn expires_soon(certificate: &Certificate, now: Timestamp) -> bool {
    now.plus_millis(EXPIRY_WARNING_DAYS * DAY_MILLIS) > certificate.not_after()
}
