//! SM3 as this room uses it.

use sm3::Digest as _;

/// An SM3 digest.
pub(crate) type Digest = [u8; 32];

/// What stands before the first event.
pub(crate) const ZERO: Digest = [0; 32];

/// SM3 of `bytes`.
pub(crate) fn sm3(bytes: &[u8]) -> Digest {
    sm3::Sm3::digest(bytes).into()
}

/// SM3 of text fields, each ended by a zero byte so that no two lists look alike.
pub(crate) fn sm3_fields(fields: &[&[u8]]) -> Digest {
    let mut hasher = Hasher::new();
    for field in fields {
        hasher.update(&(field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    hasher.finish()
}

/// SM3 piece by piece.
pub(crate) struct Hasher(sm3::Sm3);

impl Hasher {
    pub(crate) fn new() -> Self {
        Self(sm3::Sm3::new())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_sm3() {
        // GB/T 32905-2016, example 1.
        assert_eq!(hex::encode(super::sm3(b"abc")), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    }
}
