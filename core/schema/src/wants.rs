//! Which places of a document somebody wants to see: rules, the mode, and the plugin. A trie of paths, resolved against
//! the schema once, so that the streaming pass knows by an index whether a child is wanted.

use crate::schema::{ElementId, Schema, Slot, Type};

/// Index of a wanted place; 0 = nothing is wanted there.
pub(crate) type WantId = u32;

/// A wanted place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Want {
    /// Name, `@name` for an attribute.
    pub(crate) name: Box<str>,
    pub(crate) parent: WantId,
    pub(crate) element: Option<ElementId>,
    /// It may come more than once.
    pub(crate) list: bool,
    /// It holds text, not children.
    pub(crate) text: bool,
    /// By slot of the content model.
    by_slot: Vec<WantId>,
    /// Wanted children, attributes too, in the order in which they were wanted.
    pub(crate) children: Vec<WantId>,
    /// Which child of its parent's `children` this is.
    pub(crate) ordinal: usize,
    /// The plugin asks for it, under these numbers.
    pub(crate) captures: Vec<u32>,
    /// It tells the mode.
    pub(crate) mode: Option<u32>,
    /// It, or a place in it, is wanted by somebody else than rules.
    pub(crate) beyond_rules: bool,
}

/// All wanted places.
#[derive(Debug, Clone)]
pub(crate) struct Wants {
    pub(crate) wants: Vec<Want>,
    /// Wanted root elements.
    pub(crate) roots: Vec<(ElementId, WantId)>,
}

impl Default for Wants {
    fn default() -> Self {
        Self { wants: vec![Want::default()], roots: Vec::new() }
    }
}

impl Wants {
    pub(crate) fn get(&self, id: WantId) -> &Want {
        self.wants.get(id as usize).unwrap_or(&self.wants[0])
    }

    /// The wanted place in `slot` below `parent`.
    pub(crate) fn below(&self, parent: WantId, slot: Slot) -> WantId {
        self.get(parent).by_slot.get(usize::from(slot)).copied().unwrap_or(0)
    }

    /// The wanted child called `name`.
    pub(crate) fn child(&self, parent: WantId, name: &str) -> Option<WantId> {
        self.get(parent).children.iter().copied().find(|id| *self.get(*id).name == *name)
    }

    /// The path of a wanted place, `/Root/Child/@Attribute`.
    pub(crate) fn path(&self, id: WantId) -> String {
        match id {
            0 => String::new(),
            id => format!("{}/{}", self.path(self.get(id).parent), self.get(id).name),
        }
    }

    /// The wanted place of a root element.
    pub(crate) fn root(&self, element: ElementId) -> WantId {
        self.roots.iter().find(|(id, _)| *id == element).map_or(0, |(_, want)| *want)
    }

    /// Wants the root element called `name`.
    pub(crate) fn want_root(&mut self, schema: &Schema, name: &str) -> Option<WantId> {
        let element = schema.globals.iter().copied().find(|id| *schema.element(*id).name == *name)?;
        if let Some((_, id)) = self.roots.iter().find(|(known, _)| *known == element) {
            return Some(*id);
        }
        let id = self.push(schema, Want { name: name.into(), element: Some(element), ..Want::default() });
        self.roots.push((element, id));
        Some(id)
    }

    /// Wants a child or `@attribute`; `None` if the schema has none of that name.
    pub(crate) fn want_child(&mut self, schema: &Schema, parent: WantId, name: &str) -> Option<WantId> {
        if let Some(id) = self.child(parent, name) {
            return Some(id);
        }
        let Type::Complex(complex) = schema.element(self.get(parent).element?).ty else { return None };
        let complex = schema.complex(complex);
        let ordinal = self.get(parent).children.len();
        let base = Want { name: name.into(), parent, ordinal, ..Want::default() };
        if let Some(attribute) = name.strip_prefix('@') {
            complex.attributes.iter().find(|a| *a.name == *attribute)?;
            let id = self.push(schema, Want { text: true, ..base });
            self.wants[parent as usize].children.push(id);
            return Some(id);
        }
        let slot = complex.content.slot(name)?;
        let (element, list) = complex.content.child(slot)?;
        let id = self.push(schema, Want { element: Some(element), list, ..base });
        let parent = &mut self.wants[parent as usize];
        parent.children.push(id);
        if let Some(place) = parent.by_slot.get_mut(usize::from(slot)) {
            *place = id;
        }
        Some(id)
    }

    /// Names that a child of `parent` may have.
    pub(crate) fn child_names<'s>(&self, schema: &'s Schema, parent: WantId) -> Vec<&'s str> {
        let Some(Type::Complex(complex)) = self.get(parent).element.map(|id| schema.element(id).ty) else {
            return Vec::new();
        };
        schema.complex(complex).content.names(schema)
    }

    /// Wants a whole path, `/Root/Child/@Attribute`.
    pub(crate) fn want_path(&mut self, schema: &Schema, path: &str) -> Option<WantId> {
        let mut names = path.strip_prefix('/')?.split('/');
        let root = self.want_root(schema, names.next()?)?;
        names.try_fold(root, |at, name| self.want_child(schema, at, name))
    }

    /// Wants a whole path for somebody else than rules.
    pub(crate) fn want_beyond_rules(&mut self, schema: &Schema, path: &str) -> Option<WantId> {
        let id = self.want_path(schema, path)?;
        let mut at = id;
        while at != 0 {
            let want = &mut self.wants[at as usize];
            want.beyond_rules = true;
            at = want.parent;
        }
        Some(id)
    }

    fn push(&mut self, schema: &Schema, mut want: Want) -> WantId {
        if let Some(element) = want.element {
            match schema.element(element).ty {
                Type::Simple(_) => want.text = true,
                Type::Complex(id) => {
                    let complex = schema.complex(id);
                    want.text = complex.text.is_some();
                    want.by_slot = vec![0; complex.content.slots()];
                }
                Type::Anything => {}
            }
        }
        self.wants.push(want);
        (self.wants.len() - 1) as WantId
    }
}
