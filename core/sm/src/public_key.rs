//! An SM2 public key (GB/T 32918): reading it, Z, e, verification.

use crate::{Error, RawSignature, Result, Sm3};
use ::sm2::dsa::VerifyingKey;
use ::sm2::dsa::signature::hazmat::PrehashVerifier;
use ::sm2::elliptic_curve::sec1::ToSec1Point;
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

/// The SM2 user id that everybody uses unless a profile says otherwise.
pub const DEFAULT_USER_ID: &[u8] = b"1234567812345678";

/// id-ecPublicKey.
pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// The recommended SM2 curve.
pub(crate) const SM2_CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.301");

/// a, b, x and y of the generator: the part of Z that is the same for every key (GB/T 32918.5).
const CURVE_IN_Z: [u8; 128] = {
    let hex = b"fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc\
                28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93\
                32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7\
                bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0";
    let mut out = [0; 128];
    let mut at = 0;
    while at < 128 {
        out[at] = nibble(hex[2 * at]) << 4 | nibble(hex[2 * at + 1]);
        at += 1;
    }
    out
};

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    }
}

/// An SM2 public key, a point that was checked to lie on the curve; Z of the default user id is kept with it.
#[derive(Clone)]
pub struct PublicKey {
    verifying: VerifyingKey,
    point: [u8; 65],
    default_z: [u8; 32],
}

impl PublicKey {
    /// From a point: `04‖x‖y` (65 bytes), `x‖y` (64 bytes), or compressed (33 bytes).
    ///
    /// # Errors
    /// `PublicKey` if the bytes are no point of the curve.
    pub fn from_point(bytes: &[u8]) -> Result<Self> {
        let bare = bytes.len() == 64;
        let mut full = [4; 65];
        if bare {
            full[1..].copy_from_slice(bytes);
        }
        let key = ::sm2::PublicKey::from_sec1_bytes(if bare { &full } else { bytes })
            .map_err(|_| Error::PublicKey(format!("{} bytes that are no point of the sm2 curve", bytes.len())))?;
        Self::from_inner(key)
    }

    pub(crate) fn from_inner(key: ::sm2::PublicKey) -> Result<Self> {
        let unreadable = || Error::PublicKey("no affine point".into());
        let point: [u8; 65] = key.to_sec1_point(false).as_bytes().try_into().map_err(|_| unreadable())?;
        // The crate's own Z is not used: it takes user ids as text only.
        let verifying = VerifyingKey::new("", key).map_err(|_| unreadable())?;
        let default_z = z_of(DEFAULT_USER_ID, &point)?;
        Ok(Self { verifying, point, default_z })
    }

    /// From a `SubjectPublicKeyInfo`, DER.
    ///
    /// # Errors
    /// `PublicKey` if it is malformed or of another kind.
    pub fn from_spki(der: &[u8]) -> Result<Self> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|e| Error::PublicKey(e.to_string()))?;
        if !is_sm2(&info.algorithm) {
            return Err(Error::PublicKey(format!("algorithm {} is not sm2", info.algorithm.oid)));
        }
        let point = info.subject_public_key.as_bytes();
        Self::from_point(point.ok_or_else(|| Error::PublicKey("a point of broken bits".into()))?)
    }

    /// As `SubjectPublicKeyInfo`, DER.
    pub fn to_spki(&self) -> Vec<u8> {
        // SEQUENCE { SEQUENCE { id-ecPublicKey, sm2 curve }, BIT STRING point }: all lengths are fixed.
        const HEAD: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x81, 0x1c,
            0xcf, 0x55, 0x01, 0x82, 0x2d, 0x03, 0x42, 0x00,
        ];
        [&HEAD[..], &self.point].concat()
    }

    /// The point, `04‖x‖y`.
    pub fn point(&self) -> &[u8; 65] {
        &self.point
    }

    /// Z of this key under `user_id`; cached for [`DEFAULT_USER_ID`].
    ///
    /// # Errors
    /// `UserIdTooLong`.
    pub fn z(&self, user_id: &[u8]) -> Result<[u8; 32]> {
        if user_id == DEFAULT_USER_ID { Ok(self.default_z) } else { z_of(user_id, &self.point) }
    }

    /// e = SM3(Z‖message): what an SM2 signature really signs.
    ///
    /// # Errors
    /// `UserIdTooLong`.
    pub fn e(&self, user_id: &[u8], message: &[u8]) -> Result<[u8; 32]> {
        let mut hash = self.e_start(user_id)?;
        hash.update(message);
        Ok(hash.finish())
    }

    /// A hash that has taken Z and awaits the message; its digest is e.
    ///
    /// # Errors
    /// `UserIdTooLong`.
    pub fn e_start(&self, user_id: &[u8]) -> Result<Sm3> {
        let mut hash = Sm3::new();
        hash.update(&self.z(user_id)?);
        Ok(hash)
    }

    /// Verifies a signature over `message`.
    ///
    /// # Errors
    /// `SignatureInvalid`; `UserIdTooLong`.
    pub fn verify(&self, user_id: &[u8], message: &[u8], signature: &RawSignature) -> Result<()> {
        self.verify_digest(&self.e(user_id, message)?, signature)
    }

    /// Verifies a signature over the finished digest e.
    ///
    /// # Errors
    /// `SignatureInvalid`.
    pub fn verify_digest(&self, e: &[u8; 32], signature: &RawSignature) -> Result<()> {
        let signature = ::sm2::dsa::Signature::from_slice(signature.as_bytes()).map_err(|_| Error::SignatureInvalid)?;
        self.verifying.verify_prehash(e, &signature).map_err(|_| Error::SignatureInvalid)
    }

    pub(crate) fn inner(&self) -> &VerifyingKey {
        &self.verifying
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.point))
    }
}

/// Z = SM3(bits of the user id ‖ user id ‖ a ‖ b ‖ G ‖ key).
///
/// # Errors
/// `UserIdTooLong`.
pub fn z(user_id: &[u8], key: &PublicKey) -> Result<[u8; 32]> {
    key.z(user_id)
}

/// e = SM3(Z‖message).
///
/// # Errors
/// `UserIdTooLong`.
pub fn e(user_id: &[u8], key: &PublicKey, message: &[u8]) -> Result<[u8; 32]> {
    key.e(user_id, message)
}

fn z_of(user_id: &[u8], point: &[u8; 65]) -> Result<[u8; 32]> {
    let bits = user_id.len().checked_mul(8).and_then(|bits| u16::try_from(bits).ok());
    let bits = bits.ok_or(Error::UserIdTooLong(user_id.len()))?;
    let mut hash = Sm3::new();
    hash.update(&bits.to_be_bytes());
    hash.update(user_id);
    hash.update(&CURVE_IN_Z);
    hash.update(&point[1..]);
    Ok(hash.finish())
}

/// id-ecPublicKey over the SM2 curve; some issuers write the curve's own number as the algorithm.
pub(crate) fn is_sm2(algorithm: &AlgorithmIdentifierRef<'_>) -> bool {
    let own = ["1.2.156.10197.1.301", "1.2.156.10197.1.301.1", "1.2.156.10197.1.301.3"];
    if own.contains(&algorithm.oid.to_string().as_str()) {
        return true;
    }
    let curve = algorithm.parameters.and_then(|any| any.to_der().ok());
    algorithm.oid == EC_PUBLIC_KEY && curve.is_some() && curve == SM2_CURVE.to_der().ok()
}
