//! Whom we believe: certificates that are configured as anchors, or were signed by one.

use crate::{Certificate, Error, Result};
use kouan_sdk::Timestamp;

/// The configured anchors (信任锚).
#[derive(Debug, Clone, Default)]
pub struct TrustAnchors {
    anchors: Vec<Certificate>,
}

impl TrustAnchors {
    /// These anchors and no others.
    pub fn new(anchors: Vec<Certificate>) -> Self {
        Self { anchors }
    }

    /// The anchors.
    pub fn anchors(&self) -> &[Certificate] {
        &self.anchors
    }

    /// Whether `certificate` may be believed at the moment `at`: it is an anchor itself, or an anchor signed it; both in
    /// their time. One step only: who has an issuer in between configures that one as an anchor.
    ///
    /// # Errors
    /// `Untrusted`; `Expired` or `NotYetValid`, of the certificate or its issuer.
    pub fn check(&self, certificate: &Certificate, at: Timestamp) -> Result<()> {
        certificate.check_time(at)?;
        if self.anchors.iter().any(|anchor| anchor.der() == certificate.der()) {
            return Ok(());
        }
        let mut best = Error::Untrusted(certificate.issuer().to_owned());
        for anchor in self.anchors.iter().filter(|anchor| anchor.is_ca() != Some(false)) {
            match certificate.verify_signed_by(anchor).and_then(|()| anchor.check_time(at)) {
                Ok(()) => return Ok(()),
                // The name fits another anchor, or none.
                Err(Error::Untrusted(_)) => {}
                Err(nearer) => best = nearer,
            }
        }
        Err(best)
    }
}
