//! SM3 (GB/T 32905), and SHA-1 for what legacy cards signed.

use ::sm3::digest::Digest;

/// SM3 of `bytes`.
pub fn sm3(bytes: &[u8]) -> [u8; 32] {
    ::sm3::Sm3::digest(bytes).into()
}

/// SHA-1 of `bytes`; only for reading and writing the legacy `rsa-sha1` generation.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    ::sha1::Sha1::digest(bytes).into()
}

/// SM3, fed piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Sm3(::sm3::Sm3);

/// SHA-1, fed piece by piece; see [`sha1()`].
#[derive(Debug, Clone, Default)]
pub struct Sha1(::sha1::Sha1);

macro_rules! streaming {
    ($name:ident, $length:literal) => {
        impl $name {
            /// A fresh hash.
            pub fn new() -> Self {
                Self::default()
            }

            /// Takes the next piece.
            pub fn update(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }

            /// The digest of all pieces.
            pub fn finish(self) -> [u8; $length] {
                self.0.finalize().into()
            }
        }

        /// Writing never fails.
        impl std::io::Write for $name {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.update(bytes);
                Ok(bytes.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

streaming!(Sm3, 32);
streaming!(Sha1, 20);

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// GB/T 32905 annex A.
    #[test]
    fn sm3_gives_the_standards_digests() {
        let abc = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
        let abcd16 = "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732";
        assert_eq!(hex::encode(sm3(b"abc")), abc);
        assert_eq!(hex::encode(sm3(&b"abcd".repeat(16))), abcd16);
        assert_eq!(hex::encode(sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn pieces_give_the_digest_of_the_whole() {
        let whole: Vec<u8> = (0..1000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for size in [1, 3, 63, 64, 65, 999] {
            let (mut by_update, mut by_write) = (Sm3::new(), Sm3::new());
            for piece in whole.chunks(size) {
                by_update.update(piece);
                by_write.write_all(piece).unwrap();
            }
            assert_eq!(by_update.finish(), sm3(&whole));
            assert_eq!(by_write.finish(), sm3(&whole));
        }
    }
}
