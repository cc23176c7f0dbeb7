//! Answers on their way into the store: enveloped, signed together, kept as sealed bytes.

use crate::config::{Parts, SandboxConfig};
use crate::faults::{Planned, Shipping};
use crate::wire_ids::WireIds;
use crate::{error, parallel};
use kouan_dxp::{DxpMsg, SignatureProfile, Unsigned, WireId};
use kouan_sdk::business::Key;
use kouan_sdk::security::{KeyKind, SecurityIdentity};
use kouan_sdk::{Error, ErrorKind, Result, Security, Timestamp};
use kouan_sm::{Certificate, sm3};
use rusqlite::Connection;

/// The window's signing key.
pub(crate) struct WindowKey {
    identity: SecurityIdentity,
    certificate: Certificate,
    profile: SignatureProfile,
}

impl WindowKey {
    /// The backend's signing key in force, SM2 before RSA.
    pub(crate) fn choose(security: &dyn Security, profile: &SignatureProfile) -> Result<Self> {
        let all = security.identities()?;
        let identity = all.into_iter().filter(|one| one.signs).min_by_key(|one| one.kind != KeyKind::Sm2);
        let identity = identity.ok_or_else(|| {
            let text = "the window's security backend has no key that signs";
            Error::new(ErrorKind::Config, "KOUAN-SANDBOX-NO-SIGNING-KEY", text)
        })?;
        let certificate = Certificate::from_der(&identity.certificate)?;
        let profile = match identity.kind {
            KeyKind::Sm2 => profile.clone(),
            KeyKind::Rsa => profile.clone().with_rsa_sha1(),
        };
        Ok(Self { identity, certificate, profile })
    }
}

/// What the answers of one arrival have in common.
pub(crate) struct About<'a> {
    /// Row of the arrival.
    pub(crate) arrival: i64,
    pub(crate) envelope: &'a DxpMsg<'static>,
    pub(crate) key: Option<Key>,
    pub(crate) at: Timestamp,
}

/// A receipt that wants its signature.
pub(crate) struct Draft {
    arrival: i64,
    wire_id: WireId,
    message_type: String,
    kind: String,
    key: Option<Key>,
    digest: String,
    due: Timestamp,
    faults: Vec<&'static str>,
    shipping: Shipping,
    unsigned: Unsigned,
}

/// Envelopes the answers of one arrival. The sender is who the client addressed.
pub(crate) fn draft(
    planned: Vec<Planned>,
    about: &About<'_>,
    key: &WindowKey,
    config: &SandboxConfig,
    ids: &mut WireIds,
) -> Result<Vec<Draft>> {
    let addressed = about.envelope.receivers.iter().find(|id| WireId::new(id, about.at, 0).is_ok());
    let sender = addressed.unwrap_or(&config.dxp_id);
    let one = |Planned { answer, shipping, faults }| {
        let wire_id = ids.next(sender, about.at)?;
        let due = about.at.plus_millis(i64::try_from(answer.after_ms).unwrap_or(i64::MAX));
        let receivers = vec![about.envelope.sender.clone()];
        let mut message = DxpMsg::new(&wire_id, receivers, due, &answer.message_type, &answer.payload);
        message.file_name.clone_from(&about.envelope.file_name);
        message.biz_keys = answer.biz_keys.into_iter().map(Into::into).collect();
        let unsigned = Unsigned::envelope(&message, &key.profile, &key.certificate)?;
        let kind = kouan_xml::root_name(&answer.payload).map(|root| root.local).unwrap_or_default();
        let digest = hex::encode(sm3(&answer.payload));
        let (message_type, key) = (answer.message_type, about.key.clone());
        Ok(Draft { arrival: about.arrival, wire_id, message_type, kind, key, digest, due, faults, shipping, unsigned })
    };
    planned.into_iter().map(one).collect()
}

/// Signs all drafts and keeps them, due envelopes as sealed bytes.
pub(crate) fn keep(
    drafts: Vec<Draft>,
    key: &WindowKey,
    parts: &Parts,
    config: &SandboxConfig,
    conn: &Connection,
) -> Result<()> {
    let signatures = sign(&drafts, key, parts, config.threads)?;
    for (draft, signature) in drafts.into_iter().zip(signatures) {
        let row = insert(conn, &draft)?;
        let due = draft.due;
        for body in sealed(draft, signature)? {
            conn.prepare_cached("INSERT INTO outbox (receipt, due_at, body) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| statement.execute((row, due.millis(), body)))
                .map_err(error::store("queue an answer"))?;
        }
    }
    Ok(())
}

fn sign(drafts: &[Draft], key: &WindowKey, parts: &Parts, threads: usize) -> Result<Vec<Vec<u8>>> {
    let at_once = key.identity.max_batch.max(1);
    let requests: Vec<_> = drafts.iter().map(|draft| draft.unsigned.request(&key.identity.key)).collect();
    // A card signs one after the other, whoever asks.
    let (threads, share) = match at_once {
        1 => (1, 1),
        most => (threads, most.min(32)),
    };
    let shares: Vec<_> = requests.chunks(share).collect();
    let signed = parallel::map(&shares, threads, |share| parts.security.sign(share));
    let signatures = signed.into_iter().flatten().collect::<Result<Vec<_>>>()?;
    if signatures.len() != drafts.len() {
        let text = format!("{} signatures for {} answers", signatures.len(), drafts.len());
        return Err(Error::new(ErrorKind::Unavailable, "KOUAN-SANDBOX-SIGNATURES-MISSING", text));
    }
    Ok(signatures)
}

/// The envelopes to send, as often as they are to be sent.
fn sealed(draft: Draft, mut signature: Vec<u8>) -> Result<Vec<Vec<u8>>> {
    if let (Shipping::WronglySigned, Some(last)) = (draft.shipping, signature.last_mut()) {
        *last ^= 1;
    }
    let mut body = draft.unsigned.seal(&signature)?;
    Ok(match draft.shipping {
        Shipping::Never => Vec::new(),
        Shipping::Once | Shipping::WronglySigned => vec![body],
        Shipping::Twice => vec![body.clone(), body],
        Shipping::Truncated(share) => {
            // At least one byte stays, and at least one goes.
            let length = (body.len() as f64 * share) as usize;
            body.truncate(length.clamp(1, body.len().saturating_sub(1).max(1)));
            vec![body]
        }
    })
}

fn insert(conn: &Connection, draft: &Draft) -> Result<i64> {
    let (key_name, key) = draft.key.as_ref().map(|key| (&key.name, &key.value)).unzip();
    let must_arrive = matches!(draft.shipping, Shipping::Once | Shipping::Twice);
    conn.prepare_cached(
        "INSERT INTO receipt (arrival, wire_id, message_type, kind, key_name, key, digest, due_at, must_arrive, faults)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )
    .and_then(|mut statement| {
        statement.insert((
            draft.arrival,
            draft.wire_id.as_str(),
            &draft.message_type,
            &draft.kind,
            key_name,
            key,
            &draft.digest,
            draft.due.millis(),
            must_arrive,
            draft.faults.join(" "),
        ))
    })
    .map_err(error::store("keep a receipt"))
}
