//! The nearest known name, for messages that say "did you mean".

/// The known name nearest to `found`, if it is near enough to be a slip: similarity (Damerau-Levenshtein over the
/// longer length) of at least 0.5, or one is the start of the other. Case, `_` and `-` do not count.
pub fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |s: &str| s.chars().take(64).collect::<String>().to_lowercase().replace('_', "-");
    let found = plain(found);
    let score = |name: &str| {
        let name = plain(name);
        let start = found.len() >= 2 && (name.starts_with(&found) || found.starts_with(&name));
        strsim::normalized_damerau_levenshtein(&found, &name).max(if start { 0.6 } else { 0.0 })
    };
    known
        .iter()
        .map(|name| (score(name), *name))
        .filter(|(s, _)| *s >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, n)| n)
}

/// What to do about an unknown name: "Did you mean `blocks`?" followed by the known ones.
pub fn hint(found: &str, known: &[&str]) -> String {
    let known_text = format!("Known: {}", known.join(", "));
    match nearest(found, known) {
        Some(name) => format!("Did you mean `{name}`? {known_text}"),
        None => known_text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_name_and_strangers_do_not() {
        let known = ["blocks", "bins", "bound", "hidden", "two-moons", "learn_nu"];
        for (found, want) in [
            ("block", "blocks"),
            ("bloks", "blocks"),
            ("hiden", "hidden"),
            ("two_moons", "two-moons"),
            ("learn-nu", "learn_nu"),
            ("TWO-MOON", "two-moons"),
        ] {
            assert_eq!(nearest(found, &known), Some(want), "{found}");
        }
        assert_eq!(nearest("zzzzzz", &known), None);
        assert_eq!(nearest("", &known), None);
        assert!(hint("block", &known).starts_with("Did you mean `blocks`?"));
        assert!(hint(&"é".repeat(1 << 20), &known).starts_with("Known: "));
    }
}
