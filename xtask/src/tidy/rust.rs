//! Rust sources, read just far enough: code without comments and without what stands in quotes.

/// `source` with comments and the contents of literals blanked; every line break stays, so lines still count.
pub fn code(source: &str) -> String {
    let mut rest = source;
    let mut out = String::with_capacity(source.len());
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, previous) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_char_literal(rest) {
            quoted(rest, '\'')
        } else {
            out.push(first);
            previous = first;
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        previous = ' ';
        rest = &rest[length..];
    }
    out
}

/// The part of a file before its tests.
pub fn before_tests(source: &str) -> &str {
    source.split("#[cfg(test)]").next().unwrap_or(source)
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of `r"…"`, `r#"…"#`, `br"…"` at the beginning of `text`, if one stands there.
fn raw_string(text: &str, previous: char) -> Option<usize> {
    if previous.is_alphanumeric() || previous == '_' {
        return None;
    }
    let body = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inner = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let close = inner.find(&end).map_or(inner.len(), |at| at + end.len());
    Some(text.len() - inner.len() + close)
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn is_char_literal(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    matches!((chars.next(), chars.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

/// Whether `word` stands in `line` as a whole word.
pub fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(is_part)
            && !line[at + word.len()..].chars().next().is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_left() {
        let source = "a(); // unsafe\n/* unsafe /* deep */ unsafe */ b(\"unsafe \\\" unsafe\", 'u', '\\'');\n\
                      fn c<'u>(x: &'u str) { r#\"unsafe \" unsafe\"#; br\"unsafe\"; unsafe {} }\n";
        let code = code(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(code.matches("unsafe").count(), 1, "{code}");
        assert!(code.contains("fn c<'u>(x: &'u str)"));
    }

    #[test]
    fn an_unclosed_literal_ends_with_the_file() {
        for source in ["\"", "r#\"", "/*", "'\\", "b\"x", "'"] {
            code(source);
        }
    }

    #[test]
    fn a_word_is_whole() {
        assert!(has_word("unsafe {", "unsafe"));
        assert!(!has_word("unsafe_code", "unsafe"));
        assert!(!has_word("forbid_unsafe", "unsafe"));
        assert!(has_word("x_unsafe unsafe", "unsafe"));
    }
}
