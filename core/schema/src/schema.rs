//! The compiled schema: tables that refer to each other by index. Built by [`crate::xsd`], read by the validator.

use crate::names::Names;
use crate::value::Simple;
use kouan_sdk::Severity;

/// Index of a namespace; 0 = none.
pub(crate) type NamespaceId = u16;
/// Index into [`Schema::elements`].
pub(crate) type ElementId = u32;
/// Index into [`Schema::complex`].
pub(crate) type ComplexId = u32;
/// Index into [`Schema::simple`].
pub(crate) type SimpleId = u32;
/// Where a child stands in its parent's content model: one slot a name.
pub(crate) type Slot = u16;

/// `maxOccurs="unbounded"`.
pub(crate) const UNBOUNDED: u32 = u32::MAX;

/// What is done with a message; decides which fields are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// 暂存: kept as a draft.
    Draft,
    /// 申报: declared.
    Declare,
}

impl Mode {
    /// As schemas and rules write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Declare => "declare",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "draft" => Some(Self::Draft),
            "declare" => Some(Self::Declare),
            _ => None,
        }
    }
}

/// A compiled schema: all roots of one business.
#[derive(Debug, Default)]
pub struct Schema {
    pub(crate) namespaces: Vec<Box<str>>,
    pub(crate) elements: Vec<Element>,
    pub(crate) complex: Vec<Complex>,
    pub(crate) simple: Vec<Simple>,
    /// Top-level elements: roots, and what a lax `xs:any` may find.
    pub(crate) globals: Vec<ElementId>,
    pub(crate) modes: Vec<ModeBy>,
}

impl Schema {
    /// Roots that documents of this schema may have: namespace and local name.
    pub fn roots(&self) -> impl Iterator<Item = (&str, &str)> {
        self.globals.iter().map(|id| {
            let element = self.element(*id);
            (self.namespace(element.namespace), &*element.name)
        })
    }

    /// Names of all code tables that fields refer to.
    pub fn code_tables(&self) -> impl Iterator<Item = &str> {
        let fields = self.elements.iter().map(|e| &e.notes);
        let attributes = self.complex.iter().flat_map(|c| c.attributes.iter().map(|a| &a.notes));
        fields.chain(attributes).filter_map(|notes| notes.codes.as_deref())
    }

    /// Names of the code tables that fields look at only where a site has one (`site-codes`).
    pub fn site_code_tables(&self) -> impl Iterator<Item = &str> {
        let fields = self.elements.iter().map(|e| &e.notes);
        let attributes = self.complex.iter().flat_map(|c| c.attributes.iter().map(|a| &a.notes));
        fields.chain(attributes).filter_map(|notes| notes.site_codes.as_deref())
    }

    /// Has the fields look at the tables that a site has.
    pub(crate) fn bind_site_codes(&mut self, has: impl Fn(&str) -> bool) {
        let fields = self.elements.iter_mut().map(|e| &mut e.notes);
        let attributes = self.complex.iter_mut().flat_map(|c| c.attributes.iter_mut().map(|a| &mut a.notes));
        for notes in fields.chain(attributes) {
            if notes.site_codes.as_deref().is_some_and(&has) {
                notes.codes.clone_from(&notes.site_codes);
            }
        }
    }

    pub(crate) fn element(&self, id: ElementId) -> &Element {
        &self.elements[id as usize]
    }

    pub(crate) fn complex(&self, id: ComplexId) -> &Complex {
        &self.complex[id as usize]
    }

    pub(crate) fn simple(&self, id: SimpleId) -> &Simple {
        &self.simple[id as usize]
    }

    pub(crate) fn namespace(&self, id: NamespaceId) -> &str {
        self.namespaces.get(usize::from(id)).map_or("", |ns| ns)
    }
}

/// How the operation is known for one root.
#[derive(Debug, Clone)]
pub(crate) struct ModeBy {
    /// Names from the root; the last may be `@name`.
    pub(crate) path: Vec<String>,
    pub(crate) values: Vec<(String, Mode)>,
    pub(crate) default: Option<Mode>,
    pub(crate) place: crate::LoadError,
}

/// What annotations say of a field, merged from its type and its declaration.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Notes {
    pub(crate) zh: Box<str>,
    pub(crate) en: Box<str>,
    pub(crate) max_bytes: Option<u32>,
    pub(crate) required: Option<Mode>,
    pub(crate) codes: Option<Box<str>>,
    /// A table that is looked at only where a site has it.
    pub(crate) site_codes: Option<Box<str>>,
    pub(crate) example: Box<str>,
    pub(crate) hint_zh: Box<str>,
    pub(crate) hint_en: Box<str>,
    pub(crate) severity: Option<Severity>,
    /// Blanks around the value belong to it.
    pub(crate) keep: Option<bool>,
    pub(crate) aliases: Vec<Box<str>>,
}

impl Notes {
    /// These notes with `over`'s on top.
    pub(crate) fn overlaid(&self, over: &Notes) -> Notes {
        let text = |a: &str, b: &str| Box::<str>::from(if b.is_empty() { a } else { b });
        Notes {
            zh: text(&self.zh, &over.zh),
            en: text(&self.en, &over.en),
            max_bytes: over.max_bytes.or(self.max_bytes),
            required: over.required.or(self.required),
            codes: over.codes.clone().or_else(|| self.codes.clone()),
            site_codes: over.site_codes.clone().or_else(|| self.site_codes.clone()),
            example: text(&self.example, &over.example),
            hint_zh: text(&self.hint_zh, &over.hint_zh),
            hint_en: text(&self.hint_en, &over.hint_en),
            severity: over.severity.or(self.severity),
            keep: over.keep.or(self.keep),
            aliases: if over.aliases.is_empty() { self.aliases.clone() } else { over.aliases.clone() },
        }
    }
}

/// What an element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// Text.
    Simple(SimpleId),
    /// Children or attributes.
    Complex(ComplexId),
    /// `xs:anyType`.
    Anything,
}

/// An element declaration; each local declaration is one of its own.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) name: Box<str>,
    pub(crate) namespace: NamespaceId,
    pub(crate) ty: Type,
    pub(crate) fixed: Option<Box<str>>,
    pub(crate) default: bool,
    pub(crate) notes: Notes,
}

/// An attribute of a complex type.
#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub(crate) name: Box<str>,
    pub(crate) namespace: NamespaceId,
    pub(crate) ty: SimpleId,
    pub(crate) required: bool,
    pub(crate) fixed: Option<Box<str>>,
    pub(crate) notes: Notes,
}

/// Which namespaces a wildcard takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Namespaces {
    Any,
    /// Any but the target namespace and none.
    Other(NamespaceId),
    Of(Vec<Box<str>>),
}

/// What a wildcard does with what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    Skip,
    Lax,
    Strict,
}

/// `xs:any` or `xs:anyAttribute`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wildcard {
    pub(crate) namespaces: Namespaces,
    pub(crate) process: Process,
}

impl Wildcard {
    pub(crate) fn takes(&self, schema: &Schema, namespace: &str) -> bool {
        match &self.namespaces {
            Namespaces::Any => true,
            Namespaces::Other(target) => !namespace.is_empty() && namespace != schema.namespace(*target),
            Namespaces::Of(list) => list.iter().any(|n| **n == *namespace),
        }
    }
}

/// A complex type.
#[derive(Debug, Clone)]
pub(crate) struct Complex {
    pub(crate) content: Content,
    /// Simple content.
    pub(crate) text: Option<SimpleId>,
    pub(crate) mixed: bool,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) any_attribute: Option<Wildcard>,
    pub(crate) unknown: Severity,
}

/// How strictly the order of a sequence is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Strict,
    Warning,
    Any,
}

/// Children of a complex type.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// None (or text only).
    Empty,
    /// A row of differently named elements: the usual case, an index walk.
    Flat(Flat),
    /// Everything else: nested groups.
    Model(Model),
}

/// One element particle.
#[derive(Debug, Clone)]
pub(crate) struct Particle {
    pub(crate) element: ElementId,
    pub(crate) min: u32,
    pub(crate) max: u32,
}

/// A sequence (or all) of differently named elements.
#[derive(Debug, Clone)]
pub(crate) struct Flat {
    pub(crate) particles: Vec<Particle>,
    pub(crate) order: Order,
    /// `xs:all`: the order never counts, not even by the letter of XSD.
    pub(crate) all: bool,
    /// The group as a whole may be absent.
    pub(crate) optional: bool,
    pub(crate) by_name: Names<Slot>,
    /// Particles that are looked at when the parent ends: minOccurs > 0 or `required=`.
    pub(crate) musts: Vec<Slot>,
    /// A last `xs:any` with its occurrence.
    pub(crate) tail: Option<(Wildcard, u32, u32)>,
}

/// A particle tree.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) nodes: Vec<ModelNode>,
    pub(crate) root: u16,
    pub(crate) by_name: Names<Slot>,
    /// One element for each slot (the first of its name).
    pub(crate) slots: Vec<ElementId>,
    /// Slots with `required=`, outside choices.
    pub(crate) musts: Vec<Slot>,
    /// Whether a slot may hold more than one element.
    pub(crate) repeats: Vec<bool>,
}

/// A node of the particle tree.
#[derive(Debug, Clone)]
pub(crate) struct ModelNode {
    pub(crate) kind: NodeKind,
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// Nothing at all satisfies it.
    pub(crate) emptiable: bool,
    /// Leaves with which it can begin.
    pub(crate) first: Vec<u16>,
}

/// What a node of the particle tree is.
#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    Element { element: ElementId, slot: Slot },
    Any(Wildcard),
    Sequence(Vec<u16>),
    Choice(Vec<u16>),
}

impl Content {
    /// The slot of a child name.
    pub(crate) fn slot(&self, name: &str) -> Option<Slot> {
        match self {
            Self::Flat(flat) => flat.by_name.get(name).copied(),
            Self::Model(model) => model.by_name.get(name).copied(),
            Self::Empty => None,
        }
    }

    /// How many slots there are.
    pub(crate) fn slots(&self) -> usize {
        match self {
            Self::Flat(flat) => flat.particles.len(),
            Self::Model(model) => model.slots.len(),
            Self::Empty => 0,
        }
    }

    /// The element in a slot, and whether it may come more than once.
    pub(crate) fn child(&self, slot: Slot) -> Option<(ElementId, bool)> {
        let index = usize::from(slot);
        match self {
            Self::Flat(flat) => flat.particles.get(index).map(|p| (p.element, p.max > 1)),
            Self::Model(model) => Some((*model.slots.get(index)?, *model.repeats.get(index)?)),
            Self::Empty => None,
        }
    }

    /// Names of all children.
    pub(crate) fn names<'s>(&'s self, schema: &'s Schema) -> Vec<&'s str> {
        (0..self.slots())
            .filter_map(|slot| self.child(Slot::try_from(slot).ok()?))
            .map(|(element, _)| &*schema.element(element).name)
            .collect()
    }
}
