//! Conformance kit of the security trait.
