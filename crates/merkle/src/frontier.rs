//! What is enough to make a tree grow.

use kuriiri_types::Digest;

use crate::{SIZE_MAX, node, shape::fold};

/// A tree without what will not be needed to append to it: its perfect subtrees, from the largest
/// on the left to the smallest, one for each bit that is set in its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Digest>,
}

impl Frontier {
    /// That of the tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that was kept. Nothing when there are not as many nodes as a tree of this size has, or
    /// the size is above [`SIZE_MAX`]; whether they are the right ones only the root tells.
    pub fn from_parts(size: u64, nodes: Vec<Digest>) -> Option<Self> {
        let fits = size <= SIZE_MAX && nodes.len() == size.count_ones() as usize;
        fits.then_some(Self { size, nodes })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The perfect subtrees, the largest first.
    pub fn nodes(&self) -> &[Digest] {
        &self.nodes
    }

    /// Appends a leaf hash (see [`leaf`](crate::leaf)).
    pub fn push(&mut self, leaf: Digest) {
        let mut hash = leaf;
        // Each bit that the addition carries over is a pair of subtrees that becomes one.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                hash = node(&left, &hash);
            }
        }
        self.nodes.push(hash);
        self.size += 1;
    }

    /// The root of the tree (RFC 9162 §2.1.1).
    pub fn root(&self) -> Digest {
        fold(&self.nodes)
    }
}

impl FromIterator<Digest> for Frontier {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut frontier = Self::new();
        leaves.into_iter().for_each(|leaf| frontier.push(leaf));
        frontier
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{empty_root, leaf, testing::by_definition};

    #[test]
    fn it_has_the_root_of_the_definition_at_every_size() {
        let (mut frontier, mut leaves) = (Frontier::new(), Vec::new());
        assert_eq!(frontier.root(), empty_root());
        for index in 0..600_u64 {
            let leaf = leaf(&index.to_be_bytes());
            frontier.push(leaf);
            leaves.push(leaf);
            assert_eq!(frontier.size(), index + 1);
            assert_eq!(frontier.nodes().len(), (index + 1).count_ones() as usize);
            if index < 70 || index % 37 == 0 {
                assert_eq!(frontier.root(), by_definition(&leaves));
                assert_eq!(leaves.iter().copied().collect::<Frontier>(), frontier);
            }
        }
    }

    #[test]
    fn the_empty_tree_is_the_one_that_everybody_knows() {
        let known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Frontier::new().root().to_string(), known);
    }

    #[test]
    fn kept_parts_must_fit_the_size() {
        let node = leaf(b"");
        assert!(Frontier::from_parts(0, vec![]).is_some());
        assert!(Frontier::from_parts(5, vec![node; 2]).is_some());
        assert!(Frontier::from_parts(5, vec![node; 1]).is_none());
        assert!(Frontier::from_parts(5, vec![node; 3]).is_none());
        assert!(Frontier::from_parts(SIZE_MAX, vec![node; 63]).is_some());
        assert!(Frontier::from_parts(SIZE_MAX + 1, vec![node; 1]).is_none());
    }
}
