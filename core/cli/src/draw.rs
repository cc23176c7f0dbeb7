//! Findings drawn under the line that they speak of.

use crate::lang::Lang;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use kouan_sdk::{Finding, Severity};
use kouan_xml::{Decoded, Encoding, Limits, decode};
use std::ops::Range;
use unicode_width::UnicodeWidthChar as _;

/// Places of a line shown before the mark, and from its beginning on. Longer lines are cut, for a message may be one line.
const BEFORE: usize = 40;
const AFTER: usize = 60;

/// Stands where a line was cut.
const CUT: &str = "…";

/// A document whose findings are drawn.
pub struct Source<'a> {
    file: &'a str,
    /// `None` if it cannot be decoded: findings then stand without their line.
    decoded: Option<Decoded<'a>>,
}

/// What is shown of a line.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    text: String,
    /// The mark, in bytes of `text`.
    mark: Range<usize>,
}

impl<'a> Source<'a> {
    /// `file` is its name for people.
    pub fn new(file: &'a str, document: &'a [u8]) -> Self {
        // What was too big to be checked is not too big to be shown.
        let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
        Self { file, decoded: decode(document, &limits).ok() }
    }

    /// One finding, with colours; who prints it drops them where they do not belong.
    pub fn draw(&self, finding: &Finding, lang: Lang) -> String {
        let (level, name) = match finding.severity {
            Severity::Error => (Level::ERROR, lang.pick("错误", "error")),
            Severity::Warning => (Level::WARNING, lang.pick("警告", "warning")),
            Severity::Info => (Level::INFO, lang.pick("提示", "info")),
        };
        let title = level.clone().with_name(name).primary_title(lang.pick(&finding.message_zh, &finding.message_en));
        // Lines are cut here already, around the mark.
        let renderer = Renderer::styled().term_width(BEFORE + AFTER + 80);
        let mut drawn = renderer.render(&[Group::with_title(title.id(&finding.rule))]);
        drawn.push('\n');
        drawn.push_str(&self.place(finding));
        let mut group = Group::with_level(level);
        let shown = self.shown(finding);
        if let Some(Shown { text, mark }) = &shown {
            let snippet = Snippet::source(text.as_str()).line_start(finding.line as usize);
            group = group.element(snippet.annotation(AnnotationKind::Primary.span(mark.clone())));
        }
        if !finding.xpath.is_empty() {
            group = group.element(Level::NOTE.with_name(lang.pick("路径", "path")).message(&finding.xpath));
        }
        let hint = lang.pick(&finding.hint_zh, &finding.hint_en);
        if !hint.is_empty() {
            group = group.element(Level::HELP.with_name(lang.pick("建议", "help")).message(hint));
        }
        if !group.is_empty() {
            drawn.push('\n');
            drawn.push_str(renderer.render(&[group]).trim_end_matches('\n'));
        }
        drawn
    }

    /// `  --> D1.xml:3:20`. Written here, not by the renderer: it would count the column in the line as it was cut.
    fn place(&self, finding: &Finding) -> String {
        let arrow = format!("\u{1b}[1m\u{1b}[94m{}-->\u{1b}[0m", " ".repeat(finding.line.max(1).ilog10() as usize + 1));
        match finding.line {
            0 => format!("{arrow} {}", self.file),
            line => format!("{arrow} {}:{line}:{}", self.file, finding.column),
        }
    }

    fn shown(&self, finding: &Finding) -> Option<Shown> {
        let decoded = self.decoded.as_ref().filter(|_| finding.line > 0)?;
        let text = decoded.text();
        let start = start(decoded, finding)?;
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find(['\r', '\n']).map_or(text.len(), |at| start + at);
        let end = (start + marked(decoded, finding)).min(line_end);
        let end = if text.is_char_boundary(end) { end } else { start };
        Some(cut(&text[line_start..line_end], start - line_start..end - line_start))
    }
}

/// Where the finding begins in the decoded text.
fn start(decoded: &Decoded<'_>, finding: &Finding) -> Option<usize> {
    let text = decoded.text();
    if decoded.encoding() == Encoding::Utf8 {
        let mark = decoded.original().len() - text.len();
        let at = usize::try_from(finding.offset).ok()?.checked_sub(mark)?;
        return text.is_char_boundary(at).then_some(at);
    }
    let mut line_start = 0;
    for _ in 1..finding.line {
        line_start += text.get(line_start..)?.find('\n')? + 1;
    }
    let line = text.get(line_start..)?;
    let column = (finding.column as usize).saturating_sub(1);
    line.char_indices().map(|(at, _)| at).chain([line.len()]).nth(column).map(|at| line_start + at)
}

/// How long the mark is in the decoded text; the finding counts original bytes.
fn marked(decoded: &Decoded<'_>, finding: &Finding) -> usize {
    let length = finding.length as usize;
    let decoder = match decoded.encoding() {
        Encoding::Utf8 => return length,
        Encoding::Gb18030 => encoding_rs::GB18030,
        Encoding::Utf16Le => encoding_rs::UTF_16LE,
        Encoding::Utf16Be => encoding_rs::UTF_16BE,
    };
    let from = usize::try_from(finding.offset).unwrap_or(usize::MAX);
    let bytes = decoded.original().get(from..).unwrap_or_default();
    decoder.decode_without_bom_handling(&bytes[..length.min(bytes.len())]).0.len()
}

/// `line` around `mark`; whole if it is short.
fn cut(line: &str, mark: Range<usize>) -> Shown {
    let (before, rest) = line.split_at(mark.start);
    let kept_before =
        before.char_indices().rev().scan(0, |width, (at, c)| within(width, c, BEFORE).then_some(at)).last();
    let from = kept_before.unwrap_or(before.len());
    let kept_rest =
        rest.char_indices().scan(0, |width, (at, c)| within(width, c, AFTER).then_some(at + c.len_utf8())).last();
    let until = mark.start + kept_rest.unwrap_or(0);
    let lead = if from > 0 { CUT } else { "" };
    let tail = if until < line.len() { CUT } else { "" };
    let moved = |at: usize| at.min(until) - from + lead.len();
    Shown { text: format!("{lead}{}{tail}", &line[from..until]), mark: moved(mark.start)..moved(mark.end) }
}

/// Adds the width of `c`; whether it still fits.
fn within(width: &mut usize, c: char, limit: usize) -> bool {
    *width += c.width().unwrap_or(1);
    *width <= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without colours.
    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    /// A finding on `needle` in `text`, as it stands in `document`, which is `text` in some encoding.
    fn finding(text: &str, document: &[u8], needle: &str, encode: fn(&str) -> Vec<u8>) -> Finding {
        let at = text.find(needle).unwrap();
        let offset = encode(&text[..at]).len();
        let encoded = encode(needle);
        assert_eq!(&document[offset..offset + encoded.len()], encoded);
        let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
        let mut finding = Finding::whole("DEC-TEST", Severity::Error, "毛重应大于净重", "gross is below net")
            .with_hint("核对两个重量", "compare the two weights");
        finding.line = text[..at].matches('\n').count() as u32 + 1;
        finding.column = text[line_start..at].chars().count() as u32 + 1;
        (finding.offset, finding.length) = (offset as u64, encoded.len() as u32);
        finding.xpath = "/DecMessage/DecHead/货".into();
        finding
    }

    fn utf8(text: &str) -> Vec<u8> {
        text.as_bytes().to_vec()
    }

    fn gbk(text: &str) -> Vec<u8> {
        encoding_rs::GBK.encode(text).0.into_owned()
    }

    const TEXT: &str =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A>\n\t<名称>红富士苹果</名称><净重>一百</净重>\r\n</A>\n";

    const DRAWN: &str = "\
错误[DEC-TEST]: 毛重应大于净重
 --> D1.xml:3:20
  |
3 |     <名称>红富士苹果</名称><净重>一百</净重>
  |                                  ^^^^
  |
  = 路径: /DecMessage/DecHead/货
  = 建议: 核对两个重量";

    #[test]
    fn the_mark_stands_under_double_width_characters() {
        let finding = finding(TEXT, TEXT.as_bytes(), "一百", utf8);
        assert_eq!(plain(&Source::new("D1.xml", TEXT.as_bytes()).draw(&finding, Lang::Zh)), DRAWN);
    }

    #[test]
    fn gbk_is_drawn_as_utf_8_is() {
        let text = TEXT.replace("UTF-8", "GBK");
        let document = gbk(&text);
        let finding = finding(&text, &document, "一百", gbk);
        assert_eq!(plain(&Source::new("D1.xml", &document).draw(&finding, Lang::Zh)), DRAWN);
    }

    #[test]
    fn a_document_of_one_line_is_cut_around_the_mark() {
        let text = format!("<A>{}<净重>一百</净重>{}</A>", "<货>富士</货>".repeat(9000), "<C>x</C>".repeat(9000));
        let finding = finding(&text, text.as_bytes(), "一百", utf8);
        let drawn = "\
error[DEC-TEST]: gross is below net
 --> D1.xml:1:81008
  |
1 | …士</货><货>富士</货><货>富士</货><净重>一百</净重><C>x</C><C>x</C><C>x</C><C>x</C><C>x</C><C>x</C><…
  |                                         ^^^^
  |
  = path: /DecMessage/DecHead/货
  = help: compare the two weights";
        assert_eq!(plain(&Source::new("D1.xml", text.as_bytes()).draw(&finding, Lang::En)), drawn);
    }

    #[test]
    fn a_finding_without_a_place_or_with_a_wrong_one_is_still_said() {
        let whole = Finding::whole("KOUAN-TEST", Severity::Warning, "无", "nothing to point at");
        let source = Source::new("D1.xml", b"<A/>");
        assert_eq!(plain(&source.draw(&whole, Lang::En)), "warning[KOUAN-TEST]: nothing to point at\n --> D1.xml");
        for (line, column, offset, length) in [(1, 1, 0, 900), (1, 5, 4, 1), (9, 9, 900, 1), (1, 2, u64::MAX, u32::MAX)]
        {
            for document in
                [&b"<A/>"[..], b"\xEF\xBB\xBF<A/>", b"<?xml version='1.0' encoding='GBK'?><A/>", b"\xFF\xFF", b""]
            {
                let wrong = Finding { line, column, offset, length, ..whole.clone() };
                assert!(Source::new("D1.xml", document).draw(&wrong, Lang::En).contains("nothing to point at"));
            }
        }
    }

    #[test]
    fn colours_are_there_for_a_terminal() {
        let whole = Finding::whole("KOUAN-TEST", Severity::Error, "无", "x");
        assert!(Source::new("D1.xml", b"<A/>").draw(&whole, Lang::En).contains('\u{1b}'));
    }
}
