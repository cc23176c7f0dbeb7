//! EDOC (随附单据): the bytes of a PDF followed by a 2048-byte trailer, an XML padded with spaces
//! (`domain/goods-declaration.md` §3.4).

use crate::write::refuse_unwritable;
use crate::{DSIG_NAMESPACE, DxpError};
use kouan_xml::{Event, Limits, Reader, decode, escape_text};

/// Length of the trailer, in bytes.
pub const TRAILER: usize = 2048;

macro_rules! data_info {
    ($($(#[$doc:meta])* $field:ident $element:literal in $section:literal),* $(,)?) => {
        /// What the trailer says (`DataInfo`). Fields are named as their elements; most may be empty.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct DataInfo {
            $($(#[$doc])* pub $field: String,)*
        }

        impl DataInfo {
            /// Section, element and value, in the order of the trailer.
            fn fields(&self) -> [(&'static str, &'static str, &str); data_info!(@count $($field)*)] {
                [$(($section, $element, &self.$field)),*]
            }

            fn field_mut(&mut self, section: &str, element: &str) -> Option<&mut String> {
                match (section, element) {
                    $(($section, $element) => Some(&mut self.$field),)*
                    _ => None,
                }
            }
        }
    };
    (@count $($field:ident)*) => { <[&str]>::len(&[$(stringify!($field)),*]) };
}

data_info! {
    /// Kind of message; `USF001`.
    message_type "Message_Type" in "EnvelopInfo",
    /// Master customs (CustomMaster), four digits.
    envelope_customs "Master_Customs_Code" in "EnvelopInfo",
    /// Number that the window gave the declaration (SeqNo); empty until it is known.
    pre_entry_id "PRE_ENTRY_ID" in "Data",
    /// Customs number of the declaration.
    entry_id "ENTRY_ID" in "Data",
    /// Name of the document (EdocID).
    file_name "FILE_NAME" in "Data",
    /// Format (EdocFomatType): `US` for a PDF.
    format_type "FORMAT_TYPE" in "Data",
    /// Owner's enterprise code (EdocOwnerCode).
    trade_code "TRADE_CODE" in "Data",
    /// Master customs, once more.
    master_customs_code "MASTER_CUSTOMS_CODE" in "Data",
    /// Group.
    group_id "GROUP_ID" in "Data",
    /// Name of the attached file (EdocCopId).
    trade_file_name "TRADE_FILE_NAME" in "Data",
    /// `F`.
    decl_type "DECL_TYPE" in "Data",
    /// `yyyy-MM-dd HH:mm:ss`.
    decl_time "DECL_TIME" in "Data",
    /// Declarant's card (TypistNo).
    decl_code "DECL_CODE" in "Data",
    /// Declarant's name.
    decl_name "DECL_NAME" in "Data",
    /// Kind of document (EdocCode).
    file_type "FILE_TYPE" in "Data",
    /// Source.
    file_source "FILE_SOURCE" in "Data",
    /// Digest; empty in known programs.
    file_digest "FILE_DIGEST" in "Data",
    /// Certificate; empty in known programs.
    sign_cert "SIGN_CERT" in "Data",
    /// Signature; empty in known programs.
    file_sign "FILE_SIGN" in "Data",
    /// Note.
    op_note "OP_NOTE" in "Data",
    /// Signer.
    signer_id "SignerID" in "SubSignedInfo",
    /// Certificate number.
    key_name "KeyName" in "SubSignedInfo",
    /// Signature over the digest.
    hash_sign "HashSign" in "SubSignedInfo",
}

/// `pdf` with its trailer.
///
/// # Errors
/// A trailer that would be too long; a character that XML cannot carry.
pub fn write(pdf: &[u8], info: &DataInfo) -> Result<Vec<u8>, DxpError> {
    let trailer = trailer(info)?;
    let mut out = Vec::with_capacity(pdf.len() + TRAILER);
    out.extend_from_slice(pdf);
    out.extend_from_slice(trailer.as_bytes());
    out.resize(pdf.len() + TRAILER, b' ');
    Ok(out)
}

/// The PDF's bytes and what the trailer says.
///
/// # Errors
/// A file that is too short, or whose end is no trailer.
pub fn read(bytes: &[u8]) -> Result<(&[u8], DataInfo), DxpError> {
    let none = |why: &str| DxpError::EdocNoTrailer(why.to_owned());
    let cut = bytes.len().checked_sub(TRAILER).ok_or_else(|| none("it is shorter than a trailer"))?;
    let (pdf, trailer) = bytes.split_at(cut);
    let limits = Limits { max_bytes: TRAILER, ..Limits::default() };
    let decoded = decode(trailer, &limits)?;
    let mut reader = Reader::new(&decoded, &limits);
    let mut info = DataInfo::default();
    let mut path: Vec<&str> = Vec::new();
    while let Some(event) = reader.next()? {
        match event {
            Event::Start(start) if start.depth == 1 && start.local != "DataInfo" => {
                return Err(none("its root is not DataInfo"));
            }
            Event::Start(start) => path.push(start.local),
            Event::End(_) => {
                path.pop();
            }
            Event::Text(text) => {
                // One known program writes SignedDate.
                if let ["DataInfo", "SignedData" | "SignedDate", section, element] = path[..]
                    && let Some(field) = info.field_mut(section, element)
                {
                    *field = text.text.to_owned();
                }
            }
        }
    }
    Ok((pdf, info))
}

fn trailer(info: &DataInfo) -> Result<String, DxpError> {
    let mut out = String::with_capacity(TRAILER);
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<DataInfo xmlns=\"");
    out.push_str(DSIG_NAMESPACE);
    out.push_str("\"><SignedData>");
    let mut open = "";
    for (section, element, value) in info.fields() {
        refuse_unwritable(element, value)?;
        if section != open {
            if !open.is_empty() {
                out.push_str(&format!("</{open}>"));
            }
            out.push_str(&format!("<{section}>"));
            open = section;
        }
        match value {
            "" => out.push_str(&format!("<{element}/>")),
            value => out.push_str(&format!("<{element}>{}</{element}>", escape_text(value))),
        }
    }
    out.push_str(&format!("</{open}></SignedData></DataInfo>"));
    if out.len() > TRAILER {
        let longest = info.fields().into_iter().max_by_key(|(_, _, value)| escape_text(value).len());
        let field = longest.map_or("", |(_, element, _)| element);
        return Err(DxpError::EdocTooLong { got: out.len(), limit: TRAILER, field });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> DataInfo {
        DataInfo {
            message_type: "USF001".into(),
            envelope_customs: "2225".into(),
            file_name: "222500000001IM000000202601120001".into(),
            format_type: "US".into(),
            trade_code: "3101960002".into(),
            master_customs_code: "2225".into(),
            trade_file_name: "TEST-2026-001-发票.pdf".into(),
            decl_type: "F".into(),
            decl_time: "2026-01-12 09:30:00".into(),
            decl_code: "2100000000001".into(),
            decl_name: "张三".into(),
            file_type: "00000001".into(),
            ..DataInfo::default()
        }
    }

    /// As two known programs write it.
    const KNOWN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<DataInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedData><EnvelopInfo><Message_Type>USF001</Message_Type><Master_Customs_Code>2225</Master_Customs_Code></EnvelopInfo><Data><PRE_ENTRY_ID/><ENTRY_ID/><FILE_NAME>222500000001IM000000202601120001</FILE_NAME><FORMAT_TYPE>US</FORMAT_TYPE><TRADE_CODE>3101960002</TRADE_CODE><MASTER_CUSTOMS_CODE>2225</MASTER_CUSTOMS_CODE><GROUP_ID/><TRADE_FILE_NAME>TEST-2026-001-发票.pdf</TRADE_FILE_NAME><DECL_TYPE>F</DECL_TYPE><DECL_TIME>2026-01-12 09:30:00</DECL_TIME><DECL_CODE>2100000000001</DECL_CODE><DECL_NAME>张三</DECL_NAME><FILE_TYPE>00000001</FILE_TYPE><FILE_SOURCE/><FILE_DIGEST/><SIGN_CERT/><FILE_SIGN/><OP_NOTE/></Data><SubSignedInfo><SignerID/><KeyName/><HashSign/></SubSignedInfo></SignedData></DataInfo>";

    #[test]
    fn the_trailer_is_the_known_one_padded_to_its_length() {
        let file = write(b"%PDF-1.4 not really", &sample()).unwrap();
        assert_eq!(file.len(), 19 + TRAILER);
        let trailer = &file[19..];
        assert_eq!(&trailer[..KNOWN.len()], KNOWN.as_bytes());
        assert!(trailer[KNOWN.len()..].iter().all(|b| *b == b' '));
        assert_eq!(read(&file).unwrap(), (&b"%PDF-1.4 not really"[..], sample()));
    }

    #[test]
    fn values_are_escaped_and_the_typo_is_read() {
        let info = DataInfo { op_note: "a<b>&\"c\"".into(), ..sample() };
        let file = write(b"", &info).unwrap();
        assert_eq!(read(&file).unwrap().1, info);
        let typo = String::from_utf8(file).unwrap().replace("SignedData", "SignedDate");
        assert_eq!(read(typo.as_bytes()).unwrap().1, info);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let info = DataInfo { trade_file_name: "长".repeat(500), ..sample() };
        let error = write(b"%PDF", &info).unwrap_err();
        assert_eq!(error.code(), "KOUAN-DXP-EDOC-TOO-LONG");
        assert!(error.to_string().contains("TRADE_FILE_NAME"), "{error}");
        // To the byte.
        let length = trailer(&DataInfo { op_note: "x".into(), ..sample() }).unwrap().len();
        let exact = DataInfo { op_note: "x".repeat(1 + TRAILER - length), ..sample() };
        assert_eq!(trailer(&exact).unwrap().len(), TRAILER);
        let over = DataInfo { op_note: format!("{}x", exact.op_note), ..sample() };
        assert!(write(b"", &over).is_err());
        let bad = DataInfo { decl_name: "a\0".into(), ..sample() };
        assert_eq!(write(b"", &bad).unwrap_err().code(), "KOUAN-DXP-FIELD-INVALID");
        assert_eq!(read(b"%PDF-1.4").unwrap_err().code(), "KOUAN-DXP-EDOC-NO-TRAILER");
        assert_eq!(read(&[b' '; 4096]).unwrap_err().code(), "KOUAN-XML-EMPTY");
        let other = format!("{:<1$}", "<Other/>", TRAILER);
        assert_eq!(read(other.as_bytes()).unwrap_err().code(), "KOUAN-DXP-EDOC-NO-TRAILER");
    }
}
