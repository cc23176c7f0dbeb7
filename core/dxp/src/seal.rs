//! Sealing in two steps, so that a device signs many at once: [`Unsigned`] is made, its [`request`](Unsigned::request)
//! goes to the backend, and [`seal`](Unsigned::seal) fills the signature in.

use crate::profile::{C14N, ENVELOPED};
use crate::read::is_signature;
use crate::write::{CLOSE, DECLARATION, open_envelope};
use crate::{DSIG_NAMESPACE, DXP_NAMESPACE, DxpError, DxpMsg, SignatureProfile, ValueForm, base64};
use kouan_sdk::security::{KeyId, KeyKind, SignInput, SignRequest};
use kouan_sm::{Certificate, CertificateKey, RawSignature};
use kouan_xml::c14n::{self, Comments, Part};
use kouan_xml::{Decoded, Encoding, Event, Limits, Reader, decode, escape_text};

/// A document that wants its signature.
#[derive(Debug, Clone)]
pub struct Unsigned {
    /// The document up to the signature value.
    head: Vec<u8>,
    /// What follows the signature value.
    tail: Vec<u8>,
    signed_info: Vec<u8>,
    profile: SignatureProfile,
    key: CertificateKey,
}

impl Unsigned {
    /// An envelope. One pass: what is written is canonical, so it is hashed as it stands.
    ///
    /// # Errors
    /// A missing field, a character that cannot be written, a certificate that does not fit the profile.
    pub fn envelope(
        message: &DxpMsg<'_>,
        profile: &SignatureProfile,
        certificate: &Certificate,
    ) -> Result<Self, DxpError> {
        check_fit(profile, certificate)?;
        let mut head = open_envelope(message)?;
        let mut hash = profile.digest.start();
        hash.update(&head.as_bytes()[DECLARATION.len()..]);
        hash.update(CLOSE.as_bytes());
        let inside = signed_info_inside(profile, &base64::encode(&hash.finish()));
        let signed_info =
            format!("<ds:SignedInfo xmlns=\"{DXP_NAMESPACE}\" xmlns:ds=\"{DSIG_NAMESPACE}\">{inside}</ds:SignedInfo>");
        head.push_str(&format!("<ds:Signature><ds:SignedInfo>{inside}</ds:SignedInfo><ds:SignatureValue>"));
        let tail = format!("</ds:SignatureValue>{}</ds:Signature>{CLOSE}", key_info(profile, certificate));
        Ok(Self {
            head: head.into_bytes(),
            tail: tail.into_bytes(),
            signed_info: signed_info.into_bytes(),
            profile: profile.clone(),
            key: certificate.public_key().clone(),
        })
    }

    /// Any XML document: the signature becomes the last child of its root, whose other bytes stay as they are.
    ///
    /// # Errors
    /// Not readable as XML; signed already; in UTF-16; a certificate that does not fit the profile.
    pub fn document(
        bytes: &[u8],
        limits: &Limits,
        profile: &SignatureProfile,
        certificate: &Certificate,
    ) -> Result<Self, DxpError> {
        check_fit(profile, certificate)?;
        let decoded = decode(bytes, limits)?;
        if matches!(decoded.encoding(), Encoding::Utf16Le | Encoding::Utf16Be) {
            return Err(DxpError::EncodingNotSigned(decoded.encoding().name()));
        }
        let place = Place::find(&decoded, limits)?;
        let mut hash = profile.digest.start();
        c14n::write(&decoded, limits, Part::Document, Comments::Drop, &mut |piece| hash.update(piece))?;
        let inside = signed_info_inside(profile, &base64::encode(&hash.finish()));
        let open = format!("<ds:Signature xmlns:ds=\"{DSIG_NAMESPACE}\">");
        let signed_info = format!("<ds:SignedInfo>{inside}</ds:SignedInfo>");
        let head = [&place.before, open.as_bytes(), signed_info.as_bytes(), b"<ds:SignatureValue>"].concat();
        let tail = format!("</ds:SignatureValue>{}</ds:Signature>", key_info(profile, certificate));
        let tail = [tail.as_bytes(), &place.after].concat();
        let signed_info = canonical_signed_info(&[&head[..], &tail].concat(), place.offset + open.len(), limits)?;
        let (profile, key) = (profile.clone(), certificate.public_key().clone());
        Ok(Self { head, tail, signed_info, profile, key })
    }

    /// The bytes that are signed: SignedInfo, canonical, in the context of its document.
    pub fn signed_info(&self) -> &[u8] {
        &self.signed_info
    }

    /// e = SM3(Z‖SignedInfo), for devices that take a digest; `None` for RSA.
    ///
    /// # Errors
    /// A user id that is too long.
    pub fn e(&self) -> Result<Option<[u8; 32]>, DxpError> {
        match &self.key {
            CertificateKey::Sm2(key) => Ok(Some(key.e(&self.profile.user_id, &self.signed_info)?)),
            CertificateKey::Rsa(_) => Ok(None),
        }
    }

    /// What a backend is asked.
    pub fn request<'a>(&'a self, key: &'a KeyId) -> SignRequest<'a> {
        let input = SignInput::Message(&self.signed_info);
        SignRequest { key, scheme: self.profile.scheme(), user_id: &self.profile.user_id, input }
    }

    /// Whether `signature` (raw r‖s, or the RSA block) is one by the certificate's key. Costs a verification; a device
    /// that holds another key than its certificate says is found here and not by the window.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, signature: &[u8]) -> Result<(), DxpError> {
        match &self.key {
            CertificateKey::Sm2(key) => {
                key.verify(&self.profile.user_id, &self.signed_info, &RawSignature::from_slice(signature)?)?;
            }
            CertificateKey::Rsa(key) => key.verify_sha1(&self.signed_info, signature)?,
        }
        Ok(())
    }

    /// The sealed bytes. `signature` is raw r‖s for SM2, the PKCS#1 block for RSA.
    ///
    /// # Errors
    /// A signature of the wrong length.
    pub fn seal(self, signature: &[u8]) -> Result<Vec<u8>, DxpError> {
        let want = match &self.key {
            CertificateKey::Sm2(_) => 64,
            CertificateKey::Rsa(key) => key.size(),
        };
        if signature.len() != want {
            return Err(DxpError::SignatureLength { got: signature.len(), want });
        }
        let value = match (self.profile.value, &self.key) {
            (ValueForm::Der, CertificateKey::Sm2(_)) => base64::encode(&RawSignature::from_slice(signature)?.to_der()),
            _ => base64::encode(signature),
        };
        let mut sealed = self.head;
        sealed.reserve_exact(value.len() + self.tail.len());
        sealed.extend_from_slice(value.as_bytes());
        sealed.extend_from_slice(&self.tail);
        Ok(sealed)
    }
}

/// The place before the end of the root element.
struct Place {
    /// In the text, once the signature is put in.
    offset: usize,
    /// Bytes before it.
    before: Vec<u8>,
    /// Bytes after it.
    after: Vec<u8>,
}

impl Place {
    fn find(decoded: &Decoded<'_>, limits: &Limits) -> Result<Self, DxpError> {
        let mut reader = Reader::new(decoded, limits);
        let (mut name, mut end) = (String::new(), (0, 0));
        while let Some(event) = reader.next()? {
            match event {
                Event::Start(start) if is_signature(start.namespace, start.local) => {
                    return Err(DxpError::AlreadySigned);
                }
                Event::Start(start) if start.depth == 1 => name = start.name.to_owned(),
                Event::End(tag) if tag.depth == 1 => end = (tag.offset, tag.length),
                _ => {}
            }
        }
        let bytes = decoded.original();
        let (offset, length) = end;
        let at = usize::try_from(decoded.original_offset(offset)).unwrap_or(bytes.len()).min(bytes.len());
        let (before, after) = bytes.split_at(at);
        if length > 0 {
            return Ok(Self { offset, before: before.to_vec(), after: after.to_vec() });
        }
        // An empty root gets an end tag; its name is copied as text, so it must be the same in bytes.
        if !name.is_ascii() && decoded.encoding() != Encoding::Utf8 {
            return Err(DxpError::EncodingNotSigned(decoded.encoding().name()));
        }
        let before = [before.strip_suffix(b"/>").unwrap_or(before), b">"].concat();
        let after = [b"</", name.as_bytes(), b">", after].concat();
        Ok(Self { offset: offset.saturating_sub(1), before, after })
    }
}

/// The SignedInfo at `offset` of a whole document's text, in its context.
fn canonical_signed_info(document: &[u8], offset: usize, limits: &Limits) -> Result<Vec<u8>, DxpError> {
    let roomy = Limits { max_bytes: document.len(), max_depth: limits.max_depth + 8, ..*limits };
    let decoded = decode(document, &roomy)?;
    Ok(c14n::to_vec(&decoded, &roomy, Part::Element(offset))?)
}

fn check_fit(profile: &SignatureProfile, certificate: &Certificate) -> Result<(), DxpError> {
    let key = certificate.kind();
    let fits = profile.signature.key_kind() == key && matches!(key, KeyKind::Sm2 | KeyKind::Rsa);
    if fits { Ok(()) } else { Err(DxpError::ProfileMismatch { profile: profile.name.clone(), key }) }
}

fn signed_info_inside(profile: &SignatureProfile, digest: &str) -> String {
    format!(
        "<ds:CanonicalizationMethod Algorithm=\"{C14N}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"{}\"></ds:SignatureMethod>\
         <ds:Reference URI=\"\"><ds:Transforms><ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{}\"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>",
        profile.signature.uri(),
        profile.digest.uri(),
    )
}

fn key_info(profile: &SignatureProfile, certificate: &Certificate) -> String {
    let name = escape_text(certificate.serial());
    let data = if profile.certificate {
        let der = base64::encode(certificate.der());
        format!("<ds:X509Data><ds:X509Certificate>{der}</ds:X509Certificate></ds:X509Data>")
    } else {
        String::new()
    };
    format!("<ds:KeyInfo><ds:KeyName>{name}</ds:KeyName>{data}</ds:KeyInfo>")
}
