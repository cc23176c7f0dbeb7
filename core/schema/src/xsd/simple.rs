//! Simple types: restriction and union.

use super::document::{Kind, Name};
use super::{Loader, Place, XSD, builtin, notes};
use crate::error::{BAD_VALUE, LoadError};
use crate::schema::SimpleId;
use crate::value::{Base, Blanks, Bound, Pattern, Simple};

impl<'d> Loader<'d> {
    /// The simple type called `name`.
    pub(super) fn simple_named(&mut self, name: Name<'d>, user: Place<'d>) -> Result<SimpleId, LoadError> {
        match self.simples.get(&name) {
            Some(Some(id)) => return Ok(*id),
            Some(None) => return Err(user.refused(format!("the type {}, derived from itself,", name.local))),
            None => {}
        }
        let id = if name.namespace == XSD {
            let simple =
                builtin::simple(name.local).ok_or_else(|| user.refused(format!("the type xs:{}", name.local)))?;
            self.add_simple(simple)
        } else {
            let place = self.find(Kind::Type, name, user)?;
            if place.tag() != "simpleType" {
                return Err(user.error(BAD_VALUE, format!("{} is a complex type where text is meant", name.local)));
            }
            self.simples.insert(name, None);
            self.simple_type(place)?
        };
        self.simples.insert(name, Some(id));
        Ok(id)
    }

    /// A simpleType definition.
    pub(super) fn simple_type(&mut self, place: Place<'d>) -> Result<SimpleId, LoadError> {
        place.only(&["name"])?;
        let own = notes::field(place)?;
        let [body] = place.children()?[..] else {
            return Err(place.refused("a simple type with more than one derivation"));
        };
        let mut simple = match body.tag() {
            "restriction" => {
                body.only(&["base"])?;
                let base = match body.name("base")? {
                    Some(name) => self.simple_named(name, body)?,
                    None => self.inline_simple(body)?,
                };
                self.restricted(base, body, &["simpleType"])?
            }
            "union" => self.union(body)?,
            other => return Err(body.refused(format!("xs:{other}"))),
        };
        // A type's documentation names the type, not the fields that have it.
        let (zh, en) = Default::default();
        simple.notes = simple.notes.overlaid(&crate::schema::Notes { zh, en, ..own });
        Ok(self.add_simple(simple))
    }

    fn inline_simple(&mut self, body: Place<'d>) -> Result<SimpleId, LoadError> {
        let inline = body.children()?.into_iter().find(|c| c.tag() == "simpleType");
        let inline = inline.ok_or_else(|| body.error(BAD_VALUE, "a restriction without a base"))?;
        self.simple_type(inline)
    }

    fn union(&mut self, body: Place<'d>) -> Result<Simple, LoadError> {
        body.only(&["memberTypes"])?;
        let mut members = Vec::new();
        for text in body.attribute("memberTypes").unwrap_or_default().split_whitespace() {
            let name = body.resolve(text)?;
            members.push(self.simple_named(name, body)?);
        }
        for child in body.children()? {
            if child.tag() != "simpleType" {
                return Err(child.refused(format!("xs:{} in a union", child.tag())));
            }
            members.push(self.simple_type(child)?);
        }
        if members.is_empty() {
            return Err(body.error(BAD_VALUE, "a union without members"));
        }
        // The members collapse blanks as their own facets say.
        Ok(Simple::of(Base::Union(members), Blanks::Preserve))
    }

    pub(super) fn add_simple(&mut self, simple: Simple) -> SimpleId {
        self.schema.simple.push(simple);
        (self.schema.simple.len() - 1) as SimpleId
    }

    /// `base` with the facets in `body`; `others` = tags in `body` that are not facets.
    pub(super) fn restricted(&self, base: SimpleId, body: Place<'d>, others: &[&str]) -> Result<Simple, LoadError> {
        let mut simple = self.schema.simple(base).clone();
        let mut patterns = Vec::new();
        let mut values: Option<Vec<Box<str>>> = None;
        for facet in body.children()? {
            if others.contains(&facet.tag()) {
                continue;
            }
            facet.only(&["value", "fixed"])?;
            let value = facet.attribute("value").ok_or_else(|| facet.error(BAD_VALUE, "a facet without a value"))?;
            match facet.tag() {
                "pattern" => patterns
                    .push(Pattern::compile(value).map_err(|e| facet.refused(format!("in the pattern {value}: {e}")))?),
                "enumeration" => values.get_or_insert_default().push(value.into()),
                _ => self.facet(&mut simple, facet, value)?,
            }
        }
        if !patterns.is_empty() {
            simple.patterns.push(patterns);
        }
        if let Some(mut values) = values {
            values.sort();
            for value in &values {
                self.fits(&Simple { values: None, patterns: Vec::new(), ..simple.clone() }, value, body)?;
            }
            simple.values = Some(values);
        }
        Ok(simple)
    }

    /// A facet's value, or a value of the enumeration, must be one of the type's own.
    fn fits(&self, simple: &Simple, value: &str, place: Place<'d>) -> Result<(), LoadError> {
        match crate::value::fault(&self.schema, simple, value, None) {
            None => Ok(()),
            Some(_) => Err(place.error(BAD_VALUE, format!("{value} is not a value of the type that is restricted"))),
        }
    }

    fn facet(&self, simple: &mut Simple, facet: Place<'d>, value: &str) -> Result<(), LoadError> {
        let wrong = || facet.bad_value("value", value);
        let number = || value.trim().parse::<u32>().map_err(|_| wrong());
        let base = simple.base.clone();
        let sized = matches!(base, Base::Text | Base::AnyUri | Base::Token(_) | Base::Base64 | Base::Hex);
        let counted = matches!(base, Base::Decimal | Base::Integer);
        let ordered = counted || matches!(base, Base::Float | Base::Moment(_));
        let fits =
            |yes: bool| if yes { Ok(()) } else { Err(facet.refused(format!("xs:{} on this type", facet.tag()))) };
        match facet.tag() {
            "length" | "minLength" | "maxLength" => {
                fits(sized)?;
                if facet.tag() != "maxLength" {
                    simple.min_length = Some(number()?);
                }
                if facet.tag() != "minLength" {
                    simple.max_length = Some(number()?);
                }
            }
            "totalDigits" | "fractionDigits" => {
                fits(counted)?;
                let place =
                    if facet.tag() == "totalDigits" { &mut simple.total_digits } else { &mut simple.fraction_digits };
                *place = Some(number()?);
            }
            "minInclusive" | "minExclusive" | "maxInclusive" | "maxExclusive" => {
                fits(ordered)?;
                let bare = Simple { notes: simple.notes.clone(), ..Simple::of(base, simple.blanks) };
                self.fits(&bare, value.trim(), facet)?;
                let bound = Bound { text: value.trim().into(), inclusive: facet.tag().ends_with("Inclusive") };
                let side = if facet.tag().starts_with("min") { &mut simple.low } else { &mut simple.high };
                *side = Some(bound);
            }
            "whiteSpace" => {
                let blanks = match value {
                    "preserve" => Blanks::Preserve,
                    "replace" => Blanks::Replace,
                    "collapse" => Blanks::Collapse,
                    _ => return Err(wrong()),
                };
                if blanks < simple.blanks {
                    return Err(wrong());
                }
                simple.blanks = blanks;
            }
            other => return Err(facet.refused(format!("xs:{other}"))),
        }
        Ok(())
    }
}
