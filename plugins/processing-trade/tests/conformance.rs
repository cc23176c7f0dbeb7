//! The plugin against the kit and its own samples.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a test fails by panicking

use kouan_declarative::proof;
use kouan_processing_trade::{BUSINESS, PLUGIN};

#[test]
fn the_kit_and_every_sample_hold() {
    proof::check(&PLUGIN, &BUSINESS);
}
