//! What a file is, found out by asking everybody who may know.

use crate::businesses::Businesses;
use kouan_dxp::{DXP_NAMESPACE, DxpMsg, Examined, Policy, Trust, TrustState, Verification, verify_any};
use kouan_kernel::package;
use kouan_sdk::business::{Attachment, Key, Outcome, Package, Payload, Report, RootName, SignatureRequest, Signer};
use kouan_sdk::finding::has_error;
use kouan_sdk::{Business, Error, Timestamp};
use serde::Serialize;

/// How deep envelopes are opened: an envelope carries a message or a receipt, never another envelope.
const MOST_DEPTH: usize = 1;

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Message,
    Receipt,
    Envelope,
    Unknown,
}

/// Everything that was found out.
#[derive(Debug, Serialize)]
pub struct Explanation {
    pub kind: Kind,
    /// Root element; `None` if the file is no XML.
    pub root: Option<RootName>,
    /// Id of the business; of an envelope, that of its payload.
    pub business: Option<String>,
    /// Message type, receipt kind, or the envelope's `MsgType`.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    pub keys: Vec<Key>,
    /// What a receipt says of its message.
    pub outcome: Option<Outcome>,
    /// `valid`, `invalid`, `absent`; `unknown` where no certificate is at hand. The mathematics alone.
    pub signature: &'static str,
    /// `trusted`, `untrusted`; `None` without a signature.
    pub trust: Option<&'static str>,
    pub trust_why: Option<String>,
    /// Its code.
    pub trust_code: Option<&'static str>,
    /// Steps of the verification; none without a signature.
    pub steps: Vec<Step>,
    pub certificate: Option<Signatory>,
    /// SM3 of the file, hex.
    pub sm3: String,
    pub message: Option<Message>,
    pub receipt: Option<ReceiptFields>,
    pub envelope: Option<Envelope>,
    /// What could not be read, and why.
    pub problem: Option<Error>,
}

/// One step of a verification.
#[derive(Debug, Serialize)]
pub struct Step {
    pub name: &'static str,
    #[serde(skip)]
    pub name_zh: &'static str,
    pub ok: bool,
    pub expected: String,
    pub got: String,
    pub expected_zh: String,
    pub got_zh: String,
    /// The code of a failure.
    pub code: Option<&'static str>,
}

/// Who signed.
#[derive(Debug, Serialize)]
pub struct Signatory {
    pub subject: String,
    pub issuer: String,
    pub serial: String,
    pub not_before: String,
    pub not_after: String,
    pub card_number: Option<String>,
    pub method: Option<&'static str>,
}

/// What becomes of a message.
#[derive(Debug, Serialize)]
pub struct Message {
    /// Whether the gateway would send it; `kouan check` says why not.
    pub ok: bool,
    pub errors: usize,
    pub warnings: usize,
    pub is_update: bool,
    pub order_key: String,
    pub parties: Vec<Key>,
    pub parts: Vec<Part>,
    /// The message's own signature, as it would be made for a signer whose fields are still empty.
    pub to_sign: Option<ToSign>,
    /// Why it cannot be made, if the message needs one.
    pub to_sign_problem: Option<Error>,
}

/// One part and its route.
#[derive(Debug, Serialize)]
pub struct Part {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    pub receivers: Vec<String>,
    /// `None` while it waits for a key.
    pub bytes: Option<usize>,
    pub waits_for: Option<String>,
    pub expects_receipt: bool,
}

/// What a message's own signature covers.
#[derive(Debug, Serialize)]
pub struct ToSign {
    /// `raw` or `xml-dsig`.
    pub form: &'static str,
    /// The bytes of `raw` as text, the profile of `xml-dsig`.
    pub text: String,
    /// SM3 of the bytes, hex, without Z.
    pub sm3: Option<String>,
}

/// What a receipt says.
#[derive(Debug, Serialize)]
pub struct ReceiptFields {
    pub stage: String,
    pub code: String,
    pub text: String,
    pub rank: u32,
    pub is_final: bool,
    pub reopens: bool,
    pub is_client_failure: bool,
    pub noticed_at: Option<String>,
}

/// An envelope's own fields.
#[derive(Debug, Serialize)]
pub struct Envelope {
    pub id: String,
    pub sender: String,
    pub receivers: Vec<String>,
    pub created: String,
    pub file_name: String,
    pub ic_card: String,
    pub biz_keys: Vec<Key>,
    pub zipped: bool,
    pub payload_bytes: usize,
    /// The payload, explained.
    pub payload: Option<Box<Explanation>>,
}

/// What is needed to explain.
pub struct Explainer<'a> {
    pub businesses: &'a Businesses,
    pub trust: &'a Trust,
    pub at: Timestamp,
}

impl Explainer<'_> {
    /// Explains a file; a zip by its document and attachments.
    pub fn explain(&self, file_name: &str, bytes: &[u8]) -> Explanation {
        let mut explanation = match package::open(file_name, bytes, &self.businesses.limits) {
            Ok(opened) => {
                let attachments: Vec<_> =
                    opened.attachments().map(|(name, bytes)| Attachment { name, bytes }).collect();
                self.document(&opened.package(None, &attachments), 0)
            }
            Err(problem) => Explanation::unknown(problem),
        };
        explanation.sm3 = hex::encode(kouan_sm::sm3(bytes));
        explanation
    }

    fn document(&self, package: &Package<'_>, depth: usize) -> Explanation {
        // Every generation is verified; whether it is still accepted is a step of its own.
        let examined = match verify_any(package.document, &Policy::legacy(), self.trust, self.at) {
            Ok(examined) => examined,
            Err(error) => return Explanation::unknown(error.into()),
        };
        let Examined { root, verification, message } = examined;
        let mut explanation = Explanation::signed(&verification);
        if root.matches(DXP_NAMESPACE, "DxpMsg") {
            explanation.kind = Kind::Envelope;
            match message {
                Ok(message) => self.envelope(&message, &mut explanation, depth),
                Err(error) => explanation.problem = Some(error.into()),
            }
        } else {
            self.content(&root, package, &mut explanation);
        }
        explanation.sm3 = hex::encode(kouan_sm::sm3(package.document));
        explanation.root = Some(root);
        explanation
    }

    fn envelope(&self, message: &DxpMsg<'_>, explanation: &mut Explanation, depth: usize) {
        let keys = message.biz_keys.iter().filter(|key| !key.value.is_empty());
        let payload = (depth < MOST_DEPTH).then(|| {
            let name = if message.file_name.is_empty() { "payload.xml" } else { &message.file_name };
            let stem = package::stem(name);
            let package =
                Package { file_name: name, stem, form_id: None, document: &message.payload, attachments: &[] };
            Box::new(self.document(&package, depth + 1))
        });
        explanation.type_name = Some(message.message_type.clone());
        if let Some(payload) = &payload {
            explanation.business = payload.business.clone();
            explanation.keys = payload.keys.clone();
            explanation.outcome = payload.outcome;
        }
        explanation.envelope = Some(Envelope {
            id: message.cop_msg_id.clone(),
            sender: message.sender.clone(),
            receivers: message.receivers.clone(),
            created: message.created.clone(),
            file_name: message.file_name.clone(),
            ic_card: message.ic_card.clone(),
            biz_keys: keys.map(|key| Key::new(&key.name, &key.value)).collect(),
            zipped: message.zipped,
            payload_bytes: message.payload.len(),
            payload,
        });
    }

    /// A message of some business, else a receipt, else nothing that anybody here knows.
    fn content(&self, root: &RootName, package: &Package<'_>, explanation: &mut Explanation) {
        if let Some((info, _, business)) = self.businesses.sending(root) {
            let checked = business.check(package);
            // Messages and receipts of one business may share a root; what is of no type may be an answer.
            let is_untyped = checked.as_ref().is_ok_and(|report| report.message_type.is_empty());
            if is_untyped && self.receipt(root, package, explanation) {
                return;
            }
            explanation.kind = Kind::Message;
            explanation.business = Some(info.id.clone());
            explanation.problem = None;
            match checked {
                Ok(report) => self.message(business, package, report, explanation),
                Err(error) => explanation.problem = Some(error),
            }
            return;
        }
        self.receipt(root, package, explanation);
    }

    /// Whether somebody reads it as a receipt.
    fn receipt(&self, root: &RootName, package: &Package<'_>, explanation: &mut Explanation) -> bool {
        for (info, business) in self.businesses.receiving(root) {
            match business.read_receipt(package.document) {
                Ok(receipt) => {
                    explanation.kind = Kind::Receipt;
                    explanation.business = Some(info.id.clone());
                    explanation.type_name = Some(receipt.kind.clone());
                    explanation.outcome = Some(receipt.outcome);
                    explanation.receipt = Some(ReceiptFields::of(&receipt));
                    explanation.keys = receipt.keys;
                    explanation.problem = None;
                    return true;
                }
                // Who reads every root says nothing of a root that it cannot read.
                Err(error) => {
                    let names = |of: &RootName| !of.is_any() && of.matches(&root.namespace, &root.local);
                    if info.receipt_roots.iter().any(names) {
                        explanation.problem = Some(error);
                    }
                }
            }
        }
        false
    }

    fn message(&self, business: &dyn Business, package: &Package<'_>, report: Report, explanation: &mut Explanation) {
        // A plan may need what a faulty message lacks; `kouan check` says what that is.
        let parts = business.plan(package, &report, &[]).unwrap_or_default();
        let parts = parts.into_iter().map(|part| Part {
            bytes: match &part.payload {
                Payload::Bytes(bytes) => Some(bytes.len()),
                Payload::WhenKnown { .. } => None,
            },
            waits_for: match part.payload {
                Payload::Bytes(_) => None,
                Payload::WhenKnown { key } => Some(key),
            },
            name: part.name,
            type_name: part.message_type,
            receivers: part.receivers,
            expects_receipt: part.expects_receipt,
        });
        let request = business.signature_request(package.document, &Signer::default(), self.at);
        let (to_sign, to_sign_problem) = match request {
            Ok(request) => (request.map(ToSign::of), None),
            Err(error) => (None, Some(error)),
        };
        let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
        explanation.message = Some(Message {
            ok: !has_error(&report.findings),
            errors: count(kouan_sdk::Severity::Error),
            warnings: count(kouan_sdk::Severity::Warning),
            is_update: report.is_update,
            parts: parts.collect(),
            to_sign,
            to_sign_problem,
            order_key: report.order_key,
            parties: report.parties,
        });
        explanation.type_name = Some(report.message_type).filter(|id| !id.is_empty());
        explanation.keys = report.keys;
    }
}

impl Explanation {
    /// Nothing is known but what is wrong.
    fn unknown(problem: Error) -> Self {
        Self { problem: Some(problem), ..Self::blank() }
    }

    /// Nothing is known.
    fn blank() -> Self {
        Self {
            kind: Kind::Unknown,
            root: None,
            business: None,
            type_name: None,
            keys: Vec::new(),
            outcome: None,
            signature: "absent",
            trust: None,
            trust_why: None,
            trust_code: None,
            steps: Vec::new(),
            certificate: None,
            sm3: String::new(),
            message: None,
            receipt: None,
            envelope: None,
            problem: None,
        }
    }

    /// What its signature says, and nothing else yet.
    fn signed(verification: &Verification) -> Self {
        let mut explanation = Self { signature: verification.signature.name(), ..Self::blank() };
        if verification.signature == kouan_dxp::SignatureState::Absent {
            return explanation;
        }
        explanation.trust = Some("trusted");
        if let TrustState::Untrusted { code, why } = &verification.trust {
            explanation.trust = Some("untrusted");
            explanation.trust_why = Some(format!("{why} [{code}]"));
            explanation.trust_code = Some(code);
        }
        explanation.steps = verification.steps.iter().map(Step::of).collect();
        explanation.certificate = verification.certificate.as_ref().map(|certificate| Signatory {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            serial: certificate.serial().to_owned(),
            not_before: certificate.not_before().local(),
            not_after: certificate.not_after().local(),
            card_number: certificate.card_number(),
            method: verification.method.map(|method| method.uri()),
        });
        explanation
    }
}

impl Step {
    fn of(step: &kouan_dxp::Step) -> Self {
        Self {
            name: step.requirement.name(),
            name_zh: step.requirement.name_zh(),
            expected_zh: step.expected_zh().into_owned(),
            got_zh: step.got_zh().into_owned(),
            ok: step.ok,
            expected: step.expected.clone(),
            got: step.got.clone(),
            code: (!step.ok).then_some(step.code),
        }
    }
}

impl ToSign {
    fn of(request: SignatureRequest) -> Self {
        match request {
            SignatureRequest::Raw(bytes) => Self {
                form: "raw",
                text: String::from_utf8_lossy(&bytes).into_owned(),
                sm3: Some(hex::encode(kouan_sm::sm3(&bytes))),
            },
            SignatureRequest::XmlDsig { profile } => Self { form: "xml-dsig", text: profile, sm3: None },
        }
    }
}

impl ReceiptFields {
    fn of(receipt: &kouan_sdk::business::Receipt) -> Self {
        Self {
            stage: receipt.stage.clone(),
            code: receipt.code.clone(),
            text: receipt.text.clone(),
            rank: receipt.rank,
            is_final: receipt.is_final,
            reopens: receipt.reopens,
            is_client_failure: receipt.is_client_failure,
            noticed_at: receipt.noticed_at.map(Timestamp::local),
        }
    }
}
