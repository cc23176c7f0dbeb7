//! Conformance kit of the transport trait.
