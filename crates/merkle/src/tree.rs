//! A whole tree that is held in memory.

use kuriiri_types::Digest;

use crate::{Growth, MissingNode, Nodes, inclusion, inclusions, prove_many};

/// A tree with all its leaves and every perfect subtree over them: a batch that is signed, the
/// hashes of one tile. It takes 64 bytes for each leaf.
///
/// ```
/// use kuriiri_merkle::{Tree, leaf, open_many, root_from_inclusion};
///
/// let tree: Tree = ["one", "two", "three"].map(|text| leaf(text.as_bytes())).into_iter().collect();
/// let path = tree.path(1).unwrap_or_default();
/// assert_eq!(root_from_inclusion(leaf(b"two"), 1, 3, &path), Some(tree.root()));
///
/// // Whoever gets the first and the third only gets one proof for both.
/// let present = [(0, leaf(b"one")), (2, leaf(b"three"))];
/// let proof = tree.prove(&[0, 2]).unwrap_or_default();
/// let opened = open_many(&present, 3, &proof);
/// assert_eq!(opened.map(|opened| opened.root()), Some(tree.root()));
/// ```
#[derive(Debug, Clone)]
pub struct Tree(Growth);

impl Tree {
    /// The one without leaves.
    pub fn new() -> Self {
        Self(Growth::default())
    }

    /// Appends a leaf hash (see [`leaf`](crate::leaf)), and gives the index that it has from now
    /// on.
    pub fn push(&mut self, leaf: Digest) -> u64 {
        self.0.push(leaf)
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.0.size()
    }

    /// The leaf hashes, in their order.
    pub fn leaves(&self) -> &[Digest] {
        self.0.held(0).1
    }

    /// The root; without leaves that of the [empty tree](crate::empty_root).
    pub fn root(&self) -> Digest {
        self.0.root()
    }

    /// A perfect subtree, as [`Nodes`] counts them; nothing when it has not all its leaves yet.
    pub fn node(&self, level: u8, index: u64) -> Option<Digest> {
        self.0.node(level, index)
    }

    /// The [inclusion proof](inclusion) of one leaf; nothing when there is none at this index.
    pub fn path(&self, index: u64) -> Option<Vec<Digest>> {
        let path = (index < self.size()).then(|| inclusion(&self.0, index, self.size()))?;
        // All nodes of the tree are here.
        path.ok()
    }

    /// The [inclusion proofs](inclusions) of all leaves, in their order.
    pub fn paths(&self) -> Vec<Vec<Digest>> {
        // All nodes of the tree are here.
        inclusions(&self.0, self.size()).unwrap_or_default()
    }

    /// The one proof for several leaves (see [`prove_many`]), which
    /// [`open_many`](crate::open_many) takes. Nothing when the indices do not rise, one is not that
    /// of a leaf, or the tree has none.
    pub fn prove(&self, indices: &[u64]) -> Option<Vec<Digest>> {
        let rise = indices.is_sorted_by(|left, right| left < right);
        let all_in = indices.last().is_none_or(|last| *last < self.size());
        let is_provable = rise && all_in && self.size() > 0;
        is_provable.then(|| prove_many(&self.0, indices, self.size()).ok())?
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<Digest> for Tree {
    fn from_iter<I: IntoIterator<Item = Digest>>(leaves: I) -> Self {
        let mut tree = Self::new();
        leaves.into_iter().for_each(|leaf| {
            tree.push(leaf);
        });
        tree
    }
}

impl Nodes for Tree {
    type Error = MissingNode;

    fn node(&self, level: u8, index: u64) -> Result<Digest, MissingNode> {
        Nodes::node(&self.0, level, index)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;
    use crate::{
        empty_root, leaf, open_many, root_from_inclusion,
        testing::{by_definition, leaves},
    };

    /// The leaves of the Certificate Transparency reference tests, and the roots of the trees of
    /// the first 1 to 8 of them.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn tree(size: usize) -> Tree {
        LEAVES[..size].iter().map(|bytes| leaf(bytes)).collect()
    }

    #[test]
    fn roots_are_those_of_the_reference_tests() {
        for (at, root) in ROOTS.iter().enumerate() {
            assert_eq!(tree(at + 1).root().to_string(), *root);
        }
        assert_eq!(Tree::new().root(), empty_root());
    }

    #[test]
    fn paths_are_those_of_the_reference_tests() {
        let path = |size, index| -> Vec<String> {
            tree(size).path(index).unwrap().iter().map(Digest::to_string).collect()
        };
        assert_eq!(path(1, 0), [""; 0]);
        assert_eq!(
            path(8, 0),
            [
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ]
        );
        assert_eq!(
            path(8, 5),
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                ROOTS[3],
            ]
        );
        assert_eq!(path(3, 2), [ROOTS[1]]);
        assert_eq!(
            path(5, 1),
            [
                ROOTS[0],
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ]
        );
    }

    #[test]
    fn every_path_of_every_size_leads_to_the_root_and_only_at_its_place() {
        for size in 1..=130 {
            let leaves = leaves(size);
            let tree: Tree = leaves.iter().copied().collect();
            assert_eq!((tree.size(), tree.leaves()), (size, leaves.as_slice()));
            let root = by_definition(&leaves);
            assert_eq!(tree.root(), root);
            for (index, leaf) in (0..).zip(&leaves) {
                let mut path = tree.path(index).unwrap();
                assert_eq!(root_from_inclusion(*leaf, index, size, &path), Some(root));
                for other in (0..=size).filter(|other| *other != index) {
                    assert_ne!(root_from_inclusion(*leaf, other, size, &path), Some(root));
                }
                path.push(root);
                assert_eq!(root_from_inclusion(*leaf, index, size, &path), None);
                path.truncate(path.len().saturating_sub(2));
                let is_short = size > 1;
                assert_eq!(root_from_inclusion(*leaf, index, size, &path).is_none(), is_short);
            }
            assert_eq!(tree.path(size), None);
            let paths: Vec<_> = (0..size).filter_map(|index| tree.path(index)).collect();
            assert_eq!(tree.paths(), paths);
        }
        assert_eq!(root_from_inclusion(leaf(b""), 0, 0, &[]), None);
    }

    #[test]
    fn what_is_not_in_it_is_not_proved() {
        let tree = tree(5);
        assert_eq!(tree.prove(&[]), Some(vec![tree.root()]));
        assert_eq!(tree.prove(&[0, 1, 2, 3, 4]), Some(vec![]));
        for wrong in [&[1, 0][..], &[2, 2], &[5], &[0, 5], &[u64::MAX]] {
            assert_eq!(tree.prove(wrong), None, "{wrong:?}");
        }
        assert_eq!(Tree::new().prove(&[]), None);
        assert_eq!((Tree::new().path(0), Tree::new().paths()), (None, vec![]));
        assert_eq!((tree.node(2, 0).is_some(), tree.node(2, 1)), (true, None));
    }

    proptest! {
        #[test]
        fn the_leaves_that_are_present_have_one_proof(
            size in 1..200_u64,
            present in btree_set(0..200_u64, 0..64),
        ) {
            let leaves = leaves(size);
            let tree: Tree = leaves.iter().copied().collect();
            let present: Vec<u64> = present.into_iter().filter(|index| *index < size).collect();
            let proof = tree.prove(&present).unwrap();
            let at = |index: &u64| (*index, leaves[usize::try_from(*index).unwrap()]);
            let known: Vec<(u64, Digest)> = present.iter().map(at).collect();
            let opened = open_many(&known, size, &proof).unwrap();
            prop_assert_eq!(opened.root(), tree.root());
            for index in present {
                prop_assert_eq!(opened.path(index), tree.path(index));
            }
        }
    }
}
