//! One proof for several leaves of one tree.
//!
//! Leaves that stand near each other share most of their way to the root, and proofs of their own
//! would repeat it. This proof is defined by the division of the tree (RFC 9162 §2.1.1): a subtree
//! without a wanted leaf gives its hash, a wanted leaf gives nothing, and any other subtree gives
//! what its left part gives, then what its right part gives. So for given leaves and a given size
//! there is one such proof, and only one.

use std::slice;

use kuriiri_types::Digest;

use crate::{
    Nodes, node,
    shape::{PATH_MAX, SIZE_MAX, left_part, subtree},
};

/// The proof for the leaves at `indices`, which must rise, in the tree of the first `size` leaves.
/// When they do not rise, or one is not in the tree, it proves nothing.
///
/// # Errors
/// When a node that is needed cannot be had.
pub fn prove_many<N: Nodes>(
    nodes: &N,
    indices: &[u64],
    size: u64,
) -> Result<Vec<Digest>, N::Error> {
    let mut hashes = Vec::new();
    if size <= SIZE_MAX {
        prove(nodes, &mut hashes, (0, size), indices)?;
    }
    Ok(hashes)
}

/// The proof for several leaves from an inclusion proof of each: the indices must rise. Nothing when
/// they do not, or the paths are not those of leaves of a tree of `size`. Whether the paths lead to one
/// root only [`open_many`] tells.
pub fn join_paths(paths: &[(u64, &[Digest])], size: u64) -> Option<Vec<Digest>> {
    let rise = paths.is_sorted_by(|(left, _), (right, _)| left < right);
    let all_in = paths.last().is_some_and(|(index, _)| *index < size);
    let mut hashes = Vec::new();
    (rise && all_in && size <= SIZE_MAX)
        .then(|| join(&mut hashes, (0, size), paths.to_vec()))??;
    Some(hashes)
}

/// A path ends at the root, so its last hash is that of the other half of the whole.
fn join(
    hashes: &mut Vec<Digest>,
    (start, end): (u64, u64),
    mut paths: Vec<(u64, &[Digest])>,
) -> Option<()> {
    if end - start == 1 {
        return paths.iter().all(|(_, path)| path.is_empty()).then_some(());
    }
    let middle = start + left_part(end - start);
    let mut sibling = None;
    for (_, path) in &mut paths {
        let (last, rest) = path.split_last()?;
        (sibling, *path) = (Some(*last), rest);
    }
    let right = paths.split_off(paths.partition_point(|(index, _)| *index < middle));
    if paths.is_empty() {
        hashes.push(sibling?);
        return join(hashes, (middle, end), right);
    }
    join(hashes, (start, middle), paths)?;
    if right.is_empty() {
        hashes.push(sibling?);
        return Some(());
    }
    join(hashes, (middle, end), right)
}

/// A proof for several leaves that fits together. Whose tree it is, its [root](Self::root) tells,
/// once it is found equal to one that somebody signed.
#[derive(Debug, Clone)]
pub struct Opened {
    size: u64,
    leaves: Vec<u64>,
    /// The subtrees that the proof tells of, each followed by what is in its left part, then by
    /// what is in its right part.
    seen: Vec<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    hash: Digest,
    /// How many subtrees this one takes up in the list, itself included.
    extent: usize,
}

/// Puts leaves and their proof together. Nothing when the leaves do not rise or are not all in a
/// tree of `size` leaves, or when there are more or fewer hashes than the proof must have.
///
/// The work is bounded by the number of leaves times the height of the tree, whoever made the
/// proof.
pub fn open_many(leaves: &[(u64, Digest)], size: u64, hashes: &[Digest]) -> Option<Opened> {
    let rise = leaves.is_sorted_by(|(left, _), (right, _)| left < right);
    let all_in = leaves.last().is_none_or(|(index, _)| *index < size);
    let bound = leaves.len().saturating_mul(PATH_MAX).max(1);
    if !(1..=SIZE_MAX).contains(&size) || !rise || !all_in || hashes.len() > bound {
        return None;
    }
    let mut reader = Reader { hashes: hashes.iter(), seen: Vec::new() };
    reader.read((0, size), leaves)?;
    let is_used_up = reader.hashes.next().is_none();
    let leaves = leaves.iter().map(|(index, _)| *index).collect();
    is_used_up.then_some(Opened { size, leaves, seen: reader.seen })
}

impl Opened {
    /// The root of the tree.
    pub fn root(&self) -> Digest {
        // There is always one: the whole tree comes first.
        self.seen.first().map_or_else(crate::empty_root, |seen| seen.hash)
    }

    /// The ordinary inclusion proof (see [`inclusion`](crate::inclusion)) of one of the leaves;
    /// nothing when the index is not that of one.
    pub fn path(&self, index: u64) -> Option<Vec<Digest>> {
        self.leaves.binary_search(&index).ok()?;
        let mut from_root = Vec::new();
        let (mut at, mut start, mut end) = (0, 0, self.size);
        while end - start > 1 {
            let (left, right) = self.parts(at)?;
            let middle = start + left_part(end - start);
            if index < middle {
                from_root.push(self.seen.get(right)?.hash);
                (at, end) = (left, middle);
            } else {
                from_root.push(self.seen.get(left)?.hash);
                (at, start) = (right, middle);
            }
        }
        from_root.reverse();
        Some(from_root)
    }

    /// The proof for some of the leaves, as [`prove_many`] would make it; nothing when the indices
    /// do not rise or one is not that of a leaf.
    pub fn subset(&self, indices: &[u64]) -> Option<Vec<Digest>> {
        let rise = indices.is_sorted_by(|left, right| left < right);
        let all_known = indices.iter().all(|index| self.leaves.binary_search(index).is_ok());
        let mut hashes = Vec::new();
        (rise && all_known).then(|| self.reduce(&mut hashes, 0, (0, self.size), indices))??;
        Some(hashes)
    }

    /// Never deeper than the tree is high. Nothing comes back only when there is no such subtree.
    fn reduce(
        &self,
        hashes: &mut Vec<Digest>,
        at: usize,
        (start, end): (u64, u64),
        wanted: &[u64],
    ) -> Option<()> {
        if wanted.is_empty() {
            hashes.push(self.seen.get(at)?.hash);
        } else if end - start > 1 {
            let (left, right) = self.parts(at)?;
            let middle = start + left_part(end - start);
            let (before, after) = divide(wanted, |index| *index < middle)?;
            self.reduce(hashes, left, (start, middle), before)?;
            self.reduce(hashes, right, (middle, end), after)?;
        }
        Some(())
    }

    /// Where the parts of a subtree that has any stand in the list.
    fn parts(&self, at: usize) -> Option<(usize, usize)> {
        let left = at + 1;
        Some((left, left + self.seen.get(left)?.extent))
    }
}

/// Never deeper than the tree is high.
fn prove<N: Nodes>(
    nodes: &N,
    hashes: &mut Vec<Digest>,
    (start, end): (u64, u64),
    wanted: &[u64],
) -> Result<(), N::Error> {
    if wanted.is_empty() {
        hashes.push(subtree(nodes, start, end)?);
    } else if end.saturating_sub(start) > 1 {
        let middle = start + left_part(end - start);
        let (left, right) = divide(wanted, |index| *index < middle).unwrap_or_default();
        prove(nodes, hashes, (start, middle), left)?;
        prove(nodes, hashes, (middle, end), right)?;
    }
    Ok(())
}

struct Reader<'a> {
    hashes: slice::Iter<'a, Digest>,
    seen: Vec<Seen>,
}

impl Reader<'_> {
    /// Never deeper than the tree is high.
    fn read(&mut self, (start, end): (u64, u64), leaves: &[(u64, Digest)]) -> Option<Digest> {
        let hash = match leaves {
            [] => *self.hashes.next()?,
            [(_, leaf)] if end - start == 1 => *leaf,
            more => return self.read_parts((start, end), more),
        };
        self.seen.push(Seen { hash, extent: 1 });
        Some(hash)
    }

    fn read_parts(&mut self, (start, end): (u64, u64), leaves: &[(u64, Digest)]) -> Option<Digest> {
        let at = self.seen.len();
        let unknown = Digest([0; 32]);
        self.seen.push(Seen { hash: unknown, extent: 1 });
        let middle = start + left_part(end - start);
        let (before, after) = divide(leaves, |(index, _)| *index < middle)?;
        let left = self.read((start, middle), before)?;
        let right = self.read((middle, end), after)?;
        let hash = node(&left, &right);
        let extent = self.seen.len() - at;
        *self.seen.get_mut(at)? = Seen { hash, extent };
        Some(hash)
    }
}

/// Those for which it holds, which come first, and the others.
fn divide<T>(sorted: &[T], holds: impl FnMut(&T) -> bool) -> Option<(&[T], &[T])> {
    sorted.split_at_checked(sorted.partition_point(holds))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;
    use crate::{
        Growth, inclusion, root_from_inclusion,
        testing::{flipped, leaves, tree},
    };

    fn chosen(indices: &[u64]) -> Vec<(u64, Digest)> {
        let all = leaves(indices.last().map_or(0, |last| last + 1));
        indices.iter().map(|index| (*index, all[usize::try_from(*index).unwrap()])).collect()
    }

    fn subsets(size: u64) -> impl Iterator<Item = Vec<u64>> {
        (0..1_u64 << size).map(move |bits| (0..size).filter(|i| bits >> i & 1 == 1).collect())
    }

    /// The definition, word for word, over hashes that are computed anew.
    fn by_definition(leaves: &[Digest], first: u64, wanted: &[u64]) -> Vec<Digest> {
        let last = first + leaves.len() as u64;
        if !wanted.iter().any(|index| (first..last).contains(index)) {
            return vec![crate::testing::by_definition(leaves)];
        }
        if leaves.len() == 1 {
            return vec![];
        }
        let split = leaves.len().next_power_of_two() / 2;
        let mut hashes = by_definition(&leaves[..split], first, wanted);
        hashes.extend(by_definition(&leaves[split..], first + split as u64, wanted));
        hashes
    }

    fn check(tree: &Growth, indices: &[u64]) -> Opened {
        let size = tree.size();
        let hashes = prove_many(tree, indices, size).unwrap();
        let opened = open_many(&chosen(indices), size, &hashes).unwrap();
        assert_eq!(opened.root(), tree.root());
        for (index, leaf) in chosen(indices) {
            let path = opened.path(index).unwrap();
            assert_eq!(path, inclusion(tree, index, size).unwrap());
            assert_eq!(root_from_inclusion(leaf, index, size, &path), Some(tree.root()));
        }
        let paths: Vec<_> = indices.iter().map(|at| (*at, opened.path(*at).unwrap())).collect();
        let paths: Vec<_> = paths.iter().map(|(at, path)| (*at, path.as_slice())).collect();
        let joined = join_paths(&paths, size);
        assert_eq!(joined, (!indices.is_empty()).then_some(hashes));
        opened
    }

    #[test]
    fn paths_of_another_tree_are_not_joined() {
        let tree = tree(5);
        let path = |index| inclusion(&tree, index, 5).unwrap();
        let (one, four) = (path(1), path(4));
        assert!(join_paths(&[(1, &one), (4, &four)], 5).is_some());
        for (paths, size) in [
            (vec![(4, four.as_slice()), (1, one.as_slice())], 5),
            (vec![(1, one.as_slice())], 4),
            (vec![(4, one.as_slice())], 5),
            (vec![(5, one.as_slice())], 5),
            (vec![(1, &one[1..])], 5),
        ] {
            assert_eq!(join_paths(&paths, size), None, "{paths:?} {size}");
        }
    }

    #[test]
    fn every_choice_of_leaves_of_every_small_tree_is_proved() {
        for size in 1..=9 {
            let (tree, leaves) = (tree(size), leaves(size));
            for indices in subsets(size) {
                let hashes = prove_many(&tree, &indices, size).unwrap();
                assert_eq!(hashes, by_definition(&leaves, 0, &indices));
                let opened = check(&tree, &indices);
                let others = (0..size + 2).filter(|index| !indices.contains(index));
                others.for_each(|index| assert_eq!(opened.path(index), None));
            }
        }
    }

    #[test]
    fn fewer_leaves_are_proved_from_the_proof_of_more() {
        let tree = tree(7);
        for indices in subsets(7) {
            let opened = check(&tree, &indices);
            for fewer in subsets(7) {
                let known = fewer.iter().all(|index| indices.contains(index));
                let proof = known.then(|| prove_many(&tree, &fewer, 7).unwrap());
                assert_eq!(opened.subset(&fewer), proof, "{fewer:?} of {indices:?}");
            }
        }
        let opened = check(&tree, &[1, 2, 5]);
        assert_eq!(opened.subset(&[2, 1]), None);
        assert_eq!(opened.subset(&[2, 2]), None);
    }

    #[test]
    fn only_the_one_proof_is_taken() {
        for size in 1..=9 {
            let tree = tree(size);
            for indices in subsets(size) {
                let leaves = chosen(&indices);
                let mut hashes = prove_many(&tree, &indices, size).unwrap();
                hashes.push(tree.root());
                assert!(open_many(&leaves, size, &hashes).is_none());
                hashes.truncate(hashes.len() - 1);
                if hashes.pop().is_some() {
                    assert!(open_many(&leaves, size, &hashes).is_none());
                }
            }
        }
    }

    #[test]
    fn leaves_must_rise_and_be_in_the_tree() {
        let (tree, leaf) = (tree(5), leaves(5));
        let hashes = prove_many(&tree, &[1, 3], 5).unwrap();
        let opens = |leaves: &[(u64, Digest)]| open_many(leaves, 5, &hashes).is_some();
        assert!(opens(&[(1, leaf[1]), (3, leaf[3])]));
        assert!(!opens(&[(3, leaf[3]), (1, leaf[1])]));
        assert!(!opens(&[(1, leaf[1]), (1, leaf[1])]));
        assert!(!opens(&[(1, leaf[1]), (5, leaf[3])]));
        assert!(open_many(&[], 0, &[]).is_none());
        assert!(open_many(&[], 0, &hashes[..1]).is_none());
        assert!(open_many(&[(0, leaf[0])], 0, &[]).is_none());
    }

    #[test]
    fn a_flipped_bit_makes_another_root() {
        let tree = tree(9);
        for indices in subsets(9).step_by(7) {
            let leaves = chosen(&indices);
            let hashes = prove_many(&tree, &indices, 9).unwrap();
            for mutant in flipped(&hashes) {
                assert_ne!(open_many(&leaves, 9, &mutant).unwrap().root(), tree.root());
            }
            let hashes_of: Vec<Digest> = leaves.iter().map(|(_, leaf)| *leaf).collect();
            for mutant in flipped(&hashes_of).step_by(31) {
                let mutant: Vec<(u64, Digest)> = indices.iter().copied().zip(mutant).collect();
                assert_ne!(open_many(&mutant, 9, &hashes).unwrap().root(), tree.root());
            }
        }
    }

    #[test]
    fn more_hashes_than_any_proof_has_are_refused() {
        let leaf = leaves(1)[0];
        let hashes = vec![leaf; 1000];
        assert!(open_many(&[(0, leaf)], SIZE_MAX, &hashes).is_none());
        assert!(open_many(&[(0, leaf)], u64::MAX, &hashes[..64]).is_none());
        let opened = open_many(&[(0, leaf)], SIZE_MAX, &hashes[..PATH_MAX]).unwrap();
        assert_eq!(opened.path(0).unwrap().len(), PATH_MAX);
    }

    proptest! {
        #[test]
        fn any_leaves_of_a_larger_tree_are_proved(
            size in 1..700_u64,
            wanted in btree_set(0..700_u64, 0..64),
            keep in any::<u64>(),
        ) {
            let tree = tree(size);
            let indices: Vec<u64> = wanted.into_iter().filter(|index| *index < size).collect();
            let opened = check(&tree, &indices);
            let fewer: Vec<u64> =
                indices.iter().copied().filter(|index| keep >> (index % 64) & 1 == 1).collect();
            prop_assert_eq!(opened.subset(&fewer), Some(prove_many(&tree, &fewer, size).unwrap()));
        }

        #[test]
        fn nothing_makes_it_panic(
            leaves in prop::collection::vec(any::<u64>(), 0..5),
            size in any::<u64>(),
            length in 0..200_usize,
        ) {
            let hash = Digest([7; 32]);
            let _ = prove_many(&tree(3), &leaves, 3);
            let leaves: Vec<(u64, Digest)> = leaves.iter().map(|index| (*index, hash)).collect();
            open_many(&leaves, size, &vec![hash; length]);
        }
    }
}
