//! Things found by a key: mostly few, and then without any search tree, but found as fast when somebody
//! made many of them.

use std::{collections::HashMap, hash::Hash};

/// So many are looked through one by one.
const FEW: usize = 16;

/// Things in the order in which they were added, each once for its key.
#[derive(Debug)]
pub(crate) struct Few<K, T> {
    all: Vec<(K, T)>,
    /// Where each is, once they are many.
    places: HashMap<K, usize>,
}

impl<K: Eq + Hash + Copy, T> Few<K, T> {
    pub(crate) fn new() -> Self {
        Self { all: Vec::new(), places: HashMap::new() }
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        self.place(key).and_then(|place| self.all.get(place)).map(|(_, thing)| thing)
    }

    /// The thing with this key, which is made if there is none.
    pub(crate) fn get_or_add(&mut self, key: K, make: impl FnOnce() -> T) -> &mut T {
        let place = self.place(key).unwrap_or_else(|| {
            self.all.push((key, make()));
            self.index();
            self.all.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found there or has just been added")]
        &mut self.all[place].1
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter().map(|(_, thing)| thing)
    }

    fn place(&self, key: K) -> Option<usize> {
        if self.all.len() > FEW {
            return self.places.get(&key).copied();
        }
        self.all.iter().position(|(known, _)| *known == key)
    }

    /// Notes where the last one is; and where all are, when they have just become many.
    fn index(&mut self) {
        let noted = if self.all.len() == FEW + 1 { 0 } else { self.all.len().saturating_sub(1) };
        if self.all.len() > FEW {
            let fresh = self.all.iter().enumerate().skip(noted);
            self.places.extend(fresh.map(|(place, (key, _))| (*key, place)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_whether_they_are_few_or_many() {
        for count in [1, FEW, FEW + 1, FEW + 2, 1000] {
            let mut few = Few::new();
            for _ in 0..2 {
                (0..count).for_each(|key| *few.get_or_add(key, || 0) += key);
            }
            assert!((0..count).all(|key| few.get(key) == Some(&(2 * key))), "{count}");
            assert_eq!((few.get(count), few.iter().count(), few.is_empty()), (None, count, false));
        }
    }
}
