//! The wanted places of a document, kept small: a large message has millions of them. They point into its text; a
//! value is copied only where it does not stand there as it is (references, blanks that were collapsed).

use crate::wants::WantId;
use std::ops::Range;

/// Longest document that is judged, whatever limit is given: places are kept in 32 bits, and the text of a document may
/// be half as long again as its bytes.
pub(super) const MOST_BYTES: usize = 1 << 30;

/// A range of the text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { start: narrow(range.start), end: narrow(range.end) }
    }
}

impl Span {
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Where a value is kept.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kept {
    /// There is none: an element of elements.
    Nothing,
    InText(Span),
    Copied(Span),
}

/// A wanted place that was seen.
pub(crate) struct Seen {
    pub(crate) want: WantId,
    pub(crate) parent: u32,
    pub(crate) index: u32,
    /// Where a mark goes: the value, or the name in the start tag.
    pub(crate) mark: Span,
    pub(crate) element: Span,
    pub(crate) content: Span,
    pub(super) value: Kept,
    pub(crate) repeats: bool,
    pub(crate) self_closing: bool,
    pub(crate) filled: bool,
}

impl Seen {
    /// A place that has just begun and holds nothing yet.
    pub(super) fn new(want: WantId, parent: u32, mark: Span, element: Span, content: Span) -> Self {
        let (value, repeats) = (Kept::Nothing, false);
        Self { want, parent, index: 1, mark, element, content, value, repeats, self_closing: false, filled: false }
    }
}

/// All of them, in document order, and what their values point into.
pub(crate) struct SeenList<'d> {
    pub(crate) list: Vec<Seen>,
    text: &'d str,
    copied: String,
}

impl<'d> SeenList<'d> {
    pub(super) fn of(text: &'d str) -> Self {
        Self { list: Vec::new(), text, copied: String::new() }
    }

    /// The value of a text.
    pub(crate) fn value(&self, seen: &Seen) -> Option<&str> {
        match seen.value {
            Kept::Nothing => None,
            Kept::InText(span) => self.text.get(span.range()),
            Kept::Copied(span) => self.copied.get(span.range()),
        }
    }

    /// Gives the place at `at` its value, which stands within `place` of the text.
    pub(super) fn keep(&mut self, at: u32, value: &str, place: Range<usize>) {
        let Some(seen) = self.list.get_mut(at as usize) else { return };
        let raw = self.text.get(place.clone()).unwrap_or("");
        let blanks = if raw.len() == value.len() { 0 } else { raw.len() - raw.trim_ascii_start().len() };
        seen.value = if raw.get(blanks..).is_some_and(|rest| rest.starts_with(value)) {
            let start = place.start + blanks;
            Kept::InText(Span::from(start..start + value.len()))
        } else {
            let start = self.copied.len();
            self.copied.push_str(value);
            Kept::Copied(Span::from(start..self.copied.len()))
        };
    }
}
