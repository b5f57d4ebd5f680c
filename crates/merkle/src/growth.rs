//! A tree while it grows: what it began with, and every node completed since.

use kuriiri_types::Digest;

use crate::{Frontier, Nodes, node, shape::fold};

/// A frontier, and everything appended to it in one go.
///
/// It holds each perfect node that was completed meanwhile, and those of the frontier; so it
/// answers for whatever a proof needs of the part that is new, before anything of it is stored. The
/// default begins with nothing, so it holds the whole tree.
#[derive(Debug, Clone, Default)]
pub struct Growth {
    base: u64,
    size: u64,
    levels: Vec<Level>,
}

/// The nodes of one level from the first that is held. That one is always a left child, because
/// when the frontier has a node here it is one, and else a left child is the next to be completed.
#[derive(Debug, Clone)]
struct Level {
    first: u64,
    nodes: Vec<Digest>,
}

/// A node that a [`Growth`] does not hold, because it was completed before, or is not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("node {index} of level {level} is not among those that are held")]
pub struct MissingNode {
    /// Its level.
    pub level: u8,
    /// Its index in the level.
    pub index: u64,
}

impl Growth {
    /// Begins where a tree ends.
    pub fn on(frontier: &Frontier) -> Self {
        let size = frontier.size();
        let mut smallest_first = frontier.nodes().iter().rev();
        let level = |level: u32| {
            let rest = size >> level;
            let has_node = rest & 1 == 1;
            let nodes = smallest_first.by_ref().take(usize::from(has_node)).copied().collect();
            Level { first: rest & !1, nodes }
        };
        let levels = (0..u64::BITS - size.leading_zeros()).map(level).collect();
        Self { base: size, size, levels }
    }

    /// Appends a leaf hash, and gives the index that it has from now on.
    pub fn push(&mut self, leaf: Digest) -> u64 {
        let index = self.size;
        let mut completed = Some(leaf);
        for level in &mut self.levels {
            let Some(hash) = completed else {
                break;
            };
            completed = level.put(hash);
        }
        if let Some(hash) = completed {
            self.levels.push(Level { first: 0, nodes: vec![hash] });
        }
        self.size += 1;
        index
    }

    /// How many leaves there were at first.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree as it is now.
    pub fn root(&self) -> Digest {
        fold(&self.perfect())
    }

    /// What to begin the next growth with.
    pub fn frontier(&self) -> Frontier {
        // One node for each bit that is set, so the parts fit.
        Frontier::from_parts(self.size, self.perfect()).unwrap_or_default()
    }

    /// A node that was completed here, or that the frontier began with.
    pub fn node(&self, level: u8, index: u64) -> Option<Digest> {
        let level = self.levels.get(usize::from(level))?;
        let at = usize::try_from(index.checked_sub(level.first)?).ok()?;
        level.nodes.get(at).copied()
    }

    /// The nodes of a level that are held, one after the other, and the index of the first. What
    /// tiles are made of without asking for one node at a time.
    pub fn held(&self, level: u8) -> (u64, &[Digest]) {
        let level = self.levels.get(usize::from(level));
        level.map_or((0, &[]), |level| (level.first, &level.nodes))
    }

    /// The perfect subtrees that stand side by side, the largest first.
    fn perfect(&self) -> Vec<Digest> {
        let set = (0_u8..64).rev().filter(|level| (self.size >> level) & 1 == 1);
        set.filter_map(|level| self.node(level, (self.size >> level) - 1)).collect()
    }
}

impl Level {
    /// Adds a node, and gives its parent when that is complete with it.
    fn put(&mut self, hash: Digest) -> Option<Digest> {
        let is_right = self.nodes.len() % 2 == 1;
        let left = self.nodes.last().filter(|_| is_right).copied();
        self.nodes.push(hash);
        left.map(|left| node(&left, &hash))
    }
}

impl Nodes for Growth {
    type Error = MissingNode;

    fn node(&self, level: u8, index: u64) -> Result<Digest, MissingNode> {
        self.node(level, index).ok_or(MissingNode { level, index })
    }
}

/// A whole tree of these leaf hashes.
impl FromIterator<Digest> for Growth {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| {
            tree.push(leaf);
        });
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{leaves, tree};

    #[test]
    fn it_grows_as_if_leaves_were_pushed_one_by_one() {
        for base in (0..70).chain([127, 128, 129, 255, 256, 257]) {
            let leaves = leaves(base + 70);
            let mut one_by_one = Frontier::new();
            let (old, new) = leaves.split_at(usize::try_from(base).unwrap());
            old.iter().for_each(|leaf| one_by_one.push(*leaf));
            let mut growth = Growth::on(&one_by_one);
            assert_eq!((growth.base(), growth.root()), (base, one_by_one.root()));
            for (index, leaf) in (base..).zip(new) {
                assert_eq!(growth.push(*leaf), index);
                one_by_one.push(*leaf);
                assert_eq!(growth.size(), index + 1);
                assert_eq!(growth.root(), one_by_one.root());
                assert_eq!(growth.frontier(), one_by_one);
            }
        }
    }

    #[test]
    fn it_holds_what_was_completed_and_what_it_began_with_and_nothing_else() {
        let whole = tree(700);
        for base in [0, 1, 2, 3, 7, 8, 255, 256, 300, 511, 512] {
            let frontier = tree(base).frontier();
            let mut growth = Growth::on(&frontier);
            leaves(700).iter().skip(usize::try_from(base).unwrap()).for_each(|leaf| {
                growth.push(*leaf);
            });
            for level in 0..12_u8 {
                let is_frontier = (base >> level) & 1 == 1;
                let first = (base >> level) - u64::from(is_frontier);
                let complete = 700 >> level;
                for index in 0..complete + 3 {
                    let expected = whole.node(level, index).filter(|_| index >= first);
                    assert_eq!(growth.node(level, index), expected, "{base} {level} {index}");
                    assert_eq!(expected.is_some(), (first..complete).contains(&index));
                }
                let (begins, held) = growth.held(level);
                assert_eq!(held.len() as u64, complete - first);
                assert!(held.is_empty() || begins == first);
            }
            assert_eq!(growth.node(64, 0), None);
            let missing = Nodes::node(&growth, 3, 99).unwrap_err();
            assert_eq!(missing, MissingNode { level: 3, index: 99 });
        }
    }
}
