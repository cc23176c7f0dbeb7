//! Readers of what things come in: zips as they are dropped, attachments with their trailers, envelopes.

use crate::mutate::Random;
use kouan_dxp::{Policy, Trust, verify_any};
use kouan_kernel::package::{self, PackageLimits};
use kouan_sdk::Timestamp;
use std::borrow::Cow;
use std::io::Write as _;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// Bytes of an attachment's trailer (`domain/goods-declaration.md` §3.4).
const TRAILER: usize = 2048;

/// A zip of these files, packed.
pub fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    packed(files, CompressionMethod::Deflated)
}

fn packed(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        // Always the same bytes: the time of the day is none of them.
        let options =
            SimpleFileOptions::default().compression_method(method).last_modified_time(zip::DateTime::default());
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Zips of samples and their attachments, packed and not, and one that is much larger unpacked.
pub fn zips() -> Vec<Cow<'static, [u8]>> {
    let samples = kouan_goods_declaration::samples();
    let dropped = samples.iter().filter(|sample| !sample.attachments.is_empty()).take(3).flat_map(|sample| {
        let document = ("a.xml", sample.document);
        let files: Vec<(&str, &[u8])> =
            sample.attachments.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
        let files = [&[document], &files[..]].concat();
        [CompressionMethod::Stored, CompressionMethod::Deflated].map(|method| Cow::Owned(packed(&files, method)))
    });
    let bomb = vec![b' '; 4 << 20];
    let large = zip_of(&[("a.xml", b"<a/>"), ("b.pdf", &bomb)]);
    let empty = zip_of(&[]);
    dropped.chain([Cow::Owned(large), Cow::Owned(empty)]).collect()
}

/// Opens a dropped file as a zip, under small limits and the usual ones; whether it could be.
pub fn open_zip(bytes: &[u8], random: &mut Random) -> bool {
    let small = PackageLimits { max_document_bytes: 20_000, max_total_bytes: 60_000, max_files: 4, max_ratio: 20 };
    let limits = if random.below(2) == 0 { small } else { PackageLimits::default() };
    let name = *random.pick(&["a.zip", "a.xml", "a", "发票.ZIP"]);
    let opened = match package::open(name, bytes, &limits) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(kouan_sdk::catalogue::lookup(&error.code).is_some(), "{error} stands in no catalogue");
            assert!(error.message.len() < 4096, "an error of {} bytes", error.message.len());
            return false;
        }
    };
    let attached: Vec<_> = opened.attachments().collect();
    let total = opened.document().len() + attached.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    assert!(opened.document().len() as u64 <= limits.max_document_bytes && attached.len() < limits.max_files.max(1));
    assert!(total as u64 <= limits.max_total_bytes.max(limits.max_document_bytes), "{total} bytes came out");
    assert!(attached.iter().all(|(name, _)| !name.is_empty() && !name.contains(['/', '\\', '\0'])));
    true
}

/// Attachments with their trailers, as the window gets them.
pub fn edocs() -> Vec<Vec<u8>> {
    const INFO: &[u8] =
        include_bytes!("../../../business-schemas/goods-declaration/samples/receipts/edoc_trailer_DataInfo.xml");
    let mut trailer = INFO.trim_ascii().to_vec();
    trailer.resize(TRAILER, b' ');
    let files: [&[u8]; 2] = [b"%PDF-1.4\n%%EOF\n", b""];
    files.map(|file| [file, &trailer[..]].concat()).into()
}

/// Sealed envelopes; they lie in the corpus because keys made anew would be other bytes each time.
pub fn envelopes() -> Vec<Cow<'static, [u8]>> {
    crate::corpus()
        .into_iter()
        .filter(|(name, _)| name.starts_with("envelope-"))
        .map(|(_, bytes)| bytes.into())
        .collect()
}

/// Reads an envelope with and without looking at its signature; whether it is one.
pub fn read_envelope(bytes: &[u8]) -> bool {
    let at = Timestamp::from_millis(1_768_200_000_000);
    let read = kouan_dxp::read(bytes);
    if let Ok(message) = &read {
        assert!(message.payload.len() <= 64 << 20, "{} bytes came out", message.payload.len());
    }
    let trust = Trust::new(Vec::new());
    assert!(kouan_dxp::verify(bytes, &Policy::strict(), &trust, at).is_err(), "nobody is trusted");
    let _ = kouan_dxp::verify(bytes, &Policy::legacy(), &trust, at);
    let _ = verify_any(bytes, &Policy::legacy(), &trust, at);
    read.is_ok()
}
