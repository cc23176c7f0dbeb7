//! A small tree of a receipt, a trailer, or a message whose fields are filled in. Messages with a schema are judged by
//! kouan-schema in one pass and never come here for that.

use kouan_xml::{Decoded, Event, Limits, Reader, XmlError, decode};
use std::ops::Range;

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Index of the parent; the root has none.
    pub parent: Option<usize>,
    /// Local name.
    pub name: String,
    /// Attributes without a namespace: name and value.
    pub attributes: Vec<(String, String)>,
    /// Text of the element itself, entities resolved.
    pub text: String,
    /// Whole element in the decoded text, tags included.
    pub span: Range<usize>,
    /// What stands between its tags, in the decoded text; empty for `<X/>`.
    pub inner: Range<usize>,
}

/// A document, read.
#[derive(Debug, Clone)]
pub struct Tree {
    /// Elements in document order; the root is the first.
    nodes: Vec<Node>,
    namespace: String,
}

/// Decodes a document within the house's limits.
///
/// # Errors
/// What is wrong with its bytes.
pub fn decoded(bytes: &[u8]) -> Result<Decoded<'_>, XmlError> {
    decode(bytes, &Limits::default())
}

impl Tree {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, XmlError> {
        Self::of(&decoded(bytes)?)
    }

    /// Reads a decoded document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(document: &Decoded<'_>) -> Result<Self, XmlError> {
        let mut reader = Reader::new(document, &Limits::default());
        let mut nodes: Vec<Node> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut namespace = String::new();
        while let Some(event) = reader.next()? {
            match event {
                Event::Start(tag) => {
                    if nodes.is_empty() {
                        tag.namespace.clone_into(&mut namespace);
                    }
                    let end = tag.offset + tag.length;
                    let plain = tag.attributes().filter(|attribute| attribute.namespace.is_empty());
                    let attributes = plain.map(|a| (a.local.to_owned(), a.value.to_owned())).collect();
                    let parent = open.last().copied();
                    open.push(nodes.len());
                    nodes.push(Node {
                        parent,
                        name: tag.local.to_owned(),
                        attributes,
                        text: String::new(),
                        span: tag.offset..end,
                        inner: end..end,
                    });
                }
                Event::Text(part) => {
                    if let Some(node) = open.last().and_then(|&at| nodes.get_mut(at)) {
                        node.text.push_str(part.text);
                    }
                }
                Event::End(tag) => {
                    let Some(node) = open.pop().and_then(|at| nodes.get_mut(at)) else { continue };
                    // An empty-element tag ends where it starts, with length 0.
                    node.span.end = node.span.end.max(tag.offset + tag.length);
                    node.inner.end = node.inner.end.max(tag.offset);
                }
            }
        }
        Ok(Self { nodes, namespace })
    }

    /// Local name of the root.
    pub fn root(&self) -> &str {
        self.nodes.first().map_or("", |node| node.name.as_str())
    }

    /// Namespace of the root; empty for none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All elements, in document order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// An element by its index.
    pub fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    /// Children of `parent`, in order.
    pub fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().skip(parent + 1).filter(move |(_, node)| node.parent == Some(parent))
    }

    /// The element at `path` below the root.
    pub fn find(&self, path: &[&str]) -> Option<usize> {
        let child = |at, name: &&str| self.children(at).find(|(_, node)| node.name == *name).map(|(at, _)| at);
        path.iter().try_fold(0, child)
    }

    /// Text of the element at `path`, blanks around it dropped; empty if there is none.
    pub fn value(&self, path: &[&str]) -> &str {
        self.find(path).and_then(|at| self.node(at)).map_or("", |node| node.text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_text_entities_cdata_and_spans() {
        let bytes =
            "<?xml version=\"1.0\"?>\n<a xmlns='u'><b>1 &lt;&#x4E2D;</b><c x='&amp;1'/><d><![CDATA[[&]]]></d></a>"
                .as_bytes();
        let document = decoded(bytes).unwrap();
        let tree = Tree::of(&document).unwrap();
        assert_eq!((tree.root(), tree.namespace(), tree.nodes().len()), ("a", "u", 4));
        assert_eq!((tree.value(&["b"]), tree.value(&["d"]), tree.value(&["c"])), ("1 <中", "[&]", ""));
        let b = tree.node(tree.find(&["b"]).unwrap()).unwrap();
        assert_eq!(&document.text()[b.span.clone()], "<b>1 &lt;&#x4E2D;</b>");
        assert_eq!(&document.text()[b.inner.clone()], "1 &lt;&#x4E2D;");
        let c = tree.node(tree.find(&["c"]).unwrap()).unwrap();
        assert_eq!(&document.text()[c.span.clone()], "<c x='&amp;1'/>");
        assert_eq!(c.attributes, [("x".to_owned(), "&1".to_owned())]);
        assert!(c.inner.is_empty());
    }
}
