//! Sealing: from a part that is due to the bytes that leave. Signatures are asked for in batches; what cannot be sealed
//! is held with the reason, and never sent under another identity or with other bytes than before.

use crate::core::Core;
use crate::identity::{Identity, SigningKey, out_of_date};
use crate::package;
use crate::parallel;
use kouan_dxp::{BizKey, DxpMsg, SignatureProfile, Unsigned, WireId};
use kouan_journal::model::{DuePart, Reason, Sealed};
use kouan_sdk::business::{Payload, SignatureRequest};
use kouan_sdk::finding::{self, Severity};
use kouan_sdk::security::{KeyKind, Scheme, SignInput, SignRequest};
use kouan_sdk::{Error, ErrorKind, Result, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What leaves, and the payload if it was made only now.
pub struct Sealing {
    /// The envelope.
    pub sealed: Sealed,
    /// A payload that the journal does not have yet: planned late, or with the message's own signature filled in.
    pub payload: Option<Vec<u8>>,
}

/// Why a part does not leave.
pub enum Held {
    /// Somebody must look; parked with this reason.
    Park(Reason),
    /// Its identity cannot sign now; it stays ready.
    IdentityBlocked(Error),
}

/// A batch, sorted into what leaves and what is held.
#[derive(Default)]
pub struct Sealings {
    /// Leaves, in the order given.
    pub ready: Vec<(DuePart, Sealing)>,
    /// Stays.
    pub held: Vec<(DuePart, Held)>,
}

/// A part on its way to its envelope.
struct Draft {
    part: DuePart,
    payload: Option<Vec<u8>>,
    identity: Arc<Identity>,
    key: SigningKey,
    /// Sealed bytes of an earlier attempt that leave again as they are.
    again: Option<Sealed>,
}

/// Seals a batch.
pub fn seal(core: &Core, due: Vec<DuePart>) -> Sealings {
    let mut sealings = Sealings::default();
    let mut keys = BTreeMap::new();
    let mut drafts = Vec::with_capacity(due.len());
    for part in due {
        match draft(core, &mut keys, &part) {
            Ok((payload, identity, key, again)) => drafts.push(Draft { part, payload, identity, key, again }),
            Err(held) => sealings.held.push((part, held)),
        }
    }
    let now = core.clock.now();
    let results = sign_all(core, now, &drafts);
    for (draft, result) in drafts.into_iter().zip(results) {
        match result {
            Ok(sealed) => sealings.ready.push((draft.part, Sealing { sealed, payload: draft.payload })),
            Err(held) => sealings.held.push((draft.part, held)),
        }
    }
    sealings
}

type Keys = BTreeMap<String, std::result::Result<SigningKey, Error>>;
type Drafted = (Option<Vec<u8>>, Arc<Identity>, SigningKey, Option<Sealed>);

/// Identity, key, payload, and whether earlier bytes leave again.
fn draft(core: &Core, keys: &mut Keys, part: &DuePart) -> std::result::Result<Drafted, Held> {
    let identity = core.identities.by_dxp_id(&part.identity).cloned().ok_or_else(|| {
        Held::Park(Reason::new("KOUAN-KERNEL-IDENTITY-GONE", format!("identity {} is not configured", part.identity)))
    })?;
    let key = keys
        .entry(part.identity.clone())
        .or_insert_with(|| usable_key(core, &identity))
        .clone()
        .map_err(Held::IdentityBlocked)?;
    let again = again(part, &key)?;
    let payload = if again.is_some() { None } else { late_payload(core, part, &identity, &key)? };
    Ok((payload, identity, key, again))
}

fn usable_key(core: &Core, identity: &Identity) -> std::result::Result<SigningKey, Error> {
    let key = identity.refresh()?;
    match out_of_date(&key.certificate, &*core.clock) {
        Some(error) => Err(error),
        None => Ok(key),
    }
}

/// The bytes of an earlier attempt, if they must or may leave again. Bytes sealed with a certificate that was replaced
/// since are made anew only while every attempt failed safely.
fn again(part: &DuePart, key: &SigningKey) -> std::result::Result<Option<Sealed>, Held> {
    match &part.sealed {
        Some(sealed) if sealed.certificate_serial == key.certificate.serial() => Ok(Some(sealed.clone())),
        Some(sealed) if !part.state.may_reseal() => Err(Held::Park(Reason::new(
            "KOUAN-KERNEL-CERT-REPLACED-IN-DOUBT",
            format!("sealed with certificate {}, now {}", sealed.certificate_serial, key.certificate.serial()),
        ))),
        _ => Ok(None),
    }
}

/// A payload that the journal does not have yet.
fn late_payload(
    core: &Core,
    part: &DuePart,
    identity: &Identity,
    key: &SigningKey,
) -> std::result::Result<Option<Vec<u8>>, Held> {
    let park = |error: Error| Held::Park(Reason::from(&error));
    if part.waits_for.is_some() {
        return planned_late(core, part).map(Some).map_err(park);
    }
    // The document's own signature is made once, before the first attempt; from then on it is the payload.
    if part.index == 0 && part.state.attempts == 0 && part.sealed.is_none() {
        return own_signature(core, part, identity, key);
    }
    Ok(None)
}

fn planned_late(core: &Core, part: &DuePart) -> Result<Vec<u8>> {
    let (original, report) = core.journal.original(part.message)?;
    let message = &original.message;
    let opened = package::open(&message.file_name, &message.body, &crate::check::limits(core))?;
    let attachments = crate::check::attachments(&opened);
    let form_id = kouan_sdk::transport::header_value(&message.headers, kouan_sdk::transport::header::FORM_ID);
    let package = opened.package(form_id, &attachments);
    let slot = core.business(&part.business).ok_or_else(|| unplanned("its business is not configured"))?;
    let plans = slot.plugin.plan(&package, &report, &part.known_keys)?;
    match plans.into_iter().nth(part.index).map(|plan| plan.payload) {
        Some(Payload::Bytes(bytes)) => Ok(bytes.into_owned()),
        _ => Err(unplanned("the business still gives no payload")),
    }
}

fn unplanned(why: &str) -> Error {
    Error::new(ErrorKind::Internal, "KOUAN-KERNEL-PAYLOAD-UNPLANNED", why)
}

/// The message with its own signature (DecSign) filled in and judged again, or `None` if it carries none.
fn own_signature(
    core: &Core,
    part: &DuePart,
    identity: &Identity,
    key: &SigningKey,
) -> std::result::Result<Option<Vec<u8>>, Held> {
    let Some(slot) = core.business(&part.business) else { return Ok(None) };
    let park = |error: Error| Held::Park(Reason::from(&error));
    let (signer, now) = (identity.signer(key), core.clock.now());
    let Some(request) = slot.plugin.signature_request(&part.payload, &signer, now).map_err(park)? else {
        return Ok(None);
    };
    let signed = match request {
        SignatureRequest::Raw(bytes) => {
            let signature = sign_one(identity, key, &bytes).map_err(Held::IdentityBlocked)?;
            slot.plugin.with_signature(&part.payload, &signer, now, &signature).map_err(park)?
        }
        SignatureRequest::XmlDsig { profile } => {
            let profile = SignatureProfile::named(&profile).ok_or_else(|| {
                park(Error::new(
                    ErrorKind::Config,
                    "KOUAN-KERNEL-SIGNED-INVALID",
                    format!("no signature profile is called {profile}"),
                ))
            })?;
            let dxp = |error: kouan_dxp::DxpError| park(error.into());
            let unsigned =
                Unsigned::document(&part.payload, &kouan_dxp::limits(), &profile, &key.certificate).map_err(dxp)?;
            let signature = sign_one(identity, key, unsigned.signed_info()).map_err(Held::IdentityBlocked)?;
            unsigned.seal(&signature).map_err(dxp)?
        }
    };
    judge_signed(slot, part, &signed).map_err(park)?;
    Ok(Some(signed))
}

fn sign_one(identity: &Identity, key: &SigningKey, bytes: &[u8]) -> Result<Vec<u8>> {
    let request = SignRequest {
        key: &key.identity.key,
        scheme: scheme(key),
        user_id: kouan_sm::DEFAULT_USER_ID,
        input: SignInput::Message(bytes),
    };
    identity.security.sign(&[request]).pop().unwrap_or_else(|| Err(no_answer()))
}

/// Fields that the client filled in obey the business's rules, too.
fn judge_signed(slot: &crate::core::BusinessSlot, part: &DuePart, signed: &[u8]) -> Result<()> {
    let package = kouan_sdk::business::Package {
        file_name: &part.file_name,
        stem: package::stem(&part.file_name),
        form_id: Some(&part.message_type),
        document: signed,
        attachments: &[],
    };
    let report = slot.plugin.check(&package)?;
    // What the dropped file was let through with (observe, attachments beside it) is not asked again.
    let sign = |finding: &&finding::Finding| finding.xpath.contains("Sign") && finding.severity == Severity::Error;
    match report.findings.iter().find(sign) {
        Some(finding) => {
            let text = format!("{}: {}", finding.rule, finding.message_en);
            Err(Error::new(ErrorKind::Invalid, "KOUAN-KERNEL-SIGNED-INVALID", text))
        }
        None => Ok(()),
    }
}

/// One sealed envelope for each draft, in order.
fn sign_all(core: &Core, now: Timestamp, drafts: &[Draft]) -> Vec<std::result::Result<Sealed, Held>> {
    if core.window.capabilities().seals_itself {
        return drafts.iter().map(|draft| Ok(plain(draft))).collect();
    }
    let unsigned = parallel::map(drafts, |draft| match &draft.again {
        Some(_) => Ok(None),
        None => envelope(core, now, draft).map(Some),
    });
    let mut signatures = signatures(drafts, &unsigned);
    let mut sealed = Vec::with_capacity(drafts.len());
    for ((index, draft), unsigned) in drafts.iter().enumerate().zip(unsigned) {
        sealed.push(match (&draft.again, unsigned) {
            (Some(again), _) => Ok(again.clone()),
            (None, Ok(Some(unsigned))) => finish(draft, unsigned, signatures.remove(&index)),
            (None, Ok(None)) => Err(Held::Park(Reason::from(&no_answer()))),
            (None, Err(error)) => Err(Held::Park(Reason::from(&error))),
        });
    }
    sealed
}

/// For a window that signs and seals by itself, the payload leaves as it is.
fn plain(draft: &Draft) -> Sealed {
    let bytes = draft.payload.as_deref().unwrap_or(&draft.part.payload);
    Sealed { bytes: Arc::from(bytes), certificate_serial: draft.key.certificate.serial().to_owned() }
}

fn envelope(core: &Core, now: Timestamp, draft: &Draft) -> Result<Unsigned> {
    let part = &draft.part;
    let wire_id = WireId::parse(&part.wire_id)?;
    let payload = draft.payload.as_deref().unwrap_or(&part.payload);
    let mut message = DxpMsg::new(&wire_id, part.receivers.clone(), now, &part.message_type, payload);
    message.zipped = core.config.window.gzip;
    message.file_name.clone_from(&part.file_name);
    message.ic_card = draft.identity.signer(&draft.key).card_number;
    message.biz_keys = part.biz_keys.iter().cloned().map(BizKey::from).collect();
    Ok(Unsigned::envelope(&message, &profile(&draft.key), &draft.key.certificate)?)
}

fn profile(key: &SigningKey) -> SignatureProfile {
    match key.identity.kind {
        KeyKind::Rsa => SignatureProfile::transport().with_rsa_sha1(),
        KeyKind::Sm2 => SignatureProfile::transport(),
    }
}

fn scheme(key: &SigningKey) -> Scheme {
    match key.identity.kind {
        KeyKind::Rsa => Scheme::RsaSha1,
        KeyKind::Sm2 => Scheme::Sm2Sm3,
    }
}

/// Asks each identity's device, in batches of the size that it takes; a device that takes many is asked on all cores.
fn signatures(drafts: &[Draft], unsigned: &[Result<Option<Unsigned>>]) -> BTreeMap<usize, Result<Vec<u8>>> {
    let mut wanted: BTreeMap<&str, Vec<(usize, &Draft, &Unsigned)>> = BTreeMap::new();
    for (index, (draft, unsigned)) in drafts.iter().zip(unsigned).enumerate() {
        if let Ok(Some(unsigned)) = unsigned {
            wanted.entry(&draft.part.identity).or_default().push((index, draft, unsigned));
        }
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut signed = BTreeMap::new();
    for requests in wanted.into_values() {
        let Some((_, first, _)) = requests.first() else { continue };
        let (identity, key) = (&first.identity, &first.key);
        let largest = key.identity.max_batch.max(1);
        let chunk = requests.len().div_ceil(cores).clamp(1, largest);
        let ask = |chunk: &&[(usize, &Draft, &Unsigned)]| {
            let batch: Vec<_> = chunk.iter().map(|(_, _, unsigned)| unsigned.request(&key.identity.key)).collect();
            let mut answers = identity.security.sign(&batch).into_iter();
            let answer = |(index, _, _): &(usize, &Draft, &Unsigned)| {
                (*index, answers.next().unwrap_or_else(|| Err(no_answer())))
            };
            chunk.iter().map(answer).collect::<Vec<_>>()
        };
        let chunks: Vec<_> = requests.chunks(chunk).collect();
        // A card takes one at a time, from one thread.
        let answers = if largest == 1 { chunks.iter().map(ask).collect() } else { parallel::map_each(&chunks, ask) };
        signed.extend(answers.into_iter().flatten());
    }
    signed
}

fn finish(draft: &Draft, unsigned: Unsigned, signature: Option<Result<Vec<u8>>>) -> std::result::Result<Sealed, Held> {
    let signature = signature.unwrap_or_else(|| Err(no_answer())).map_err(Held::IdentityBlocked)?;
    let bytes = unsigned.seal(&signature).map_err(|error| Held::IdentityBlocked(error.into()))?;
    Ok(Sealed { bytes: bytes.into(), certificate_serial: draft.key.certificate.serial().to_owned() })
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Internal, "KOUAN-KERNEL-NO-SIGNATURE", "the security backend gave no answer for this message")
}
