//! "Did you mean": the nearest known name.

/// The name among `known` that `given` most likely stands for; `None` if nothing is near.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = given.to_lowercase().replace('_', "-");
    let scored = known.into_iter().map(|name| {
        let distance = strsim::osa_distance(&lower, &name.to_lowercase().replace('_', "-"));
        (distance, name)
    });
    let limit = (given.chars().count() / 3).max(1);
    scored.filter(|(distance, _)| *distance <= limit).min().map(|(_, name)| name)
}

/// `; did you mean "x"?` or nothing.
pub(crate) fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default()
}

/// `a, b, c`, or `none`.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = names.into_iter().collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_near_name_and_only_that() {
        let known = ["directory", "embedded", "rabbitmq"];
        assert_eq!(nearest("direktory", known), Some("directory"));
        assert_eq!(nearest("Rabbit_MQ", known), Some("rabbitmq"));
        assert_eq!(nearest("kafka", known), None);
        assert_eq!(nearest("", known), None);
    }
}
