//! One streaming pass over a document: structure, values, and the wanted places, by index walks over the tables.
//! On the valid path only offsets are kept; paths, lines and texts are made when a finding is.

mod attributes;
mod children;
mod finish;
mod report;
mod seen;
mod values;

use crate::model::Level;
use crate::schema::{ComplexId, Content, ElementId, Mode, Schema, SimpleId, Slot, Type};
use crate::validator::{CheckOptions, Outcome, Validator};
use crate::wants::WantId;
use kouan_xml::{Decoded, Event, Limits, Reader, Start, XmlError};
use report::Raised;
use seen::{MOST_BYTES, Span};
pub(crate) use seen::{Seen, SeenList};
use std::ops::Range;

/// Judges a document.
pub(crate) fn check(validator: &Validator, document: &[u8], options: &CheckOptions<'_>) -> Outcome {
    let mut limits = options.limits.unwrap_or_default();
    limits.max_bytes = limits.max_bytes.min(MOST_BYTES);
    let decoded = match kouan_xml::decode(document, &limits) {
        Ok(decoded) => decoded,
        Err(fault) => return finish::undecodable(&fault, options),
    };
    let mut run = Run::new(validator, options, decoded.text());
    let fault = run.pass(&decoded, &limits).err();
    run.finish(&decoded, fault)
}

/// No wanted node.
const NO_NODE: u32 = u32::MAX;
/// Nothing of the sequence has come yet.
const BEFORE: Slot = Slot::MAX;

/// What an open element holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Text(SimpleId),
    Complex(ComplexId),
    Anything,
}

/// An open element.
struct Frame {
    element: ElementId,
    slot: Slot,
    holds: Holds,
    /// First of its counts in [`Run::counts`].
    counts: usize,
    /// Current particle of a flat sequence.
    at: Slot,
    /// How often the last `xs:any` has taken something.
    tail: u32,
    tag: Range<usize>,
    /// Length of the name behind the `<`.
    name: usize,
    /// How many of its name there are in its parent, this one included.
    index: u32,
    repeats: bool,
    /// Something in it is not empty.
    filled: bool,
    children: bool,
    text_told: bool,
    order_told: bool,
    want: WantId,
    node: u32,
}

/// Occurrences of one slot.
#[derive(Clone, Copy, Default)]
struct Count {
    seen: u32,
    /// One of them at least is not empty.
    filled: bool,
    /// An unknown element was probably meant to be this one, so it is not missing too.
    guessed: bool,
    /// Where the last one stands: start and length of its name.
    place: (usize, usize),
}

/// A field that some mode needs and that is not there.
struct Lacking {
    mode: Mode,
    element: ElementId,
    xpath: String,
    mark: Range<usize>,
}

struct Run<'v> {
    validator: &'v Validator,
    schema: &'v Schema,
    options: &'v CheckOptions<'v>,
    frames: Vec<Frame>,
    counts: Vec<Count>,
    /// Places in nested models, by depth.
    levels: Vec<Vec<Level>>,
    /// Text of the open leaf, and where it stands.
    text: String,
    text_at: Range<usize>,
    /// Depth inside an element that is not judged, and whether there is anything in it.
    skipping: u32,
    skipped_something: bool,
    seen: SeenList<'v>,
    lacking: Vec<Lacking>,
    raised: Vec<Raised>,
    /// More was found than may be listed.
    more: bool,
    /// Namespaces that were complained about once, and are taken for the right ones since.
    foreign: Vec<String>,
    root: Option<(String, String)>,
}

/// What became of a start tag.
#[derive(PartialEq, Eq)]
enum Step {
    Entered,
    Skip,
}

impl<'v> Run<'v> {
    fn new(validator: &'v Validator, options: &'v CheckOptions<'v>, text: &'v str) -> Self {
        Self {
            validator,
            schema: &validator.schema,
            options,
            frames: Vec::with_capacity(16),
            counts: Vec::with_capacity(256),
            levels: Vec::new(),
            text: String::new(),
            text_at: 0..0,
            skipping: 0,
            skipped_something: false,
            seen: SeenList::of(text),
            lacking: Vec::new(),
            raised: Vec::new(),
            more: false,
            foreign: Vec::new(),
            root: None,
        }
    }

    fn pass(&mut self, decoded: &Decoded<'_>, limits: &Limits) -> Result<(), XmlError> {
        let mut reader = Reader::new(decoded, limits);
        while let Some(event) = reader.next()? {
            if self.skipping > 0 {
                self.skip(&event);
                continue;
            }
            match event {
                Event::Start(tag) => {
                    if self.start(&tag) == Step::Skip {
                        self.skipping = 1;
                        self.skipped_something = false;
                    }
                }
                Event::End(tag) => self.end(tag.offset, tag.offset + tag.length),
                Event::Text(text) => self.take_text(text.text, text.offset..text.offset + text.length),
            }
        }
        Ok(())
    }

    /// Reads past an element that is not judged; its parent counts as filled if there is anything in it.
    fn skip(&mut self, event: &Event<'_, '_>) {
        match event {
            Event::Start(_) => self.skipping += 1,
            Event::End(_) => self.skipping -= 1,
            Event::Text(text) => self.skipped_something |= !crate::value::trimmed(text.text).is_empty(),
        }
        if self.skipping == 0
            && let Some(frame) = self.frames.last_mut()
        {
            frame.filled |= self.skipped_something;
        }
    }

    /// Opens an element that was accepted.
    fn open(&mut self, element: ElementId, slot: Slot, repeats: bool, tag: &Start<'_, '_>) {
        let end = tag.offset + tag.length;
        let declaration = self.schema.element(element);
        let parent = self.frames.last();
        let index = parent.and_then(|p| self.counts.get(p.counts + usize::from(slot))).map_or(1, |count| count.seen);
        let (mut want, mut parent_node) = (0, NO_NODE);
        match parent {
            Some(parent) if parent.want != 0 => {
                (want, parent_node) = (self.validator.wants.below(parent.want, slot), parent.node);
            }
            Some(_) => {}
            None => want = self.validator.wants.root(element),
        }
        if !self.cares(want) {
            want = 0;
        }
        let holds = match declaration.ty {
            Type::Simple(id) => Holds::Text(id),
            Type::Complex(id) => Holds::Complex(id),
            Type::Anything => Holds::Anything,
        };
        let counts = self.counts.len();
        if let Holds::Complex(id) = holds {
            let content = &self.schema.complex(id).content;
            self.counts.resize(counts + content.slots(), Count::default());
            if matches!(content, Content::Model(_)) {
                let depth = self.frames.len();
                self.levels.resize_with(self.levels.len().max(depth + 1), Vec::new);
                if let Some(levels) = self.levels.get_mut(depth) {
                    levels.clear();
                }
            }
        }
        let mut node = NO_NODE;
        if want != 0 {
            node = self.seen.list.len() as u32;
            let mark = tag.offset + 1..tag.offset + 1 + tag.name.len();
            let (mark, element, content) = (Span::from(mark), Span::from(tag.offset..end), Span::from(end..end));
            self.seen.list.push(Seen { index, repeats, ..Seen::new(want, parent_node, mark, element, content) });
        }
        self.text.clear();
        self.text_at = end..end;
        self.frames.push(Frame {
            element,
            slot,
            holds,
            counts,
            at: BEFORE,
            tail: 0,
            tag: tag.offset..end,
            name: tag.name.len(),
            index,
            repeats,
            filled: false,
            children: false,
            text_told: false,
            order_told: false,
            want,
            node,
        });
        self.attributes(tag);
    }

    /// Whether anybody looks at a wanted place in this check: by the letter of XSD, rules do not count.
    fn cares(&self, want: WantId) -> bool {
        !self.options.strict || self.validator.wants.get(want).beyond_rules
    }

    fn take_text(&mut self, text: &str, place: Range<usize>) {
        let Some(frame) = self.frames.last_mut() else { return };
        let takes = match frame.holds {
            Holds::Text(_) => true,
            Holds::Complex(id) => self.schema.complex(id).text.is_some(),
            Holds::Anything => {
                frame.filled |= !crate::value::trimmed(text).is_empty();
                return;
            }
        };
        if takes {
            if self.text.is_empty() {
                self.text_at = place;
            } else {
                self.text_at.end = place.end;
            }
            self.text.push_str(text);
            return;
        }
        if crate::value::trimmed(text).is_empty() {
            // By the letter, what is empty does not even hold blanks.
            let empty = |id| matches!(self.schema.complex(id).content, crate::schema::Content::Empty);
            if !(self.options.strict && matches!(frame.holds, Holds::Complex(id) if empty(id))) {
                return;
            }
        }
        frame.filled = true;
        if let Holds::Complex(id) = frame.holds
            && !self.schema.complex(id).mixed
            && !std::mem::replace(&mut frame.text_told, true)
        {
            self.stray_text(text, place);
        }
    }
}
