//! Dice whose fall depends only on a seed and on what they are thrown for, so that it is the same after a restart and
//! in whatever order things happen.

/// Dice of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dice {
    seed: u64,
}

impl Dice {
    /// Dice of this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number for `what`, evenly spread over 0.0..1.0.
    pub fn throw(&self, what: &[&str]) -> f64 {
        // 53 bits: every value is exact in an f64.
        (self.number(what) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether `what` happens, if it does with `probability`.
    pub fn happens(&self, probability: f64, what: &[&str]) -> bool {
        probability > 0.0 && self.throw(what) < probability
    }

    /// 64 bits for `what`: FNV-1a over the parts, each ended, then SplitMix64's finaliser. Nothing secret depends on it.
    pub fn number(&self, what: &[&str]) -> u64 {
        let bytes = what.iter().flat_map(|part| part.bytes().map(u64::from).chain([0x1_00]));
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325 ^ scramble(self.seed), |hash, byte| {
            (hash ^ byte).wrapping_mul(0x0000_0100_0000_01b3)
        });
        scramble(hash)
    }
}

fn scramble(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_throws_fall_equal_and_spread_evenly() {
        let dice = Dice::new(7);
        assert_eq!(dice.throw(&["lose", "A1"]).to_bits(), Dice::new(7).throw(&["lose", "A1"]).to_bits());
        assert_ne!(dice.number(&["ab", "c"]), dice.number(&["a", "bc"]), "parts are kept apart");
        assert_ne!(dice.number(&["a"]), Dice::new(8).number(&["a"]));
        let hits = (0..10_000).filter(|n| dice.happens(0.1, &["late", &n.to_string()])).count();
        assert!((900..1100).contains(&hits), "{hits} of 10000 at one tenth");
        assert!(!dice.happens(0.0, &["x"]) && dice.happens(1.0, &["x"]));
    }
}
