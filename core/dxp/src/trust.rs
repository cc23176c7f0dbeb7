//! Whom we believe. Configuration says so, never the envelope.

use kouan_sdk::Timestamp;
use kouan_sdk::security::KeyKind;
use kouan_sm::{Certificate, TrustAnchors};

/// Configured certificates: issuers, and the counterparties' own where the envelope carries only a key name.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    anchors: TrustAnchors,
}

impl Trust {
    /// These certificates and no others.
    pub fn new(certificates: Vec<Certificate>) -> Self {
        Self { anchors: TrustAnchors::new(certificates) }
    }

    /// The configured certificates.
    pub fn certificates(&self) -> &[Certificate] {
        self.anchors.anchors()
    }

    /// The configured certificate with a key of `kind` whose serial number is `key_name` (hex in any case, leading zeros
    /// aside).
    pub fn by_key_name(&self, key_name: &str, kind: KeyKind) -> Option<&Certificate> {
        let plain = |text: &str| text.trim().trim_start_matches('0').to_ascii_lowercase();
        let wanted = plain(key_name);
        let mut known = self.anchors.anchors().iter();
        known.find(|known| !wanted.is_empty() && known.kind() == kind && plain(known.serial()) == wanted)
    }

    /// Whether a certificate may be believed at `at`.
    ///
    /// # Errors
    /// Not configured nor issued by a configured one; out of its time.
    pub fn check(&self, certificate: &Certificate, at: Timestamp) -> kouan_sm::Result<()> {
        self.anchors.check(certificate, at)
    }
}
