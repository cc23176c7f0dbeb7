//! The Signature element as it stands in a document; what it claims, not whether that is true.

use crate::DSIG_NAMESPACE;
use crate::read::is_signature;
use kouan_xml::Event;

/// What the first Signature says, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Signature elements anywhere in the document.
    pub count: usize,
    /// Offset of the first one's start tag.
    pub offset: usize,
    /// Its depth; 2 is a child of the root.
    pub depth: usize,
    /// Offset of its SignedInfo.
    pub signed_info: Option<usize>,
    pub canonicalization: String,
    pub method: String,
    pub references: Vec<Reference>,
    pub value: Option<String>,
    pub key_name: String,
    pub certificates: Vec<String>,
    /// The first thing that does not belong where it stands.
    pub malformed: Option<String>,
}

/// A Reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reference {
    /// `None` if there is no URI attribute.
    pub uri: Option<String>,
    pub transforms: Vec<String>,
    pub digest_method: String,
    pub digest_value: String,
}

/// Gathers [`Claims`] from events.
#[derive(Default)]
pub(crate) struct Collector<'a> {
    claims: Claims,
    /// Local names inside the first Signature, that one excluded.
    path: Vec<&'a str>,
    state: State,
    /// Names met at each place that allows one of a kind.
    once: Vec<(&'a str, &'a str)>,
}

#[derive(Default, PartialEq)]
enum State {
    #[default]
    Before,
    Inside,
    After,
}

impl<'a> Collector<'a> {
    pub fn event(&mut self, event: &Event<'_, 'a>) {
        match event {
            Event::Start(start) => {
                if is_signature(start.namespace, start.local) {
                    self.claims.count += 1;
                    if self.state == State::Before {
                        self.state = State::Inside;
                        (self.claims.offset, self.claims.depth) = (start.offset, start.depth);
                        return;
                    }
                }
                if self.state == State::Inside {
                    self.path.push(start.local);
                    self.start(start);
                }
            }
            Event::Text(text) if self.state == State::Inside => self.text(text.text),
            Event::Text(_) => {}
            Event::End(end) if self.state == State::Inside => {
                if end.depth == self.claims.depth {
                    self.state = State::After;
                } else {
                    self.path.pop();
                }
            }
            Event::End(_) => {}
        }
    }

    pub fn finish(self) -> Claims {
        self.claims
    }

    fn start(&mut self, start: &kouan_xml::Start<'_, 'a>) {
        // What hangs below Object is neither signed nor read; what stands in SignedInfo must be known to the last element.
        if matches!(self.path[..], ["Object", ..]) {
            return;
        }
        if start.namespace != DSIG_NAMESPACE && self.path[..] != ["KeyInfo"] && self.path.first() != Some(&"KeyInfo") {
            self.malformed(start.name);
            return;
        }
        let algorithm = || start.attribute("Algorithm").unwrap_or_default().to_owned();
        match self.path[..] {
            ["SignedInfo"] => {
                if !self.once.is_empty() {
                    self.malformed("SignedInfo");
                }
                self.claims.signed_info = Some(start.offset);
            }
            ["SignedInfo", "CanonicalizationMethod"] => self.claims.canonicalization = algorithm(),
            ["SignedInfo", "SignatureMethod"] => self.claims.method = algorithm(),
            ["SignedInfo", "Reference"] => {
                let uri = start.attribute("URI").map(str::to_owned);
                self.claims.references.push(Reference { uri, ..Reference::default() });
                return;
            }
            ["SignedInfo", "Reference", "Transforms", "Transform"] => {
                if let Some(reference) = self.claims.references.last_mut() {
                    reference.transforms.push(algorithm());
                }
                return;
            }
            ["SignedInfo", "Reference", "DigestMethod"] => {
                if let Some(reference) = self.claims.references.last_mut() {
                    reference.digest_method = algorithm();
                }
            }
            ["SignatureValue"] => self.claims.value = Some(String::new()),
            ["KeyInfo", ..] | ["SignedInfo", "Reference", "Transforms" | "DigestValue"] | ["Object"] => {}
            _ => self.malformed(start.name),
        }
        self.only_once(start.local);
    }

    /// Each element of a Signature that is not in a list stands once in its parent.
    fn only_once(&mut self, local: &'a str) {
        let parent = match self.path.len() {
            0 | 1 => "",
            length => self.path[length - 2],
        };
        let listed = matches!(parent, "X509Data" | "KeyInfo") || self.claims.references.len() > 1;
        if !listed && self.once.contains(&(parent, local)) {
            self.malformed(local);
        }
        self.once.push((parent, local));
    }

    fn text(&mut self, text: &str) {
        match self.path[..] {
            ["SignedInfo", "Reference", "DigestValue"] => {
                if let Some(reference) = self.claims.references.last_mut() {
                    reference.digest_value.push_str(text);
                }
            }
            ["SignatureValue"] => self.claims.value.get_or_insert_default().push_str(text),
            ["KeyInfo", "KeyName"] if self.claims.key_name.is_empty() => self.claims.key_name = text.trim().to_owned(),
            ["KeyInfo", "X509Data", "X509Certificate"] => self.claims.certificates.push(text.to_owned()),
            _ => {}
        }
    }

    fn malformed(&mut self, what: &str) {
        let what = what.chars().take(60).collect();
        self.claims.malformed.get_or_insert(what);
    }
}
