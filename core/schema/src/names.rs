//! A hash map by short names. The names come from our own schemas, so the hash needs speed, not secrecy.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Names to values.
pub(crate) type Names<V> = HashMap<Box<str>, V, BuildHasherDefault<NameHasher>>;

/// Multiplies eight bytes at a time.
#[derive(Debug, Default, Clone)]
pub(crate) struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0_u64, |word, b| word << 8 | u64::from(*b));
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
