//! Whatever comes in, nothing panics, and what comes out is bounded: messages, receipts, zips, attachments and
//! envelopes, bent in thousands of ways by a fixed seed. What once failed, or is nasty, lies in `corpus` and is tried
//! everywhere.
//!
//! `KOUAN_FUZZ_ROUNDS=50` tries fifty times as many inputs, `KOUAN_FUZZ_SEED=7` others.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test fails by panicking

mod businesses;
mod mutate;
mod readers;

use businesses::Business;
use mutate::Random;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Inputs for each thing that is tried, in one round.
const CASES: u64 = 400;

/// Something that takes bytes from outside; whether it made something of them.
type Target<'t> = &'t dyn Fn(&[u8], &mut Random) -> bool;

/// Tries `target` on what comes of `stock`. An input that fails is written where it can be picked up for the corpus.
fn fuzz(name: &str, stock: &[Cow<'static, [u8]>], target: Target<'_>) {
    assert!(!stock.is_empty(), "{name} has nothing to begin with");
    let number = |name: &str, usual: u64| std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap());
    let (rounds, seed) = (number("KOUAN_FUZZ_ROUNDS", 1), number("KOUAN_FUZZ_SEED", 1));
    let cases = CASES * rounds;
    let mut taken = 0;
    for case in 0..cases {
        let seed = seed << 32 | case;
        let input = mutate::mutated(stock, &mut Random::new(seed));
        taken += u64::from(attempt(name, seed, &input, target));
    }
    assert!((cases / 20..cases * 19 / 20).contains(&taken), "{name} takes {taken} of {cases}: a poor mixture");
}

/// Tries one input; its choices beside the input come from `seed` too.
fn attempt(name: &str, seed: u64, input: &[u8], target: Target<'_>) -> bool {
    let tried = catch_unwind(AssertUnwindSafe(|| target(input, &mut Random::new(!seed))));
    tried.unwrap_or_else(|_| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{seed}"));
        std::fs::write(&file, input).unwrap();
        panic!("{name} fails on case {seed}; the input is {}", file.display());
    })
}

/// What once failed, or is nasty.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| name != "README.md")
        .collect();
    all.sort();
    all
}

/// A test for each business, so that they run side by side.
macro_rules! each {
    ($($name:ident: $make:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn messages_are_judged_and_planned() {
                let business: Business = $make;
                fuzz(concat!(stringify!($name), "-message"), &business.messages, &|input, random| business.judge(input, random));
            }

            #[test]
            fn receipts_are_read() {
                let business: Business = $make;
                fuzz(concat!(stringify!($name), "-receipt"), &business.receipts, &|input, _| business.read(input));
            }

            #[test]
            fn payloads_reach_the_window() {
                let business: Business = $make;
                fuzz(concat!(stringify!($name), "-payload"), &business.payloads(), &|input, random| business.arrive(input, random));
            }

            #[test]
            fn the_corpus_does_no_harm() {
                let business: Business = $make;
                for (at, (name, input)) in corpus().iter().enumerate() {
                    attempt(&format!("{}-{name}", stringify!($name)), at as u64, input, &|input, random| {
                        business.judge(input, random) | business.read(input) | business.arrive(input, random)
                    });
                }
            }
        }
    )*};
}

each! {
    goods_declaration: Business::goods_declaration();
    manifest: Business::by_data(&kouan_manifest::PLUGIN, &kouan_manifest::BUSINESS);
    transport_means: Business::by_data(&kouan_transport_means::PLUGIN, &kouan_transport_means::BUSINESS);
    processing_trade: Business::by_data(&kouan_processing_trade::PLUGIN, &kouan_processing_trade::BUSINESS);
    opaque: Business::by_data(&kouan_opaque::PLUGIN, &kouan_opaque::BUSINESS);
}

#[test]
fn zips_are_opened_within_their_limits() {
    fuzz("zip", &readers::zips(), &|input, random| readers::open_zip(input, random));
}

#[test]
fn envelopes_are_read() {
    fuzz("envelope", &readers::envelopes(), &|input, _| readers::read_envelope(input));
}

#[test]
fn the_corpus_does_readers_no_harm() {
    let corpus = corpus();
    assert!(corpus.len() >= 20, "only {} inputs in the corpus", corpus.len());
    for (at, (name, input)) in corpus.iter().enumerate() {
        attempt(&format!("readers-{name}"), at as u64, input, &|input, random| {
            readers::open_zip(input, random) | readers::read_envelope(input)
        });
    }
}
