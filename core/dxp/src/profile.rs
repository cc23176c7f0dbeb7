//! How a signature is written: one profile a message family, because the field knows several dialects
//! (`domain/goods-declaration.md` §4.2, §4.2b).

use kouan_sdk::security::{KeyKind, Scheme};

/// Inclusive canonical XML 1.0 without comments; the only one that is used.
pub(crate) const C14N: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
/// The enveloped-signature transform.
pub(crate) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// A signature method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureMethod {
    /// SM2 with SM3 under the name that customs gave it in 2022.
    Sm2Sm3,
    /// The same under a name of the old namespace, as some e-commerce programs write it.
    Sm2Sm3OldName,
    /// RSA PKCS#1 v1.5 with SHA-1, of cards issued before 2022-05.
    RsaSha1,
}

/// A digest method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestMethod {
    /// SM3 under the name that customs gave it in 2022.
    Sm3,
    /// The same under a name of the old namespace.
    Sm3OldName,
    /// SHA-1.
    Sha1,
}

/// How an SM2 signature is written into SignatureValue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueForm {
    /// r‖s, 64 bytes; what real cards write.
    Raw,
    /// DER.
    Der,
}

/// How to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureProfile {
    /// Its name in configuration.
    pub name: String,
    /// Signature method.
    pub signature: SignatureMethod,
    /// Digest method.
    pub digest: DigestMethod,
    /// Whether the certificate goes along in X509Data. KeyName is always written.
    pub certificate: bool,
    /// Form of an SM2 value.
    pub value: ValueForm,
    /// SM2 user id.
    pub user_id: Vec<u8>,
}

impl SignatureProfile {
    /// The envelope's own signature: SM2/SM3, KeyName only.
    pub fn transport() -> Self {
        Self {
            name: "transport".into(),
            signature: SignatureMethod::Sm2Sm3,
            digest: DigestMethod::Sm3,
            certificate: false,
            value: ValueForm::Raw,
            user_id: kouan_sm::DEFAULT_USER_ID.to_vec(),
        }
    }

    /// A business message's own signature: as the envelope's, with the certificate.
    pub fn business() -> Self {
        Self { name: "business".into(), certificate: true, ..Self::transport() }
    }

    /// This profile with the algorithms of a legacy RSA card.
    #[must_use]
    pub fn with_rsa_sha1(mut self) -> Self {
        (self.signature, self.digest) = (SignatureMethod::RsaSha1, DigestMethod::Sha1);
        self
    }

    /// A profile by the name that configuration uses: `transport`, `business`, `transport-rsa`, `business-rsa`.
    pub fn named(name: &str) -> Option<Self> {
        let profile = match name {
            "transport" => Self::transport(),
            "business" => Self::business(),
            "transport-rsa" => Self::transport().with_rsa_sha1(),
            "business-rsa" => Self::business().with_rsa_sha1(),
            _ => return None,
        };
        Some(Self { name: name.into(), ..profile })
    }

    /// How a backend has to sign.
    pub fn scheme(&self) -> Scheme {
        match self.signature {
            SignatureMethod::RsaSha1 => Scheme::RsaSha1,
            SignatureMethod::Sm2Sm3 | SignatureMethod::Sm2Sm3OldName => Scheme::Sm2Sm3,
        }
    }
}

impl SignatureMethod {
    /// All that are known.
    pub const ALL: [Self; 3] = [Self::Sm2Sm3, Self::Sm2Sm3OldName, Self::RsaSha1];

    /// Its URI.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Sm2Sm3 => "http://www.chinaport.gov.cn/2022/04/xmldsig#sm2-sm3",
            Self::Sm2Sm3OldName => "http://www.w3.org/2000/09/xmldsig#sm2-sm3",
            Self::RsaSha1 => "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        }
    }

    /// The method of a URI.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.uri() == uri)
    }

    /// The kind of key that it needs.
    pub fn key_kind(self) -> KeyKind {
        match self {
            Self::Sm2Sm3 | Self::Sm2Sm3OldName => KeyKind::Sm2,
            Self::RsaSha1 => KeyKind::Rsa,
        }
    }
}

impl DigestMethod {
    /// All that are known.
    pub const ALL: [Self; 3] = [Self::Sm3, Self::Sm3OldName, Self::Sha1];

    /// Its URI.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Sm3 => "http://www.chinaport.gov.cn/2022/04/xmldsig#sm3",
            Self::Sm3OldName => "http://www.w3.org/2000/09/xmldsig#sm3",
            Self::Sha1 => "http://www.w3.org/2000/09/xmldsig#sha1",
        }
    }

    /// The method of a URI.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.uri() == uri)
    }

    pub(crate) fn start(self) -> Hash {
        match self {
            Self::Sm3 | Self::Sm3OldName => Hash::Sm3(kouan_sm::Sm3::new()),
            Self::Sha1 => Hash::Sha1(kouan_sm::Sha1::new()),
        }
    }
}

/// A running hash.
pub(crate) enum Hash {
    Sm3(kouan_sm::Sm3),
    Sha1(kouan_sm::Sha1),
}

impl Hash {
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sm3(hash) => hash.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        match self {
            Self::Sm3(hash) => hash.finish().to_vec(),
            Self::Sha1(hash) => hash.finish().to_vec(),
        }
    }
}
