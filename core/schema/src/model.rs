//! Walks a nested content model. The place in the model is a stack of levels, from the root group down to the leaf that
//! was matched last; since models are deterministic, the first level that can go on is the right one.

use crate::schema::{Model, ModelNode, NodeKind, Schema, Slot, Wildcard};

/// One level of the place in a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level {
    node: u16,
    /// How often it has begun.
    count: u32,
    /// Child that is being matched.
    at: u16,
}

/// What a child turned out to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Match<'m> {
    Element { element: u32, slot: Slot },
    Wild(&'m Wildcard),
}

/// A child, as the walk sees it.
#[derive(Clone, Copy)]
pub(crate) struct Child<'c> {
    pub(crate) schema: &'c Schema,
    pub(crate) name: &'c str,
    pub(crate) namespace: &'c str,
}

impl Model {
    fn node(&self, id: u16) -> &ModelNode {
        &self.nodes[usize::from(id)]
    }

    fn takes(&self, leaf: u16, child: Child<'_>) -> bool {
        match &self.node(leaf).kind {
            NodeKind::Element { element, .. } => *child.schema.element(*element).name == *child.name,
            NodeKind::Any(wildcard) => {
                // A name of the model is never the wildcard's, even in a wrong namespace.
                !self.by_name.contains_key(child.name) && wildcard.takes(child.schema, child.namespace)
            }
            NodeKind::Sequence(_) | NodeKind::Choice(_) => false,
        }
    }

    fn begins(&self, node: u16, child: Child<'_>) -> bool {
        self.node(node).first.iter().any(|leaf| self.takes(*leaf, child))
    }

    /// Whether the name leads into `node` at all, even over required parts.
    fn holds(&self, node: u16, child: Child<'_>) -> bool {
        match &self.node(node).kind {
            NodeKind::Sequence(list) | NodeKind::Choice(list) => list.iter().any(|n| self.holds(*n, child)),
            _ => self.takes(node, child),
        }
    }

    /// Takes a child. With `lenient`, required parts may be skipped: they are added to `missing`.
    pub(crate) fn accept(
        &self,
        levels: &mut Vec<Level>,
        child: Child<'_>,
        lenient: bool,
        missing: &mut Vec<u16>,
    ) -> Option<Match<'_>> {
        let mut skipped = Vec::new();
        let enters = |node: u16| if lenient { self.holds(node, child) } else { self.begins(node, child) };
        if levels.is_empty() {
            if !enters(self.root) {
                return None;
            }
            return self.descend(levels, self.root, child, missing);
        }
        for depth in (0..levels.len()).rev() {
            let level = levels[depth];
            let node = self.node(level.node);
            if let NodeKind::Sequence(list) = &node.kind {
                let later = list.iter().enumerate().skip(usize::from(level.at) + 1);
                for (at, next) in later.clone() {
                    if enters(*next) {
                        let over = later.clone().take_while(|(n, _)| *n < at).map(|(_, n)| *n);
                        skipped.extend(over.filter(|n| !self.node(*n).emptiable));
                        levels.truncate(depth + 1);
                        levels[depth].at = at as u16;
                        missing.append(&mut skipped);
                        return self.descend(levels, *next, child, missing);
                    }
                    if !lenient && !self.node(*next).emptiable {
                        return None;
                    }
                }
                // The rest of this round must be empty before anything else may come.
                skipped.extend(later.map(|(_, n)| *n).filter(|n| !self.node(*n).emptiable));
            }
            if level.count < node.max && enters(level.node) {
                levels.truncate(depth);
                missing.append(&mut skipped);
                let taken = self.descend(levels, level.node, child, missing);
                if let Some(level_again) = levels.get_mut(depth) {
                    level_again.count = level.count + 1;
                }
                return taken;
            }
            if level.count < node.min && !self.body_emptiable(level.node) {
                if !lenient {
                    return None;
                }
                skipped.push(level.node);
            }
        }
        None
    }

    /// What is still missing when the parent ends.
    pub(crate) fn finish(&self, levels: &[Level], missing: &mut Vec<u16>) {
        if levels.is_empty() && !self.node(self.root).emptiable {
            missing.push(self.root);
        }
        for level in levels.iter().rev() {
            let node = self.node(level.node);
            if let NodeKind::Sequence(list) = &node.kind {
                let later = list.iter().skip(usize::from(level.at) + 1);
                missing.extend(later.filter(|n| !self.node(**n).emptiable));
            }
            if level.count < node.min && !self.body_emptiable(level.node) {
                missing.push(level.node);
            }
        }
    }

    /// Elements of which one would satisfy the beginning of `node`.
    pub(crate) fn wanted(&self, node: u16) -> Vec<u32> {
        let element = |leaf: &u16| match self.node(*leaf).kind {
            NodeKind::Element { element, .. } => Some(element),
            _ => None,
        };
        self.node(node).first.iter().filter_map(element).collect()
    }

    /// Whether one round of `node` may be nothing.
    fn body_emptiable(&self, node: u16) -> bool {
        match &self.node(node).kind {
            NodeKind::Element { .. } | NodeKind::Any(_) => false,
            NodeKind::Sequence(list) => list.iter().all(|n| self.node(*n).emptiable),
            NodeKind::Choice(list) => list.is_empty() || list.iter().any(|n| self.node(*n).emptiable),
        }
    }

    /// Goes down to the leaf that takes the child; the caller has seen that there is one.
    fn descend(
        &self,
        levels: &mut Vec<Level>,
        node: u16,
        child: Child<'_>,
        missing: &mut Vec<u16>,
    ) -> Option<Match<'_>> {
        let depth = levels.len();
        levels.push(Level { node, count: 1, at: 0 });
        match &self.node(node).kind {
            NodeKind::Element { element, slot } => Some(Match::Element { element: *element, slot: *slot }),
            NodeKind::Any(wildcard) => Some(Match::Wild(wildcard)),
            NodeKind::Sequence(list) => {
                // A strict beginning first; what lies deeper only if there is none.
                let at = list
                    .iter()
                    .position(|n| self.begins(*n, child))
                    .or_else(|| list.iter().position(|n| self.holds(*n, child)))?;
                missing.extend(list.iter().take(at).filter(|n| !self.node(**n).emptiable));
                levels[depth].at = at as u16;
                self.descend(levels, *list.get(at)?, child, missing)
            }
            NodeKind::Choice(list) => {
                let at = list
                    .iter()
                    .position(|n| self.begins(*n, child))
                    .or_else(|| list.iter().position(|n| self.holds(*n, child)))?;
                levels[depth].at = at as u16;
                self.descend(levels, *list.get(at)?, child, missing)
            }
        }
    }
}

impl Model {
    /// Whether the leaf that was matched last must be there.
    pub(crate) fn requires_last(&self, levels: &[Level]) -> bool {
        levels.last().is_some_and(|level| self.node(level.node).min > 0)
    }
}
