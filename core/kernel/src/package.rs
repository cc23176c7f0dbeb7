//! What was dropped, opened once: a bare document, or a zip of one document and its attachments (报文与随附单据).
//!
//! A zip comes from outside: its names, sizes and counts are claims. Nothing is written to disk here, and nothing is
//! unpacked beyond the limits, whatever the zip's directory says.

use kouan_sdk::business::{Attachment, Package};
use kouan_sdk::{Error, ErrorKind, Result};
use std::borrow::Cow;
use std::io::{Cursor, Read as _};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

/// A zip's first bytes: a file's header, or the end record of an empty one.
const MAGICS: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Below this size, in bytes, the ratio of an entry is not looked at: short repetitive text packs very well.
const RATIO_FREE: u64 = 1 << 20;

/// Longest name of an entry in bytes of UTF-8; what file systems take.
const MAX_NAME: usize = 255;

/// How much may come out of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageLimits {
    /// Largest document, in bytes.
    pub max_document_bytes: u64,
    /// Largest sum of document and attachments, in bytes, unpacked.
    pub max_total_bytes: u64,
    /// Most files in a zip, the document included.
    pub max_files: usize,
    /// How many times larger than packed a file may be, once it is larger than 1 MiB.
    pub max_ratio: u64,
}

impl Default for PackageLimits {
    fn default() -> Self {
        Self { max_document_bytes: 20 << 20, max_total_bytes: 64 << 20, max_files: 200, max_ratio: 200 }
    }
}

/// A package, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPackage<'a> {
    file_name: &'a str,
    document: Cow<'a, [u8]>,
    attachments: Vec<(String, Vec<u8>)>,
}

/// Opens what was dropped under `file_name`: bytes that begin as a zip are one, all others are the document itself.
///
/// # Errors
/// Kind `Invalid`, code `KOUAN-PACKAGE-…`: the package itself is wrong; the document inside is not looked at.
pub fn open<'a>(file_name: &'a str, bytes: &'a [u8], limits: &PackageLimits) -> Result<OpenedPackage<'a>> {
    if bytes.is_empty() {
        return Err(invalid("KOUAN-PACKAGE-EMPTY", format!("{file_name} has no bytes")));
    }
    if MAGICS.iter().any(|magic| bytes.starts_with(magic)) {
        return Zip::read(bytes)?.open(file_name, limits);
    }
    if extension(file_name).eq_ignore_ascii_case("zip") {
        return Err(invalid("KOUAN-PACKAGE-NOT-A-ZIP", format!("{file_name} does not begin as a zip does")));
    }
    within(bytes.len() as u64, limits.max_document_bytes, file_name)?;
    Ok(OpenedPackage { file_name, document: Cow::Borrowed(bytes), attachments: Vec::new() })
}

impl OpenedPackage<'_> {
    /// The site's own name for the message: the file name without its extension.
    pub fn stem(&self) -> &str {
        stem(self.file_name)
    }

    /// The document's bytes.
    pub fn document(&self) -> &[u8] {
        &self.document
    }

    /// Name and bytes of each attachment, in the zip's order.
    pub fn attachments(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.attachments.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// As a business sees it; `attachments` are those of [`Self::attachments`].
    pub fn package<'p>(&'p self, form_id: Option<&'p str>, attachments: &'p [Attachment<'p>]) -> Package<'p> {
        Package { file_name: self.file_name, stem: self.stem(), form_id, document: &self.document, attachments }
    }
}

/// The file name without its `.xml` or `.zip`; a name without one of these is its own stem.
pub fn stem(file_name: &str) -> &str {
    let extension = extension(file_name);
    if ["xml", "zip"].iter().any(|known| extension.eq_ignore_ascii_case(known)) {
        return &file_name[..file_name.len() - extension.len() - 1];
    }
    file_name
}

fn extension(file_name: &str) -> &str {
    file_name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// A zip whose directory has been read.
struct Zip<'a>(ZipArchive<Cursor<&'a [u8]>>);

impl<'a> Zip<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        ZipArchive::new(Cursor::new(bytes)).map(Self).map_err(|error| broken("the zip", &error))
    }

    fn open<'n>(mut self, file_name: &'n str, limits: &PackageLimits) -> Result<OpenedPackage<'n>> {
        let names = self.names(limits)?;
        let document_at = document_among(&names, stem(file_name))?;
        // One block of the zip unpacked as many files is how small zips grow without a high ratio.
        if self.0.has_overlapping_entries().map_err(|error| broken("the zip", &error))? {
            return Err(invalid("KOUAN-PACKAGE-BROKEN", "two entries share the same bytes of the zip"));
        }
        let mut left = limits.max_total_bytes;
        let mut document = Vec::new();
        let mut attachments = Vec::with_capacity(names.len());
        for (index, name) in names.into_iter().enumerate() {
            let is_document = index == document_at;
            let most = if is_document { left.min(limits.max_document_bytes) } else { left };
            let bytes = self.unpack(index, &name, most, limits.max_ratio)?;
            left -= bytes.len() as u64;
            if is_document {
                document = bytes;
            } else {
                attachments.push((name, bytes));
            }
        }
        Ok(OpenedPackage { file_name, document: Cow::Owned(document), attachments })
    }

    /// Every entry's name, or why the zip's directory cannot be accepted.
    fn names(&self, limits: &PackageLimits) -> Result<Vec<String>> {
        if self.0.len() > limits.max_files {
            let message = format!("{} files, at most {}", self.0.len(), limits.max_files);
            return Err(invalid("KOUAN-PACKAGE-TOO-MANY-FILES", message));
        }
        if self.0.has_duplicate_names() {
            return Err(invalid("KOUAN-PACKAGE-DUPLICATE-NAME", "two files of the zip have one name"));
        }
        let mut names = Vec::with_capacity(self.0.len());
        for index in 0..self.0.len() {
            let entry = self.0.by_index_data(index).map_err(|error| broken("the zip", &error))?;
            let name = decode_name(entry.name_raw())?;
            accept_name(&name)?;
            if entry.encrypted() {
                return Err(invalid("KOUAN-PACKAGE-ENCRYPTED", format!("{name} is encrypted")));
            }
            if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
                let message = format!("{name} is packed by {}", entry.compression());
                return Err(invalid("KOUAN-PACKAGE-METHOD", message));
            }
            if entry.is_symlink() {
                return Err(invalid("KOUAN-PACKAGE-UNSAFE-NAME", format!("{name} is a link")));
            }
            names.push(name);
        }
        // The folders these names end up in tell no upper case from lower case.
        let mut folded: Vec<_> = names.iter().map(|name| name.to_lowercase()).collect();
        folded.sort_unstable();
        match folded.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(invalid("KOUAN-PACKAGE-DUPLICATE-NAME", format!("{} stands twice in the zip", pair[0]))),
            None => Ok(names),
        }
    }

    /// The bytes of an entry, at most `most` of them. What the directory claims of its size is not believed.
    fn unpack(&mut self, index: usize, name: &str, most: u64, max_ratio: u64) -> Result<Vec<u8>> {
        let entry = self.0.by_index(index).map_err(|error| broken(name, &error))?;
        within(entry.size(), most, name)?;
        let packed = entry.compressed_size().max(1);
        let by_ratio = packed.saturating_mul(max_ratio).max(RATIO_FREE);
        let mut bytes = Vec::new();
        let read = entry.take(most.min(by_ratio).saturating_add(1)).read_to_end(&mut bytes);
        let size = bytes.len() as u64;
        if size > by_ratio && size <= most {
            let message = format!("{name} unpacks to more than {max_ratio} times its {packed} bytes");
            return Err(invalid("KOUAN-PACKAGE-BOMB", message));
        }
        within(size, most, name)?;
        read.map_err(|error| broken(name, &ZipError::Io(error)))?;
        Ok(bytes)
    }
}

/// Which of `names` is the document: the only xml, named as the zip is.
fn document_among(names: &[String], stem: &str) -> Result<usize> {
    let documents: Vec<_> =
        names.iter().enumerate().filter(|(_, name)| extension(name).eq_ignore_ascii_case("xml")).collect();
    match documents.as_slice() {
        [] => Err(invalid("KOUAN-PACKAGE-NO-DOCUMENT", format!("the zip holds no {stem}.xml"))),
        [(index, name)] if self::stem(name).to_lowercase() == stem.to_lowercase() => Ok(*index),
        [(_, name)] => {
            Err(invalid("KOUAN-PACKAGE-OTHER-STEM", format!("the zip holds {name}, its own name asks for {stem}.xml")))
        }
        [(_, first), (_, second), ..] => {
            Err(invalid("KOUAN-PACKAGE-TWO-DOCUMENTS", format!("the zip holds {first} and {second}")))
        }
    }
}

/// Windows writes Chinese names in GBK without saying so; UTF-8 is told from it by its form.
fn decode_name(raw: &[u8]) -> Result<String> {
    if let Ok(name) = std::str::from_utf8(raw) {
        return Ok(name.to_owned());
    }
    let decoded = encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(raw);
    decoded.map(Cow::into_owned).ok_or_else(|| {
        invalid("KOUAN-PACKAGE-UNSAFE-NAME", format!("`{}` is neither UTF-8 nor GBK", String::from_utf8_lossy(raw)))
    })
}

/// A plain file name that every file system takes as that.
fn accept_name(name: &str) -> Result<()> {
    if name.contains(['/', '\\']) {
        let climbs = name.split(['/', '\\']).any(|part| part == "..") || name.starts_with(['/', '\\']);
        let code = if climbs { "KOUAN-PACKAGE-UNSAFE-NAME" } else { "KOUAN-PACKAGE-FOLDER" };
        return Err(invalid(code, format!("`{name}` is a path, not a file name")));
    }
    let forbidden = |c: char| c.is_control() || matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if name.is_empty() || name == "." || name == ".." || name.len() > MAX_NAME || name.contains(forbidden) {
        return Err(invalid("KOUAN-PACKAGE-UNSAFE-NAME", format!("`{}` is no file name", name.escape_debug())));
    }
    Ok(())
}

fn within(size: u64, most: u64, name: &str) -> Result<()> {
    if size <= most {
        return Ok(());
    }
    Err(invalid("KOUAN-PACKAGE-TOO-LARGE", format!("{name} is larger than the {most} bytes left for it")))
}

fn broken(what: &str, error: &ZipError) -> Error {
    invalid("KOUAN-PACKAGE-BROKEN", format!("{what}: {error}"))
}

fn invalid(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use zip::write::SimpleFileOptions;

    fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let mut out = bytes.to_vec();
        let mut count = 0;
        for at in 0..=out.len() - from.len() {
            if &out[at..at + from.len()] == from {
                out[at..at + to.len()].copy_from_slice(to);
                count += 1;
            }
        }
        assert!(count > 0, "nothing to replace");
        out
    }

    #[track_caller]
    fn refused(bytes: &[u8], code: &str) {
        let error = open("D1.zip", bytes, &PackageLimits::default()).unwrap_err();
        assert_eq!((error.code.as_ref(), error.kind), (code, ErrorKind::Invalid), "{error}");
        assert!(kouan_sdk::catalogue::lookup(code).is_some(), "{code} stands in no catalogue");
    }

    #[test]
    fn a_bare_document_is_borrowed_as_it_stands() {
        let bytes = b"<a/>".to_vec();
        let opened = open("D1.XML", &bytes, &PackageLimits::default()).unwrap();
        assert!(matches!(opened.document, Cow::Borrowed(_)));
        assert_eq!((opened.stem(), opened.attachments().count()), ("D1", 0));
    }

    #[test]
    fn a_zip_gives_its_document_and_attachments_in_order() {
        let zip = zip_of(&[("发票.pdf", b"%PDF-1"), ("d1.XML", b"<a/>"), ("b.jpg", b"")]);
        let opened = open("D1.zip", &zip, &PackageLimits::default()).unwrap();
        assert_eq!(opened.document(), b"<a/>");
        let attachments: Vec<_> = opened.attachments().collect();
        assert_eq!(attachments, [("发票.pdf", b"%PDF-1".as_slice()), ("b.jpg", b"".as_slice())]);
        let seen: Vec<_> = opened.attachments().map(|(name, bytes)| Attachment { name, bytes }).collect();
        let package = opened.package(Some("DECCUS001"), &seen);
        assert_eq!((package.file_name, package.stem, package.attachments.len()), ("D1.zip", "D1", 2));
    }

    #[test]
    fn a_name_written_in_gbk_is_read() {
        // 发票 in GBK is four bytes, which no UTF-8 text has.
        let zip = replaced(&zip_of(&[("D1.xml", b"<a/>"), ("ABCD.pdf", b"x")]), b"ABCD.pdf", b"\xb7\xa2\xc6\xb1.pdf");
        let opened = open("D1.zip", &zip, &PackageLimits::default()).unwrap();
        assert_eq!(opened.attachments().next().unwrap().0, "发票.pdf");
    }

    #[test]
    fn each_wrong_zip_has_its_name() {
        refused(b"", "KOUAN-PACKAGE-EMPTY");
        refused(b"<a/>", "KOUAN-PACKAGE-NOT-A-ZIP");
        refused(b"PK\x03\x04 and no more", "KOUAN-PACKAGE-BROKEN");
        refused(&zip_of(&[]), "KOUAN-PACKAGE-NO-DOCUMENT");
        refused(&zip_of(&[("a.pdf", b"x")]), "KOUAN-PACKAGE-NO-DOCUMENT");
        refused(&zip_of(&[("D2.xml", b"<a/>")]), "KOUAN-PACKAGE-OTHER-STEM");
        refused(&zip_of(&[("D1.xml", b"<a/>"), ("D2.xml", b"<a/>")]), "KOUAN-PACKAGE-TWO-DOCUMENTS");
        refused(&zip_of(&[("D1.xml", b"<a/>"), ("x/a.pdf", b"x")]), "KOUAN-PACKAGE-FOLDER");
        refused(&zip_of(&[("D1.xml", b"<a/>"), ("x/", b"")]), "KOUAN-PACKAGE-FOLDER");
        for name in ["../a.pdf", "/a.pdf", "..\\a.pdf", "x/../../a.pdf", "..", "a\0.pdf", "C:a.pdf", "a\n.pdf"] {
            refused(&zip_of(&[("D1.xml", b"<a/>"), (name, b"x")]), "KOUAN-PACKAGE-UNSAFE-NAME");
        }
        let twice = replaced(&zip_of(&[("D1.xml", b"<a/>"), ("a1.pdf", b"x"), ("a2.pdf", b"y")]), b"a2.pdf", b"a1.pdf");
        refused(&twice, "KOUAN-PACKAGE-DUPLICATE-NAME");
        refused(&zip_of(&[("D1.xml", b"<a/>"), ("a.pdf", b"x"), ("A.PDF", b"y")]), "KOUAN-PACKAGE-DUPLICATE-NAME");
        let names: Vec<_> = (0..300).map(|n| format!("{n}.pdf")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
        refused(&zip_of(&many), "KOUAN-PACKAGE-TOO-MANY-FILES");
    }

    #[test]
    fn an_encrypted_zip_and_an_unknown_method_are_named() {
        let zip = zip_of(&[("D1.xml", b"<a/>")]);
        // General purpose flag, bit 0, and the method, in the local header and in the directory.
        let with = |local: usize, central: usize, value: u8| {
            let mut zip = zip.clone();
            let directory = zip.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
            zip[local] |= value;
            zip[directory + central] |= value;
            zip
        };
        refused(&with(6, 8, 1), "KOUAN-PACKAGE-ENCRYPTED");
        refused(&with(8, 10, 0x55), "KOUAN-PACKAGE-METHOD");
    }

    #[test]
    fn a_bomb_is_stopped_by_its_ratio_and_by_its_size() {
        let zeros = vec![b' '; 8 << 20];
        refused(&zip_of(&[("D1.xml", b"<a/>"), ("a.pdf", &zeros)]), "KOUAN-PACKAGE-BOMB");
        let limits = PackageLimits { max_total_bytes: 1000, max_ratio: u64::MAX, ..PackageLimits::default() };
        let zip = zip_of(&[("D1.xml", b"<a/>"), ("a.pdf", &zeros)]);
        let error = open("D1.zip", &zip, &limits).unwrap_err();
        assert_eq!(error.code, "KOUAN-PACKAGE-TOO-LARGE");
        let limits = PackageLimits { max_document_bytes: 3, ..PackageLimits::default() };
        assert_eq!(open("D1.xml", b"<a/>", &limits).unwrap_err().code, "KOUAN-PACKAGE-TOO-LARGE");
        let zip = zip_of(&[("D1.xml", b"<a/>")]);
        assert_eq!(open("D1.zip", &zip, &limits).unwrap_err().code, "KOUAN-PACKAGE-TOO-LARGE");
    }

    #[test]
    fn a_size_that_lies_does_not_help_a_bomb() {
        let zeros = vec![b' '; 8 << 20];
        let zip = zip_of(&[("D1.xml", b"<a/>"), ("a.pdf", &zeros)]);
        let lie = replaced(&zip, &(8u32 << 20).to_le_bytes(), &4u32.to_le_bytes());
        let error = open("D1.zip", &lie, &PackageLimits::default()).unwrap_err();
        assert!(error.code.starts_with("KOUAN-PACKAGE-"), "{error}");
    }

    #[test]
    fn a_zip_cut_anywhere_is_refused() {
        let zip = zip_of(&[("D1.xml", b"<a>text that packs, text that packs</a>"), ("a.pdf", b"%PDF")]);
        for cut in 0..zip.len() {
            let outcome = open("D1.zip", &zip[..cut], &PackageLimits::default());
            assert!(outcome.is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn any_flipped_byte_gives_the_same_document_or_a_refusal() {
        let document = b"<a>text that packs, text that packs</a>";
        let zip = zip_of(&[("D1.xml", document), ("a.pdf", b"%PDF")]);
        for at in 0..zip.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut bent = zip.clone();
                bent[at] ^= flip;
                if let Ok(opened) = open("D1.zip", &bent, &PackageLimits::default()) {
                    assert_eq!(opened.document(), document, "byte {at}");
                }
            }
        }
    }

    #[test]
    fn a_stem_is_the_name_without_its_extension() {
        for (name, expected) in [("a.xml", "a"), ("a.b.ZIP", "a.b"), ("a", "a"), ("a.txt", "a.txt"), (".xml", "")] {
            assert_eq!(stem(name), expected);
        }
    }
}
