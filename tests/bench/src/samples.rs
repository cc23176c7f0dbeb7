//! Declarations of a wanted size, made from the bundled one of fifty items.

use anyhow::Context as _;
use kouan_goods_declaration::{receipts, renumbered, samples};

/// Items that make a declaration of about 10 KB.
pub const TEN_KB: usize = 12;

/// A declaration of its first `items` goods items.
///
/// # Errors
/// The bundled sample is not there, or has fewer.
pub fn declaration(items: usize) -> anyhow::Result<Vec<u8>> {
    const END: &str = "</DecList>";
    let all = samples();
    let sample = all.iter().find(|sample| sample.name == "fifty-items.xml").context("no sample of fifty items")?;
    let text = std::str::from_utf8(sample.document)?;
    let cut = text.match_indices(END).nth(items - 1).context("fewer items")?.0;
    let last = text.rfind(END).context("no items")?;
    Ok(format!("{}{}", &text[..cut], &text[last..]).into_bytes())
}

/// Client number of the message `n`.
pub fn number(n: usize) -> String {
    format!("BENCH{n:013}")
}

/// The declaration of about 10 KB, `count` times, each under its own number.
///
/// # Errors
/// As [`declaration`].
pub fn declarations(count: usize) -> anyhow::Result<Vec<Vec<u8>>> {
    let sample = declaration(TEN_KB)?;
    (0..count).map(|n| Ok(renumbered(&sample, &number(n))?)).collect()
}

/// The first receipt that a good message `n` gets.
///
/// # Errors
/// The bundled receipt is not there.
pub fn receipt(n: usize) -> anyhow::Result<Vec<u8>> {
    let all = receipts();
    let (_, bytes) = all.iter().find(|(name, _)| name.starts_with("Successed_")).context("no receipt")?;
    let text = std::str::from_utf8(bytes)?.replace("TEST202601120001", &number(n));
    Ok(text.replace("I20260000000000001", &format!("I2026{n:013}")).into_bytes())
}
