//! Conformance kit of the business trait.
