//! What is done to good input so that it is bad: bytes turned, cut, doubled and mixed, and XML bent where it hurts.

use std::borrow::Cow;

/// Longest input, in bytes: what is done with it is bounded by this.
pub const LONGEST: usize = 256 << 10;

/// Values at and beyond every edge.
const VALUES: [&str; 30] = [
    "",
    " ",
    "\u{3000}",
    "0",
    "-1",
    "-0.0",
    "+5",
    "1e308",
    "1E-400",
    "NaN",
    "INF",
    ".",
    "1.",
    "0x10",
    "79228162514264337593543950336",
    "99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "0.00000000000000000000000000000000000000000000000000000000000000001",
    "9223372036854775808",
    "18446744073709551616",
    "００１２",
    "99999999",
    "20260230",
    "0000-00-00",
    "20269999999999999999",
    "岸岸岸岸",
    "\u{1F600}\u{202E}\u{FEFF}",
    "a\u{0301}\u{0301}\u{0301}",
    "&#x10FFFF;&#9;&amp;",
    "CDATA]]&gt;",
    "MT9999",
];

/// Pieces that a reader of XML, of zips or of PDFs stops at.
const PIECES: [&[u8]; 24] = [
    b"<",
    b">",
    b"&",
    b"\"",
    b"\0",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b"<?x ",
    b"?>",
    b"<!DOCTYPE a [",
    b"&#0;",
    b"&#xFFFFFFFFF;",
    b"&lol;",
    b"</",
    b"/>",
    b"xmlns=\"\"",
    b" xmlns:p=\"urn:p\"",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
    b"\x81\x30\x81\x30",
    b"PK\x01\x02",
    b"PK\x05\x06",
];

/// What a declaration may claim.
const ENCODINGS: [&str; 10] =
    ["UTF-8", "utf8", "GBK", "GB2312", "gb18030", "UTF-16", "UTF-16LE", "ISO-8859-1", "Shift_JIS", "none-such"];

/// xorshift: the same inputs every time.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 11) as usize % n.max(1)
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Bytes without any meaning.
    pub fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most);
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// One of `stock`, changed one to four times; now and then bytes without any meaning.
pub fn mutated(stock: &[Cow<'static, [u8]>], random: &mut Random) -> Vec<u8> {
    if random.below(40) == 0 {
        return random.bytes(4096);
    }
    let mut bytes = random.pick(stock).to_vec();
    // Most often once: what is bent too much is refused at the door.
    let times = if random.below(3) == 0 { 2 + random.below(3) } else { 1 };
    for _ in 0..times {
        match random.below(6) {
            0 => bend_bytes(&mut bytes, random),
            1 => mix(&mut bytes, stock, random),
            _ => bend_xml(&mut bytes, random),
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// Changes that know nothing of what the bytes are.
pub fn bend_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    let (from, to) = range(bytes, random);
    match random.below(9) {
        0 => bytes.truncate(from),
        1 => drop(bytes.drain(from..to)),
        2 => bytes[from..to].fill(0),
        // A zip's directory stands at the end.
        3 | 4 => {
            for _ in 0..=random.below(4) {
                let at = bytes.len().saturating_sub(1 + random.below(120));
                flip(bytes, at, random);
            }
        }
        5 => {
            let noise = random.bytes(32);
            drop(bytes.splice(from..from, noise));
        }
        6 => bytes[from..to].reverse(),
        _ => {
            for _ in 0..=random.below(8) {
                let at = random.below(bytes.len());
                flip(bytes, at, random);
            }
        }
    }
}

fn flip(bytes: &mut [u8], at: usize, random: &mut Random) {
    let bit = 1 << random.below(8);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= bit;
    }
}

/// A stretch, most often a short one.
fn range(bytes: &[u8], random: &mut Random) -> (usize, usize) {
    let from = random.below(bytes.len() + 1);
    let most = if random.below(4) == 0 { bytes.len() } else { 64 };
    (from, (from + random.below(most)).min(bytes.len()))
}

/// A stretch of this or of another input is put into it.
fn mix(bytes: &mut Vec<u8>, stock: &[Cow<'static, [u8]>], random: &mut Random) {
    let other = if random.below(2) == 0 { Cow::Owned(bytes.clone()) } else { random.pick(stock).clone() };
    let (from, to) = range(&other, random);
    let at = random.below(bytes.len() + 1);
    let over = if random.below(2) == 0 { (at + to - from).min(bytes.len()) } else { at };
    drop(bytes.splice(at..over, other[from..to].iter().copied()));
}

/// Changes where XML has its joints, found by its brackets alone.
fn bend_xml(bytes: &mut Vec<u8>, random: &mut Random) {
    match random.below(10) {
        0..3 => replace_value(bytes, random),
        3 | 4 => repeat_element(bytes, random),
        5 => nest(bytes, random),
        6 => put(bytes, random, |random| random.pick(&PIECES).to_vec()),
        7 => put_attribute(bytes, random),
        8 => claim_encoding(bytes, random),
        _ => encode_otherwise(bytes, random),
    }
}

/// Where the text of some leaf stands.
fn leaf(bytes: &[u8], random: &mut Random) -> Option<(usize, usize)> {
    let start = random.below(bytes.len());
    let open = start + memchr(bytes.get(start..)?, b'>')? + 1;
    let close = open + memchr(bytes.get(open..)?, b'<')?;
    Some((open, close))
}

/// The first place of a byte.
fn memchr(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|byte| *byte == wanted)
}

fn replace_value(bytes: &mut Vec<u8>, random: &mut Random) {
    let Some((open, close)) = leaf(bytes, random) else { return };
    let mut value = random.pick(&VALUES).as_bytes().to_vec();
    if random.below(8) == 0 {
        let times = 1 + random.below(20_000) / value.len().max(1);
        value = value.repeat(times);
    }
    drop(bytes.splice(open..close, value));
}

/// A whole element, found by its name, stands up to some hundred times.
fn repeat_element(bytes: &mut Vec<u8>, random: &mut Random) {
    let Some((from, to)) = element(bytes, random) else { return };
    let once = bytes[from..to].to_vec();
    let times = (1 + random.below(600)).min(LONGEST / 2 / once.len().max(1));
    drop(bytes.splice(from..from, once.repeat(times)));
}

fn element(bytes: &[u8], random: &mut Random) -> Option<(usize, usize)> {
    let start = random.below(bytes.len());
    let from = start + memchr(bytes.get(start..)?, b'<')?;
    let rest = bytes.get(from + 1..)?;
    let length = rest.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    let end = [b"</", &rest[..length], b">"].concat();
    let to = from + rest.windows(end.len()).position(|window| window == end)? + 1 + end.len();
    (length > 0).then_some((from, to))
}

/// An element within itself, deeper than any message.
fn nest(bytes: &mut Vec<u8>, random: &mut Random) {
    let Some((from, to)) = element(bytes, random) else { return };
    let name: Vec<u8> = bytes[from + 1..to].iter().copied().take_while(|b| b.is_ascii_alphanumeric()).collect();
    let times = random.below(200);
    let (open, close) =
        ([b"<", &name[..], b">"].concat().repeat(times), [b"</", &name[..], b">"].concat().repeat(times));
    let once = bytes[from..to].to_vec();
    drop(bytes.splice(from..to, [open, once, close].concat()));
}

fn put(bytes: &mut Vec<u8>, random: &mut Random, what: impl Fn(&mut Random) -> Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    let what = what(random);
    drop(bytes.splice(at..at, what));
}

fn put_attribute(bytes: &mut Vec<u8>, random: &mut Random) {
    const ATTRIBUTES: [&str; 6] = [
        " a=\"1\"",
        " xmlns=\"urn:x\"",
        " xsi:nil=\"true\"",
        " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"x\"",
        " Version=\"9.9\"",
        " xmlns:a=\"\"",
    ];
    let Some((open, _)) = leaf(bytes, random) else { return };
    let times = if random.below(10) == 0 { 70 } else { 1 };
    let what = random.pick(&ATTRIBUTES).repeat(times);
    drop(bytes.splice(open - 1..open - 1, what.into_bytes()));
}

/// Another encoding is declared than the bytes are in.
fn claim_encoding(bytes: &mut Vec<u8>, random: &mut Random) {
    let claim = format!("<?xml version=\"1.0\" encoding=\"{}\"?>", random.pick(&ENCODINGS));
    let end = if bytes.starts_with(b"<?xml") { memchr(bytes, b'>').map_or(0, |at| at + 1) } else { 0 };
    drop(bytes.splice(0..end, claim.into_bytes()));
}

/// The text in another encoding, with and without a mark, whatever is declared.
fn encode_otherwise(bytes: &mut Vec<u8>, random: &mut Random) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let little = || text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let big = || text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
    *bytes = match random.below(5) {
        0 => little(),
        1 => [b"\xFF\xFE".to_vec(), little()].concat(),
        2 => [b"\xFE\xFF".to_vec(), big()].concat(),
        3 => [b"\xEF\xBB\xBF\xEF\xBB\xBF".to_vec(), text.into_bytes()].concat(),
        _ => encoding_rs::GB18030.encode(&text).0.into_owned(),
    };
}
