//! The business's side of the sandbox: what a Single Window answers to declarations and attachments. It gives numbers,
//! remembers them, and walks a declaration through its CHANNELs.

use crate::data::{Channels, Data};
use crate::edoc;
use crate::facts::{ATTACHMENT, DECLARATION, is_declared, key};
use crate::refusal::{Response, document};
use crate::script::{Notice, Way};
use kouan_declarative::Tree;
use kouan_sdk::business::Key;
use kouan_sdk::simulator::{Answer, Arrived, Effect, Script, Simulator, StateStore};
use kouan_sdk::{Error, ErrorKind, Result, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The simulator.
pub(crate) struct Window {
    pub(crate) data: Arc<Data>,
}

/// What the window keeps of a declaration, under `client/<ClientSeqNo>` and `number/<SeqNo>`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Record {
    client_seq_no: String,
    seq_no: String,
    entry_id: String,
}

/// What the window reads of a declaration.
struct Declaration {
    oper_type: String,
    client_seq_no: String,
    seq_no: String,
    entry_id: String,
    is_import: bool,
    customs: String,
    ie_date: String,
    /// OperType C or D without Sign.
    lacks_signature: bool,
}

impl Declaration {
    fn read(payload: &[u8]) -> Result<Self> {
        let unreadable = |why: String| Error::new(ErrorKind::Invalid, "KOUAN-DEC-UNREADABLE", why);
        let tree = Tree::read(payload).map_err(|e| unreadable(format!("the declaration cannot be read: {e}")))?;
        if tree.root() != "DecMessage" {
            return Err(unreadable(format!("the root is {}, not DecMessage", tree.root())));
        }
        let head = |field| tree.value(&["DecHead", field]).to_owned();
        let sign = |field| tree.value(&["DecSign", field]).to_owned();
        let oper_type = sign("OperType");
        Ok(Self {
            lacks_signature: is_declared(&oper_type) && (sign("Sign").is_empty() || sign("SignDate").is_empty()),
            oper_type,
            client_seq_no: sign(key::CLIENT_SEQ_NO),
            seq_no: head(key::SEQ_NO),
            entry_id: head(key::ENTRY_ID),
            is_import: head("IEFlag") != "E",
            customs: head("CustomMaster"),
            ie_date: head("IEDate"),
        })
    }

    /// SeqNo for an update, else ClientSeqNo.
    fn effect_key(&self) -> Option<Key> {
        [(key::SEQ_NO, &self.seq_no), (key::CLIENT_SEQ_NO, &self.client_seq_no)]
            .into_iter()
            .find(|(_, value)| !value.is_empty())
            .map(|(name, value)| Key::new(name, value.clone()))
    }

    /// What any window would refuse, whatever the scenario says.
    fn fault(&self) -> Option<&'static str> {
        match self {
            Self { client_seq_no, .. } if client_seq_no.is_empty() => Some("客户端报关单编号不能为空"),
            Self { lacks_signature: true, .. } => Some("数字签名信息或签名日期为空，不能申报"),
            _ => None,
        }
    }
}

impl Simulator for Window {
    fn repeat_key(&self, arrived: &Arrived<'_>) -> Result<Option<Key>> {
        match arrived.message_type {
            ATTACHMENT => Ok(None),
            // What cannot be read has no effect that could be repeated; `take` answers it.
            _ => Ok(Declaration::read(arrived.payload).ok().and_then(|declaration| declaration.effect_key())),
        }
    }

    /// An attachment without its trailer.
    fn content<'a>(&self, arrived: &Arrived<'a>) -> &'a [u8] {
        match arrived.message_type {
            ATTACHMENT => edoc::read(arrived.payload)
                .ok()
                .and_then(|info| arrived.payload.get(..info.file_bytes))
                .unwrap_or(arrived.payload),
            _ => arrived.payload,
        }
    }

    /// Under a number that the window gave, a declaration is changed, as often as it is returned (退回修改); a client
    /// number is given once.
    fn changes(&self, key: &Key) -> bool {
        key.name == key::SEQ_NO
    }

    fn check_script(&self, script: &Script) -> Result<()> {
        Way::read(script, &self.data.channels).map(drop)
    }

    fn take(&self, store: &mut dyn StateStore, arrived: &Arrived<'_>, script: &Script) -> Result<Effect> {
        match arrived.message_type {
            ATTACHMENT => take_attachment(store, arrived),
            DECLARATION => self.take_declaration(store, arrived, script),
            other => {
                let message = format!("the goods declaration has no message type {other}");
                Err(Error::new(ErrorKind::Invalid, "KOUAN-DEC-MESSAGE-TYPE", message))
            }
        }
    }

    fn known_already(&self, store: &dyn StateStore, arrived: &Arrived<'_>, key: &Key) -> Result<Vec<Answer>> {
        let declaration = Declaration::read(arrived.payload)?;
        let by_client = load(store, &by_client(&declaration.client_seq_no))?;
        let text = match (key.name.as_str(), by_client) {
            (key::SEQ_NO, _) => format!("统一编号[{}]已存在，请勿重复导入", key.value),
            (_, Some(record)) => {
                format!("客户端报关单编号[{}]已存在，对应的统一编号为[{}]", key.value, record.seq_no)
            }
            (_, None) => format!("客户端报关单编号[{}]已存在", key.value),
        };
        let seq_no = if key.name == key::SEQ_NO { key.value.as_str() } else { "" };
        Ok(vec![answer(response(1, &text, &declaration.client_seq_no, seq_no), 0)])
    }
}

impl Window {
    fn take_declaration(&self, store: &mut dyn StateStore, arrived: &Arrived<'_>, script: &Script) -> Result<Effect> {
        let way = Way::read(script, &self.data.channels)?;
        let declaration = match Declaration::read(arrived.payload) {
            Ok(declaration) => declaration,
            Err(_) => return Ok(refused(&response(1, "报文格式错误，无法解析", "", ""))),
        };
        let own = |text| refused(&response(1, text, &declaration.client_seq_no, &declaration.seq_no));
        if let Some(fault) = declaration.fault() {
            return Ok(own(fault));
        }
        let notices = match way {
            Way::Refuse(text) if text.is_empty() => return Ok(own("导入失败")),
            Way::Refuse(text) => return Ok(own(&text)),
            Way::Accept(notices) => notices,
        };
        let record =
            number(store, &declaration, arrived.at, notices.iter().any(|notice| has_entry_id(&notice.channel)))?;
        Ok(Effect {
            effect_key: declaration.effect_key(),
            answers: self.answers(&declaration, &record, &notices, arrived.at, script),
        })
    }

    fn answers(
        &self,
        declaration: &Declaration,
        record: &Record,
        notices: &[Notice],
        at: Timestamp,
        script: &Script,
    ) -> Vec<Answer> {
        let text = match declaration.oper_type.as_str() {
            "G" => "暂存成功",
            "C" | "D" => "申报导入成功",
            _ => "上载成功",
        };
        let taken = response(0, text, &record.client_seq_no, &record.seq_no);
        let mut answers = vec![answer(taken, 0)];
        for (step, notice) in (1_u64..).zip(notices) {
            let after_ms = script.step_delay_ms.saturating_mul(step);
            let noticed_at = at.plus_millis(i64::try_from(after_ms).unwrap_or(i64::MAX));
            let payload = result(&self.data.channels, declaration, record, notice, noticed_at);
            answers.push(answer(payload, after_ms));
        }
        answers
    }
}

/// Gives the numbers, or finds those given before, and remembers them.
fn number(store: &mut dyn StateStore, declaration: &Declaration, at: Timestamp, with_entry: bool) -> Result<Record> {
    let known = match declaration.seq_no.as_str() {
        "" => None,
        seq_no => load(store, &by_number(seq_no))?,
    };
    let mut record = known.unwrap_or_default();
    record.client_seq_no.clone_from(&declaration.client_seq_no);
    let year = at.compact().get(..4).unwrap_or("2000").to_owned();
    if !declaration.seq_no.is_empty() {
        record.seq_no.clone_from(&declaration.seq_no);
    } else {
        let letter = if declaration.is_import { 'I' } else { 'E' };
        record.seq_no = format!("{letter}{year}{:013}", store.next("SeqNo")?);
    }
    if record.entry_id.is_empty() {
        record.entry_id.clone_from(&declaration.entry_id);
    }
    if with_entry && record.entry_id.is_empty() {
        // Customs, year, 1 import or 0 export, running number: 18 digits.
        let customs = if declaration.customs.len() == 4 { &declaration.customs } else { "0000" };
        let direction = u8::from(declaration.is_import);
        record.entry_id = format!("{customs}{year}{direction}{:09}", store.next("EntryId")? % 1_000_000_000);
    }
    let bytes = serde_json::to_vec(&record).map_err(|e| broken_state(&e))?;
    store.put(&by_client(&record.client_seq_no), &bytes)?;
    store.put(&by_number(&record.seq_no), &bytes)?;
    Ok(record)
}

/// An attachment is recorded under its number; it has no receipt and no effect of its own.
fn take_attachment(store: &mut dyn StateStore, arrived: &Arrived<'_>) -> Result<Effect> {
    let info = edoc::read(arrived.payload)?;
    let bytes = serde_json::to_vec(&info).map_err(|e| broken_state(&e))?;
    store.put(&format!("edoc/{}", info.file_name), &bytes)?;
    Ok(Effect { effect_key: None, answers: Vec::new() })
}

fn by_client(client_seq_no: &str) -> String {
    format!("client/{client_seq_no}")
}

fn by_number(seq_no: &str) -> String {
    format!("number/{seq_no}")
}

fn load(store: &dyn StateStore, at: &str) -> Result<Option<Record>> {
    let Some(bytes) = store.get(at)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| broken_state(&e))
}

fn broken_state(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "KOUAN-DEC-SIMULATOR-STATE", format!("a record of the simulated window: {error}"))
}

/// ENTRY_ID appears first when the customs have received the declaration.
fn has_entry_id(channel: &str) -> bool {
    !matches!(channel, "7" | "0" | "1" | "9" | "Y")
}

fn refused(payload: &[u8]) -> Effect {
    Effect { effect_key: None, answers: vec![answer(payload.to_vec(), 0)] }
}

fn response(code: u8, text: &str, client_seq_no: &str, seq_no: &str) -> Vec<u8> {
    Response { code, text, client_seq_no, seq_no, trn_pre_id: "" }.write()
}

/// A DEC_RESULT, the short form (`domain/goods-declaration.md` §2.1).
fn result(channels: &Channels, declaration: &Declaration, record: &Record, notice: &Notice, at: Timestamp) -> Vec<u8> {
    let words = if notice.note.is_empty() { &channels.meaning(&notice.channel).zh } else { &notice.note };
    let entry_id = if has_entry_id(&notice.channel) { record.entry_id.as_str() } else { "" };
    let fields = [
        ("CUS_CIQ_NO", record.seq_no.as_str()),
        ("ENTRY_ID", entry_id),
        ("NOTICE_DATE", &at.local()),
        ("CHANNEL", &notice.channel),
        ("NOTE", &format!("{},{words}", record.seq_no)),
        ("CUSTOM_MASTER", &declaration.customs),
        ("I_E_DATE", &declaration.ie_date),
        ("D_DATE", &at.date()),
    ];
    document("DEC_RESULT", "DEC_RESULT", &fields)
}

fn answer(payload: Vec<u8>, after_ms: u64) -> Answer {
    Answer { message_type: DECLARATION.into(), payload, after_ms, biz_keys: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::receipt;
    use kouan_sdk::business::{Outcome, Receipt};
    use kouan_sdk::simulator::MemoryStore;

    const IMPORT: &[u8] = include_bytes!("../../../business-schemas/goods-declaration/samples/good/import.xml");
    const EXPORT: &[u8] = include_bytes!("../../../business-schemas/goods-declaration/samples/good/export.xml");
    const UPDATE: &[u8] = include_bytes!("../../../business-schemas/goods-declaration/samples/good/update.xml");
    const DECLARED: &[u8] = include_bytes!("../../../business-schemas/goods-declaration/samples/declare/import.xml");

    fn window() -> Window {
        Window { data: Arc::new(Data::load(&Config::default(), None).unwrap()) }
    }

    fn arrived(message_type: &'static str, payload: &'static [u8]) -> Arrived<'static> {
        Arrived { message_type, file_name: "A1.xml", payload, at: Timestamp::from_millis(1_768_181_710_000) }
    }

    fn script(steps: &[&str]) -> Script {
        Script { steps: steps.iter().map(|step| (*step).to_owned()).collect(), step_delay_ms: 2000 }
    }

    fn read(window: &Window, answers: &[Answer]) -> Vec<Receipt> {
        answers.iter().map(|answer| receipt::read(&window.data, &answer.payload).unwrap()).collect()
    }

    fn value<'r>(receipt: &'r Receipt, name: &str) -> &'r str {
        receipt.keys.iter().find(|key| key.name == name).map_or("", |key| key.value.as_str())
    }

    #[test]
    fn a_draft_walks_to_the_end() {
        let (window, mut store) = (window(), MemoryStore::default());
        let effect = window.take(&mut store, &arrived(DECLARATION, IMPORT), &script(&[])).unwrap();
        assert_eq!(effect.effect_key, Some(Key::new("ClientSeqNo", "TEST202601120001")));
        let delays: Vec<_> = effect.answers.iter().map(|answer| answer.after_ms).collect();
        assert_eq!(delays, [0, 2000, 4000, 6000, 8000, 10_000]);
        let receipts = read(&window, &effect.answers);
        let codes: Vec<_> = receipts.iter().map(|receipt| receipt.code.as_str()).collect();
        assert_eq!(codes, ["0", "7", "L", "J", "P", "R"]);
        let seq_no = "I20260000000000001";
        assert!(receipts.iter().all(|receipt| value(receipt, "SeqNo") == seq_no));
        assert_eq!((value(&receipts[1], "EntryId"), value(&receipts[2], "EntryId")), ("", "222520261000000001"));
        assert_eq!((receipts[5].outcome, receipts[5].is_final), (Outcome::Concluded, true));
        assert_eq!(receipts[1].noticed_at, Some(Timestamp::from_millis(1_768_181_712_000)));
        assert_eq!(receipts[0].text, "暂存成功");
    }

    #[test]
    fn numbers_are_never_given_twice_and_an_update_keeps_its_own() {
        let (window, mut store) = (window(), MemoryStore::default());
        let mut take = |payload| {
            let effect = window.take(&mut store, &arrived(DECLARATION, payload), &script(&["stop"])).unwrap();
            (effect.effect_key.unwrap(), value(&read(&window, &effect.answers)[0], "SeqNo").to_owned())
        };
        let (first, second, update) = (take(IMPORT), take(EXPORT), take(UPDATE));
        assert_eq!(first.1, "I20260000000000001");
        assert_eq!(second.1, "E20260000000000002");
        assert_eq!((second.1.len(), update.0), (18, Key::new("SeqNo", update.1)));
    }

    #[test]
    fn answers_have_the_shape_of_the_sample_receipts() {
        let samples = crate::samples::receipts();
        let sample = |name: &str| samples.iter().find(|(file, _)| file.starts_with(name)).unwrap().1;
        let (window, at) = (window(), Timestamp::parse_local("2026-01-12T10:04:00").unwrap());
        let arrived = Arrived { at, ..arrived(DECLARATION, IMPORT) };
        let script = Script { step_delay_ms: 0, ..script(&["J"]) };
        let effect = window.take(&mut MemoryStore::default(), &arrived, &script).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(text(&effect.answers[0].payload), text(sample("Successed_")));
        assert_eq!(text(&effect.answers[1].payload), text(sample("Receipt_I20260000000000001_20260112100400")));
    }

    #[test]
    fn a_script_refuses_inspects_returns_and_stops() {
        let window = window();
        let codes = |steps: &[&str]| {
            let effect =
                window.take(&mut MemoryStore::default(), &arrived(DECLARATION, IMPORT), &script(steps)).unwrap();
            let receipts = read(&window, &effect.answers);
            let codes: Vec<_> = receipts.iter().map(|r| (r.code.clone(), r.text.clone(), r.outcome)).collect();
            (effect.effect_key.is_some(), codes)
        };
        let (has_effect, refused) = codes(&["refuse:关区代码不存在"]);
        assert!(!has_effect);
        assert_eq!(refused, [("1".into(), "关区代码不存在".into(), Outcome::Rejected)]);
        let (has_effect, returned) = codes(&["7", "L", "C", "E:品名与编码不符", "stop", "R"]);
        assert!(has_effect);
        assert_eq!(returned.iter().map(|(code, ..)| code.as_str()).collect::<Vec<_>>(), ["0", "7", "L", "C", "E"]);
        assert_eq!(returned[4].1, "I20260000000000001,品名与编码不符");
        assert_eq!(codes(&["stop"]).1.len(), 1);
        for steps in [&["accept"][..], &["7", "refuse:late"]] {
            let error =
                window.take(&mut MemoryStore::default(), &arrived(DECLARATION, IMPORT), &script(steps)).unwrap_err();
            assert_eq!((error.kind, error.code.as_ref()), (ErrorKind::Config, "KOUAN-DEC-SCRIPT"));
        }
    }

    #[test]
    fn known_already_is_recognised_and_teaches_the_number() {
        let (window, mut store) = (window(), MemoryStore::default());
        let first = arrived(DECLARATION, IMPORT);
        let key = window.repeat_key(&first).unwrap().unwrap();
        window.take(&mut store, &first, &script(&["stop"])).unwrap();
        let answers = window.known_already(&store, &first, &key).unwrap();
        let receipt = &read(&window, &answers)[0];
        assert!(receipt.is_repeat_of_known);
        assert_eq!(receipt.keys, [key, Key::new("SeqNo", "I20260000000000001")]);

        assert!(!window.changes(&Key::new("ClientSeqNo", "TEST202601120001")), "a client number is given once");

        let update = arrived(DECLARATION, UPDATE);
        let key = window.repeat_key(&update).unwrap().unwrap();
        assert!(window.changes(&key), "a number may be updated again");
        let receipt = &read(&window, &window.known_already(&store, &update, &key).unwrap())[0];
        assert!(receipt.is_repeat_of_known);
        assert_eq!(value(receipt, "SeqNo"), key.value);
    }

    #[test]
    fn a_declaration_without_its_signature_is_refused() {
        let window = window();
        let effect = window.take(&mut MemoryStore::default(), &arrived(DECLARATION, DECLARED), &script(&[])).unwrap();
        assert_eq!(effect.effect_key, None);
        assert!(read(&window, &effect.answers)[0].text.contains("签名"));
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_an_effect() {
        let window = window();
        let broken = arrived(DECLARATION, b"<DecMessage>");
        assert_eq!(window.repeat_key(&broken).unwrap(), None);
        let effect = window.take(&mut MemoryStore::default(), &broken, &script(&[])).unwrap();
        assert_eq!((effect.effect_key, read(&window, &effect.answers)[0].outcome), (None, Outcome::Rejected));
        let other = window.take(&mut MemoryStore::default(), &arrived("OTHER", b"<x/>"), &script(&[])).unwrap_err();
        assert_eq!(other.code, "KOUAN-DEC-MESSAGE-TYPE");
    }

    #[test]
    fn attachments_are_recorded_and_not_answered() {
        let (window, mut store) = (window(), MemoryStore::default());
        let edoc = crate::facts::Edoc { id: "2225X".into(), file_name: "发票.pdf".into(), ..Default::default() };
        let payload = edoc::payload(b"%PDF-1.4", &crate::facts::Facts::default(), &edoc, "I20260000000000001").unwrap();
        let arrived =
            Arrived { message_type: ATTACHMENT, file_name: "2225X.pdf", payload: &payload, at: Timestamp::default() };
        assert_eq!(window.repeat_key(&arrived).unwrap(), None);
        let effect = window.take(&mut store, &arrived, &script(&[])).unwrap();
        assert_eq!(effect, Effect { effect_key: None, answers: Vec::new() });
        let kept: serde_json::Value = serde_json::from_slice(&store.get("edoc/2225X").unwrap().unwrap()).unwrap();
        assert_eq!((kept["pre_entry_id"].as_str(), kept["file_bytes"].as_u64()), (Some("I20260000000000001"), Some(8)));
        assert_eq!(window.content(&arrived), b"%PDF-1.4");
        let broken = Arrived { payload: b"%PDF", ..arrived };
        assert_eq!(window.content(&broken), b"%PDF");
        assert_eq!(window.take(&mut store, &broken, &script(&[])).unwrap_err().code, "KOUAN-DEC-EDOC-TRAILER");
    }
}
