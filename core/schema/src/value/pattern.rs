//! `xs:pattern`: XSD's regular expressions, translated to the regex crate's, and a table walk for the simple ones.

use regex::Regex;

/// A compiled pattern; matches whole values.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// As the schema writes it.
    pub(crate) source: Box<str>,
    /// For ASCII values, when every item but the last has a fixed count.
    simple: Option<Vec<Item>>,
    regex: Regex,
}

impl Pattern {
    /// Compiles; the error says what is not understood.
    pub(crate) fn compile(source: &str) -> Result<Self, String> {
        let translated = translate(source)?;
        // The regex crate's own text draws the translated pattern; its last line says what is wrong.
        let regex = Regex::new(&translated)
            .map_err(|e| e.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())?;
        Ok(Self { source: source.into(), simple: simple(source), regex })
    }

    /// Whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match &self.simple {
            Some(items) if text.is_ascii() => walk(items, text.as_bytes()),
            _ => self.regex.is_match(text),
        }
    }
}

/// A set of ASCII characters and how often one may come.
#[derive(Debug, Clone, Copy)]
struct Item {
    set: u128,
    min: usize,
    max: usize,
}

fn walk(items: &[Item], mut text: &[u8]) -> bool {
    for item in items {
        let fits = |b: &&u8| item.set & (1_u128 << (**b & 127)) != 0;
        let count = text.iter().take(item.max).take_while(fits).count();
        if count < item.min {
            return false;
        }
        text = text.get(count..).unwrap_or(&[]);
    }
    text.is_empty()
}

/// Reads a pattern that is a row of single characters and plain classes; `None` if it is anything more.
fn simple(source: &str) -> Option<Vec<Item>> {
    let bytes = source.as_bytes();
    let mut items: Vec<Item> = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        let set = match byte {
            b'[' => plain_class(bytes, &mut at)?,
            b'\\' => {
                at += 1;
                escaped_set(*bytes.get(at - 1)?)?
            }
            b'.' | b'(' | b')' | b'|' | b'*' | b'+' | b'?' | b'{' | b'}' | b']' => return None,
            b if b.is_ascii() => 1 << b,
            _ => return None,
        };
        let (min, max) = quantity(source, &mut at)?;
        items.push(Item { set, min, max });
    }
    let (_, fixed) = items.split_last()?;
    fixed.iter().all(|item| item.min == item.max).then_some(items)
}

fn escaped_set(byte: u8) -> Option<u128> {
    match byte {
        b'd' => Some(range_set(b'0', b'9')),
        b'n' => Some(1 << b'\n'),
        b'r' => Some(1 << b'\r'),
        b't' => Some(1 << b'\t'),
        b's' => Some(1 << b' ' | 1 << b'\n' | 1 << b'\r' | 1 << b'\t'),
        b if b.is_ascii_punctuation() => Some(1 << b),
        _ => None,
    }
}

fn range_set(low: u8, high: u8) -> u128 {
    (low..=high).fold(0, |set, b| set | 1_u128 << (b & 127))
}

fn plain_class(bytes: &[u8], at: &mut usize) -> Option<u128> {
    let mut set = 0;
    if bytes.get(*at) == Some(&b'^') {
        return None;
    }
    loop {
        let low = *bytes.get(*at)?;
        *at += 1;
        match low {
            b']' => return (set != 0).then_some(set),
            b'\\' => {
                set |= escaped_set(*bytes.get(*at)?)?;
                *at += 1;
            }
            b'[' => return None,
            b if !b.is_ascii() => return None,
            b if bytes.get(*at) == Some(&b'-') && bytes.get(*at + 1).is_some_and(|h| !b"]\\[".contains(h)) => {
                let high = *bytes.get(*at + 1)?;
                if !high.is_ascii() || high < b {
                    return None;
                }
                set |= range_set(b, high);
                *at += 2;
            }
            b => set |= 1 << b,
        }
    }
}

fn quantity(source: &str, at: &mut usize) -> Option<(usize, usize)> {
    let rest = source.get(*at..)?;
    let (taken, range) = match rest.as_bytes().first() {
        Some(b'?') => (1, (0, 1)),
        Some(b'*') => (1, (0, usize::MAX)),
        Some(b'+') => (1, (1, usize::MAX)),
        Some(b'{') => {
            let end = rest.find('}')?;
            let inside = rest.get(1..end)?;
            let range = match inside.split_once(',') {
                None => (inside.parse().ok()?, inside.parse().ok()?),
                Some((min, "")) => (min.parse().ok()?, usize::MAX),
                Some((min, max)) => (min.parse().ok()?, max.parse().ok()?),
            };
            (end + 1, range)
        }
        _ => (0, (1, 1)),
    };
    *at += taken;
    (range.0 <= range.1).then_some(range)
}

const NAME_START: &str = r"_:A-Za-z\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{2FF}\x{370}-\x{37D}\x{37F}-\x{1FFF}\x{200C}-\x{200D}\x{2070}-\x{218F}\x{2C00}-\x{2FEF}\x{3001}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFFD}\x{10000}-\x{EFFFF}";
const NAME_MORE: &str = r"\-.0-9\x{B7}\x{300}-\x{36F}\x{203F}-\x{2040}";

/// Translates an XSD pattern into one anchored regex.
fn translate(source: &str) -> Result<String, String> {
    let mut reader = Reader { chars: source.chars().collect(), at: 0 };
    let mut out = String::with_capacity(source.len() + 8);
    out.push_str("^(?:");
    let mut depth = 0_usize;
    // Whether a quantifier may follow, that is, the last thing was an atom.
    let mut atom = false;
    while let Some(c) = reader.next() {
        match c {
            '[' => {
                out.push_str(&reader.class()?);
                atom = true;
            }
            '\\' => {
                out.push_str(&reader.escape()?);
                atom = true;
            }
            '(' => {
                depth += 1;
                out.push_str("(?:");
                atom = false;
            }
            ')' => {
                depth = depth.checked_sub(1).ok_or("a ) without its (")?;
                out.push(')');
                atom = true;
            }
            '|' => {
                out.push('|');
                atom = false;
            }
            '*' | '+' | '?' | '{' => {
                if !atom {
                    return Err(format!("a quantifier {c} with nothing before it"));
                }
                out.push(c);
                if c == '{' {
                    out.push_str(&reader.counts()?);
                }
                atom = false;
            }
            '.' => {
                out.push_str(r"[^\n\r]");
                atom = true;
            }
            ']' | '}' => return Err(format!("a {c} that must be written \\{c}")),
            c => {
                out.push_str(&literal(c));
                atom = true;
            }
        }
    }
    if depth > 0 {
        return Err("a ( without its )".to_owned());
    }
    out.push_str(")$");
    Ok(out)
}

fn literal(c: char) -> String {
    if c.is_ascii_alphanumeric() || !c.is_ascii() { c.to_string() } else { format!("\\x{{{:X}}}", c as u32) }
}

struct Reader {
    chars: Vec<char>,
    at: usize,
}

impl Reader {
    fn next(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        Some(c)
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    /// The rest of `{n}`, `{n,}`, `{n,m}`.
    fn counts(&mut self) -> Result<String, String> {
        let mut out = String::new();
        loop {
            match self.next() {
                Some('}') if !out.is_empty() && !out.starts_with(',') => {
                    out.push('}');
                    return Ok(out);
                }
                Some(c) if c.is_ascii_digit() || (c == ',' && !out.contains(',')) => out.push(c),
                _ => return Err("a quantifier in braces that is not {n}, {n,} or {n,m}".to_owned()),
            }
        }
    }

    /// What follows a backslash, as an atom that also stands inside a class.
    fn escape(&mut self) -> Result<String, String> {
        let c = self.next().ok_or("a \\ at the end")?;
        Ok(match c {
            'n' | 'r' | 't' => format!("\\{c}"),
            'd' | 'D' => format!("\\{c}"),
            's' => r"[ \t\n\r]".to_owned(),
            'S' => r"[^ \t\n\r]".to_owned(),
            'w' => r"[^\p{P}\p{Z}\p{C}]".to_owned(),
            'W' => r"[\p{P}\p{Z}\p{C}]".to_owned(),
            'i' => format!("[{NAME_START}]"),
            'I' => format!("[^{NAME_START}]"),
            'c' => format!("[{NAME_START}{NAME_MORE}]"),
            'C' => format!("[^{NAME_START}{NAME_MORE}]"),
            'p' | 'P' => self.property(c == 'P')?,
            '\\' | '|' | '.' | '-' | '^' | '?' | '*' | '+' | '{' | '}' | '(' | ')' | '[' | ']' => literal(c),
            other => return Err(format!("the escape \\{other}")),
        })
    }

    fn property(&mut self, negated: bool) -> Result<String, String> {
        if self.next() != Some('{') {
            return Err("a \\p without {…}".to_owned());
        }
        let mut name = String::new();
        loop {
            match self.next() {
                Some('}') => break,
                Some(c) => name.push(c),
                None => return Err("a \\p{ without its }".to_owned()),
            }
        }
        let not = if negated { "^" } else { "" };
        if let Some(block) = name.strip_prefix("Is") {
            let range = block_range(block).ok_or_else(|| format!("the block \\p{{{name}}}"))?;
            return Ok(format!("[{not}{range}]"));
        }
        if name.is_empty() || name.len() > 2 {
            return Err(format!("the category \\p{{{name}}}"));
        }
        Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }))
    }

    /// A class after its `[`, subtraction included.
    fn class(&mut self) -> Result<String, String> {
        let mut out = String::from("[");
        if self.peek(0) == Some('^') {
            self.at += 1;
            out.push('^');
        }
        let mut empty = true;
        loop {
            let c = self.next().ok_or("a [ without its ]")?;
            match c {
                ']' if empty => return Err("an empty class []".to_owned()),
                ']' => {
                    out.push(']');
                    return Ok(out);
                }
                '-' if self.peek(0) == Some('[') && !empty => {
                    self.at += 1;
                    let minus = self.class()?;
                    if self.next() != Some(']') {
                        return Err("something after a class subtraction".to_owned());
                    }
                    return Ok(format!("[{out}]--{minus}]"));
                }
                '[' => return Err("a [ inside a class that must be written \\[".to_owned()),
                '\\' => {
                    let single = self.peek(0).is_some_and(|c| !"dDsSwWiIcCpP".contains(c));
                    let low = self.escape()?;
                    let range = single && self.peek(0) == Some('-') && !matches!(self.peek(1), Some('[' | ']') | None);
                    out.push_str(&low);
                    if range {
                        self.range_end(&mut out)?;
                    }
                }
                c => {
                    let range = self.peek(0) == Some('-') && !matches!(self.peek(1), Some('[' | ']') | None);
                    out.push_str(&literal(c));
                    if range {
                        self.range_end(&mut out)?;
                    }
                }
            }
            empty = false;
        }
    }

    fn range_end(&mut self, out: &mut String) -> Result<(), String> {
        self.at += 1;
        out.push('-');
        match self.next() {
            Some('\\') => {
                if self.peek(0).is_some_and(|c| "dDsSwWiIcCpP".contains(c)) {
                    return Err("a range that ends in a class".to_owned());
                }
                out.push_str(&self.escape()?);
            }
            Some(c) => out.push_str(&literal(c)),
            None => return Err("a range without its end".to_owned()),
        }
        Ok(())
    }
}

/// Blocks that Chinese schemas use; any other is refused.
fn block_range(name: &str) -> Option<&'static str> {
    Some(match name {
        "BasicLatin" => r"\x00-\x7F",
        "Latin-1Supplement" => r"\x{80}-\x{FF}",
        "LatinExtended-A" => r"\x{100}-\x{17F}",
        "Greek" => r"\x{370}-\x{3FF}",
        "Cyrillic" => r"\x{400}-\x{4FF}",
        "GeneralPunctuation" => r"\x{2000}-\x{206F}",
        "CJKSymbolsandPunctuation" => r"\x{3000}-\x{303F}",
        "CJKUnifiedIdeographsExtensionA" => r"\x{3400}-\x{4DB5}",
        "CJKUnifiedIdeographs" => r"\x{4E00}-\x{9FFF}",
        "CJKCompatibilityIdeographs" => r"\x{F900}-\x{FAFF}",
        "HalfwidthandFullwidthForms" => r"\x{FF00}-\x{FFEF}",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(source: &str, good: &[&str], bad: &[&str]) {
        let pattern = Pattern::compile(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        for text in good {
            assert!(pattern.matches(text), "{source} should match {text:?}");
        }
        for text in bad {
            assert!(!pattern.matches(text), "{source} should not match {text:?}");
        }
    }

    #[test]
    fn matches_whole_values() {
        check("[0-9]{8}", &["20260112"], &["2026011", "202601122", "2026011a", "２０２６０１１２", "20260112\n"]);
        check("[A-Z]{3}[0-9]*", &["HKG000", "HKG"], &["HK0", "HKGx"]);
        check("a|bc", &["a", "bc"], &["abc", "ab", "c"]);
        check("(a|b)+c?", &["ab", "abc"], &["", "c"]);
        check(r"\d{2}", &["12", "１２"], &["1", "ab"]);
    }

    #[test]
    fn knows_what_xsd_writes_differently() {
        check("^a$", &["^a$"], &["a"]);
        check(r"[a-z-[aeiou]]+", &["xyz"], &["xa"]);
        check(r"[^a-z-[0-9]]", &["A"], &["a", "5"]);
        check(r"\i\c*", &["_a-1", "名1"], &["1a", "-"]);
        check(".", &["a", "岸"], &["\n", "\r", "ab"]);
        check(r"[\[\]\-&~]+", &["[]-&~"], &["a"]);
        check(r"[&&~~]", &["&", "~"], &["&&"]);
        check(r"[+-]?\d", &["+1", "-1", "1"], &["--1"]);
        check(r"\p{IsCJKUnifiedIdeographs}+", &["口岸"], &["A"]);
        check(r"[\p{Lu}\s]+", &["A B"], &["ab"]);
        check(r"\w+", &["a1岸"], &["a b", "a-b"]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for bad in ["(", ")", "[", "a**", "*a", "a{,2}", "a{x}", r"\q", r"\p{IsTibetan}", "[]", "[z-a]", "]", r"a\"] {
            assert!(Pattern::compile(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_walk_agrees_with_the_regex(
            source in "([a-c]|\\[[a-c]-[d-f]\\]|\\[xyz\\]|\\\\d){1,3}(\\{[1-2]\\}|\\{1,3\\}|[?*+])?",
            text in "[a-fxyz0-3]{0,6}",
        ) {
            let pattern = Pattern::compile(&source).unwrap();
            prop_assert_eq!(pattern.matches(&text), pattern.regex.is_match(&text));
        }

        #[test]
        fn compiling_never_panics(source in "[-a-c0-2\\\\\\[\\](){}*+?.,|^$pdIs]{0,12}") {
            let _ = Pattern::compile(&source);
        }
    }
}
