//! File names: which are safe, how claims and clashes are written.

/// Longest name taken, in bytes: receipts add a word, two underlines and 23 digits to the stem
/// (`domain/goods-declaration.md` §3.3), and a file system ends at 255.
pub(crate) const MAX_NAME: usize = 200;

/// One plain name: no separator of any system, no control character, not `.` or `..`, not too long.
pub(crate) fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name != "."
        && name != ".."
        && !name.chars().any(|c| c.is_control() || c == '/' || c == '\\')
}

/// A safe name as near to `name` as can be.
pub(crate) fn made_safe(name: &str) -> String {
    let clean = |c: char| if c.is_control() || c == '/' || c == '\\' { '_' } else { c };
    let (stem, extension) = split(name);
    let mut out: String = stem.chars().map(clean).collect();
    let end =
        format!("{}{}", if extension.is_empty() { "" } else { "." }, extension.chars().map(clean).collect::<String>());
    let room = MAX_NAME.saturating_sub(end.len().min(20));
    while out.len() > room {
        out.pop();
    }
    let whole = if end.len() <= 20 { out + &end } else { out };
    if is_safe(&whole) { whole } else { "refused".into() }
}

/// Stem and extension, without the dot.
pub(crate) fn split(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, extension),
        _ => (name, ""),
    }
}

/// Whether a writer is not done with it, or it is nobody's business.
pub(crate) fn is_ignored(name: &str) -> bool {
    let (_, extension) = split(name);
    name.starts_with('.') || extension.eq_ignore_ascii_case("tmp") || extension.eq_ignore_ascii_case("temp")
}

/// `name` for `n` = 1; else a number before the extension, for names that clash.
pub(crate) fn numbered(name: &str, n: u32) -> String {
    match (n, split(name)) {
        (1, _) => name.to_owned(),
        (_, (stem, "")) => format!("{stem}_{n}"),
        (_, (stem, extension)) => format!("{stem}_{n}.{extension}"),
    }
}

/// The name of a claimed file in TempBox.
pub(crate) fn claimed(claim: u64, name: &str) -> String {
    format!("{claim}__{name}")
}

/// Claim number and original name of a file in TempBox, if it is a claim.
pub(crate) fn read_claimed(name: &str) -> Option<(u64, &str)> {
    let (number, rest) = name.split_once("__")?;
    let claim: u64 = number.parse().ok()?;
    (claimed(claim, rest) == name && is_safe(rest)).then_some((claim, rest))
}

/// Names the verdict of a message.
pub(crate) fn report(name: &str) -> String {
    format!("{}.json", split(name).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_as_written() {
        for name in ["a.xml", "a__b.zip", "报关单 1.xml", "__.xml"] {
            assert_eq!(read_claimed(&claimed(7, name)), Some((7, name)));
        }
        for strange in ["a.xml", "07__a.xml", "+7__a.xml", "7_a.xml", "7__", "__a.xml"] {
            assert_eq!(read_claimed(strange), None, "{strange}");
        }
    }

    #[test]
    fn unsafe_names_become_safe() {
        let long = "长".repeat(90) + ".xml";
        for name in ["a\nb.xml", "a\\b.xml", "..", "", &long, "\u{7f}", "x.\u{1}", &"e".repeat(300)] {
            assert!(!is_safe(name), "{name:?}");
            assert!(is_safe(&made_safe(name)), "{name:?}");
        }
        assert!(made_safe(&long).ends_with(".xml"));
    }

    #[test]
    fn clashes_are_numbered_before_the_extension() {
        assert_eq!(numbered("a.b.xml", 1), "a.b.xml");
        assert_eq!(numbered("a.b.xml", 2), "a.b_2.xml");
        assert_eq!(numbered("a", 3), "a_3");
    }
}
