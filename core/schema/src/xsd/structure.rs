//! Elements, complex types and groups, read into drafts: particle trees with references resolved.

use super::document::{Kind, Name};
use super::notes::{self, TypeNotes};
use super::{DraftState, Loader, Place, XSD};
use crate::error::{BAD_VALUE, LoadError};
use crate::schema::{
    Attribute, ComplexId, Element, ElementId, NamespaceId, Namespaces, Notes, Process, SimpleId, Type, Wildcard,
};
use crate::value::{Base, Simple};

/// A particle with references resolved, before it is compiled.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) kind: TreeKind,
    pub(super) min: u32,
    pub(super) max: u32,
}

#[derive(Debug, Clone)]
pub(super) enum TreeKind {
    Element(ElementId),
    Any(Wildcard),
    Sequence(Vec<Tree>),
    Choice(Vec<Tree>),
    All(Vec<Tree>),
}

/// A complex type as written, bases merged in.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) tree: Option<Tree>,
    pub(super) text: Option<SimpleId>,
    pub(super) mixed: bool,
    pub(super) attributes: Vec<Attribute>,
    pub(super) any_attribute: Option<Wildcard>,
    pub(super) notes: TypeNotes,
    /// Where it stands, for errors found when it is compiled.
    pub(super) place: LoadError,
}

const OCCURS: [&str; 2] = ["minOccurs", "maxOccurs"];

impl<'d> Loader<'d> {
    pub(super) fn global_element(&mut self, name: Name<'d>, place: Place<'d>) -> Result<ElementId, LoadError> {
        if let Some(id) = self.elements.get(&name) {
            return Ok(*id);
        }
        let element = self.element(place, name.namespace, name.local)?;
        let id = self.add_element(element);
        self.elements.insert(name, id);
        Ok(id)
    }

    fn add_element(&mut self, element: Element) -> ElementId {
        self.schema.elements.push(element);
        (self.schema.elements.len() - 1) as ElementId
    }

    fn element(&mut self, place: Place<'d>, namespace: &str, name: &str) -> Result<Element, LoadError> {
        for (attribute, harmless) in [("nillable", "false"), ("abstract", "false"), ("block", ""), ("final", "")] {
            if place.attribute(attribute).is_some_and(|value| value != harmless) {
                return Err(place.refused(format!("{attribute} on an element")));
            }
        }
        let known = [
            "name",
            "type",
            "minOccurs",
            "maxOccurs",
            "default",
            "fixed",
            "form",
            "nillable",
            "abstract",
            "block",
            "final",
        ];
        place.only(&known)?;
        let mut ty = match place.name("type")? {
            Some(name) => Some(self.type_named(name, place)?),
            None => None,
        };
        for child in place.children()? {
            let inline = match child.tag() {
                "simpleType" => Type::Simple(self.simple_type(child)?),
                "complexType" => Type::Complex(self.reserve(child)),
                other => return Err(child.refused(format!("xs:{other} in an element"))),
            };
            if ty.replace(inline).is_some() {
                return Err(child.error(BAD_VALUE, "an element with two types"));
            }
        }
        let ty = ty.unwrap_or(Type::Anything);
        let own = notes::field(place)?;
        let of_type = match ty {
            Type::Simple(id) => self.schema.simple(id).notes.clone(),
            _ => Notes::default(),
        };
        Ok(Element {
            name: name.into(),
            namespace: self.namespace(namespace),
            ty,
            fixed: place.attribute("fixed").map(Into::into),
            default: place.attribute("default").is_some(),
            notes: of_type.overlaid(&own),
        })
    }

    /// A local element, or a reference to a global one.
    fn element_particle(&mut self, place: Place<'d>) -> Result<ElementId, LoadError> {
        if let Some(name) = place.name("ref")? {
            place.only(&["ref", "minOccurs", "maxOccurs"])?;
            let definition = self.find(Kind::Element, name, place)?;
            let id = self.global_element(name, definition)?;
            let own = notes::field(place)?;
            if own == Notes::default() {
                return Ok(id);
            }
            let element = self.schema.element(id);
            let overlaid = Element { notes: element.notes.overlaid(&own), ..element.clone() };
            return Ok(self.add_element(overlaid));
        }
        let name = place.attribute("name").ok_or_else(|| place.error(BAD_VALUE, "an element without name or ref"))?;
        let qualified = match place.attribute("form") {
            Some("qualified") => true,
            Some("unqualified") => false,
            Some(other) => return Err(place.bad_value("form", other)),
            None => place.document.qualified_elements,
        };
        let namespace = if qualified { place.document.target() } else { "" };
        let element = self.element(place, namespace, name)?;
        Ok(self.add_element(element))
    }

    /// Reads a complex type once; bases first.
    pub(super) fn draft(&mut self, id: ComplexId) -> Result<Draft, LoadError> {
        let place = match self.drafts.get(&id) {
            Some(DraftState::Done(draft)) => return Ok(draft.clone()),
            Some(DraftState::Waiting(place)) => *place,
            Some(DraftState::Working) | None => {
                return Err(LoadError::whole(crate::error::UNSUPPORTED, "", "a complex type is derived from itself"));
            }
        };
        self.drafts.insert(id, DraftState::Working);
        let draft =
            self.complex_type(place).map_err(|e| if e.file.is_empty() { place.error(e.code, e.message) } else { e })?;
        self.drafts.insert(id, DraftState::Done(draft.clone()));
        Ok(draft)
    }

    fn complex_type(&mut self, place: Place<'d>) -> Result<Draft, LoadError> {
        for attribute in ["abstract", "block", "final"] {
            if place.attribute(attribute).is_some_and(|value| value != "false" && !value.is_empty()) {
                return Err(place.refused(format!("{attribute} on a complex type")));
            }
        }
        place.only(&["name", "mixed", "abstract", "block", "final"])?;
        let mut draft = self.empty_draft(place)?;
        draft.mixed = place.attribute("mixed").is_some_and(|m| matches!(m, "true" | "1"));
        let children = place.children()?;
        if let [content] = &children[..]
            && matches!(content.tag(), "simpleContent" | "complexContent")
        {
            self.derived(*content, &mut draft)?;
            return Ok(draft);
        }
        self.body(&children, &mut draft)?;
        Ok(draft)
    }

    fn empty_draft(&self, place: Place<'d>) -> Result<Draft, LoadError> {
        Ok(Draft {
            tree: None,
            text: None,
            mixed: false,
            attributes: Vec::new(),
            any_attribute: None,
            notes: notes::complex(place)?,
            place: place.error("", ""),
        })
    }

    /// Particle and attributes of a type or derivation.
    fn body(&mut self, children: &[Place<'d>], draft: &mut Draft) -> Result<(), LoadError> {
        for child in children {
            match child.tag() {
                "sequence" | "choice" | "all" | "group" => {
                    if draft.tree.is_some() {
                        return Err(child.refused("a second content group"));
                    }
                    draft.tree = self.particle(*child)?;
                }
                _ => self.attribute_item(*child, draft)?,
            }
        }
        Ok(())
    }

    fn derived(&mut self, content: Place<'d>, draft: &mut Draft) -> Result<(), LoadError> {
        content.only(&["mixed"])?;
        let [body] = content.children()?[..] else {
            return Err(content.error(BAD_VALUE, "neither one extension nor one restriction"));
        };
        body.only(&["base"])?;
        let extends = match body.tag() {
            "extension" => true,
            "restriction" => false,
            other => return Err(body.refused(format!("xs:{other}"))),
        };
        let base = body.name("base")?.ok_or_else(|| body.error(BAD_VALUE, "a derivation without a base"))?;
        if content.tag() == "simpleContent" {
            return self.simple_content(base, body, extends, draft);
        }
        draft.mixed |= content.attribute("mixed").is_some_and(|m| matches!(m, "true" | "1"));
        let base = match self.type_named(base, body)? {
            Type::Complex(id) => self.draft(id)?,
            Type::Anything => self.empty_draft(body)?,
            Type::Simple(_) => return Err(body.error(BAD_VALUE, "complexContent with a simple base")),
        };
        let base_tree = base.tree.clone();
        self.inherit(&base, draft);
        self.body(&body.children()?, draft)?;
        if extends {
            draft.tree = match (base_tree, draft.tree.take()) {
                (Some(before), Some(more)) => {
                    if matches!(before.kind, TreeKind::All(_)) || matches!(more.kind, TreeKind::All(_)) {
                        return Err(body.refused("extending xs:all"));
                    }
                    Some(Tree { kind: TreeKind::Sequence(vec![before, more]), min: 1, max: 1 })
                }
                (before, more) => before.or(more),
            };
        }
        Ok(())
    }

    fn inherit(&self, base: &Draft, draft: &mut Draft) {
        draft.attributes = base.attributes.clone();
        draft.any_attribute = base.any_attribute.clone();
    }

    fn simple_content(
        &mut self,
        base: Name<'d>,
        body: Place<'d>,
        extends: bool,
        draft: &mut Draft,
    ) -> Result<(), LoadError> {
        let mut text = match self.type_named(base, body)? {
            Type::Simple(id) if extends => id,
            Type::Complex(id) => {
                let base = self.draft(id)?;
                self.inherit(&base, draft);
                base.text.ok_or_else(|| body.error(BAD_VALUE, "simpleContent with a base that has no text"))?
            }
            _ => return Err(body.error(BAD_VALUE, "simpleContent with a base that has no text")),
        };
        let children = body.children()?;
        let attributes = ["attribute", "attributeGroup", "anyAttribute"];
        if !extends {
            if let Some(inline) = children.iter().find(|c| c.tag() == "simpleType") {
                text = self.simple_type(*inline)?;
            }
            let others = ["attribute", "attributeGroup", "anyAttribute", "simpleType"];
            let simple = self.restricted(text, body, &others)?;
            text = self.add_simple(simple);
        }
        draft.text = Some(text);
        for child in children {
            if attributes.contains(&child.tag()) {
                self.attribute_item(child, draft)?;
            } else if extends {
                return Err(child.refused(format!("xs:{} in an extension of text", child.tag())));
            }
        }
        Ok(())
    }

    /// A group or wildcard or element; `None` if it may never come.
    fn particle(&mut self, place: Place<'d>) -> Result<Option<Tree>, LoadError> {
        let (min, max) = place.occurs()?;
        let kind = match place.tag() {
            "element" => TreeKind::Element(self.element_particle(place)?),
            "any" => {
                place.only(&["namespace", "processContents", "minOccurs", "maxOccurs"])?;
                TreeKind::Any(self.wildcard(place)?)
            }
            "sequence" => TreeKind::Sequence(self.particles(place)?),
            "choice" => TreeKind::Choice(self.particles(place)?),
            "all" => {
                if max != 1 {
                    return Err(place.bad_value("maxOccurs", place.attribute("maxOccurs").unwrap_or("")));
                }
                TreeKind::All(self.particles(place)?)
            }
            "group" => return self.group(place, min, max),
            other => return Err(place.refused(format!("xs:{other} in a content group"))),
        };
        Ok((max > 0).then_some(Tree { kind, min, max }))
    }

    fn particles(&mut self, place: Place<'d>) -> Result<Vec<Tree>, LoadError> {
        place.only(&OCCURS)?;
        let mut trees = Vec::new();
        for child in place.children()? {
            if child.tag() == "all" || (place.tag() == "all" && child.tag() != "element") {
                return Err(child.refused(format!("xs:{} in xs:{}", child.tag(), place.tag())));
            }
            trees.extend(self.particle(child)?);
        }
        Ok(trees)
    }

    fn group(&mut self, place: Place<'d>, min: u32, max: u32) -> Result<Option<Tree>, LoadError> {
        place.only(&["ref", "minOccurs", "maxOccurs"])?;
        let name = place.name("ref")?.ok_or_else(|| place.error(BAD_VALUE, "a group without ref"))?;
        if self.expanding.contains(&name) {
            return Err(place.refused(format!("the group {}, which contains itself,", name.local)));
        }
        let definition = self.find(Kind::Group, name, place)?;
        let [inner] = definition.children()?[..] else {
            return Err(definition.error(BAD_VALUE, "a group holds one sequence, choice or all"));
        };
        self.expanding.push(name);
        let tree = self.particle(inner)?;
        self.expanding.pop();
        let Some(mut tree) = tree.filter(|_| max > 0) else { return Ok(None) };
        if (tree.min, tree.max) == (1, 1) {
            (tree.min, tree.max) = (min, max);
            return Ok(Some(tree));
        }
        Ok(Some(if (min, max) == (1, 1) { tree } else { Tree { kind: TreeKind::Sequence(vec![tree]), min, max } }))
    }

    fn wildcard(&mut self, place: Place<'d>) -> Result<Wildcard, LoadError> {
        let target = place.document.target();
        let namespaces = match place.attribute("namespace").unwrap_or("##any") {
            "##any" => Namespaces::Any,
            "##other" => Namespaces::Other(self.namespace(target)),
            list => Namespaces::Of(
                list.split_whitespace()
                    .map(|part| match part {
                        "##local" => Ok("".into()),
                        "##targetNamespace" => Ok(target.into()),
                        special if special.starts_with("##") => Err(place.bad_value("namespace", special)),
                        namespace => Ok(namespace.into()),
                    })
                    .collect::<Result<_, _>>()?,
            ),
        };
        let process = match place.attribute("processContents").unwrap_or("strict") {
            "lax" => Process::Lax,
            "skip" => Process::Skip,
            "strict" => Process::Strict,
            other => return Err(place.bad_value("processContents", other)),
        };
        Ok(Wildcard { namespaces, process })
    }

    fn attribute_item(&mut self, place: Place<'d>, draft: &mut Draft) -> Result<(), LoadError> {
        match place.tag() {
            "attribute" => self.attribute(place, draft),
            "anyAttribute" => {
                place.only(&["namespace", "processContents"])?;
                draft.any_attribute = Some(self.wildcard(place)?);
                Ok(())
            }
            "attributeGroup" => {
                place.only(&["ref"])?;
                let name =
                    place.name("ref")?.ok_or_else(|| place.error(BAD_VALUE, "an attribute group without ref"))?;
                if self.expanding.contains(&name) {
                    return Err(place.refused(format!("the attribute group {}, which contains itself,", name.local)));
                }
                let definition = self.find(Kind::AttributeGroup, name, place)?;
                self.expanding.push(name);
                for child in definition.children()? {
                    self.attribute_item(child, draft)?;
                }
                self.expanding.pop();
                Ok(())
            }
            other => Err(place.refused(format!("xs:{other} here"))),
        }
    }

    fn attribute(&mut self, place: Place<'d>, draft: &mut Draft) -> Result<(), LoadError> {
        place.only(&["name", "ref", "type", "use", "default", "fixed", "form"])?;
        let reference = place.name("ref")?;
        let (definition, namespace, name) = match reference {
            Some(name) => (self.find(Kind::Attribute, name, place)?, self.namespace(name.namespace), name.local),
            None => {
                let name = place
                    .attribute("name")
                    .ok_or_else(|| place.error(BAD_VALUE, "an attribute without name or ref"))?;
                (place, self.attribute_namespace(place)?, name)
            }
        };
        let position = draft.attributes.iter().position(|a| *a.name == *name && a.namespace == namespace);
        let required = match place.attribute("use") {
            None | Some("optional") => false,
            Some("required") => true,
            Some("prohibited") => {
                if let Some(at) = position {
                    draft.attributes.remove(at);
                }
                return Ok(());
            }
            Some(other) => return Err(place.bad_value("use", other)),
        };
        let ty = match definition.name("type")? {
            Some(name) => self.simple_named(name, definition)?,
            None => match definition.children()?[..] {
                [] => self.add_simple(Simple::of(Base::Text, crate::value::Blanks::Preserve)),
                [inline] if inline.tag() == "simpleType" => self.simple_type(inline)?,
                _ => return Err(definition.refused("this content of an attribute")),
            },
        };
        let mut own = notes::field(definition)?;
        if reference.is_some() {
            own = own.overlaid(&notes::field(place)?);
        }
        let fixed = place.attribute("fixed").or_else(|| definition.attribute("fixed")).map(Into::into);
        self.given_value(place, ty, required)?;
        let notes = self.schema.simple(ty).notes.overlaid(&own);
        let attribute = Attribute { name: name.into(), namespace, ty, required, fixed, notes };
        match position.and_then(|at| draft.attributes.get_mut(at)) {
            Some(old) => *old = attribute,
            None => draft.attributes.push(attribute),
        }
        Ok(())
    }

    /// A default or fixed value: not both, of the attribute's type, and no default for what must be written.
    fn given_value(&self, place: Place<'d>, ty: SimpleId, required: bool) -> Result<(), LoadError> {
        let (default, fixed) = (place.attribute("default"), place.attribute("fixed"));
        if default.is_some() && (fixed.is_some() || required) {
            return Err(place.error(BAD_VALUE, "a default beside fixed or use=\"required\""));
        }
        let Some(value) = default.or(fixed) else { return Ok(()) };
        let simple = self.schema.simple(ty);
        match crate::value::fault(&self.schema, simple, &crate::value::normalized(value, simple.blanks, true), None) {
            None => Ok(()),
            Some(_) => Err(place.error(BAD_VALUE, format!("{value} is not a value of the attribute's type"))),
        }
    }

    fn attribute_namespace(&mut self, place: Place<'d>) -> Result<NamespaceId, LoadError> {
        let qualified = match place.attribute("form") {
            Some("qualified") => true,
            Some("unqualified") => false,
            Some(other) => return Err(place.bad_value("form", other)),
            None => place.document.qualified_attributes,
        };
        debug_assert_ne!(place.document.target(), XSD);
        Ok(if qualified { self.namespace(place.document.target()) } else { 0 })
    }
}
