//! Canonical XML (under construction).
