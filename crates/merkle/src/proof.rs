//! Proofs that a leaf is in a tree, and that a tree only grew (RFC 9162 §2.1.3 and §2.1.4).

use kuriiri_types::Digest;

use crate::{
    Nodes, empty_root, node,
    shape::{left_part, subtree},
};

/// The root of the tree of the first `size` leaves.
///
/// # Errors
/// When a node that is needed cannot be had.
pub fn root<N: Nodes>(nodes: &N, size: u64) -> Result<Digest, N::Error> {
    subtree(nodes, 0, size)
}

/// The proof that the leaf at `index` is in the tree of the first `size` leaves: the siblings from
/// the leaf up (RFC 9162 §2.1.3.1). When there is no such leaf it is empty and proves nothing.
///
/// # Errors
/// When a node that is needed cannot be had.
pub fn inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Digest>, N::Error> {
    let mut from_root = Vec::new();
    let (mut start, mut end) = (0, size);
    while index < size && end - start > 1 {
        let middle = start + left_part(end - start);
        if index < middle {
            from_root.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            from_root.push(subtree(nodes, start, middle)?);
            start = middle;
        }
    }
    from_root.reverse();
    Ok(from_root)
}

/// The [inclusion proofs](inclusion) of all leaves in the tree of the first `size`, in their order.
/// It asks for each node once, where a call for each leaf would ask for it again and again.
///
/// # Errors
/// When a node cannot be had.
pub fn inclusions<N: Nodes>(nodes: &N, size: u64) -> Result<Vec<Vec<Digest>>, N::Error> {
    let mut proofs = Vec::new();
    if size > 0 {
        descend(nodes, (0, size), &mut Vec::new(), &mut proofs)?;
    }
    Ok(proofs)
}

/// Never deeper than the tree is high.
fn descend<N: Nodes>(
    nodes: &N,
    (start, end): (u64, u64),
    from_root: &mut Vec<Digest>,
    proofs: &mut Vec<Vec<Digest>>,
) -> Result<(), N::Error> {
    if end - start <= 1 {
        proofs.push(from_root.iter().rev().copied().collect());
        return Ok(());
    }
    let middle = start + left_part(end - start);
    for (sibling, part) in [((middle, end), (start, middle)), ((start, middle), (middle, end))] {
        from_root.push(subtree(nodes, sibling.0, sibling.1)?);
        descend(nodes, part, from_root, proofs)?;
        from_root.pop();
    }
    Ok(())
}

/// The root of the tree of `size` leaves that has this leaf at `index`, by its proof. Nothing when
/// the proof is not exactly as long as it must be, or there is no such leaf (RFC 9162 §2.1.3.2).
///
/// It proves something only when the root is then found equal to one that somebody signed.
pub fn root_from_inclusion(
    leaf: Digest,
    index: u64,
    size: u64,
    hashes: &[Digest],
) -> Option<Digest> {
    let (mut at, mut last) = (index, size.checked_sub(1)?);
    if at > last {
        return None;
    }
    let (mut hash, mut siblings) = (leaf, hashes.iter());
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

/// The proof that the tree of the first `new` leaves begins with the tree of the first `old`
/// (RFC 9162 §2.1.4.1). Empty when nothing needs to be shown, because the old tree is empty or the
/// same; and when it is larger, so that nothing can be.
///
/// # Errors
/// When a node that is needed cannot be had.
pub fn consistency<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Digest>, N::Error> {
    if old == 0 || old >= new {
        return Ok(Vec::new());
    }
    let mut from_root = Vec::new();
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + left_part(end - start);
        if old <= middle {
            from_root.push(subtree(nodes, middle, end)?);
            end = middle;
        } else {
            from_root.push(subtree(nodes, start, middle)?);
            start = middle;
        }
    }
    // Who checks has the old root already, and this is it unless the way went right.
    if start > 0 {
        from_root.push(subtree(nodes, start, end)?);
    }
    from_root.reverse();
    Ok(from_root)
}

/// Whether the tree with the new root begins with the one that has the old root, by a proof
/// (RFC 9162 §2.1.4.2).
///
/// The RFC leaves out two cases. From a tree without leaves every tree has grown: the proof must be
/// empty, and the old root that of the [empty tree](empty_root). A tree is consistent with itself:
/// the proof must be empty, and the roots the same.
pub fn verify_consistency(
    old: u64,
    old_root: Digest,
    new: u64,
    new_root: Digest,
    proof: &[Digest],
) -> bool {
    if old == new {
        return proof.is_empty() && old_root == new_root && (new > 0 || new_root == empty_root());
    }
    if old == 0 {
        return proof.is_empty() && old_root == empty_root();
    }
    old < new && roots_by_consistency(old, old_root, new, proof) == Some((old_root, new_root))
}

/// Both roots as the proof tells them, of `0 < old < new`.
fn roots_by_consistency(
    old: u64,
    old_root: Digest,
    new: u64,
    proof: &[Digest],
) -> Option<(Digest, Digest)> {
    let mut hashes = proof.iter();
    // Where the old tree is one perfect subtree of the new, its root is not repeated in the proof.
    let first = if old.is_power_of_two() { old_root } else { *hashes.next()? };
    let perfect = (old - 1).trailing_ones();
    let (mut at, mut last) = ((old - 1) >> perfect, (new - 1) >> perfect);
    let (mut old_hash, mut new_hash) = (first, first);
    while last > 0 {
        if at & 1 == 1 {
            let left = hashes.next()?;
            old_hash = node(left, &old_hash);
            new_hash = node(left, &new_hash);
        } else if at < last {
            new_hash = node(&new_hash, hashes.next()?);
        }
        at >>= 1;
        last >>= 1;
    }
    hashes.next().is_none().then_some((old_hash, new_hash))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        SIZE_MAX,
        testing::{flipped, leaves, tree},
    };

    #[test]
    fn every_leaf_is_proved_at_its_place_and_at_no_other() {
        for size in 1..=70 {
            let (tree, leaves) = (tree(size), leaves(size));
            let root = root(&tree, size).unwrap();
            assert_eq!(root, tree.root());
            for (index, leaf) in (0..).zip(&leaves) {
                let mut proof = inclusion(&tree, index, size).unwrap();
                assert_eq!(root_from_inclusion(*leaf, index, size, &proof), Some(root));
                for other in (0..=size).filter(|other| *other != index) {
                    assert_ne!(root_from_inclusion(*leaf, other, size, &proof), Some(root));
                }
                proof.push(root);
                assert_eq!(root_from_inclusion(*leaf, index, size, &proof), None);
                proof.truncate(proof.len().saturating_sub(2));
                let is_short = size > 1;
                assert_eq!(root_from_inclusion(*leaf, index, size, &proof).is_none(), is_short);
            }
        }
        assert_eq!(root_from_inclusion(empty_root(), 0, 0, &[]), None);
        assert_eq!(inclusion(&tree(5), 5, 5).unwrap(), []);
        assert_eq!(root(&tree(0), 0).unwrap(), empty_root());
    }

    #[test]
    fn growth_is_proved_of_every_pair_of_sizes() {
        let tree = tree(70);
        let roots: Vec<Digest> = (0..=70).map(|size| root(&tree, size).unwrap()).collect();
        for (new, new_root) in (0..).zip(&roots) {
            for (old, old_root) in (0..).zip(&roots) {
                let mut proof = consistency(&tree, old, new).unwrap();
                let holds = |old, new, proof: &[Digest]| {
                    verify_consistency(old, *old_root, new, *new_root, proof)
                };
                assert_eq!(holds(old, new, &proof), old <= new, "{old} {new}");
                if 0 < old && old < new {
                    // A size tells which hashes are which, and not every wrong size contradicts
                    // them; but a tree that has the same size or is smaller does.
                    assert!(!holds(new, old, &proof) && !holds(old, old, &proof));
                    let swapped = verify_consistency(old, *new_root, new, *old_root, &proof);
                    assert!(!swapped);
                }
                proof.push(*new_root);
                assert!(!holds(old, new, &proof));
                proof.truncate(proof.len().saturating_sub(2));
                let is_short = 0 < old && old < new;
                assert_eq!(holds(old, new, &proof), old <= new && !is_short);
            }
        }
    }

    #[test]
    fn nothing_grows_out_of_an_empty_tree_with_another_root() {
        let root = tree(3).root();
        assert!(verify_consistency(0, empty_root(), 3, root, &[]));
        assert!(!verify_consistency(0, root, 3, root, &[]));
        assert!(!verify_consistency(0, empty_root(), 3, root, &[root]));
        assert!(verify_consistency(0, empty_root(), 0, empty_root(), &[]));
        assert!(!verify_consistency(0, root, 0, root, &[]));
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let tree = tree(11);
        let leaves = leaves(11);
        for (index, leaf) in (0..).zip(&leaves) {
            let proof = inclusion(&tree, index, 11).unwrap();
            for mutant in flipped(&proof) {
                assert_ne!(root_from_inclusion(*leaf, index, 11, &mutant), Some(tree.root()));
            }
            let old_root = root(&tree, index).unwrap();
            let proof = consistency(&tree, index, 11).unwrap();
            for mutant in flipped(&proof) {
                assert!(!verify_consistency(index, old_root, 11, tree.root(), &mutant));
            }
        }
    }

    #[test]
    fn a_node_that_is_missing_is_said() {
        let mut growth = crate::Growth::on(&tree(6).frontier());
        growth.push(empty_root());
        assert!(inclusion(&growth, 6, 7).is_ok());
        assert_eq!(inclusion(&growth, 0, 7).unwrap_err().level, 1);
        assert!(consistency(&growth, 4, 7).is_ok());
        assert!(consistency(&growth, 3, 7).is_err());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            (index, size) in (any::<u64>(), any::<u64>()),
            length in 0..70_usize,
        ) {
            let hashes = vec![empty_root(); length];
            let by_index = root_from_inclusion(empty_root(), index, size, &hashes);
            prop_assert!(by_index.is_none() || (index < size && length <= 64));
            prop_assert!(!verify_consistency(index, empty_root(), size, empty_root(), &hashes)
                || index == size);
        }
    }

    #[test]
    fn the_largest_tree_has_proofs() {
        struct Same;

        impl Nodes for Same {
            type Error = std::convert::Infallible;

            fn node(&self, _: u8, _: u64) -> Result<Digest, Self::Error> {
                Ok(empty_root())
            }
        }

        for index in [0, 1, SIZE_MAX / 2, SIZE_MAX - 1] {
            let proof = inclusion(&Same, index, SIZE_MAX).unwrap();
            assert!(proof.len() <= crate::PATH_MAX);
            assert!(root_from_inclusion(empty_root(), index, SIZE_MAX, &proof).is_some());
        }
        assert!(consistency(&Same, SIZE_MAX - 2, SIZE_MAX).unwrap().len() <= crate::PATH_MAX + 1);
    }
}
