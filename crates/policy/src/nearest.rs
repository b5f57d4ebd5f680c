//! What somebody probably meant who wrote a name that does not exist.

/// Suggestions for one unknown name.
const SUGGESTIONS_MAX: usize = 3;
/// Bytes of a name that are compared; longer ones are never near to anything.
const COMPARED_MAX: usize = 64;

/// The federation has no node of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no node is called `{name}`{}", suggestion(.nearest))]
pub struct UnknownNode {
    /// What was asked for.
    pub name: String,
    /// The ids that look like it, nearest first; empty when none does.
    pub nearest: Vec<String>,
}

fn suggestion(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    format!("; did you mean {}?", nearest.join(" or "))
}

/// Those of the known names that differ from this one in a third of its letters at most.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let allowed = (name.len() / 3).max(1);
    let mut near: Vec<(usize, &str)> = known
        .map(|known| (distance(name, known), known))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    near.sort_unstable();
    near.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name.to_owned()).collect()
}

/// How many letters have to be added, dropped or exchanged; case does not count.
fn distance(a: &str, b: &str) -> usize {
    let [a, b] = [a, b].map(str::to_lowercase);
    if a.len().max(b.len()) > COMPARED_MAX {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let exchanged = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = exchanged.min(*cell + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised() {
        let known = ["sm", "plm", "um", "hub", "arkisto"];
        assert_eq!(nearest("arksto", known.into_iter()), ["arkisto"]);
        assert_eq!(nearest("PLM", known.into_iter()), ["plm"]);
        assert_eq!(nearest("ministry", known.into_iter()), [""; 0]);
        assert_eq!((distance("", "ab"), distance("ab", ""), distance("abc", "axc")), (2, 2, 1));
    }
}
