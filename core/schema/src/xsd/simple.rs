//! Simple types: restriction and union.

use super::document::{Kind, Name};
use super::{Loader, Place, XSD, builtin, notes};
use crate::error::{BAD_VALUE, LoadError};
use crate::schema::SimpleId;
use crate::value::{Base, Blanks, Bound, Pattern, Simple};
use std::cmp::Ordering;

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
        let own_base = self.schema.simple(base);
        let mut simple = own_base.clone();
        let mut seen: Vec<&str> = Vec::new();
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
                tag => {
                    if seen.iter().any(|before| excludes(before, tag)) {
                        return Err(facet.error(BAD_VALUE, format!("xs:{tag} beside another that says the same")));
                    }
                    seen.push(tag);
                    self.facet(&mut simple, facet, value)?;
                }
            }
        }
        narrowed(own_base, &simple, &seen).map_err(|message| body.error(BAD_VALUE, message))?;
        if !patterns.is_empty() {
            simple.patterns.push(patterns);
        }
        if let Some(mut values) = values {
            values.sort();
            for value in &values {
                self.fits(&Simple { values: None, patterns: Vec::new(), ..simple.clone() }, value, body)?;
                self.fits(own_base, &crate::value::normalized(value, own_base.blanks, true), body)?;
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

/// Whether two facets may not stand in one step: the same twice, both kinds of one end, length with its ends.
fn excludes(one: &str, other: &str) -> bool {
    let side = |tag: &str| match tag {
        "minInclusive" | "minExclusive" => "low".to_owned(),
        "maxInclusive" | "maxExclusive" => "high".to_owned(),
        _ => tag.to_owned(),
    };
    let whole = |a: &str, b: &str| a == "length" && matches!(b, "minLength" | "maxLength");
    side(one) == side(other) || whole(one, other) || whole(other, one)
}

/// A restriction may only take values away, and must contradict neither its base nor itself (XSD part 2 §4.3).
fn narrowed(base: &Simple, new: &Simple, seen: &[&str]) -> Result<(), String> {
    let wider = |what: &str| Err(format!("{what} allows more than the type that is restricted"));
    let more = |new: Option<u32>, base: Option<u32>| matches!((new, base), (Some(new), Some(base)) if new > base);
    if more(new.max_length, base.max_length) {
        return wider("the greatest length");
    }
    if more(base.min_length, new.min_length) {
        return wider("the least length");
    }
    if more(new.total_digits, base.total_digits) {
        return wider("xs:totalDigits");
    }
    if more(new.fraction_digits, base.fraction_digits) {
        return wider("xs:fractionDigits");
    }
    if seen.contains(&"totalDigits") && new.total_digits == Some(0) {
        return Err("xs:totalDigits must be at least 1".to_owned());
    }
    if more(new.fraction_digits, new.total_digits) {
        return Err("xs:fractionDigits is more than xs:totalDigits".to_owned());
    }
    if more(new.min_length, new.max_length) {
        return Err("the least length is more than the greatest".to_owned());
    }
    let order = |a: &Bound, b: &Bound| crate::value::compare(&new.base, &a.text, &b.text);
    let passes = |new: &Option<Bound>, base: &Option<Bound>, outwards: Ordering| match (new, base) {
        (Some(new), Some(base)) => match order(new, base) {
            Some(Ordering::Equal) => new.inclusive && !base.inclusive,
            Some(order) => order == outwards,
            None => false,
        },
        _ => false,
    };
    if passes(&new.low, &base.low, Ordering::Less) {
        return wider("the lower end");
    }
    if passes(&new.high, &base.high, Ordering::Greater) {
        return wider("the upper end");
    }
    if let (Some(low), Some(high)) = (&new.low, &new.high) {
        let crossed = match order(low, high) {
            Some(Ordering::Greater) => true,
            Some(Ordering::Equal) => low.inclusive != high.inclusive,
            _ => false,
        };
        if crossed {
            return Err("the lower end is above the upper".to_owned());
        }
    }
    Ok(())
}
