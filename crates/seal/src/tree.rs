//! The Merkle tree of RFC 9162 §2.1, over SHA-256.
//!
//! The recursive definition there (the left subtree takes the largest power of two) gives the same
//! tree as pairing neighbours level by level and letting an odd last node rise alone; this is how
//! it is grown here.

use kuriiri_merkle::node;
use kuriiri_types::Digest;

/// A whole tree: its leaves first, its root last.
pub(crate) struct Tree {
    levels: Vec<Vec<Digest>>,
}

impl Tree {
    pub(crate) fn grow(leaves: Vec<Digest>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            levels.push(level.chunks(2).filter_map(parent).collect());
        }
        Self { levels }
    }

    /// The root, unless there was no leaf.
    pub(crate) fn root(&self) -> Option<Digest> {
        self.levels.last()?.first().copied()
    }

    /// The siblings on the way from a leaf to the root. A node that rises alone has none.
    pub(crate) fn path(&self, index: usize) -> Vec<Digest> {
        let levels = self.levels.iter().enumerate();
        levels.filter_map(|(height, level)| level.get((index >> height) ^ 1).copied()).collect()
    }
}

/// The root of a tree of `size` leaves that has this leaf at `index`, by its path; nothing when the
/// path is not exactly as long as it must be, or there is no such leaf (RFC 9162 §2.1.3.2).
pub(crate) fn root_by_path(leaf: Digest, index: u32, size: u32, path: &[Digest]) -> Option<Digest> {
    let (mut at, mut last) = (index, size.checked_sub(1)?);
    if at > last {
        return None;
    }
    let (mut hash, mut siblings) = (leaf, path.iter());
    while last > 0 {
        if at ^ 1 <= last {
            let sibling = siblings.next()?;
            let is_right = at & 1 == 1;
            hash = if is_right { node(sibling, &hash) } else { node(&hash, sibling) };
        }
        at >>= 1;
        last >>= 1;
    }
    siblings.next().is_none().then_some(hash)
}

fn parent(children: &[Digest]) -> Option<Digest> {
    match children {
        [left, right] => Some(node(left, right)),
        [alone, ..] => Some(*alone),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use kuriiri_merkle::leaf;

    use super::*;
    use crate::hex;

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

    fn digest(text: &str) -> Digest {
        Digest(hex::decode(text).unwrap())
    }

    fn tree(size: usize) -> Tree {
        Tree::grow(LEAVES[..size].iter().map(|bytes| leaf(bytes)).collect())
    }

    #[test]
    fn roots_are_those_of_the_reference_tests() {
        for (at, root) in ROOTS.iter().enumerate() {
            assert_eq!(tree(at + 1).root(), Some(digest(root)));
        }
        assert_eq!(Tree::grow(Vec::new()).root(), None);
    }

    #[test]
    fn paths_are_those_of_the_reference_tests() {
        let path = |size, index| tree(size).path(index);
        let digests = |texts: &[&str]| texts.iter().map(|t| digest(t)).collect::<Vec<_>>();
        assert_eq!(path(1, 0), digests(&[]));
        assert_eq!(
            path(8, 0),
            digests(&[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ])
        );
        assert_eq!(
            path(8, 5),
            digests(&[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                ROOTS[3],
            ])
        );
        assert_eq!(path(3, 2), digests(&[ROOTS[1]]));
        assert_eq!(
            path(5, 1),
            digests(&[
                ROOTS[0],
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ])
        );
    }

    /// The definition of RFC 9162 §2.1.1, word for word, against the tree by levels.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [only] => *only,
            many => {
                let split = many.len().next_power_of_two() / 2;
                let (left, right) = many.split_at(split);
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn every_path_of_every_size_leads_to_the_root_and_only_at_its_place() {
        for size in 1..=130_u32 {
            let leaves: Vec<Digest> = (0..size).map(|i| leaf(&i.to_be_bytes())).collect();
            let tree = Tree::grow(leaves.clone());
            let root = by_definition(&leaves);
            assert_eq!(tree.root(), Some(root));
            for (index, leaf) in (0_u32..).zip(&leaves) {
                let mut path = tree.path(index as usize);
                assert_eq!(root_by_path(*leaf, index, size, &path), Some(root));
                for other in (0..=size).filter(|other| *other != index) {
                    assert_ne!(root_by_path(*leaf, other, size, &path), Some(root));
                }
                path.push(root);
                assert_eq!(root_by_path(*leaf, index, size, &path), None);
                path.truncate(path.len().saturating_sub(2));
                let is_short = size > 1;
                assert_eq!(root_by_path(*leaf, index, size, &path).is_none(), is_short);
            }
        }
        assert_eq!(root_by_path(leaf(b""), 0, 0, &[]), None);
    }
}
