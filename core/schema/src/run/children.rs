//! Start tags: which particle a child is, and what is said when it is none.

use super::{BEFORE, Count, Frame, Holds, Run, Step};
use crate::model::{Child, Match};
use crate::schema::{Content, Element, ElementId, Flat, Model, NodeKind, Order, Process, Slot, Wildcard};
use crate::wording;
use kouan_sdk::Severity;
use kouan_xml::Start;

/// What a child turned out to be.
enum Accepted<'v> {
    Element { element: ElementId, slot: Slot, repeats: bool },
    Wild(&'v Wildcard),
    Unknown,
}

impl<'v> Run<'v> {
    pub(super) fn start(&mut self, tag: &Start<'_, '_>) -> Step {
        let depth = self.frames.len();
        let Some(parent) = self.frames.last_mut() else { return self.root(tag) };
        parent.children = true;
        let schema = self.schema;
        let accepted = match parent.holds {
            Holds::Text(_) => {
                self.stray_element(tag);
                return Step::Skip;
            }
            Holds::Anything => {
                parent.filled = true;
                return Step::Skip;
            }
            Holds::Complex(id) => match &schema.complex(id).content {
                Content::Empty => {
                    self.stray_element(tag);
                    return Step::Skip;
                }
                Content::Flat(flat) => self.accept_flat(flat, tag),
                Content::Model(model) => self.accept_model(model, depth - 1, tag),
            },
        };
        match accepted {
            Accepted::Element { element, slot, repeats } => {
                self.same_namespace(schema.element(element), tag);
                self.open(element, slot, repeats, tag);
                Step::Entered
            }
            Accepted::Wild(wildcard) => self.wild(wildcard, tag),
            Accepted::Unknown => {
                self.unknown(tag);
                Step::Skip
            }
        }
    }

    fn root(&mut self, tag: &Start<'_, '_>) -> Step {
        if self.root.is_some() {
            return Step::Skip;
        }
        let namespace = tag.namespace.to_owned();
        self.root = Some((tag.local.to_owned(), namespace.clone()));
        let schema = self.schema;
        let named = || schema.globals.iter().copied().filter(|id| *schema.element(*id).name == *tag.local);
        let exact = named().find(|id| schema.namespace(schema.element(*id).namespace) == namespace);
        let Some(element) = exact.or_else(|| named().next()) else {
            self.wrong_root(tag);
            return Step::Skip;
        };
        self.same_namespace(schema.element(element), tag);
        self.open(element, 0, false, tag);
        Step::Entered
    }

    /// Complains once about each namespace that is not the element's, then takes it for right.
    fn same_namespace(&mut self, element: &'v Element, tag: &Start<'_, '_>) {
        let found = tag.namespace;
        let wanted = self.schema.namespace(element.namespace);
        if found == wanted || self.foreign.iter().any(|f| f == found) {
            return;
        }
        let found = found.to_owned();
        self.wrong_namespace(element, tag, wanted, &found);
        self.foreign.push(found);
    }

    fn accept_flat(&mut self, flat: &'v Flat, tag: &Start<'_, '_>) -> Accepted<'v> {
        let Some(frame) = self.frames.last_mut() else { return Accepted::Unknown };
        let Some(slot) = find(self.schema, flat, frame.at, tag.local) else {
            return match &flat.tail {
                Some((wildcard, _, max)) if wildcard.takes(self.schema, tag.namespace) => {
                    frame.tail += 1;
                    let over = frame.tail == max.saturating_add(1);
                    if over {
                        self.too_many_wild(tag, *max);
                    }
                    Accepted::Wild(wildcard)
                }
                _ => Accepted::Unknown,
            };
        };
        let at = usize::from(slot);
        let (Some(particle), Some(count)) = (flat.particles.get(at), self.counts.get_mut(frame.counts + at)) else {
            return Accepted::Unknown;
        };
        count.seen += 1;
        count.place = (tag.offset + 1, tag.name.len());
        let over = particle.max != crate::schema::UNBOUNDED && count.seen == particle.max + 1;
        let order = if flat.all {
            Order::Any
        } else if self.options.strict {
            Order::Strict
        } else {
            flat.order
        };
        // After something out of order the walk goes on from there, so that one moved child is one finding.
        let back = order != Order::Any && (frame.tail > 0 || (frame.at != BEFORE && slot < frame.at));
        let before = std::mem::replace(&mut frame.at, slot);
        if over {
            self.too_many(particle.element, tag, particle.max);
        } else if back && (order == Order::Strict || !frame.order_told) {
            frame.order_told = true;
            let severity = if order == Order::Strict { Severity::Error } else { Severity::Warning };
            let next = flat.particles.get(usize::from(before)).map(|p| p.element);
            self.wrong_order(particle.element, tag, next, severity);
        }
        Accepted::Element { element: particle.element, slot, repeats: particle.max > 1 }
    }

    fn accept_model(&mut self, model: &'v Model, depth: usize, tag: &Start<'_, '_>) -> Accepted<'v> {
        let child = Child { schema: self.schema, name: tag.local, namespace: tag.namespace };
        let mut missing = Vec::new();
        let Some(levels) = self.levels.get_mut(depth) else { return Accepted::Unknown };
        let accepted = match model.accept(levels, child, false, &mut missing) {
            Some(accepted) => Some(accepted),
            None => model.accept(levels, child, true, &mut missing),
        };
        for node in missing {
            self.missing_in_model(model, node, tag.offset + 1..tag.offset + 1 + tag.name.len());
        }
        match accepted {
            Some(Match::Wild(wildcard)) => Accepted::Wild(wildcard),
            Some(Match::Element { element, slot }) => {
                self.counted(slot, tag);
                Accepted::Element { element, slot, repeats: repeats(model, slot) }
            }
            None => {
                let Some(slot) = model.by_name.get(tag.local).copied() else { return Accepted::Unknown };
                let Some(element) = model.slots.get(usize::from(slot)).copied() else { return Accepted::Unknown };
                let seen = self.counted(slot, tag);
                if seen > 1 && !repeats(model, slot) {
                    self.too_many(element, tag, 1);
                } else {
                    match most(model, slot) {
                        Some(max) if seen == max.saturating_add(1) => self.too_many(element, tag, max),
                        Some(max) if seen > max => {}
                        _ => self.wrong_order(element, tag, None, Severity::Error),
                    }
                }
                Accepted::Element { element, slot, repeats: repeats(model, slot) }
            }
        }
    }

    fn counted(&mut self, slot: Slot, tag: &Start<'_, '_>) -> u32 {
        let counts = self.frames.last().map_or(0, |f: &Frame| f.counts);
        let Some(count): Option<&mut Count> = self.counts.get_mut(counts + usize::from(slot)) else { return 0 };
        count.seen += 1;
        count.place = (tag.offset + 1, tag.name.len());
        count.seen
    }

    fn wild(&mut self, wildcard: &'v Wildcard, tag: &Start<'_, '_>) -> Step {
        if let Some(parent) = self.frames.last_mut() {
            parent.filled = true;
        }
        let schema = self.schema;
        let namespace = tag.namespace;
        let global = schema.globals.iter().copied().find(|id| {
            let element = schema.element(*id);
            *element.name == *tag.local && schema.namespace(element.namespace) == namespace
        });
        match (wildcard.process, global) {
            (Process::Skip, _) | (Process::Lax, None) => Step::Skip,
            (Process::Strict, None) => {
                self.unknown(tag);
                Step::Skip
            }
            (_, Some(element)) => {
                // Slot::MAX counts nowhere: the wildcard is no place of the parent's own.
                self.open(element, Slot::MAX, false, tag);
                Step::Entered
            }
        }
    }

    fn unknown(&mut self, tag: &Start<'_, '_>) {
        let Some(frame) = self.frames.last() else { return };
        let Holds::Complex(id) = frame.holds else { return };
        let complex = self.schema.complex(id);
        let names = complex.content.names(self.schema);
        let near = wording::nearest(tag.local, names.into_iter());
        let meant = near.and_then(|near| complex.content.slot(near));
        if let Some(count) = meant.and_then(|slot| self.counts.get_mut(frame.counts + usize::from(slot))) {
            count.guessed = true;
        }
        // In a nested model the walk goes on as if the right name had stood there.
        if let (Some(name), Content::Model(model)) = (near, &complex.content)
            && let Some(levels) = self.levels.get_mut(self.frames.len() - 1)
        {
            let element = complex.content.slot(name).and_then(|slot| complex.content.child(slot));
            let namespace = element.map_or("", |(id, _)| self.schema.namespace(self.schema.element(id).namespace));
            model.accept(levels, Child { schema: self.schema, name, namespace }, false, &mut Vec::new());
        }
        let severity = if self.options.strict { Severity::Error } else { complex.unknown };
        self.unknown_element(tag, near, severity);
    }
}

/// The particle called `name`: most often the current one or one of the next.
fn find(schema: &crate::Schema, flat: &Flat, at: Slot, name: &str) -> Option<Slot> {
    let from = if at == BEFORE { 0 } else { usize::from(at) };
    let near = flat.particles.iter().enumerate().skip(from).take(3);
    for (slot, particle) in near {
        if *schema.element(particle.element).name == *name {
            return Slot::try_from(slot).ok();
        }
    }
    flat.by_name.get(name).copied()
}

fn repeats(model: &Model, slot: Slot) -> bool {
    model.repeats.get(usize::from(slot)).copied().unwrap_or(true)
}

/// The most a slot may hold, if it is one element particle in no repeated group.
fn most(model: &Model, slot: Slot) -> Option<u32> {
    let mut of_slot = model.nodes.iter().filter(|n| matches!(n.kind, NodeKind::Element { slot: s, .. } if s == slot));
    let node = of_slot.next()?;
    let grouped =
        model.nodes.iter().any(|n| n.max > 1 && !matches!(n.kind, NodeKind::Element { .. } | NodeKind::Any(_)));
    (of_slot.next().is_none() && !grouped && node.max != crate::schema::UNBOUNDED).then_some(node.max)
}
