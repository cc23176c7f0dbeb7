//! Particle trees, compiled: a flat row where that is enough, else a tree of nodes.

use super::structure::{Draft, Tree, TreeKind};
use super::{DraftState, Loader, ambiguity};
use crate::error::{AMBIGUOUS, LoadError, UNSUPPORTED};
use crate::names::Names;
use crate::schema::{Complex, Content, Flat, Model, ModelNode, NodeKind, Order, Particle, Slot};

impl Loader<'_> {
    /// Compiles all drafts, in the order of their ids.
    pub(super) fn finish_content(&mut self) -> Result<(), LoadError> {
        for id in 0..self.drafts.len() {
            let Some(DraftState::Done(draft)) = self.drafts.get(&(id as u32)) else { continue };
            let draft = draft.clone();
            let content = self.content(&draft)?;
            self.schema.complex.push(Complex {
                content,
                text: draft.text,
                mixed: draft.mixed,
                attributes: draft.attributes,
                any_attribute: draft.any_attribute,
                unknown: draft.notes.unknown,
            });
        }
        Ok(())
    }

    fn content(&self, draft: &Draft) -> Result<Content, LoadError> {
        let error = |code, message: String| LoadError { code, message, ..draft.place.clone() };
        let Some(tree) = &draft.tree else { return Ok(Content::Empty) };
        let tree = flattened(tree.clone());
        ambiguity::check(&self.schema, &tree).map_err(|message| error(AMBIGUOUS, message))?;
        if let Some(flat) = self.flat(&tree, draft.notes.order) {
            return Ok(Content::Flat(flat));
        }
        if draft.notes.order != Order::Strict {
            return Err(error(
                UNSUPPORTED,
                "k:order on anything but a sequence of differently named elements is not supported".into(),
            ));
        }
        let model = Builder {
            loader: self,
            nodes: Vec::new(),
            by_name: Names::default(),
            slots: Vec::new(),
            repeats: Vec::new(),
            musts: Vec::new(),
        };
        model.build(&tree).map(Content::Model).map_err(|message| error(AMBIGUOUS, message))
    }

    fn flat(&self, tree: &Tree, order: Order) -> Option<Flat> {
        let (children, order) = match &tree.kind {
            TreeKind::Sequence(children) if tree.max == 1 => (&children[..], order),
            TreeKind::All(children) => (&children[..], Order::Any),
            _ => return None,
        };
        let (children, tail) = match children.split_last() {
            Some((Tree { kind: TreeKind::Any(wildcard), min, max }, rest)) => {
                (rest, Some((wildcard.clone(), *min, *max)))
            }
            _ => (children, None),
        };
        let mut particles = Vec::new();
        let mut by_name = Names::default();
        let mut musts = Vec::new();
        for child in children {
            let TreeKind::Element(element) = child.kind else { return None };
            let declaration = self.schema.element(element);
            let slot = Slot::try_from(particles.len()).ok()?;
            if by_name.insert(declaration.name.clone(), slot).is_some() {
                return None;
            }
            if child.min > 0 || declaration.notes.required.is_some() {
                musts.push(slot);
            }
            particles.push(Particle { element, min: child.min, max: child.max });
        }
        Some(Flat {
            particles,
            order,
            all: matches!(tree.kind, TreeKind::All(_)),
            optional: tree.min == 0,
            by_name,
            musts,
            tail,
        })
    }
}

/// `tree` with groups that occur exactly once spliced into sequences around them.
fn flattened(mut tree: Tree) -> Tree {
    if let TreeKind::Sequence(children) = &mut tree.kind {
        let mut flat = Vec::new();
        for child in std::mem::take(children).into_iter().map(flattened) {
            match child {
                Tree { kind: TreeKind::Sequence(inner), min: 1, max: 1 } => flat.extend(inner),
                other => flat.push(other),
            }
        }
        // A sequence of one group that carries the occurrence.
        if let [only] = &flat[..]
            && !matches!(only.kind, TreeKind::Element(_) | TreeKind::Any(_))
            && (tree.min, tree.max) == (1, 1)
        {
            return only.clone();
        }
        *children = flat;
    } else if let TreeKind::Choice(children) = &mut tree.kind {
        *children = std::mem::take(children).into_iter().map(flattened).collect();
    }
    tree
}

struct Builder<'l, 'd> {
    loader: &'l Loader<'d>,
    nodes: Vec<ModelNode>,
    by_name: Names<Slot>,
    slots: Vec<u32>,
    repeats: Vec<bool>,
    musts: Vec<Slot>,
}

impl Builder<'_, '_> {
    fn build(mut self, tree: &Tree) -> Result<Model, String> {
        let root = self.node(tree, tree.max > 1, false)?;
        let Self { nodes, by_name, slots, repeats, musts, .. } = self;
        Ok(Model { nodes, root, by_name, slots, musts, repeats })
    }

    /// `repeated`: some group around repeats; `chosen`: some group around is a choice or may be absent.
    fn node(&mut self, tree: &Tree, repeated: bool, chosen: bool) -> Result<u16, String> {
        let repeated = repeated || tree.max > 1;
        let optional = chosen || tree.min == 0;
        let children = |this: &mut Self, list: &[Tree], chosen: bool| {
            list.iter().map(|child| this.node(child, repeated, chosen)).collect::<Result<Vec<_>, _>>()
        };
        let kind = match &tree.kind {
            TreeKind::Element(element) => {
                NodeKind::Element { element: *element, slot: self.slot(*element, repeated, chosen)? }
            }
            TreeKind::Any(wildcard) => NodeKind::Any(wildcard.clone()),
            TreeKind::Sequence(list) => NodeKind::Sequence(children(self, list, optional)?),
            TreeKind::Choice(list) => NodeKind::Choice(children(self, list, true)?),
            TreeKind::All(_) => return Err("xs:all inside another group".to_owned()),
        };
        let id =
            u16::try_from(self.nodes.len()).map_err(|_| "a content model with more than 65535 parts".to_owned())?;
        let of = |n: &u16| self.nodes.get(usize::from(*n));
        let body_emptiable = match &kind {
            NodeKind::Element { .. } | NodeKind::Any(_) => false,
            NodeKind::Sequence(list) => list.iter().filter_map(of).all(|n| n.emptiable),
            NodeKind::Choice(list) => list.is_empty() || list.iter().filter_map(of).any(|n| n.emptiable),
        };
        let first = match &kind {
            NodeKind::Element { .. } | NodeKind::Any(_) => vec![id],
            NodeKind::Choice(list) => list.iter().filter_map(of).flat_map(|n| n.first.clone()).collect(),
            NodeKind::Sequence(list) => {
                let mut first = Vec::new();
                for node in list.iter().filter_map(of) {
                    first.extend(&node.first);
                    if !node.emptiable {
                        break;
                    }
                }
                first
            }
        };
        self.nodes.push(ModelNode {
            kind,
            min: tree.min,
            max: tree.max,
            emptiable: tree.min == 0 || body_emptiable,
            first,
        });
        Ok(id)
    }

    fn slot(&mut self, element: u32, repeated: bool, chosen: bool) -> Result<Slot, String> {
        let declaration = self.loader.schema.element(element);
        if let Some(slot) = self.by_name.get(&declaration.name) {
            let first = self.slots.get(usize::from(*slot)).map(|id| self.loader.schema.element(*id));
            if first.is_some_and(|first| first.ty != declaration.ty) {
                return Err(format!("{} stands twice, with different types", declaration.name));
            }
            // Twice in one sequence, or in two branches: a list, to be on the safe side.
            if let Some(repeats) = self.repeats.get_mut(usize::from(*slot)) {
                *repeats = true;
            }
            return Ok(*slot);
        }
        let slot = Slot::try_from(self.slots.len()).map_err(|_| "too many names in one content model".to_owned())?;
        self.by_name.insert(declaration.name.clone(), slot);
        self.slots.push(element);
        self.repeats.push(repeated);
        if !chosen && declaration.notes.required.is_some() {
            self.musts.push(slot);
        }
        Ok(slot)
    }
}
