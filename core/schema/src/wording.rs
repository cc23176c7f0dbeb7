//! What findings say.

/// The name nearest to `name`: equal but for case, or a few letters apart.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = name.to_lowercase();
    let allowed = match name.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let scored = names.filter(|n| *n != name).map(|n| (strsim::osa_distance(&lower, &n.to_lowercase()), n));
    scored.filter(|(distance, n)| *distance <= allowed && *distance < n.chars().count()).min().map(|(_, n)| n)
}
