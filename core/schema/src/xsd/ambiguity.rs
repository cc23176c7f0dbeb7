//! Deterministic content models: a name must tell at once which particle is meant (XSD's unique particle attribution).

use super::structure::{Tree, TreeKind};
use crate::schema::{Element, Namespaces, Schema, Wildcard};

/// A leaf of the tree.
#[derive(Clone, Copy)]
struct Leaf<'t> {
    /// Leaves are told apart by where they stand.
    tree: &'t Tree,
}

/// What a part of a model looks like from outside.
struct Summary<'t> {
    emptiable: bool,
    /// Leaves it can begin with.
    first: Vec<Leaf<'t>>,
    /// Leaves it can take after it could have ended.
    more: Vec<Leaf<'t>>,
}

/// Refuses a model in which two leaves compete for one name; the error names it.
pub(super) fn check(schema: &Schema, tree: &Tree) -> Result<(), String> {
    summary(schema, tree).map(|_| ())
}

fn summary<'t>(schema: &Schema, tree: &'t Tree) -> Result<Summary<'t>, String> {
    let mut body = match &tree.kind {
        TreeKind::Element(_) | TreeKind::Any(_) => {
            let leaf = vec![Leaf { tree }];
            let more = if tree.max > tree.min.max(1) { leaf.clone() } else { Vec::new() };
            return Ok(Summary { emptiable: tree.min == 0, first: leaf, more });
        }
        TreeKind::Sequence(children) => sequence(schema, children)?,
        TreeKind::Choice(children) => choice(schema, children)?,
        TreeKind::All(children) => all(schema, children)?,
    };
    if tree.max > 1 {
        apart(schema, &body.more, &body.first)?;
        countable(schema, tree, &body)?;
        if tree.max > tree.min || body.emptiable {
            body.more.extend(body.first.iter().copied());
        }
    }
    body.emptiable |= tree.min == 0;
    Ok(body)
}

/// Refuses a leaf that may go on within one round or begin the next where a count depends on which: `(a+){2}`, `(a{2,3})*`.
/// The standard allows it, but no walk without looking ahead can count it.
fn countable(schema: &Schema, tree: &Tree, body: &Summary<'_>) -> Result<(), String> {
    let both = body.more.iter().find(|more| body.first.iter().any(|first| std::ptr::eq(first.tree, more.tree)));
    let Some(leaf) = both.filter(|_| tree.min > 1 || counts_within(tree)) else { return Ok(()) };
    let name = match &leaf.tree.kind {
        TreeKind::Element(id) => &*schema.element(*id).name,
        _ => "xs:any",
    };
    Err(format!(
        "the content model is ambiguous: {name} may repeat within a repeated group, and counts depend on which repeats"
    ))
}

/// Whether anything inside must come more than once.
fn counts_within(tree: &Tree) -> bool {
    match &tree.kind {
        TreeKind::Element(_) | TreeKind::Any(_) => false,
        TreeKind::Sequence(children) | TreeKind::Choice(children) | TreeKind::All(children) => {
            children.iter().any(|child| child.min > 1 || counts_within(child))
        }
    }
}

fn sequence<'t>(schema: &Schema, children: &'t [Tree]) -> Result<Summary<'t>, String> {
    let mut whole = Summary { emptiable: true, first: Vec::new(), more: Vec::new() };
    for child in children {
        let part = summary(schema, child)?;
        // What could still go on before, or begin if all before was empty, must not look like this part's beginning.
        apart(schema, &whole.more, &part.first)?;
        if whole.emptiable {
            apart(schema, &whole.first, &part.first)?;
            whole.first.extend(&part.first);
        }
        if part.emptiable {
            whole.more.extend(part.first.iter().chain(&part.more));
        } else {
            whole.more = part.more;
        }
        whole.emptiable &= part.emptiable;
    }
    // `more` of an emptiable row holds its own beginnings, which only count once something has come.
    Ok(whole)
}

fn choice<'t>(schema: &Schema, children: &'t [Tree]) -> Result<Summary<'t>, String> {
    let mut whole = Summary { emptiable: children.is_empty(), first: Vec::new(), more: Vec::new() };
    for child in children {
        let part = summary(schema, child)?;
        apart(schema, &whole.first, &part.first)?;
        whole.first.extend(part.first);
        whole.more.extend(part.more);
        whole.emptiable |= part.emptiable;
    }
    Ok(whole)
}

fn all<'t>(schema: &Schema, children: &'t [Tree]) -> Result<Summary<'t>, String> {
    let mut whole = Summary { emptiable: true, first: Vec::new(), more: Vec::new() };
    for child in children {
        let part = summary(schema, child)?;
        apart(schema, &whole.first, &part.first)?;
        whole.first.extend(part.first);
        whole.emptiable &= part.emptiable;
    }
    Ok(whole)
}

fn apart(schema: &Schema, these: &[Leaf<'_>], those: &[Leaf<'_>]) -> Result<(), String> {
    for a in these {
        for b in those {
            if !std::ptr::eq(a.tree, b.tree)
                && let Some(name) = clash(schema, a.tree, b.tree)
            {
                return Err(format!("the content model is ambiguous: {name} could be meant by two particles"));
            }
        }
    }
    Ok(())
}

/// A name that both leaves take.
fn clash(schema: &Schema, a: &Tree, b: &Tree) -> Option<String> {
    match (&a.kind, &b.kind) {
        (TreeKind::Element(a), TreeKind::Element(b)) => {
            // Documents in the wrong namespace are still read by local name, so that alone must tell.
            let (a, b) = (schema.element(*a), schema.element(*b));
            (a.name == b.name).then(|| a.name.to_string())
        }
        (TreeKind::Element(element), TreeKind::Any(wildcard))
        | (TreeKind::Any(wildcard), TreeKind::Element(element)) => {
            let element: &Element = schema.element(*element);
            wildcard.takes(schema, schema.namespace(element.namespace)).then(|| element.name.to_string())
        }
        (TreeKind::Any(a), TreeKind::Any(b)) => overlap(a, b).then(|| "xs:any".to_owned()),
        _ => None,
    }
}

fn overlap(a: &Wildcard, b: &Wildcard) -> bool {
    match (&a.namespaces, &b.namespaces) {
        (Namespaces::Of(a), Namespaces::Of(b)) => a.iter().any(|n| b.contains(n)),
        // ##other and a list meet unless the list is only the target or none; said cautiously.
        _ => true,
    }
}
