//! The schema as a writer of messages sees it: every element in its order, what it is called, and what it takes.

use crate::schema::{Attribute, Content, Element, ElementId, Mode, NodeKind, Notes, Schema, SimpleId, Type, UNBOUNDED};
use crate::value::{Base, MomentKind, Simple};

/// An element in its place, or an attribute.
#[derive(Clone, Copy)]
pub struct Outline<'s> {
    schema: &'s Schema,
    what: What<'s>,
    min: u32,
    max: u32,
    choice: bool,
}

#[derive(Clone, Copy)]
enum What<'s> {
    Element(ElementId, &'s Element),
    Attribute(&'s Attribute),
}

/// What a value must be like; lengths in characters, unless it says bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facets<'s> {
    /// What the value is.
    pub form: Form,
    /// Fewest characters.
    pub min_length: Option<u32>,
    /// Most characters.
    pub max_length: Option<u32>,
    /// Most bytes in GB18030.
    pub max_bytes: Option<u32>,
    /// Most digits.
    pub total_digits: Option<u32>,
    /// Most decimals.
    pub fraction_digits: Option<u32>,
    /// Lower end, and whether it is allowed itself.
    pub low: Option<(&'s str, bool)>,
    /// Upper end, and whether it is allowed itself.
    pub high: Option<(&'s str, bool)>,
    /// Regular expressions; each must match.
    pub patterns: Vec<&'s str>,
    /// The only values; empty = any.
    pub values: Vec<&'s str>,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text, or a form that is told by patterns.
    Text,
    /// A whole number.
    Integer,
    /// A decimal number.
    Decimal,
    /// true, false, 1 or 0.
    Boolean,
    /// yyyy-MM-dd.
    Date,
    /// yyyy-MM-ddTHH:mm:ss.
    DateTime,
    /// HH:mm:ss.
    Time,
    /// yyyy-MM.
    YearMonth,
    /// yyyy.
    Year,
    /// Base64.
    Base64,
    /// Hexadecimal.
    Hex,
}

impl Schema {
    /// The root element of that name; `namespace` may be `*`.
    pub fn outline(&self, namespace: &str, local: &str) -> Option<Outline<'_>> {
        let fits = |id: &ElementId| {
            let element = self.element(*id);
            *element.name == *local && (namespace == "*" || self.namespace(element.namespace) == namespace)
        };
        let id = self.globals.iter().copied().find(fits)?;
        Some(self.placed(id, 1, 1, false))
    }

    fn placed(&self, id: ElementId, min: u32, max: u32, choice: bool) -> Outline<'_> {
        Outline { schema: self, what: What::Element(id, self.element(id)), min, max, choice }
    }
}

impl<'s> Outline<'s> {
    /// Local name.
    pub fn name(&self) -> &'s str {
        match self.what {
            What::Element(_, element) => &element.name,
            What::Attribute(attribute) => &attribute.name,
        }
    }

    /// Namespace; empty = none.
    pub fn namespace(&self) -> &'s str {
        self.schema.namespace(match self.what {
            What::Element(_, element) => element.namespace,
            What::Attribute(attribute) => attribute.namespace,
        })
    }

    /// Chinese name; may be empty.
    pub fn name_zh(&self) -> &'s str {
        &self.notes().zh
    }

    /// English name; may be empty.
    pub fn name_en(&self) -> &'s str {
        &self.notes().en
    }

    /// Name of the code table that its value is of.
    pub fn codes(&self) -> Option<&'s str> {
        self.notes().codes.as_deref()
    }

    /// A value as an example; may be empty.
    pub fn example(&self) -> &'s str {
        &self.notes().example
    }

    /// What to write: Chinese and English; may be empty.
    pub fn hints(&self) -> (&'s str, &'s str) {
        (&self.notes().hint_zh, &self.notes().hint_en)
    }

    /// The only value it may have.
    pub fn fixed(&self) -> Option<&'s str> {
        match self.what {
            What::Element(_, element) => element.fixed.as_deref(),
            What::Attribute(attribute) => attribute.fixed.as_deref(),
        }
    }

    /// From which operation on it is needed where its parent stands: [`Mode::Draft`] = always.
    pub fn required(&self) -> Option<Mode> {
        if self.min > 0 { Some(Mode::Draft) } else { self.notes().required }
    }

    /// Whether it must stand there by the letter of the schema, empty or not.
    pub fn must_stand(&self) -> bool {
        self.min > 0
    }

    /// How often it may come; `None` = as often as needed.
    pub fn most(&self) -> Option<u32> {
        (self.max != UNBOUNDED).then_some(self.max)
    }

    /// Whether it is one of several of which one is written.
    pub fn is_choice(&self) -> bool {
        self.choice
    }

    /// What its value must be like; `None` for an element of elements, and for one that takes anything.
    pub fn facets(&self) -> Option<Facets<'s>> {
        let simple = self.schema.simple(self.text()?);
        let notes = self.notes();
        Some(facets(simple, notes.max_bytes.or(simple.notes.max_bytes)))
    }

    /// Its attributes.
    pub fn attributes(&self) -> Vec<Outline<'s>> {
        let schema = self.schema;
        let Some(complex) = self.complex() else { return Vec::new() };
        let placed = |attribute: &'s Attribute| Outline {
            schema,
            what: What::Attribute(attribute),
            min: u32::from(attribute.required),
            max: 1,
            choice: false,
        };
        schema.complex(complex).attributes.iter().map(placed).collect()
    }

    /// Its children, in the order in which they are written; wildcards are left out.
    pub fn children(&self) -> Vec<Outline<'s>> {
        let Some(complex) = self.complex() else { return Vec::new() };
        match &self.schema.complex(complex).content {
            Content::Empty => Vec::new(),
            Content::Flat(flat) => {
                let placed = |p: &crate::schema::Particle| self.schema.placed(p.element, p.min, p.max, false);
                flat.particles.iter().map(placed).collect()
            }
            Content::Model(model) => {
                let mut found = Vec::new();
                self.leaves(model, model.root, (1, 1), false, &mut found);
                found
            }
        }
    }

    /// Whether an element within it is declared as one of its own ancestors: the walk must end somewhere.
    pub fn is_same(&self, other: &Outline<'_>) -> bool {
        matches!((self.what, other.what), (What::Element(a, _), What::Element(b, _)) if a == b)
    }

    /// Elements of a nested model; a group's occurrence counts for what it holds.
    fn leaves(
        &self,
        model: &'s crate::schema::Model,
        node: u16,
        outer: (u32, u32),
        choice: bool,
        found: &mut Vec<Outline<'s>>,
    ) {
        let Some(node) = model.nodes.get(usize::from(node)) else { return };
        let (min, max) = (node.min.min(outer.0), if outer.1 > 1 { outer.1 } else { node.max });
        match &node.kind {
            NodeKind::Element { element, .. } => found.push(self.schema.placed(*element, min, max, choice)),
            NodeKind::Any(_) => {}
            NodeKind::Sequence(list) => list.iter().for_each(|n| self.leaves(model, *n, (min, max), choice, found)),
            NodeKind::Choice(list) => list.iter().for_each(|n| self.leaves(model, *n, (0, max), true, found)),
        }
    }

    fn notes(&self) -> &'s Notes {
        match self.what {
            What::Element(_, element) => &element.notes,
            What::Attribute(attribute) => &attribute.notes,
        }
    }

    fn complex(&self) -> Option<crate::schema::ComplexId> {
        match self.what {
            What::Element(_, Element { ty: Type::Complex(id), .. }) => Some(*id),
            _ => None,
        }
    }

    fn text(&self) -> Option<SimpleId> {
        match self.what {
            What::Attribute(attribute) => Some(attribute.ty),
            What::Element(_, element) => match element.ty {
                Type::Simple(id) => Some(id),
                Type::Complex(id) => self.schema.complex(id).text,
                Type::Anything => None,
            },
        }
    }
}

fn facets(simple: &Simple, max_bytes: Option<u32>) -> Facets<'_> {
    Facets {
        form: form(&simple.base),
        min_length: simple.min_length,
        max_length: simple.max_length,
        max_bytes,
        total_digits: simple.total_digits,
        fraction_digits: simple.fraction_digits,
        low: simple.low.as_ref().map(|bound| (&*bound.text, bound.inclusive)),
        high: simple.high.as_ref().map(|bound| (&*bound.text, bound.inclusive)),
        patterns: simple.patterns.iter().filter_map(|step| step.first()).map(|pattern| &*pattern.source).collect(),
        values: simple.values.iter().flatten().map(|value| &**value).collect(),
    }
}

fn form(base: &Base) -> Form {
    match base {
        Base::Boolean => Form::Boolean,
        Base::Decimal | Base::Float => Form::Decimal,
        Base::Integer => Form::Integer,
        Base::Moment(MomentKind::DateTime) => Form::DateTime,
        Base::Moment(MomentKind::Date) => Form::Date,
        Base::Moment(MomentKind::Time) => Form::Time,
        Base::Moment(MomentKind::YearMonth) => Form::YearMonth,
        Base::Moment(MomentKind::Year) => Form::Year,
        Base::Base64 => Form::Base64,
        Base::Hex => Form::Hex,
        Base::Text | Base::Duration | Base::AnyUri | Base::Token(_) | Base::Union(_) => Form::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Validator;

    const XSD: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:k="urn:kouan:schema" xmlns="urn:n" targetNamespace="urn:n" elementFormDefault="qualified">
<xs:element name="Note"><xs:complexType><xs:sequence>
  <xs:element name="Weight"><xs:annotation><xs:documentation xml:lang="zh">重量</xs:documentation><xs:documentation xml:lang="en">weight</xs:documentation><xs:appinfo><k:field required="declare" example="5"/></xs:appinfo></xs:annotation>
    <xs:simpleType><xs:restriction base="xs:decimal"><xs:totalDigits value="5"/><xs:minInclusive value="0"/></xs:restriction></xs:simpleType></xs:element>
  <xs:choice><xs:element name="A" type="xs:date"/><xs:element name="B" maxOccurs="unbounded" type="xs:string" fixed="b"/></xs:choice>
</xs:sequence><xs:attribute name="Id" type="xs:string" use="required"/></xs:complexType></xs:element></xs:schema>"#;

    #[test]
    fn tells_every_element_in_its_order_with_what_it_takes() {
        let validator = Validator::builder().file("n.xsd", XSD).build().unwrap();
        assert!(validator.schema().outline("", "Note").is_none() && validator.schema().outline("*", "X").is_none());
        let root = validator.schema().outline("*", "Note").unwrap();
        assert_eq!((root.namespace(), root.facets()), ("urn:n", None));
        let children = root.children();
        assert_eq!(children.iter().map(Outline::name).collect::<Vec<_>>(), ["Weight", "A", "B"]);
        let weight = children[0];
        assert_eq!((weight.name_zh(), weight.name_en(), weight.example()), ("重量", "weight", "5"));
        let facets = weight.facets().unwrap();
        assert_eq!((facets.form, facets.total_digits, facets.low), (Form::Decimal, Some(5), Some(("0", true))));
        assert!(weight.must_stand() && !weight.is_choice());
        assert!(children[1].is_choice() && !children[1].must_stand() && children[1].most() == Some(1));
        assert_eq!((children[2].most(), children[2].fixed()), (None, Some("b")));
        let attributes = root.attributes();
        assert_eq!((attributes[0].name(), attributes[0].required()), ("Id", Some(Mode::Draft)));
        assert!(root.is_same(&validator.schema().outline("urn:n", "Note").unwrap()) && !root.is_same(&weight));
    }
}
