//! How much a document may ask of us.

/// Limits against hostile input. Each has its own error code; none is ever passed silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest document, in original bytes.
    pub max_bytes: usize,
    /// Deepest nesting of elements; the root is 1.
    pub max_depth: usize,
    /// Most attributes of one element, namespace declarations included. Checking for duplicates is quadratic in this.
    pub max_attributes: usize,
    /// Longest element, attribute or prefix name, in UTF-8 bytes.
    pub max_name: usize,
    /// Longest text of one element or value of one attribute, in UTF-8 bytes.
    pub max_text: usize,
    /// Most elements, attributes and pieces of text together.
    pub max_nodes: usize,
    /// Most namespace declarations in scope at one place.
    pub max_namespaces: usize,
}

impl Default for Limits {
    /// What a business message needs, with room to spare.
    fn default() -> Self {
        Self {
            max_bytes: 20 << 20,
            max_depth: 64,
            max_attributes: 64,
            max_name: 256,
            max_text: 1 << 20,
            max_nodes: 2_000_000,
            max_namespaces: 128,
        }
    }
}
