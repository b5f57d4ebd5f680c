//! All cases.

use crate::{
    answers, batches, case::Case, error::ProvokeError, floods, frames, identity, pace, paths,
    seals, statements, takers, witnesses,
};

/// All cases, in the order of their numbers.
pub fn cases() -> Vec<Case> {
    let families = [
        frames::CASES,
        batches::CASES,
        statements::CASES,
        witnesses::CASES,
        floods::CASES,
        pace::CASES,
        identity::CASES,
        paths::CASES,
        seals::CASES,
        answers::CASES,
        takers::CASES,
    ];
    families.concat()
}

/// The cases with these numbers, in the order of the numbers; all when none is given.
///
/// # Errors
/// When there is no such case.
pub fn chosen(numbers: &[u16]) -> Result<Vec<Case>, ProvokeError> {
    let all = cases();
    if let Some(unknown) = numbers.iter().find(|n| all.iter().all(|case| case.number != **n)) {
        return Err(ProvokeError::NoCase(*unknown));
    }
    let is_chosen = |case: &Case| numbers.is_empty() || numbers.contains(&case.number);
    Ok(all.into_iter().filter(is_chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_everything_is_said() {
        let all = cases();
        assert!(all.is_sorted_by(|a, b| a.number < b.number));
        for case in all {
            assert!(case.number >= 100 && !case.title.is_empty() && !case.demands.is_empty());
        }
        assert!(matches!(chosen(&[9999]), Err(ProvokeError::NoCase(9999))));
        assert_eq!(chosen(&[101]).unwrap().len(), 1);
    }
}
