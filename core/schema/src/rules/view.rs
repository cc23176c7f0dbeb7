//! The wanted places of a document as CEL values: `this` and `root`.

use crate::run::SeenList;
use crate::wants::{WantId, Wants};
use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as CelIterator, Sizer};
use cel::common::types::{CelInt, CelString, LIST_TYPE, MAP_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Steps that the rules of one document may take: fields looked at and list elements passed.
pub(super) const BUDGET: u64 = 5_000_000;

/// What all values of one document share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) wants: Arc<Wants>,
    steps: AtomicU64,
}

impl Shared {
    pub(super) fn new(wants: Arc<Wants>) -> Arc<Self> {
        Arc::new(Self { wants, steps: AtomicU64::new(0) })
    }

    /// Counts a step; false when the budget is spent.
    fn step(&self) -> bool {
        self.steps.fetch_add(1, Ordering::Relaxed) < BUDGET
    }

    pub(super) fn is_spent(&self) -> bool {
        self.steps.load(Ordering::Relaxed) > BUDGET
    }
}

/// A value: text, element or list.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Text(CelString<'static>),
    Node(Node),
    List(List),
}

impl Item {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(CelString::from(text.into()))
    }

    pub(super) fn as_val(&self) -> &(dyn Val + 'static) {
        match self {
            Self::Text(text) => text,
            Self::Node(node) => node,
            Self::List(list) => list,
        }
    }

    pub(super) fn boxed(&self) -> Box<dyn Val> {
        match self {
            Self::Text(text) => Box::new(text.clone()),
            Self::Node(node) => Box::new(node.clone()),
            Self::List(list) => Box::new(list.clone()),
        }
    }

    /// What a message shows of it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.inner().to_owned(),
            Self::Node(_) => String::new(),
            Self::List(list) => list.0.iter().map(Item::shown).collect::<Vec<_>>().join("、"),
        }
    }
}

/// An element with children.
#[derive(Debug, Clone)]
pub(super) struct Node(Arc<NodeBody>);

#[derive(Debug)]
struct NodeBody {
    shared: Arc<Shared>,
    want: WantId,
    /// By the ordinals of the wanted children.
    fields: Vec<Option<Item>>,
}

impl Node {
    pub(super) fn new(shared: &Arc<Shared>, want: WantId, fields: Vec<Option<Item>>) -> Self {
        Self(Arc::new(NodeBody { shared: Arc::clone(shared), want, fields }))
    }

    /// The wanted child of this ordinal, if it is there.
    pub(super) fn at(&self, ordinal: usize) -> Option<&Item> {
        self.0.fields.get(ordinal)?.as_ref()
    }

    /// The child called `name`, if it is wanted and there.
    pub(super) fn field(&self, name: &str) -> Option<&Item> {
        let wants = &self.0.shared.wants;
        let child = wants.child(self.0.want, name)?;
        self.at(wants.get(child).ordinal)
    }
}

/// Elements of one name.
#[derive(Debug, Clone)]
pub(super) struct List(Arc<Vec<Item>>, Arc<Shared>);

impl List {
    pub(super) fn new(items: Vec<Item>, shared: &Arc<Shared>) -> Self {
        Self(Arc::new(items), Arc::clone(shared))
    }
}

/// The values of one document.
pub(super) struct View {
    pub(super) root: Option<Item>,
    /// By wanted place: where it was seen and not empty, in document order. Only for places that rules select.
    places: Vec<Vec<(usize, Item)>>,
}

impl View {
    /// Where `want` was seen, and its value.
    pub(super) fn places(&self, want: WantId) -> &[(usize, Item)] {
        self.places.get(want as usize).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Builds the values of all seen places. `selected`, by wanted place: whether a rule selects it.
pub(super) fn build(shared: &Arc<Shared>, document: &SeenList<'_>, selected: &[bool]) -> View {
    let mut view = View { root: None, places: vec![Vec::new(); selected.len()] };
    // Children come after their parents, so going backwards an element's are complete, and last, when it is met.
    let mut waiting: Vec<(u32, WantId, Item)> = Vec::new();
    for (at, place) in document.list.iter().enumerate().rev() {
        if !place.filled {
            continue;
        }
        let item = match document.value(place) {
            Some(text) => Item::text(text),
            None => Item::Node(node(shared, place.want, at, &mut waiting)),
        };
        if selected.get(place.want as usize) == Some(&true)
            && let Some(places) = view.places.get_mut(place.want as usize)
        {
            places.push((at, item.clone()));
        }
        if at == 0 {
            view.root = Some(item);
        } else {
            waiting.push((place.parent, place.want, item));
        }
    }
    view.places.iter_mut().for_each(|places| places.reverse());
    view
}

/// The element seen `at`, of its children, which are the last that wait, the first child last.
fn node(shared: &Arc<Shared>, id: WantId, at: usize, waiting: &mut Vec<(u32, WantId, Item)>) -> Node {
    let mut fields = vec![None; shared.wants.get(id).children.len()];
    let mut lists: Vec<(usize, Vec<Item>)> = Vec::new();
    while let Some((_, child, item)) = waiting.pop_if(|(parent, ..)| *parent as usize == at) {
        let want = shared.wants.get(child);
        if !want.list {
            if let Some(field) = fields.get_mut(want.ordinal) {
                field.get_or_insert(item);
            }
            continue;
        }
        match lists.iter_mut().find(|(ordinal, _)| *ordinal == want.ordinal) {
            Some((_, list)) => list.push(item),
            None => lists.push((want.ordinal, vec![item])),
        }
    }
    for (ordinal, mut list) in lists {
        if let Some(field) = fields.get_mut(ordinal) {
            list.shrink_to_fit();
            *field = Some(Item::List(List::new(list, shared)));
        }
    }
    Node::new(shared, id, fields)
}

fn name_of(index: &dyn Val) -> Result<&str, ExecutionError> {
    index.downcast_ref::<CelString<'_>>().map(|s| s.inner()).ok_or_else(|| ExecutionError::UnexpectedType {
        got: index.get_type().name().to_owned(),
        want: "string".to_owned(),
    })
}

impl Val for Node {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }
    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Node>().is_some_and(|other| Arc::ptr_eq(&self.0, &other.0))
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Node {}

impl Indexer for Node {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name_of(index)?;
        if !self.0.shared.step() {
            return Err(ExecutionError::function_error("budget", "the rules of this document take too long"));
        }
        match self.field(name) {
            Some(item) => Ok(CowVal::Borrowed(item.as_val())),
            None => Err(ExecutionError::no_such_key(name)),
        }
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Container for Node {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.field(name_of(value)?).is_some())
    }
}

impl Sizer for Node {
    fn size(&self) -> CelInt {
        CelInt::from(self.0.fields.iter().flatten().count() as i64)
    }
}

impl Val for List {
    fn get_type(&self) -> &Type {
        &LIST_TYPE
    }
    fn cel_type() -> &'static Type {
        &LIST_TYPE
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<List>().is_some_and(|other| {
            self.0.len() == other.0.len()
                && self.0.iter().zip(other.0.iter()).all(|(a, b)| a.as_val().equals(b.as_val()))
        })
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for List {}

impl Indexer for List {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let at = index.downcast_ref::<CelInt>().map(|i| *i.inner()).ok_or_else(|| ExecutionError::UnexpectedType {
            got: index.get_type().name().to_owned(),
            want: "int".to_owned(),
        })?;
        let item = usize::try_from(at).ok().and_then(|at| self.0.get(at));
        item.map(|i| CowVal::Borrowed(i.as_val())).ok_or(ExecutionError::IndexOutOfBounds(cel::Value::Int(at)))
    }

    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(index).map(CowVal::into_owned)
    }
}

impl Container for List {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.0.iter().any(|item| item.as_val().equals(value)))
    }
}

impl Sizer for List {
    fn size(&self) -> CelInt {
        CelInt::from(self.0.len() as i64)
    }
}

impl Iterable for List {
    fn iter<'b, 'v>(&'b self) -> Box<dyn CelIterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(ListIterator { items: self.0.iter(), shared: &self.1 })
    }
}

struct ListIterator<'b> {
    items: std::slice::Iter<'b, Item>,
    shared: &'b Shared,
}

impl<'b, 'v> CelIterator<'b, 'v> for ListIterator<'b> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        if !self.shared.step() {
            return None;
        }
        let item: &'b (dyn Val + 'v) = match self.items.next()? {
            Item::Text(text) => text,
            Item::Node(node) => node,
            Item::List(list) => list,
        };
        Some(item)
    }
}
