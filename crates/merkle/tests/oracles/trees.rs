//! Against `tlog_tiles`, a port of Go's `sumdb/tlog`, and `ct-merkle`.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use kuriiri_merkle::{
    Frontier, Growth, consistency, inclusion, leaf, root, root_from_inclusion, verify_consistency,
};
use kuriiri_types::Digest;
use sha2::Sha256;
use tlog_tiles::{check_record, check_tree, prove_record, prove_tree, record_hash, tree_hash};

use crate::nodes::{Reader, entry, hash, tree};

const LARGEST: u64 = 2000;

fn hashes(digests: &[Digest]) -> Vec<[u8; 32]> {
    digests.iter().map(|digest| digest.0).collect()
}

/// Some of what is below: both ends, the powers of two and their neighbours, and others.
fn some_below(size: u64) -> Vec<u64> {
    let powers = (0..20).map(|power| 1_u64 << power);
    let near = powers.flat_map(|power| [power - 1, power, power + 1]);
    let others = (1..6).map(|i: u64| (i * 7_919 + size * 104_729) % size.max(1));
    let mut some: Vec<u64> =
        near.chain(others).chain(size.checked_sub(1)).filter(|at| *at < size).collect();
    some.sort_unstable();
    some.dedup();
    some
}

#[test]
fn every_size_has_the_root_that_others_find() {
    let tree = tree(LARGEST);
    let mut frontier = Frontier::new();
    let mut other = MemoryBackedTree::<Sha256, [u8; 8]>::new();
    for size in 0..=LARGEST {
        let ours = frontier.root();
        assert_eq!(root(&tree, size).unwrap(), ours);
        assert_eq!(ours.0, <[u8; 32]>::from(*other.root().as_bytes()), "{size}");
        if size > 0 {
            assert_eq!(ours.0, tree_hash(size, &Reader(&tree)).unwrap().0, "{size}");
        }
        assert_eq!(leaf(&entry(size)).0, record_hash(&entry(size)).0);
        frontier.push(leaf(&entry(size)));
        other.push(entry(size));
    }
}

fn check_inclusion(tree: &Growth, index: u64, size: u64) {
    let ours = inclusion(tree, index, size).unwrap();
    let theirs = prove_record(size, index, &Reader(tree)).unwrap();
    assert_eq!(ours, theirs.iter().map(|hash| Digest(hash.0)).collect::<Vec<_>>());
    let (leaf, root) = (leaf(&entry(index)), root(tree, size).unwrap());
    assert_eq!(root_from_inclusion(leaf, index, size, &ours), Some(root));
    check_record(&theirs, size, hash(root), index, hash(leaf)).unwrap();
}

fn check_consistency(tree: &Growth, old: u64, new: u64) {
    let ours = consistency(tree, old, new).unwrap();
    let theirs = prove_tree(new, old, &Reader(tree)).unwrap();
    assert_eq!(ours, theirs.iter().map(|hash| Digest(hash.0)).collect::<Vec<_>>());
    let (old_root, new_root) = (root(tree, old).unwrap(), root(tree, new).unwrap());
    assert!(verify_consistency(old, old_root, new, new_root, &ours));
    check_tree(&theirs, new, hash(new_root), old, hash(old_root)).unwrap();
}

#[test]
fn every_size_has_the_proofs_that_others_make() {
    let tree = tree(LARGEST);
    for size in 1..=LARGEST {
        some_below(size).into_iter().for_each(|index| check_inclusion(&tree, index, size));
        let older = some_below(size).into_iter().filter(|old| *old > 0);
        older.for_each(|old| check_consistency(&tree, old, size));
    }
    for size in 1..=40 {
        (0..size).for_each(|index| check_inclusion(&tree, index, size));
        (1..size).for_each(|old| check_consistency(&tree, old, size));
    }
}

#[test]
fn so_do_sizes_at_the_edges_of_tiles() {
    let tree = tree(65_537);
    for size in [255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537] {
        some_below(size).into_iter().for_each(|index| check_inclusion(&tree, index, size));
        let edges = [255, 256, 257, 65_535, 65_536].into_iter().filter(|old| *old < size);
        let older = some_below(size).into_iter().chain(edges).filter(|old| *old > 0);
        older.for_each(|old| check_consistency(&tree, old, size));
    }
}

#[test]
fn a_third_implementation_makes_the_same_proofs() {
    let tree = tree(300);
    let mut other = MemoryBackedTree::<Sha256, [u8; 8]>::new();
    for size in 1..=300 {
        other.push(entry(size - 1));
        for index in some_below(size) {
            let theirs = other.prove_inclusion(usize::try_from(index).unwrap());
            let ours = inclusion(&tree, index, size).unwrap();
            assert_eq!(hashes(&ours).concat(), theirs.as_bytes(), "{index} of {size}");
        }
        for old in some_below(size).into_iter().filter(|old| *old > 0) {
            let theirs = other.prove_consistency(usize::try_from(size - old).unwrap());
            let ours = consistency(&tree, old, size).unwrap();
            assert_eq!(hashes(&ours).concat(), theirs.as_bytes(), "{old} to {size}");
        }
    }
}

#[test]
fn what_one_refuses_the_other_refuses() {
    let tree = tree(64);
    let digest = |hash: &tlog_tiles::Hash| Digest(hash.0);
    for size in 1..=20_u64 {
        for index in 0..size {
            let proof = prove_record(size, index, &Reader(&tree)).unwrap();
            let (leaf, root) = (leaf(&entry(index)), root(&tree, size).unwrap());
            for wrong_size in 1..=24_u64 {
                for wrong_index in 0..wrong_size {
                    let ours = root_from_inclusion(
                        leaf,
                        wrong_index,
                        wrong_size,
                        &proof.iter().map(digest).collect::<Vec<_>>(),
                    );
                    let theirs =
                        check_record(&proof, wrong_size, hash(root), wrong_index, hash(leaf));
                    assert_eq!(ours == Some(root), theirs.is_ok());
                }
            }
        }
        for old in 1..size {
            let proof = prove_tree(size, old, &Reader(&tree)).unwrap();
            let ours: Vec<_> = proof.iter().map(digest).collect();
            let (old_root, new_root) = (root(&tree, old).unwrap(), root(&tree, size).unwrap());
            for wrong_new in 2..=24_u64 {
                for wrong_old in 1..wrong_new {
                    let holds = verify_consistency(wrong_old, old_root, wrong_new, new_root, &ours);
                    let theirs =
                        check_tree(&proof, wrong_new, hash(new_root), wrong_old, hash(old_root));
                    assert_eq!(holds, theirs.is_ok(), "{wrong_old} {wrong_new}");
                }
            }
        }
    }
}
