//! An attachment on the wire (EDOC): its bytes followed by a 2048-byte DataInfo trailer
//! (`domain/goods-declaration.md` §3.4).

use crate::facts::{Edoc, Facts};
use kouan_declarative::Tree;
use kouan_sdk::{Error, ErrorKind, Result};
use kouan_xml::escape_text;

/// Bytes of the trailer.
pub(crate) const TRAILER_BYTES: usize = 2048;
/// Attachments begin so.
const PDF: &[u8] = b"%PDF-";
/// Readers accept the mark within the first kilobyte.
const PDF_MARK_WITHIN: usize = 1024;

/// Whether the bytes look like a PDF.
pub(crate) fn is_pdf(bytes: &[u8]) -> bool {
    bytes.windows(PDF.len()).take(PDF_MARK_WITHIN).any(|window| window == PDF)
}

/// The payload: the file and its trailer. `seq_no` is empty as long as it is not known.
pub(crate) fn payload(file: &[u8], facts: &Facts, edoc: &Edoc, seq_no: &str) -> Result<Vec<u8>> {
    let trailer = trailer(facts, edoc, seq_no)?;
    let mut payload = Vec::with_capacity(file.len() + TRAILER_BYTES);
    payload.extend_from_slice(file);
    payload.extend_from_slice(&trailer);
    Ok(payload)
}

/// The trailer alone. Digest and signature fields stay empty, as in both programs that were seen.
pub(crate) fn trailer(facts: &Facts, edoc: &Edoc, seq_no: &str) -> Result<Vec<u8>> {
    let name = if facts.declare_name.is_empty() { &facts.inputer_name } else { &facts.declare_name };
    let data = [
        ("PRE_ENTRY_ID", seq_no),
        ("ENTRY_ID", &facts.entry_id),
        ("FILE_NAME", &edoc.id),
        ("FORMAT_TYPE", &edoc.format),
        ("TRADE_CODE", &edoc.owner_code),
        ("MASTER_CUSTOMS_CODE", &facts.custom_master),
        ("GROUP_ID", ""),
        ("TRADE_FILE_NAME", &edoc.file_name),
        ("DECL_TYPE", "F"),
        ("DECL_TIME", &declared_at(facts, edoc)),
        ("DECL_CODE", &facts.typist_no),
        ("DECL_NAME", name),
        ("FILE_TYPE", &edoc.code),
        ("FILE_SOURCE", ""),
        ("FILE_DIGEST", ""),
        ("SIGN_CERT", ""),
        ("FILE_SIGN", ""),
        ("OP_NOTE", &edoc.op_note),
    ];
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <DataInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedData><EnvelopInfo>\
         <Message_Type>USF001</Message_Type>",
    );
    element(&mut xml, "Master_Customs_Code", &facts.custom_master);
    xml.push_str("</EnvelopInfo><Data>");
    for (name, value) in data {
        element(&mut xml, name, value);
    }
    xml.push_str("</Data><SubSignedInfo><SignerID/><KeyName/><HashSign/></SubSignedInfo></SignedData></DataInfo>");
    let mut bytes = xml.into_bytes();
    if bytes.len() > TRAILER_BYTES {
        let message = format!("attachment {}: its trailer has {} bytes, {TRAILER_BYTES} fit", edoc.id, bytes.len());
        return Err(Error::new(ErrorKind::Invalid, "KOUAN-DEC-EDOC-TRAILER-TOO-LONG", message));
    }
    bytes.resize(TRAILER_BYTES, b' ');
    Ok(bytes)
}

fn element(xml: &mut String, name: &str, value: &str) {
    let tag = if value.is_empty() { format!("<{name}/>") } else { format!("<{name}>{}</{name}>", escape_text(value)) };
    xml.push_str(&tag);
}

/// `yyyy-MM-dd HH:mm:ss`, from SignTime (`yyyyMMdd HH:mm:ss`) or else the print date: a plan has no clock, and the same
/// message must give the same bytes.
fn declared_at(facts: &Facts, edoc: &Edoc) -> String {
    let (date, time) = edoc.sign_time.split_once(' ').unwrap_or((&facts.print_date, "00:00:00"));
    match (date.get(..4), date.get(4..6), date.get(6..8)) {
        (Some(year), Some(month), Some(day)) if date.len() == 8 => format!("{year}-{month}-{day} {time}"),
        _ => String::new(),
    }
}

/// What a trailer says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct TrailerInfo {
    /// SeqNo of the declaration; may be empty.
    pub(crate) pre_entry_id: String,
    /// EdocID.
    pub(crate) file_name: String,
    /// EdocCopId.
    pub(crate) trade_file_name: String,
    /// EdocCode.
    pub(crate) file_type: String,
    /// Master customs.
    pub(crate) customs: String,
    /// Card number.
    pub(crate) declared_by: String,
    /// Enterprise that owns the file.
    pub(crate) trade_code: String,
    /// Bytes of the file without the trailer.
    pub(crate) file_bytes: usize,
}

/// Reads a payload's trailer back.
pub(crate) fn read(payload: &[u8]) -> Result<TrailerInfo> {
    let file_bytes = payload.len().checked_sub(TRAILER_BYTES).ok_or_else(|| broken("it is shorter than a trailer"))?;
    let (_, trailer) = payload.split_at(file_bytes);
    let tree = Tree::read(trailer.trim_ascii()).map_err(|e| broken(&e.to_string()))?;
    if tree.root() != "DataInfo" {
        return Err(broken(&format!("its root is {}", tree.root())));
    }
    // One program in the field writes SignedDate.
    let signed = if tree.find(&["SignedData"]).is_some() { "SignedData" } else { "SignedDate" };
    let value = |name: &str| tree.value(&[signed, "Data", name]).to_owned();
    let info = TrailerInfo {
        pre_entry_id: value("PRE_ENTRY_ID"),
        file_name: value("FILE_NAME"),
        trade_file_name: value("TRADE_FILE_NAME"),
        file_type: value("FILE_TYPE"),
        customs: value("MASTER_CUSTOMS_CODE"),
        declared_by: value("DECL_CODE"),
        trade_code: value("TRADE_CODE"),
        file_bytes,
    };
    if info.file_name.is_empty() {
        return Err(broken("it has no FILE_NAME"));
    }
    Ok(info)
}

fn broken(why: &str) -> Error {
    let message = format!("the last {TRAILER_BYTES} bytes are no trailer: {why}");
    Error::new(ErrorKind::Invalid, "KOUAN-DEC-EDOC-TRAILER", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            custom_master: "2225".into(),
            typist_no: "2100000000001".into(),
            declare_name: "张三".into(),
            ..Facts::default()
        }
    }

    fn invoice() -> Edoc {
        Edoc {
            id: "222500000001IM000000202601120001".into(),
            code: "00000001".into(),
            format: "US".into(),
            file_name: "TEST-2026-001-发票.pdf".into(),
            owner_code: "3101960002".into(),
            sign_time: "20260112 09:30:00".into(),
            ..Edoc::default()
        }
    }

    #[test]
    fn writes_the_trailer_of_the_sample() {
        let sample =
            include_str!("../../../business-schemas/goods-declaration/samples/receipts/edoc_trailer_DataInfo.xml");
        let trailer = trailer(&facts(), &invoice(), "").unwrap();
        assert_eq!(trailer.len(), TRAILER_BYTES);
        assert_eq!(String::from_utf8(trailer).unwrap().trim_end(), sample.trim());
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let file = b"%PDF-1.4 body %%EOF\n";
        let payload = payload(file, &facts(), &invoice(), "I20260000000000001").unwrap();
        assert_eq!(&payload[..file.len()], file);
        let info = read(&payload).unwrap();
        assert_eq!(info.pre_entry_id, "I20260000000000001");
        assert_eq!((info.trade_file_name.as_str(), info.file_bytes), ("TEST-2026-001-发票.pdf", file.len()));
        assert_eq!(read(b"%PDF").unwrap_err().code, "KOUAN-DEC-EDOC-TRAILER");
        assert_eq!(read(&vec![b' '; 3000]).unwrap_err().code, "KOUAN-DEC-EDOC-TRAILER");
    }

    #[test]
    fn values_are_escaped_and_a_known_misspelling_is_read() {
        let edoc = Edoc { file_name: "a<b>&\"c\".pdf".into(), ..invoice() };
        let payload = payload(b"", &facts(), &edoc, "").unwrap();
        assert_eq!(read(&payload).unwrap().trade_file_name, "a<b>&\"c\".pdf");
        let misspelt = String::from_utf8(payload).unwrap().replace("SignedData>", "SignedDate>");
        assert_eq!(read(misspelt.as_bytes()).unwrap().trade_file_name, "a<b>&\"c\".pdf");
        let other = format!("{:<1$}", "<Other/>", TRAILER_BYTES);
        assert_eq!(read(other.as_bytes()).unwrap_err().code, "KOUAN-DEC-EDOC-TRAILER");
    }

    #[test]
    fn a_trailer_that_does_not_fit_is_refused() {
        // To the byte.
        let empty = trailer(&facts(), &Edoc { op_note: "x".into(), ..invoice() }, "").unwrap();
        let room = TRAILER_BYTES + 1 - empty.trim_ascii_end().len();
        let exact = trailer(&facts(), &Edoc { op_note: "x".repeat(room), ..invoice() }, "").unwrap();
        assert!(exact.ends_with(b"</DataInfo>"));
        let over = Edoc { op_note: "x".repeat(room + 1), ..invoice() };
        assert_eq!(trailer(&facts(), &over, "").unwrap_err().code, "KOUAN-DEC-EDOC-TRAILER-TOO-LONG");
        let edoc = Edoc { op_note: "重".repeat(700), ..invoice() };
        assert_eq!(trailer(&facts(), &edoc, "").unwrap_err().code, "KOUAN-DEC-EDOC-TRAILER-TOO-LONG");
    }

    #[test]
    fn knows_a_pdf() {
        assert!(is_pdf(b"%PDF-1.7\n") && is_pdf(b"\xEF\xBB\xBF\n%PDF-1.4"));
        assert!(!is_pdf(b"") && !is_pdf(b"PK\x03\x04") && !is_pdf(&[b' '; 5000]));
    }
}
