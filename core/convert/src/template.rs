//! Texts with places: `UN{IMO}/{关区}`, `{now:yyyyMMddHHmmss}`, `{n}`.

use crate::fault::Fault;
use crate::moment::is_form;

/// A text with places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(pub Vec<Part>);

/// A piece of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// A column, by its name.
    Column(String),
    /// The moment of the conversion, by a form.
    Now(String),
    /// The message's number, from 1.
    Number,
}

impl Template {
    /// Reads one; `{{` stands for a brace.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let wrong = || {
            Fault::new(
                "KOUAN-CONVERT-MAP",
                format!("“{text}”的花括号不成对或为空"),
                format!("the braces in `{text}` are not closed or are empty"),
            )
        };
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find('{') {
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('{') {
                parts.push(Part::Text("{".into()));
                rest = after;
                continue;
            }
            let (name, after) = rest.split_once('}').ok_or_else(wrong)?;
            parts.push(match name.strip_prefix("now:") {
                Some(form) if is_form(form) => Part::Now(form.to_owned()),
                _ if name == "n" => Part::Number,
                _ if name.is_empty() => return Err(wrong()),
                _ => Part::Column(name.to_owned()),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// Names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| if let Part::Column(name) = part { Some(name.as_str()) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        let template = Template::read("UN{IMO}/{now:yyyyMMdd}_{n}{{x").unwrap();
        let text = |text: &str| Part::Text(text.into());
        let wanted = [
            text("UN"),
            Part::Column("IMO".into()),
            text("/"),
            Part::Now("yyyyMMdd".into()),
            text("_"),
            Part::Number,
            text("{"),
            text("x"),
        ];
        assert_eq!(template.0, wanted);
        assert_eq!(template.columns().collect::<Vec<_>>(), ["IMO"]);
        for wrong in ["{", "a{b", "{}"] {
            assert_eq!(Template::read(wrong).unwrap_err().code, "KOUAN-CONVERT-MAP", "{wrong}");
        }
    }
}
