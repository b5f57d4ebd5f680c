//! How long a tree takes: to grow, and to prove a batch.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kuriiri_merkle::{Growth, Tree, inclusion, leaf, open_many, prove_many, root_from_inclusion};
use kuriiri_types::Digest;

/// Entries that one step of a busy relay appends.
const STEP: u64 = 4096;
/// Leaves in one proof: a batch of messages.
const BATCH: u64 = 64;
/// Entries before: the tree is then 20 levels high.
const BEFORE: u64 = 1_000_000;

fn leaf_at(index: u64) -> Digest {
    leaf(&index.to_be_bytes())
}

fn tree(count: u64) -> Growth {
    let mut tree = Growth::default();
    for index in 0..count {
        tree.push(leaf_at(index));
    }
    tree
}

fn grow(criterion: &mut Criterion) {
    let frontier = tree(BEFORE).frontier();
    let entry = vec![7; 700];
    let mut group = criterion.benchmark_group("grow");
    group.throughput(Throughput::Elements(STEP));
    group.bench_function("leaf of 700 bytes and push", |bencher| {
        bencher.iter(|| {
            let mut growth = Growth::on(&frontier);
            (0..STEP).for_each(|_| {
                growth.push(leaf(black_box(&entry)));
            });
            growth.root()
        });
    });
    let leaves: Vec<Digest> = (0..STEP).map(leaf_at).collect();
    group.bench_function("push", |bencher| {
        bencher.iter(|| {
            let mut growth = Growth::on(&frontier);
            leaves.iter().for_each(|leaf| {
                growth.push(*leaf);
            });
            growth.root()
        });
    });
    group.bench_function("push to a frontier alone", |bencher| {
        bencher.iter(|| {
            let mut frontier = frontier.clone();
            leaves.iter().for_each(|leaf| frontier.push(*leaf));
            frontier.root()
        });
    });
    group.finish();
}

fn prove(criterion: &mut Criterion) {
    let tree = tree(BEFORE);
    let wanted = |step: u64| -> Vec<u64> { (0..BATCH).map(|i| 500_000 + i * step).collect() };
    let mut group = criterion.benchmark_group("prove 64 of 1,000,000");
    for (name, indices) in [("side by side", wanted(1)), ("apart", wanted(5_000))] {
        let chosen: Vec<(u64, Digest)> = indices.iter().map(|at| (*at, leaf_at(*at))).collect();
        let hashes = prove_many(&tree, &indices, BEFORE).unwrap();
        let name = format!("{name}, {} hashes", hashes.len());
        group.bench_function(format!("prove {name}"), |bencher| {
            bencher.iter(|| prove_many(&tree, black_box(&indices), BEFORE).unwrap());
        });
        group.bench_function(format!("open {name}"), |bencher| {
            bencher.iter(|| open_many(black_box(&chosen), BEFORE, &hashes).unwrap().root());
        });
    }
    group.bench_function("one, and its root", |bencher| {
        bencher.iter(|| {
            let proof = inclusion(&tree, black_box(500_000), BEFORE).unwrap();
            root_from_inclusion(leaf_at(500_000), 500_000, BEFORE, &proof)
        });
    });
    group.finish();
}

/// What signing a batch takes besides the signature; one leaf fewer and the tree is not perfect.
fn sign(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("grow, and prove every leaf");
    for size in [BATCH, BATCH - 1] {
        let leaves: Vec<Digest> = (0..size).map(leaf_at).collect();
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("{size} leaves"), |bencher| {
            bencher.iter(|| {
                let tree: Tree = black_box(&leaves).iter().copied().collect();
                (tree.root(), tree.paths())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, grow, prove, sign);
criterion_main!(benches);
