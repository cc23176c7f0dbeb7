//! Choices that follow from the seed and from what they are made for, whatever the clock does.

use kouan_host::dice::Dice;

/// The choices of one campaign, or of a part of it.
#[derive(Debug, Clone)]
pub struct Choices {
    dice: Dice,
    place: String,
}

impl Choices {
    /// Those of a campaign.
    pub fn new(seed: u64, campaign: u64) -> Self {
        Self { dice: Dice::new(seed), place: campaign.to_string() }
    }

    /// Those of a part.
    pub fn of(&self, part: impl std::fmt::Display) -> Self {
        Self { dice: self.dice, place: format!("{}/{part}", self.place) }
    }

    /// A number below `n`.
    pub fn below(&self, n: u64, what: &str) -> u64 {
        self.dice.number(&[&self.place, what]) % n.max(1)
    }

    /// One of these.
    pub fn one_of<'a, T>(&self, all: &'a [T], what: &str) -> Option<&'a T> {
        all.get(usize::try_from(self.below(all.len() as u64, what)).unwrap_or(0))
    }

    /// Whether it happens, about once in `n`.
    pub fn once_in(&self, n: u64, what: &str) -> bool {
        self.below(n, what) == 0
    }

    /// A seed for others.
    pub fn seed(&self) -> u64 {
        self.dice.number(&[&self.place]) >> 32
    }
}
