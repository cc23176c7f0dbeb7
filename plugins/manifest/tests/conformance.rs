//! What every business by data proves: the kit, golden findings, rules by their own examples.

use kouan_declarative::proof;
use kouan_manifest::{BUSINESS, PLUGIN};

#[test]
fn passes_the_kit_and_finds_exactly_what_was_planted() {
    proof::check(&PLUGIN, &BUSINESS);
}
