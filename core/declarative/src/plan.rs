//! One part: the document, as it stands or in a zip of its own.

use crate::business::{Compiled, Type};
use crate::check::Notes;
use crate::format::ZipWay;
use kouan_sdk::business::{Package, PartPlan, Payload, Report};
use kouan_sdk::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::io::{Cursor, Read as _, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Largest document that the simulated window takes out of a zip.
const MOST_UNPACKED: u64 = 64 << 20;

/// The message's only part.
pub(crate) fn parts<'a>(compiled: &Compiled, package: &Package<'a>, report: &Report) -> Result<Vec<PartPlan<'a>>> {
    let of = compiled.type_of(&report.message_type).ok_or_else(|| {
        let message = format!("{} has no message type {:?}", compiled.info.id, report.message_type);
        Error::new(ErrorKind::Invalid, "KOUAN-DECLARATIVE-MESSAGE-TYPE", message)
    })?;
    let (file_name, bytes) = payload(package, of)?;
    Ok(vec![PartPlan {
        name: "document".into(),
        message_type: of.info.id.clone(),
        receivers: receivers(of, report)?,
        file_name,
        payload: Payload::Bytes(bytes),
        after: Vec::new(),
        expects_receipt: true,
        biz_keys: Vec::new(),
    }])
}

/// All of the type's receivers, or the one that the message names: never one that is not the type's.
fn receivers(of: &Type, report: &Report) -> Result<Vec<String>> {
    let all = &of.info.receivers;
    let Some(name) = &of.receiver else { return Ok(all.clone()) };
    let notes = Notes::of(report)?;
    let named = notes.values.get(name).and_then(|value| all.iter().find(|known| *known == value));
    Ok(named.or_else(|| all.first()).cloned().into_iter().collect())
}

fn payload<'a>(package: &Package<'a>, of: &Type) -> Result<(String, Cow<'a, [u8]>)> {
    let xml = format!("{}.xml", package.stem);
    match of.zip {
        ZipWay::Unpack => Ok((xml, Cow::Borrowed(package.document))),
        ZipWay::Pass => {
            let zipped = pack(&xml, package.document).map_err(|e| {
                let message = format!("the zip of {xml} cannot be made: {e}");
                Error::new(ErrorKind::Internal, "KOUAN-DECLARATIVE-ZIP", message)
            })?;
            Ok((format!("{}.zip", package.stem), Cow::Owned(zipped)))
        }
    }
}

/// A zip with one file, always the same bytes for the same document.
fn pack(name: &str, document: &[u8]) -> zip::result::ZipResult<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(document.len() / 4 + 256)));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    writer.start_file(name, options)?;
    writer.write_all(document)?;
    Ok(writer.finish()?.into_inner())
}

/// The document in what reached the window: itself, or the only file of a zip.
pub(crate) fn unpacked(payload: &[u8]) -> Result<Cow<'_, [u8]>> {
    if !payload.starts_with(b"PK\x03\x04") {
        return Ok(Cow::Borrowed(payload));
    }
    let broken = |why: String| Error::new(ErrorKind::Invalid, "KOUAN-DECLARATIVE-ZIP", why);
    let mut archive = ZipArchive::new(Cursor::new(payload)).map_err(|e| broken(e.to_string()))?;
    if archive.len() != 1 {
        return Err(broken(format!("the zip holds {} files, not one", archive.len())));
    }
    let mut document = Vec::new();
    let entry = archive.by_index(0).map_err(|e| broken(e.to_string()))?;
    entry.take(MOST_UNPACKED).read_to_end(&mut document).map_err(|e| broken(e.to_string()))?;
    Ok(Cow::Owned(document))
}
