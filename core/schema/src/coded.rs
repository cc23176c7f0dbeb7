//! The fields that refer to a code table: whether a code could stand in one of them at all.

use crate::schema::{Notes, Schema, SimpleId, Type};
use crate::value;
use crate::wording;

/// A field whose values are codes of a table.
#[derive(Clone, Copy)]
pub struct CodedField<'s> {
    schema: &'s Schema,
    name: &'s str,
    notes: &'s Notes,
    ty: SimpleId,
}

impl Schema {
    /// The fields that refer to the code table, or would if a site had it; one of each kind of value.
    pub fn coded_fields(&self, table: &str) -> Vec<CodedField<'_>> {
        let simple = |ty: Type| match ty {
            Type::Simple(id) => Some(id),
            Type::Complex(id) => self.complex(id).text,
            Type::Anything => None,
        };
        let elements = self.elements.iter().filter_map(|e| Some((&*e.name, &e.notes, simple(e.ty)?)));
        let attributes = self.complex.iter().flat_map(|c| c.attributes.iter().map(|a| (&*a.name, &a.notes, a.ty)));
        let mut fields: Vec<CodedField<'_>> = Vec::new();
        for (name, notes, ty) in elements.chain(attributes) {
            let is_known = || fields.iter().any(|known| known.ty == ty && known.notes.max_bytes == notes.max_bytes);
            let refers = notes.codes.as_deref() == Some(table) || notes.site_codes.as_deref() == Some(table);
            if refers && !is_known() {
                fields.push(CodedField { schema: self, name, notes, ty });
            }
        }
        fields
    }
}

impl CodedField<'_> {
    /// Local name of the element or attribute.
    pub fn name(&self) -> &str {
        self.name
    }

    /// What the field's type has against the code, in Chinese and English: its length, its form, its values.
    pub fn fault(&self, code: &str) -> Option<(String, String)> {
        let simple = self.schema.simple(self.ty);
        let value = value::normalized(code, simple.blanks, self.notes.keep == Some(true));
        let fault = value::fault(self.schema, simple, &value, self.notes.max_bytes)?;
        Some(wording::fault(wording::label(self.name, self.notes), &value, &fault).1)
    }
}

#[cfg(test)]
mod tests {
    use crate::Validator;

    #[test]
    fn a_code_fits_the_fields_that_refer_to_its_table_or_is_told_why_not() {
        let xsd = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:k="urn:kouan:schema"><xs:simpleType name="T">
          <xs:annotation><xs:appinfo><k:field codes="port"/></xs:appinfo></xs:annotation>
          <xs:restriction base="xs:string"><xs:length value="4"/></xs:restriction></xs:simpleType>
          <xs:element name="Note"><xs:complexType><xs:sequence><xs:element name="From" type="T"/><xs:element name="To" type="T"/>
          <xs:element name="Text" type="xs:string"/></xs:sequence></xs:complexType></xs:element></xs:schema>"#;
        let table = "# table=port\n# complete=no\ncode,zh,en,from,to\n2200,甲,,,\n";
        let validator = Validator::builder().file("a.xsd", xsd).file("port.csv", table).build().unwrap();
        let fields = validator.schema().coded_fields("port");
        assert_eq!(fields.iter().map(super::CodedField::name).collect::<Vec<_>>(), ["From"], "one of each kind");
        assert_eq!(fields[0].fault("2200"), None);
        let (zh, en) = fields[0].fault("220").unwrap();
        assert!(zh.contains("From") && en.contains("From"), "{zh} {en}");
        assert!(validator.schema().coded_fields("ports").is_empty());
    }

    #[test]
    fn a_table_that_only_a_site_has_counts_once_it_is_there() {
        let xsd = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:k="urn:kouan:schema">
          <xs:element name="Port" type="xs:string"><xs:annotation><xs:appinfo><k:field site-codes="port"/></xs:appinfo></xs:annotation>
          </xs:element></xs:schema>"#;
        let rules_of = |validator: Validator, document: &str| {
            let outcome = validator.check(document.as_bytes(), &crate::CheckOptions::default());
            outcome.findings.into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
        };
        let bare = || Validator::builder().file("a.xsd", xsd);
        let table = |name: &str| {
            let text = format!("# table={name}\n# complete=yes\ncode,zh,en,from,to\nHKG003,香港,,,\n");
            std::sync::Arc::new(crate::CodeTable::read("t.csv", text.as_bytes()).unwrap())
        };
        let without = bare().build().unwrap();
        assert_eq!(without.schema().coded_fields("port").len(), 1);
        assert_eq!(without.schema().site_code_tables().collect::<Vec<_>>(), ["port"]);
        assert!(rules_of(without, "<Port>X</Port>").is_empty());
        assert!(rules_of(bare().site_table(table("other")).build().unwrap(), "<Port>X</Port>").is_empty());
        let with = || bare().site_table(table("port")).build().unwrap();
        assert!(with().codes()["port"].of_site);
        assert!(rules_of(with(), "<Port>HKG003</Port>").is_empty());
        assert_eq!(rules_of(with(), "<Port>X</Port>"), ["XSD-CODE"]);
    }
}
