//! What can be wrong with an envelope, each with its own code.

use kouan_sdk::ErrorKind;
use kouan_xml::{Place, XmlError};

/// An error of this room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DxpError {
    /// Not readable as XML.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// A key or certificate is at fault.
    #[error(transparent)]
    Sm(#[from] kouan_sm::Error),
    /// The root is another element.
    #[error("root element {{{namespace}}}{local} is not a DxpMsg")]
    NotDxpMsg {
        /// Its namespace.
        namespace: String,
        /// Its local name.
        local: String,
    },
    /// A field that must be there is not, or is empty.
    #[error("field {0} is missing or empty")]
    FieldMissing(&'static str),
    /// A field stands twice.
    #[error("field {name} stands twice (line {}, column {})", place.line, place.column)]
    FieldTwice {
        /// The field.
        name: String,
        /// Where the second one stands.
        place: Place,
    },
    /// A field whose value is wrong.
    #[error("field {name} is wrong: {why}")]
    FieldInvalid {
        /// The field.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// Text that is not base64.
    #[error("{name} is not base64: {why} (line {}, column {})", place.line, place.column)]
    BadBase64 {
        /// The field.
        name: &'static str,
        /// What is wrong with it.
        why: String,
        /// Where.
        place: Place,
    },
    /// A payload that does not unpack.
    #[error("payload does not unpack: {0}")]
    BadGzip(String),
    /// A payload that unpacks to more than is taken.
    #[error("payload unpacks to more than {0} bytes")]
    PayloadTooBig(usize),
    /// No wire id.
    #[error("`{text}` is no wire id: {why}")]
    BadWireId {
        /// As given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The certificate's key cannot sign by this profile.
    #[error("profile {profile} does not fit a certificate with a key of kind {key:?}")]
    ProfileMismatch {
        /// The profile.
        profile: String,
        /// What the certificate holds.
        key: kouan_sdk::security::KeyKind,
    },
    /// A signature that cannot be filled in.
    #[error("signature value of {got} bytes, expected {want}")]
    SignatureLength {
        /// Its length.
        got: usize,
        /// What the scheme gives.
        want: usize,
    },
    /// The document to be signed already has a Signature.
    #[error("the document already has a signature")]
    AlreadySigned,
    /// A document in an encoding into which no signature can be put.
    #[error("a document in {0} cannot be signed")]
    EncodingNotSigned(&'static str),
}

impl DxpError {
    /// The stable code; a key of the catalogue.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(error) => error.code(),
            Self::Sm(error) => error.code(),
            Self::NotDxpMsg { .. } => "KOUAN-DXP-NOT-DXPMSG",
            Self::FieldMissing(_) => "KOUAN-DXP-FIELD-MISSING",
            Self::FieldTwice { .. } => "KOUAN-DXP-FIELD-TWICE",
            Self::FieldInvalid { .. } => "KOUAN-DXP-FIELD-INVALID",
            Self::BadBase64 { .. } => "KOUAN-DXP-BAD-BASE64",
            Self::BadGzip(_) => "KOUAN-DXP-BAD-GZIP",
            Self::PayloadTooBig(_) => "KOUAN-DXP-PAYLOAD-TOO-BIG",
            Self::BadWireId { .. } => "KOUAN-DXP-BAD-WIRE-ID",
            Self::ProfileMismatch { .. } => "KOUAN-DXP-PROFILE-MISMATCH",
            Self::SignatureLength { .. } => "KOUAN-DXP-SIGNATURE-LENGTH",
            Self::AlreadySigned => "KOUAN-DXP-ALREADY-SIGNED",
            Self::EncodingNotSigned(_) => "KOUAN-DXP-ENCODING-NOT-SIGNED",
        }
    }
}

impl From<DxpError> for kouan_sdk::Error {
    fn from(error: DxpError) -> Self {
        match error {
            DxpError::Xml(error) => error.into(),
            DxpError::Sm(error) => error.into(),
            other => Self::new(ErrorKind::Invalid, other.code(), other.to_string()),
        }
    }
}
