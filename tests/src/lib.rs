//! What crosses rooms: tests of a whole gateway, in `tests/`. Nothing depends on this crate.

#![forbid(unsafe_code)]
