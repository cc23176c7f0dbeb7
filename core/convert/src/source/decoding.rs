//! Bytes of a CSV as UTF-8, a block at a time, and which encoding they are in.

use super::Encoding;
use encoding_rs::{Decoder, DecoderResult, GB18030, UTF_8, UTF_16BE, UTF_16LE};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const BLOCK: usize = 64 << 10;

/// The encoding of a file: its byte order mark, else UTF-8 if it is that to its end, else GB18030. `Err` within `Ok`: the
/// byte at which neither goes on.
pub(super) fn detect(path: &Path) -> io::Result<Result<Encoding, u64>> {
    let mut start = Vec::new();
    File::open(path)?.take(3).read_to_end(&mut start)?;
    match start.as_slice() {
        [0xEF, 0xBB, 0xBF] => return Ok(Ok(Encoding::Utf8)),
        [0xFF, 0xFE, ..] => return Ok(Ok(Encoding::Utf16Le)),
        [0xFE, 0xFF, ..] => return Ok(Ok(Encoding::Utf16Be)),
        _ => {}
    }
    let mut stopped = 0;
    for encoding in [Encoding::Utf8, Encoding::Gb18030] {
        let mut reader = Decoding::new(File::open(path)?, encoding);
        match io::copy(&mut reader, &mut io::sink()) {
            Ok(_) => return Ok(Ok(encoding)),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => stopped = stopped.max(reader.read),
            Err(e) => return Err(e),
        }
    }
    Ok(Err(stopped))
}

/// Decodes what it reads; what cannot be decoded is `InvalidData`.
pub(super) struct Decoding {
    source: BufReader<File>,
    decoder: Decoder,
    block: Vec<u8>,
    /// What of the block is still to be decoded.
    from: usize,
    out: Vec<u8>,
    given: usize,
    ended: bool,
    /// Bytes decoded so far.
    pub read: u64,
}

impl Decoding {
    pub fn new(file: File, encoding: Encoding) -> Self {
        let of = match encoding {
            Encoding::Utf8 => UTF_8,
            Encoding::Gb18030 => GB18030,
            Encoding::Utf16Le => UTF_16LE,
            Encoding::Utf16Be => UTF_16BE,
        };
        Self {
            source: BufReader::new(file),
            decoder: of.new_decoder_with_bom_removal(),
            block: Vec::new(),
            from: 0,
            out: Vec::new(),
            given: 0,
            ended: false,
            read: 0,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.given == self.out.len() && !self.ended {
            let last = if self.from == self.block.len() {
                self.block.clear();
                self.from = 0;
                self.source.by_ref().take(BLOCK as u64).read_to_end(&mut self.block)? == 0
            } else {
                false
            };
            self.given = 0;
            self.out.resize(BLOCK * 3, 0);
            let bytes = self.block.get(self.from..).unwrap_or_default();
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(bytes, &mut self.out, last);
            self.out.truncate(written);
            self.from += read;
            self.read += read as u64;
            match result {
                DecoderResult::Malformed(..) => return Err(io::ErrorKind::InvalidData.into()),
                DecoderResult::InputEmpty => self.ended = last,
                DecoderResult::OutputFull => {}
            }
        }
        Ok(())
    }
}

impl Read for Decoding {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let ready = self.out.get(self.given..).unwrap_or_default();
        let count = ready.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..count), ready.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}
