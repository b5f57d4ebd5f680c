//! From the text of an id to its position in a compiled file.

use std::cmp::Ordering;

use kuriiri_types::is_label_id;

use crate::error::Flaw;

/// All names of one kind, sorted for search without allocation.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    entries: Box<[Entry]>,
    fold: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    name: Box<str>,
    found: Found,
}

/// Where a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) index: u8,
    /// True for a name that is understood and no longer written.
    pub(crate) alias: bool,
}

impl Names {
    /// Names with their positions; `fold` makes ASCII letters of either case equal.
    pub(crate) fn new<'a>(
        names: impl Iterator<Item = (&'a str, u8, bool)>,
        fold: bool,
    ) -> Result<Self, Flaw> {
        let mut entries = Vec::new();
        for (name, index, alias) in names {
            if !is_label_id(name) {
                return Err(Flaw::NotAnId);
            }
            entries.push(Entry { name: name.into(), found: Found { index, alias } });
        }
        entries.sort_by(|a, b| order(&a.name, &b.name, fold));
        let twice = entries.array_windows().find_map(|[a, b]| {
            (order(&a.name, &b.name, fold) == Ordering::Equal).then(|| b.name.to_string())
        });
        match twice {
            Some(name) => Err(Flaw::Duplicate(name)),
            None => Ok(Self { entries: entries.into(), fold }),
        }
    }

    /// Every name with where it leads, sorted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Found)> {
        self.entries.iter().map(|entry| (&*entry.name, entry.found))
    }

    /// True when letters of either case are the same.
    pub(crate) fn folds(&self) -> bool {
        self.fold
    }

    pub(crate) fn find(&self, name: &str) -> Option<Found> {
        let place = self.entries.binary_search_by(|entry| order(&entry.name, name, self.fold));
        place.ok().and_then(|place| self.entries.get(place)).map(|entry| entry.found)
    }
}

fn order(a: &str, b: &str, fold: bool) -> Ordering {
    if fold {
        let left = a.bytes().map(|byte| byte.to_ascii_lowercase());
        left.cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
    } else {
        a.cmp(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_counts_unless_folded() {
        let names = [("TL3", 0, false), ("TL4", 1, true)];
        let exact = Names::new(names.into_iter(), false).unwrap();
        let folded = Names::new(names.into_iter(), true).unwrap();
        let alias = Some(Found { index: 1, alias: true });
        assert_eq!(exact.find("tl4"), None);
        assert_eq!(exact.find("TL4"), alias);
        assert_eq!(folded.find("tL4"), alias);
        assert_eq!(folded.find("TL"), None);
    }

    #[test]
    fn two_names_that_read_alike_are_refused() {
        let names = [("AMBER", 0, false), ("amber", 1, false)];
        assert!(Names::new(names.into_iter(), false).is_ok());
        assert!(Names::new(names.into_iter(), true).is_err());
        assert!(Names::new([("", 0, false)].into_iter(), false).is_err());
    }
}
