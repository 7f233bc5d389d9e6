//! The known word that a mistyped one was probably meant to be. Pure: no I/O, no clock.

/// The word of `known` that differs least from `typed`, if it differs little enough
/// to be worth suggesting: by a third of its letters at most.
pub(crate) fn nearest<'k>(typed: &str, known: &[&'k str]) -> Option<&'k str> {
    // Longer texts are no typing mistakes, and the cost grows with the square.
    if typed.len() > 40 {
        return None;
    }
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    let scored = known.iter().map(|word| (distance(&typed, word), *word));
    let (distance, word) = scored.min()?;
    (distance <= word.len().div_ceil(3)).then_some(word)
}

/// Letters inserted, deleted, replaced or swapped with their neighbour (optimal
/// string alignment).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    let mut last: Option<char> = None;
    for (at, c) in one.chars().enumerate() {
        let mut next = vec![at + 1];
        for (column, o) in other.iter().enumerate() {
            let cell =
                |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let replaced = cell(&row, column) + usize::from(c != *o);
            let deleted = cell(&row, column + 1) + 1;
            let inserted = cell(&next, column) + 1;
            let mut best = replaced.min(deleted).min(inserted);
            let left = column.checked_sub(1).and_then(|left| other.get(left));
            if last == Some(*o) && left == Some(&c) {
                best = best.min(cell(&before, column.saturating_sub(1)) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(c);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("tennant", "tenant", 1),
            ("clinet_id", "client_id", 1),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["tenant", "client_id", "client_secret", "base"];
        assert_eq!(nearest("tennant", &known), Some("tenant"));
        assert_eq!(nearest("Client-ID", &known), Some("client_id"));
        assert_eq!(nearest("clientsecret", &known), Some("client_secret"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("x", &[]), None);
        assert_eq!(nearest(&"x".repeat(1000), &known), None);
    }
}
