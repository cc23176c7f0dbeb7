//! Conformance kits: a plugin's whole test is one call with a factory.
//!
//! They panic with a sentence on the first promise that does not hold, so they belong into tests.

pub mod business;
pub mod security;
pub mod transport;
